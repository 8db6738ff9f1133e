"""Strengths in mg that a bare number after a drug's name can only be: "lisinopril 20, ASA 81, metoprolol 50 bid".

Oral forms of one ingredient in the FDA NDC directory, April 2019. Drugs of the ISMP high-alert list, and drugs dosed in
micrograms, are left out: there a number without its unit stays unreadable.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

_ROWS: Final = """
    allopurinol 100 300
    amlodipine 2.5 5 10
    aripiprazole 2 5 10 15 20 30
    aspirin 81 162.5 325 500
    atenolol 25 50 100
    atorvastatin 10 20 40 80
    baclofen 5 10 20
    benazepril 5 10 20 40
    bisoprolol 5 10
    bumetanide 1 2
    bupropion 75 100 150 174 200 300 348 450 522
    buspirone 5 7.5 10 15 30
    candesartan 4 8 16 32
    carvedilol 3.125 6.25 10 12.5 20 25 40 80
    celecoxib 50 100 200 400
    cetirizine 5 10
    chlorthalidone 15 25 50
    citalopram 10 20 40
    clopidogrel 75 300
    cyclobenzaprine 5 7.5 10 15 30
    dapagliflozin 5 10
    diltiazem 30 60 90 120 180 240 300 360 420
    donepezil 5 10 23
    doxazosin 1 2 4 8
    duloxetine 20 30 40 60
    empagliflozin 10 25
    enalapril 2.5 5 10 20
    escitalopram 5 10 20
    esomeprazole 20 40 49.3
    ezetimibe 10
    famotidine 10 20 40
    finasteride 1 5
    fluoxetine 10 20 40 60 90
    furosemide 20 40 80
    gabapentin 100 300 400 600 800
    glimepiride 1 2 3 4 6 8
    glipizide 2.5 5 10
    hydralazine 10 25 50 100
    hydrochlorothiazide 12.5 25 50
    irbesartan 75 150 300
    lamotrigine 2 5 25 50 100 150 200 250 300
    lansoprazole 15 30
    levetiracetam 250 500 750 1000 1500
    lisinopril 2.5 5 10 20 30 40
    loratadine 5 10
    losartan 25 50 100
    meloxicam 5 7.5 10 15
    memantine 5 7 10 14 21 28
    metformin 500 750 850 1000
    metoprolol 23.75 25 37.5 47.5 50 75 90 100 190 200
    mirtazapine 7.5 15 30 45
    montelukast 4 5 10
    naproxen 200 220 250 275 375 500 550 750
    nifedipine 10 20 30 60 90
    olanzapine 2.5 5 7.5 10 15 20
    olmesartan 5 20 40
    omeprazole 10 20 20.6 40
    oxybutynin 5 10 15
    pantoprazole 20 40
    paroxetine 7.5 10 12.5 20 25 30 37.5 40
    pioglitazone 15 30 45
    prasugrel 5 10
    pravastatin 10 20 40 80
    prazosin 1 2 5
    prednisone 1 2 2.5 5 10 20 50
    pregabalin 25 50 75 82.5 100 150 165 200 225 300 330
    propranolol 10 20 40 60 80 120 160
    quetiapine 25 50 100 150 200 300 400
    quinapril 5 10 20 40
    rabeprazole 5 10 20
    ramipril 1.25 2.5 5 10
    risperidone 1 2 3 4
    rosuvastatin 5 10 20 40
    sertraline 25 50 100 150 200
    simvastatin 5 10 20 40 80
    sitagliptin 25 50 100
    spironolactone 25 50 100
    telmisartan 20 40 80
    terazosin 1 2 5 10
    ticagrelor 60 90
    topiramate 15 25 50 100 150 200
    torsemide 5 10 20 100
    trazodone 50 100 150 300
    valsartan 40 80 160 320
    venlafaxine 25 37.5 50 75 100 150 225
"""
STRENGTHS: Final = {
    drug: frozenset(Decimal(value) for value in values.split())
    for drug, _, values in (row.strip().partition(" ") for row in _ROWS.strip().splitlines())
}


def is_strength(drugs: tuple[str, ...], written: str) -> bool:
    """Whether `written`, the digits after a drug's name, is a strength in mg of its one ingredient."""
    return len(drugs) == 1 and Decimal(written) in STRENGTHS.get(drugs[0], frozenset())

"""The kinds of drug whose sudden end does harm, by the names that clinicians and patients give them.

A kind is a class of the knowledge pack or single ingredients; `said` are words that name it where no drug is named
("your fit tablets"). How long a kind may be withheld, and what makes its end right, `grounds` reads from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from attending.guardrails.checks.case import Case
from attending.guardrails.finding import Severity
from attending.guardrails.sieve import Sieved


@dataclass(frozen=True, slots=True)
class Vital:
    """`kind` holds drugs and classes; `check` is the source.

    `long_use`: a short course ends without harm, so that long use must be told. `unbroken`: not even a break of days
    is harmless, a single dose apart. `together`: its members are taken together, so that one that is merely kept
    replaces none. `needs`: counts only where output, prompt or conditions say so. `weaned`: a mild reason (side
    effects, a fall) calls for a taper and not for an end.
    """

    id: str
    kind: tuple[str, ...]
    harm: str
    severity: Severity
    check: str
    said: str | None = None
    long_use: bool = False
    unbroken: bool = False
    together: bool = False
    weaned: bool = False
    needs: Sieved | None = None


TYPE_1: Final = Sieved(
    r"\b(?:type (?:1|one|i)\b(?! diastolic)[^.;\n]{0,12}diabet\w*|type (?:1|one) diabet\w*|type (?:1"
    r"|one)\b(?! (?:error"
    r"|diastolic|hypersens\w*|respir\w*|collagen|necrosis|mi\b|endoleak))|t1dm?\b"
    r"|dm ?1\b|iddm|lada\b)",
    re.I,
)
ADRENAL: Final = Sieved(
    r"\b(?:addison\w*|adrenal insufficiency|adrenalectomy|hypopituitar\w*|congenital adrenal|cah\b)\b", re.I
)
_LUNG_PRESSURE: Final = Sieved(r"\b(?:pulmonary (?:arterial )?hypertension|pah\b|ph clinic)", re.I)
_EPILEPSY: Final = Sieved(r"\b(?:seizure\w*|epilep\w*|convuls\w*|fits?\b)", re.I)

_TABLETS: Final = r"medicines?|medications?|meds|drugs?|pills?|tablets?"
VITAL: Final = (
    Vital(
        "steroid",
        ("corticosteroid_systemic",),
        "adrenal crisis",
        Severity.MAJOR,
        "prednisone label, precautions: drug-induced adrenal insufficiency",
        said=r"(?<!anabolic )(?<!inhaled )(?<!nasal )(?<!topical )steroids?(?: (?:tablets?|pills?))?(?! (?:cream"
        r"|ointment|inhaler|spray|drops|card|injection))|cortisone",
        long_use=True,
        unbroken=True,
        weaned=True,
    ),
    Vital(
        "antiepileptic",
        ("antiepileptic", "barbiturate"),
        "seizures",
        Severity.MAJOR,
        "antiepileptic labels, section 5: withdrawal",
        said=rf"(?:anti-?)?(?:seizure|convulsants?|fit|fits|epilep\w+) (?:{_TABLETS})"
        r"|anti-?(?:epileptics?|convulsants?|seizure meds)",
        unbroken=True,
        together=True,
        weaned=True,
    ),
    Vital(
        "benzodiazepine",
        ("benzodiazepine",),
        "withdrawal seizures",
        Severity.MAJOR,
        "benzodiazepine labels, boxed warning (2020): dependence and withdrawal",
        said=r"benzos?|benzodiazepines?",
        long_use=True,
        weaned=True,
    ),
    Vital(
        "opioid",
        ("full_opioid", "methadone", "buprenorphine"),
        "withdrawal, uncontrolled pain and overdose on return",
        Severity.MAJOR,
        "FDA safety communication on sudden discontinuation of opioids, 2019",
        said=r"opioids?|opiates?|narcotics?|pain (?:killers?|pills?)",
        long_use=True,
        weaned=True,
    ),
    Vital(
        "anticoagulant",
        ("anticoagulant", "doac", "vitamin_k_antagonist"),
        "thrombosis and stroke",
        Severity.MAJOR,
        "apixaban and rivaroxaban labels, boxed warning: premature discontinuation",
        said=r"blood[- ]thinn(?:ers?|ing (?:tablets?|medicines?|medications?|pills?))|anti-?coagulants?|noac|doac",
    ),
    Vital(
        "p2y12",
        ("p2y12",),
        "stent thrombosis",
        Severity.MAJOR,
        "clopidogrel, prasugrel and ticagrelor labels, section 5: discontinuation",
        said=r"dapt|(?:dual|both|two) antiplatelets?(?: therapy)?",
    ),
    Vital(
        "insulin",
        ("insulin",),
        "ketoacidosis",
        Severity.MAJOR,
        "ADA standards of care: basal insulin is never left out in type 1 diabetes",
        said=r"insulins?|basal(?! cell)",
        unbroken=True,
        together=True,
    ),
    Vital(
        "immunosuppressant",
        ("calcineurin_inhibitor", "mycophenolate mofetil", "mycophenolic acid", "sirolimus", "everolimus"),
        "rejection of the transplant",
        Severity.MAJOR,
        "transplant guidelines; labels, boxed warning: only by a physician experienced in transplantation",
        said=rf"(?:anti-?rejection|transplant) (?:{_TABLETS}|capsules?)|immunosuppress(?:ants?|ion)",
        unbroken=True,
        together=True,
        weaned=True,
    ),
    Vital(
        "beta-blocker",
        ("beta_blocker",),
        "rebound angina and infarction",
        Severity.MODERATE,
        "beta-blocker labels, boxed warning: abrupt cessation",
        said=r"beta[- ]?blockers?",
        long_use=True,
        weaned=True,
    ),
    Vital(
        "clonidine",
        ("clonidine", "guanfacine"),
        "rebound hypertension",
        Severity.MAJOR,
        "clonidine label, section 5",
        unbroken=True,
        weaned=True,
    ),
    Vital(
        "baclofen",
        ("baclofen",),
        "seizures, high fever, rigidity",
        Severity.MAJOR,
        "baclofen label, warnings; intrathecal baclofen boxed warning",
        said=r"(?:intrathecal )?baclofen(?= pump)|itb pump|intrathecal pump|synchromed pump",
        unbroken=True,
        weaned=True,
    ),
    Vital(
        "dopaminergic",
        ("levodopa", "dopamine_agonist", "carbidopa"),
        "a state like neuroleptic malignant syndrome",
        Severity.MAJOR,
        "carbidopa/levodopa label, section 5",
        said=rf"parkinson'?s?(?:'s)? (?:{_TABLETS})",
        unbroken=True,
        weaned=True,
    ),
    Vital(
        "antidepressant",
        ("venlafaxine", "desvenlafaxine", "paroxetine", "duloxetine"),
        "a discontinuation syndrome",
        Severity.MODERATE,
        "venlafaxine and paroxetine labels, section 5",
        long_use=True,
    ),
    Vital(
        "thyroid",
        ("thyroid_hormone",),
        "myxedema",
        Severity.MODERATE,
        "levothyroxine label, section 17: replacement is for life",
        said=rf"thyroid (?:{_TABLETS})",
    ),
    Vital(
        "antiretroviral",
        ("antiretroviral",),
        "viral rebound and hepatitis B flare",
        Severity.MODERATE,
        "labels of tenofovir and emtricitabine, boxed warning",
        said=rf"hiv (?:{_TABLETS}|treatment)|antiretrovirals?",
    ),
    Vital(
        "hepatitis-b",
        (
            "entecavir",
            "tenofovir disoproxil",
            "tenofovir alafenamide",
            "lamivudine",
            "adefovir",
            "telbivudine",
        ),
        "a flare of hepatitis B and liver failure",
        Severity.MAJOR,
        "entecavir, lamivudine and tenofovir labels, boxed warning: exacerbations after discontinuation",
        said=rf"hepatitis b (?:{_TABLETS})",
        unbroken=True,
        together=True,
        needs=Sieved(r"\b(?:hep(?:atitis)? b\b|hbv\b|hbs ?ag\b|hbsag)", re.I),
    ),
    Vital(
        "clozapine",
        ("clozapine",),
        "rebound psychosis and cholinergic rebound",
        Severity.MAJOR,
        "clozapine label, section 2: discontinuation",
        unbroken=True,
        weaned=True,
    ),
    Vital(
        "diabetes-insipidus",
        ("desmopressin",),
        "severe hypernatremia",
        Severity.MAJOR,
        "NHS England patient safety alert 2016/001: desmopressin in cranial diabetes insipidus",
        unbroken=True,
        needs=Sieved(r"\b(?:diabetes insipidus|cranial di\b|avp[- ]deficiency|vasopressin deficiency)", re.I),
    ),
    Vital(
        "mineralocorticoid",
        ("fludrocortisone",),
        "adrenal crisis",
        Severity.MAJOR,
        "fludrocortisone label: replacement in Addison's disease is for life",
        needs=ADRENAL,
        unbroken=True,
    ),
    Vital(
        "complement",
        ("eculizumab", "ravulizumab"),
        "severe haemolysis",
        Severity.MAJOR,
        "eculizumab label, section 5: discontinuation in PNH",
        unbroken=True,
    ),
    Vital(
        "lithium",
        ("lithium",),
        "relapse of mania and suicide",
        Severity.MODERATE,
        "NICE CG185, 1.10: lithium is stopped over at least four weeks",
        weaned=True,
    ),
    Vital(
        "lung-pressure",
        ("prostacyclin", "endothelin_antagonist", "riociguat", "pde5_inhibitor"),
        "rebound pulmonary hypertension",
        Severity.MAJOR,
        "epoprostenol and treprostinil labels, section 5: abrupt withdrawal",
        unbroken=True,
        together=True,
        needs=_LUNG_PRESSURE,
    ),
    Vital(
        "pump-prostacyclin",
        ("epoprostenol", "treprostinil"),
        "rebound pulmonary hypertension",
        Severity.MAJOR,
        "epoprostenol and treprostinil labels, section 5: abrupt withdrawal",
        said=r"(?:epoprostenol|treprostinil|flolan|remodulin|veletri|caripul)(?= (?:pump|infusion|cassettes?))",
        unbroken=True,
    ),
    Vital(
        "tuberculosis",
        ("isoniazid", "rifampin", "ethambutol", "pyrazinamide", "rifapentine"),
        "relapse and resistant tuberculosis",
        Severity.MODERATE,
        "ATS/CDC/IDSA guideline on drug-susceptible tuberculosis, 2016: completion of treatment",
        said=rf"(?-i:RIPE|R?HZE|HRZE)(?: therapy)?|(?:tb|tuberculosis) (?:{_TABLETS}|treatment)",
        together=True,
    ),
    Vital(
        "myasthenia",
        ("pyridostigmine",),
        "myasthenic crisis",
        Severity.MAJOR,
        "pyridostigmine: myasthenia worsens within hours of missed doses",
        unbroken=True,
        needs=Sieved(r"\bmyasthen\w*", re.I),
    ),
)

_OTHER_USES: Final = frozenset({"gabapentin", "pregabalin", "topiramate"})
"""Antiepileptics given mostly for pain and migraine: their end counts where seizures are spoken of."""


def kinds_of(case: Case, drug: str) -> tuple[Vital, ...]:
    """The kinds that an ingredient belongs to, for this patient."""
    return tuple(
        vital
        for vital in VITAL
        if case.of_class(drug, *vital.kind)
        and (vital.needs is None or case.says(vital.needs))
        and not (drug in _OTHER_USES and vital.id == "antiepileptic" and not case.says(_EPILEPSY))
    )


SAID: Final = tuple(
    (vital, Sieved(rf"\b(?:{vital.said})(?!\w)", re.I)) for vital in VITAL if vital.said is not None
)
"""A kind and the words that name it."""

"""Which strength of a fixed combination belongs to which ingredient."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import permutations
from typing import Final

_USUAL: Final = (
    "acetaminophen 325|aspirin 325|ibuprofen 200|oxycodone 5|hydrocodone 5|codeine 30|tramadol 37.5|"
    "butalbital 50|caffeine 40|amoxicillin 875|clavulanate 125|clavulanic acid 125|sulfamethoxazole 800|"
    "trimethoprim 160|carbidopa 25|levodopa 100|naproxen 500|sumatriptan 85|metformin 1000|"
    "sitagliptin 50|saxagliptin 5|glipizide 5|glyburide 5|pioglitazone 15|simvastatin 40|ezetimibe 10|"
    "atorvastatin 40|amlodipine 5|benazepril 20|valsartan 160|pentazocine 50|naloxone 0.5|"
    "buprenorphine 8|hydrochlorothiazide 12.5|lisinopril 20|losartan 50|triamterene 37.5|bisoprolol 10|"
    "spironolactone 25|diphenhydramine 25|pseudoephedrine 120|carisoprodol 200"
)
USUAL_MG: Final = {name: Decimal(mg) for name, _, mg in (item.rpartition(" ") for item in _USUAL.split("|"))}
"""Usual strengths in fixed combinations (FDA NDC directory), only to tell which number is whose."""
FIRST_OF_TOTAL: Final[dict[tuple[str, ...], Decimal]] = {
    ("piperacillin", "tazobactam"): Decimal(8) / 9,
    ("ceftolozane", "tazobactam"): Decimal(2) / 3,
    ("ceftazidime", "avibactam"): Decimal(4) / 5,
    ("meropenem", "vaborbactam"): Decimal(1) / 2,
    ("ticarcillin", "clavulanate"): Decimal(30) / 31,
}
"""Injections ordered by the sum of both ingredients, and the share of the first one (dosage sections of their labels):
4.5 g of piperacillin and tazobactam holds 4 g of piperacillin."""


def component_of(
    drugs: tuple[str, ...], values: tuple[Decimal, ...], index: int, *, spelled: bool
) -> Decimal | None:
    """The strength of ingredient `index` in "10/325". The order of a brand's ingredients is not that of its
    strengths, so the usual strengths decide which number belongs to which; without them only a name that spells its
    ingredients is read, in the order written."""
    usual = [USUAL_MG[drug] for drug in drugs if drug in USUAL_MG]
    if len(usual) != len(drugs):
        return values[index] if spelled else None

    def distance(order: tuple[Decimal, ...]) -> float:
        return math.fsum(abs(math.log(v / u)) for v, u in zip(order, usual, strict=True))

    return min(permutations(values), key=distance)[index]

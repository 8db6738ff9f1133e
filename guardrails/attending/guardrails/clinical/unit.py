"""Units of doses: spellings, canonical names and which writings are known to be misread."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "mg": ("mg", "mgs", "mgm", "mgms", "milligram", "milligrams", "milligramme", "milligrammes", "milligm"),
    "mcg": (
        "mcg",
        "mcgs",
        "μg",
        "μgs",
        "ug",
        "ugs",
        "microgram",
        "microg",
        "microgs",
        "micrograms",
        "microgramme",
        "microgrammes",
        "mics",
        "micg",
    ),
    "ng": ("ng", "nanogram", "nanograms"),
    "g": ("g", "gm", "gms", "gram", "grams", "gramme", "grammes"),
    "unit": (
        "unit",
        "units",
        "u",
        "iu",
        "ius",
        "i.u.",
        "international unit",
        "international units",
        "usp units",
    ),
    "mL": ("ml", "mls", "milliliter", "milliliters", "millilitre", "millilitres", "cc", "ccs"),
    "L": ("l", "liter", "liters", "litre", "litres"),
    "mEq": ("meq", "meqs", "milliequivalent", "milliequivalents"),
    "mmol": ("mmol", "mmols", "millimole", "millimoles"),
    "percent": ("%", "percent", "per cent"),
    "teaspoon": ("tsp", "tsps", "teaspoon", "teaspoons", "teaspoonful", "teaspoonfuls"),
    "tablespoon": ("tbsp", "tablespoon", "tablespoons", "tablespoonful", "tablespoonfuls"),
    "tablet": (
        "tablet",
        "tablets",
        "tab",
        "tabs",
        "capsule",
        "capsules",
        "cap",
        "caps",
        "caplet",
        "caplets",
        "pill",
        "pills",
        "gelcap",
        "gelcaps",
        "softgel",
        "softgels",
        "chewable",
        "chewables",
    ),
    "puff": ("puff", "puffs", "inhalation", "inhalations", "actuation", "actuations"),
    "spray": ("spray", "sprays", "squirt", "squirts"),
    "drop": ("drop", "drops", "gtt", "gtts"),
    "patch": ("patch", "patches"),
    "suppository": ("suppository", "suppositories"),
    "lozenge": ("lozenge", "lozenges", "troche", "troches", "gummy", "gummies"),
    "packet": ("packet", "packets", "sachet", "sachets", "pouch", "pouches", "powder"),
    "ampoule": (
        "ampoule",
        "ampoules",
        "ampule",
        "ampules",
        "vial",
        "vials",
        "syringe",
        "syringes",
        "nebule",
        "nebules",
    ),
    "application": ("application", "applications"),
}
COUNTED = frozenset(
    {"tablet", "puff", "spray", "drop", "patch", "suppository", "lozenge", "packet", "ampoule", "application"}
)
_DOUBTFUL = {
    "gr": "`gr` may be grains or grams",
    "grain": "grains are not a metric unit",
    "grains": "grains are not a metric unit",
    "mu": "`MU` may be mega-units or milli-units",
    "kg": None,
    "dram": "drams are not a metric unit",
    "drams": "drams are not a metric unit",
    "minim": "minims are not a metric unit",
    "minims": "minims are not a metric unit",
    "dropperful": "a dropperful is no exact amount",
    "dropperfuls": "a dropperful is no exact amount",
    "capful": "a capful is no exact amount",
    "capfuls": "a capful is no exact amount",
    "scoop": "a scoop is no exact amount",
    "scoops": "a scoop is no exact amount",
    "mgs/tab": None,
}
_RISKY = {
    "u": "u",
    "iu": "iu",
    "ius": "iu",
    "i.u.": "iu",
    "cc": "cc",
    "ccs": "cc",
    "μg": "ug",
    "μgs": "ug",
    "ug": "ug",
    "ugs": "ug",
}

_CANONICAL = {spelling: unit for unit, spellings in _SPELLINGS.items() for spelling in spellings}
_HOUSEHOLD = {"teaspoon": ("mL", Decimal(5)), "tablespoon": ("mL", Decimal(15)), "L": ("mL", Decimal(1000))}

_ALL = sorted({*_CANONICAL, *(k for k, v in _DOUBTFUL.items() if v)}, key=len, reverse=True)
UNIT = re.compile(rf"({'|'.join(re.escape(s) for s in _ALL)})(?![a-z0-9])\.?(?!\d)")
"""A unit's spelling at the scan position."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as read: `factor` converts household and litre amounts; `reason` is set when it is not exact."""

    end: int
    written: str
    canonical: str
    factor: Decimal = Decimal(1)
    notation: str | None = None
    reason: str | None = None


def read_unit(text: str, start: int) -> Unit | None:
    """The unit at `start` (no space before it), or None."""
    match = UNIT.match(text, start)
    if match is None:
        return None
    written = match.group(1)
    # a full stop belongs to the unit only where no sentence ends with it
    end = match.end()
    if text[end - 1 : end] == "." and not written.endswith("."):
        end -= 1
    reason = _DOUBTFUL.get(written)
    if reason is not None:
        return Unit(end, written, written, reason=reason)
    canonical = _CANONICAL[written]
    notation = _RISKY.get(written)
    if canonical in _HOUSEHOLD:
        base, factor = _HOUSEHOLD[canonical]
        return Unit(end, written, base, factor, notation)
    return Unit(end, written, canonical, notation=notation)

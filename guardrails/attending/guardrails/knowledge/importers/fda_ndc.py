"""FDA NDC directory, April 2019 (public domain): brands, substances, strengths, routes, classes and DEA schedules."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final

_TYPES: Final = frozenset({"HUMAN PRESCRIPTION DRUG", "HUMAN OTC DRUG", "VACCINE", "PLASMA DERIVATIVE"})
_ROUTES: Final = {
    "ORAL": "oral",
    "INTRAVENOUS": "intravenous",
    "INTRAVASCULAR": "intravenous",
    "INTRAMUSCULAR": "intramuscular",
    "SUBCUTANEOUS": "subcutaneous",
    "RESPIRATORY (INHALATION)": "inhaled",
    "TOPICAL": "topical",
    "CUTANEOUS": "topical",
    "TRANSDERMAL": "transdermal",
    "OPHTHALMIC": "ophthalmic",
    "AURICULAR (OTIC)": "otic",
    "NASAL": "nasal",
    "RECTAL": "rectal",
    "VAGINAL": "vaginal",
    "SUBLINGUAL": "sublingual",
    "BUCCAL": "buccal",
    "TRANSMUCOSAL": "buccal",
    "INTRATHECAL": "intrathecal",
    "EPIDURAL": "epidural",
    "INTRADERMAL": "intradermal",
}

_UNITS: Final = {
    "kg": (Decimal(1_000_000), "mg"),
    "g": (Decimal(1000), "mg"),
    "mg": (Decimal(1), "mg"),
    "ug": (Decimal("0.001"), "mg"),
    "ng": (Decimal("0.000001"), "mg"),
    "[iu]": (Decimal(1), "unit"),
    "[usp'u]": (Decimal(1), "unit"),
    "meq": (Decimal(1), "mEq"),
}
_UNIT: Final = re.compile(r"([^/]+)/(\d*\.?\d*)(ml|l|kg|g|mg|h|hr|d)?", re.I)
_PER: Final = {"ml": "mL", "l": "mL", "kg": "g", "g": "g", "mg": "g", "h": "h", "hr": "h", "d": "h", None: ""}
_SCALE: Final = {"l": Decimal(1000), "kg": Decimal(1000), "mg": Decimal("0.001"), "d": Decimal(24)}
_VALUE: Final = re.compile(r"\d{0,9}\.?\d{0,9}(?:E\+?\d)?")

_KEPT: Final = 8192
"""Cells whose meaning is kept: most products are marketed by many, one after the other."""
_CLASS: Final = re.compile(r"([^\[\],][^\[\]]*) \[(EPC|MoA|PE|CS)\]")


@dataclass(frozen=True, slots=True)
class Strength:
    """`amount` of `unit` (mg, unit or mEq) in `size` of `per`: one piece (empty), mL, g, or h for a patch."""

    amount: Decimal
    unit: str
    size: Decimal
    per: str


@dataclass(frozen=True, slots=True)
class Product:
    """One product. `substances` and `brand` are lower case; `routes` canonical; `classes` as (kind, name)
    with kind epc, moa, pe or cs; `schedule` CI..CV or empty. `strengths` are those of `substances`, in order: None for
    one that is not in the directory, or not in a unit that is read here."""

    code: str
    brand: str
    generic: str
    substances: tuple[str, ...]
    strengths: tuple[Strength | None, ...]
    routes: frozenset[str]
    classes: tuple[tuple[str, str], ...]
    schedule: str
    category: str
    over_the_counter: bool


def read(folder: Path) -> Iterator[Product]:
    """Products of `folder/product.txt.gz` in file order, without homeopathic and allergenic ones.

    Raises OSError where the file is missing, KeyError where a column is.
    """
    with gzip.open(folder / "product.txt.gz", "rt", encoding="latin-1", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            if row["PRODUCTTYPENAME"] not in _TYPES or "HOMEOPATHIC" in row["MARKETINGCATEGORYNAME"]:
                continue
            substances = tuple(_clean(s) for s in (row["SUBSTANCENAME"] or "").split("; ") if s.strip())
            yield Product(
                code=row["PRODUCTNDC"],
                brand=_clean(row["PROPRIETARYNAME"]),
                generic=_clean(row["NONPROPRIETARYNAME"]),
                substances=substances,
                strengths=_strengths(
                    row["ACTIVE_NUMERATOR_STRENGTH"] or "", row["ACTIVE_INGRED_UNIT"] or "", len(substances)
                ),
                routes=frozenset(_ROUTES[r] for r in row["ROUTENAME"].split("; ") if r in _ROUTES),
                classes=_classes(row["PHARM_CLASSES"] or ""),
                schedule=(row["DEASCHEDULE"] or "").strip(),
                category=row["MARKETINGCATEGORYNAME"],
                over_the_counter=row["PRODUCTTYPENAME"] == "HUMAN OTC DRUG",
            )


@lru_cache(_KEPT)
def _classes(cell: str) -> tuple[tuple[str, str], ...]:
    """Names hold commas ("Antibodies, Monoclonal [CS]"): each ends with its kind in brackets."""
    return tuple((kind.lower(), name.strip()) for name, kind in _CLASS.findall(cell))


@lru_cache(_KEPT)
def _strengths(values: str, units: str, count: int) -> tuple[Strength | None, ...]:
    """The strengths of `count` substances; none is known where the cells list another number."""
    amounts, of = values.split("; "), units.split("; ")
    if len(amounts) != count or len(of) != count:
        return (None,) * count
    return tuple(_strength(amount.strip(), unit.strip()) for amount, unit in zip(amounts, of, strict=True))


def _strength(value: str, written: str) -> Strength | None:
    unit = _UNIT.fullmatch(written)
    if unit is None or unit[1].lower() not in _UNITS or _VALUE.fullmatch(value) is None:
        return None
    if not any(digit.isdigit() for digit in value) or unit[2] == ".":
        return None
    factor, base = _UNITS[unit[1].lower()]
    per = unit[3].lower() if unit[3] else None
    size = Decimal(unit[2] or 1) * _SCALE.get(per or "", Decimal(1))
    amount = Decimal(value) * factor
    return Strength(amount, base, size, _PER[per]) if amount > 0 and size > 0 else None


def _clean(text: str | None) -> str:
    return " ".join((text or "").lower().split())

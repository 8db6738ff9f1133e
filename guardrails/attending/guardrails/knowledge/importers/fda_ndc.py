"""FDA NDC directory, April 2019 (public domain): brands, substances, routes, classes and DEA schedules."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
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

_CLASS: Final = re.compile(r"([^\[\],][^\[\]]*) \[(EPC|MoA|PE|CS)\]")


@dataclass(frozen=True, slots=True)
class Product:
    """One product. `substances` and `brand` are lower case; `routes` canonical; `classes` as (kind, name)
    with kind epc, moa, pe or cs; `schedule` CI..CV or empty."""

    brand: str
    generic: str
    substances: tuple[str, ...]
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
            yield Product(
                brand=_clean(row["PROPRIETARYNAME"]),
                generic=_clean(row["NONPROPRIETARYNAME"]),
                substances=tuple(_clean(s) for s in (row["SUBSTANCENAME"] or "").split("; ") if s.strip()),
                routes=frozenset(_ROUTES[r] for r in row["ROUTENAME"].split("; ") if r in _ROUTES),
                classes=_classes(row["PHARM_CLASSES"] or ""),
                schedule=(row["DEASCHEDULE"] or "").strip(),
                category=row["MARKETINGCATEGORYNAME"],
                over_the_counter=row["PRODUCTTYPENAME"] == "HUMAN OTC DRUG",
            )


def _classes(cell: str) -> tuple[tuple[str, str], ...]:
    """Names hold commas ("Antibodies, Monoclonal [CS]"): each ends with its kind in brackets."""
    return tuple((kind.lower(), name.strip()) for name, kind in _CLASS.findall(cell))


def _clean(text: str | None) -> str:
    return " ".join((text or "").lower().split())

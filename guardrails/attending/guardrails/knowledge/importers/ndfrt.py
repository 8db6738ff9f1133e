"""VA NDF-RT drug pairs of July 2014 (US government work), as republished by dbmi-pitt/public-PDDI-analysis."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attending.guardrails.finding import Severity

_CUT: Final = 50
_SEVERITY = {"Critical": Severity.MAJOR, "Significant": Severity.MODERATE}


@dataclass(frozen=True, slots=True)
class Pair:
    """One row. `sides` holds every way to cut the text in two: names may themselves hold a slash."""

    row: int
    text: str
    sides: tuple[tuple[str, str], ...]
    severity: Severity


def read(folder: Path) -> Iterator[Pair]:
    """Rows of `folder/ndfrt_ddis.tsv` in file order; `row` counts data rows from 1.

    Raises OSError where the file is missing and KeyError for a severity this reader does not know.
    """
    with (folder / "ndfrt_ddis.tsv").open(encoding="utf-8", newline="") as stream:
        for row, record in enumerate(csv.DictReader(stream, delimiter="\t"), start=1):
            text = record["interaction"]
            parts = text.split("/")
            sides = tuple(("/".join(parts[:cut]), "/".join(parts[cut:])) for cut in range(1, len(parts)))
            yield Pair(row, text, sides, _SEVERITY[record["severity"]])


@dataclass(frozen=True, slots=True)
class Concept:
    """One ingredient-level name of the mapping to RxNorm. `nui` is NDF-RT's number; `chemical` where NDF-RT files it as
    Chemical/Ingredient."""

    rxcui: str
    nui: str
    name: str
    chemical: bool


def concepts(folder: Path) -> list[Concept]:
    """Ingredient-level rows of `folder/NDFRT_RxNorm_mapping.csv` in file order, names in lower case.

    Products, dose forms and classes are left out: their RxCUI names no ingredient. So are names of `_CUT` characters
    or more, which the source cut off, with the mark that would tell a product. Raises OSError and KeyError.
    """
    found: list[Concept] = []
    with (folder / "NDFRT_RxNorm_mapping.csv").open(encoding="utf-8", newline="") as stream:
        for record in csv.DictReader(stream, delimiter=";"):
            text = record["drugname"] or ""
            name, mark, kind = " ".join(text.split()).partition("[")
            chemical = bool(mark) and kind.startswith("Chemical/Ingredient")
            if not name.strip() or (mark and not chemical) or (not mark and len(text) >= _CUT):
                continue
            found.append(Concept(record["rxcui"], record["nui"], name.strip().lower(), chemical))
    return found

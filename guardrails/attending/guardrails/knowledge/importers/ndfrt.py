"""VA NDF-RT drug pairs of July 2014 (US government work), as republished by dbmi-pitt/public-PDDI-analysis."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from attending.guardrails.finding import Severity

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


def names(folder: Path) -> list[tuple[str, str]]:
    """(RxCUI, name) of `folder/NDFRT_RxNorm_mapping.csv`; the bracketed kind is cut off the name."""
    found: list[tuple[str, str]] = []
    with (folder / "NDFRT_RxNorm_mapping.csv").open(encoding="utf-8", newline="") as stream:
        for record in csv.DictReader(stream, delimiter=";"):
            name = (record["drugname"] or "").split("[")[0].strip().lower()
            if name:
                found.append((record["rxcui"], name))
    return found

"""A site's own copy of DDInter (its licence forbids shipping it): CSV files of graded pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attending.guardrails.finding import Severity
from attending.guardrails.knowledge.importers.site_file import SiteFileError, table

COLUMNS: Final = ("DDInterID_A", "Drug_A", "DDInterID_B", "Drug_B", "Level")
_ID: Final = re.compile(r"DDInter[0-9]{1,9}")
_LEVELS: Final[dict[str, Severity | None]] = {
    "Major": Severity.MAJOR,
    "Moderate": Severity.MODERATE,
    "Minor": Severity.MINOR,
    "Unknown": None,
}


@dataclass(frozen=True, slots=True)
class Pair:
    """`severity` is None where the source grades the pair `Unknown`."""

    file: str
    line: int
    ids: tuple[str, str]
    names: tuple[str, str]
    severity: Severity | None


def read(folder: Path) -> Iterator[Pair]:
    """Pairs of every `*.csv` in `folder`, files in order of their names, each pair once: the source repeats a pair in
    the file of each therapeutic area.

    Raises OSError, and SiteFileError for a file that is not of this form, an unknown level, or a pair that another line
    grades otherwise.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise SiteFileError(folder, 0, "no CSV file in the folder")
    seen: dict[tuple[str, str], tuple[str, str, int]] = {}
    for path in files:
        for line, row in table(path, COLUMNS):
            if row["Level"] not in _LEVELS:
                raise SiteFileError(path, line, f"unknown level; expected one of {', '.join(_LEVELS)}")
            if not all(row[column] for column in COLUMNS):
                raise SiteFileError(path, line, "a cell is empty")
            if any(_ID.fullmatch(row[column]) is None for column in ("DDInterID_A", "DDInterID_B")):
                raise SiteFileError(path, line, "an id is none of DDInter")
            first, second = row["DDInterID_A"], row["DDInterID_B"]
            key = (first, second) if first <= second else (second, first)
            if key in seen:
                level, file, other = seen[key]
                if level != row["Level"]:
                    raise SiteFileError(path, line, f"graded otherwise than in `{file}` line {other}")
                continue
            seen[key] = (row["Level"], path.name, line)
            yield Pair(
                path.name, line, (first, second), (row["Drug_A"], row["Drug_B"]), _LEVELS[row["Level"]]
            )

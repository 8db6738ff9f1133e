"""What a build could not place, so that nothing of a source is dropped without a word."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields


@dataclass(frozen=True, slots=True, order=True)
class NotPlaced:
    """One row or name of a source. `where` is the row, line or code; `why` says what to do about it, if anything."""

    source: str
    where: str
    name: str
    why: str


def report(rows: Iterable[NotPlaced]) -> str:
    """CSV with a heading, sorted. A cell that a spreadsheet would take for a formula is led by an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([one.name for one in fields(NotPlaced)])
    for row in sorted(set(rows)):
        writer.writerow(["'" + cell if cell[:1] in tuple("=+-@") else cell for cell in astuple(row)])
    return out.getvalue()

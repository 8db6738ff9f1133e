"""A register and its two forms: CSV for people, JSON lines for programs, the same rows in the same order."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from attending.ledger.canonical import encode
from attending.ledger.entry import Entry
from attending.ledger.verify.register import inert
from attending.ledger.verify.registers.asked import Asked

FORMAT: Final = "attending-register/1"
Row = tuple[str | int | None, ...]
"""A cell for each column; the first says of which list the row is."""


@dataclass(frozen=True, slots=True)
class Register:
    """`rows` reads entries once, in log order, and raises nothing, whatever their bodies hold. What it keeps grows with
    what it lists and not with what it reads.
    """

    name: str
    columns: tuple[str, ...]
    rows: Callable[[Iterable[Entry], Asked], Iterator[Row]]

    def head(self, asked: Asked) -> bytes:
        """The first line of the JSON lines: which register, its columns, and what was asked."""
        said = {"asked": asked.to_json(), "columns": list(self.columns), "format": FORMAT, "name": self.name}
        return encode(said) + b"\n"


def as_json(row: Row) -> bytes:
    """A row as a line of canonical JSON."""
    return encode(list(row)) + b"\n"


def as_csv(row: Row) -> bytes:
    """A row of CSV (RFC 4180, UTF-8); nothing for null, and no cell that a spreadsheet would take for a formula."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(["" if one is None else inert(str(one)) for one in row])
    return out.getvalue().encode()

"""Counters for statistics over entries that anybody may have written: bounded labels, bounded sums, exact percentiles.

A label is whatever a body says, so that a hostile one must cost neither memory nor a line of a page.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attending.ledger.entry import parse_time

MOST_LABELS: Final = 500
"""Different labels of one table; what comes after them is counted as OTHER."""
MOST_CHARACTERS: Final = 72
OTHER: Final = "(other)"
NOT_STATED: Final = "(not stated)"
MOST: Final = 2**53 - 1
"""Largest integer of the canonical form; a sum stops there."""
PERCENTILES: Final = (50, 90, 99)
_KEPT: Final = MOST_CHARACTERS - 17


def label(value: object) -> str:
    """`value` as the key of a table: printable ASCII of at most MOST_CHARACTERS; of a longer text the beginning and
    16 hex digits of its SHA-256, so that two of them stay two. NOT_STATED for what is no text.
    """
    if type(value) is not str or not value:
        return NOT_STATED
    if value.isascii() and value.isprintable() and len(value) <= MOST_CHARACTERS:
        return value
    plain = value.encode("ascii", "backslashreplace").decode()
    plain = "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in plain)
    if len(plain) <= MOST_CHARACTERS:
        return plain
    return f"{plain[:_KEPT]}~{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def number(value: object) -> int:
    """A count that a body states, 0 for anything that is none."""
    return value if type(value) is int and 0 <= value <= MOST else 0


class Table:
    """Label to count."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, value: object, count: int = 1) -> None:
        """Counts `count` of what a body says."""
        name = label(value)
        if name not in self._counts and len(self._counts) >= MOST_LABELS:
            name = OTHER
        self._counts[name] = min(self._counts.get(name, 0) + count, MOST)

    def add_all(self, value: object) -> None:
        """Counts what an object of name to count says."""
        if isinstance(value, Mapping):
            for name, count in value.items():
                if number(count):
                    self.add(name, number(count))

    def __getitem__(self, name: str) -> int:
        return self._counts.get(name, 0)

    @property
    def total(self) -> int:
        return min(sum(self._counts.values()), MOST)

    def result(self) -> dict[str, int]:
        """Sorted by label."""
        return dict(sorted(self._counts.items()))


class Grid:
    """Label to column to count; every row has every column."""

    __slots__ = ("_columns", "_rows")

    def __init__(self, columns: Iterable[str]) -> None:
        self._columns = tuple(columns)
        self._rows: dict[str, dict[str, int]] = {}

    def add(self, value: object, column: str, count: int = 1) -> None:
        """Counts into a column, which is one of those given."""
        name = label(value)
        if name not in self._rows and len(self._rows) >= MOST_LABELS:
            name = OTHER
        row = self._rows.get(name)
        if row is None:
            row = self._rows[name] = dict.fromkeys(self._columns, 0)
        row[column] = min(row[column] + count, MOST)

    def result(self) -> dict[str, dict[str, int]]:
        """Sorted by label."""
        return {name: dict(row) for name, row in sorted(self._rows.items())}


class Times:
    """Durations in whole microseconds; 8 bytes each, so that percentiles are exact."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values = array("q")

    def between(self, begin: str, end: str) -> None:
        """Takes the time between two times of entries; an entry never stands before an earlier one."""
        passed = parse_time(end) - parse_time(begin)
        self._values.append(max(0, (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds))

    def result(self) -> dict[str, int | None]:
        """{count, least, p50, p90, p99, most} by nearest rank (the smallest value that at least p % do not exceed);
        None without any.
        """
        values = sorted(self._values)
        count = len(values)
        made: dict[str, int | None] = {"count": count, "least": values[0] if values else None}
        for percent in PERCENTILES:
            made[f"p{percent}"] = values[(percent * count + 99) // 100 - 1] if values else None
        return {**made, "most": values[-1] if values else None}


def inner(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside a body, empty for anything else."""
    value = body.get(name)
    return value if isinstance(value, Mapping) else {}

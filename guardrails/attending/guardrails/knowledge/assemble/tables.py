"""Tab-separated tables: the form in which packs and authored tables are stored; a person can review a diff."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


class TableError(ValueError):
    """A table that is not what it should be; the message names the file and line, never a value from outside it."""


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a table with its first line as column names.

    Raises OSError where the file is missing and TableError where a line has another number of cells.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines:
        raise TableError(f"`{path.name}` is empty")
    names = lines[0].split("\t")
    rows: list[dict[str, str]] = []
    for number, line in enumerate(lines[1:], start=2):
        cells = line.split("\t")
        if len(cells) != len(names):
            raise TableError(f"`{path.name}` line {number}: expected {len(names)} cells, got {len(cells)}")
        rows.append(dict(zip(names, cells, strict=True)))
    return rows


def columns(path: Path) -> tuple[str, ...]:
    """The column names of a table, also of one without rows. Raises OSError."""
    with path.open(encoding="utf-8") as stream:
        return tuple(stream.readline().rstrip("\n").split("\t"))


def text(names: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """The table as text: cells in column order, one row a line, `\\n` ends, no trailing space.

    Raises TableError where a cell holds a tab or a line end.
    """
    lines = ["\t".join(names)]
    for row in rows:
        cells = [row[name] for name in names]
        if any("\t" in cell or "\n" in cell or "\r" in cell for cell in cells):
            raise TableError("a cell holds a tab or a line end")
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def split(cell: str) -> tuple[str, ...]:
    """The parts of a cell that lists several things with `|`; empty for an empty cell."""
    return tuple(part for part in cell.split("|") if part)

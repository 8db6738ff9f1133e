"""The blocks that a report is made of: plain values for the template, and no layout."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import segno
from attending.server.reports.printed import clipped, plain

Block = Mapping[str, Any]
_WIDE = frozenset("WMmw@%&ŒÆœæ—…™‰ЖШЩЮФжшщюф")


@dataclass(frozen=True, slots=True)
class Column:
    """`width` in mm, 0 for what is left; `characters` is how many of them a line of the column holds."""

    title: str
    width: int
    characters: int = 200
    mono: bool = False
    right: bool = False


ENTRY: Final = Column("Entry", 14, 8, right=True)
"""The index of an entry, with which most tables begin."""


def heading(text: str, level: int = 1) -> Block:
    return {"kind": "heading", "text": plain(text), "level": level}


def text(*sentences: str, size: float = 10) -> Block:
    return {"kind": "text", "text": folded(" ".join(sentences), 88), "size": size}


def points(items: Iterable[str]) -> Block:
    return {"kind": "points", "items": [folded(item, 95) for item in items]}


def pairs(
    rows: Iterable[tuple[str, object]],
    *,
    mono: frozenset[str] = frozenset(),
    left: int = 42,
    characters: int = 78,
) -> Block:
    """What it is, and what it says; the names in `mono` have values to compare letter by letter, of which a line holds
    `characters`.
    """
    return {
        "kind": "pairs",
        "heads": ["What", "As recorded"],
        "left": left,
        "rows": [
            [
                name,
                folded(str(value), characters if name in mono else characters - 4, mono=name in mono),
                "mono" if name in mono else "",
            ]
            for name, value in rows
        ],
    }


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[object]], size: float = 8.5, *, lines: int = 3
) -> Block:
    """Rows of cells; a cell longer than so many of its column's lines is clipped."""
    return {
        "kind": "table",
        "size": size,
        "columns": [
            {"title": one.title, "width": one.width, "face": "mono" if one.mono else "", "right": one.right}
            for one in columns
        ],
        "rows": [
            [
                folded(clipped(str(cell), lines * column.characters), column.characters, mono=column.mono)
                for cell, column in zip(row, columns, strict=True)
            ]
            for row in rows
        ],
    }


def bars(name: str, value: str, rows: Iterable[tuple[str, int]]) -> Block:
    """A bar chart with its data table."""
    return {
        "kind": "bars",
        "heads": [name, value],
        "rows": [[folded(plain(label), 32), count] for label, count in rows],
    }


def code(lines: Iterable[str]) -> Block:
    """Lines to type, folded at 118 characters."""
    return {"kind": "code", "lines": [part for line in lines for part in _cut(plain(line), 118)]}


def folded(text: str, width: int, *, mono: bool = False) -> str:
    """`plain`, with every unbroken run cut to what `width` ordinary characters take: nothing runs out of its cell."""
    return " ".join("\n".join(_runs(word, width, mono)) for word in plain(text).split(" "))


def _runs(word: str, width: int, mono: bool) -> list[str]:
    runs, room = [""], float(width)
    for character in word:
        takes = 1.0 if mono else _takes(character)
        if takes > room and runs[-1]:
            runs.append("")
            room = float(width)
        runs[-1] += character
        room -= takes
    return runs


def _takes(character: str) -> float:
    """How much of a line a character of the text face takes, in ordinary ones of half the size of the type."""
    if character in _WIDE:
        return 2.1
    if character.isdigit() or character in "-.:,;/()'~ ":
        return 0.95
    return 1.5 if character.isupper() or character > "\u017f" else 1.05


def qr_code(content: str) -> str:
    """A QR code as SVG."""
    out = io.BytesIO()
    segno.make(content, error="m", micro=False).save(out, kind="svg", xmldecl=False, border=1)
    return out.getvalue().decode()


def _cut(text: str, width: int) -> list[str]:
    return [text[start : start + width] for start in range(0, len(text), width)] or [""]

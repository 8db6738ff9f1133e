"""Lines of a table cut into cells, and the writer of the lines that a table is read as, with offsets kept."""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.clinical.normalise import Normalised

Cell = tuple[int, int]
"""Where a cell begins and ends in the normalised text, blanks left out."""

RULE: Final = re.compile(r"[-: =+|]*")
"""A line that only draws."""
_GROUPED = re.compile(r"\d,\d{3}(?!\d)")


class Out:
    """The text that is written, every character with the span it stands for."""

    def __init__(self, norm: Normalised) -> None:
        self.norm = norm
        self.parts: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []

    def copy(self, start: int, end: int) -> None:
        self.parts.append(self.norm.text[start:end])
        self.starts.extend(self.norm.starts[start:end])
        self.ends.extend(self.norm.ends[start:end])

    def put(self, words: str, at: int) -> None:
        """Words that are not in the text, standing for its character `at`."""
        self.parts.append(words)
        self.starts.extend([self.norm.starts[at]] * len(words))
        self.ends.extend([self.norm.ends[at]] * len(words))

    def done(self) -> Normalised:
        return Normalised(self.norm.original, "".join(self.parts), self.starts, self.ends)


def cells_of(norm: Normalised, start: int, end: int) -> tuple[str, list[Cell]]:
    """How the cells of a line are set apart, and where they are."""
    text = norm.text
    line = text[start:end]
    if "|" in line:
        first = text.index("|", start, end) + 1 if line.lstrip(" ").startswith("|") else start
        last = start + len(line.rstrip(" "))
        if last - 1 > first and text[last - 1] == "|":
            last -= 1
        cuts = [k for k in range(first, last) if text[k] == "|"]
        return "|", _between(text, first, last, cuts, 1)
    cuts = [
        k
        for k in range(start, end - 1)
        if text[k] == " "
        and (norm.starts[k + 1] - norm.starts[k] > 1 or norm.original[norm.starts[k]] == "\t")
    ]
    if cuts:
        return " ", _between(text, start, end, cuts, 1)
    if line.count(",") >= 2 and len(line) < 200:
        cuts = [k for k in range(start + 1, end) if text[k] == "," and not _GROUPED.match(text, k - 1)]
        return ",", _between(text, start, end, cuts, 1)
    return "", [(start, end)] if line.strip() else []


def _between(text: str, start: int, end: int, cuts: list[int], width: int) -> list[Cell]:
    found: list[Cell] = []
    for cut in [*cuts, end]:
        a, b = start, cut
        while a < b and text[a] == " ":
            a += 1
        while b > a and text[b - 1] == " ":
            b -= 1
        found.append((a, b))
        start = cut + width
    return found


def line_end(text: str, position: int) -> int:
    """Where the line that holds `position` ends."""
    end = text.find("\n", position)
    return len(text) if end < 0 else end

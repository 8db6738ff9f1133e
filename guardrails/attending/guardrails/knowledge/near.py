"""Names close to a misspelt one: candidates for a person, never a silent mapping."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

_MAX_DISTANCE: Final = 2
_SHORT: Final = 6
"""Names of at most this many letters are near at one edit only: two edits turn most short words into a drug."""


class Near:
    """Single-word names of four letters or more, by the pieces that an edited name still shares with them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_piece: defaultdict[str, list[str]] = defaultdict(list)
        for name in names:
            if " " not in name and len(name) >= 4:
                for piece in _pieces(name):
                    self._by_piece[piece].append(name)

    def of(self, text: str, limit: int) -> tuple[str, ...]:
        """At most `limit` names within two edits (one for short names), nearest first, then alphabetical."""
        word = text.lower().strip()
        if len(word) < 4 or limit <= 0:
            return ()
        allowed = 1 if len(word) <= _SHORT else _MAX_DISTANCE
        candidates = {name for piece in _pieces(word) for name in self._by_piece.get(piece, ())}
        scored = [
            (distance(word, name, allowed), name)
            for name in candidates
            if abs(len(name) - len(word)) <= allowed
        ]
        return tuple(name for edits, name in sorted(scored) if edits <= allowed)[:limit]


def distance(a: str, b: str, most: int) -> int:
    """Edits (insert, delete, replace, swap of neighbours) from `a` to `b`; `most` + 1 where it is more than `most`."""
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        new = [i]
        for j, y in enumerate(b, start=1):
            cost = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            new.append(cost)
        if min(new) > most:
            return most + 1
        before, row = row, new
    return row[-1]


def _pieces(name: str) -> set[str]:
    """Start, end and inner trigrams: two edits leave at least one of a longer name whole."""
    inner = {name[i : i + 3] for i in range(len(name) - 2)}
    return {"^" + name[:2], name[-2:] + "$", *inner}

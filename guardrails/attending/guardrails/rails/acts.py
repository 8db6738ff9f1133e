"""Acts of speech that steer a model, told by what they do and not by how they are put.

An act has an *anchor* that hardly any clinical text holds (a reader that is a program, the text that "you" will write,
a caution that is "yours", what was said before the user spoke) and is complete where its sentence also holds all of
its other parts (a duty, a claim of authority, a word of leaving out). `unless` names what makes the same sentence a
clinic's. The acts are in `document_acts`, `authority_acts`, `part_acts`, `reveal_acts`,
`review_acts`, `foreign_acts`, and those of a person in distress in `distress`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from attending.guardrails.rails.signs import Place
from attending.guardrails.sieve import Sieved, possible

_MAX_READ: Final = 2_000
"""Anchors whose sentence is read; a text with more is none of a clinic's, and each counts."""
_REACH: Final = 240
_ENDS: Final = re.compile(r"[.!?][\"')\]]{0,3}(?= )|[\u3002\u0964\u061f]")


@dataclass(frozen=True, slots=True)
class Act:
    """`anchor` counts where every pattern of `near` is in the same sentence, and `unless` is not. With `wide` the
    rest of an act may also stand in the sentence before or after."""

    family: str
    places: frozenset[Place]
    anchor: Sieved
    near: tuple[re.Pattern[str], ...] = ()
    unless: re.Pattern[str] | None = None
    wide: bool = False
    ascii_only: bool = True
    """Whether a text of ASCII letters alone can hold the anchor."""


def found_acts(acts: Iterable[Act], text: str, place: Place) -> Iterator[tuple[str, int, int]]:
    """Family and span of each anchor whose act is complete in `text`, folded with line ends as spaces."""
    ascii_only = text.isascii()
    bits = possible(text)
    for act in acts:
        if not act.anchor.bit & bits or place not in act.places or (ascii_only and not act.ascii_only):
            continue
        for read, match in enumerate(act.anchor.finditer(text)):
            start, end = match.span()
            if read >= _MAX_READ or _complete(act, text, start, end):
                yield act.family, start, end


def _complete(act: Act, text: str, start: int, end: int) -> bool:
    if not act.near and act.unless is None:
        return True
    left, right = _sentence(text, start, end)
    if act.wide:
        left = _sentence(text, left - 2, left - 2)[0] if left > 2 else left
        right = _sentence(text, right + 1, right + 1)[1] if right < len(text) else right
    if act.unless is not None and act.unless.search(text, left, right) is not None:
        return False
    return all(near.search(text, left, right) is not None for near in act.near)


def _sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """Unlike that of `care` it does not end inside an address, and reaches further."""
    left = max(0, start - _REACH)
    for stop in _ENDS.finditer(text, left, start):
        left = stop.end()
    stop_at = _ENDS.search(text, end, min(len(text), end + _REACH))
    return left, min(len(text), end + _REACH) if stop_at is None else stop_at.start()

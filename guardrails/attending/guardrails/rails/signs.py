"""Signs of injection: a pattern, its family, and where in a call it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from attending.guardrails.sieve import Sieved

Place = Literal["prompt", "document", "output"]

ALL: Final = frozenset[Place]({"prompt", "document", "output"})
GIVEN: Final = frozenset[Place]({"prompt", "document"})
PROMPT: Final = frozenset[Place]({"prompt"})
DOCUMENT: Final = frozenset[Place]({"document"})
OUTPUT: Final = frozenset[Place]({"output"})


@dataclass(frozen=True, slots=True)
class Sign:
    """One pattern: the family it is of, where it counts, and whether words of care near it excuse it."""

    family: str
    pattern: Sieved
    places: frozenset[Place] = ALL
    weak: bool = False
    needs: tuple[str, ...] = ()
    """One of these is in every text that the pattern matches: for patterns of marks, which no sieve knows."""


def sign(family: str, pattern: str, places: frozenset[Place] = ALL, *, weak: bool = False) -> Sign:
    """A sign by words, over the folded text with line ends as spaces."""
    return Sign(family, Sieved(pattern), places, weak)


_SEP: Final = r"[\s,:'\"()\[\]*_>-]{1,4}"
WORD: Final = r"[^\s.!?;]{1,20}"
"""A pattern for one word inside a sentence."""


def gap(words: int) -> str:
    """Up to `words` words of the same sentence."""
    return rf"(?:{_SEP}{WORD}){{0,{words}}}?{_SEP}"

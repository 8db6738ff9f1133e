"""What a text tells of a patient, as concepts: words and phrases of a lexicon, each with where it stands.

A concept is found by its words alone, in any order and at any distance from others; a sign of an emergency is then a
conjunction of concepts (signs.py). So a new way to word a symptom is a word in lexicon.tsv and no pattern.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from attending.guardrails.clinical.statement import Span

_TOKEN: Final = re.compile(r"[a-z0-9]+(?:'[a-z]+)?|[.;:!?\n,|/()\u2022]|-(?:(?<![a-z]-)|(?![a-z]))")
_NUMBERS: Final = (
    "one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty ninety "
    "a an couple several few half"
)
_NUMBER_WORDS: Final = frozenset(_NUMBERS.split())
_GAP: Final = 3
"""Words that `..` in a phrase may stand for."""
_REMEMBERED: Final = 20_000
"""Words whose entries are kept; a text of other words costs more, and no more memory."""
_STEM: Final = 3
"""Letters of the shortest stem."""


@dataclass(frozen=True, slots=True)
class Told:
    """One concept in a text. `token` is its place among the tokens, `last` that of its last word."""

    concept: str
    token: int
    last: int
    span: Span


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words and marks of a text in lower case, with the place of each, and where an empty line parts them."""

    words: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    gaps: tuple[int, ...]

    def part(self, token: int) -> int:
        """Number of the paragraph in which a token stands."""
        return bisect_right(self.gaps, token)

    def at(self, place: int) -> int:
        """The token that stands at, or last before, a place of the text."""
        return max(0, bisect_right(self.starts, place) - 1)


def tokens_of(text: str) -> Tokens:
    """Linear in the text."""
    lower = text.lower()
    if len(lower) != len(text):  # a letter that grows in lower case would shift every place after it
        lower = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
    found = list(_TOKEN.finditer(lower.replace("\u2019", "'")))
    words = tuple(match.group() for match in found)
    return Tokens(
        words,
        tuple(match.start() for match in found),
        tuple(match.end() for match in found),
        tuple(i for i in range(1, len(words)) if words[i] == "\n" == words[i - 1]) if "\n" in words else (),
    )


Entry = tuple[tuple[str, ...], str]
"""The words that follow the first of a phrase, and the concept."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """The phrases that a word begins: those told apart by their next word, and the others."""

    any_next: list[Entry]
    by_next: dict[str, list[Entry]]


_NOTHING: Final = _Begun([], {})
"""What most words begin."""


class Lexicon:
    """Phrases by their first word. Words met before are remembered, up to a bound."""

    def __init__(self, rows: Iterator[tuple[str, str]]) -> None:
        concepts: set[str] = set()
        self._exact: dict[str, list[Entry]] = {}
        self._stems: dict[str, list[Entry]] = {}
        self._known: dict[str, _Begun] = {}
        for concept, phrase in rows:
            first, *rest = phrase.split()
            concepts.add(concept)
            if first.endswith("*"):
                self._stems.setdefault(first[:-1], []).append((tuple(rest), concept))
            else:
                self._exact.setdefault(first, []).append((tuple(rest), concept))
        self.concepts: Final = frozenset(concepts)
        lengths = {len(stem) for stem in self._stems}
        self._lengths = tuple(sorted(lengths))

    def tell(self, tokens: Tokens) -> list[Told]:
        """Every concept of the text, those denied among them."""
        found: list[Told] = []
        words = tokens.words
        learnt = self._known.get
        for i, word in enumerate(words):
            known = learnt(word) or self._learn(word)
            if known is _NOTHING:
                continue
            following = words[i + 1] if i + 1 < len(words) else ""
            for rest, concept in (*known.any_next, *known.by_next.get(following, ())):
                last = _follow(words, i + 1, rest) if rest else i
                if last is not None:
                    found.append(Told(concept, i, last, Span(tokens.starts[i], tokens.ends[last])))
        return found

    def _learn(self, word: str) -> _Begun:
        begun = _Begun([], {})
        for rest, concept in self._look_up(word):
            if rest and rest[0] not in ("..", "#") and not rest[0].endswith("*"):
                begun.by_next.setdefault(rest[0], []).append((rest, concept))
            else:
                begun.any_next.append((rest, concept))
        if not begun.any_next and not begun.by_next:
            begun = _NOTHING
        if len(self._known) < _REMEMBERED:
            self._known[word] = begun
        return begun

    def _look_up(self, word: str) -> Iterator[Entry]:
        yield from self._exact.get(word, ())
        for length in self._lengths:
            if length > len(word):
                break
            yield from self._stems.get(word[:length], ())
        if _is_number(word):
            yield from self._exact.get("#", ())


def _follow(words: tuple[str, ...], at: int, rest: tuple[str, ...]) -> int | None:
    """The place of the last word where the words of a phrase follow from `at` on."""
    place = at
    gap = 0
    for pattern in rest:
        if pattern == "..":
            gap = _GAP
            continue
        for skip in range(gap + 1):
            if place + skip < len(words) and _matches(words[place + skip], pattern):
                place += skip + 1
                break
            if place + skip < len(words) and words[place + skip] in ".;!?\n":
                return None
        else:
            return None
        gap = 0
    return place - 1


def _matches(word: str, pattern: str) -> bool:
    if pattern == "#":
        return _is_number(word)
    return word.startswith(pattern[:-1]) if pattern.endswith("*") else word == pattern


def _is_number(word: str) -> bool:
    return word[0].isdigit() or word in _NUMBER_WORDS


@cache
def lexicon(name: str) -> Lexicon:
    """A lexicon of this folder: lines of a concept and its phrases. ValueError for a row that is malformed."""
    return Lexicon(rows(name))


def rows(name: str) -> Iterator[tuple[str, str]]:
    """(concept, phrase) of each phrase of a lexicon. ValueError for a row that is malformed."""
    for line in (files(__package__) / name).read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        concept, phrases = line.split("\t")
        for phrase in phrases.split("|"):
            words = phrase.split()
            if not words or words[0] == ".." or any(len(w) <= _STEM and w.endswith("*") for w in words):
                raise ValueError(f"{name}: {concept}: no phrase: {phrase!r}")
            yield concept, phrase

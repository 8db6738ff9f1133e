"""Patterns that are tried only where a text holds the letters without which they cannot match.

Most patterns of the checks look for something that a text does not say, and a pattern that begins with an
alternation is tried at every letter. A `Sieved` pattern knows from its own parse tree a set of literals, one of
which is in whatever it matches, and often a set with one of which every match begins. All literals of all sieved
patterns are looked for in one pass over a text; a pattern none of whose literals is there is not run, and one with
known beginnings is tried at those places only. What is found is what `re` finds: literals are only drawn from what
a match consumes, and where nothing can be derived the pattern is run as it is.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind
from attending.guardrails.derived import DERIVED
from attending.guardrails.literals import LONGEST, folded

_PATTERNS: Final[list[Sieved]] = []
_LOCK: Final = threading.Lock()
_SENTENCE: Final = 1_000
"""Characters up to which a text counts as a sentence."""
_SHORT: Final = 200
"""Characters below which a text is looked over more cheaply than it is compared with others."""
_BEHIND: Final = " " * LONGEST
_SENTENCES_KEPT: Final = 96
_TEXTS_KEPT: Final = 12
"""Readers go over the sentences of one text one after the other; what a text holds is kept until the last has read."""
_FOLDED_KEPT: Final = 8
"""Long texts that differ in case, marks or the space behind them only are looked over once."""


class Sieved:
    """A pattern with the part of `re.Pattern`'s interface that texts are searched with.

    Positions and matches are those of `compiled`. Made where a module is imported, never while texts are judged.
    `windowed` patterns may be given an `endpos`, at which a word ends to them whatever the text goes on with.
    Most patterns of a process meet no text that they may match in, so one is compiled when it is first run.
    """

    __slots__ = ("bit", "compiled", "flags", "fullmatch", "match", "pattern", "place", "required", "windowed")
    compiled: re.Pattern[str]
    match: Callable[..., re.Match[str] | None]
    fullmatch: Callable[..., re.Match[str] | None]

    def __init__(self, pattern: str, flags: int = 0, *, windowed: bool = False) -> None:
        self.pattern: Final = pattern
        self.flags: Final = flags
        self.windowed: Final = windowed
        self.required: Final = DERIVED.required(pattern, flags, windowed=windowed)
        with _LOCK:
            self.place: Final = len(_PATTERNS)
            self.bit: Final = 1 << self.place
            _PATTERNS.append(self)

    def __getattr__(self, name: str) -> Any:
        # Asked for a slot that is empty until the pattern is compiled; two threads at once compile the same.
        if name not in ("compiled", "match", "fullmatch"):
            raise AttributeError(name)
        self.compiled = compiled = re.compile(self.pattern, self.flags)
        self.match, self.fullmatch = compiled.match, compiled.fullmatch
        return getattr(self, name)

    def __repr__(self) -> str:
        return f"Sieved({self.pattern!r})"

    def search(self, text: str, pos: int = 0, endpos: int | None = None) -> re.Match[str] | None:
        held = _held(text)
        if endpos is not None and not self.windowed:
            raise ValueError("only a windowed pattern takes an endpos")
        if not self.bit & held.possible:
            return None
        if not self.required.starts:
            return self.compiled.search(text, pos, len(text) if endpos is None else endpos)
        return next(self._from(text, held.places(self.place), pos, endpos), None)

    def finditer(self, text: str, pos: int = 0, endpos: int | None = None) -> Iterator[re.Match[str]]:
        held = _held(text)
        if endpos is not None and not self.windowed:
            raise ValueError("only a windowed pattern takes an endpos")
        if not self.bit & held.possible:
            return iter(())
        if not self.required.starts:
            return self.compiled.finditer(text, pos, len(text) if endpos is None else endpos)
        return self._from(text, held.places(self.place), pos, endpos)

    def _from(self, text: str, places: list[int], pos: int, endpos: int | None) -> Iterator[re.Match[str]]:
        end = len(text) if endpos is None else endpos
        match = self.match
        for place in places[bisect_left(places, pos) :] if pos else places:
            if place >= end:
                return
            if place >= pos and (found := match(text, place, end)) is not None:
                yield found
                pos = found.end()


def every() -> list[Sieved]:
    """All patterns made so far."""
    return list(_PATTERNS)


def possible(text: str) -> int:
    """The bits of all patterns that may match in `text`: who goes through many of them asks once, and passes over those
    whose `bit` is not there."""
    return _held(text).possible


class Group:
    """Patterns of one reader, asked about together: where none of them may match the reader has nothing to do."""

    __slots__ = ("_bits",)

    def __init__(self, *patterns: Sieved) -> None:
        self._bits = 0
        for pattern in patterns:
            self._bits |= pattern.bit

    @classmethod
    def of(cls, module: Mapping[str, object]) -> Group:
        """All sieved patterns among the names of a module: a reader that searches with these only can be skipped."""
        return cls(*(value for value in module.values() if isinstance(value, Sieved)))

    def __or__(self, other: Group) -> Group:
        both = Group()
        both._bits = self._bits | other._bits
        return both

    def may_match(self, text: str) -> bool:
        """False where none of the patterns matches in `text` or in any part of it that ends where words end."""
        return self._bits & _held(text).possible != 0


class _Held:
    """What one text holds: the patterns that may match in it, as bits, and where each literal stands."""

    __slots__ = ("_begin", "_hits", "_places", "_starts", "possible")

    def __init__(self, possible: int, hits: list[tuple[int, int, int]], starts: list[dict[int, int]]) -> None:
        self.possible: Final = possible
        self._hits = hits
        self._begin: dict[int, list[int]] | None = None
        self._starts: Final = starts
        self._places: Final[dict[int, list[int]]] = {}

    def places(self, pattern: int) -> list[int]:
        """Where a match of the pattern may begin, in order."""
        found = self._places.get(pattern)
        if found is None:
            starts, begin = self._starts[pattern], self._begun()
            at = {at + starts[literal] for literal in starts.keys() & begin.keys() for at in begin[literal]}
            found = self._places[pattern] = sorted(at)
        return found

    def _begun(self) -> dict[int, list[int]]:
        """Each literal with where it stands; many texts are never asked for it."""
        # Read first: whoever finds them gone already also finds what was made of them.
        hits = self._hits
        begin = self._begin
        if begin is None:
            begin = {}
            for literal, start, _ in hits:
                if literal in begin:
                    begin[literal].append(start)
                else:
                    begin[literal] = [start]
            self._begin = begin
            self._hits = []
        return begin


class _Index:
    """The automaton over the literals of every pattern made so far."""

    def __init__(self, patterns: list[Sieved]) -> None:
        number: dict[str, int] = {}
        asks: list[int] = []

        def numbered(literal: str) -> int:
            if literal not in number:
                number[literal] = len(number)
                asks.append(0)
            return number[literal]

        self.size: Final = len(patterns)
        self._always: Final = sum(p.bit for p in patterns if not p.required.any_of)
        # A text has one space put before it when it is searched.
        self.starts: Final = [
            {numbered(literal): shift - 1 for literal, shift in p.required.starts} for p in patterns
        ]
        for pattern in patterns:
            for literal in pattern.required.any_of:
                asks[numbered(literal)] |= pattern.bit
        self._asks: Final = asks
        self._automaton: Final = AhoCorasick(
            list(number),
            matchkind=MatchKind.Standard,
            store_patterns=False,
            implementation=Implementation.ContiguousNFA,
        )
        self._sentence: Final = lru_cache(maxsize=_SENTENCES_KEPT)(self._hold)
        self._text: Final = lru_cache(maxsize=_TEXTS_KEPT)(self._hold)
        self._folded: Final = lru_cache(maxsize=_FOLDED_KEPT)(self._look_over)

    def held(self, text: str) -> _Held:
        return self._sentence(text) if len(text) <= _SENTENCE else self._text(text)

    def _hold(self, text: str) -> _Held:
        plain = folded(text)
        if len(text) < _SHORT:
            return self._look_over(f" {plain} ")
        # As many spaces behind it as a literal has letters hold whatever the space that stood there held. Where that
        # is more than the text holds, its patterns are run in vain.
        return self._folded(f" {plain.rstrip()}{_BEHIND}")

    def _look_over(self, plain: str) -> _Held:
        hits = self._automaton.find_matches_as_indexes(plain, overlapping=True)
        asks, possible = self._asks, self._always
        for literal in {hit[0] for hit in hits}:
            possible |= asks[literal]
        return _Held(possible, hits, self.starts)


_INDEX: list[_Index] = []


def _index() -> _Index:
    """Built when the first text comes, and again where a module with patterns is imported after that."""
    if _INDEX and _INDEX[-1].size == len(_PATTERNS):
        return _INDEX[-1]
    with _LOCK:
        _INDEX[:] = [_Index(list(_PATTERNS))]
        return _INDEX[-1]


_LAST: Final[list[tuple[str, int, _Held]]] = [("", -1, _Held(0, [], []))]


def _held(text: str) -> _Held:
    """What a text holds; many patterns are asked about one text after the other, which is not looked up again."""
    last, made, found = _LAST[0]
    if last is text and made == len(_PATTERNS):
        return found
    found = _index().held(text)
    _LAST[0] = (text, len(_PATTERNS), found)
    return found

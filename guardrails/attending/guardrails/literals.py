"""The letters without which a regular expression cannot match, read from its parse tree.

The idea is that of prefilters in RE2: what every match must hold is a cheap question to ask first. Literals are in a
folded alphabet (`FOLD`): lower case ASCII letters, ASCII digits, other word characters as they are, and one space
for every character that is no word character. A text is folded the same way, letter for letter, and has a space put
before and after it; so "\\bIV\\b" becomes " iv ".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

_MOST: Final = 64
"""Strings that one place of a pattern may stand for before it counts as open."""
LONGEST: Final = 12
"""Letters kept of a literal: the rest would tell little more."""
_RAREST: Final = 0.09
"""Above this a set of literals is in most texts, and not worth asking for (a pair of two-letter words is at 0.01)."""
_BORDER: Final = "\0"
"""Stands in a string for the border of a word, where nothing is consumed."""
_DIGITS: Final = frozenset("0123456789")


class _Fold(dict[int, str]):
    def __missing__(self, code: int) -> str:
        char = chr(code)
        # The four characters that `re.IGNORECASE` takes for an ASCII letter.
        plain = {"\u0130": "i", "\u0131": "i", "\u017f": "s", "\u212a": "k"}.get(char)
        if plain is None:
            if char.isdecimal():
                plain = str(unicodedata.decimal(char))
            elif char.isalnum() or char == "_":
                plain = char.lower()
            else:
                plain = " "
        self[code] = plain
        return plain


FOLD: Final[dict[int, str]] = _Fold()
"""For `str.translate`: one folded character for every character."""
_FOLD_ASCII: Final = bytes(ord(FOLD[code]) if code < 128 else 0 for code in range(256))
_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]")


def folded(text: str) -> str:
    """The text in the folded alphabet, character for character."""
    if text.isascii():  # nearly every text: a table of bytes is some twenty times as fast
        return text.encode().translate(_FOLD_ASCII).decode()
    # of the others most have a few curly quotes and dashes, which fold to ASCII too
    plain = bytearray(text.encode("ascii", "replace").translate(_FOLD_ASCII))
    for match in _BEYOND_ASCII.finditer(text):
        letter = FOLD[ord(match.group())]
        if not letter.isascii():
            return text.translate(FOLD)
        plain[match.start()] = ord(letter)
    return plain.decode()


@dataclass(frozen=True, slots=True)
class Required:
    """`any_of`: one of these is in every text that the pattern matches; empty where nothing useful is known.
    `starts`: every match begins with one of these, at the given distance from it (1 where the literal has the space
    before the match); empty where that is not known."""

    any_of: frozenset[str] = frozenset()
    starts: tuple[tuple[str, int], ...] = ()


def required(pattern: str, flags: int = 0, *, windowed: bool = False) -> Required:
    """What a match of the pattern needs. Pure; raises `re.error` for a pattern that does not compile.

    `windowed` where only a part of a text may be searched, whose end counts as the end of a word.
    """
    tree = parser.parse(pattern, flags)
    if tree.state.flags & re.ASCII or "(?a" in pattern:
        return Required()  # its words are not those of the folded text
    reading = _Reading()
    reading.walk(list(tree))
    reading.close()
    all_sets, first = reading.sets, reading.first or frozenset()
    if windowed:
        all_sets = [frozenset(map(_open_ended, strings)) for strings in all_sets]
        first = frozenset(map(_open_ended, first))
    sets = [folded for strings in all_sets if (folded := _folded(strings)) is not None]
    best = min(sets, key=_share, default=frozenset())
    starts = _starts(first)
    return Required(best if best and _share(best) <= _RAREST else frozenset(), starts)


@dataclass
class _Reading:
    """A walk along one sequence. `current` are the strings that the last nodes stand for, all that they can be."""

    current: frozenset[str] = frozenset({""})
    sets: list[frozenset[str]] = field(default_factory=list)
    """Sets of strings one of which is in every match, borders included."""
    first: frozenset[str] | None = None
    """What every match begins with, once known."""

    def close(self) -> None:
        """The strings so far end here; what follows is open."""
        if self.first is None:
            self.first = self.current
        self.sets.append(self.current)
        self.current = frozenset({""})

    def take(self, strings: frozenset[str]) -> None:
        if len(strings) * len(self.current) > _MOST:
            self.close()
        if len(strings) > _MOST:
            self.sets.append(strings)
            return
        self.current = frozenset(a + b for a in self.current for b in strings)

    def walk(self, nodes: list[Any]) -> None:
        for place, (op, argument) in enumerate(nodes):
            strings = _exact(op, argument)
            if strings is not None:
                self.take(strings)
            elif op is codes.SUBPATTERN or op is codes.ATOMIC_GROUP:
                inner = argument[3] if op is codes.SUBPATTERN else argument
                self._branch([list(inner)], nodes[place + 1 :])
            elif op is codes.BRANCH:
                self._branch([list(one) for one in argument[1]], nodes[place + 1 :])
            elif op in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
                least, _, inner = argument
                if least:
                    self._branch([list(inner)], [])
                else:
                    self.close()
            else:
                self.close()

    def _branch(self, alternatives: list[list[Any]], after: list[Any]) -> None:
        """Each alternative is read on its own, from the strings before it to the border behind it."""
        border = after[:1] if after and _is_border(*after[0]) else []
        sets: list[frozenset[str]] = []
        first: set[str] = set()
        known = True
        for nodes in alternatives:
            inner = _Reading(self.current)
            inner.walk([*nodes, *border])
            inner.close()
            first |= inner.first or set()
            best = min(
                ((folded, strings) for strings in inner.sets if (folded := _folded(strings)) is not None),
                key=lambda pair: _share(pair[0]),
                default=None,
            )
            if best is None:
                known = False
            else:
                sets.append(best[1])
        if self.first is None:
            self.first = frozenset(first)
        if known:
            self.sets.append(frozenset().union(*sets))
        self.current = frozenset({""})


def _exact(op: Any, argument: Any) -> frozenset[str] | None:
    """All that the node can stand for, folded; None where that is too much or not known."""
    if op is codes.LITERAL:
        return _letter(argument)
    if op is codes.IN:
        return _charset(argument)
    if op is codes.AT:
        return frozenset({_BORDER if _is_border(op, argument) else ""})
    if op in (codes.ASSERT, codes.ASSERT_NOT):
        return frozenset({_BORDER if _is_border(op, argument) else ""})
    if op is codes.SUBPATTERN:
        return _sequence(argument[3])
    if op is codes.ATOMIC_GROUP:
        return _sequence(argument)
    if op is codes.BRANCH:
        found: set[str] = set()
        for one in argument[1]:
            strings = _sequence(one)
            if strings is None or len(found) + len(strings) > _MOST:
                return None
            found |= strings
        return frozenset(found)
    if op in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, most, inner = argument
        strings = _sequence(inner) if int(most) <= 2 else None
        if strings is None:
            return None
        found = {""} if least == 0 else set()
        repeated = frozenset({""})
        for count in range(1, int(most) + 1):
            repeated = frozenset(a + b for a in repeated for b in strings)
            if count >= least:
                found |= repeated
            if len(found) > _MOST:
                return None
        return frozenset(found)
    return None


def _sequence(nodes: Iterable[Any]) -> frozenset[str] | None:
    current = frozenset({""})
    for op, argument in nodes:
        strings = _exact(op, argument)
        if strings is None or len(strings) * len(current) > _MOST:
            return None
        current = frozenset(a + b for a in current for b in strings)
    return current


def _letter(code: int) -> frozenset[str] | None:
    folded = FOLD[code]
    # A word character outside ASCII may have other cases than `lower` knows.
    return frozenset({folded}) if folded.isascii() else None


def _charset(items: list[Any]) -> frozenset[str] | None:
    found: set[str] = set()
    for op, argument in items:
        if op is codes.LITERAL:
            one = _letter(argument)
            if one is None:
                return None
            found |= one
        elif op is codes.RANGE and argument[1] < 128 and argument[1] - argument[0] < 10:
            found |= {FOLD[code] for code in range(argument[0], argument[1] + 1)}
        elif op is codes.CATEGORY and argument in (codes.CATEGORY_SPACE, codes.CATEGORY_NOT_WORD):
            found.add(" ")
        elif op is codes.CATEGORY and argument is codes.CATEGORY_DIGIT:
            found |= _DIGITS
        else:
            return None
    return frozenset(found)


def _is_border(op: Any, argument: Any) -> bool:
    """Whether the node says that a word begins or ends here, given that there is a word character beside it."""
    if op is codes.AT:
        return argument is not codes.AT_NON_BOUNDARY
    if op is codes.ASSERT_NOT:
        inner = list(argument[1])
        return (
            len(inner) == 1
            and inner[0][0] is codes.IN
            and inner[0][1][0][0] is not codes.NEGATE
            and (codes.CATEGORY, codes.CATEGORY_WORD) in inner[0][1]
        )
    return False


def _strings(strings: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Each string with its borders as spaces, and how many letters before the match it begins."""
    for string in strings:
        plain = string.replace(_BORDER, "")
        before = string.startswith(_BORDER) and plain[:1] not in ("", " ")
        after = string.endswith(_BORDER) and plain[-1:] not in ("", " ")
        yield f"{' ' if before else ''}{plain}{' ' if after else ''}"[:LONGEST], int(before)


def _open_ended(string: str) -> str:
    return string.rstrip(_BORDER)


@cache
def _folded(strings: frozenset[str]) -> frozenset[str] | None:
    """The literals of a set of strings; None where one of them is nothing."""
    found = {literal for literal, _ in _strings(strings)}
    if any(not literal.strip() for literal in found):
        return None
    shortest = min(map(len, found), default=0)
    return frozenset(
        literal
        for literal in found
        if not any(literal[:end] in found for end in range(shortest, len(literal)))
    )


@cache
def _share(literals: frozenset[str]) -> float:
    """A rough measure of how many places of a text hold one of the literals."""
    return sum(12.0 ** -len(literal) for literal in literals)


def _starts(strings: frozenset[str]) -> tuple[tuple[str, int], ...]:
    found = dict.fromkeys(_strings(strings))
    literals = {literal for literal, _ in found}
    # a letter, or the space between words and lines, is everywhere: going from one to the next saves nothing
    short = any(not literal.strip() or (len(literal) < 2 and not literal.isdigit()) for literal in literals)
    if short or not found or len(found) != len(literals):
        return ()
    return tuple(
        (literal, shift)
        for literal, shift in sorted(found)
        if not any((literal[:end], shift) in found for end in range(1, len(literal)))
    )

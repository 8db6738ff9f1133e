"""A text read for comparison: its sentences, its words with their polarity, and the facts that can be swapped.

A fact is a number with its unit, a side, a time, a drug or a word with an opposite. What ties a fact to a fact of
another text is its context: the words around it in its sentence, nearer ones first. Linear in the text's length.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final

from attending.guardrails.clinical.statement import Span
from attending.guardrails.grounding import words as w
from attending.guardrails.grounding.words import stem

MAX_TOKENS: Final = 60_000
"""Tokens of one text that are read; a longer text is compared by what stands before."""
REACH: Final = 9
"""Content words on either side that make the context of a fact."""
NEGATION_REACH: Final = 14
"""Content words that one negation reaches where nothing ends it: speech written down has no full stops."""
_WEIGHT: Final = (1.0, 1.0, 0.85, 0.72, 0.62, 0.54, 0.47, 0.41, 0.36, 0.32)
_GROUPED: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_PLAIN: Final = re.compile(r"\d+(?:\.\d+)?")
_NO_SIDE: Final = frozenset({"away", "now", "after", "before", "the", "her", "his", "him", "them", "me", "us", "work",
                             "home", "to", "it", "that", "here", "up", "handed", "hand"})  # fmt: skip
_LEAVERS: Final = frozenset(
    {"he", "she", "they", "was", "were", "be", "been", "has", "have", "had", "i", "you", "we"}
)
"""After one of these "left" is no side."""
_AGO: Final = frozenset({"ago", "later", "prior"})


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with what it counts. `number` is a Decimal, or the text where it is no plain number (a date, "120/80")
    or a word ("few"); `base` is the number in the base of its dimension."""

    number: Decimal | str
    dimension: str | None = None
    factor: Decimal = Decimal(1)
    hedged: bool = False

    @property
    def base(self) -> Decimal | None:
        return self.number * self.factor if isinstance(self.number, Decimal) else None

    def key(self, kind: str) -> str:
        """The quantity as a word of a context: equal for equal values of one dimension, whatever their units."""
        number = self.number if self.base is None else self.base.normalize()
        return f"#{kind[0]}{number}"


@dataclass(slots=True, eq=False)
class Fact:
    """One comparable fact: `kind` is number, side, when, drug or the name of a pair of opposites.

    `place` counts content words from the text's start; `span` is `start:end` of the text.
    """

    kind: str
    value: Quantity | str | frozenset[str]
    start: int
    end: int
    place: int
    sentence: int
    negated: bool = False
    _context: dict[str, float] | None = None


@dataclass(slots=True, eq=False)
class Word:
    """One content word, stemmed, with whether a negation reaches it."""

    stem: str
    start: int
    end: int
    sentence: int
    negated: bool = False
    _context: dict[str, float] | None = None


@dataclass(slots=True, eq=False)
class Reading:
    """One text. `bounds` are the sentences' spans, `first` the index of each one's first content word."""

    text: str
    document: str
    words: list[Word] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    bounds: list[tuple[int, int]] = field(default_factory=list)
    questions: set[int] = field(default_factory=set)
    """Sentences that ask: they assert nothing, so nothing is held against them."""
    first: list[int] = field(default_factory=list)

    def words_of(self, sentence: int) -> list[Word]:
        end = self.first[sentence + 1] if sentence + 1 < len(self.first) else len(self.words)
        return self.words[self.first[sentence] : end]

    def sentence_at(self, position: int) -> int:
        """The index of the sentence that holds a code point, or of the last one before it."""
        return max(0, bisect_right(self.bounds, (position, len(self.text) + 1)) - 1)

    def context(self, of: Fact | Word, place: int) -> dict[str, float]:
        """Stem to weight for the words around `place` in the same sentence, the fact's own left out."""
        if of._context is None:
            found: dict[str, float] = {}
            sentence = of.sentence
            low = max(self.first[sentence], place - REACH)
            end = self.first[sentence + 1] if sentence + 1 < len(self.first) else len(self.words)
            words = self.words
            start, stop = of.start, of.end
            for index in range(low, min(end, place + REACH)):
                word = words[index]
                if start <= word.start < stop:
                    continue
                distance = place - index if index < place else index - place + 1
                weight = _WEIGHT[distance]
                if weight > found.get(word.stem, 0.0):
                    found[word.stem] = weight
            of._context = found
        return of._context


def read(text: str, document: str, drugs: Mapping[Span, frozenset[str]]) -> Reading:
    """Reads `text`; `drugs` are the names in it with the ingredients each may stand for. Never raises."""
    starts = {span.start: (span.end, names) for span, names in drugs.items() if names}
    return _Reader(text, document, starts).read()


class _Reader:
    def __init__(self, text: str, document: str, drugs: dict[int, tuple[int, frozenset[str]]]) -> None:
        self.out = Reading(text, document)
        self.text = text
        self.drugs = drugs
        spans = [match.span() for match in w.TOKEN.finditer(text)][:MAX_TOKENS]
        self.tokens = [(text[start:end], start, end) for start, end in spans]
        self.lower = [token[0].lower() for token in self.tokens]
        if "\u2019" in text:
            self.lower = [low.replace("\u2019", "'") for low in self.lower]
        self.stems: dict[str, str] = {}
        self.sentence_start = -1
        self.negated = False
        self.negated_at = 0
        self.clause_first = 0
        self.label_first = 0

    def read(self) -> Reading:
        index, count = 0, len(self.tokens)
        tokens, lower, special, stems, drugs = self.tokens, self.lower, w.SPECIAL, self.stems, self.drugs
        while index < count:
            # Most words are plain ones: they go the short way.
            low = lower[index]
            start = tokens[index][1]
            if self.sentence_start < 0 or low in special or start in drugs or not low.isalpha():
                index = self._token(index)
                continue
            if low not in w.STOP and len(low) > 1:
                known = stems.get(low)
                if known is None:
                    known = stems[low] = stem(low)
                self._content(known, start, tokens[index][2])
            index += 1
        self._close(len(self.text))
        return self.out

    def _token(self, index: int) -> int:
        """Reads the token at `index`; returns the index of the next."""
        _, start, end = self.tokens[index]
        low = self.lower[index]
        if low == "," and self._new_subject(index):
            self.negated = False
            if self.lower[index + 1] == "and":
                # "..., and she rates her pain 9/10": another sentence in all but the full stop.
                self._close(start)
            return index + 1
        if low in w.ENDS:
            self.negated = False
            if low == "?" and self.out.bounds:
                self.out.questions.add(len(self.out.bounds) - 1)
            self.label_first = self.clause_first
            self.clause_first = len(self.out.words)
            if low == "\n" or (low in ".!?;" and self._sentence_ends(end)) or low == "\u2022":
                self._close(start if low in "\n\u2022" else end)
            if len(low) == 1:
                return index + 1
        if low in "(),%":
            return index + 1
        if self.sentence_start < 0:
            self.sentence_start = start
            self.out.first.append(len(self.out.words))
            self.out.bounds.append((start, start))
            self.clause_first = len(self.out.words)
            self.negated = False
        mention = self.drugs.get(start)
        if mention is not None:
            return self._drug(mention, index)
        if low[0].isdigit():
            return self._number(index, self._digits(low), index + 1)
        if low in w.NUMBERS:
            return self._spelled(index, low)
        return self._word(index, low, start, end)

    def _word(self, index: int, low: str, start: int, end: int) -> int:
        before = self.lower[index - 1] if index else ""
        after = self.lower[index + 1] if index + 1 < len(self.lower) else ""
        if before == ":" and low in w.LABEL_DENIALS and not after[:1].isalnum():
            for word in self.out.words[self.label_first :]:
                word.negated = True
        elif low in w.NEGATIONS or low.endswith("n't"):
            self._negate(low, backwards=low in w.BACKWARDS and after != "for")
            if low.endswith("n't"):
                return index + 1
        elif (
            self.negated
            and low in w.ASSERTS
            and before in w.SUBJECTS
            # "denies that she has pain" goes on; "denies pain and has nausea" does not.
            and len(self.out.words) > self.negated_at
        ):
            self.negated = False
            self.clause_first = len(self.out.words)
        opposite = w.OPPOSITES.get(low)
        if opposite is not None:
            self._fact(opposite[0], opposite[1], start, end)
        side = w.SIDES.get(low)
        if (
            side is None
            and low in ("l", "r")
            and self.text[start].isupper()
            and before != "."
            and after != "."
        ):
            side = "left" if low == "l" else "right"
        if side is not None and after not in _NO_SIDE and not (low == "left" and before in _LEAVERS):
            self._fact("side", side, start, end)
            return index + 1
        if low in w.TIMES_WORDS:
            self._fact("number", Quantity(w.TIMES_WORDS[low], "times"), start, end)
            return index + 1
        if low in w.LATIN and (low != "od" or self.text[start:end].isupper()):
            if w.LATIN[low] != 1:
                self._fact("number", Quantity(w.LATIN[low], "times"), start, end)
            self._fact("per", Quantity(Decimal(24), "time"), start, end)
            return index + 1
        if low in w.PER:
            self._fact("per", Quantity(w.PER[low], "time"), start, end)
            return index + 1
        if low == "couple" and after == "of":
            unit, _ = self._unit(index + 2)
            if unit is not None:
                self._fact("number", Quantity(Decimal(2), *unit), start, self.tokens[index + 2][2])
                return index + 3
        if low == "every" and after == "other":
            other, _ = self._unit(index + 2)
            if other is not None and other[0] == "time":
                self._fact("per", Quantity(2 * other[1], "time"), start, self.tokens[index + 2][2])
                return index + 3
        unit = w.UNITS.get(after)
        if unit is not None and unit[0] == "time" and (low in w.EACH or low in w.RELATIVE or low in w.VAGUE):
            return self._time(index, low, unit)
        when = w.WHEN.get(low.removesuffix("'s"))
        if when is not None:
            self._fact("when", when, start, end)
            return index + 1
        if low in w.STOP or (len(low) < 2):
            return index + 1
        longer = (
            w.ABBREVIATIONS.get(low) if (self.text[start:end].isupper() or low in ("afib", "hx")) else None
        )
        denies = longer is not None and low in w.DENYING_NAMES
        for part in longer or (low.split("/") if "/" in low else (low,)):
            if part and part not in w.STOP:
                self._content(stem(part.removesuffix("'s")), start, end)
                self.out.words[-1].negated |= denies
        return index + 1

    def _time(self, index: int, low: str, unit: tuple[str, Decimal]) -> int:
        start, end = self.tokens[index][1], self.tokens[index + 1][2]
        later = self.lower[index + 2] if index + 2 < len(self.lower) else ""
        if low in ("a", "an"):
            if later in _AGO or (
                index and self.lower[index - 1] in ("in", "for", "within", "over", "about", "than")
            ):
                self._fact("number", Quantity(Decimal(1), "time", unit[1]), start, end)
            else:
                self._fact("per", Quantity(unit[1], "time"), start, end)
        elif low in w.EACH:
            self._fact("per", Quantity(unit[1], "time"), start, end)
        elif low in w.VAGUE:
            self._fact("number", Quantity(low, "time", unit[1]), start, end)
        else:
            self._fact("when", f"{w.RELATIVE[low]} {unit[1]}", start, end)
        return index + 2

    def _spelled(self, index: int, low: str) -> int:
        value = w.NUMBERS[low]
        following = index + 1
        count = len(self.lower)
        if low in w.TENS and following < count and self.lower[following] in w.NUMBERS:
            ones = w.NUMBERS[self.lower[following]]
            if 0 < ones < 10:
                value += ones
                following += 1
        while following < count and self.lower[following] in w.SCALES:
            value *= w.SCALES[self.lower[following]]
            following += 1
        if low == "one" and following == index + 1:
            after = self.lower[following] if following < count else ""
            # "one of them", "the other one" count nothing.
            if after not in w.UNITS and after not in ("to", "or"):
                return index + 1
        return self._number(index, value, following)

    def _digits(self, low: str) -> Decimal | str:
        if _GROUPED.fullmatch(low):
            low = low.replace(",", "")
        if _PLAIN.fullmatch(low):
            try:
                return Decimal(low).normalize()
            except InvalidOperation:
                return low
        return low.strip(".,:/")

    def _number(self, index: int, value: Decimal | str, following: int) -> int:
        start, end = self.tokens[index][1], self.tokens[following - 1][2]
        count = len(self.lower)
        if self._listed(start, following):
            return following
        after = self.lower[following] if following < count else ""
        if after in w.SCALES and isinstance(value, Decimal):
            value *= w.SCALES[after]
            end = self.tokens[following][2]
            following += 1
            after = self.lower[following] if following < count else ""
        unit, used = self._unit(following)
        each: Decimal | None = None
        if unit is None and (whole := w.compound(after)) is not None:
            (unit, each), used = whole, 1
        elif unit is not None and (below := self._below(following + 1)) is not None:
            unit, used = (f"{unit[0]}/{below[0]}", unit[1] / below[1]), 3
        if unit is None and (after in ("to", "or") or self.text[end : end + 1] in ("-", "\u2013")):
            # A range: its second number says what both count.
            at = following + 1 if after in ("to", "or") else following
            if at < count and (self.lower[at][0].isdigit() or self.lower[at] in w.NUMBERS):
                unit, _ = self._unit(at + 1)
                used = 0
        hedged = bool({self.lower[i] for i in range(max(0, index - 2), index)} & w.HEDGES)
        dimension, factor = unit or (None, Decimal(1))
        stop = self.tokens[following + used - 1][2] if used else end
        self._fact("number", Quantity(value, dimension, factor, hedged), start, stop)
        if each is not None:
            self._fact("per", Quantity(each, "time"), start, stop)
        return following + used

    def _unit(self, at: int) -> tuple[tuple[str, Decimal] | None, int]:
        if at >= len(self.lower):
            return None, 0
        word = self.lower[at]
        unit = w.UNITS.get(word)
        if unit is None:
            return None, 0
        if word == "x" or (word in ("m", "l") and self.tokens[at][0] not in ("m", "L", "l")):
            return None, 0
        return unit, 1

    def _below(self, at: int) -> tuple[str, Decimal] | None:
        """The mass or volume that a unit is told per ("g per litre")."""
        if at + 1 >= len(self.lower) or self.lower[at] != "per":
            return None
        unit = w.UNITS.get(self.lower[at + 1])
        return unit if unit is not None and unit[0] in w.PER_AMOUNT else None

    def _listed(self, start: int, following: int) -> bool:
        """The number of an item of a list: it counts nothing."""
        line = self.text.rfind("\n", 0, start) + 1
        return not self.text[line:start].strip(" -*\u2022") and (
            following < len(self.tokens) and self.lower[following] == "."
            and self.text[self.tokens[following][2] : self.tokens[following][2] + 1] in (" ", "\t")
            and self.tokens[following][1] - start <= 2
        )  # fmt: skip

    def _drug(self, mention: tuple[int, frozenset[str]], index: int) -> int:
        end, names = mention
        start = self.tokens[index][1]
        self._fact("drug", names, start, end)
        # A class stands for many drugs, so its own name is its word.
        for name in sorted(names) if len(names) <= 4 else [stem(self.text[start:end].lower())]:
            self._content(name, start, end)
        index += 1
        while index < len(self.tokens) and self.tokens[index][1] < end:
            index += 1
        return index

    def _negate(self, low: str, *, backwards: bool) -> None:
        self.negated = not self.negated or low in ("no", "nor", "never")
        self.negated_at = len(self.out.words)
        if backwards:
            for word in self.out.words[self.clause_first :]:
                word.negated = True

    def _content(self, stem: str, start: int, end: int) -> None:
        if self.negated and len(self.out.words) - self.negated_at > NEGATION_REACH:
            self.negated = False
        self.out.words.append(Word(stem, start, end, len(self.out.bounds) - 1, self.negated))

    def _fact(self, kind: str, value: Quantity | str | frozenset[str], start: int, end: int) -> None:
        place = len(self.out.words)
        self.out.facts.append(Fact(kind, value, start, end, place, len(self.out.bounds) - 1, self.negated))
        if isinstance(value, Quantity):
            self._content(value.key(kind), start, end)

    def _new_subject(self, index: int) -> bool:
        """Whether the words after a comma begin a clause with a subject of its own."""
        following = self.lower[index + 1 : index + 3]
        if following[:1] == ["and"]:
            return len(following) == 2 and following[1] in w.PRONOUNS
        return bool(following) and following[0] in w.PRONOUNS

    def _sentence_ends(self, end: int) -> bool:
        following = self.text[end : end + 2]
        return not following or following[0].isspace() or following[0] in "\"')"

    def _close(self, end: int) -> None:
        if self.sentence_start >= 0:
            while end > self.sentence_start and self.text[end - 1].isspace():
                end -= 1
            self.out.bounds[-1] = (self.sentence_start, end)
            self.sentence_start = -1

"""Facts and negations of a claim against the same context in the documents: what the two say differently.

A fact contradicts where the documents hold, in nearly the same words, another fact of its kind, and nowhere as near
the same one. A word contradicts where its polarity is turned round in the same way. What has no like context in the
documents says nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.grounding import words as w
from attending.guardrails.grounding.reading import Fact, Quantity, Reading
from attending.guardrails.grounding.sources import Passage, Sources

_ALIKE: Final = 0.55
"""Share of a fact's context that another one must have to stand for the same thing."""
_NEARER: Final = 0.06
"""How much less alike the same fact elsewhere may stand and still be the one meant."""
_VERBATIM: Final = 0.985
_WORD_FOR_WORD: Final = 0.015
"""The same, where the words around the other fact are those of the claim one by one."""
_ROUNDED: Final = Decimal("0.12")
"""How far apart a number and what "about" makes of it may lie: "about 50" for 45, not "about 10" for 6."""
_TURNED: Final = 0.7
"""Share of a word's context for a turned polarity, which is told in more ways than a number."""
_OCCURRENCES: Final = 64
"""Places of one word in the documents that are looked at for its polarity."""
_SUPPORTS: Final = 0.92
_SAME_WORDS: Final = 0.9
_OTHER_POLARITY: Final = 0.85
"""What is left of the likeness of two facts of which one is denied: "denies left knee pain" is no "right knee pain"."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind` is number, unit, time, side, drug, negation or opposite; `start:end` in the claim's text."""

    kind: str
    start: int
    end: int
    passage: Passage


def differences(ours: Reading, sources: Sources) -> Iterator[Difference]:
    """What the text of `ours` says otherwise than the documents, in no order; at most one a fact."""
    for fact in ours.facts:
        found = _fact(ours, fact, sources)
        if found is not None:
            yield found
    yield from _negations(ours, sources)


def _fact(ours: Reading, fact: Fact, sources: Sources) -> Difference | None:
    context = ours.context(fact, fact.place)
    same = best = 0.0
    where: tuple[Reading, Fact] | None = None
    for share, reading, other in sources.facts_like(fact.kind, context):
        score = share if other.negated == fact.negated else share * _OTHER_POLARITY
        if says_same(fact, other):
            same = max(same, score)
        elif score > best and _comparable(fact, other, score):
            best, where = score, (reading, other)
    if where is None or best < _ALIKE or same >= best - (_WORD_FOR_WORD if best >= _VERBATIM else _NEARER):
        return None
    reading, other = where
    return Difference(_kind(fact, other), fact.start, fact.end, Passage(reading, other.sentence))


def _comparable(one: Fact, other: Fact, alike: float) -> bool:
    """Whether two facts could stand for the same thing: "9/10" and "6 hours" count what cannot be mixed up, unless
    the words around them are the same."""
    a, b = one.value, other.value
    if not isinstance(a, Quantity) or not isinstance(b, Quantity) or alike >= _SAME_WORDS:
        return True
    if a.number == b.number:
        return True
    return a.dimension == b.dimension and isinstance(a.number, str) == isinstance(b.number, str)


def _kind(fact: Fact, other: Fact) -> str:
    if fact.kind in ("side", "drug"):
        return fact.kind
    if fact.kind in ("per", "when"):
        return "time"
    if isinstance(fact.value, Quantity) and isinstance(other.value, Quantity):
        if fact.value.number == other.value.number or not isinstance(fact.value.number, Decimal):
            return "time" if "time" in (fact.value.dimension, other.value.dimension) else "unit"
        return "number"
    return "opposite"


def says_same(one: Fact, other: Fact) -> bool:
    """Whether two facts of one kind agree: by ingredient, by value in whatever unit, or rounded where they say so."""
    a, b = one.value, other.value
    if isinstance(a, Quantity) and isinstance(b, Quantity):
        return _equal(a, b)
    if isinstance(a, frozenset) and isinstance(b, frozenset):
        return bool(a & b)
    return a == b


def _equal(a: Quantity, b: Quantity) -> bool:
    if isinstance(a.number, str) or isinstance(b.number, str):
        return a.number == b.number and (
            None in (a.dimension, b.dimension) or (a.dimension, a.factor) == (b.dimension, b.factor)
        )
    if a.dimension is None or b.dimension is None:
        return _near(a.number, b.number, hedged=a.hedged or b.hedged)
    if a.dimension != b.dimension:
        return False
    if a.factor == b.factor:
        return _near(a.number, b.number, hedged=a.hedged or b.hedged)
    one, other = a.number * a.factor, b.number * b.factor
    # Pounds against kilograms, months against years: told in another unit, a value is rounded.
    return abs(one - other) <= max(one, other) * Decimal("0.04")


def _near(a: Decimal, b: Decimal, *, hedged: bool) -> bool:
    if a == b:
        return True
    if not hedged:
        return False
    coarse = max(_step(a), _step(b))
    return abs(a - b) <= min(coarse / 2, max(a, b) * _ROUNDED)


def _step(value: Decimal) -> Decimal:
    """The place of the last digit that is not zero: 1 for 99, 10 for 150, 0.1 for 4.5."""
    exponent = value.normalize().as_tuple().exponent
    return Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)


def _negations(ours: Reading, sources: Sources) -> Iterator[Difference]:
    """The first word of each sentence whose polarity the documents turn round in its context."""
    told: set[int] = set()
    for index, word in enumerate(ours.words):
        if (not word.negated) not in sources.polarities.get(word.stem, ()):
            continue
        if word.sentence in told or word.sentence in ours.questions or word.stem.startswith("#"):
            continue
        context = ours.context(word, index)
        total = sources.total(context)
        same = turned = 0.0
        where: tuple[Reading, int] | None = None
        for reading, at in sources.words[word.stem][:_OCCURRENCES]:
            other = reading.words[at]
            if other.sentence in reading.questions:
                continue
            score = sources.share(context, reading.context(other, at), total)
            if other.negated == word.negated:
                same = max(same, score)
            elif score > turned:
                turned, where = score, (reading, at)
        if where is not None and turned >= _TURNED and same < turned - _NEARER and same < _SUPPORTS:
            told.add(word.sentence)
            reading, at = where
            passage = Passage(reading, reading.words[at].sentence)
            yield Difference("negation", word.start, word.end, passage)
    yield from _bare_denials(ours, sources, told)


def _bare_denials(ours: Reading, sources: Sources, told: set[int]) -> Iterator[Difference]:
    """ "No fever." where the documents speak of fever, plainly and never otherwise. A sentence of one word has no words
    around it to be compared by, so nothing but that word is; what is asserted as past, possible or of somebody else
    says nothing against it, and neither does a word that is a drug, which may be an instruction."""
    for sentence in range(len(ours.bounds)):
        if sentence in told or sentence in ours.questions:
            continue
        words = [word for word in ours.words_of(sentence) if word.stem not in w.OF_DENIAL]
        if len(words) != 1 or not words[0].negated or sources.polarities.get(words[0].stem) != {False}:
            continue
        start, end = ours.bounds[sentence]
        if not w.DENIALS.search(ours.text, start, end) or words[0].stem in sources.drugs:
            continue
        for reading, at in sources.words[words[0].stem][:_OCCURRENCES]:
            passage = Passage(reading, reading.words[at].sentence)
            if passage.sentence not in reading.questions and not w.NOT_PLAIN.search(passage.text):
                yield Difference("negation", words[0].start, words[0].end, passage)
                break

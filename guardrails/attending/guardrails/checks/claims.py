"""Plain instructions and lengths of time, clause by clause: what the output tells to do against the documents.

A sentence often carries two instructions ("take the tablets for 21 days and put weight on the ankle"), so clauses are
compared, not sentences. Two kinds are found: another length of time for the same thing, and the same act told where
the document forbids it (or the reverse). Not caught: an instruction in other words ("walk on it" for "bear weight").
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Final

from attending.guardrails.checks.passages import MAX_SENTENCES, content_words, sentences
from attending.guardrails.clinical.number import number_words
from attending.guardrails.clinical.statement import Span
from attending.guardrails.patient import Document

_SPLIT: Final = re.compile(
    r";|,(?! ?\d)|\s\(|\)|\bbut\b|\bthen\b|\band that\b"
    r"|\band (?=(?:do|don't|never|not|no|avoid|you|take|put|keep|wear|use|drive|drink|eat|start|stop|continue"
    r"|call|come"
    r"|should|must|can|may|try|rest|wash|change|remove|leave|return|have|finish|walk|lift|bear|swim|shower|work)\b)",
    re.I,
)
_NUMBER_WORDS: Final = number_words("one two three four five six seven eight nine ten twelve fourteen") | {
    "a": 1
}
_LENGTH: Final = re.compile(
    rf"\b(?:for|over|within|in|after|next|first|another|at least|up to|until)\s+(?:the |a further |about "
    rf"|at least |up to |next |first ){{0,4}}"
    rf"(?P<n>\d{{1,3}}|{'|'.join(_NUMBER_WORDS)})(?:\s*(?:-|to)\s*(?P<m>\d{{1,3}}))?[ -]?(?P<unit>hours?|days?"
    rf"|weeks?|months?)\b",
    re.I,
)
_HOURS: Final = {"hour": 1, "day": 24, "week": 168, "month": 720}
_FORBIDS: Final = re.compile(
    r"\b(?:do not|don't|never|not to|must not|mustn't|should not|shouldn't|cannot|can't|may not|avoid(?:ing)?"
    r"|refrain from|no|not|without|stop|nil|non|keep off|stay off|nothing)\b|\bnon-|(?<=\w)n't\b",
    re.I,
)
_ORDERS: Final = re.compile(
    r"\b(?:do not|don't|never|not to|must not|mustn't|should not|shouldn't|cannot|can't|may not|avoid(?:ing)?"
    r"|refrain from|stop|nil by mouth|keep off|stay off|non-weight"
    r"|no (?:alcohol|food|drink|sport|exercise|weight(?! loss| gain| change))"
    r"|no (?:\w+[ -])?(?:driv|lift|swimm|shower|smok|drink|eat|runn|fly|work|walk|exercis|bath|bend|bear)ing)\b",
    re.I,
)
"""What forbids an act; "no fracture" only denies a finding."""
_COMPARED: Final = 100
_LATER: Final = re.compile(r"^(?:in|within|after|until|next)\b", re.I)
_CONDITION: Final = re.compile(
    r"\b(?:after|once|when|until|till|unless|if|before|except|only|as long as|provided|while|later|then)\b",
    re.I,
)
_TELLS_WORDS: Final = (
    "say leaflet advice advise tell explain state guideline letter note document instruction patient please "
    "should must need can may make sure want able allow fine safe okay today now again still straight away "
    "normal usual usually until week day month hour time"
)
_TELLS: Final = frozenset(_TELLS_WORDS.split())
_ACTS_WORDS: Final = (
    "driv shower swim fly smok lift exercis run drink alcohol bath eat weight bear walk work sport bend shav"
)
_ACTS: Final = frozenset(_ACTS_WORDS.split())
"""Stems of acts that one word names."""
_ALONE: Final = frozenset({"driv", "shower", "swim", "fly"})
"""Stems of acts that take no object, so that the other words of the clause change little."""


class Claim:
    """One clause, `span` in its text: what it is about, how long, and whether it forbids. Read when asked for, since
    most clauses of two texts have nothing to do with each other."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.span: Final = Span(start, end)
        self.text: Final = text[start:end]

    @cached_property
    def lengths(self) -> tuple[tuple[Decimal, Decimal, Span], ...]:
        """Least and most hours, and where."""
        start = self.span.start
        return tuple(
            (_hours(m, "n"), _hours(m, "m" if m["m"] else "n"), Span(start + m.start(), start + m.end()))
            for m in _LENGTH.finditer(self.text)
        )

    @cached_property
    def plain(self) -> str:
        """The clause without its lengths of time."""
        return _LENGTH.sub(" ", self.text)

    @cached_property
    def words(self) -> frozenset[str]:
        bare = _FORBIDS.sub(" ", self.plain)
        return frozenset(_stem(word) for word in content_words(bare)) - _TELLS

    @cached_property
    def forbids(self) -> bool:
        return len(_FORBIDS.findall(self.text)) % 2 == 1

    @property
    def orders(self) -> bool:
        """Whether it forbids an act; "no fracture" only denies a finding."""
        return _ORDERS.search(self.text) is not None

    @cached_property
    def conditional(self) -> bool:
        return _CONDITION.search(self.plain) is not None or any(
            _LATER.match(m.group()) for m in _LENGTH.finditer(self.text)
        )


@dataclass(frozen=True, slots=True)
class Mismatch:
    """`kind` is length or instruction; `span` in the output; `document` and `quote` say against what."""

    kind: str
    span: Span
    document: str
    quote: str


def claims(text: str) -> Iterator[Claim]:
    """The clauses of a text, at most `MAX_SENTENCES` sentences."""
    for start, end in islice(sentences(text), MAX_SENTENCES):
        position = start
        cuts = [match.span() for match in _SPLIT.finditer(text, start, end)]
        for cut_start, cut_end in (*cuts, (end, end)):
            if cut_start - position >= 6:
                yield Claim(text, position, cut_start)
            position = cut_end


def mismatches(output: str, documents: list[Document]) -> Iterator[Mismatch]:
    """At most one mismatch per clause of the output. A length that any document gives is never one. Linear: a clause
    is compared with the clauses that share a word with it, at most `_COMPARED` of them."""
    texts = [document.text for document in documents]
    lengths = _LENGTH.search(output) is not None and any(_LENGTH.search(text) for text in texts)
    orders = any(_ORDERS.search(text) for text in (output, *texts))
    if not lengths and not orders:
        return
    theirs = [(document, claim) for document in documents for claim in claims(document.text)]
    timed = [(document, claim) for document, claim in theirs if claim.lengths] if lengths else []
    known = [(low, high) for _, claim in timed for low, high, _ in claim.lengths]
    acts = _Acts(theirs) if orders else None
    for claim in claims(output):
        found = _length(claim, timed, known) if timed and claim.lengths else None
        if found is None and acts is not None and acts.may_turn(claim):
            found = _instruction(claim, acts.near(claim))
        if found is not None:
            yield found


class _Acts:
    """The documents' clauses by the words that they share."""

    def __init__(self, theirs: list[tuple[Document, Claim]]) -> None:
        self._by_word: dict[str, list[int]] = defaultdict(list)
        self._theirs = theirs
        self._ordered: set[str] = set()
        for index, (_, claim) in enumerate(theirs):
            for word in claim.words:
                self._by_word[word].append(index)
            if claim.orders:
                self._ordered |= claim.words

    def may_turn(self, claim: Claim) -> bool:
        """Whether the clause orders something, or one of the documents' orders speaks of it."""
        return not self._ordered.isdisjoint(claim.words) or claim.orders

    def near(self, claim: Claim) -> list[tuple[Document, Claim]]:
        found: set[int] = set()
        for word in sorted(claim.words, key=lambda w: (len(self._by_word.get(w, ())), w)):
            found.update(self._by_word.get(word, ())[:_COMPARED])
            if len(found) >= _COMPARED:
                break
        return [self._theirs[index] for index in sorted(found)]


def _hours(match: re.Match[str], group: str) -> Decimal:
    number = match[group].lower()
    count = _NUMBER_WORDS.get(number) or int(number)
    return Decimal(count * _HOURS[match["unit"].lower().rstrip("s")])


def _stem(word: str) -> str:
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def _length(
    claim: Claim, theirs: list[tuple[Document, Claim]], known: list[tuple[Decimal, Decimal]]
) -> Mismatch | None:
    """A length of time that no document gives, for a thing whose only lengths in the documents are others."""
    for low, high, span in claim.lengths:
        if not claim.words or any(least <= low and high <= most for least, most in known):
            continue
        for document, other in theirs:
            if _same_thing(claim, other) and other.forbids == claim.forbids:
                return Mismatch("length", span, document.id, other.text)
    return None


def _same_thing(one: Claim, other: Claim) -> bool:
    shared = one.words & other.words
    smaller = min(len(one.words), len(other.words))
    return bool(shared) and len(shared) * 2 >= smaller


def _instruction(claim: Claim, theirs: list[tuple[Document, Claim]]) -> Mismatch | None:
    """The same act, forbidden on one side and told on the other; none where some document agrees or either is
    conditional ("once the wound is dry")."""
    if claim.conditional or not claim.words:
        return None
    against: tuple[Document, Claim] | None = None
    for document, other in theirs:
        core = other.words & claim.words
        if not _same_act(claim.words, other.words, core):
            continue
        if other.forbids == claim.forbids:
            return None
        if _ORDERS.search(other.text if other.forbids else claim.text) is None:
            continue
        if against is None and not (other.conditional and not other.lengths):
            against = (document, other)
    if against is None:
        return None
    document, other = against
    return Mismatch("instruction", claim.span, document.id, other.text)


def _same_act(ours: frozenset[str], theirs: frozenset[str], shared: frozenset[str]) -> bool:
    """Whether two clauses name one act: most words of the shorter one are shared, and either two words are or the one
    that is names an act by itself."""
    smaller = min(len(ours), len(theirs))
    if smaller == 0 or not shared:
        return False
    if shared & _ALONE:
        return True
    if len(shared) * 4 < smaller * 3:
        return False
    return len(shared) >= 2 or bool(shared & _ACTS)

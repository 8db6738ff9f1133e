"""Sentences of a note with one fact swapped, made by rule: a number, a unit, a time, a negation, a drug or a side.

Each swap changes what a clinician would act on and leaves the rest of the sentence as it was. What they are made from
is written by others (`evaluation.grounding`); which of the possible swaps are drawn follows from a seed alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.passages import sentences
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.number import NUMBER_WORDS

KINDS: Final = ("number", "unit", "time", "negation", "drug", "side")


@dataclass(frozen=True, slots=True)
class Note:
    """One document; `id` says where it comes from and holds no text of it."""

    id: str
    text: str
    dialogue: str = ""


@dataclass(frozen=True, slots=True)
class Swap:
    """`note.text[start:end]` is the sentence, `claim` the same sentence with one fact swapped; `how` names the rule."""

    kind: str
    how: str
    note: Note
    start: int
    end: int
    claim: str

    @property
    def sentence(self) -> str:
        return self.note.text[self.start : self.end]

    @property
    def whole(self) -> str:
        """The whole note with the swapped sentence in its place."""
        return self.note.text[: self.start] + self.claim + self.note.text[self.end :]


_Change = tuple[str, str]
"""Name of the rule, and the changed sentence."""

_SPELLED: Final = {value: word for word, value in NUMBER_WORDS.items() if " " not in word}
_DIGITS: Final = re.compile(r"(?<![\w.,/:#-])(?P<n>\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)(?![\w,:/#]|\.\d|-\d)")
_NUMBER_WORD: Final = re.compile(
    r"\b(?P<n>two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty)\b"
    r"(?=[ -](?:\w+))",
    re.I,
)
_LISTED: Final = re.compile(r"^\s*(?:[-•*]\s*)?\d{1,2}[.)]\s")
_NAMED_NUMBER: Final = re.compile(
    r"(?:\b(?:type|stage|grade|class|phase|level|step|section|page|dr|room|covid|b|d|c|t|l|s|h|a|q|vitamin|factor)"
    r"|[#@])[ .-]?$",
    re.I,
)
"""Words after which a number is part of a name: "type 2", "stage 3"."""
_UNITS: Final[dict[str, tuple[str, ...]]] = {
    "mg": ("mcg", "g", "mL"),
    "milligrams": ("micrograms", "grams"),
    "milligram": ("microgram",),
    "mcg": ("mg", "g"),
    "micrograms": ("milligrams",),
    "g": ("mg",),
    "grams": ("milligrams",),
    "mL": ("L", "mg"),
    "ml": ("L", "mg"),
    "cm": ("mm", "inches"),
    "centimeters": ("millimeters", "inches"),
    "centimeter": ("millimeter",),
    "mm": ("cm",),
    "millimeters": ("centimeters",),
    "inches": ("feet", "centimeters"),
    "feet": ("inches", "miles"),
    "pounds": ("ounces", "kilograms"),
    "lbs": ("kg",),
    "kg": ("g", "lbs"),
    "ounces": ("pounds",),
    "mg/dL": ("mmol/L", "g/dL"),
    "g/dL": ("mg/dL",),
    "mmHg": ("kPa",),
    "units": ("mL", "mg"),
    "percent": ("points",),
    "degrees": ("percent",),
    "packs": ("cigarettes",),
    "drinks": ("bottles",),
    "tablets": ("bottles",),
    "miles": ("feet", "kilometers"),
}
_UNIT: Final = re.compile(
    r"(?P<n>(?:\d(?:[\d.,]*\d)?|\b(?:one|two|three|four|five|six|seven|eight|nine|ten)))(?P<gap>[ -]?)"
    rf"(?P<unit>{'|'.join(sorted(map(re.escape, _UNITS), key=len, reverse=True))})(?![\w/])"
)
_TIMES: Final = ("second", "minute", "hour", "day", "week", "month", "year")
_TIME: Final = re.compile(
    r"(?P<n>\b(?:\d+|a|an|one|two|three|four|five|six|seven|eight|nine|ten|twelve|few|couple of|several|per|every|each"
    r"|last|past|next|this))(?P<gap>[ -])(?P<unit>seconds?|minutes?|hours?|days?|weeks?|months?|years?)\b",
    re.I,
)
_TIME_WORDS: Final = {
    "daily": ("weekly", "monthly"),
    "weekly": ("daily", "monthly"),
    "monthly": ("weekly", "daily"),
    "yearly": ("monthly",),
    "annually": ("weekly",),
    "nightly": ("hourly",),
    "yesterday": ("last month",),
    "today": ("next week",),
    "tomorrow": ("next month",),
    "morning": ("evening",),
    "evening": ("morning",),
    "once": ("three times",),
    "twice": ("once", "four times"),
}
_TIME_WORD: Final = re.compile(rf"\b(?P<w>{'|'.join(_TIME_WORDS)})\b", re.I)
_SIDE: Final = re.compile(r"\b(?P<side>left|right|bilateral(?:ly)?)\b", re.I)
_NO_SIDE: Final = re.compile(
    r"^(?:[ -]?(?:away|now|up|after|before|handed|hand dominant|hand-dominant|or wrong|upper quadrant and left)|[a-z])"
    r"|^ (?:the|her|his|him|them|me|us|work|home|to|it|that|here|school|town|of these|of them)\b",
    re.I,
)
_LEAVES: Final = re.compile(r"\b(?:he|she|they|was|were|be|been|has|have|had|i|you|we)(?: \w+)?\s$", re.I)
_OTHER_SIDE: Final = {
    "left": ("right", "bilateral"),
    "right": ("left", "bilateral"),
    "bilateral": ("left", "right"),
    "bilaterally": ("on the left", "on the right"),
}

_NEGATIONS: Final[tuple[tuple[str, re.Pattern[str], str], ...]] = tuple(
    (how, re.compile(pattern, flags), replacement)
    for how, pattern, replacement, flags in (
        ("denies", r"\bdenies\b", "reports", re.I),
        ("denied", r"\bdenied\b", "reported", re.I),
        ("deny", r"\bdeny\b", "report", re.I),
        (
            "endorses",
            r"\b(?:endorses|reports|admits to|notes)\b(?= (?!that|she|he|they|the|no|not))",
            "denies",
            0,
        ),
        ("negative for", r"\bnegative for\b", "positive for", re.I),
        ("positive for", r"\bpositive for\b", "negative for", re.I),
        ("no evidence", r"\bno evidence of\b", "evidence of", re.I),
        (
            "has no",
            r"\b(?P<v>has|had|have|is|are|was|were|shows?|showed|with) no\b(?! longer| one| more)",
            r"\g<v>",
            re.I,
        ),
        ("no, first", r"^(?P<mark>[-•* ]*(?:[\w ,]{2,40}: )?)No (?=\w{3,})", r"\g<mark>Has ", 0),
        ("without", r"\bwithout\b", "with", re.I),
        ("with", r"\bpresents with\b", "presents without", re.I),
        (
            "not, dropped",
            r"\b(?P<v>is|are|was|were|has|have|had|should|will|would|can|could|did|does|do) not (?=\w)",
            r"\g<v> ",
            re.I,
        ),
        (
            "not, joined",
            r"\b(?P<v>is|are|was|were|has|have|had|does|did|do|would|should|could)n't\b",
            r"\g<v>",
            re.I,
        ),
        ("cannot", r"\bcannot\b", "can", re.I),
        ("never", r"\bnever (?=\w)", "", re.I),
        (
            "not, added",
            r"(?<=\w )(?P<v>is|was|are|were|will|should|would|can) (?!not\b|no\b)(?=[a-z])",
            r"\g<v> not ",
            0,
        ),
        (
            "no, added",
            r"(?<=\w )(?P<v>has|had) (?=(?:a |an )?(?:history|pain|tenderness|edema|swelling|fever|nausea"
            r"|diabetes|hypertension|numbness|rash|cough|asthma|significant|some|mild|moderate|severe)\b)",
            r"\g<v> no ",
            0,
        ),
        (
            "does not have",
            r"\b(?P<w>[Pp]atient|[Ss]he|[Hh]e) has (?=a |an |\w+ pain|pain)",
            r"\g<w> does not have ",
            0,
        ),
    )
)
_LEFT_BEHIND: Final = re.compile(r"\b(?:any|either|nor)\b")


def swaps_of(note: Note, lexicon: Lexicon, pool: Sequence[str], rng: random.Random) -> Iterator[Swap]:
    """One swap of each rule that fits, for each sentence of at least four words."""
    for start, end in sentences(note.text):
        sentence = note.text[start:end]
        if len(sentence.split()) < 4 or len(sentence) > 600:
            continue
        for kind in KINDS:
            for how, claim in _MAKERS[kind](sentence, lexicon, pool, rng):
                if claim.lower() != sentence.lower():
                    yield Swap(kind, how, note, start, end, claim)


def draw(swaps: Sequence[Swap], per_kind: int, seed: int) -> list[Swap]:
    """At most `per_kind` of each kind, the rules of a kind taken in turn so that a common one crowds out none."""
    drawn: list[Swap] = []
    for kind in KINDS:
        rng = random.Random(f"{seed}:{kind}")
        by_how: dict[str, list[Swap]] = {}
        for swap in swaps:
            if swap.kind == kind:
                by_how.setdefault(swap.how, []).append(swap)
        for some in by_how.values():
            rng.shuffle(some)
        taken = 0
        while taken < per_kind and any(by_how.values()):
            for some in by_how.values():
                if some and taken < per_kind:
                    drawn.append(some.pop())
                    taken += 1
    return drawn


def _number(sentence: str, _lexicon: Lexicon, _pool: Sequence[str], rng: random.Random) -> Iterator[_Change]:
    listed = _LISTED.match(sentence)
    after = listed.end() if listed else 0
    found = [
        m
        for m in _DIGITS.finditer(sentence)
        if m.start() >= after and not _NAMED_NUMBER.search(sentence, 0, m.start())
    ]
    if found:
        match = rng.choice(found)
        for how, other in _other_numbers(match["n"], rng):
            yield how, sentence[: match.start("n")] + other + sentence[match.end("n") :]
    words = list(_NUMBER_WORD.finditer(sentence))
    if words:
        match = rng.choice(words)
        value = NUMBER_WORDS[match["n"].lower()]
        another = rng.choice([v for v in (2, 3, 4, 5, 6, 7, 8, 9, 10, 12) if v != value])
        spelled = _SPELLED[another]
        told = spelled.capitalize() if match["n"][0].isupper() else spelled
        yield "word", sentence[: match.start("n")] + told + sentence[match.end("n") :]
        yield "word to digits", sentence[: match.start("n")] + str(another) + sentence[match.end("n") :]


def _other_numbers(text: str, rng: random.Random) -> Iterator[_Change]:
    value = Decimal(text.replace(",", ""))
    if value == 0:
        return
    whole = value == value.to_integral_value()
    yield "tenfold", f"{value * 10:f}"
    if value >= 10 and whole and value % 10 == 0:
        yield "tenth", f"{value / 10:f}"
    step = rng.choice((1, 2, 3)) if value < 12 else rng.choice((5, 10, 20))
    other = value + step if whole else value + Decimal(step) / (1 if value < 12 else 10)
    yield "near", f"{other:f}"
    digits = text.replace(",", "")
    if whole and len(digits) >= 2 and digits[0] != digits[1] and digits[1] != "0":
        yield "transposed", digits[1] + digits[0] + digits[2:]
    if value >= 4:
        yield "half", f"{(value / 2).to_integral_value():f}"


def _unit(sentence: str, _lexicon: Lexicon, _pool: Sequence[str], rng: random.Random) -> Iterator[_Change]:
    found = list(_UNIT.finditer(sentence))
    if found:
        match = rng.choice(found)
        other = rng.choice(_UNITS[match["unit"]])
        yield match["unit"], sentence[: match.start("unit")] + other + sentence[match.end("unit") :]


def _time(sentence: str, _lexicon: Lexicon, _pool: Sequence[str], rng: random.Random) -> Iterator[_Change]:
    found = list(_TIME.finditer(sentence))
    if found:
        match = rng.choice(found)
        unit = match["unit"].lower()
        bare = unit.rstrip("s")
        other = rng.choice([t for t in _TIMES[2:] if t != bare]) + ("s" if unit.endswith("s") else "")
        yield "unit of time", sentence[: match.start("unit")] + other + sentence[match.end("unit") :]
    words = list(_TIME_WORD.finditer(sentence))
    if words:
        match = rng.choice(words)
        other = rng.choice(_TIME_WORDS[match["w"].lower()])
        told = other.capitalize() if match["w"][0].isupper() else other
        yield match["w"].lower(), sentence[: match.start()] + told + sentence[match.end() :]


def _negation(
    sentence: str, _lexicon: Lexicon, _pool: Sequence[str], rng: random.Random
) -> Iterator[_Change]:
    for how, pattern, replacement in _NEGATIONS:
        found = list(pattern.finditer(sentence))
        if not found:
            continue
        match = rng.choice(found)
        told = match.expand(replacement)
        if match.group()[:1].isupper() and told[:1].islower():
            told = told[0].upper() + told[1:]
        claim = sentence[: match.start()] + told + sentence[match.end() :]
        if how in ("denies", "denied", "deny", "negative for", "without", "has no"):
            claim = _LEFT_BEHIND.sub(lambda m: "and" if m.group() == "nor" else "some", claim, count=1)
        yield how, claim


def _drug(sentence: str, lexicon: Lexicon, pool: Sequence[str], rng: random.Random) -> Iterator[_Change]:
    lowered = sentence.lower()
    hits = [hit for hit in lexicon.find(lowered) if hit.drugs and hit.end - hit.start >= 5]
    if not hits or len(lowered) != len(sentence):
        return
    hit = rng.choice(hits)
    known = {drug for other in hits for drug in other.drugs}
    name = next(name for name in rng.sample(pool, 20) if name not in known)
    told = name.capitalize() if sentence[hit.start].isupper() else name
    yield "another drug", sentence[: hit.start] + told + sentence[hit.end :]


def _side(sentence: str, _lexicon: Lexicon, _pool: Sequence[str], rng: random.Random) -> Iterator[_Change]:
    found = [
        m
        for m in _SIDE.finditer(sentence)
        if not _NO_SIDE.match(sentence[m.end() : m.end() + 24])
        and not (m["side"].lower() == "left" and _LEAVES.search(sentence[: m.start()]))
    ]
    if not found:
        return
    match = rng.choice(found)
    other = rng.choice(_OTHER_SIDE[match["side"].lower()])
    told = other.capitalize() if match["side"][0].isupper() else other
    yield match["side"].lower(), sentence[: match.start()] + told + sentence[match.end() :]


_Maker = Callable[[str, Lexicon, Sequence[str], random.Random], Iterator[_Change]]
_MAKERS: Final[dict[str, _Maker]] = {
    "number": _number,
    "unit": _unit,
    "time": _time,
    "negation": _negation,
    "drug": _drug,
    "side": _side,
}

"""Sentences of a note told in another way that says the same: what a grounding check must leave alone."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import Final

from attending.guardrails.checks.passages import sentences
from attending.guardrails.clinical.number import NUMBER_WORDS
from attending.guardrails.evaluation.swaps import Note, Swap

_SPELLED: Final = {value: word for word, value in NUMBER_WORDS.items() if " " not in word}
_SHORT: Final = (
    ("blood pressure", "BP"),
    ("hypertension", "HTN"),
    ("shortness of breath", "SOB"),
    ("congestive heart failure", "CHF"),
    ("chronic obstructive pulmonary disease", "COPD"),
    ("coronary artery disease", "CAD"),
    ("range of motion", "ROM"),
    ("physical therapy", "PT"),
    ("gastroesophageal reflux disease", "GERD"),
    ("emergency room", "ER"),
    ("magnetic resonance imaging", "MRI"),
    ("electrocardiogram", "EKG"),
    ("history of", "h/o"),
    ("ejection fraction", "EF"),
    ("diabetes mellitus", "DM"),
    ("urinary tract infection", "UTI"),
    ("milligrams", "mg"),
    ("centimeters", "cm"),
    ("pounds", "lbs"),
    ("twice daily", "BID"),
    ("twice a day", "BID"),
    ("three times a day", "TID"),
    ("every day", "daily"),
    ("once a day", "daily"),
    ("percent", "%"),
)
_ITEM: Final = r"(?!(?:no|is|was|has|denies|without|not) )[a-z]+(?: (?!is|was|has|and|or)[a-z]+)?"
_AND_LIST: Final = re.compile(
    r"(?P<lead>\b(?:[Dd]enies|[Rr]eports|[Ee]ndorses|[Nn]o|[Ww]ithout|[Ii]ncludes?|any|for|of) )"
    rf"(?P<a>{_ITEM}), (?P<b>{_ITEM}),? (?P<and>and|or) (?P<c>{_ITEM})(?=[.;]|$)"
)
_SPLIT_AND: Final = re.compile(
    r"^(?P<subject>(?:She|He|The patient|Patient|Mr\. \w+|Ms\. \w+|Mrs\. \w+) )"
    r"(?P<one>[^,;]{12,}?),? and (?P<two>(?:has"
    r"|is|was|had|denies|reports|states|does|will|takes|did|notes)\b[^;]{8,})$"
)
_SUBJECT: Final = re.compile(r"^(?:The patient|Patient|She|He)\b(?= [a-z]+)")
_HIS: Final = re.compile(r"\b(?:The patient|the patient)(?:'s)?\b(?= [a-z])")
_DIGIT: Final = re.compile(
    r"(?<![\w.,/:#-])(?P<n>[2-9]|1[0-2]) (?=(?:days?|weeks?|months?|years?|hours?|times)\b)"
)
_WORD: Final = re.compile(
    r"\b(?P<n>two|three|four|five|six|seven|eight|nine|ten)(?= (?:days?|weeks?|months?|years?|hours?|times)\b)",
    re.I,
)
_MG: Final = re.compile(r"(?<=\d) ?(?P<u>mg|cm|mm|kg|mcg|lbs)\b(?!/)")
_UNIT_WORDS: Final = {
    "mg": "milligrams",
    "cm": "centimeters",
    "mm": "millimeters",
    "kg": "kilograms",
    "mcg": "micrograms",
    "lbs": "pounds",
}
_DECIMAL: Final = re.compile(
    r"(?<![\w.,/-])(?P<n>\d{2,3}\.[1-46-9])(?= ?(?:%|percent|mg/dL|kg|pounds|degrees|cm|inches))"
)
_WEEKS: Final = re.compile(
    r"(?<![\w.,/-])(?<!to )(?<!or )(?P<n>[2-8]|two|three|four|six)(?P<gap>[ -])weeks?(?= (?:ago|later)|[.,])"
)
_LEAD: Final = re.compile(
    r"^(?P<lead>(?:At this time|Today|Currently|Overall|Additionally|Otherwise|Presently|In addition), )(?P<rest>.+)$"
)
_BECAUSE: Final = re.compile(
    r"^(?P<a>[A-Z][^,;.]{15,}?),? (?P<link>because|when|since|if|but|so|while) (?P<b>[^;.]{15,})\.$"
)
_NEGATED: Final = (
    (re.compile(r"\b[Dd]enies any\b"), "denies"),
    (re.compile(r"\bdenies (?!any\b)"), "does not report "),
    (re.compile(r"\bdenied (?!any\b)"), "did not report "),
    (re.compile(r"^No (?=[a-z]+(?: [a-z]+)?(?:\.|,))"), "There is no "),
    (re.compile(r"\bnegative for\b"), "without"),
    (re.compile(r"\bis not\b"), "isn't"),
    (re.compile(r"\bdoes not\b"), "doesn't"),
    (re.compile(r"\bdid not\b"), "didn't"),
    (re.compile(r"\bhas no\b"), "does not have any"),
)

_Told = tuple[str, str]


def faithful_of(note: Note, rng: random.Random) -> Iterator[Swap]:
    """The tellings that fit each sentence of at least four words; `kind` is faithful, `how` the way it is told."""
    for start, end in sentences(note.text):
        sentence = note.text[start:end]
        if len(sentence.split()) < 4 or len(sentence) > 600:
            continue
        for how, claim in _tellings(sentence, rng):
            yield Swap("faithful", how, note, start, end, claim)
    yield from _across(note, rng)


def _tellings(sentence: str, rng: random.Random) -> Iterator[_Told]:
    yield "verbatim", sentence
    for make in _MAKERS:
        yield from (told for told in make(sentence, rng) if told[1] != sentence)


def _across(note: Note, rng: random.Random) -> Iterator[Swap]:
    """Sentences of the note in another order, and two that follow each other run together."""
    spans = [span for span in sentences(note.text) if 4 <= len(note.text[slice(*span)].split()) <= 40]
    if len(spans) < 3:
        return
    chosen = rng.sample(spans, min(4, len(spans)))
    yield Swap(
        "faithful", "reordered", note, *chosen[0], " ".join(note.text[slice(*span)] for span in chosen)
    )
    at = rng.randrange(len(spans) - 1)
    (start, end), (after, last) = spans[at], spans[at + 1]
    one, two = note.text[start:end], note.text[after:last]
    if (
        one.endswith(".")
        and two[:1].isupper()
        and two.split()[0] in ("She", "He", "The", "Her", "His", "There")
    ):
        yield Swap("faithful", "joined", note, start, last, f"{one[:-1]}, and {two[0].lower()}{two[1:]}")


def _subject(sentence: str, rng: random.Random) -> Iterator[_Told]:
    match = _SUBJECT.match(sentence)
    if match is not None:
        other = "This patient" if match.group() in ("She", "He") else rng.choice(("She", "He"))
        yield "pronoun", other + sentence[match.end() :]


def _shortened(sentence: str, _rng: random.Random) -> Iterator[_Told]:
    told = sentence
    for long, short in _SHORT:
        told = re.sub(rf"\b{long}\b", short, told, flags=re.I)
    yield "shortened", told


def _numbers(sentence: str, _rng: random.Random) -> Iterator[_Told]:
    yield "number as a word", _DIGIT.sub(lambda m: _SPELLED[int(m["n"])] + " ", sentence)
    yield "number as digits", _WORD.sub(lambda m: str(NUMBER_WORDS[m["n"].lower()]), sentence)
    yield "unit spelled", _MG.sub(lambda m: " " + _UNIT_WORDS[m["u"]], sentence)
    yield "rounded", _DECIMAL.sub(lambda m: f"about {round(float(m['n']))}", sentence, count=1)
    yield "weeks as days", _WEEKS.sub(_in_days, sentence, count=1)


def _in_days(match: re.Match[str]) -> str:
    number = match["n"].lower()
    weeks = int(number) if number.isdigit() else NUMBER_WORDS[number]
    return f"{weeks * 7}{match['gap']}days"


def _lists(sentence: str, _rng: random.Random) -> Iterator[_Told]:
    yield "list reordered", _AND_LIST.sub(r"\g<lead>\g<c>, \g<a>, \g<and> \g<b>", sentence, count=1)


def _split(sentence: str, _rng: random.Random) -> Iterator[_Told]:
    match = _SPLIT_AND.match(sentence)
    if match is not None:
        yield "split", f"{match['subject']}{match['one']}. {match['subject']}{match['two']}"
        yield "split, one half", f"{match['subject']}{match['two']}"


def _moved(sentence: str, _rng: random.Random) -> Iterator[_Told]:
    match = _LEAD.match(sentence)
    if match is not None:
        rest = match["rest"]
        lead = match["lead"][:1].lower() + match["lead"][1:-2]
        yield "clause moved", f"{rest[0].upper()}{rest[1:].rstrip('.')} {lead}."
    match = _BECAUSE.match(sentence)
    if match is not None and match["link"] in ("because", "when", "since", "if", "while"):
        first = match["a"][0].lower() + match["a"][1:]
        yield "clause moved", f"{match['link'].capitalize()} {match['b']}, {first}."


def _negated(sentence: str, _rng: random.Random) -> Iterator[_Told]:
    for pattern, other in _NEGATED:
        told, count = pattern.subn(other, sentence, count=1)
        if count:
            yield "negation told otherwise", told
            return


_MAKERS: Final[tuple[Callable[[str, random.Random], Iterator[_Told]], ...]] = (
    _subject,
    _shortened,
    _numbers,
    _lists,
    _split,
    _moved,
    _negated,
)

"""Two drugs that the text has taken hours apart: what one does to the other's absorption does not happen.

Read are a stated gap ("at least 4 hours apart", "2 hours before", "not within 4 hours of") in a sentence that speaks of
one of the two, and two single times of day that lie apart ("in the morning", "at bedtime"). Not read: clock times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.clinical.number import number_words
from attending.guardrails.clinical.sentence import sentences

_WORDS: Final = number_words("one two three four five six eight twelve")
_N: Final = rf"\d{{1,2}}(?:\.5)?|{'|'.join(_WORDS)}"
_HOURS: Final = rf"(?P<n>{_N})(?: ?(?:-|to|or) ?(?:{_N}))?[ -]?(?:hours?|hrs?|h)\b"
_GAP: Final = re.compile(
    rf"\b{_HOURS}(?=[^.;\n]{{0,12}}\b(?:apart|away|after|before|later|earlier|between|from (?:each|the|any"
    rf"|every)|gap|separat\w+|spac\w+))"
    rf"|\b(?:separat\w+|spac\w+|gap|apart|interval)\b[^.;\n\d]{{0,60}}{_HOURS.replace('<n>', '<n2>')}",
    re.I,
)
_WITHIN: Final = re.compile(
    rf"\b(?:not|never|avoid|don't)\b[^.;\n]{{0,60}}\bwithin (?:about )?{_HOURS}", re.I
)
_BOTH: Final = re.compile(r"\b(?:them|both|the two|these|each other|(?:the|your) doses|it)\b", re.I)
_MORNING: Final = re.compile(r"\b(?:morning|breakfast|waking|awakening|mane|a\.?m\.?)\b", re.I)
_EVENING: Final = re.compile(
    r"\b(?:bed ?time|night(?:ly)?|nocte|evening|dinner|supper|q?hs|p\.?m\.?)\b", re.I
)


def apart(case: Case, first: Exposure, second: Exposure, hours: Decimal) -> bool:
    """True where the output has the two taken at least `hours` apart."""
    return any(gap >= hours for gap in _gaps(case, first, second)) or _times_of_day(case, first, second)


def _gaps(case: Case, first: Exposure, second: Exposure) -> Iterator[Decimal]:
    text = case.judged.output
    spans = [
        statement.mention.span
        for statement in case.output.statements
        if {first.drug, second.drug} & {*statement.mention.drugs, statement.mention.drug_class}
    ]
    short = re.compile(rf"\b(?:{'|'.join(sorted(_short_names(first.drug, second.drug)))})\b", re.I)
    for sentence in sentences(text, semicolons=True):
        part = text[sentence.start : sentence.end]
        named = any(sentence.start <= span.start < sentence.end for span in spans) or short.search(part)
        if not named and not _BOTH.search(part):
            continue
        for pattern in (_GAP, _WITHIN):
            for match in pattern.finditer(part):
                told = match["n"] or match.groupdict().get("n2") or ""
                yield Decimal(_WORDS.get(told.lower(), 0) or told)


def _short_names(*drugs: str) -> set[str]:
    """How a text goes on to call a salt: "your calcium" for calcium carbonate, "the iron" for a ferrous salt."""
    return {re.escape(drug.split()[0]) for drug in drugs} | {
        "iron" for drug in drugs if drug.startswith(("ferrous", "ferric"))
    }


def _times_of_day(case: Case, first: Exposure, second: Exposure) -> bool:
    times = [_moments(case, exposure.drug) for exposure in (first, second)]
    return {"morning"} in times and {"evening"} in times


def _moments(case: Case, drug: str) -> set[str]:
    """The parts of the day in which the output gives a drug; `other` where it does not say for each of its doses."""
    found: set[str] = set()
    for statement in case.output.statements:
        if drug not in statement.mention.drugs or not statement.scope.prescriptive:
            continue
        frequency = statement.frequency
        words = frequency.text if frequency is not None else ""
        once = frequency is not None and (frequency.times_per_day is None or frequency.times_per_day <= 1)
        if once and _MORNING.search(words) and not _EVENING.search(words):
            found.add("morning")
        elif once and _EVENING.search(words) and not _MORNING.search(words):
            found.add("evening")
        else:
            found.add("other")
    return found

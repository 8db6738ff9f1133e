"""Two drugs that the text has taken hours apart: what one does to the other's absorption does not happen.

Read are a stated gap ("at least 4 hours apart", "45 minutes before", "not within 4 hours of") in a sentence that
speaks of one of the two, two single times of day that lie apart ("in the morning", "at bedtime"), and clock times of
every dose of both ("8 am + 8 pm" and "1 pm"), which stand behind the drug or begin its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import times_per_day
from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.clinical.number import number_words
from attending.guardrails.clinical.sentence import sentence_around, sentences

_WORDS: Final[dict[str, int | Decimal]] = {
    **number_words("one two three four five six eight twelve"),
    "an": 1,
    "half an": Decimal("0.5"),
}
_N: Final = rf"\d{{1,2}}(?:\.5)?|{'|'.join(_WORDS)}"
_HOURS: Final = (
    rf"(?P<n>{_N}|30|45|60|90|half an|an)(?: ?(?:-|to|or) ?(?:{_N}|45|60|90))?"
    r"[ -]?(?:hours?|hrs?|h|(?P<m>min(?:ute)?s?))\b"
)
_HOURS_BEHIND: Final = _HOURS.replace("<n>", "<n2>").replace("<m>", "<m2>")
_GAP: Final = re.compile(
    rf"\b{_HOURS}(?=[^.;\n]{{0,12}}\b(?:apart|away|after|before|later|earlier|between|from (?:each|the|any"
    rf"|every)|gap|separat\w+|spac\w+))"
    rf"|\b(?:separat\w+|spac\w+|gap|apart|interval)\b[^.;\n\d]{{0,60}}{_HOURS_BEHIND}",
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
    return (
        any(gap >= hours for gap in _gaps(case, first, second))
        or _times_of_day(case, first, second)
        or _clock_times(case, first, second, hours)
    )


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
                groups = match.groupdict()
                told = (groups["n"] or groups.get("n2") or "").lower()
                number = Decimal(_WORDS.get(told, 0) or told)
                yield number / 60 if groups["m"] or groups.get("m2") else number


def _short_names(*drugs: str) -> set[str]:
    """How a text goes on to call a salt: "your calcium" for calcium carbonate, "the iron" for a ferrous salt."""
    return {re.escape(drug.split()[0]) for drug in drugs} | {
        "iron" for drug in drugs if drug.startswith(("ferrous", "ferric"))
    }


def _times_of_day(case: Case, first: Exposure, second: Exposure) -> bool:
    times = [_moments(case, exposure.drug) for exposure in (first, second)]
    return {"morning"} in times and {"evening"} in times


_CLOCK: Final = re.compile(
    r"(?<![\d.:/])(?:(?P<h>1[0-2]|0?[1-9])(?:[:.](?P<m>[0-5]\d))? ?(?P<half>[ap])\.?m\b\.?"
    r"|(?P<h24>[01]?\d|2[0-3])[:.](?P<m24>[0-5]\d)(?!\d| ?(?:mg|g|mcg|ml|units?|%))(?: ?h(?:rs)?\b)?"
    r"|(?P<h4>[01]\d|2[0-3])(?P<m4>[0-5]\d) ?(?:h|hrs|hours)\b|\b(?P<word>noon|midday|midnight)\b"
    r"|\b(?P<h6>1[0-2]|[1-9]) (?:o'?clock )?(?:in the |at )(?P<day>morning|afternoon|evening|night)\b)",
    re.I,
)
_HEADS_ITS_LINE: Final = re.compile(r"[\W\d_]*\Z")


def _clock_times(case: Case, first: Exposure, second: Exposure, hours: Decimal) -> bool:
    one, other = (_on_the_clock(case, exposure.drug) for exposure in (first, second))
    if not one or not other:
        return False
    apart_by = (abs(a - b) for a in one for b in other)
    return all(min(gap, 24 - gap) >= hours for gap in apart_by)


def _on_the_clock(case: Case, drug: str) -> set[Decimal]:
    """Hours of the day of every dose of a drug; empty where one of its doses has no clock time."""
    found: set[Decimal] = set()
    untimed = False
    text = case.judged.output
    starts = case.mention_starts()
    for statement in case.output.statements:
        if drug not in statement.mention.drugs or not statement.scope.prescriptive:
            continue
        span = statement.mention.span
        sentence = sentence_around(text, span.start, span.end, semicolons=True)
        following = next((start for start in starts if start > span.start), sentence.end)
        times = _times(text, span.end, min(sentence.end, following))
        if not times:
            head = _CLOCK.search(text, sentence.start, span.start)
            if head is not None and _HEADS_ITS_LINE.fullmatch(text[sentence.start : head.start()]):
                times = _times(text, head.start(), head.end())
        if not times and statement.clause.start >= span.end:
            times = _times(text, statement.clause.start, statement.clause.end)
        if times:
            found |= times
        elif (times_per_day(statement.frequency) or 0) > 1:
            return set()
        elif statement.dose is not None:
            untimed = True
    if untimed and len(found) != 1:
        return set()  # one time told apart is that of a dose a day; of several, it is not known which
    return found or _by_short_name(text, drug, starts)


def _by_short_name(text: str, drug: str, starts: list[int]) -> set[Decimal]:
    """The clock times behind the short name of a salt: "move your iron tablet to 2 in the afternoon"."""
    found: set[Decimal] = set()
    for match in re.finditer(rf"\b(?:{'|'.join(sorted(_short_names(drug)))})\b", text, re.I):
        sentence = sentence_around(text, match.start(), match.end(), semicolons=True)
        following = next((start for start in starts if start > match.start()), sentence.end)
        found |= _times(text, match.end(), min(sentence.end, following))
    return found


_ANOTHER: Final = re.compile(
    r"\b(?:and|then|with) (?:the |your |his |her )?(?:iron|calcium|magnesium|zinc|antacids?)\b", re.I
)
"""Where the times of a salt called by its short name begin: "levofloxacin at 08:00 and iron at 14:00"."""


def _times(text: str, start: int, end: int) -> set[Decimal]:
    found: set[Decimal] = set()
    another = _ANOTHER.search(text, start, end)
    for match in _CLOCK.finditer(text, start, another.start() if another is not None else end):
        if match["word"]:
            found.add(Decimal(0 if match["word"].lower() == "midnight" else 12))
            continue
        hour = Decimal(match["h"] or match["h24"] or match["h4"] or match["h6"])
        half = match["half"] or (match["day"] and ("a" if match["day"].lower() == "morning" else "p"))
        if half:
            hour = hour % 12 + (12 if half.lower() == "p" else 0)
        found.add(hour + Decimal(match["m"] or match["m24"] or match["m4"] or 0) / 60)
    return found


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

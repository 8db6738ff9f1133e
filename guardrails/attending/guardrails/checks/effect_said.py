"""Whether a text speaks of what a moderate pair of drugs does: its effect is watched for, or its reader is told of it.

A moderate interaction asks for no other drug; the sources ask that it be known and watched. "Ibuprofen adds a little to
the bleeding risk of sertraline", "report black stools", "repeat ECG if a further QT drug is added" do that. The word of
the effect counts in a sentence that names one of the two drugs or tells somebody to watch, check or report; anywhere
else it may be of another thing. Words that deny the effect, or have nobody watch ("no bleeding risk", "the two do not
interact", "no need to report bruising"), tell of nothing. Not for what is major: of that, words alone are no answer
(`managed`).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from attending.guardrails.checks.amounts import interval_hours
from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.knowledge.facts import Interaction

_LEVEL: Final = (
    r"levels?|troughs?|concentrations?|rais(?:es?|ed|ing)|increas(?:es?|ed|ing)|lower(?:s|ed|ing)?|reduc(?:es?|ed"
    r"|ing|tion)|halv\w+|half|doubl\w+|less effective|strengthen\w*|weaken\w*|amount of"
)
_SAID: Final = {
    mechanism: re.compile(rf"\b(?:{words})\b", re.I)
    for mechanism, words in {
        "bleed": r"bleed\w*|blood loss|bruis\w+|black (?:or tarry )?(?:stools?|poo)|tarry|mel(?:a|e)na|melaena|inrs?",
        "inr": r"inrs?|prothrombin|bleed\w*|bruis\w+",
        "qt": r"qtc?|ecgs?|ekgs?|palpitations?|arrhythmia\w*",
        "arrhythmia": r"qtc?|ecgs?|ekgs?|palpitations?|arrhythmia\w*|pulse|heart rate",
        "sedation": r"drows\w+|sleep(?:y|iness)|sedat\w+|groggy|unsteady|falls?|driv(?:e|ing)|breathing|respiratory",
        "nervous depression": r"drows\w+|sleep(?:y|iness)|sedat\w+|breathing|respiratory",
        "respiratory": r"drows\w+|sleep(?:y|iness)|sedat\w+|breathing|respiratory",
        "hypoglycemia": r"glucose|sugars?|hypos?|hypogly\w+",
        "rhabdomyolysis": r"muscles?|ck|myopath\w+|myalgia\w*|dark urine|rhabdo\w*",
        "myopathy": r"muscles?|ck|myopath\w+|myalgia\w*|dark urine|rhabdo\w*",
        "serotonin": r"serotonin\w*|serotonergic|agitat\w+|shivering|clonus",
        "kidney": r"kidneys?|renal|creatinine|egfr|u&es?|bmp",
        "hyperkalemia": r"potassium|k\+?|u&es?|bmp|electrolytes",
        "hypokalemia": r"potassium|k\+?|u&es?|bmp|electrolytes",
        "bradycardia": r"pulse|heart rate|hr|ecgs?|bradycard\w+|dizz\w+|faint\w*",
        "conduction": r"pulse|heart rate|hr|ecgs?|bradycard\w+|dizz\w+|faint\w*",
        "heart block": r"pulse|heart rate|hr|ecgs?|bradycard\w+|dizz\w+|faint\w*",
        "hypotension": r"blood pressure|bp|dizz\w+|light-?headed\w*|faint\w*|get up slowly|hypotension",
        "hypertension": r"blood pressure|bp|hypertension",
        "bone marrow": r"fbc|cbc|blood counts?|full blood count|white cells?|neutrophils?|marrow",
        "seizure": r"seizures?|fits?|convulsions?",
        "colchicine": r"colchicine levels|muscles?|weakness|diarrh\w+|dose of colchicine",
        "level": _LEVEL,
        "change": _LEVEL,
        "decrease": _LEVEL,
        "toxicity": rf"{_LEVEL}|toxic\w*",
    }.items()
}
"""Part of a mechanism's name -> words by which a text speaks of it."""
_PAIR_SAID: Final = re.compile(
    r"\b(?:interact\w*|(?:the|this|that) combination|additive|adds? (?:a little |slightly )?to|potentiat\w*|boosts?"
    r"|inhibits?|induc(?:es?|ed|ing)|interferes?|risks?"
    r"|(?:rais|lower|increas|reduc)(?:es?|s|ed|ing)? (?:\W*\w+){0,3}?\W*(?:levels?|concentrations?|effects?|exposure"
    r"|absorption|amounts?))\b",
    re.I,
)
"""How a sentence that names both drugs tells of the one's effect on the other. "Together", "in combination" and
"increased" alone are how both are ordered."""
_TAKEN_FOR: Final = re.compile(r"\bfor (?:[\w'\u2019-]+ ){0,2}$", re.I)
_DENIED: Final = re.compile(
    r"\b(?:no|nobody|nil|not|never|without|nor|neither|none|nothing|hardly|\w+n['\u2019]t|cannot|needless|unnecessary|ignor\w+"
    r"|safe(?:ly)?|fine|harmless|negligible|free (?:of|from)|rule[sd] out|zero|skip\w*|forget\w*|disregard\w*"
    r"|worry|worries|myth)\b",
    re.I,
)
"""A clause with such a word tells nobody of an effect, and has nobody watch for it."""
_CLAUSE_END: Final = re.compile(r"[;:,()\u2013\u2014]|\b(?:but|so|and|because|although|though|while)\b", re.I)
_WATCHED: Final = re.compile(
    r"\b(?:watch\w*|monitor\w*|check\w*|repeat\w*|re-?check\w*|review\w*|report\w*|ring|call|tell|phone|stop|look(?:ing)?"
    r" out|warn\w*|advis\w+|told|knows?|explain\w*|discuss\w*|counsel\w*|aware|ask about|keep|target|acceptable"
    r"|accepted)\b",
    re.I,
)


_SOON: Final = (
    r"(?:(?:in|at|after|within|every|before|until) (?:\w+ ){0,2}?(?:(?:\d{1,2}|one|two|three|four|six|a|a few)[ -]"
    r"(?:\d{1,2} )?(?:hours?|h|days?|d)|(?:[1-6]|one|two|three|four|six|a|a few)[ -](?:\d )?(?:weeks?|wks?)"
    r"|(?:a|one|1)[ -]month)|daily|weekly|monthly|fortnightly|tomorrow|next (?:week|month|visit|clinic)"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day|day \d|same[- ]day)\b"
)
"""A time within which what two new drugs do together is still found in time."""
_TESTS: Final = (
    r"(?:bloods?|labs?|blood tests?|blood counts?|u&es?|bmp|cmp|electrolytes|creatinine|egfr|potassium|sodium|glucose"
    r"|sugars?|inrs?|ecgs?|ekgs?|qtc?|fbc|cbc|lfts?|troughs?|levels?|bp"
    r"|blood pressure|pulse|heart rate|weight|kidney function|renal function|liver function)"
)
_AILS: Final = (
    r"(?:unwell|worse\w*|symptoms?|side[- ]effects?|reactions?|changes? (?:of|in)|fever\w*|breath\w*|dizz\w*|faint\w*"
    r"|bleed\w*|bruis\w*|rash\w*|sw[eo]ll\w*|vision|sight|sleep(?:y|iness)|drows\w*|confus\w*|vomit\w*|diarrh\w*|jaundice"
    r"|yellow|palpitations?|weak\w*|falls?|fits?|seizures?|headaches?|stools?|urine|cough|chest|muscles?|pain)"
)
_LOOKED_AT: Final = re.compile(rf"\b{_TESTS}\b", re.I)
_ASKED_ABOUT: Final = re.compile(rf"\b(?:if|when(?:ever)?|for|about|of)\b[^.;\n]{{0,80}}?\b{_AILS}\b", re.I)
_TIMED: Final = re.compile(rf"\b{_SOON}", re.I)
_PLANNED: Final = re.compile(
    rf"\b{_TESTS}\b[^.;\n]{{0,30}}?\b{_SOON}"
    r"|(?<!physio )(?<!dental )(?<!dentist )(?<!wound )(?<!dressing )(?<!eye )(?<!hearing )(?<!scan )\b(?:review(?:ed)?"
    r"|follow-?up|clinic|appointment|visit|rtc|phone call|re-?check(?:ed)?|see (?:you|him|her|them))"
    r"(?:,|:)?(?: (?:you|him|her|them|this|it|all|here|me|us|with|by|in|the|your|his|gp|clinic|visit|appointment|again"
    rf"|booked|back|will|be|is|due)){{0,5}}?,?:? {_SOON}",
    re.I,
)
"""A test or a visit with its time, without a verb: "bloods in a week", "review in clinic in two weeks"."""
_NOT_BY_LOOKING: Final = ("respiratory", "nervous depression")
"""Effects that nobody is looked at in time for."""
_WEEK_HOURS: Final = 168
_HOURS_TOLD: Final = re.compile(
    r"\b(?:[01]?\d|2[0-3]):[0-5]\d\b|\bnoon\b|\bhours? (?:apart|before|after|between)\b|\bapart\b", re.I
)


def followed(case: Case, first: Exposure, second: Exposure, facts: Sequence[Interaction]) -> bool:
    """True where the output has the patient looked at again within weeks: a test or a review with its time, or a call
    for what ails.

    A moderate interaction asks for no more than that: neither another drug nor another dose. A text that plans nothing
    for afterwards leaves it open, and so does one about something else ("call if you need a note for work").
    """
    if any(part in (fact.mechanism or "").lower() for fact in facts for part in _NOT_BY_LOOKING):
        return False
    daily = all(_hours(exposure) < _WEEK_HOURS for exposure in (first, second))
    if (
        daily
        and case.knowledge.spaced_hours(first.drug, second.drug) is not None
        and _HOURS_TOLD.search(case.judged.output) is None
    ):
        return False  # what one binds of the other only hours between them prevent; once a week they are

    def asked() -> bool:
        text = _without_names(case, 0, len(case.judged.output))
        return any(
            _ASKED_ABOUT.search(said) or (_LOOKED_AT.search(said) and _TIMED.search(said))
            for said in _watching(case)
        ) or any(
            _owned(match, around.start, around.end)
            for match in _PLANNED.finditer(text)
            for around in (sentence_around(text, match.start(), match.end(), semicolons=True),)
        )

    return case.once("followed", asked)


def _hours(exposure: Exposure) -> int:
    hours = interval_hours(exposure.statement.frequency) if exposure.statement is not None else None
    return 0 if hours is None else round(hours)


def effect_said(case: Case, first: Exposure, second: Exposure, facts: Sequence[Interaction]) -> bool:
    """True where the output tells of what the two drugs do together, or has the effect watched for."""
    effects = [
        words
        for fact in facts
        for part, words in _SAID.items()
        if fact.mechanism is not None and part in fact.mechanism.lower()
    ]
    one, other = _sentences(case, first), _sentences(case, second)
    if any(_owned(match) for said in one & other for match in _PAIR_SAID.finditer(said)):
        return True
    return any(
        _watched_for(case, words) or _told_of(case, words, first) or _told_of(case, words, second)
        for words in effects
    )


def _watched_for(case: Case, words: re.Pattern[str]) -> bool:
    """Whether somebody watches for an effect, whichever pair has it."""
    return case.once(
        ("watched for", words),
        lambda: any(_owned(match) for said in _watching(case) for match in words.finditer(said)),
    )


def _told_of(case: Case, words: re.Pattern[str], exposure: Exposure) -> bool:
    """Whether a sentence that names the drug tells of an effect, whichever pair has it."""
    return case.once(
        ("told of", words, exposure.drug),
        lambda: any(_tells(words, said) for said in _sentences(case, exposure)),
    )


def _tells(words: re.Pattern[str], said: str) -> bool:
    """Whether an effect stands there otherwise than as what a drug is taken for ("lisinopril for blood pressure")."""
    return any(
        _TAKEN_FOR.search(said, 0, match.start()) is None and _owned(match) for match in words.finditer(said)
    )


def _owned(match: re.Match[str], start: int = 0, end: int | None = None) -> bool:
    """Whether the sentence means what it says there: no word of denial before it, nor behind it in its clause. The
    sentence goes from `start` to `end` in the text of the match, all of it unless told."""
    said, end = match.string, len(match.string) if end is None else end
    clause = _CLAUSE_END.search(said, match.end(), end)
    return _DENIED.search(said, start, clause.start() if clause is not None else end) is None


def _sentences(case: Case, exposure: Exposure) -> frozenset[str]:
    """The sentences of the output that name the drug of an exposure."""

    def asked() -> frozenset[str]:
        text = case.judged.output
        found = set()
        for statement in case.output.statements:
            if exposure.drug in statement.mention.drugs:
                span = statement.mention.span
                around = sentence_around(text, span.start, span.end)
                found.add(_without_names(case, around.start, around.end))
        return frozenset(found)

    return case.once(("sentences naming", exposure.drug), asked)


def _without_names(case: Case, start: int, end: int) -> str:
    """A part of the output without the names of its drugs: "potassium citrate" says nothing of the potassium."""
    text = case.judged.output[start:end]
    spans = case.once(
        "names of drugs",
        lambda: sorted({(s.mention.span.start, s.mention.span.end) for s in case.output.statements}),
    )
    # Names do not overlap: in order of their starts is in order of their ends.
    inside = slice(bisect_right(spans, start, key=itemgetter(1)), bisect_left(spans, (end, 0)))
    for begins, ends in spans[inside]:
        low, high = max(0, begins - start), min(len(text), ends - start)
        text = text[:low] + "~" * (high - low) + text[high:]
    return text


def _watching(case: Case) -> tuple[str, ...]:
    """The sentences of the output in which somebody watches, checks or reports."""

    def asked() -> tuple[str, ...]:
        text = case.judged.output
        spans = dict.fromkeys(
            (around.start, around.end)
            for match in _WATCHED.finditer(text)
            for around in (sentence_around(text, match.start(), match.end()),)
            if _owned(match, around.start, around.end)
        )
        return tuple(_without_names(case, start, end) for start, end in spans)

    return case.once("sentences of watching", asked)


__all__ = ["effect_said", "followed"]

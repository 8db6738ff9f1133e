"""An interaction that the text manages as the labels ask: the dose lowered beforehand, and its level measured on a day.

"Warfarin reduced from 5 mg to 3.5 mg the day amiodarone was begun; INR on Friday, then weekly" is what the warfarin
label asks for, and no finding that interrupts. Read are drugs followed by an INR or a level. Both halves must be said:
a lower dose in a sentence that names the drug, and a measurement with its day. Not read: other ways to manage a
pair, and combinations that add to one another's harm instead of changing a level (warfarin with ibuprofen).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import exposure_amount
from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.finding import Scope, Severity
from attending.guardrails.knowledge.facts import Interaction

_LOWERED: Final = re.compile(
    r"\b(?:reduc\w+|lower\w*|halv\w+|decreas\w+|cut(?:ting)? (?:\w+ ){0,3}(?:by|from|back|down|to)|cut in half"
    r"|drop\w* (?:\w+ )?to|(?:brought|bring\w*|taken|taking|step\w*|turned) down|trimm\w+)\b",
    re.I,
)
_STEP: Final = re.compile(
    r"(?P<a>\d{1,4}(?:\.\d{1,3})?) ?(?:mg|mcg|micrograms?|g|units?)?[^.;\n\d]{0,15}?"
    r"(?:-{1,2}>|=>|\u2192|\bto\b|\bnow\b)"
    r" {0,2}(?P<b>\d{1,4}(?:\.\d{1,3})?) ?(?:mg|mcg|micrograms?|g|units?)\b"
    r"|(?P<b2>\d{1,4}(?:\.\d{1,3})?) ?(?:mg|mcg|micrograms?|g|units?)\b[^.;\n\d]{0,25}?"
    r"\b(?:was|were|previously|formerly|instead of|rather than|down from|from) (?P<a2>\d{1,4}(?:\.\d{1,3})?)\b",
    re.I,
)
"""A dose and the smaller one that takes its place: "6 mg -> 4 mg", "4 mg (was 6 mg)"."""
_BY_HOW_MUCH: Final = re.compile(
    r"\d ?(?:mg|micrograms?|mcg|%|per ?cent)|\b(?:half|halv\w+|third|quarter|dose)\b", re.I
)
_DAY: Final = (
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|(?:mon|tues?|weds?|thu(?:rs)?|fri|sat|sun)\b"
    r"|tomorrow|today|daily|weekly|(?:once|twice|\d ?x|three times) (?:a|per|each|weekly)?"
    r"|every (?:(?:other|few|two|three|four|\d) )?(?:days?|weeks?)|next week|\d{1,2} (?:jan|feb|mar|apr|may|jun"
    r"|jul|aug"
    r"|sep|oct|nov|dec)\w{0,6}"
    r"|(?:in|after|within|at|for) (?:\w+ )?(?:[12]?\d|3[01]|two|three|four|five|six|seven|ten)(?: ?(?:-"
    r"|to) ?\d{1,2})?"
    r"[ -](?:days?|d)\b|in (?:a|one|1|2|two) weeks?|this week|next week|days? \d|d\d|on the \d|\d{1,2}/\d{1,2}"
    r"|\d{1,2}(?:st|nd|rd|th)\b)"
)


@dataclass(frozen=True, slots=True)
class _Watched:
    """Drugs (or a class of them) whose effect is measured, and how the measurement is written."""

    drugs: tuple[str, ...]
    dated: re.Pattern[str]


def _dated(words: str) -> re.Pattern[str]:
    return re.compile(
        rf"\b(?:{words})\b(?:[^.;\n]|\.(?=\d)|; ?(?=repeat|re-?check|again)){{0,50}}?\b{_DAY}"
        rf"|\b{_DAY}[^.;\n]{{0,25}}?\b(?:{words})\b",
        re.I,
    )


_WATCHED: Final = (
    _Watched(
        ("vitamin_k_antagonist",), _dated("inrs?|prothrombin|(?:anticoagulation|coumadin|warfarin) clinic")
    ),
    _Watched(
        ("tacrolimus", "cyclosporine", "sirolimus", "everolimus"), _dated("levels?|troughs?|concentrations?")
    ),
    _Watched(("digoxin", "lithium", "phenytoin", "theophylline"), _dated("levels?|concentrations?")),
    _Watched(("sulfonylurea",), _dated("(?:blood |fasting )?(?:glucose|sugars?)|finger-?sticks?|smbg")),
)
_ADDS_TO_HARM: Final = (
    "nsaid", "antiplatelet", "p2y12", "anticoagulant", "thrombolytic", "ssri", "snri", "aspirin_like",
)  # fmt: skip


def managed(case: Case, first: Exposure, second: Exposure, facts: Sequence[Interaction]) -> bool:
    """True where the text lowers the dose of the one drug and has its level measured on a day it names.

    Never for a contraindicated pair, nor for one that must hold (`must_hold.tsv`): a person reads those, however well
    they are managed.
    """
    if any(
        f.severity is Severity.CONTRAINDICATED or f.provenance.rule_id.startswith("curated:must-hold")
        for f in facts
    ):
        return False
    induced = any(case.of_class(e.drug, "strong_cyp3a4_inducer") for e in (first, second))
    answered = _raised if induced else _lowered
    return any(
        _dated_measurement(case, watched) and answered(case, drug)
        for drug, watched in _sides(case, first, second)
    )


_ENOUGH_MG: Final = {"levonorgestrel": Decimal(3)}
"""The one dose that makes up for an enzyme inducer (FSRH guideline on emergency contraception, 2017)."""


def doubled(case: Case, first: Exposure, second: Exposure) -> bool:
    """True where the dose is the one asked for beside an inducer: levonorgestrel 3 mg once."""
    for one, other in ((first, second), (second, first)):
        enough = _ENOUGH_MG.get(one.drug)
        if enough is None or not case.of_class(
            other.drug, "strong_cyp3a4_inducer", "moderate_cyp3a4_inducer"
        ):
            continue
        amount = exposure_amount(one, case)
        if amount is not None and amount.unit == "mg" and amount.low >= enough:
            return True
    return False


def measured(case: Case, first: Exposure, second: Exposure) -> bool:
    """True where the text has the level or INR of one of the two measured, and says on which day or how often."""
    return any(_dated_measurement(case, watched) for _, watched in _sides(case, first, second))


def _sides(case: Case, first: Exposure, second: Exposure) -> list[tuple[str, _Watched]]:
    return [
        (one.drug, watched)
        for one, other in ((first, second), (second, first))
        for watched in _WATCHED
        if case.of_class(one.drug, *watched.drugs) and not case.of_class(other.drug, *_ADDS_TO_HARM)
    ]


def _dated_measurement(case: Case, watched: _Watched) -> bool:
    return case.once(watched.dated, lambda: watched.dated.search(case.judged.output) is not None)


_MORE: Final = re.compile(
    r"\b(?:(?:much |far |considerably )?(?:larger|higher|bigger|increased) doses?|rais(?:e|ed|ing)|increas(?:e"
    r"|ed|ing)"
    r"|doubl(?:e|ed|ing)|up-?titrat\w*|go(?:es|ing)? up)\b",
    re.I,
)


def _raised(case: Case, drug: str) -> bool:
    """Whether a sentence of the drug gives more of it, which an inducer asks for."""
    text = case.judged.output
    for statement in case.output.statements:
        if drug in statement.mention.drugs and statement.scope.prescriptive:
            span = statement.mention.span
            sentence = sentence_around(text, span.start, span.end, semicolons=False)
            if _MORE.search(text, sentence.start, sentence.end):
                return True
    return False


_NOT_NOW: Final = (Scope.AVOID, Scope.STOP, Scope.FAMILY, Scope.HISTORY)
_IT_LESS: Final = re.compile(
    r"[^.;\n]{0,60}?\b(?:reduc|lower|halv|cut|decreas)\w* (?:it|its dose|the dose)\b|[^.;\n]{0,60}?\b(?:it"
    r"|the dose|its dose)"
    r" (?:was|is|has been) (?:reduc|lower|halv|cut|decreas)\w*",
    re.I,
)
"""The next sentence, which lowers what the one before names: "we reduced it from 5 mg to 3.5 mg"."""


def _lowered(case: Case, drug: str) -> bool:
    text = case.judged.output
    for statement in case.output.statements:
        if drug not in statement.mention.drugs or statement.scope in _NOT_NOW:
            continue
        span = statement.mention.span
        sentence = sentence_around(text, span.start, span.end, semicolons=True)
        said = text[sentence.start : sentence.end]
        if (it := _IT_LESS.match(text, sentence.end)) is not None:
            said += text[it.start() : sentence_around(text, it.start(), it.end()).end]
        if (_LOWERED.search(said) and _BY_HOW_MUCH.search(said)) or _stepped_down(said):
            return True
    return False


def _stepped_down(said: str) -> bool:
    return any(
        Decimal(match["b"] or match["b2"]) < Decimal(match["a"] or match["a2"])
        for match in _STEP.finditer(said)
    )

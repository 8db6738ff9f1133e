"""Pregnancy by week of gestation, with its accepted uses, and breast-feeding.

A week that is not given is the strictest one, said in the finding and one rank milder where the rule holds for some
weeks only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import daily_total
from attending.guardrails.checks.case import Case, Exposure, lowered
from attending.guardrails.checks.conception import wish
from attending.guardrails.checks.patient_state import conditions_of
from attending.guardrails.clinical.person.counting import NW, number
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.knowledge.facts import PregnancyException, PregnancyRule

_FROM_WEEK: Final = re.compile(
    rf"\b(?:from|at|after|past|beyond|reach\w*|until|till)(?: (?:about|around|the end of|week))? (?:week )?{NW}"
    r"(?:\+\d)?(?: ?-?(?:weeks?|wks?|w)\b(?! (?:ago|of (?!preg|gest)))|(?= (?:and|onwards?)\b))",
    re.I,
)
"""The week of pregnancy a drug is to begin at: "aspirin from 12 weeks"."""
_NOT_FROM: Final = re.compile(
    r"(?:\b(?:not|never|avoid\w*|stop\w*|no longer|contra-?indicated|unsafe|except|discontinu\w*|ends?|change[ds]?"
    r"|switch\w*)|n['\u2019]t)\b[^.;\n]{0,30}\Z",
    re.I,
)
"""Before the week from which a drug is not given: "would not use from 38 weeks on"."""
_UNTIL_THEN: Final = re.compile(r"\b(?:until|till)\b", re.I)
_BIRTH: Final = (
    r"(?:delivery|the (?:birth|delivery|baby is (?:born|here|out)|baby arrives)|birth|post[- ]?partum|post-?natal\w*"
    r"|she (?:has )?deliver(?:s|ed)|you (?:have |'ve )?deliver(?:ed)?|(?:she|you) (?:gives?|have given"
    r"|has given) birth)"
)
_BORN_BEFORE: Final = re.compile(
    rf"\b(?:(?:after|once|following|when) {_BIRTH}|post[- ]?partum)\b[^.;\n]{{0,30}}$", re.I
)
_BORN_AFTER: Final = re.compile(
    r"[^.;,\n]{0,24}?\b(?:(?:will|is to|to|can|may|should|could) (?:only )?(?:be )?(?:re-?start\w*"
    r"|resum\w*|start\w*|beg[iu]n\w*"
    r"|go back on)|waits?|re-?starts?|resumes?|is for|only)"
    rf"[^.;,\n]{{0,24}}?\b(?:(?:after|once|following|when|until) {_BIRTH}|post[- ]?partum)\b"
    r"|[^.;,\n]{0,24}?\b(?:is|are|would be) (?:an? |the |fine |safe |ok )?(?:\w{1,12} )?(?:option|choice|alternative)?"
    r" ?(?:if|when|once|while)(?: (?:you|she)(?:'re|\u2019re| is| are|'s)?)? (?:nursing|breast-?feeding|lactating)\b",
    re.I,
)
"""A drug that is for after the birth."""
_SMALL_DOSE: Final = re.compile(r"(?:low[- ]dose|baby) ", re.I)


def _begins(case: Case, exposure: Exposure, weeks: Decimal | None) -> Decimal | None:
    """The week from which the drug is given: a later one that its sentence names, else the present one."""
    text, span = case.judged.output, exposure.span
    if exposure.origin != "output":
        return weeks
    around = sentence_around(text, span.start, span.end, semicolons=True, reach=120)
    ends = (span.end, min(around.end, span.end + 70)), (max(around.start, span.start - 40), span.start)
    for low, high in ends:
        match = _FROM_WEEK.search(text, low, high)
        if match is None or _UNTIL_THEN.match(match.group()) is not None:
            continue
        if _NOT_FROM.search(text, max(around.start, match.start() - 40), match.start()) is not None:
            continue
        if any(low < other.span.start < match.start() for other in case.given if low == span.end):
            continue  # the week of another drug
        week = number(match.group(1).lower())
        if 4 <= week <= 42 and (week > weeks if weeks is not None else week >= 10):
            return week
    return weeks


_LOCAL_TOO: Final = frozenset(
    {"podofilox", "tazarotene", "fluorouracil", "dutasteride", "methyl aminolevulinate"}
)


def _harms_locally(case: Case, exposure: Exposure) -> bool:
    """A drug whose label forbids it in pregnancy by any route, and a live vaccine, which multiplies wherever given."""
    return exposure.drug in _LOCAL_TOO or case.of_class(exposure.drug, "live_vaccine")


def _after_birth(case: Case, exposure: Exposure) -> bool:
    text, span = case.judged.output, exposure.span
    if exposure.origin != "output":
        return False
    around = sentence_around(text, span.start, span.end, semicolons=True, reach=120)
    return (
        _BORN_BEFORE.search(text, around.start, span.start) is not None
        or _BORN_AFTER.match(text, span.end, around.end) is not None
    )


def pregnancy(case: Case) -> Iterator[Finding]:
    now = case.context.pregnancy_weeks
    if case.context.sex == "male":
        return
    if case.context.pregnant is False or (case.context.pregnant is None and now is None):
        yield from _before_conception(case)
        return
    for exposure in case.unique_given():
        if case.is_local(exposure) and not _harms_locally(case, exposure):
            continue
        if _after_birth(case, exposure):
            continue
        weeks = _begins(case, exposure, now)
        cap = _accepted(case, exposure, weeks)
        best: Finding | None = None
        for rule in case.knowledge.pregnancy_rules(exposure.drug):
            severity = _in_week(rule, weeks)
            if severity is None:
                continue
            if not exposure.new and severity is not Severity.CONTRAINDICATED:
                severity = lowered(severity)
            if cap is not None and severity.rank > cap.rank:
                severity = cap
            if best is not None and severity.rank <= best.severity.rank:
                continue
            when = f"at {weeks.normalize():f} weeks" if weeks is not None else "in pregnancy, week not given"
            best = case.finding(
                Code.PREGNANCY, exposure, severity, rule.provenance, f"{exposure.drug} {when}"
            )
        if best is not None:
            yield best


def _before_conception(case: Case) -> Iterator[Finding]:
    """A drug contraindicated in pregnancy, given to somebody who tries to conceive."""
    if wish(case) is None:
        return
    for exposure in case.unique_given():
        if case.is_local(exposure) or case.knowledge.conception_waits(exposure.drug):
            continue
        for rule in case.knowledge.pregnancy_rules(exposure.drug):
            if rule.severity is Severity.CONTRAINDICATED and rule.from_week is None:
                yield case.finding(
                    Code.PREGNANCY,
                    exposure,
                    Severity.MODERATE,
                    rule.provenance,
                    f"{exposure.drug} in somebody who tries to conceive",
                )
                break


def lactation(case: Case) -> Iterator[Finding]:
    """A drug started or kept by a patient who breast-feeds; one rank lower where it is merely kept."""
    if not case.context.lactating or case.context.sex == "male":
        return
    infant = case.context.infant_days
    for exposure in case.unique_given():
        if case.is_local(exposure):
            continue
        best: Finding | None = None
        for rule in case.knowledge.lactation_rules(exposure.drug):
            if rule.infant_below_days is not None and infant is not None and infant >= rule.infant_below_days:
                continue
            severity = rule.severity
            if rule.infant_below_days is not None and infant is None:
                severity = lowered(severity)
            if not exposure.new and severity is not Severity.CONTRAINDICATED:
                severity = lowered(severity)
            if best is None or severity.rank > best.severity.rank:
                best = case.finding(
                    Code.LACTATION,
                    exposure,
                    severity,
                    rule.provenance,
                    f"{exposure.drug} while breast-feeding",
                )
        if best is not None:
            yield best


def _in_week(rule: PregnancyRule, weeks: Decimal | None) -> Severity | None:
    if rule.from_week is None and rule.to_week is None:
        return rule.severity
    if weeks is None:
        return lowered(rule.severity)
    if rule.from_week is not None and weeks < rule.from_week:
        return None
    if rule.to_week is not None and weeks >= rule.to_week + 1:
        return None
    return rule.severity


def _accepted(case: Case, exposure: Exposure, weeks: Decimal | None) -> Severity | None:
    """The most that a rule may count for, by the mildest exception that holds."""
    held = [
        exception.max_severity
        for exception in case.knowledge.pregnancy_exceptions(exposure.drug)
        if _holds(case, exposure, exception, weeks)
    ]
    return min(held, key=lambda severity: severity.rank) if held else None


def _one_dose(exposure: Exposure) -> Decimal | None:
    """What is taken of a drug whose rhythm is not said, in mg: one dose; 81 for "low-dose aspirin"."""
    if _SMALL_DOSE.match(exposure.text):
        return Decimal(81)
    statement = exposure.statement
    if statement is None or statement.frequency is not None or statement.dose is None:
        return None
    return statement.dose.high if statement.dose.unit == "mg" and not statement.dose.per_kg else None


def _holds(case: Case, exposure: Exposure, exception: PregnancyException, weeks: Decimal | None) -> bool:
    if exception.condition is not None and exception.condition not in conditions_of(case):
        return False
    if exception.max_daily_mg is not None:
        total = daily_total(case, exposure.drug)
        if total is None:
            total = _one_dose(exposure)
        if total is None or total > exception.max_daily_mg:
            return False
    if exception.from_week is not None and (weeks is None or weeks < exception.from_week):
        return False
    return exception.to_week is None or (weeks is not None and weeks < exception.to_week + 1)

"""Doses more often than the label allows: weekly drugs taken daily, a 72-hour patch changed every 12 hours."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import (
    Amount,
    daily_total,
    exposure_amount,
    interval_hours,
    to_base,
)
from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.checks.limits import DAY_HOURS, applicable, daily_ceiling, is_extended, is_strict
from attending.guardrails.clinical.number import NUMBER_WORDS
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.knowledge.facts import DoseLimit
from attending.guardrails.sieve import Sieved

_RELIEVERS: Final = frozenset({"albuterol", "levalbuterol", "ipratropium"})
_ACUTE: Final = Sieved(
    r"\b(?:acute|severe|exacerbation|emergency|ed\b|status asthmaticus|first hour|ambulance|999|911|action plan)",
    re.I,
)
_SLACK: Final = Decimal("0.9")
_PALLIATIVE: Final = Sieved(
    r"\b(?:palliative|hospice|end[- ]of[- ]life|last (?:hours|days|weeks) of life|comfort (?:care|measures)|metasta\w+|"
    r"cancer pain|dying)\b",
    re.I,
)
WEEK_HOURS: Final = Decimal(168)


def intervals(case: Case) -> Iterator[Finding]:
    """Where no row without an interval remains, the shortest interval of the rows that hold is the limit."""
    seen: set[tuple[str, int]] = set()
    for exposure in case.given:
        statement = exposure.statement
        if statement is None or exposure.generic_class is not None or exposure.origin != "output":
            continue
        hours = interval_hours(statement.frequency)
        if hours is None or statement.frequency is None:
            continue
        # In an attack a reliever is repeated within the hour.
        if hours <= 1 and exposure.drug in _RELIEVERS and case.says(_ACUTE):
            continue
        rows, _ = applicable(case, exposure.drug, statement)
        limit = _shortest(
            [row for row in rows if not is_extended(row)] or rows, exposure_amount(exposure, case)
        )
        if limit is None or limit.min_interval_hours is None or hours >= limit.min_interval_hours * _SLACK:
            continue
        rescue = statement.frequency.prn or _as_rescue(case, exposure)
        if rescue and hours >= 1 and is_breakthrough(case, exposure):
            continue
        if hours < 1 and _titrated(case, exposure, statement.frequency.span.end):
            continue
        if (exposure.drug, statement.frequency.span.start) in seen:
            continue
        seen.add((exposure.drug, statement.frequency.span.start))
        if limit.min_interval_hours == DAY_HOURS and len(statement.mention.drugs) > 1:
            continue  # the schedule is one of the product, whatever its ingredients have alone
        small = (
            not is_strict(case, exposure.drug)
            and _in_proportion(limit, exposure_amount(exposure, case), hours)
            and _within_the_day(case, exposure)
        )
        weekly = limit.min_interval_hours >= WEEK_HOURS
        far = hours * 2 <= limit.min_interval_hours
        if weekly and hours <= DAY_HOURS:
            severity = Severity.CONTRAINDICATED
        elif limit.min_interval_hours == DAY_HOURS:
            # "Once daily" in a label is often convenience: splitting the day's dose matters only above its ceiling.
            within = _within_the_day(case, exposure)
            severity = (
                Severity.MINOR
                if within or (daily_total(case, exposure.drug) is None and _harmless(case, exposure))
                else Severity.MODERATE
            )
        elif small:
            severity = Severity.MINOR
        else:
            severity = Severity.MAJOR if far else Severity.MODERATE
        yield case.finding(
            Code.INTERVAL,
            exposure,
            severity,
            limit.provenance,
            f"{exposure.drug} every {_hours(hours)}; the shortest interval is {_hours(limit.min_interval_hours)}",
            span=statement.frequency.span,
        )


_FOODSTUFFS: Final = frozenset(
    {"cholecalciferol", "ergocalciferol", "calcium carbonate", "folic acid", "cyanocobalamin"}
)


def _harmless(case: Case, exposure: Exposure) -> bool:
    """True for a vitamin without a dose: "calcium with vitamin D twice a day" is a product of the shelf."""
    return exposure.drug in _FOODSTUFFS and exposure.statement is not None and exposure.statement.dose is None


def _within_the_day(case: Case, exposure: Exposure) -> bool:
    """True where what a day comes to is known and within the ceiling."""
    total = daily_total(case, exposure.drug)
    ceiling = daily_ceiling(case, exposure.drug, exposure.statement)
    return total is not None and ceiling is not None and total <= ceiling.amount


def _in_proportion(limit: DoseLimit, amount: Amount | None, hours: Decimal) -> bool:
    """Whether a smaller dose is given so much more often that no hour has more than the label's: "30 mg every 2 hours"
    of what is given as 60 mg every 4."""
    if (
        amount is None
        or limit.max_single is None
        or limit.min_interval_hours is None
        or limit.per_kg
        or limit.per_m2
    ):
        return False
    if limit.min_interval_hours > DAY_HOURS or amount.per_kg or amount.per_m2:
        return False
    most, unit = to_base(limit.max_single, limit.unit)
    return unit == amount.unit and amount.high * limit.min_interval_hours <= most * hours


_BOUNDED: Final = re.compile(
    r"[^.;\n]{0,40}?(?:\b(?:up to )?(?:[2-6]|two|three|four|five|six) (?:doses|times|boluses)\b"
    r"|[x\u00d7] ?[2-6]\b|\bmax(?:imum)?(?: of)? [2-6]\b(?! ?m?c?g))",
    re.I,
)
"""Behind an interval: how often at most."""


def _titrated(case: Case, exposure: Exposure, end: int) -> bool:
    """True for an opioid into a vein within the hour, a few doses that are counted: titration to relief, as in an
    attack of sickle cell pain (ASH guideline 2020). Each dose is judged by itself."""
    statement = exposure.statement
    return (
        statement is not None
        and statement.route == "intravenous"
        and case.of_class(exposure.drug, "opioid")
        and _BOUNDED.match(case.judged.output, end) is not None
    )


_AGAIN: Final = Sieved(
    r"\b(?:repeat(?:ed)?(?: (?:it|once|x ?1|the same|this|the|same|dose|spray|tablet|injection|if needed|as needed|prn"
    r"|needed)){0,4}|(?:another|a second|second)(?: (?:one|dose|spray|tablet|puff|pen|wafer|injection|gram"
    r"|\d[\d.,]* ?m?c?g|of \d[\d.,]* ?m?c?g|of the same)){0,3}),? (?:after|in|at|every)(?: only| just| about)? "
    r"(?:(?P<half>half an? hour|half hour)|(?P<n>\d{1,3}|an?|one|two|three|five|ten|fifteen|twenty|thirty|forty|sixty)"
    r"[- ]?(?P<unit>min(?:ute)?s?|h(?:ou)?rs?)\b)",
    re.I,
)
_NO_SOONER: Final = re.compile(
    r"\b(?:no|not|never|n't|n\u2019t|nor|avoid|without|sooner|earlier|blood|bloods|test|ecg|troponin|glucose|bp"
    r"|pressure)\b[^.;\n]{0,30}\Z",
    re.I,
)
_AGAIN_WITHIN: Final = 200


def repeats(case: Case) -> Iterator[Finding]:
    """A further dose told to follow sooner than the label allows: "take another after twenty minutes". It is read for
    the drug named last before it, where that is given with a dose."""
    text = case.judged.output
    given = sorted(
        (
            e
            for e in case.given
            if e.origin == "output" and e.statement is not None and e.statement.dose is not None
            if e.generic_class is None
        ),
        key=lambda e: e.span.start,
    )
    if not given:
        return
    starts = case.mention_starts()
    for again in _AGAIN.finditer(text):
        if _NO_SOONER.search(text, max(0, again.start() - 40), again.start()):
            continue
        at = bisect_left(starts, again.start()) - 1
        last = starts[at] if at >= 0 else -1
        own = [e for e in given if e.span.start == last]
        if not own or again.start() - last > _AGAIN_WITHIN or "\n\n" in text[last : again.start()]:
            continue
        exposure = own[-1]
        if _titrated(case, exposure, again.end()):
            continue
        hours = _told_hours(again)
        if hours is None or (hours <= 1 and exposure.drug in _RELIEVERS and case.says(_ACUTE)):
            continue
        rows, _ = applicable(case, exposure.drug, exposure.statement)
        limit = _shortest([r for r in rows if not is_extended(r)] or rows, exposure_amount(exposure, case))
        if (
            limit is None
            or limit.min_interval_hours is None
            or limit.min_interval_hours >= DAY_HOURS
            or hours >= limit.min_interval_hours * _SLACK
            or is_breakthrough(case, exposure)
        ):
            continue
        yield case.finding(
            Code.INTERVAL,
            exposure,
            Severity.MAJOR if hours * 2 <= limit.min_interval_hours else Severity.MODERATE,
            limit.provenance,
            f"{exposure.drug} again after {_hours(hours)}; the shortest interval is {_hours(limit.min_interval_hours)}",
            span=Span(*again.span()),
        )
        return


def _told_hours(again: re.Match[str]) -> Decimal | None:
    if again["half"]:
        return Decimal("0.5")
    said = again["n"].lower()
    value = Decimal(said) if said.isdigit() else Decimal(1) if said in ("a", "an") else _WORDS.get(said)
    if value is None:
        return None
    return value / 60 if again["unit"].lower().startswith("m") else value


_WORDS: Final = {word: Decimal(value) for word, value in NUMBER_WORDS.items()}


def is_breakthrough(case: Case, exposure: Exposure) -> bool:
    """True for the rescue doses of an opioid in palliative care: as often as hourly, beside the regular one (EAPC
    recommendations on cancer pain, 2012)."""
    return case.of_class(exposure.drug, "opioid") and case.says(_PALLIATIVE)


_RESCUE: Final = re.compile(
    r"\b(?:break-?through|rescue|oramorph|immediate[- ]release|when (?:needed|required)|prn|if (?:needed|in pain))\b",
    re.I,
)


def _as_rescue(case: Case, exposure: Exposure) -> bool:
    """True for a dose for breakthrough pain by its sentence: "breakthrough: Oramorph 20 mg, up to hourly"."""
    text, at = case.judged.output, exposure.span
    own = sentence_around(text, at.start, at.end, reach=120)
    return _RESCUE.search(text, max(own.start - 16, 0), own.end) is not None


def _shortest(rows: list[DoseLimit], amount: Amount | None) -> DoseLimit | None:
    """The shortest interval of the rows that allow so large a dose, or of all rows where none does."""
    stated = [row for row in rows if row.min_interval_hours is not None]
    if not stated:
        return None
    fitting = [row for row in rows if _fits(row, amount)]
    if fitting and any(row.min_interval_hours is not None for row in fitting):
        rows, stated = fitting, [row for row in fitting if row.min_interval_hours is not None]
    free = [row for row in rows if row.min_interval_hours is None and row.max_daily is not None]
    shortest = min(stated, key=lambda row: row.min_interval_hours or Decimal(0))
    # A weekly row beside a row with a daily ceiling means that the drug has a daily use too.
    if free and shortest.min_interval_hours is not None and shortest.min_interval_hours > 24:
        return None
    return shortest


def _fits(row: DoseLimit, amount: Amount | None) -> bool:
    top = row.max_single or row.max_daily
    if amount is None or top is None or (amount.per_kg, amount.per_m2) != (row.per_kg, row.per_m2):
        return True
    most, unit = to_base(top, row.unit)
    return unit != amount.unit or amount.high <= most


def _hours(hours: Decimal) -> str:
    if hours >= 48 and (hours % 24 == 0 or hours > WEEK_HOURS):
        return f"{round(hours / 24)} days"
    return f"{round(hours, 1).normalize():f} hours"

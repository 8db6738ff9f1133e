"""Doses more often than the label allows: weekly drugs taken daily, a 72-hour patch changed every 12 hours."""

from __future__ import annotations

import re
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
from attending.guardrails.checks.limits import DAY_HOURS, applicable, daily_ceiling, is_extended
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
        if statement.frequency.prn and hours >= 1 and is_breakthrough(case, exposure):
            continue
        if (exposure.drug, statement.frequency.span.start) in seen:
            continue
        seen.add((exposure.drug, statement.frequency.span.start))
        if limit.min_interval_hours == DAY_HOURS and len(statement.mention.drugs) > 1:
            continue  # the schedule is one of the product, whatever its ingredients have alone
        weekly = limit.min_interval_hours >= WEEK_HOURS
        far = hours * 2 <= limit.min_interval_hours
        if weekly and hours <= DAY_HOURS:
            severity = Severity.CONTRAINDICATED
        elif limit.min_interval_hours == DAY_HOURS:
            # "Once daily" in a label is often convenience: splitting the day's dose matters only above its ceiling.
            total, ceiling = daily_total(case, exposure.drug), daily_ceiling(case, exposure.drug, statement)
            within = total is not None and ceiling is not None and total <= ceiling.amount
            severity = Severity.MINOR if within else Severity.MODERATE
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


def is_breakthrough(case: Case, exposure: Exposure) -> bool:
    """True for the rescue doses of an opioid in palliative care: as often as hourly, beside the regular one (EAPC
    recommendations on cancer pain, 2012)."""
    return case.of_class(exposure.drug, "opioid") and case.says(_PALLIATIVE)


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

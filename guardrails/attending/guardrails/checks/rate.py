"""Infusions and pushes that are too fast. How fast each drug may run is in rows of the knowledge."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import exposure_amount, shown
from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.knowledge.facts import InfusionRate
from attending.guardrails.sieve import Sieved

_USUAL_KG: Final = Decimal(100)
"""Weight taken for an adult whose weight is not told: a heavy one, so that the ceiling is generous."""
_ROUNDED: Final = Decimal("1.1")
"""A rate this much above its ceiling is a rounded one: 1,250 mg over two hours against 10 mg a minute."""


_IN_ARREST: Final = frozenset({"amiodarone", "magnesium sulfate"})
_ARREST: Final = Sieved(
    r"\b(?:arrest\w*|pulseless|vf|v-?fib|ventricular fibrillation|pvt|code blue|cpr|acls|torsades?"
    r"|defibrillat\w*|shocks|(?:first|second|third|next|each|another) shock|shockable)\b"
)
"""Where these are pushed, over `Case.told`: the ACLS guideline. A shock that is not one of several may be cardiogenic,
in which amiodarone by push lowers the pressure further.
"""


def rates(case: Case) -> Iterator[Finding]:
    seen: set[str] = set()
    for exposure in case.given:
        statement = exposure.statement
        if statement is None or exposure.origin != "output" or exposure.drug in seen:
            continue
        for rate in case.knowledge.infusion_rates(exposure.drug):
            why = (_continuous if rate.continuous else _too_fast)(case, exposure, rate)
            if why is None:
                continue
            seen.add(exposure.drug)
            span = statement.dose.span if statement.dose is not None else exposure.span
            start, end = min(span.start, exposure.span.start), max(span.end, exposure.span.end)
            yield case.finding(
                Code.RATE, exposure, Severity.MAJOR, rate.provenance, why, span=Span(start, end)
            )
            break


def _too_fast(case: Case, exposure: Exposure, rate: InfusionRate) -> str | None:
    statement = exposure.statement
    if statement is None or statement.route not in (None, "intravenous"):
        return None
    timed = rate.max_rate is not None and statement.over_minutes is not None
    if (
        rate.no_push
        and statement.rapid
        and not timed
        and not (rate.drug in _IN_ARREST and case.says(_ARREST))
    ):
        return f"{rate.drug} by push; it is infused slowly"
    amount = exposure_amount(exposure, case)
    if amount is not None and _one_unit(rate, amount.unit) and not amount.per_kg:
        at_once = amount.per_time in (None, "dose")
        if rate.push_up_to is not None and at_once and amount.high <= rate.push_up_to:
            return None
        per_minute: Decimal | None = None
        if amount.per_time == "min":
            per_minute = amount.high
        elif amount.per_time == "h":
            per_minute = amount.high / 60
        elif at_once and statement.over_minutes:
            per_minute = amount.high / statement.over_minutes
        minutes, unit_time = (60, "hour") if rate.hourly else (1, "minute")
        if (
            rate.max_rate is not None
            and per_minute is not None
            and per_minute > rate.max_rate / minutes * _ROUNDED
        ):
            return (
                f"{rate.drug} at {shown(per_minute * minutes, amount.unit)} per {unit_time}; "
                f"the ceiling is {shown(rate.max_rate, rate.unit)} per {unit_time}"
            )
    if (
        rate.min_minutes is not None
        and statement.over_minutes is not None
        and statement.over_minutes < rate.min_minutes
    ):
        return (
            f"{rate.drug} over {statement.over_minutes.normalize():f} minutes; "
            f"it is infused over at least {rate.min_minutes.normalize():f}"
        )
    return None


def _one_unit(rate: InfusionRate, unit: str) -> bool:
    """True for the unit of the rate; of a chloride of potassium a millimole is a milliequivalent."""
    return unit == rate.unit or (rate.drug == "potassium chloride" and unit == "mmol")


def _continuous(case: Case, exposure: Exposure, rate: InfusionRate) -> str | None:
    """A rate of infusion above what any patient is given: most often a minute written for an hour, or the unit of a
    dose per kilogram for one without."""
    amount = exposure_amount(exposure, case)
    if amount is None or amount.per_time not in ("h", "min") or amount.per_m2 or rate.max_rate is None:
        return None
    if exposure.statement is not None and exposure.statement.route == "transdermal":
        return None
    if amount.unit != rate.unit or (amount.per_kg and not rate.per_kg):
        return None
    hourly = amount.high * (60 if amount.per_time == "min" else 1)
    kg = "/kg" if amount.per_kg else ""
    top = rate.max_rate * (1 if rate.hourly else 60)
    if rate.per_kg and not amount.per_kg:
        top *= case.context.weight_kg or _USUAL_KG
    if hourly <= top * Decimal("1.05"):
        return None
    return (
        f"{exposure.drug} at {shown(hourly, amount.unit)}{kg} an hour; "
        f"the most that is infused is {shown(top, amount.unit)}{kg} an hour: check minute, hour and kilogram"
    )


__all__ = ["rates"]

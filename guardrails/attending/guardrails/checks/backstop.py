"""Where no limit of a dose is known: more than ten times the largest strength that is sold holds.

Not caught: what is injected (a vial has no unit strength), sprayed, dropped or spread, a dose in another unit than the
products', and a drug without an approved US product of April 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import Amount, shown
from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.checks.course import WITHOUT_END, lasting_days
from attending.guardrails.checks.limits import route_of, speaks_of_injection
from attending.guardrails.clinical.statement import Statement
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.knowledge.facts import Strength

TIMES: Final = Decimal(10)
_PATCH_HOURS: Final = {"h": 1, "day": 24}
_SPREAD: Final = frozenset({"topical", "ophthalmic", "otic"})
"""Routes by which nobody gives milligrams."""


def unlimited(case: Case, exposure: Exposure, amount: Amount) -> Iterator[Finding]:
    """At most one finding for an amount given at one time that no limit of the pack can be held against, or for what a
    patch releases, of which no limit of the pack speaks."""
    statement = exposure.statement
    if statement is None or amount.per_kg or amount.per_m2:
        return
    hours = _PATCH_HOURS.get(amount.per_time or "") if statement.route == "transdermal" else None
    if amount.per_time not in (None, "dose") and hours is None:
        return
    found = [
        one
        for one in _by_route(case, exposure.drug, statement)
        if one.unit == amount.unit and one.per_hour == (hours is not None)
    ]
    if not found:
        return
    largest = max(found, key=lambda one: one.amount)
    given = amount.high / (hours or 1)
    if given <= largest.amount * TIMES:
        return
    times = round(given / largest.amount, 1).normalize()
    told = (
        " at one time; no limit of one dose is known, and this"
        if hours is None
        else " an hour from a patch; this"
    )
    yield case.finding(
        Code.DOSE_MAX_SINGLE,
        exposure,
        Severity.MAJOR,
        largest.provenance,
        f"{exposure.drug} {shown(given, amount.unit)}{told} is {times:f} times the largest marketed strength, "
        f"{shown(largest.amount, amount.unit)} {largest.route}: check the decimal point and the unit",
        span=statement.dose.span if statement.dose is not None else None,
    )


def _by_route(case: Case, drug: str, statement: Statement) -> Sequence[Strength]:
    """The strengths to compare with: those of the route; of every route where it is not said, unless the drug is sold
    for one that has no unit strength."""
    rows = case.knowledge.strengths(drug)
    routes = {one.route for one in rows}
    route = route_of(statement)
    if route is None and speaks_of_injection(case, statement):
        return ()
    swallowed = case.audience == "patient" or lasting_days(case, statement) == WITHOUT_END
    if route is None and swallowed and "oral" in routes:
        route = "oral"
    if route is not None:
        return [one for one in rows if one.route == route]
    return rows if case.knowledge.routes(drug) - _SPREAD <= routes else ()

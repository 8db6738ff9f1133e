"""Whose amount it is, where sentence and order alone would give it to the wrong drug.

"We preferred amoxicillin to doxycycline at this age: 50 mg/kg/day": an amount that does not stand beside its drug,
that no patient takes of it, and that another drug named close by is given in, is the other drug's. It is then no dose
of the first: what the text says of that drug's amount is not known.

A decimal slip stays a finding: it stands beside its drug, or no other drug near it is given in that amount.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import (
    MG_PER,
    Amount,
    exposure_amount,
    per_day,
    times_per_day,
    to_base,
)
from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.checks.limits import Ceiling, daily, exposure_ceilings, resolved, single
from attending.guardrails.checks.over import name_starts
from attending.guardrails.clinical.statement import Span, Statement
from attending.guardrails.finding import Scope

_END: Final = re.compile(r"[.;:!?](?:\s|$)|\n")
_A_DAY: Final = re.compile(
    r" ?(?:in total |altogether |in all )?(?:a day|per day|in a day|(?:in|per|over) 24 ?h(?:ours|rs)?)\b"
    r"(?![^.;\n]{0,12}\b(?:at once|in one go|single))",
    re.I,
)
"""Behind an amount that is told for the whole day ("2 g a day"), not for each time."""
_BESIDE: Final = 60
"""So many characters may stand between a name and its own amount."""
_BEFORE: Final = 20
"""And so many between an amount and a name behind it."""
_NEAR: Final = 250
"""How far from the amount the other drug may be named."""
_SAID_AGAIN: Final = 120
_MOST_TRIED: Final = 12
_ROUNDED: Final = Decimal("1.10")
_LEAST_PART: Final = 50


def with_owners(case: Case) -> Case:
    """The case without the amounts that belong to a drug other than the one they were read with."""
    freed = {id(s): _of_a_day(s) for s in _sums(case)}
    freed |= {
        id(e.statement): _without(e.statement)
        for e in case.given
        if e.statement is not None and e.origin == "output" and _of_another(case, e)
    }
    if not freed:
        return case
    statements = tuple(freed.get(id(s), s) for s in case.output.statements)
    given = tuple(
        replace(e, statement=freed[id(e.statement)]) if id(e.statement) in freed else e for e in case.given
    )
    return replace(case, output=replace(case.output, statements=statements), given=given, memo={})


def _sums(case: Case) -> Iterator[Statement]:
    """Amounts of a whole day: "2 g a day", and the sum of what was said just before: "900 mg three times daily, 2,700
    mg in all"."""
    said: dict[tuple[object, ...], list[int]] = {}
    for statement in case.output.statements:
        dose = statement.dose
        if dose is None or dose.unit not in MG_PER or dose.components or dose.count is not None:
            continue
        if dose.per_time is None and _A_DAY.match(case.judged.output, dose.span.end) is not None:
            yield statement
            continue
        times = times_per_day(statement.frequency)
        if dose.per_time is None and times in (None, 1):
            ends = said.get((statement.mention.drugs, *to_base(dose.high, dose.unit)), ())
            if any(abs(dose.span.start - end) <= _SAID_AGAIN for end in ends):
                yield statement
        if times is not None and times > 1:
            key = (statement.mention.drugs, *to_base(dose.high * times, dose.unit))
            said.setdefault(key, []).append(dose.span.end)


def _of_a_day(statement: Statement) -> Statement:
    dose = statement.dose
    return statement if dose is None else replace(statement, dose=replace(dose, per_time="day"), total=True)


def _without(statement: Statement) -> Statement:
    """The statement without the amount, and without the rhythm that stands nearer to the amount than to the name."""
    dose, frequency = statement.dose, statement.frequency
    if dose is not None and frequency is not None:
        to_name = _distance(frequency.span, statement.mention.span)
        if _distance(frequency.span, dose.span) <= to_name:
            frequency = None
    return replace(statement, dose=None, frequency=frequency, concentration=None, over_minutes=None)


def _of_another(case: Case, exposure: Exposure) -> bool:
    statement = exposure.statement
    amount = exposure_amount(exposure, case)
    if statement is None or statement.dose is None or statement.dose.components or amount is None:
        return False
    if not _far(case, statement) or not _too_much(case, exposure, amount):
        return False
    return any(_given_so(case, other, amount) for other in _others(case, statement))


def _far(case: Case, statement: Statement) -> bool:
    """Whether a sentence ends, another drug is named, or much is said between the drug and the amount."""
    if statement.dose is None:
        return False
    name, dose = statement.mention.span, statement.dose.span
    low, high = (name.end, dose.start) if name.start <= dose.start else (dose.end, name.start)
    if low >= high:
        return False
    if high - low > _BESIDE or (dose.start < name.start and high - low > _BEFORE):
        return True
    if _END.search(case.judged.output, low, high) is not None:
        return True
    starts = case.once("name starts", lambda: name_starts(case.output))
    return bisect_left(starts, low) < bisect_left(starts, high)


def _others(case: Case, statement: Statement) -> Iterator[Exposure]:
    """The other drugs named near the amount, as if it were theirs."""
    dose = statement.dose
    if dose is None:
        return
    own = set(statement.mention.drugs)
    tried: set[str] = set()
    for other in case.output.statements:
        named = other.mention.span.start
        if abs(named - dose.span.start) > _NEAR:
            continue
        if named > dose.span.start and _END.search(case.judged.output, dose.span.end, named):
            continue  # what a later sentence names was not spoken of yet
        for index, drug in enumerate(other.mention.drugs):
            if drug in own or drug in tried or len(tried) >= _MOST_TRIED:
                continue
            tried.add(drug)
            lent = replace(
                statement,
                mention=other.mention,
                route=other.route,
                clause=other.clause,
            )
            yield Exposure(
                drug, Scope.RECOMMEND, other.mention.span, other.mention.text, "output", False, lent, index
            )


def _too_much(case: Case, exposure: Exposure, amount: Amount) -> bool:
    return any(value > top for value, top in _held_against(case, exposure, amount))


def _given_so(case: Case, exposure: Exposure, amount: Amount) -> bool:
    """Whether the ceilings of the drug are known in the unit of the amount, and allow it; a small part of them is a
    dose that nobody takes of it either."""
    held = list(_held_against(case, exposure, amount))
    return bool(held) and all(top / _LEAST_PART <= value <= top for value, top in held)


def _held_against(case: Case, exposure: Exposure, amount: Amount) -> Iterator[tuple[Decimal, Decimal]]:
    """What is given at one time and in a day, each with the most of it."""
    statement = exposure.statement
    if statement is None:
        return
    a_day = per_day(statement, amount)
    once = amount.high if amount.per_time in (None, "dose") else None
    for pick, value in ((single, once), (daily, a_day if a_day is not None else amount.high)):
        if value is None:
            continue
        ceiling = _ceiling(case, exposure, amount, exposure_ceilings(case, exposure, pick))
        if ceiling is not None and ceiling.amount > 0:
            yield value, ceiling.amount * _ROUNDED


def _ceiling(case: Case, exposure: Exposure, amount: Amount, found: list[Ceiling]) -> Ceiling | None:
    if not amount.per_kg and not amount.per_m2:
        return resolved(case, found, amount.unit)
    return next(
        (c for c in found if (c.per_kg, c.per_m2, c.unit) == (amount.per_kg, amount.per_m2, amount.unit)),
        None,
    )


def _distance(one: Span, two: Span) -> int:
    return max(one.start - two.end, two.start - one.end, 0)


__all__ = ["with_owners"]

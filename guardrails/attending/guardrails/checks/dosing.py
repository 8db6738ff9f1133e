"""Single and daily doses above what the label allows, per kilogram and per square metre too, tenfold errors named
as such, and limits that the text itself states too high.

Not caught: doses too low (but see `unit`), a cumulative dose over weeks, and a product whose strength is not said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import (
    Amount,
    amount_of,
    exposure_amount,
    interval_hours,
    listed_statements,
    per_day,
    per_day_within,
    pieces_of,
    shown,
    times_per_day,
)
from attending.guardrails.checks.backstop import unlimited
from attending.guardrails.checks.case import Case, Exposure, curated, rule
from attending.guardrails.checks.interval import is_breakthrough
from attending.guardrails.checks.limits import (
    DAY_HOURS,
    Ceiling,
    applicable,
    daily,
    exposure_ceilings,
    heaviest_child_kg,
    indication_unknown,
    is_strict,
    resolved,
    single,
    speaks_of_children,
)
from attending.guardrails.clinical.statement import Dose, Span, Statement
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.sieve import Sieved

ROUNDING: Final = Decimal("1.10")
"""What a computed per-kg limit may be exceeded by: weights and doses are rounded."""
LISTED_UP_TO: Final = Decimal(2)
"""A dose on the patient's own list is known up to so many times the ceiling; above, the list may be wrong."""
CANISTER: Final = 60
"""So many puffs or sprays are what one device holds, not what anybody takes."""
TENFOLD: Final = Decimal("9.5")
SMALL_ADULT_KG: Final = Decimal(40)
USUAL_ADULT_KG: Final = Decimal(70)
HEAVY_KG: Final = Decimal(150)
FIRST_INSULIN_PER_KG: Final = Decimal("0.35")
_NAIVE: Final = Sieved(
    r"\binsulin[- ]na[iï]ve\b|\bnever (?:been )?(?:on|had|used|taken) (?:any )?insulin|\bno prior insulin"
    r"|\bnew(?:ly)?[- ](?:onset|diagnosed) (?:t2dm|type 2|diabetes)[^.;\n]{0,40}\bno insulin"
    r"|\bfirst (?:ever )?insulin dose"
)
_BAG: Final = re.compile(r",? (?:diluted )?(?:in|into|/) ?\d{2,4} ?ml\b", re.I)
_RUN_IN: Final = re.compile(r"(?: iv)? (?:over|in) \d{1,2} ?min", re.I)
"""A bag that is run in within minutes is a dose, whatever rate follows it."""
_RUNS_AT: Final = re.compile(
    r"(?<![\d.,])\d[\d.,]{0,8} ?(?:milli-?units?|munits?|mu|m\.?u\.?|units?|micrograms?|mcgs?|mg|nanograms?|ng)"
    r" ?(?:/|per) ?(?:kg ?(?:/|per) ?)?(?:min(?:ute)?|h|hr|hour)\b",
    re.I,
)
_RUNS_WITHIN: Final = 140
_REGULAR: Final = Sieved(r"\b(?:scheduled|around the clock|atc|standing|on schedule|regularly)\b", re.I)


def dosing(case: Case) -> Iterator[Finding]:
    """At most one single-dose and one daily-dose finding per statement, the daily one over same-day statements."""
    seen: set[tuple[str, int, int, Code]] = set()
    for exposure in case.given:
        if exposure.generic_class is not None:
            continue
        for finding in (*_given(case, exposure), *_counted(case, exposure), *_own_limit(case, exposure)):
            key = (exposure.drug, finding.start, finding.end, finding.code)
            if key not in seen:
                seen.add(key)
                yield finding
    for statement in case.output.statements:
        # "Do not exceed 8 g of acetaminophen a day" has the scope `limit`, and is followed as advice.
        if statement.scope is Scope.LIMIT:
            for index, drug in enumerate(statement.mention.drugs):
                exposure = Exposure(
                    drug,
                    Scope.LIMIT,
                    statement.mention.span,
                    statement.mention.text,
                    "output",
                    False,
                    statement,
                    index,
                )
                yield from _own_limit(case, exposure)


def _given(case: Case, exposure: Exposure) -> Iterator[Finding]:
    statement = exposure.statement
    amount = exposure_amount(exposure, case)
    if statement is None or amount is None or exposure.origin != "output":
        return
    yield from _first_insulin(case, exposure, amount)
    yield from _against_itself(case, exposure, amount)
    held = _in_a_bag(case, statement)
    if not held:
        ceiling, shown_as = _comparable(case, exposure, amount, exposure_ceilings(case, exposure, single))
        if ceiling is None or amount.per_time not in (None, "dose"):
            yield from unlimited(case, exposure, amount)
        elif not _over_hours(case, exposure, amount, ceiling):
            yield from _over(case, exposure, Code.DOSE_MAX_SINGLE, amount.high, ceiling, amount, shown_as)
    rescue = (
        statement.frequency is not None
        and statement.frequency.prn
        and (interval_hours(statement.frequency) or DAY_HOURS) <= 1
        and is_breakthrough(case, exposure)
    )
    total = None if held or rescue or _weekly_dose(case, exposure) else _same_day(case, exposure, amount)
    if total is not None:
        ceiling, shown_as = _comparable(case, exposure, amount, exposure_ceilings(case, exposure, daily))
        if ceiling is not None:
            yield from _over(case, exposure, Code.DOSE_MAX_DAILY, total, ceiling, amount, shown_as)


_LONG_RUN_MINUTES: Final = 360
_AT_ONE_TIME: Final = Decimal(240)
_RUNS: Final = re.compile(
    r"\b(?:iv|intravenous\w*|infus\w+|pump|drip|driver|subcut\w*)\b|\d ?(?:ml|millilit\w+)\b", re.I
)
"""What runs in says how; a tablet that "works over 8 hours" is taken at one time."""


def _over_hours(case: Case, exposure: Exposure, amount: Amount, single: Ceiling) -> bool:
    """True for what runs in over six hours or more and is given at no one time: held against the ceiling of a day, if
    there is one, and in each four hours, the time from one dose to the next of most drugs, no more than one dose."""
    statement = exposure.statement
    minutes = max(
        (
            s.over_minutes
            for s in case.output.statements
            if statement is not None
            and (s is statement or s.mention.span == statement.mention.span)
            and s.over_minutes is not None
            and _RUNS.search(case.judged.output, s.clause.start, s.clause.end) is not None
        ),
        default=Decimal(0),
    )
    if minutes < _LONG_RUN_MINUTES or amount.high * _AT_ONE_TIME > single.amount * minutes:
        return False
    return _comparable(case, exposure, amount, exposure_ceilings(case, exposure, daily))[0] is not None


def _counted(case: Case, exposure: Exposure) -> Iterator[Finding]:
    """More puffs, sprays, patches, drops or suppositories than the row of a drug allows, at one time or in a day."""
    statement = exposure.statement
    amount = pieces_of(exposure)
    if statement is None or amount is None or exposure.origin != "output":
        return
    if amount.unit in ("puff", "spray") and amount.high >= CANISTER:
        return
    ceiling = resolved(case, exposure_ceilings(case, exposure, single), amount.unit)
    if ceiling is not None and amount.high > ceiling.amount:
        yield from _over(case, exposure, Code.DOSE_MAX_SINGLE, amount.high, ceiling, amount, "")
        return
    total = per_day(statement, amount)
    ceiling = resolved(case, exposure_ceilings(case, exposure, daily), amount.unit)
    if total is not None and ceiling is not None:
        yield from _over(case, exposure, Code.DOSE_MAX_DAILY, total, ceiling, amount, "")


def _in_a_bag(case: Case, statement: Statement) -> bool:
    """True for the content of a bag whose rate is given: "diltiazem 125 mg in 125 mL, start at 5 mg/h"."""
    dose = statement.dose
    bag = _BAG.match(case.judged.output, dose.span.end) if dose is not None else None
    if bag is None or _RUN_IN.match(case.judged.output, bag.end()):
        return False
    text, end = case.judged.output, bag.end()
    line = text.find("\n", end, end + _RUNS_WITHIN)
    if _RUNS_AT.search(text, end, line if line >= 0 else min(len(text), end + _RUNS_WITHIN)):
        return True
    return any(
        other.mention.span == statement.mention.span
        and other.dose is not None
        and other.dose.per_time in ("h", "min")
        for other in case.output.statements
    )


def _first_insulin(case: Case, exposure: Exposure, amount: Amount) -> Iterator[Finding]:
    """A first dose of insulin in someone who has never had it (ADA Standards of Care: 0.1 to 0.2 units/kg a day)."""
    if amount.unit != "unit" or amount.per_kg or amount.per_time in ("h", "min"):
        return
    if not (case.of_class(exposure.drug, "insulin") or exposure.drug.startswith("insulin")):
        return
    if not case.says(_NAIVE):
        return
    top = (case.context.weight_kg or USUAL_ADULT_KG) * FIRST_INSULIN_PER_KG
    if amount.high > top:
        yield case.finding(
            Code.DOSE_MAX_SINGLE,
            exposure,
            Severity.MAJOR,
            curated("first-insulin", "ADA Standards of Care, section 9: first dose of insulin"),
            f"{exposure.drug} {shown(amount.high, 'units')} in a patient who has had no insulin; "
            f"a first dose is at most {shown(round(top, 0), 'units')}",
            span=_dose_span(exposure),
        )


def _against_itself(case: Case, exposure: Exposure, amount: Amount) -> Iterator[Finding]:
    """A regular schedule that goes beyond the limit the text itself states."""
    statement = exposure.statement
    if statement is None or statement.daily_limit is None or statement.frequency is None:
        return
    if statement.frequency.prn or _REGULAR.search(case.judged.output) is None:
        return
    limit = amount_of(statement.daily_limit, case, statement.mention, index=exposure.index)
    least = replace(amount, high=amount.low)
    total = per_day(statement, least)
    if limit is None or total is None or (limit.unit, limit.per_kg) != (amount.unit, amount.per_kg):
        return
    if total > limit.high * ROUNDING:
        yield case.finding(
            Code.DOSE_MAX_DAILY,
            exposure,
            Severity.MAJOR,
            rule("own-limit", "the limit that the text states"),
            f"{exposure.drug} {shown(total, amount.unit)} a day on schedule; "
            f"the text itself allows {shown(limit.high, amount.unit)} a day",
            span=_dose_span(exposure),
        )


def _weekly_dose(case: Case, exposure: Exposure) -> bool:
    """True for a dose taken less often than daily of a drug that has such a schedule: its single ceiling holds, and a
    daily ceiling is one of another use of the drug."""
    statement = exposure.statement
    hours = interval_hours(statement.frequency) if statement is not None else None
    if statement is None or hours is None or hours <= DAY_HOURS:
        return False
    rows, _ = applicable(case, exposure.drug, statement)
    return any(row.min_interval_hours is not None and row.min_interval_hours > DAY_HOURS for row in rows)


def _same_day(case: Case, exposure: Exposure, amount: Amount) -> Decimal | None:
    """What is taken on one day: dose times frequency, plus the other statements of the same day. A dose without
    a frequency is taken at least once."""
    statement = exposure.statement
    if statement is None or amount.per_time in ("h", "min"):
        return None
    own = per_day_within(statement, amount, case, index=exposure.index)
    total = amount.high if own is None else own
    if statement.sum_group is None:
        return total
    for other in case.given:
        same = (
            other.statement is not None and other.statement is not statement and other.drug == exposure.drug
        )
        if not same or other.statement is None or other.statement.sum_group != statement.sum_group:
            continue
        added = exposure_amount(other, case)
        if added is not None and (added.unit, added.per_kg, added.per_m2) == (
            amount.unit,
            amount.per_kg,
            amount.per_m2,
        ):
            part = per_day_within(other.statement, added, case, index=other.index)
            total += added.high if part is None else part
    return total


def _comparable(
    case: Case, exposure: Exposure, amount: Amount, found: list[Ceiling]
) -> tuple[Ceiling | None, str]:
    """The ceiling to hold the amount against, and how the message names the basis of the comparison."""
    if not amount.per_kg and not amount.per_m2:
        ceiling = resolved(case, found, amount.unit)
        if ceiling is None and not case.is_local(exposure):
            heaviest = _for_the_heaviest(found, amount.unit)
            if heaviest is not None:
                return heaviest, f"at {HEAVY_KG} kg, weight not given"
        if ceiling is not None and ceiling.scaled and case.context.weight_kg is None:
            most = heaviest_child_kg(case)
            return (
                ceiling,
                f"at {most} kg, more than any child of this age weighs" if most is not None else "",
            )
        return ceiling, "for this patient's size" if amount.scaled else ""
    for ceiling in found:
        if (ceiling.per_kg, ceiling.per_m2, ceiling.unit) == (amount.per_kg, amount.per_m2, amount.unit):
            return ceiling, "per kg" if amount.per_kg else "per m2"
    absolute = [c for c in found if not c.per_kg and not c.per_m2 and c.unit == amount.unit]
    if not absolute or amount.per_m2:
        return None, ""
    # No per-kg ceiling and no weight: an adult weighs more than 40 kg, so that what exceeds the ceiling at 40 kg
    # exceeds it for every adult; at 70 kg it does for most, where the text is about an adult.
    child = case.child or (case.child is None and speaks_of_children(case))
    top = max(absolute, key=lambda c: c.amount)
    small = Ceiling(top.amount / SMALL_ADULT_KG, top.unit, top.provenance, top.confidence, per_kg=True)
    usual = Ceiling(top.amount / USUAL_ADULT_KG, top.unit, top.provenance, "medium", per_kg=True)
    if child:
        return small, "per kg, from the adult ceiling"
    if amount.high > small.amount:
        return small, f"per kg at {SMALL_ADULT_KG} kg, the lightest adult"
    return usual, f"per kg at {USUAL_ADULT_KG} kg, weight not given"


def _for_the_heaviest(found: list[Ceiling], unit: str) -> Ceiling | None:
    """What even a very heavy patient is given at most, where a drug has limits by weight only and none is told: three
    grams of tacrolimus are too much for everybody."""
    by_weight = [c for c in found if c.per_kg and c.unit == unit]
    if not by_weight:
        return None
    top = max(by_weight, key=lambda c: c.amount)
    return Ceiling(top.amount * HEAVY_KG, unit, top.provenance, top.confidence, adult_only=top.adult_only)


def _over(
    case: Case,
    exposure: Exposure,
    code: Code,
    value: Decimal,
    ceiling: Ceiling,
    amount: Amount,
    compared: str,
) -> Iterator[Finding]:
    by_size = amount.scaled or amount.per_kg or amount.per_m2 or ceiling.scaled
    allowed = ceiling.amount * (ROUNDING if by_size else Decimal(1))
    if value <= allowed or ceiling.amount <= 0:
        return
    ratio = value / ceiling.amount
    suffix = "/kg" if amount.per_kg else "/m2" if amount.per_m2 else ""
    period = " a day" if code is Code.DOSE_MAX_DAILY else " at one time"
    message = (
        f"{exposure.drug} {shown(value, amount.unit)}{suffix}{period}; "
        f"the ceiling is {shown(ceiling.amount, amount.unit)}{suffix}{period}"
    )
    if compared:
        message += f" ({compared})"
    if indication_unknown(case, exposure.drug, exposure.statement):
        strict = is_strict(case, exposure.drug)
        message += f" (what it is for is not said: the {'strict' if strict else 'widest'} limit)"
    if ceiling.adult_only:
        message += " (an adult's ceiling; none is known for a child)"
    if ratio >= TENFOLD:
        message += (
            f"; tenfold or more ({round(ratio, 1).normalize():f} times): check the decimal point and the unit"
        )
    severity = _severity(ratio, ceiling)
    if ratio <= LISTED_UP_TO and _as_listed(case, exposure):
        message += "; the patient's list has this dose"
        severity = Severity.MINOR
    yield case.finding(
        code,
        exposure,
        severity,
        ceiling.provenance,
        message,
        span=_dose_span(exposure),
    )


def _as_listed(case: Case, exposure: Exposure) -> bool:
    """True where the output continues the very dose that the patient's list has: known to whoever treats, not new."""
    statement = exposure.statement
    if statement is None or statement.dose is None or statement.started:
        return False
    often = times_per_day(statement.frequency) or Decimal(1)
    return any(
        listed.dose is not None
        and (listed.dose.low, listed.dose.high, listed.dose.unit)
        == (statement.dose.low, statement.dose.high, statement.dose.unit)
        and (times_per_day(listed.frequency) or Decimal(1)) >= often
        for listed in listed_statements(case, exposure.drug)
    )


def _severity(ratio: Decimal, ceiling: Ceiling) -> Severity:
    if ratio >= TENFOLD:
        return Severity.CONTRAINDICATED
    if ceiling.confidence == "high" or ratio >= Decimal("1.5"):
        return Severity.MAJOR
    return Severity.MODERATE


def _dose_span(exposure: Exposure) -> Span | None:
    """From the mention to the dose where they are near, else the dose alone."""
    statement = exposure.statement
    if statement is None or statement.dose is None:
        return None
    return statement.dose.span


_IN_BRACKETS: Final = re.compile(r"/ ?kg\b[^;()\n]{0,60}\((?:max(?:imum)?\.?|not above) ?\Z", re.I)


def _most_by_weight(case: Case, statement: Statement, limit: Dose) -> bool:
    """ "80 mg/kg = 2.2 g (max 4 g)": the cap of a dose by weight, which a child of this weight does not reach."""
    at = limit.span.start
    if statement.frequency is not None and statement.frequency.prn:
        return False
    return _IN_BRACKETS.search(case.judged.output, max(0, at - 90), at) is not None


def _on_the_skin(case: Case, exposure: Exposure) -> bool:
    """Whether another statement of the same name puts the drug on the skin: "1% gel 4 g, max 32 g a day"."""
    return any(s.mention.span == exposure.span and s.route == "topical" for s in case.output.statements)


def _own_limit(case: Case, exposure: Exposure) -> Iterator[Finding]:
    """A ceiling that the text states ("do not exceed 8 g a day") above the label's."""
    statement = exposure.statement
    if statement is None or exposure.origin != "output" or _on_the_skin(case, exposure):
        return
    limits: tuple[tuple[Dose | None, Code], ...] = (
        (statement.daily_limit, Code.DOSE_MAX_DAILY),
        (statement.single_limit, Code.DOSE_MAX_SINGLE),
    )
    for dose, code in limits:
        if dose is None or (case.child and _most_by_weight(case, statement, dose)):
            continue
        amount = amount_of(dose, case, statement.mention, index=exposure.index)
        if amount is None:
            continue
        pick = daily if code is Code.DOSE_MAX_DAILY else single
        ceiling, compared = _comparable(case, exposure, amount, exposure_ceilings(case, exposure, pick))
        if ceiling is None:
            continue
        stated = Statement(statement.mention, statement.scope, statement.clause, dose=dose)
        shifted = Exposure(
            exposure.drug,
            exposure.scope,
            exposure.span,
            exposure.text,
            "output",
            exposure.new,
            stated,
            exposure.index,
        )
        yield from _over(case, shifted, code, amount.high, ceiling, amount, compared)

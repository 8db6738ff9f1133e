"""A dose far from the one that the patient's own list gives for the drug, without a word that it changes.

Ceilings miss a tenfold error that stays below the highest dose of the drug, and say nothing of one too low. The list
knows what this patient takes. Not caught: a factor below five, a list line whose dose cannot be read, and two forms
of a drug that are dosed apart (as needed beside regular, another route), unless the factor is a power of ten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import Amount, amount_of, exposure_amount, per_day, shown
from attending.guardrails.checks.case import Case, Exposure, active_medication, drugs_of, rule
from attending.guardrails.clinical.parse import parse
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span, Statement
from attending.guardrails.finding import Code, Finding, Scope, Severity

FACTOR: Final = Decimal(5)
_POWERS: Final = (Decimal(10), Decimal(100), Decimal(1000))
_CHANGE: Final = re.compile(
    r"\b(?:increas\w+|decreas\w+|reduc\w+|titrat\w+|chang\w+|lower\w*|rais\w+|up-?titrat\w+|down-?titrat\w+"
    r"|taper\w*|wean\w*|doubl\w+|halv\w+|halve|adjust\w*|switch\w*|convert\w*|step(?:ping|ped)? (?:up|down)"
    r"|instead of|from \d|new dose|loading|bolus|up from|down from|previously|rotat\w+|stress dose|sick day"
    r"|pulsed|induction|rescue)\b",
    re.I,
)
_NO_CHANGE: Final = re.compile(
    r"\b(?:(?:no|without(?: any)?|not(?: been)?|never|don't|do not|hasn't(?: been)?|haven't(?: been)?) "
    r"(?:dose |other )?(?:chang\w+|adjust\w*|increas\w+|reduc\w+)|same dose)\b",
    re.I,
)


_FROM: Final = re.compile(
    r"[^.;\n]{0,24}?\bfrom (?:a dose of )?(?P<value>\d{1,5}(?:\.\d{1,3})?) ?(?P<unit>mg|mcg|micrograms?|g)\b"
    r"(?= (?:\w+ ){0,3}to\b)",
    re.I,
)
_FROM_REACH: Final = 60
_IN_MG: Final = {
    "mg": Decimal(1),
    "g": Decimal(1000),
    "mcg": Decimal("0.001"),
    "microgram": Decimal("0.001"),
    "micrograms": Decimal("0.001"),
}


@dataclass(frozen=True, slots=True)
class _Line:
    """One readable line of a list: the dose at one time, over a day where the frequency is said."""

    text: str
    amount: Amount
    daily: Decimal | None
    statement: Statement


def listed_doses(case: Case) -> Iterator[Finding]:
    """At most one finding per drug: the dose of the output at least five times, or at most a fifth of, the listed one
    at one time and (where both are known) over a day."""
    seen: set[str] = set()
    for exposure in case.given:
        statement = exposure.statement
        amount = exposure_amount(exposure, case)
        if (
            statement is None
            or amount is None
            or exposure.origin != "output"
            or exposure.drug in seen
            or not exposure.scope.prescriptive
            or statement.loading
            or amount.per_time not in (None, "day")
        ):
            continue
        lines = [line for line in _lines(case, exposure.drug) if _same_kind(line.amount, amount)]
        if not lines:
            continue
        daily = per_day(statement, amount)
        factors = [_factor(amount, daily, line) for line in lines]
        if any(factor is None for factor in factors):
            continue
        line, factor = min(
            zip(lines, (f for f in factors if f is not None), strict=True), key=lambda pair: pair[1]
        )
        tenfold = any(abs(factor - power) <= power / 20 for power in _POWERS)
        if _stated_change(case, statement) or not (tenfold or _comparable(case, exposure, line)):
            continue
        seen.add(exposure.drug)
        higher = amount.high > line.amount.high
        told = "; check the decimal point and the unit" if tenfold else ""
        yield case.finding(
            Code.CONTRADICTION,
            exposure,
            Severity.MAJOR,
            rule("listed-dose", "the patient's medication list"),
            f"{exposure.drug} {shown(amount.high, amount.unit)}; the patient's list has "
            f"{shown(line.amount.high, line.amount.unit)}, {round(factor, 1).normalize():f} times "
            f"{'less' if higher else 'more'}, and no change is stated{told}",
            span=statement.dose.span if statement.dose is not None else None,
        )


def misread_starts(case: Case) -> Iterator[Finding]:
    """A change "from 10 mg" of a drug whose listed dose is another, at least twice or at most half as much."""
    text = case.judged.output
    seen: set[str] = set()
    for exposure in case.given:
        if exposure.drug in seen or exposure.span.end == 0:
            continue
        match = _FROM.match(text, exposure.span.end, exposure.span.end + _FROM_REACH)
        if match is None:
            continue
        lines = [
            line
            for line in _lines(case, exposure.drug)
            if line.amount.unit == "mg" and not line.amount.per_kg
        ]
        value = Decimal(match["value"]) * _IN_MG[match["unit"].lower()]
        doses = {
            amount for line in lines for amount in (line.amount.high, line.amount.low, line.daily) if amount
        }
        if not doses or any(_apart(value, value, dose, dose) < 2 for dose in doses):
            continue
        seen.add(exposure.drug)
        yield case.finding(
            Code.CONTRADICTION,
            exposure,
            Severity.MAJOR,
            rule("listed-dose-before", "the patient's medication list"),
            f"{exposure.drug} is changed from {match['value']} {match['unit']}; the patient's list has "
            f"{shown(lines[0].amount.high, lines[0].amount.unit)}",
            span=Span(match.start(), match.end()),
        )


def _lines(case: Case, drug: str) -> list[_Line]:
    """The active lines of the record and of what the prompt reports as taken; the output's own words are no list."""
    found: list[_Line] = []
    for medication in case.judged.context.medications or ():
        if not active_medication(medication.status) or drug not in drugs_of(medication.name, case.lexicon):
            continue
        text = " ".join(part for part in (medication.name, medication.dose, medication.frequency) if part)
        found.extend(_read(case, drug, text, parse(f"Take {text}", case.lexicon).statements))
    if case.prompt is not None:
        taken = tuple(s for s in case.prompt.statements if s.scope is Scope.CONTINUE)
        found.extend(_read(case, drug, "", taken))
    return found


def _read(case: Case, drug: str, text: str, statements: tuple[Statement, ...]) -> Iterator[_Line]:
    for statement in statements:
        if statement.dose is None or drug not in statement.mention.drugs:
            continue
        index = statement.mention.drugs.index(drug)
        amount = amount_of(statement.dose, case, statement.mention, index=index)
        if amount is not None and amount.per_time in (None, "day"):
            yield _Line(text or statement.mention.text, amount, per_day(statement, amount), statement)


def _same_kind(one: Amount, other: Amount) -> bool:
    return (one.unit, one.per_kg, one.per_m2) == (other.unit, other.per_kg, other.per_m2)


def _factor(amount: Amount, daily: Decimal | None, line: _Line) -> Decimal | None:
    """How many times the two doses are apart, None below `FACTOR`. The amount of a day decides where both are known:
    "1000 mg once" and "250 mg four times" are one dose."""
    single = _apart(amount.low, amount.high, line.amount.low, line.amount.high)
    if daily is not None and line.daily is not None:
        over_day = _apart(daily, daily, line.daily, line.daily)
        return over_day if min(single, over_day) >= FACTOR / 2 and over_day >= FACTOR else None
    return single if single >= FACTOR else None


def _apart(low: Decimal, high: Decimal, other_low: Decimal, other_high: Decimal) -> Decimal:
    if low > other_high > 0:
        return low / other_high
    if other_low > high > 0:
        return other_low / high
    return Decimal(1)


def _stated_change(case: Case, statement: Statement) -> bool:
    """True where the clause or its sentence says that the dose is another one now."""
    text = case.judged.output
    sentence = sentence_around(text, statement.clause.start, statement.clause.end)
    return _CHANGE.search(_NO_CHANGE.sub(" ", text[sentence.start : sentence.end])) is not None


_RESCUED: Final = re.compile(
    r"\binject\w*\b[^.;\n]{0,60}\b(?:muscle|thigh|999|911|000|112|ambulance|crisis)\b", re.I
)
"""A dose injected in an emergency, beside the tablets of every day."""


def _comparable(case: Case, exposure: Exposure, line: _Line) -> bool:
    """True where nothing says that the two are different uses: as needed beside regular, another route, or the listed
    dose given elsewhere in the output."""
    statement = exposure.statement
    if statement is None:
        return False
    theirs = line.statement
    as_needed = statement.frequency is not None and statement.frequency.prn
    if as_needed != (theirs.frequency is not None and theirs.frequency.prn):
        return False
    if statement.route is not None and theirs.route is not None and statement.route != theirs.route:
        return False
    sentence = sentence_around(case.judged.output, exposure.span.start, exposure.span.end)
    if _RESCUED.search(case.judged.output, sentence.start, sentence.end):
        return False
    others = [e for e in case.given if e.drug == exposure.drug and e.statement is not statement]
    amounts = [amount for e in others if (amount := exposure_amount(e, case)) is not None]
    return not any(
        _same_kind(amount, line.amount)
        and _apart(amount.low, amount.high, line.amount.low, line.amount.high) < 2
        for amount in amounts
    )

"""What the output says of a drug against what the documents say of it: dose, frequency, and whether to give it.

These compare statements as the clinical grammar reads them, so they hold in other words too; `compare` holds against
nearly the same words and everything else that a sentence says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import amount_of, interval_hours, per_day
from attending.guardrails.checks.case import Case, Exposure, rule
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import ParsedText, Span, Statement
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.patient import Document

_CHANGE: Final = re.compile(
    r"\b(?:increas\w+|decreas\w+|reduc\w+|titrat\w+|chang\w+|lower\w*|rais\w+|uptitrat\w+|taper\w*|double"
    r"|halve|adjust\w*|from (?:[a-z-]{4,24} )?\d|(?:go(?:es|ing)?|mov\w+|step\w*|creep|(?:built|build)) (?:up "
    r"|down |back |on )?to)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Source:
    """A document with what the clinical grammar reads in it."""

    document: Document
    parsed: ParsedText


def drug_claims(case: Case, sources: list[Source]) -> Iterator[Finding]:
    """Dose, frequency and polarity of each drug against what the documents say of it."""
    for statement in case.output.statements:
        for index, drug in enumerate(statement.mention.drugs):
            said = [
                (source, other)
                for source in sources
                for other in source.parsed.statements
                if drug in other.mention.drugs
            ]
            if not said:
                continue
            exposure = Exposure(
                drug,
                statement.scope,
                statement.mention.span,
                statement.mention.text,
                "output",
                False,
                statement,
                index,
            )
            found = (
                _polarity(case, exposure, said)
                or _amounts(case, exposure, said)
                or _often(case, exposure, said)
            )
            if found is not None:
                yield found


def _polarity(case: Case, exposure: Exposure, said: list[tuple[Source, Statement]]) -> Finding | None:
    """The output gives what every document that takes a position forbids or stops, or the reverse."""
    positions = [(source, other) for source, other in said if other.scope is not Scope.FAMILY]
    against = [(s, o) for s, o in positions if o.refused]
    for_it = [
        (s, o)
        for s, o in positions
        if o.scope in (Scope.RECOMMEND, Scope.CONTINUE, Scope.MENTION, Scope.LIMIT)
    ]
    gives = exposure.scope in (Scope.RECOMMEND, Scope.CONTINUE)
    if gives and against and not for_it:
        source, other = against[0]
        verb = "stops" if other.scope is Scope.STOP else "advises against"
        return _contradiction(case, exposure, source, other.clause, "polarity", Severity.MAJOR,
                              f"the output gives {exposure.drug}; the document {verb} it")  # fmt: skip
    statement = exposure.statement
    if exposure.scope in (Scope.STOP, Scope.AVOID) and statement is not None and not statement.avoid_with:
        continued = [(s, o) for s, o in positions if o.scope in (Scope.CONTINUE, Scope.RECOMMEND)]
        if continued and not against:
            source, other = continued[0]
            return _contradiction(case, exposure, source, other.clause, "polarity", Severity.MAJOR,
                                  f"the output ends {exposure.drug}; the document continues it")  # fmt: skip
    return None


def _amounts(case: Case, exposure: Exposure, said: list[tuple[Source, Statement]]) -> Finding | None:
    """A dose that no document gives for the drug; named as tenfold or thousandfold where it is."""
    statement = exposure.statement
    if statement is None or statement.dose is None or not exposure.scope.prescriptive:
        return None
    ours = amount_of(statement.dose, case, statement.mention, index=exposure.index)
    if ours is None or ours.per_m2:
        return None
    theirs: list[tuple[Source, Statement, Decimal, Decimal]] = []
    daily: set[Decimal] = set()
    for source, other in said:
        for dose in (other.dose, other.daily_limit, other.single_limit):
            if dose is None:
                continue
            index = other.mention.drugs.index(exposure.drug)
            amount = amount_of(dose, case, other.mention, index=index)
            if amount is not None and (amount.unit, amount.per_kg, amount.per_time) == (
                ours.unit,
                ours.per_kg,
                ours.per_time,
            ):
                theirs.append((source, other, amount.low, amount.high))
                total = per_day(other, amount)
                if total is not None and not _sparse(other):
                    daily.add(total)
    if not theirs:
        return None
    if any(low <= ours.low and ours.high <= high for _, _, low, high in theirs):
        return None
    own_day = None if _sparse(statement) else per_day(statement, ours)
    if own_day is not None and own_day in daily:
        return None
    source, other, _, nearest = min(theirs, key=lambda row: abs(row[3] - ours.high))
    ratio = max(ours.high, nearest) / min(ours.high, nearest)
    tenfold = any(abs(ratio - n) < n / 20 for n in (10, 100, 1000))
    clause = case.judged.output[statement.clause.start : statement.clause.end]
    at = statement.dose.span
    if not statement.clause.start <= at.start < statement.clause.end:
        # "amend it to 2.5 mg. The nurse may go to 5 mg then": a step told in a sentence without the name
        here = sentence_around(case.judged.output, at.start, at.end)
        clause = f"{clause} {case.judged.output[here.start : here.end]}"
    if not tenfold and (_CHANGE.search(clause) or (statement.started and _titrates(other, source))):
        return None
    told = f"; {round(ratio):d} times apart: check the decimal point and the unit" if tenfold else ""
    severity = Severity.MAJOR if tenfold or ratio >= 2 else Severity.MODERATE
    return _contradiction(case, exposure, source, other.clause, "dose", severity,
                          f"another dose of {exposure.drug} than the document gives{told}",
                          span=statement.dose.span)  # fmt: skip


def _titrates(other: Statement, source: Source) -> bool:
    return _CHANGE.search(source.document.text[other.clause.start : other.clause.end]) is not None


def _often(case: Case, exposure: Exposure, said: list[tuple[Source, Statement]]) -> Finding | None:
    """A frequency that no document gives: weekly become daily, once become three times."""
    statement = exposure.statement
    if statement is None or statement.frequency is None or not exposure.scope.prescriptive:
        return None
    ours = interval_hours(statement.frequency)
    pairs = [
        (source, other, interval_hours(other.frequency))
        for source, other in said
        if other.frequency is not None
    ]
    known = [(source, other, hours) for source, other, hours in pairs if hours is not None]
    if ours is None or not known or any(abs(hours - ours) <= hours / 10 for _, _, hours in known):
        return None
    source, other, hours = min(known, key=lambda row: abs(row[2] - ours))
    clause = case.judged.output[statement.clause.start : statement.clause.end]
    ratio = max(ours, hours) / min(ours, hours)
    if (
        ratio < Decimal("1.5")
        or (_CHANGE.search(clause) and ratio < 7)
        or _same_day_total(case, exposure, said)
    ):
        return None
    return _contradiction(case, exposure, source, other.clause, "frequency",
                          Severity.MAJOR if ratio >= 3 else Severity.MODERATE,
                          f"another frequency of {exposure.drug} than the document gives",
                          span=statement.frequency.span)  # fmt: skip


def _same_day_total(case: Case, exposure: Exposure, said: list[tuple[Source, Statement]]) -> bool:
    """True where the same amount a day is split in another way ("500 mg twice" for "1000 mg once")."""
    statement = exposure.statement
    if statement is None or statement.dose is None or _sparse(statement):
        return False
    ours = amount_of(statement.dose, case, statement.mention, index=exposure.index)
    own = None if ours is None else per_day(statement, ours)
    for _, other in said:
        index = other.mention.drugs.index(exposure.drug)
        amount = None if other.dose is None else amount_of(other.dose, case, other.mention, index=index)
        if own is not None and amount is not None and not _sparse(other) and per_day(other, amount) == own:
            return True
    return False


def _sparse(statement: Statement) -> bool:
    """Less often than daily: then an amount on one day says nothing about an amount a day."""
    hours = interval_hours(statement.frequency)
    return hours is not None and hours > 24


def unsupported(case: Case, sources: list[Source], taken: list[Finding]) -> Iterator[Finding]:
    """A started drug that neither the documents, the prompt nor the patient's list name, where the documents are
    about drugs at all. An over-the-counter hint and a prescription look alike here, so it is moderate."""
    said = {drug for source in sources for s in source.parsed.statements for drug in s.mention.drugs}
    classes = {
        s.mention.drug_class for source in sources for s in source.parsed.statements if s.mention.drug_class
    }
    if not said:
        return
    asked = {drug for s in (case.prompt.statements if case.prompt else ()) for drug in s.mention.drugs}
    taking = {exposure.drug for exposure in case.taking}
    for exposure in case.unique_given():
        if not exposure.new or exposure.origin != "output" or exposure.drug in said | asked | taking:
            continue
        if any(case.of_class(exposure.drug, class_id) for class_id in classes):
            continue
        if any(f.start < exposure.span.end and exposure.span.start < f.end for f in taken):
            continue
        severity = Severity.MODERATE if exposure.scope is Scope.RECOMMEND else Severity.INFO
        yield case.finding(
            Code.UNSUPPORTED,
            exposure,
            severity,
            rule("unsupported-drug", "documents " + ", ".join(s.document.id for s in sources)),
            f"{exposure.drug} is in no document, nor in the prompt or the patient's list",
        )


def _contradiction(
    case: Case,
    exposure: Exposure,
    source: Source,
    clause: Span,
    kind: str,
    severity: Severity,
    message: str,
    *,
    span: Span | None = None,
) -> Finding:
    quote = " ".join(source.document.text[clause.start : clause.end].split())[:200]
    return case.finding(
        Code.CONTRADICTION,
        exposure,
        severity,
        rule(f"grounding-{kind}", f"document {source.document.id}"),
        f"{message}: `{quote}`",
        span=span,
    )

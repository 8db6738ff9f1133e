"""A usual dose after a gap in treatment, of drugs that must be built up again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import exposure_amount, shown
from attending.guardrails.checks.case import Case, Exposure, curated
from attending.guardrails.clinical.number import number_words
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.sieve import Sieved

_NUMBERS: Final = number_words("one two three four five six seven eight nine ten") | {
    "several": 3, "a": 1, "a couple of": 2, "couple of": 2,
}  # fmt: skip
_COUNT: Final = r"(?P<n>\d{1,3}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + ")"
_MISSED: Final = (
    r"(?:miss(?:ed|ing)?|forgot(?:ten)?|forgetting|skipped|ran out|run out|laps\w+|interrupt\w+|gap\b|stopp\w+|"
    r"(?:has|have|had)(?: not|n't) (?:had|taken|been taking|been on|been given)|not taken|not been taking|"
    r"did(?: not|n't) take|last (?:took|had|dose|taken)|non-?adheren\w+|"
    r"(?:off|without|no) (?:it|clozapine|clozaril|lamotrigine|lamictal|(?:his |her |the )?(?:tablets|medication|meds|"
    r"doses?)))"
)
_OTHER: Final = (
    r"(?:clinic|appointment|visit|blood|labs?|\banc\b|smok|alcohol|drink|school|work\b|bowel|stool|period|antibiotic|"
    r"physio|bus\b|flight)"
)
_GAP: Final = re.compile(
    rf"\b{_MISSED}\b(?:(?!{_OTHER})[^.;\n]){{0,70}}?(?:"
    rf"\b{_COUNT} (?:full |whole |consecutive )?(?P<unit>hours?|hrs?|h|days?|nights?|weeks?|months?)\b"
    r"|\b(?P<since>since last (?:week|month|\w+day)|(?:last|a) week\b(?: ago)?|all week\b))",
    re.I,
)
_IF: Final = re.compile(r"\b(?:if|when|whenever|should|unless|in case|after any)\b[^.;\n]{0,60}$", re.I)
_HOURS: Final = {"h": Decimal(1), "d": Decimal(24), "n": Decimal(24), "w": Decimal(168), "m": Decimal(720)}
_BACK: Final = Sieved(
    r"\b(?:re-?start|resum|re-?commenc|re-?initiat|go(?:ing)? (?:straight )?back to|carry on with|as before)",
    re.I,
)
_NEAR: Final = 250


@dataclass(frozen=True, slots=True)
class _Rebuilt:
    gap_hours: Decimal
    first_mg: Decimal
    top_mg: Decimal
    check: str


_DRUGS: Final = {
    "clozapine": _Rebuilt(
        Decimal(48),
        Decimal("12.5"),
        Decimal(25),
        "clozapine label, section 2, re-initiation after 2 days or more",
    ),
    "lamotrigine": _Rebuilt(
        Decimal(144),
        Decimal(25),
        Decimal(50),
        "lamotrigine label, section 2, restart after more than 5 half-lives",
    ),
}


def restarts(case: Case) -> Iterator[Finding]:
    """The old dose of clozapine two days after the last, or of lamotrigine six days after it. A text that begins low
    again is quiet; so is one that says what to do if doses are missed."""
    for drug, rebuilt in _DRUGS.items():
        given = [(e, a) for e in _restarted(case, drug) if (a := _mg(case, e))]
        if not given or any(amount <= rebuilt.top_mg for _, amount in given):
            continue
        gap = _gap(case.judged.output, given[0][0], rebuilt)
        if gap is None:
            continue
        exposure, amount = max(given, key=lambda one: one[1])
        statement = exposure.statement
        yield case.finding(
            Code.DOSE_MAX_SINGLE,
            exposure,
            Severity.MAJOR,
            curated(f"restart-{drug}", rebuilt.check),
            f"{drug} {shown(amount, 'mg')} after a gap of {gap}; it is built up again from "
            f"{shown(rebuilt.first_mg, 'mg')}",
            span=statement.dose.span if statement is not None and statement.dose is not None else None,
        )


def _restarted(case: Case, drug: str) -> Iterator[Exposure]:
    """What the output gives of the drug, and what it only names where it says to go back to it."""
    yield from (e for e in case.given if e.drug == drug and e.origin == "output")
    if not case.says(_BACK):
        return
    for statement in case.output.statements:
        if drug in statement.mention.drugs and statement.scope in (Scope.MENTION, Scope.HYPOTHETICAL):
            mention = statement.mention
            yield Exposure(
                drug,
                statement.scope,
                mention.span,
                mention.text,
                "output",
                False,
                statement,
                mention.drugs.index(drug),
            )


def _mg(case: Case, exposure: Exposure) -> Decimal | None:
    amount = exposure_amount(exposure, case)
    return amount.high if amount is not None and amount.unit == "mg" and not amount.per_kg else None


def _gap(text: str, exposure: Exposure, rebuilt: _Rebuilt) -> str | None:
    start, end = max(0, exposure.span.start - _NEAR), exposure.span.end + _NEAR
    for match in _GAP.finditer(text, start, min(end, len(text))):
        if _IF.search(text, max(0, match.start() - 80), match.start()):
            continue
        if match["since"]:
            return match["since"].lower()
        count = Decimal(_NUMBERS.get(match["n"].lower(), 0) or match["n"])
        if count * _HOURS[match["unit"][0].lower()] >= rebuilt.gap_hours:
            return f"{match['n']} {match['unit']}"
    return None

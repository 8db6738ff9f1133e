"""Drugs that are begun low and raised slowly because the full dose at once harms: a first dose above that is found.

Held against is the smallest dose that the text gives, so that a titration from low to full is none. Only where the text
says that the drug is begun; a drug that the patient's list has is not. Not caught: steps that are too quick.
The first doses are rows of the knowledge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import exposure_amount, per_day, shown
from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.sieve import Sieved

_MOST_INJECTED: Final = Decimal("2.4")
"""The largest injection of semaglutide in mg; tablets begin above it."""
_BEGUN: Final = re.compile(
    r"\b(?:start(?:s|ed|ing)?|begin\w*|began|begun|initiat\w+|new(?:ly)?|na[iï]ve|never (?:had|been on|taken|"
    r"tried|used)|first (?:time|"
    r"ever|dose)|commenc\w+|(?:full|target|maintenance) dose (?:at once|from|straight|right|immediately|today|tonight)|"
    r"(?:at once|straight (?:away|off)|right away|from (?:day one|day 1|w(?:ee)?k (?:1|one)|"
    r"dose (?:1|one)|the first day|the start|the outset))|"
    r"(?:no|without|skip\w*|don't|do not|not) (?:\w+ ){0,2}(?:titrat\w*|build\w*|step\w*|starter))\b",
    re.I,
)
_RISES: Final = Sieved(
    r"\b(?:titrat\w+|build(?:ing)? up|built up|step(?:ped)? up|increas\w+|uptitrat\w+|target(?: dose)?|"
    r"work(?:ing|ed)? up|go(?:ing)? up"
    r"|aim\w*|starter (?:kit|pack)|escalat\w+|slowly|gradual\w*|rais\w+|re-?titrat\w+)\b",
    re.I,
)
_NOT_RISING: Final = Sieved(
    r"\b(?:no|not|without|skip\w*|don't|n't|rather than|instead of)\b(?: (?:need|have|for|to|the|any|you|bother|"
    r"with|waste|time|slow|usual|"
    r"a|of|be|further|it|up|required|needed|weeks)){0,6} (?:titrat\w*|build\w*|step\w*|slowly|gradual\w*|"
    r"increas\w*|starter\w*|start low|"
    r"work\w*|escalat\w*)",
    re.I,
)
_NO_CHANGE: Final = (
    r"no changes?(?! (?:otherwise|elsewhere|apart|except)\b| (?:to|in|for|with|of)"
    r" (?!(?:the |his |her |your |this |its )?(?:dose|dosage|strength)\b))"
)
"""Said of the drug itself, and not of the others ("no change to her other medicines")."""
_GOES_ON: Final = re.compile(
    rf"\b(?:continu\w+|stable|unchanged|{_NO_CHANGE}|long[- ]term|for years|since|remains?|restart\w*|resum\w+"
    r"|back on|usual|"
    r"stay(?:s|ing)? (?:on|at)|still|"
    r"already|for (?:many|several) (?:months|years)|now on|home med\w*|(?:19|20)\d\d|ago|seizure[- ]free|"
    r"well controlled)\b",
    re.I,
)


_NAIVE: Final = re.compile(r"\bna[iï]ve\b|\bnew(?:ly)? start|\bnever had\b", re.I)


def first_doses(case: Case) -> Iterator[Finding]:
    """At most one finding a drug."""
    seen: set[str] = set()
    for exposure in case.given:
        first = next(iter(case.knowledge.first_doses(exposure.drug)), None)
        if (
            first is None
            or exposure.drug in seen
            or exposure.origin != "output"
            or exposure.drug in case.recorded
        ):
            continue
        seen.add(exposure.drug)
        least = _least_a_day(case, exposure.drug)
        if exposure.drug == "semaglutide" and least is not None and least > _MOST_INJECTED:
            continue  # a tablet
        if least is None or least <= first.max_daily_mg or not _is_begun(case, exposure):
            continue
        yield case.finding(
            Code.DOSE_MAX_DAILY,
            exposure,
            Severity.MAJOR,
            first.provenance,
            f"{exposure.drug} begun with {shown(least, 'mg')} a day; it is begun with at most "
            f"{shown(first.max_daily_mg, 'mg')} a day and raised slowly",
            span=exposure.statement.dose.span if exposure.statement and exposure.statement.dose else None,
        )


def _least_a_day(case: Case, drug: str) -> Decimal | None:
    """The smallest day's dose that the text names, so that the first step of a titration counts."""
    found: list[Decimal] = []
    for exposure in case.given:
        if exposure.drug != drug or exposure.statement is None:
            continue
        amount = exposure_amount(exposure, case)
        if amount is None or amount.unit != "mg" or amount.per_kg or amount.per_m2:
            continue
        found.append(per_day(exposure.statement, amount) or amount.high)
    return min(found) if found else None


def _is_begun(case: Case, exposure: Exposure) -> bool:
    """Whether the sentence of the drug, or the one before it, says that it is new, and nothing speaks of a rise."""
    text = case.judged.output
    around = sentence_around(text, exposure.span.start, exposure.span.end)
    own = text[around.start : around.end]
    before = text[max(0, around.start - 120) : around.start]
    if _GOES_ON.search(own) or _dose_goes_on(case, exposure.drug):
        return False
    if case.says(_RISES) and not case.says(_NOT_RISING):
        return False
    return exposure.statement is not None and (
        exposure.statement.started or _BEGUN.search(own) is not None or _NAIVE.search(before) is not None
    )


def _dose_goes_on(case: Case, drug: str) -> bool:
    """Whether each sentence that gives a dose of the drug says that it goes on: "150 mg twice daily, no change"."""
    text = case.judged.output
    dosed = [
        e for e in case.given if e.drug == drug and e.statement is not None and e.statement.dose is not None
    ]
    return bool(dosed) and all(
        _GOES_ON.search(text, own.start, own.end)
        for e in dosed
        for own in (sentence_around(text, e.span.start, e.span.end),)
    )


__all__ = ["first_doses"]

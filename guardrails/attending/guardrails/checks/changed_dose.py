"""A drug whose dose the text changes, or which it stops, and which the list below gives as before.

"We have cut mycophenolate to 500 mg twice daily", and under "Medicines on discharge": "mycophenolate 1.5 g twice
daily". Judged only where one line of a list that has a heading names the drug, and neither the line nor anything
between speaks of a later change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import Amount, amount_of, per_day, shown
from attending.guardrails.checks.case import Case, rule
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Statement
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.sieve import Sieved

_HEADING: Final = Sieved(
    r"\b(?:medicines?|medications?|meds|drugs?|tablets?|tt[oa]s?|(?:repeat|discharge|home|drug) list|take home"
    r"|prescriptions?)\b[^.;:\n]{0,30}:"
    r"|(?:^|\n)[ *_#>]{0,4}(?:your |my |the )?(?:[\w-]+ ){0,2}(?:checklist|schedule|timetable|tick ?list"
    r"|to-?do list|chart"
    r"|reminders?|routine|planner|at a glance)\b[^.;:\n]{0,40}(?=[:\n])",
    re.I,
)
_CHANGED: Final = re.compile(
    r"\b(?:cut|reduc(?:ed|e)|lower(?:ed)?|halved?|increased?|raised?|decreased?|go(?:es|ing)? (?:down|up)"
    r"|brought (?:down|up)|went (?:down|up)|stepped (?:down|up))\b",
    re.I,
)
_NOW: Final = re.compile(r"(?:[:,\u2013\u2014-] ?(?:is )?now|\bis now)[ *_]{1,4}(?:only |just )?$", re.I)
"""Before the new dose: "Tresiba: now 12 units"."""
_TO: Final = re.compile(r"(?:\bto|->|\u2192)\s{0,3}(?:only |just )?$", re.I)
_UNSURE: Final = re.compile(
    r"\b(?:if|when|unless|until|till|then|once|while|before|for (?:\w+ ){1,2}(?:days?|weeks?|hours?)|after \w+"
    r" (?:days|weeks|months)|temporar\w*|restart\w*|resum\w*|may|might|could|would|at least|every|over|next|later|and"
    r" again|last|previous\w*|ago|(?:19|20)\d\d|not (?:to )?(?:be )?(?:stop\w*|chang\w*|reduc\w*|increas\w*))\b",
    re.I,
)
"""A change under a condition, for a time, in steps or long ago."""
_LISTED_OTHERWISE: Final = re.compile(
    r"\b(?:h[eo]ld|stop\w*|off|pause\w*|restart\w*|resum\w*|reduc\w*|increas\w*|after|until|till|when|once|if|from"
    r"|start\w*|later|not|no|never|discontinu\w*|suspend\w*|withh\w+|previous\w*|was|prior|before|then|plus"
    r"|on admission|changed?|new)\b",
    re.I,
)
_AGAIN: Final = re.compile(
    r"\b(?<!not )(?<!never )(?:restart\w*|resum\w*|re-?start\w*|re-?commenc\w*|back (?:on|to|up)|started again)\b",
    re.I,
)
_PARTS: Final = re.compile(r"[,;\n]")
_APART: Final = Decimal("1.4")
"""Two doses are two from this factor on."""


def changed_doses(case: Case) -> Iterator[Finding]:
    """One finding a drug, at the line of the list."""
    text = case.judged.output
    headings = list(_HEADING.finditer(text))
    if not headings:
        return
    for index, statement in enumerate(case.output.statements):
        drugs = statement.mention.drugs
        heading = next((h for h in headings if h.start() >= statement.mention.span.end), None)
        if len(drugs) != 1 or heading is None:
            continue
        stopped = _stopped(text, statement)
        if not stopped and not _changed(text, statement):
            continue
        later = [s for s in case.output.statements[index + 1 :] if drugs[0] in s.mention.drugs]
        if len(later) != 1 or later[0].mention.span.start < heading.end():
            continue
        line = later[0]
        if not _listed(text, line) or _AGAIN.search(
            text, statement.mention.span.end, line.mention.span.start
        ):
            continue
        old = _amounts(case, line)
        if old is None:
            continue
        new = None if stopped else _amounts(case, statement)
        if not stopped and (new is None or not _differ(new, old)):
            continue
        told = "stopped" if new is None else f"changed to {shown(new[0].high, new[0].unit)}"
        yield case.finding(
            Code.CONTRADICTION,
            None,
            Severity.MAJOR,
            rule("changed-yet-listed", "ISMP: medication reconciliation at transitions of care"),
            f"{drugs[0]} is {told} in the text; its list gives {shown(old[0].high, old[0].unit)}",
            drugs=drugs,
            span=line.mention.span,
        )


def _sentence(text: str, statement: Statement) -> str:
    span = statement.mention.span
    around = sentence_around(text, span.start, span.end, reach=300)
    return text[around.start : around.end]


def _stopped(text: str, statement: Statement) -> bool:
    return statement.refused and _UNSURE.search(_sentence(text, statement)) is None


def _changed(text: str, statement: Statement) -> bool:
    if statement.dose is None or statement.scope in (Scope.HYPOTHETICAL, Scope.FAMILY, Scope.AVOID):
        return False
    words = _sentence(text, statement)
    before = text[max(0, statement.dose.span.start - 24) : statement.dose.span.start]
    told = (_CHANGED.search(words) is not None and _TO.search(before) is not None) or _NOW.search(
        before
    ) is not None
    return told and _UNSURE.search(words) is None


def _listed(text: str, line: Statement) -> bool:
    if line.dose is None or line.scope in (Scope.STOP, Scope.AVOID, Scope.HISTORY, Scope.FAMILY):
        return False
    start = line.mention.span.start
    end = _PARTS.search(text, line.dose.span.end)
    low = max(text.rfind(mark, 0, start) for mark in ",;:\n") + 1
    return _LISTED_OTHERWISE.search(text[low : end.start() if end else len(text)]) is None


def _amounts(case: Case, statement: Statement) -> tuple[Amount, Decimal | None] | None:
    if statement.dose is None:
        return None
    amount = amount_of(statement.dose, case, statement.mention, index=0)
    if amount is None or amount.per_time not in (None, "day"):
        return None
    return amount, per_day(statement, amount)


def _differ(new: tuple[Amount, Decimal | None], old: tuple[Amount, Decimal | None]) -> bool:
    """Apart at one time, and over a day where both are known."""
    one, other = new[0], old[0]
    if (one.unit, one.per_kg, one.per_m2) != (other.unit, other.per_kg, other.per_m2):
        return False
    pairs = [(one.high, other.high)]
    if new[1] is not None and old[1] is not None:
        pairs.append((new[1], old[1]))
    return all(max(pair) >= _APART * min(pair) > 0 for pair in pairs)

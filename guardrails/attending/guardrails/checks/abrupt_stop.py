"""A drug whose sudden end does harm, ended or withheld with no taper, no replacement and no reason.

`vital` says which drugs, `endings` where the output ends one, `grounds` what makes that right. What was stopped in
the past, what is held for hours or days with a plan to resume, what is switched to another drug of its kind, and what
a reaction or a bleed ends is no finding.
"""

from __future__ import annotations

from collections.abc import Iterator

from attending.guardrails.checks.case import Case, curated
from attending.guardrails.checks.endings import endings
from attending.guardrails.checks.grounds import rightful, taken_long
from attending.guardrails.finding import Code, Finding


def abrupt_stops(case: Case) -> Iterator[Finding]:
    """One finding per kind of drug."""
    seen: set[str] = set()
    for ending in endings(case):
        vital = ending.vital
        if vital.id in seen or not taken_long(case, ending) or rightful(case, ending):
            continue
        seen.add(vital.id)
        what = ending.drugs[0] if ending.drugs else case.judged.output[ending.span.start : ending.span.end]
        yield case.finding(
            Code.ABRUPT_STOP,
            None,
            vital.severity,
            curated(f"abrupt-stop-{vital.id}", vital.check),
            f"{what} is stopped with no taper, replacement or reason: {vital.harm}",
            drugs=ending.drugs[:1],
            span=ending.span,
        )

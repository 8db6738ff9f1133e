"""What could be judged and what could not, per drug and check: coverage is data, never implied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from attending.guardrails.checks.case import Case, Exposure, rule
from attending.guardrails.checks.kidney import kidney_functions
from attending.guardrails.finding import Code, Coverage, Finding, Severity
from attending.guardrails.knowledge.facts import Covered

_ALWAYS: Final = ("interaction",)
_NEEDS: Final[dict[str, Callable[[Case], bool]]] = {
    "allergy": lambda case: case.context.allergies is not None,
    "contraindication": lambda case: case.context.conditions is not None,
    "pregnancy": lambda case: case.context.sex == "male" or case.context.pregnant is not None
    or case.context.pregnancy_weeks is not None,
    "lactation": lambda case: case.context.sex == "male" or case.context.lactating is not None,
    "renal": lambda case: bool(kidney_functions(case)),
    "hepatic": lambda case: case.context.child_pugh is not None or case.context.conditions is not None,
    "age": lambda case: case.age_years is not None,
}  # fmt: skip


def coverage(case: Case) -> tuple[Coverage, Iterator[Finding]]:
    """The coverage of this output, and one `not_covered` finding listing the started or changed drugs for which
    the pack has no interaction data, or no dose limit for a stated dose. The finding holds by default."""
    judged = of = 0
    missing: dict[str, list[str]] = {}
    blocking: dict[str, list[str]] = {}
    anchor: Exposure | None = None
    for exposure in case.unique_given():
        checks = [*_ALWAYS, *(("dose",) if _has_dose(case, exposure.drug) else ()), *_NEEDS]
        for check in checks:
            of += 1
            needs = _NEEDS.get(check)
            if needs is not None and not needs(case):
                continue
            if case.knowledge.covered(exposure.drug, check) is Covered.NOT_COVERED:
                missing.setdefault(exposure.drug, []).append(check)
                if exposure.new and check in ("interaction", "dose") and not case.is_local(exposure):
                    blocking.setdefault(exposure.drug, []).append(check)
                    anchor = anchor or exposure
                continue
            judged += 1
    return Coverage(judged, of, tuple(sorted(missing))), _finding(case, blocking, anchor)


def _has_dose(case: Case, drug: str) -> bool:
    return any(
        e.drug == drug and e.statement is not None and e.statement.dose is not None for e in case.given
    )


def _finding(case: Case, blocking: dict[str, list[str]], anchor: Exposure | None) -> Iterator[Finding]:
    if anchor is None:
        return
    told = "; ".join(f"{drug} ({', '.join(checks)})" for drug, checks in sorted(blocking.items()))
    yield case.finding(
        Code.NOT_COVERED,
        anchor,
        Severity.MODERATE,
        rule("not-covered", "coverage table of the knowledge pack"),
        f"the knowledge does not cover, so nothing was judged for: {told}",
        drugs=sorted(blocking),
    )

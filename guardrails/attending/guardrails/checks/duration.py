"""Treatment that lasts longer than the drug is given for. The courses are rows of the knowledge."""

from __future__ import annotations

from collections.abc import Iterator

from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.checks.classes import LOCAL_ROUTES
from attending.guardrails.checks.course import WITHOUT_END
from attending.guardrails.checks.lasting import told_days
from attending.guardrails.checks.patient_state import conditions_of
from attending.guardrails.clinical.statement import Statement
from attending.guardrails.finding import Code, Finding
from attending.guardrails.knowledge.facts import Course


def durations(case: Case) -> Iterator[Finding]:
    seen: set[str] = set()
    for exposure in case.given:
        statement = exposure.statement
        if statement is None or exposure.origin != "output" or exposure.drug in seen:
            continue
        courses = case.knowledge.courses(exposure.drug)
        lasting = told_days(case, statement) if courses else None
        if lasting is None:
            continue
        for course in courses:
            if lasting <= course.max_days or not _holds(case, exposure, statement, course):
                continue
            seen.add(exposure.drug)
            told = "without end" if lasting >= WITHOUT_END else f"for {lasting.normalize():f} days"
            yield case.finding(
                Code.DURATION,
                exposure,
                course.severity,
                course.provenance,
                f"{exposure.drug} {told}; at most {course.max_days.normalize():f} days",
                span=statement.duration.span if statement.duration is not None else None,
            )
            break


def _holds(case: Case, exposure: Exposure, statement: Statement, course: Course) -> bool:
    if course.routes:
        if statement.route is not None and statement.route not in course.routes:
            return False
        if statement.route is None and case.is_local(exposure) and not course.routes & LOCAL_ROUTES:
            return False
    if course.by_the_clock and (statement.frequency is None or statement.frequency.prn):
        return False
    return course.unless is None or course.unless not in conditions_of(case)


__all__ = ["durations"]

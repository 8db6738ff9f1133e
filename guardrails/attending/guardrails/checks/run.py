"""Every clinical check over one output: pure and deterministic, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from attending.guardrails.checks.abrupt_stop import abrupt_stops
from attending.guardrails.checks.allergy import allergies
from attending.guardrails.checks.case import Audience, Case, build_case
from attending.guardrails.checks.changed_dose import changed_doses
from attending.guardrails.checks.childbearing import lactation, pregnancy
from attending.guardrails.checks.conception import conception
from attending.guardrails.checks.coverage import coverage
from attending.guardrails.checks.denied import denied
from attending.guardrails.checks.disguise import disguises, too_long
from attending.guardrails.checks.dosing import dosing
from attending.guardrails.checks.drug_lab import drug_labs
from attending.guardrails.checks.duplicate import duplicates
from attending.guardrails.checks.duration import durations
from attending.guardrails.checks.first_dose import first_doses
from attending.guardrails.checks.fluids import fluid_never_events
from attending.guardrails.checks.forbidden_route import forbidden_routes
from attending.guardrails.checks.identity import wrong_patient
from attending.guardrails.checks.interaction import interactions, mechanisms
from attending.guardrails.checks.interval import intervals, repeats
from attending.guardrails.checks.kidney import kidney
from attending.guardrails.checks.lab_course import lab_courses
from attending.guardrails.checks.listed_dose import listed_doses, misread_starts
from attending.guardrails.checks.local_form import local_forms
from attending.guardrails.checks.mme import mme
from attending.guardrails.checks.never_event import never_events
from attending.guardrails.checks.notation import notations, unknown_names, unreadable
from attending.guardrails.checks.omission import omissions
from attending.guardrails.checks.one_fact import one_fact
from attending.guardrails.checks.opioid_naive import opioid_naive
from attending.guardrails.checks.patient_state import age, contraindications, liver
from attending.guardrails.checks.port import KnowledgePort
from attending.guardrails.checks.rate import rates
from attending.guardrails.checks.red_flag import red_flags
from attending.guardrails.checks.restart import restarts
from attending.guardrails.checks.rests_on import Grounds, grounds
from attending.guardrails.checks.route import routes
from attending.guardrails.checks.side import sides
from attending.guardrails.checks.sodium import sodium_rises
from attending.guardrails.checks.specialist import specialist
from attending.guardrails.checks.stacking import stacking
from attending.guardrails.checks.switch import short_gaps
from attending.guardrails.checks.too_short import too_short
from attending.guardrails.checks.unit import pounds, units
from attending.guardrails.checks.whose_amount import with_owners
from attending.guardrails.checks.withheld import withheld_yet_listed
from attending.guardrails.checks.wrong_way import wrong_ways
from attending.guardrails.citation import Citation
from attending.guardrails.finding import Coverage, Finding
from attending.guardrails.grounding import ground, grounding
from attending.guardrails.patient import Judged

CHECKS: Final[tuple[Callable[[Case], Iterator[Finding]], ...]] = (
    interactions,
    short_gaps,
    duplicates,
    stacking,
    dosing,
    first_doses,
    restarts,
    listed_doses,
    misread_starts,
    intervals,
    repeats,
    units,
    pounds,
    routes,
    forbidden_routes,
    wrong_ways,
    local_forms,
    rates,
    sodium_rises,
    durations,
    too_short,
    allergies,
    contraindications,
    pregnancy,
    conception,
    lactation,
    kidney,
    liver,
    age,
    mme,
    drug_labs,
    lab_courses,
    never_events,
    opioid_naive,
    fluid_never_events,
    specialist,
    wrong_patient,
    sides,
    denied,
    withheld_yet_listed,
    changed_doses,
    omissions,
    abrupt_stops,
    red_flags,
    notations,
    unknown_names,
    unreadable,
    disguises,
    grounding,
)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`findings` in the order of their place in the text, worst first at one place."""

    findings: tuple[Finding, ...]
    coverage: Coverage
    citations: tuple[Citation, ...] = ()
    """One a claim of the output, in text order; empty without documents."""
    grounds: Grounds | None = None
    """What the findings rest on; None of a text that was not read."""


def run_checks(judged: Judged, knowledge: KnowledgePort, *, audience: Audience) -> CheckResult:
    """Judge one output. Equal input gives equal output; raises only on a defect, which the caller holds on."""
    long = too_long(judged.output)
    if long is not None:
        return CheckResult((long,), Coverage())
    case = with_owners(build_case(judged, knowledge, audience))
    found = [finding for check in CHECKS for finding in check(case)]
    covered, missing = coverage(case)
    found.extend(missing)
    ordered = sorted(dict.fromkeys(found), key=_order)
    return CheckResult(one_fact(ordered, mechanisms(case)), covered, ground(case).citations, grounds(case))


def _order(finding: Finding) -> tuple[int, int, int, str, str]:
    return (finding.start, -finding.severity.rank, finding.end, finding.code.value, finding.rule_id)

"""The verdict as a function of code, severity, scope, basis and audience."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.policy.decide import decide
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import DECISION_RANK, Audience, Policy
from hypothesis import given
from hypothesis import strategies as st

POLICIES = PolicySet.load(Path(__file__).resolve().parents[3] / "policies")
PATIENT = POLICIES["patient-message"]
CLINICIAN = POLICIES["discharge-plan"]
LETTER = POLICIES["administrative-letter"]

FINDING = Finding(
    rail="clinical checks",
    code=Code.INTERACTION,
    rule_id="ansm:2016:1",
    severity=Severity.MAJOR,
    scope=Scope.RECOMMEND,
    start=0,
    end=4,
    text="text",
    basis=Basis.SOURCE_ROW,
    source="a row",
    message="a message",
)


def finding(**changes: Any) -> Finding:
    return replace(FINDING, **changes)


RECOMMENDS = finding(code=Code.CLINICAL_RECOMMENDATION, severity=Severity.INFO, basis=Basis.RULE)


def plain(policy: Policy) -> Policy:
    """`policy` without its own rows and without mandatory review, to see the default table."""
    return policy.model_copy(update={"verdicts": (), "mandatory_review": "when_recommendation"})


@pytest.mark.parametrize(
    ("changes", "patient", "clinician"),
    [
        ({"severity": Severity.CONTRAINDICATED}, "block", "hold"),
        ({"severity": Severity.CONTRAINDICATED, "scope": Scope.CONTINUE}, "block", "hold"),
        ({"severity": Severity.CONTRAINDICATED, "scope": Scope.HISTORY}, "hold", "hold"),
        ({"severity": Severity.CONTRAINDICATED, "basis": Basis.LABEL_TEXT}, "block", "hold"),
        ({"severity": Severity.CONTRAINDICATED, "basis": Basis.CURATED}, "hold", "hold"),
        ({"severity": Severity.MAJOR}, "hold", "hold"),
        ({"severity": Severity.MODERATE}, "hold", "hold"),
        ({"severity": Severity.MINOR}, "release", "release"),
        ({"severity": Severity.MINOR, "code": Code.UNKNOWN_DRUG}, "hold", "hold"),
        ({"severity": Severity.CONTRAINDICATED, "code": Code.UNKNOWN_DRUG}, "block", "hold"),
        ({"severity": Severity.INFO}, "release", "release"),
        ({"code": Code.NEVER_EVENT, "basis": Basis.RULE}, "block", "block"),
        ({"code": Code.NEVER_EVENT, "basis": Basis.CURATED}, "hold", "hold"),
        ({"code": Code.NEVER_EVENT, "severity": Severity.MODERATE}, "hold", "hold"),
        ({"code": Code.WRONG_PATIENT, "basis": Basis.RULE}, "block", "block"),
        ({"code": Code.NOT_COVERED, "severity": Severity.MINOR}, "hold", "hold"),
        ({"code": Code.NOT_COVERED, "severity": Severity.MODERATE}, "hold", "hold"),
        ({"code": Code.RAIL_FAILURE, "severity": Severity.MINOR}, "hold", "hold"),
    ],
)
def test_the_default_table(changes: dict[str, Any], patient: str, clinician: str) -> None:
    assert decide(plain(PATIENT), [finding(**changes)]).verdict == patient
    assert decide(plain(CLINICIAN), [finding(**changes)]).verdict == clinician


def test_nothing_found_is_released() -> None:
    verdict = decide(LETTER, [])
    assert (verdict.verdict, verdict.mandatory_review, verdict.disposition) == ("release", False, "release")
    assert verdict.required_roles == ()
    assert verdict.deciding == ()


def test_a_recommendation_holds_and_leaves_the_verdict_alone() -> None:
    verdict = decide(LETTER, [RECOMMENDS])
    assert (verdict.verdict, verdict.mandatory_review, verdict.disposition) == ("release", True, "hold")
    assert verdict.required_roles == ("clinician",)
    assert verdict.to_dispose == ()


def test_what_a_failed_rail_left_unread_needs_a_clinician() -> None:
    verdict = decide(CLINICIAN, [finding(code=Code.RAIL_FAILURE, basis=Basis.RULE)])
    assert (verdict.verdict, verdict.disposition) == ("hold", "hold")
    assert verdict.required_roles == ("clinician",)


def test_a_policy_may_review_everything() -> None:
    verdict = decide(CLINICIAN, [])
    assert (verdict.verdict, verdict.mandatory_review, verdict.disposition) == ("release", True, "hold")
    assert verdict.required_roles == ("clinician", "pharmacist")
    assert [rule.rule for rule in verdict.deciding] == ["policy.mandatory_review"]


def test_the_worst_finding_decides_and_is_named() -> None:
    findings = [
        finding(severity=Severity.MINOR),
        finding(severity=Severity.CONTRAINDICATED),
        finding(severity=Severity.MAJOR),
    ]
    verdict = decide(plain(PATIENT), findings)
    assert verdict.verdict == "block"
    assert [(rule.rule, rule.finding) for rule in verdict.deciding] == [
        ("default.contraindicated.patient", 1)
    ]
    assert verdict.to_dispose == (1, 2)


def test_curated_facts_together_do_not_block() -> None:
    curated = finding(severity=Severity.CONTRAINDICATED, basis=Basis.CURATED)
    verdict = decide(plain(PATIENT), [curated, curated])
    assert verdict.verdict == "hold"
    assert verdict.deciding[0].rule == "default.contraindicated.patient.curated"


def test_a_row_decides_before_the_table() -> None:
    red_flag = finding(code=Code.RED_FLAG, basis=Basis.RULE)
    assert decide(PATIENT, [red_flag]).verdict == "block"
    assert decide(PATIENT, [red_flag]).deciding[0].rule == "policy.verdicts[0]"
    assert decide(CLINICIAN, [red_flag]).verdict == "hold"


def test_a_row_cannot_make_a_curated_fact_block() -> None:
    red_flag = finding(code=Code.RED_FLAG, basis=Basis.CURATED)
    assert decide(PATIENT, [red_flag]).verdict == "hold"


def test_the_reader_may_raise_the_floor() -> None:
    contraindicated = finding(severity=Severity.CONTRAINDICATED)
    assert decide(CLINICIAN, [contraindicated]).verdict == "hold"
    assert decide(CLINICIAN, [contraindicated], audience="patient").verdict == "block"


@pytest.mark.parametrize("mode", ["observe", "advise"])
def test_a_softer_mode_releases_and_says_so(mode: str) -> None:
    policy = plain(CLINICIAN).model_copy(update={"mode": mode})
    verdict = decide(policy, [finding(severity=Severity.MAJOR)])
    assert (verdict.verdict, verdict.disposition, verdict.not_enforced) == ("hold", "release", True)
    assert verdict.deciding[-1].rule == f"mode.{mode}"


@pytest.mark.parametrize("mode", ["observe", "advise"])
@pytest.mark.parametrize("kept", [RECOMMENDS, finding(code=Code.RAIL_FAILURE)])
def test_no_mode_releases_a_recommendation_or_an_unjudged_text(mode: str, kept: Finding) -> None:
    policy = plain(CLINICIAN).model_copy(update={"mode": mode})
    verdict = decide(policy, [finding(), kept])
    assert verdict.disposition == "hold"
    assert verdict.not_enforced is False


def test_advise_still_blocks_and_a_patient_always_gets_enforce() -> None:
    never = finding(code=Code.NEVER_EVENT, basis=Basis.RULE)
    advise = plain(CLINICIAN).model_copy(update={"mode": "advise"})
    observe = plain(CLINICIAN).model_copy(update={"mode": "observe"})
    assert decide(advise, [never]).disposition == "block"
    assert decide(observe, [finding()], audience="patient").disposition == "hold"


findings = st.lists(
    st.builds(
        finding,
        code=st.sampled_from(Code),
        severity=st.sampled_from(Severity),
        scope=st.sampled_from(Scope),
        basis=st.sampled_from(Basis),
    ),
    max_size=6,
)
audiences = st.sampled_from(["patient", "clinician"])
policies = st.sampled_from(list(POLICIES.values()))


@given(policies, findings, audiences)
def test_invariants_of_every_verdict(policy: Policy, found: list[Finding], audience: Audience) -> None:
    verdict = decide(policy, found, audience=audience)
    judged = [f for f in found if f.severity is not Severity.INFO]
    # info findings never change the verdict
    assert decide(policy, judged, audience=audience).verdict == verdict.verdict
    # the order of findings does not matter
    assert decide(policy, found[::-1], audience=audience).disposition == verdict.disposition
    # a recommendation, a failed rail and a drug without knowledge are never released
    held = {Code.RAIL_FAILURE, Code.NOT_COVERED}
    if any(f.code is Code.CLINICAL_RECOMMENDATION or f.code in held for f in judged) or any(
        f.code is Code.CLINICAL_RECOMMENDATION for f in found
    ):
        assert verdict.disposition != "release"
    # curated facts alone never block
    if all(f.basis is Basis.CURATED for f in judged):
        assert verdict.verdict != "block"
    # the disposition is never milder than the verdict in an enforcing policy
    assert DECISION_RANK[verdict.disposition] >= DECISION_RANK[verdict.verdict]
    assert bool(verdict.required_roles) == (verdict.disposition == "hold")
    if any(f.code is Code.CLINICAL_RECOMMENDATION for f in found) and verdict.disposition == "hold":
        assert verdict.required_roles == ("clinician",)


@given(policies, findings, findings, audiences)
def test_more_findings_never_make_it_milder(
    policy: Policy, found: list[Finding], more: list[Finding], audience: Audience
) -> None:
    fewer = decide(policy, found, audience=audience)
    all_of_them = decide(policy, [*found, *more], audience=audience)
    assert DECISION_RANK[all_of_them.disposition] >= DECISION_RANK[fewer.disposition]
    assert DECISION_RANK[all_of_them.verdict] >= DECISION_RANK[fewer.verdict]

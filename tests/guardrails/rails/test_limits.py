"""A rail that hangs, raises or answers nonsense: the text holds, the run says which rail, the others still judge."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from dataclasses import replace
from typing import Any

import pytest
from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.guard import Guard
from attending.guardrails.patient import Document, Judged
from attending.guardrails.policy.load import PolicyError
from attending.guardrails.rails import actions
from attending.guardrails.rails.watchdog import RailOverrunError, bounded
from nemoguardrails.actions.rail_outcome import RailOutcome, TransformTarget

from .conftest import Make

TEXT = "See you on Monday."
DANGEROUS = "Take sildenafil with nitroglycerin."
FINDING = Finding(
    rail="injection output",
    code=Code.INJECTION,
    rule_id="test:x",
    severity=Severity.MAJOR,
    scope=Scope.MENTION,
    start=0,
    end=3,
    text=TEXT[:3],
    basis=Basis.RULE,
    source="test",
    message="m",
)


def _blocks(*found: Any) -> RailOutcome:
    return RailOutcome.block(metadata={actions.FINDINGS: found})


async def burns(text: str) -> Any:
    while True:
        pass


async def burns_and_swallows(text: str) -> Any:
    until = time.monotonic() + 0.4
    while time.monotonic() < until:
        try:
            while True:
                pass
        except BaseException:
            pass
    return RailOutcome.allow()


async def backtracks(text: str) -> Any:
    re.search(r"(x+x+)+y", "x" * 40)


async def sleeps(text: str) -> Any:
    await asyncio.sleep(30)


async def blocks_the_thread(text: str) -> Any:
    time.sleep(30)


async def raises(text: str) -> Any:
    raise ValueError(text)


async def cancels_itself(text: str) -> Any:
    raise asyncio.CancelledError


async def exits(text: str) -> Any:
    raise SystemExit(0)


BAD: list[tuple[Any, str]] = [
    (burns, "timed_out"),
    (burns_and_swallows, "timed_out"),
    (backtracks, "timed_out"),
    (sleeps, "timed_out"),
    (blocks_the_thread, "timed_out"),
    (raises, "raised"),
    (cancels_itself, "raised"),
    (exits, "raised"),
    *(
        (answer, status)
        for answer, status in (
            (True, "raised"),
            (None, "raised"),
            (RailOutcome.block(), "nonsense"),
            (_blocks(), "nonsense"),
            (RailOutcome.block(metadata={actions.FINDINGS: "text"}), "nonsense"),
            (RailOutcome.allow(metadata={actions.FINDINGS: 7}), "nonsense"),
            (_blocks({"code": "injection"}), "nonsense"),
            (_blocks(replace(FINDING, end=10_000)), "nonsense"),
            (_blocks(replace(FINDING, start=-4)), "nonsense"),
            (_blocks(replace(FINDING, start=float("nan"))), "nonsense"),  # type: ignore[arg-type]
            (_blocks(replace(FINDING, start=3, end=0)), "nonsense"),
            (_blocks(replace(FINDING, text="You")), "nonsense"),
            (_blocks(replace(FINDING, severity="major")), "nonsense"),  # type: ignore[arg-type]
            (_blocks(replace(FINDING, code="harmless")), "nonsense"),  # type: ignore[arg-type]
            (_blocks(replace(FINDING, message=None)), "nonsense"),  # type: ignore[arg-type]
        )
    ),
]


def _quick(document: Any) -> None:
    document["rails"] = {**document.get("rails", {}), "flows": {"injection output": {"timeout_ms": 100}}}


@pytest.mark.parametrize(("bad", "status"), BAD, ids=lambda value: getattr(value, "__name__", None))
def test_a_bad_rail_holds_is_named_and_leaves_the_others_their_say(
    make: Make, monkeypatch: pytest.MonkeyPatch, bad: Any, status: str
) -> None:
    async def answers(text: str) -> Any:
        return bad

    monkeypatch.setattr(actions, "injection_output", bad if callable(bad) else answers)
    guard = make(policy=_quick)
    decision = guard.check_output("patient-message", Judged(TEXT))
    runs = {run.name: run for run in decision.rail_runs}
    assert runs["injection output"].status == status
    assert (runs["injection output"].decision, runs["injection output"].failed) == ("none", True)
    assert decision.disposition == "hold"
    assert [(f.code, f.rail, f.rule_id) for f in decision.findings] == [
        (Code.RAIL_FAILURE, "injection output", f"rail:{status}")
    ]
    assert {run.status for name, run in runs.items() if name != "injection output"} <= {"passed", "flagged"}
    assert guard.check_output("patient-message", Judged(DANGEROUS)).disposition == "block"


def test_a_policy_may_block_what_a_rail_did_not_judge_and_never_release_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "injection_output", raises)
    for limits in ({"on_failure": "block"}, {"flows": {"injection output": {"on_failure": "block"}}}):
        guard = make(policy=lambda document, limits=limits: document["rails"].update(limits))
        decision = guard.check_output("patient-message", Judged(TEXT))
        assert (decision.disposition, decision.deciding_rules[0].rule) == ("block", "policy.rails.on_failure")
    for limits in ({"on_failure": "release"}, {"flows": {"phi output": {"on_failure": "release"}}}):
        with pytest.raises(PolicyError) as caught:
            make(policy=lambda document, limits=limits: document["rails"].update(limits))
        assert caught.value.reason == "INVALID_POLICY"
        assert [fault.reason for fault in caught.value.faults] == ["SAFEGUARD_OFF"]
        assert "on_failure" in caught.value.faults[0].key


@pytest.mark.parametrize(
    ("limits", "rail", "status"),
    [
        ({"budget_ms": 150, "timeout_ms": 5000}, "phi output", "over_budget"),
        ({"flows": {"phi output": {"max_characters": 5}}}, "phi output", "too_long"),
    ],
)
def test_the_bounds_of_a_call_hold(
    make: Make, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any], rail: str, status: str
) -> None:
    if "budget_ms" in limits:
        monkeypatch.setattr(actions, "clinical_checks", burns)
    guard = make(policy=lambda document: document["rails"].update(limits))
    decision = guard.check_output("patient-message", Judged(TEXT))
    assert {run.name: run.status for run in decision.rail_runs}[rail] == status
    assert decision.disposition == "hold"
    assert f"rail:{status}" in {finding.rule_id for finding in decision.findings}


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {actions.DOCUMENTS: (), actions.PLACEHOLDERS: {}},
        {actions.DOCUMENTS: (None,), actions.PLACEHOLDERS: {}},
        {actions.DOCUMENTS: ("a",), actions.PLACEHOLDERS: {"[NAME_1]": 7}},
    ],
)
def test_a_deidentification_that_makes_no_sense_sends_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch, metadata: dict[str, Any]
) -> None:
    async def phi_input(text: str) -> RailOutcome:
        return RailOutcome.transform([(TransformTarget.USER_MESSAGE, text)], metadata=metadata)

    monkeypatch.setattr(actions, "phi_input", phi_input)
    checked = make().check_input("patient-message", "Write to Ana.", (Document("d", "Ana"),))
    assert checked.prompt_deidentified is None
    assert (checked.verdict, checked.rail_runs[0].status) == ("hold", "nonsense")


def test_a_run_tells_version_time_decision_and_transforms(engines: Guard) -> None:
    documents = (Document("d", "Maria Alvarez was seen."),)
    checked = engines.check_input("patient-message", "Write to Maria Alvarez.", documents)
    assert {run.name: (run.decision, run.transforms) for run in checked.rail_runs}["phi input"] == (
        "transform",
        ("prompt", "documents"),
    )
    decision = engines.check_output("administrative-letter", Judged(DANGEROUS))
    runs = {run.name: run for run in decision.rail_runs}
    assert runs["clinical checks"].decision == "block"
    assert runs["phi output"].decision == "allow"
    assert re.fullmatch(r"attending\+[0-9a-f]{12}", runs["phi output"].version)
    assert runs["regex check output"].version == "nemoguardrails-0.24.1"
    assert all(run.elapsed_ms > 0 for run in runs.values())


def test_a_timer_of_somebody_else_goes_on() -> None:
    rang: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _frame: rang.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 60)
        with pytest.raises(RailOverrunError):
            asyncio.run(bounded(burns(""), 0.05))
        left, _interval = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left < 60
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        while not rang:
            time.sleep(0.001)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

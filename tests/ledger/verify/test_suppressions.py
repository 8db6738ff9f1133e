"""V17 where nobody was asked about a finding: the earlier decision is there, of the same, in time, and stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.verify import Report

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

Failed = Callable[[Report], dict[str, set[int | None]]]
SUBJECT, OTHER = "sub_" + "a2" * 13, "sub_" + "b3" * 13
DISPOSED: dict[str, Any] = {"finding": 0, "disposition": "accepted_risk", "severity": "major", "alike": "d1"}


def decide(log: LogBuilder, stream: str = "inf_1", **changes: Any) -> int:
    """A text whose finding was accepted and that was released on ann's signature; the index of the decision."""
    ann = log.enrol("ann")
    text = log.hold(stream)
    subject = changes.pop("subject", SUBJECT)
    end = changes.pop("end", "released")
    made = log.append("review.disposed", stream, DISPOSED | changes, actor="human:ann", subject=subject)
    if end == "fixed after all":
        log.append("review.disposed", stream, DISPOSED | {"disposition": "fixed"}, actor="human:ann")
    if end == "other facts":
        facts = log.payload("facts", b"weight")
        log.append("review.facts_added", stream, {"to_dispose": [0]}, payloads=[facts], actor="human:ann")
    if end != "waiting":
        log.sign(stream, ann, text)
        log.release(stream, text)
    if end == "taken back":
        log.append("inference.withdrawn", stream, {})
    return made.index


def hold(
    log: LogBuilder, index: int, stream: str = "inf_2", subject: str | None = SUBJECT, **changes: Any
) -> Any:
    """A text whose finding rests on the decision at `index`."""
    log.request(stream)
    text = log.generate(stream)
    rests = {"finding": 0, "entry": index, "inference": "inf_1", "severity": "major"}
    body: dict[str, Any] = {
        "findings": {"major": 1},
        "sign_off": {"roles": ["clinician"], "count": 1},
        "to_dispose": [],
        "alike": [{"finding": 0, "digest": "d1"}],
        "suppressed": [rests | changes.pop("rests", {})],
        "suppression_days": 90,
    }
    log.append("inference.held", stream, body | changes, subject=subject)
    return text


def failures(log: LogBuilder, path: Path, failed: Failed) -> list[int | None]:
    found = failed(log.verify(log.full(path / "a.attending")))
    assert set(found) <= {"V17"}
    return sorted(found.get("V17", set()), key=str)


@pytest.mark.parametrize("disposition", ["accepted_risk", "false_alarm"])
def test_a_decision_that_stands_is_one(
    log: LogBuilder, tmp_path: Path, failed: Failed, disposition: str
) -> None:
    index = decide(log, disposition=disposition)
    log.clock += timedelta(days=89)
    text = hold(log, index)
    log.sign("inf_2", log.enrol("li"), text, findings=0, disposed=0)
    log.release("inf_2", text)
    assert failures(log, tmp_path, failed) == []


@pytest.mark.parametrize(
    "decision",
    [
        {"alike": "d2"},
        {"alike": None},
        {"severity": "contraindicated"},
        {"severity": "moderate"},
        {"disposition": "fixed"},
        {"subject": OTHER},
        {"subject": None},
        {"end": "waiting"},
        {"end": "taken back"},
        {"end": "fixed after all"},
        {"end": "other facts"},
    ],
    ids=str,
)
def test_another_decision_is_none(
    log: LogBuilder, tmp_path: Path, failed: Failed, decision: dict[str, Any]
) -> None:
    index = decide(log, **decision)
    hold(log, index)
    assert failures(log, tmp_path, failed) == [len(log.entries) - 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": None},
        {"subject": OTHER},
        {"to_dispose": [0]},
        {"alike": []},
        {"alike": [{"finding": 0, "digest": "d2"}]},
        {"alike": "d1"},
        {"suppression_days": 91},
        {"suppression_days": 0},
        {"suppression_days": None},
        {"suppression_days": 1},
        {"rests": {"entry": 10_000}},
        {"rests": {"entry": 1}},
        {"rests": {"entry": "5"}},
        {"rests": {"finding": 1}},
        {"rests": {"finding": None}},
        {"rests": {"inference": "inf_0"}},
        {"rests": {"severity": "contraindicated"}},
        {"rests": {"severity": "minor"}},
        {"suppressed": "all"},
        {"suppressed": [7]},
    ],
    ids=str,
)
def test_what_is_not_said_as_it_must_be_is_refused(
    log: LogBuilder, tmp_path: Path, failed: Failed, changes: dict[str, Any]
) -> None:
    index = decide(log)
    log.clock += timedelta(days=2)
    hold(log, index, **changes)
    assert failures(log, tmp_path, failed) == [len(log.entries) - 1]


def test_a_decision_is_ninety_days_old_at_most(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    index = decide(log)
    log.clock += timedelta(days=91)
    hold(log, index)
    assert failures(log, tmp_path, failed) == [len(log.entries) - 1]


def test_twice_the_same_finding_is_refused(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    index = decide(log)
    one = {"finding": 0, "entry": index, "inference": "inf_1", "severity": "major"}
    hold(log, index, suppressed=[one, one])
    assert failures(log, tmp_path, failed) == [len(log.entries) - 1]


@pytest.mark.parametrize("anew", [True, False])
def test_no_signature_rests_on_what_was_taken_back(
    log: LogBuilder, tmp_path: Path, failed: Failed, anew: bool
) -> None:
    index = decide(log)
    text = hold(log, index)
    log.append("inference.withdrawn", "inf_1", {})
    if anew:
        log.append("review.disposed", "inf_2", DISPOSED, actor="human:li", subject=SUBJECT)
    log.sign("inf_2", log.enrol("li"), text, findings=0, disposed=0)
    released = log.release("inf_2", text)
    assert failures(log, tmp_path, failed) == ([] if anew else [released.index])


def test_a_decision_outside_the_bundle_is_not_said_to_be_missing(
    log: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    index = decide(log)
    hold(log, index)
    held = len(log.entries) - 1
    report = log.verify(log.subset(tmp_path / "a.attending", [held]))
    assert "V17" not in failed(report)
    assert any(one.check == "V17" and one.index == held for one in report.results)

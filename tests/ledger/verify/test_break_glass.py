"""V16: what goes out without its sign-offs goes by the policy's leave, and is reviewed by another person in time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.entry import format_time
from attending.ledger.verify import Report

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

PERMIT = {"roles": ["clinician"], "review_within_hours": 24}
Failed = Callable[[Report], dict[str, set[int | None]]]


def broken(
    log: LogBuilder, permit: Any = PERMIT, actor: str = "human:ann", **changes: Any
) -> set[int | None]:
    """A release by break-glass; the indexes of its two entries."""
    text = log.hold("inf_1") if permit is None else log.hold("inf_1", count=2, break_glass=permit)
    body = {
        "ticket": "tkt_1",
        "role": "clinician",
        "review_due": format_time(log.clock + timedelta(hours=24)),
        "text_commitment": text.commitment,
        **changes,
    }
    used = log.append("break_glass.used", "inf_1", body, actor=actor)
    released = log.release("inf_1", text, "break_glass")
    return {used.index, released.index}


def review(log: LogBuilder, actor: str = "human:li") -> int:
    return log.append("break_glass.reviewed", "inf_1", {"ticket": "tkt_1"}, actor=actor).index


def test_permitted_and_reviewed_it_is_listed(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    broken(log)
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert failed(report) == {}
    said = next(item.detail for item in report.results if item.check == "V16")
    assert "1 by break-glass, 1 of them to be reviewed yet" in said
    review(log)
    report = log.verify(log.full(tmp_path / "b.attending"))
    assert failed(report) == {}
    assert "to be reviewed" not in next(item.detail for item in report.results if item.check == "V16")


@pytest.mark.parametrize(
    "forged",
    [
        {"permit": None},
        {"permit": {"roles": ["clinician"]}},
        {"permit": {**PERMIT, "roles": ["pharmacist"]}},
        {"role": "pharmacist"},
        {"actor": "app:test"},
        {"actor": "system:srv"},
        {"review_due": "2036-11-01T08:00:00.000000Z"},
        {"review_due": None},
        {"access": "emg_1"},
    ],
)
def test_what_the_policy_did_not_permit_fails(
    log: LogBuilder, tmp_path: Path, failed: Failed, forged: dict[str, Any]
) -> None:
    where = broken(log, **forged)
    found = failed(log.verify(log.full(tmp_path / "a.attending")))
    assert found.keys() == {"V16"}
    assert found["V16"] <= where


def test_another_text_than_the_one_named_fails(log: LogBuilder, tmp_path: Path, failed: Failed) -> None:
    where = broken(log, text_commitment="ab" * 32)
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V16": {max(where, key=str)}}


@pytest.mark.parametrize("actor", ["human:ann", "system:srv"])
def test_nobody_reviews_their_own(log: LogBuilder, tmp_path: Path, failed: Failed, actor: str) -> None:
    broken(log)
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {}
    index = review(log, actor)
    assert failed(log.verify(log.full(tmp_path / "b.attending"))) == {"V16": {index}}


def test_an_overdue_review_fails_and_so_does_one_that_came_too_late(
    log: LogBuilder, tmp_path: Path, failed: Failed
) -> None:
    where = broken(log)
    log.clock += timedelta(hours=25)
    log.append("system.started", "system", {"mode": "embedded"})
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == {"V16": {min(where, key=str)}}
    index = review(log)
    assert failed(log.verify(log.full(tmp_path / "b.attending"))) == {"V16": {index}}


@pytest.mark.parametrize("late", [0, 1])
def test_the_review_is_due_in_the_hours_of_the_policy_and_five_minutes(
    log: LogBuilder, tmp_path: Path, failed: Failed, late: int
) -> None:
    # The use is the fourth entry after now, one a second.
    due = log.clock + timedelta(hours=24, minutes=5, seconds=4, microseconds=late)
    indices = broken(log, review_due=format_time(due))
    assert failed(log.verify(log.full(tmp_path / "a.attending"))) == ({"V16": indices} if late else {})

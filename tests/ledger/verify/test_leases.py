"""V14: whoever disposes, signs, rejects or escalates had claimed it last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from attending.ledger.verify import Report

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

LEASE = {"lease": "lse_1", "lease_expires_at": "2026-11-03T09:15:00.000000Z", "renewed": False}
RENEWED = {**LEASE, "renewed": True}
TO_LI = {"to": "li", "until": "2026-11-03T09:15:00.000000Z", "reason_code": "handover"}
FREE = {"to": None, "reason_code": "returned"}
Story = list[tuple[str, str, dict[str, Any]]]

GOOD: list[Story] = [
    [("human:ann", "claimed", LEASE), ("human:ann", "claimed", RENEWED), ("human:ann", "disposed", {})],
    # A lease that ran out is another's to take.
    [("human:ann", "claimed", LEASE), ("human:li", "claimed", LEASE), ("human:li", "rejected", {})],
    [("human:ann", "claimed", LEASE), ("human:ann", "reassigned", TO_LI), ("human:li", "claimed", LEASE)],
    [("human:ann", "claimed", LEASE), ("system:srv", "escalated", {}), ("human:ann", "disposed", {})],
    [
        ("human:li", "claimed", LEASE),
        ("human:li", "escalated", {}),
        ("human:ann", "reassigned", TO_LI),
        ("human:li", "claimed", LEASE),
    ],
    # Nothing is on record about leases.
    [("app:test", "claimed", {}), ("human:ann", "disposed", {})],
]
BAD: list[Story] = [
    [("human:ann", "claimed", LEASE), ("human:li", "disposed", {})],
    [("human:ann", "claimed", LEASE), ("human:li", "rejected", {})],
    [("human:ann", "claimed", LEASE), ("human:li", "claimed", RENEWED)],
    [("human:ann", "claimed", LEASE), ("human:ann", "reassigned", FREE), ("human:ann", "disposed", {})],
    [("human:ann", "claimed", LEASE), ("human:ann", "escalated", {}), ("human:ann", "rejected", {})],
    [("human:ann", "claimed", LEASE), ("human:ann", "escalated", {}), ("human:ann", "claimed", LEASE)],
]


@pytest.mark.parametrize(("story", "good"), [(s, True) for s in GOOD] + [(s, False) for s in BAD])
def test_steps_are_by_who_claimed(
    log: LogBuilder,
    tmp_path: Path,
    failed: Callable[[Report], dict[str, set[int | None]]],
    story: Story,
    good: bool,
) -> None:
    log.hold("inf_1")
    last = None
    for actor, event, body in story:
        last = log.append(f"review.{event}", "inf_1", body, actor=actor)
    assert last is not None
    report = log.verify(log.full(tmp_path / "a.attending"))
    assert failed(report) == ({} if good else {"V14": {last.index}})

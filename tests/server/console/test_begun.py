"""How many sign-ins may be under way at once: anybody may begin one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from attending.server.console import begun
from attending.server.console.begun import FLOW_SECONDS, Flows
from attending.server.errors import FailedPrecondition, ResourceExhausted


def test_their_number_has_a_bound_and_what_is_over_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(begun, "MAX_FLOWS", 3)
    moment = datetime(2026, 11, 28, 9, tzinfo=UTC)
    flows: Flows[str] = Flows(lambda: moment)
    made = [flows.begin("here") for _ in range(3)]
    with pytest.raises(ResourceExhausted, match="TOO_MANY_CEREMONIES"):
        flows.require_room()
    assert flows.take({"state": made[0].state}, made[0].state).about == "here"
    flows.require_room()
    flows.begin("there")
    moment += timedelta(seconds=FLOW_SECONDS)
    flows.require_room()
    with pytest.raises(FailedPrecondition, match="CEREMONY_OVER"):
        flows.take({"state": made[1].state}, made[1].state)

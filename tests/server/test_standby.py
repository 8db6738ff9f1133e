"""What a mode released that enforcing would not have: counted of this policy, period and tenant, and no word of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.server.activation.serving import Generation, Serving
from attending.server.inference.states import State
from attending.server.shipped import package_policies
from attending.server.simulation.period import Period
from attending.server.standby import Standby, StandbyFigures

from tests.server.inference.conftest import (
    CALLER,
    TENANT,
    FakeChecker,
    Gate,
    context,
    gate,
    infer_call,
    key,
    make_pipeline,
    policies,
)

__all__ = ["gate", "policies"]

POLICY = "radiology-impression"


async def figures(gate: Gate, minutes: float | None = None, tenant: str = TENANT) -> Standby:
    over = Period(gate.clock() - timedelta(days=2), gate.clock() + timedelta(seconds=1))
    return await StandbyFigures(gate.ledger).of(tenant, POLICY, over, minutes)


@pytest.mark.parametrize(("mode", "blocked"), [("observe", 1), ("advise", 0)])
async def test_what_left_against_its_verdict_is_counted(gate: Gate, mode: str, blocked: int) -> None:
    plain = PolicySet.load(package_policies())
    changed: Any = {**plain, POLICY: _in_mode(plain, mode)}
    checker = FakeChecker(changed)
    pipeline, _prompts = make_pipeline(
        gate.ledger,
        checker,
        gate.provider,
        changed,
        gate.changes,
        gate.clock,
        serving=Serving(Generation(changed, checker)),
    )
    for number, text in enumerate(("Fine.", "HOLD one.", "HOLD two.", "BLOCK three.")):
        gate.provider.text = text
        call = infer_call(policy=POLICY, context=context(POLICY))
        outcome = await pipeline.infer(CALLER, call, key(f"k{number}"))
        released = "BLOCK" not in text or mode == "observe"
        assert outcome.state is (State.RELEASED if released else State.BLOCKED)
    found = await figures(gate)
    # Its review of everything is not enforced either: the plain text would have been held, too.
    plainly = found.held - 2
    assert (found.outputs, found.passed, found.blocked) == (4, 2 + blocked + plainly, blocked)
    assert found.codes["interaction"] == 2
    assert (found.severities["major"], found.severities["contraindicated"]) == (2, blocked)
    assert len(found.ids) == found.passed == found.looked_at
    assert (found.minutes, found.hours_a_day) == (None, None)
    cost = (await figures(gate, 60.0)).hours_a_day
    assert cost == round(found.held / 2, 2)
    assert (await figures(gate, tenant="other")).passed == 0
    gate.clock.advance(days=3)
    assert (await figures(gate)).outputs == 0


async def test_a_policy_that_enforces_has_none(gate: Gate) -> None:
    gate.provider.text = "HOLD one."
    await gate.pipeline.infer(CALLER, infer_call(policy=POLICY, context=context(POLICY)), key("k"))
    found = await figures(gate)
    assert (found.outputs, found.passed, found.ids) == (1, 0, ())


def _in_mode(policies: PolicySet, mode: str) -> Any:
    policy = policies[POLICY]
    made = policy.model_copy(update={"mode": mode})
    made._hash = policy.hash
    return made

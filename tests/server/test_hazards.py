"""Live figures of hazards: counted over the period and tenant that is asked for, and made again by a rebuild."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attending.guardrails.evaluation.wilson import Proportion
from attending.server.errors import NotFound
from attending.server.hazards import LiveHazards, Seen
from attending.server.recall.desk import Recalls
from attending.server.shipped import package_policies

from tests.server.inference.conftest import CALLER, TENANT, Gate, context, gate, infer_call, key, policies
from tests.server.review.conftest import person

__all__ = ["gate", "policies"]

POLICY = "discharge-plan"


async def call(gate: Gate, text: str, policy: str = POLICY) -> str:
    gate.provider.text = text
    made = infer_call(policy=policy, context=context(policy))
    outcome = await gate.pipeline.infer(CALLER, made, key(text + policy))
    return outcome.inference_id


async def seen(gate: Gate, hours: int = 1, tenant: str = TENANT) -> tuple[int, int, dict[str, Seen]]:
    live = LiveHazards(gate.ledger, package_policies())
    now = gate.clock()
    found = await live.of(tenant, POLICY, now - timedelta(hours=hours), now + timedelta(seconds=1))
    return found.outputs, found.recalled, {one.hazard.id: one for one in found.seen}


async def test_what_was_reported_and_stopped_is_counted_of_this_policy_period_and_tenant(gate: Gate) -> None:
    await call(gate, "A plain plan.")
    await call(gate, "HOLD this plan.")
    await call(gate, "BLOCK this plan.")
    await call(gate, "HOLD a letter.", "administrative-letter")
    outputs, recalled, found = await seen(gate)
    assert (outputs, recalled) == (3, 0)
    interaction, never, dose = found["H1"], found["H5"], found["H2"]
    assert (interaction.reported, interaction.stopped) == (Proportion(1, 3), Proportion(1, 1))
    assert (never.reported, never.stopped) == (Proportion(1, 3), Proportion(1, 1))
    assert (dose.reported, dose.stopped) == (Proportion(0, 3), Proportion(0, 0))
    gate.clock.advance(hours=2)
    assert (await seen(gate))[0] == 0
    assert (await seen(gate, hours=3))[0] == 3
    assert (await seen(gate, hours=3, tenant="other"))[0] == 0


async def test_what_passed_by_policy_is_reported_and_not_stopped(gate: Gate) -> None:
    released = await call(gate, "A letter.", "administrative-letter")
    live = LiveHazards(gate.ledger, package_policies())
    since, until = gate.clock() - timedelta(hours=1), gate.clock() + timedelta(hours=1)
    recalls = Recalls(gate.ledger, gate.changes, gate.clock)
    officer = person("rivera", "clinician").principal
    await recalls.withdraw(officer, released, "unsafe", "", key("withdraw"))
    found = await live.of(TENANT, "administrative-letter", since, until)
    assert (found.outputs, found.recalled) == (1, 1)
    with pytest.raises(NotFound):
        await live.of(TENANT, "no-such-policy", since, until)

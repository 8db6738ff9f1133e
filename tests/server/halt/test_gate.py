"""Halts over the gate and the desk: what is under way ends, and nothing of it is released.

The gate's fixture ends with the auditor's checks over the whole log, which refuse a release while halted.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from attending.server.errors import AttendingError, FailedPrecondition
from attending.server.halt.switch import Order
from attending.server.idempotency import Once
from attending.server.inference.states import State

from tests.server.inference.conftest import CALLER, TENANT, Gate, infer_call, key, record_call
from tests.server.review.conftest import Ward
from tests.server.review.test_desk import claim, dispose_all, held, sign, ticket_of

POLICY = "administrative-letter"


async def halt(gate: Gate, policy: str | None = None, name: str = "h") -> None:
    order = Order("human:ann", "drill", gate.clock())
    await gate.switch.halt(TENANT, policy, order, Once(name, b"h"), gate.pipeline.running(TENANT))


async def resume(gate: Gate, policy: str | None = None, name: str = "r") -> None:
    order = Order("human:ann", "ended", gate.clock())
    await gate.switch.resume(TENANT, policy, order, Once(name, b"r"))


async def test_what_would_begin_is_refused_before_anything_is_sent_or_stored(gate: Gate) -> None:
    await halt(gate)
    size = await gate.ledger.head(TENANT)
    for call in (
        gate.pipeline.infer(CALLER, infer_call(), key("i")),
        gate.pipeline.record(CALLER, record_call("Your visit is on Tuesday."), key("r")),
    ):
        with pytest.raises(FailedPrecondition) as refused:
            await call
        assert refused.value.reason == "SYSTEM_HALTED"
    assert gate.provider.seen == []
    assert await gate.ledger.head(TENANT) == size
    await resume(gate)
    # Nothing was claimed: the same key begins now.
    assert (await gate.pipeline.infer(CALLER, infer_call(), key("i"))).state is State.RELEASED


async def test_another_policy_goes_on(gate: Gate) -> None:
    await halt(gate, "discharge-plan")
    assert (await gate.pipeline.infer(CALLER, infer_call(), key("i"))).state is State.RELEASED
    with pytest.raises(FailedPrecondition):
        await gate.pipeline.infer(CALLER, infer_call(policy="discharge-plan"), key("d"))


async def test_a_call_that_was_halted_while_the_model_wrote_is_recorded_and_not_released(gate: Gate) -> None:
    gate.provider.delay_seconds = 0.2
    running = asyncio.create_task(gate.pipeline.infer(CALLER, infer_call(), key("i")))
    while not gate.provider.seen:
        await asyncio.sleep(0.005)
    # Counted for its own tenant alone.
    assert (gate.pipeline.running(TENANT), gate.pipeline.running("another")) == (1, 0)
    await halt(gate)
    with pytest.raises(AttendingError) as refused:
        await running
    assert refused.value.reason == "SYSTEM_HALTED"
    inference_id = refused.value.metadata["inference_id"]
    assert await gate.types(inference_id) == ["inference.requested", "inference.late", "inference.failed"]
    assert (await gate.pipeline.get(TENANT, inference_id)).state is State.FAILED
    await resume(gate)
    # The key stands for that call; another one begins.
    with pytest.raises(FailedPrecondition) as again:
        await gate.pipeline.infer(CALLER, infer_call(), key("i"))
    assert again.value.reason == "SYSTEM_HALTED"
    assert (await gate.pipeline.infer(CALLER, infer_call(), key("j"))).state is State.RELEASED


async def test_a_text_that_is_held_or_blocked_is_so_while_halted(gate: Gate) -> None:
    gate.provider.delay_seconds = 0.1
    for number, (text, state) in enumerate([("HOLD this", State.HELD), ("BLOCK this", State.BLOCKED)]):
        gate.provider.text = text
        gate.provider.seen.clear()
        running = asyncio.create_task(gate.pipeline.infer(CALLER, infer_call(), key(text)))
        while not gate.provider.seen:
            await asyncio.sleep(0.005)
        await halt(gate, None, f"h{number}")
        assert (await running).state is state
        await resume(gate, None, f"r{number}")


async def test_a_held_text_is_signed_for_only_after_the_resume(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await halt(ward.gate)
    with pytest.raises(FailedPrecondition) as refused:
        await sign(ward, ticket, lease, ward.rivera, prepared)
    assert refused.value.reason == "SYSTEM_HALTED"
    assert "review.signed" not in await ward.gate.types(outcome.inference_id)
    await resume(ward.gate)
    # The statement is still the same, and so is the signature over it.
    await sign(ward, ticket, lease, ward.rivera, prepared)
    assert (await ward.gate.types(outcome.inference_id))[-2:] == ["review.signed", "inference.released"]


async def test_a_release_that_was_committed_before_the_halt_is_answered(gate: Gate) -> None:
    assert (await gate.pipeline.infer(CALLER, infer_call(), key("i"))).state is State.RELEASED
    await halt(gate)
    assert (await gate.pipeline.infer(CALLER, infer_call(), key("i"))).state is State.RELEASED


async def test_under_load_no_release_crosses_a_halt(gate: Gate) -> None:
    """Callers without end, halts and resumes at any moment; the fixture's verifier judges."""
    gate.provider.delay_seconds = 0.003
    ended = Counter[str]()
    stop = asyncio.Event()

    async def caller(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            try:
                await gate.pipeline.infer(CALLER, infer_call(), key(f"{number}-{count}"))
                ended["released"] += 1
            except FailedPrecondition as err:
                ended[err.reason] += 1
                await asyncio.sleep(0.001)

    callers = [asyncio.create_task(caller(number)) for number in range(16)]
    for turn in range(8):
        await asyncio.sleep(0.1)
        await halt(gate, [None, POLICY][turn % 2], f"h{turn}")
        await asyncio.sleep(0.02)
        await resume(gate, [None, POLICY][turn % 2], f"r{turn}")
    await asyncio.sleep(0.1)
    stop.set()
    await asyncio.gather(*callers)
    assert ended["released"] > 20
    assert ended["SYSTEM_HALTED"] > 20
    assert set(ended) == {"released", "SYSTEM_HALTED"}

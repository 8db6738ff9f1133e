"""Faults that meet each other: what one leaves behind is what the next one finds."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

import pytest
from attending.ledger.errors import StoreUnavailable
from attending.server.errors import FailedPrecondition, Unavailable
from attending.server.inference.owners import Owners
from attending.server.inference.recovery import abandon_orphans
from attending.server.inference.states import State
from attending.server.providers.port import ProviderReply, ProviderRequest

from tests.server.inference.conftest import CALLER, TENANT, Gate, infer_call, key

CLOSING = {"inference.failed", "inference.abandoned"}


def fail_closing(gate: Gate, monkeypatch: pytest.MonkeyPatch, failing: Callable[[], bool]) -> None:
    """Makes the store refuse closing entries while `failing()`; everything else is stored."""
    monkeypatch.setattr("attending.server.inference.trail.CLOSING_RETRY_SECONDS", (0.0,))
    monkeypatch.setattr("attending.server.inference.trail.ABANDON_RETRY_SECONDS", (0.01,))
    real = gate.ledger.append

    async def append(log_id: str, entries: object, **options: object) -> object:
        if failing() and any(entry.type in CLOSING for entry in entries):  # type: ignore[attr-defined]
            raise StoreUnavailable()
        return await real(log_id, entries, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(gate.ledger, "append", append)


async def until_late(gate: Gate) -> str:
    """The id of the only inference, once its late reply stands on record."""
    claim = await gate.ledger.find_claim(TENANT, key().key)
    assert claim is not None
    async with asyncio.timeout(10):
        while (await gate.types(claim.stream))[-1] != "inference.late":
            await asyncio.sleep(0.01)
    return claim.stream


async def test_a_late_reply_before_the_closing_entry_does_not_keep_the_call_open(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = True
    fail_closing(gate, monkeypatch, lambda: down)
    gate.provider.delay_seconds = 0.3
    with pytest.raises(StoreUnavailable):
        await gate.pipeline.infer(CALLER, infer_call(provider_timeout_seconds=0.1), key())
    inference_id = await until_late(gate)
    down = False
    async with asyncio.timeout(5):
        while (await gate.pipeline.get(TENANT, inference_id)).state is State.RECEIVED:
            await asyncio.sleep(0.01)
    assert await gate.types(inference_id) == ["inference.requested", "inference.late", "inference.abandoned"]


async def test_recovery_closes_a_call_whose_late_reply_is_on_record(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_closing(gate, monkeypatch, lambda: True)
    gate.provider.delay_seconds = 0.3
    with pytest.raises(StoreUnavailable):
        await gate.pipeline.infer(CALLER, infer_call(provider_timeout_seconds=0.1), key())
    inference_id = await until_late(gate)
    await gate.pipeline.drain()
    monkeypatch.undo()
    assert await abandon_orphans(gate.ledger, [TENANT], Owners(gate.ledger, "srv-next"), gate.clock) == 1
    assert (await gate.pipeline.get(TENANT, inference_id)).state is State.ABANDONED


async def test_callers_that_hang_up_cannot_pile_up_work_without_end(gate: Gate) -> None:
    gate.pipeline._calls.max_open = 3
    gate.provider.delay_seconds = 0.3
    left = [
        asyncio.create_task(gate.pipeline.infer(CALLER, infer_call(), key(f"left-{n}"))) for n in range(3)
    ]
    await asyncio.sleep(0.05)
    for call in left:
        call.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    with pytest.raises(Unavailable) as caught:
        await gate.pipeline.infer(CALLER, infer_call(), key("one-more"))
    assert caught.value.reason == "SERVER_BUSY"
    # To ask again for one that runs takes no room.
    assert (await gate.pipeline.infer(CALLER, infer_call(), key("left-0"))).state is State.RELEASED
    await gate.pipeline.drain()
    assert (await gate.pipeline.infer(CALLER, infer_call(), key("one-more"))).state is State.RELEASED


@pytest.mark.parametrize("reply", [None, "a bare text", ProviderReply(None, "scripted-1")])  # type: ignore[arg-type]
async def test_a_provider_that_answers_no_reply_is_a_bad_reply_in_time_and_late(
    gate: Gate, reply: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: unhandled.append(context))

    async def answer(_request: ProviderRequest) -> object:
        await asyncio.sleep(gate.provider.delay_seconds)
        return reply

    monkeypatch.setattr(gate.provider, "complete", answer)
    with pytest.raises(FailedPrecondition) as caught:
        await gate.pipeline.infer(CALLER, infer_call(), key())
    assert caught.value.reason == "PROVIDER_BAD_REPLY"
    gate.provider.delay_seconds = 0.2
    with pytest.raises(Unavailable):
        await gate.pipeline.infer(CALLER, infer_call(provider_timeout_seconds=0.05), key("late"))
    await asyncio.sleep(0.2)
    await gate.pipeline.drain()
    gc.collect()
    await asyncio.sleep(0)
    assert unhandled == []

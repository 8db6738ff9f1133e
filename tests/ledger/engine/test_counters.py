"""Every append of a process ends in one count, and an outcome that nobody was told is never counted as known."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ExpectationFailed, QueueFull, StoreUnavailable
from attending.ledger.ledger import Expectation, Ledger
from attending.ledger.store.memory import Fault, MemoryStore

LOG = "clinic"
Make = Callable[..., PendingEntry]
OpenLedger = Callable[..., Awaitable[Ledger]]


async def test_each_append_is_counted_once(open_ledger: OpenLedger, pending: Make) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    for _ in range(3):
        await ledger.append(LOG, [pending()])
    with pytest.raises(ExpectationFailed):
        await ledger.append(LOG, [pending("s")], expect=[Expectation("s", 5)])
    faults = [Fault.KEPT]
    store.fault = lambda step: faults.pop() if step == "commit" and faults else Fault.NONE
    with pytest.raises(StoreUnavailable):
        await ledger.append(LOG, [pending()])
    task = asyncio.create_task(ledger.append(LOG, [pending()]))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await ledger.append(LOG, [pending()])
    counts = ledger.counters.of(LOG).to_json()
    assert counts == {"acknowledged": 4, "refused": 1, "unheard": 1, "unknown": 1}
    # What was left without an answer is in the log all the same: the count is about the callers.
    assert (await ledger.head(LOG))[0] == 6


async def test_the_queue_is_as_long_as_configured(open_ledger: OpenLedger, pending: Make) -> None:
    ledger = await open_ledger(max_queued_appends=2)
    waiting = [asyncio.create_task(ledger.append(LOG, [pending()])) for _ in range(40)]
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    full = [end for end in ended if isinstance(end, QueueFull)]
    counts = ledger.counters.of(LOG)
    assert full
    assert (counts.refused, counts.acknowledged) == (len(full), 40 - len(full))
    assert (await ledger.head(LOG))[0] == counts.acknowledged

"""Fault x {not persisted, persisted} at every step of a write: nothing acknowledged is lost, nothing is signed
that was not committed, and the log goes on when the store does.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from attending.ledger import checkpoint
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import CorruptLog, DuplicateClaim, Halted, LedgerError, StoreUnavailable
from attending.ledger.ledger import Claim, Expectation, Ledger
from attending.ledger.merkle import verify_consistency
from attending.ledger.note import VerifierKey
from attending.ledger.proof import verify_receipt
from attending.ledger.store.memory import READS, Fault, MemoryStore

LOG = "clinic"
Make = Callable[..., PendingEntry]
OpenLedger = Callable[..., Awaitable[Ledger]]


class Plan:
    """Faults by step, each used once, in order."""

    def __init__(self, **faults: list[Fault]) -> None:
        self.faults = faults

    def __call__(self, step: str) -> Fault:
        waiting = self.faults.get(step)
        return waiting.pop(0) if waiting else Fault.NONE


@pytest.mark.parametrize(
    ("plan", "persisted"),
    [
        ({"begin": [Fault.LOST] * 2}, False),
        ({"apply": [Fault.LOST]}, False),
        ({"commit": [Fault.LOST]}, False),
        ({"commit": [Fault.KEPT]}, True),
        ({"commit": [Fault.LOST], "recover": [Fault.LOST]}, False),
        ({"commit": [Fault.KEPT], "recover": [Fault.LOST]}, True),
        ({"commit": [Fault.KEPT], "heads": [Fault.LOST]}, True),
        ({"apply": [Fault.LOST], "recover": [Fault.LOST] * 3}, False),
    ],
)
async def test_a_fault_is_answered_unknown_and_survived(
    open_ledger: OpenLedger, pending: Make, plan: dict[str, list[Fault]], persisted: bool
) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    await ledger.append(LOG, [pending("before")])
    store.fault = Plan(**{step: list(faults) for step, faults in plan.items()})
    with pytest.raises(StoreUnavailable):
        await ledger.append(LOG, [pending("s")], claim=Claim("k", b"f", "s"))
    for _ in range(3):  # while the store cannot recover, every append is refused
        try:
            after = await ledger.append(LOG, [pending("after")])
            break
        except StoreUnavailable:
            continue
    else:
        after = await ledger.append(LOG, [pending("after")])
    assert after.first_index == (2 if persisted else 1)
    assert await ledger.stream_version(LOG, "s") == int(persisted)
    # A retry under the same claim tells what happened.
    if persisted:
        with pytest.raises(DuplicateClaim):
            await ledger.append(LOG, [pending("s")], claim=Claim("k", b"f", "s"))
    else:
        await ledger.append(LOG, [pending("s")], claim=Claim("k", b"f", "s"), expect=[Expectation("s", 0)])
    assert ledger.halted(LOG) is None


async def test_what_was_committed_unknown_to_all_is_read_before_the_next_append(
    open_ledger: OpenLedger, pending: Make
) -> None:
    """A table or a stream may lead to its index as soon as it is committed, while the writer still recovers."""
    store = MemoryStore()
    ledger = await open_ledger(store)
    await ledger.append(LOG, [pending("before")])
    going_on = threading.Event()

    def fault(step: str) -> Fault:
        if step == "recover":
            going_on.wait(30)
        return Fault.KEPT if step == "commit" else Fault.NONE

    store.fault = fault
    with pytest.raises(StoreUnavailable):
        await ledger.append(LOG, [pending("s")])
    reading = asyncio.create_task(ledger.get_entry(LOG, 1))
    await asyncio.sleep(0.05)
    assert not reading.done()
    going_on.set()
    assert (await reading).stream == "s"
    assert checkpoint.parse_checkpoint(await ledger.checkpoint(LOG)).size == 2


async def test_a_connection_that_died_while_idle_is_made_anew(open_ledger: OpenLedger, pending: Make) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    store.fault = Plan(begin=[Fault.LOST])
    assert (await ledger.append(LOG, [pending("s")])).first_index == 0
    assert await ledger.stream_version(LOG, "s") == 1


async def test_random_faults_under_load_lose_nothing(open_ledger: OpenLedger, pending: Make) -> None:
    chance = random.Random(20261123)

    def fault(step: str) -> Fault:
        if step in READS or chance.random() > 0.15:
            return Fault.NONE
        return chance.choice([Fault.LOST, Fault.KEPT])

    store = MemoryStore()
    ledger = await open_ledger(store)
    await ledger.create_log("other", "attending.test/other")
    store.fault = fault
    acknowledged: dict[str, list[tuple[str, str, bytes]]] = {LOG: [], "other": []}
    unknown: dict[str, list[str]] = {LOG: [], "other": []}

    async def worker(number: int) -> None:
        for turn in range(25):
            log_id = [LOG, "other"][(number + turn) % 2]
            stream = f"{number}-{turn}"
            try:
                appended = await ledger.append(log_id, [pending(stream)], expect=[Expectation(stream, 0)])
            except StoreUnavailable:
                unknown[log_id].append(stream)
                continue
            acknowledged[log_id].append((stream, appended.receipt(), appended.data[0]))

    await asyncio.gather(*(worker(number) for number in range(20)))
    store.fault = lambda _: Fault.NONE
    await ledger.append(LOG, [pending()])  # recovers, where the last step failed
    for log_id, items in acknowledged.items():
        assert len(items) > 50
        assert len(unknown[log_id]) > 10
        key = ledger.verifier_key(log_id)
        heads = {}
        for stream, receipt, data in items:
            head = verify_receipt(receipt, data, [key])
            heads[head.size] = head
            assert [entry.data for entry in await ledger.stream_entries(log_id, stream)] == [data]
        # Every head that was ever shown is a prefix of the log as it is: none was signed over what was lost.
        size, root = await ledger.head(log_id)
        for head in heads.values():
            proof = await ledger.consistency_proof(log_id, head.size, size)
            verify_consistency(head.size, size, head.root, root, proof)
        present = sum([await ledger.stream_version(log_id, stream) for stream in unknown[log_id]])
        assert present == size - len(items) - (log_id == LOG)


async def test_a_store_that_loses_acknowledged_entries_halts_the_log(
    open_ledger: OpenLedger, pending: Make
) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    await ledger.append(LOG, [pending()])
    old = store.snapshot()
    await ledger.append(LOG, [pending()])
    signed = await ledger.checkpoint(LOG)
    store.restore(old)
    for _ in range(2):  # noticed under the lock, before anything is written over the loss
        with pytest.raises(Halted):
            await ledger.append(LOG, [pending()])
    assert ledger.halted(LOG) == CorruptLog.ROLLBACK
    assert await ledger.checkpoint(LOG) == signed
    await ledger.close()
    with pytest.raises(CorruptLog) as caught:  # what was published says so at the next start, too
        await open_ledger(store)
    assert caught.value.reason == CorruptLog.ROLLBACK


async def test_a_crash_between_commit_and_signature_signs_the_same_head(
    open_ledger: OpenLedger, pending: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    before = await ledger.checkpoint(LOG)

    def fail(*_: Any) -> str:
        raise RuntimeError("process died here")

    monkeypatch.setattr("attending.ledger.signing.sign_checkpoint", fail)
    with pytest.raises(StoreUnavailable):
        await ledger.append(LOG, [pending("s")])
    assert await ledger.checkpoint(LOG) == before
    monkeypatch.undo()
    await ledger.append(LOG, [pending("t")])
    assert [await ledger.stream_version(LOG, stream) for stream in ("s", "t")] == [1, 1]
    checkpoint.verify(await ledger.checkpoint(LOG), [VerifierKey.parse(ledger.verifier_key(LOG))])


async def test_reads_of_a_failing_store_say_so(open_ledger: OpenLedger, pending: Make) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    appended = await ledger.append(LOG, [pending("s", b"text")])
    record = appended.commitments[0][0].record
    store.fault = lambda step: Fault.LOST if step in READS else Fault.NONE
    for attempt in (
        ledger.get_entry(LOG, 0),
        ledger.stream_version(LOG, "s"),
        ledger.find_claim(LOG, "k"),
        ledger.open_payload(LOG, record),
        ledger.pseudonym(LOG, "MRN 1"),
    ):
        with pytest.raises(LedgerError) as caught:
            await attempt
        assert caught.value.reason == "STORE_UNAVAILABLE"
    store.fault = lambda _: Fault.NONE
    assert await ledger.open_payload(LOG, record) == b"text"

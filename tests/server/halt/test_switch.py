"""The switch alone, over a ledger that can fail, and in two processes that share one."""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ClaimConflict, ExpectationFailed, StoreUnavailable
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.store.memory import Fault, MemoryStore
from attending.ledger.submission import Expectation
from attending.ledger.verify.halts import ALL, stream_of
from attending.server.errors import AttendingError, FailedPrecondition
from attending.server.halt.switch import Order, Standing, Switch
from attending.server.idempotency import Once

LOG = "clinic"
NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
POLICY = "discharge-plan"


def order(reason: str = "patient_safety", note: bytes | None = None) -> Order:
    return Order("human:ann", reason, NOW, note)


def once(name: str) -> Once:
    return Once(name, b"body")


def release(stream: str, kind: str = "inference.released") -> PendingEntry:
    return PendingEntry(kind, stream, "system:srv", None, {})


async def released(switch: Switch, stream: str, policy: str = POLICY) -> int:
    done = await switch.append(
        LOG, policy, [release(stream)], expect=[Expectation(stream, 0)], claim=None, rows=[]
    )
    return done.first_index


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def ledger(store: MemoryStore, tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(LedgerConfig(tmp_path / "l"), store=store)
    await opened.create_log(LOG, "attending.test/clinic")
    yield opened
    await opened.close()


@pytest.fixture
def switch(ledger: Ledger) -> Switch:
    return Switch(ledger, lambda: NOW)


async def halt(switch: Switch, policy: str | None = None, key: str = "h") -> Standing:
    return await switch.halt(LOG, policy, order(), once(key), 3)


async def test_nothing_is_released_from_the_entry_on_until_the_resume(ledger: Ledger, switch: Switch) -> None:
    await released(switch, "inf_1")
    standing = await halt(switch)
    assert standing.halted
    assert standing.entry is not None
    assert standing.entry.body == {
        "policy": None,
        "reason": "patient_safety",
        "open": 3,
    }
    with pytest.raises(FailedPrecondition) as refused:
        await released(switch, "inf_2")
    assert refused.value.reason == "SYSTEM_HALTED"
    assert refused.value.metadata["entry"] == str(standing.entry.index)
    resumed = await switch.resume(LOG, None, order("resolved"), once("r"))
    assert resumed.entry is not None
    assert resumed.entry.body["halted"] == standing.entry.index
    assert await released(switch, "inf_2") > resumed.entry.index


async def test_one_policy_is_halted_and_the_others_go_on(switch: Switch) -> None:
    await halt(switch, POLICY)
    with pytest.raises(FailedPrecondition):
        await released(switch, "inf_1")
    await released(switch, "inf_2", "administrative-letter")
    assert [(s.policy, s.halted) for s in await switch.standings(LOG, [POLICY, "administrative-letter"])] == [
        (None, False),
        (POLICY, True),
    ]
    # Each halt ends by itself.
    await halt(switch, None, "all")
    await switch.resume(LOG, None, order("resolved"), once("r"))
    with pytest.raises(FailedPrecondition):
        await released(switch, "inf_3")


async def test_what_neither_begins_nor_releases_goes_on(switch: Switch) -> None:
    await halt(switch)
    for kind in ("inference.held", "inference.blocked", "review.signed", "inference.failed"):
        await switch.append(LOG, POLICY, [release("inf_9", kind)], expect=[], claim=None, rows=[])
    for kind in ("inference.requested", "inference.stream_window"):
        with pytest.raises(FailedPrecondition):
            await switch.append(LOG, POLICY, [release("inf_9", kind)], expect=[], claim=None, rows=[])


async def test_a_halt_by_another_process_is_found_inside_the_transaction(
    ledger: Ledger, switch: Switch
) -> None:
    """The other switch has read the stream as running and is told nothing."""
    other = Switch(ledger, lambda: NOW)
    await released(other, "inf_1")
    await halt(switch)
    with pytest.raises(FailedPrecondition) as refused:
        await released(other, "inf_2")
    assert refused.value.reason == "SYSTEM_HALTED"
    await switch.resume(LOG, None, order("resolved"), once("r"))
    await released(other, "inf_2")


async def test_a_lost_race_for_the_stream_itself_stays_one(switch: Switch) -> None:
    await released(switch, "inf_1")
    with pytest.raises(ExpectationFailed):
        await released(switch, "inf_1")


async def test_to_halt_twice_is_one_halt_and_to_resume_needs_one(ledger: Ledger, switch: Switch) -> None:
    first, second = await asyncio.gather(halt(switch, key="a"), halt(switch, key="b"))
    assert first.entry is not None
    assert first.entry == second.entry
    assert await ledger.stream_version(LOG, ALL) == 1
    assert (await switch.resume(LOG, None, order("ended"), once("r"))).halted is False
    assert (await switch.resume(LOG, None, order("ended"), once("r"))).halted is False  # the same call
    with pytest.raises(FailedPrecondition) as refused:
        await switch.resume(LOG, None, order("ended"), once("other"))
    assert refused.value.reason == "NOT_HALTED"


async def test_a_repeated_call_does_not_halt_what_was_resumed_since(switch: Switch) -> None:
    await halt(switch)
    await switch.resume(LOG, None, order("resolved"), once("r"))
    with pytest.raises(AttendingError) as late:
        await halt(switch)
    assert late.value.reason == "LOST_RACE"
    await released(switch, "inf_1")


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.KEPT])
async def test_a_halt_that_cannot_be_recorded_stops_this_process_all_the_same(
    store: MemoryStore, switch: Switch, fault: Fault
) -> None:
    await released(switch, "inf_1")
    faults = [fault]
    store.fault = lambda step: faults.pop() if step == "commit" and faults else Fault.NONE
    with pytest.raises(StoreUnavailable):
        await halt(switch)
    assert not faults
    with pytest.raises(FailedPrecondition):
        await released(switch, "inf_2")
    # The same call again finds it recorded, or records it.
    standing = await halt(switch)
    assert standing.entry is not None
    with pytest.raises(FailedPrecondition):
        await released(switch, "inf_2")
    await switch.resume(LOG, None, order("resolved"), once("r"))
    await released(switch, "inf_2")


async def test_a_halt_that_was_never_recorded_can_be_resumed(store: MemoryStore, switch: Switch) -> None:
    store.fault = lambda step: Fault.LOST if step == "commit" else Fault.NONE
    with pytest.raises(StoreUnavailable):
        await halt(switch)
    store.fault = lambda _step: Fault.NONE
    resumed = await switch.resume(LOG, None, order("resolved"), once("r"))
    assert resumed.entry is not None
    assert resumed.entry.body["halted"] is None
    await released(switch, "inf_1")


async def test_a_full_queue_does_not_keep_a_halt_out(store: MemoryStore, tmp_path: Path) -> None:
    async with await Ledger.open(LedgerConfig(tmp_path / "l", max_queued_appends=4), store=store) as ledger:
        await ledger.create_log(LOG, "attending.test/clinic")
        switch = Switch(ledger, lambda: NOW)
        ending = asyncio.Event()

        async def writer(number: int) -> None:
            count = 0
            while not ending.is_set():
                try:
                    await ledger.append(LOG, [release(f"noise-{number}-{count}", "access.viewed")])
                    count += 1
                except Exception:
                    await asyncio.sleep(0)

        writers = [asyncio.create_task(writer(number)) for number in range(64)]
        await asyncio.sleep(0.05)
        async with asyncio.timeout(30):
            standing = await halt(switch)
        ending.set()
        await asyncio.gather(*writers)
        assert standing.halted


async def test_releases_and_halts_in_any_order_never_cross(ledger: Ledger) -> None:
    """Several processes (a switch each, none told of the others') release, halt and resume at random."""
    chance = random.Random(20261127)
    switches = [Switch(ledger, lambda: NOW) for _ in range(3)]
    policies = ["a", "b"]
    count = 0

    async def act(number: int) -> None:
        nonlocal count
        switch = switches[number % 3]
        for _ in range(150):  # many, since how few get through hangs on how the tasks are scheduled
            count += 1
            what, policy = chance.random(), chance.choice(policies)
            scope = chance.choice([None, *policies])
            try:
                if what < 0.75:
                    await switch.append(
                        LOG,
                        policy,
                        [
                            PendingEntry(
                                "inference.requested", f"inf_{count}", "system:s", None, {"policy": policy}
                            )
                        ],
                        expect=[],
                        claim=None,
                        rows=[],
                    )
                elif what < 0.88:
                    await switch.halt(LOG, scope, order(), once(f"h{count}"), 0)
                else:
                    await switch.resume(LOG, scope, order("ended"), once(f"r{count}"))
            except FailedPrecondition:
                pass
            await asyncio.sleep(0)

    await asyncio.gather(*(act(number) for number in range(12)))
    halted: set[str] = set()
    begun = refused_while_halted = 0
    size, _root = await ledger.head(LOG)
    for entry in await ledger.list_entries(LOG, 0, size):
        if entry.type == "system.halted":
            assert entry.stream not in halted
            halted.add(entry.stream)
        elif entry.type == "system.resumed":
            halted.remove(entry.stream)
        elif entry.type == "inference.requested":
            begun += 1
            assert not halted & {ALL, stream_of(str(entry.body["policy"]))}
        refused_while_halted += bool(halted)
    assert begun > 50
    assert refused_while_halted > 10


async def test_a_note_is_sealed_and_not_in_the_entry(ledger: Ledger, switch: Switch) -> None:
    standing = await switch.halt(LOG, None, order(note=b"ward 3 saw a wrong dose"), once("n"), 0)
    assert standing.entry is not None
    assert b"ward 3" not in standing.entry.data
    [item] = standing.entry.commitments
    assert await ledger.open_payload(LOG, item.record) == b"ward 3 saw a wrong dose"


async def test_a_key_that_was_used_for_another_request_halts_nothing(switch: Switch) -> None:
    await halt(switch)
    await switch.resume(LOG, None, order("ended"), once("r"))
    with pytest.raises(ClaimConflict):
        await switch.halt(LOG, None, order(), Once("h", b"other"), 0)
    await released(switch, "inf_1")


async def test_any_other_error_leaves_this_process_stopped(
    switch: Switch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note cannot be sealed, say: a halt that was asked for is not lifted because it could not be written."""

    async def failing(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "append", failing)
        with pytest.raises(OSError):  # noqa: PT011 - any error of the system
            await halt(switch)
    with pytest.raises(FailedPrecondition):
        await released(switch, "inf_1")
    await halt(switch, key="again")
    await switch.resume(LOG, None, order("resolved"), once("r"))
    await released(switch, "inf_1")


async def test_a_halt_that_is_refused_does_not_lift_one_that_is_not_on_record(
    store: MemoryStore, switch: Switch
) -> None:
    await halt(switch, key="first")
    await switch.resume(LOG, None, order("ended"), once("r"))
    store.fault = lambda step: Fault.LOST if step == "commit" else Fault.NONE
    with pytest.raises(StoreUnavailable):
        await halt(switch, key="second")
    store.fault = lambda _step: Fault.NONE
    with pytest.raises(ClaimConflict):
        await switch.halt(LOG, None, order(), Once("first", b"other"), 0)
    with pytest.raises(FailedPrecondition):
        await released(switch, "inf_1")

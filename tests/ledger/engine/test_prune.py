"""Pruning on both stores: the longest rule and holds keep, batches are bounded and on record, entries stay."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from attending.ledger.appended import Appended
from attending.ledger.custody import prune as custody_prune
from attending.ledger.custody.prune import Pruned
from attending.ledger.custody.reads import Order
from attending.ledger.custody.retention import NO_TERMS, Rule, Rules, Start, Terms
from attending.ledger.custody.state import ErasureReason, HoldGround
from attending.ledger.entry import Entry, Payload, PendingEntry
from attending.ledger.errors import (
    NotFound,
    OutOfRange,
    PayloadPruned,
    StoreUnavailable,
    SubjectErased,
    SubjectHeld,
)
from attending.ledger.ledger import Ledger
from attending.ledger.proof import verify_receipt
from attending.ledger.store.memory import Fault, MemoryStore

LOG = "clinic"
ORDER = Order("human:officer", approved_by="second")
YEAR = Rules((Rule("inference.*", 365),))

Make = Callable[..., PendingEntry]
Gather = Callable[..., Awaitable[list[Any]]]
OpenLedger = Callable[..., Awaitable[Ledger]]


def written(type_: str, *texts: bytes, subject: str | None = None, n: int = 0) -> PendingEntry:
    payloads = tuple(Payload("prompt", text) for text in texts)
    return PendingEntry(type_, f"s-{type_}-{n}", "app:test", subject, {"n": n}, payloads)


async def records(ledger: Ledger) -> dict[int, str]:
    """What a reader of each entry's payloads gets: `kept`, `pruned`, `erased`."""
    found: dict[int, str] = {}
    for entry in await ledger.list_entries(LOG, 0, 1000):
        for item in entry.commitments:
            try:
                await ledger.open_payload(LOG, item.record)
                found[entry.index] = "kept"
            except PayloadPruned:
                found[entry.index] = "pruned"
            except SubjectErased:
                found[entry.index] = "erased"
    return found


async def prune_all(ledger: Ledger, rules: Rules, **options: Any) -> list[Pruned]:
    batches, start = [], 0
    while True:
        batch = await ledger.retention.prune(LOG, rules, ORDER, start=start, **options)
        batches.append(batch)
        if batch.done:
            return batches
        assert batch.next_index > start
        start = batch.next_index


async def test_what_is_due_goes_and_its_entries_stay(ledger: Ledger, clock: Any) -> None:
    for number in range(3):
        await ledger.append(LOG, [written("inference.requested", b"a", b"b", n=number)])
    await ledger.append(LOG, [written("review.disposed", b"note")])
    clock.now += timedelta(days=366)
    young = await ledger.append(LOG, [written("inference.requested", b"young", n=9)])
    before = await ledger.list_entries(LOG)
    plan = await ledger.retention.prune(LOG, YEAR, ORDER, dry_run=True)
    assert (plan.appended, plan.records, plan.ranges, plan.minimum) == (None, {"prompt": 6}, ((0, 3),), 3)
    assert set((await records(ledger)).values()) == {"kept"}  # a dry run changes nothing
    assert await ledger.minimum(LOG) == 0
    done = await ledger.retention.prune(LOG, YEAR, ORDER)
    assert done.appended is not None
    [entry] = done.appended.entries
    assert (entry.type, entry.stream, entry.subject, entry.actor) == (
        "payload.pruned",
        "retention",
        None,
        "human:officer",
    )
    assert entry.body == {
        "approved_by": "second",
        "entries": [[0, 3]],
        "minimum": 3,
        "records": {"prompt": 6},
        "rules_hash": YEAR.content_hash,
    }
    assert done.done
    assert await records(ledger) == {0: "pruned", 1: "pruned", 2: "pruned", 3: "kept", 4: "kept"}
    assert await ledger.minimum(LOG) == 3
    assert await ledger.list_entries(LOG, 0, len(before)) == before
    assert await ledger.verify(LOG) == 6
    verify_receipt(await ledger.receipt(LOG, 1), before[1].data, [ledger.verifier_key(LOG)])
    assert await ledger.open_payload(LOG, young.commitments[0][0].record) == b"young"
    # Nothing more is due, and that needs no entry.
    again = await ledger.retention.prune(LOG, YEAR, ORDER)
    assert (again.appended, again.records, again.minimum) == (None, {}, 3)


async def test_the_longest_rule_keeps_and_what_no_rule_names_stays(ledger: Ledger, clock: Any) -> None:
    rules = Rules((Rule("inference.*", 100), Rule("inference.released", 1000), Rule("review.*", 200)))
    for type_ in ("inference.requested", "inference.released", "review.signed", "prompt.version"):
        await ledger.append(LOG, [written(type_, b"x")])
    await prune_all(ledger, rules)
    assert set((await records(ledger)).values()) == {"kept"}
    clock.now += timedelta(days=150)
    await prune_all(ledger, rules)
    assert await records(ledger) == {0: "pruned", 1: "kept", 2: "kept", 3: "kept"}
    assert await ledger.minimum(LOG) == 1
    clock.now += timedelta(days=100)
    await prune_all(ledger, rules)
    assert (await records(ledger))[2] == "pruned"
    assert await ledger.minimum(LOG) == 3
    clock.now += timedelta(days=30_000)
    await prune_all(ledger, rules)
    found = await records(ledger)
    assert (found[1], found[3]) == ("pruned", "kept")
    # It never goes back: what is pruned below it says nothing new.
    assert await ledger.minimum(LOG) == 3


async def test_terms_of_single_entries_lengthen_and_free_nothing(ledger: Ledger, clock: Any) -> None:
    rules = Rules((Rule("inference.*", 100, Start.POLICY_RETIRED), Rule("inference.*", 10)))
    for number in range(4):
        await ledger.append(LOG, [written("inference.requested", b"x", n=number)])
    await ledger.append(LOG, [written("review.signed", b"x")])
    begun: datetime = clock.now
    clock.now += timedelta(days=500)
    retired = begun + timedelta(days=1)

    async def terms_of(log_id: str, entries: Sequence[Entry]) -> Sequence[Terms]:
        assert log_id == LOG
        by_index = {
            0: Terms(retired),
            1: NO_TERMS,  # in force
            2: Terms(retired, ((5000, Start.ENTRY),)),
            3: Terms(begun + timedelta(days=450)),
            4: Terms(retired),  # no rule at all
        }
        return [by_index[entry.index] for entry in entries]

    await prune_all(ledger, rules, terms_of=terms_of)
    assert await records(ledger) == {0: "pruned", 1: "kept", 2: "kept", 3: "kept", 4: "kept"}
    # Without anybody who knows of policies, none is known to be retired.
    await prune_all(ledger, rules)
    assert (await records(ledger))[3] == "kept"


async def test_a_hold_keeps_the_payloads_of_the_whole_person(ledger: Ledger, clock: Any) -> None:
    one, two, three = [await ledger.pseudonym(LOG, f"MRN {number}") for number in range(3)]
    await ledger.custody.link(LOG, one, two, ORDER)
    for number, name in enumerate((one, two, three, None)):
        await ledger.append(LOG, [written("inference.requested", b"x", subject=name, n=number)])
    placed = await ledger.custody.hold(LOG, one, HoldGround.LITIGATION, ORDER)
    clock.now += timedelta(days=400)
    [batch] = await prune_all(ledger, YEAR)
    assert (batch.held, batch.ranges) == (2, ((4, 6),))
    assert await records(ledger) == {2: "kept", 3: "kept", 4: "pruned", 5: "pruned"}
    hold_id = placed.entries[0].body["hold"]
    await ledger.custody.lift(LOG, two, hold_id, ORDER)
    [batch] = await prune_all(ledger, YEAR)
    assert (batch.held, batch.ranges, batch.minimum) == (0, ((2, 4),), 6)
    assert set((await records(ledger)).values()) == {"pruned"}
    # Erasing what is pruned is possible, and has nothing left to count.
    erased = await ledger.custody.erase(LOG, one, ErasureReason.RETENTION_END, ORDER)
    assert erased is not None
    assert [entry.body["records"] for entry in erased.entries] == [{}, {}]


@pytest.mark.parametrize("turn", range(6))
async def test_a_hold_placed_while_pruning_holds_or_came_too_late(
    ledger: Ledger, clock: Any, gather: Gather, turn: int
) -> None:
    one, two = [await ledger.pseudonym(LOG, f"MRN {number}") for number in range(2)]
    await ledger.custody.link(LOG, one, two, ORDER)
    await ledger.append(LOG, [written("inference.requested", b"x", subject=two)])
    clock.now += timedelta(days=400)
    tasks = [
        ledger.custody.hold(LOG, one, HoldGround.LITIGATION, ORDER),
        ledger.retention.prune(LOG, YEAR, ORDER),
        ledger.custody.erase(LOG, one, ErasureReason.GDPR_17, ORDER),
    ]
    order = [[0, 1, 2], [1, 0, 2], [2, 1, 0], [0, 2, 1], [1, 2, 0], [2, 0, 1]][turn]
    found = dict(zip(order, await gather(*(tasks[number] for number in order)), strict=True))
    held, pruned, erased = found[0], found[1], found[2]
    [state] = set((await records(ledger)).values())
    types = [entry.type for entry in await ledger.list_entries(LOG)]
    if isinstance(held, Appended):
        assert isinstance(erased, SubjectHeld)
    else:
        assert isinstance(held, SubjectErased)
        assert isinstance(erased, Appended)
    assert isinstance(pruned, Pruned)
    if pruned.appended is None:
        assert state == ("kept" if isinstance(held, Appended) else "erased")
    elif isinstance(held, Appended):
        # Pruned before the hold was there, and on record in that order.
        assert state == "pruned"
        assert types.index("payload.pruned") < types.index("hold.placed")
    else:
        assert state in ("pruned", "erased")


async def test_batches_are_bounded_and_each_is_an_entry(
    ledger: Ledger, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custody_prune, "MAX_PRUNED_ENTRIES", 10)
    monkeypatch.setattr(custody_prune, "MAX_SCANNED_ENTRIES", 30)
    rules = Rules((Rule("inference.*", 100), Rule("inference.released", 10_000)))
    for number in range(100):
        type_ = "inference.released" if number % 5 == 0 else "inference.requested"
        texts = () if number % 7 == 0 else (b"x",)
        await ledger.append(LOG, [written(type_, *texts, n=number)])
    clock.now += timedelta(days=200)
    due = {n for n in range(100) if n % 5 and n % 7}
    dry = await prune_all(ledger, rules, dry_run=True)
    batches = await prune_all(ledger, rules)
    assert [b.ranges for b in dry] == [b.ranges for b in batches]
    entries = [entry for batch in batches if batch.appended for entry in batch.appended.entries]
    assert len(entries) >= 7
    assert all(sum(entry.body["records"].values()) <= 10 for entry in entries)
    covered = [i for entry in entries for begin, end in entry.body["entries"] for i in range(begin, end)]
    assert due <= set(covered)
    assert not any(n % 5 == 0 and n % 7 for n in covered)
    assert {index for index, state in (await records(ledger)).items() if state == "pruned"} == due
    minima = [entry.body["minimum"] for entry in entries]
    assert minima == sorted(minima)
    assert await ledger.minimum(LOG) == max(due) + 1


async def test_two_prunes_at_once_remove_each_payload_once(
    ledger: Ledger, clock: Any, gather: Gather
) -> None:
    for number in range(50):
        await ledger.append(LOG, [written("inference.requested", b"x", n=number)])
    clock.now += timedelta(days=400)
    outcomes = await gather(*(ledger.retention.prune(LOG, YEAR, ORDER) for _ in range(4)))
    assert [sum(outcome.records.values()) for outcome in outcomes if outcome.appended] == [50]
    types = [entry.type for entry in await ledger.list_entries(LOG, 0, 100)]
    assert types.count("payload.pruned") == 1


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.KEPT])
async def test_a_prune_is_whole_or_not_at_all(open_ledger: OpenLedger, clock: Any, fault: Fault) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    await ledger.append(LOG, [written("inference.requested", b"x", b"y")])
    clock.now += timedelta(days=400)
    answers = iter([fault])
    store.fault = lambda step: next(answers, Fault.NONE) if step == "commit" else Fault.NONE
    with pytest.raises(StoreUnavailable):
        await ledger.retention.prune(LOG, YEAR, ORDER)
    kept = fault is Fault.LOST
    assert await records(ledger) == {0: "kept" if kept else "pruned"}
    assert await ledger.minimum(LOG) == (0 if kept else 1)
    assert (await ledger.head(LOG))[0] == (1 if kept else 2)


async def test_the_minimum_is_there_after_a_restart(
    open_ledger: OpenLedger, clock: Any, database: Callable[[], sqlite3.Connection]
) -> None:
    ledger = await open_ledger()
    appended = await ledger.append(LOG, [written("inference.requested", b"x")])
    clock.now += timedelta(days=400)
    await ledger.retention.prune(LOG, YEAR, ORDER)
    await ledger.close()
    ledger = await open_ledger()
    assert await ledger.minimum(LOG) == 1
    with pytest.raises(PayloadPruned):
        await ledger.open_payload(LOG, appended.commitments[0][0].record)
    assert database().execute("SELECT COUNT(*) FROM payload").fetchone() == (0,)
    row = database().execute("SELECT record, entry_index, removed_by FROM removal").fetchall()
    assert row == [(appended.commitments[0][0].record, 0, 1)]


async def test_wrong_places_are_refused(ledger: Ledger) -> None:
    for start in (-1, 1):
        with pytest.raises(OutOfRange):
            await ledger.retention.prune(LOG, YEAR, ORDER, start=start)
    with pytest.raises(NotFound):
        await ledger.retention.prune("nolog", YEAR, ORDER)
    with pytest.raises(NotFound):
        await ledger.minimum("nolog")
    nothing = await ledger.retention.prune(LOG, Rules(), ORDER)
    assert (nothing.done, nothing.records) == (True, {})

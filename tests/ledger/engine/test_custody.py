"""Links, holds and erasure on both stores: closures as one, holds that hold, races with one winner."""

from __future__ import annotations

import asyncio
import itertools
import random
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.appended import Appended
from attending.ledger.custody import door as custody_door
from attending.ledger.custody import tables
from attending.ledger.custody.reads import Order
from attending.ledger.custody.state import ErasureReason, HoldGround, closure_over, stream_of
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.errors import (
    ClosureTooLarge,
    CustodyChanged,
    DuplicateClaim,
    ExpectationFailed,
    LedgerError,
    NotFound,
    StoreUnavailable,
    SubjectErased,
    SubjectHeld,
)
from attending.ledger.keys import KeyFolder
from attending.ledger.ledger import Claim, Ledger, LedgerConfig
from attending.ledger.store.memory import Fault, MemoryStore
from attending.ledger.store.port import Store
from sqlalchemy import select

LOG = "clinic"
GDPR = ErasureReason.GDPR_17
LITIGATION = HoldGround.LITIGATION
OFFICER = Order("human:officer", approved_by="second-officer")
HERE = Path(__file__).parent

Make = Callable[..., PendingEntry]
Gather = Callable[..., Awaitable[list[Any]]]
OpenLedger = Callable[..., Awaitable[Ledger]]


async def people(ledger: Ledger, count: int) -> list[str]:
    return [await ledger.pseudonym(LOG, f"MRN {number}") for number in range(count)]


async def chain(ledger: Ledger, names: list[str]) -> None:
    """Links each with the next."""
    for one, two in itertools.pairwise(names):
        await ledger.custody.link(LOG, one, two, OFFICER)


def hold_id(appended: Appended) -> str:
    found = appended.entries[0].body["hold"]
    assert isinstance(found, str)
    return found


async def tables_are_what_the_streams_say(ledger: Ledger) -> None:
    """Both derived tables, written one append at a time, equal those made anew from all entries."""
    entries: list[Entry] = []
    while block := await ledger.list_entries(LOG, len(entries), 1000):
        entries += block
    replay = tables.Replay()
    for entry in entries:
        replay.visit(entry)
    rows = replay.rows()
    for table in (tables.link, tables.hold):
        keys = [column.name for column in table.primary_key]
        expected = {
            (LOG, *row.key.values()): {**row.key, **(row.values or {}), "log_id": LOG}
            for row in rows
            if row.table is table
        }
        found = {
            tuple(row._mapping[key] for key in keys): dict(row._mapping)
            for row in await ledger.query(select(table))
        }
        assert found == expected


async def test_linked_pseudonyms_are_erased_together(ledger: Ledger, pending: Make) -> None:
    names = await people(ledger, 4)
    await chain(ledger, names[:3])
    written = [await ledger.append(LOG, [pending(None, b"a", b"b", subject=name)]) for name in names]
    closure = await ledger.custody.closure(LOG, names[2])
    assert closure.subjects == tuple(sorted(names[:3]))
    erasure = await ledger.custody.erase(LOG, names[1], GDPR, OFFICER)
    assert erasure is not None
    bodies = [entry.body for entry in erasure.entries]
    assert [entry.type for entry in erasure.entries] == ["subject.erased"] * 3
    assert [entry.subject for entry in erasure.entries] == sorted(names[:3])
    assert {entry.actor for entry in erasure.entries} == {"human:officer"}
    assert {body["erasure"] for body in bodies} == {bodies[0]["erasure"]}
    for body in bodies:
        assert set(body) == {
            "approved_by", "closure", "counted_to", "erasure", "key_id", "reason", "records"
        }  # fmt: skip
        assert (body["reason"], body["closure"], body["approved_by"]) == ("gdpr_17", 3, "second-officer")
        assert (body["records"], body["counted_to"]) == ({"prompt": 2}, erasure.first_index)
    assert len({body["key_id"] for body in bodies}) == 3
    for number, item in enumerate(written):
        record = item.commitments[0][0].record
        if number < 3:
            with pytest.raises(SubjectErased):
                await ledger.open_payload(LOG, record)
        else:
            assert await ledger.open_payload(LOG, record) == b"a"
    view = await ledger.custody.show(LOG, names[0])
    assert view.payloads == {name: {} for name in names[:3]}
    assert {state.erased for state in view.closure.states.values()} == set(
        range(erasure.first_index, erasure.first_index + 3)
    )
    # Asking again changes nothing.
    size = (await ledger.head(LOG))[0]
    assert await ledger.custody.erase(LOG, names[0], GDPR, OFFICER) is None
    assert (await ledger.head(LOG))[0] == size
    for change in (
        ledger.custody.link(LOG, names[0], names[3], OFFICER),
        ledger.custody.hold(LOG, names[0], LITIGATION, OFFICER),
        ledger.custody.unlink(LOG, names[0], names[1], OFFICER),
    ):
        with pytest.raises(SubjectErased):
            await change
    await tables_are_what_the_streams_say(ledger)


async def test_the_certificate_names_the_key_to_whoever_has_a_copy_of_it(ledger: Ledger) -> None:
    [name] = await people(ledger, 1)
    key_id = ledger._keys.key_id(LOG, name)
    assert len(key_id) == 16
    erasure = await ledger.erase_subject(LOG, name)
    assert erasure is not None
    assert erasure.entries[0].body["key_id"] == key_id


async def test_erasure_does_not_follow_a_link_that_was_taken_back(ledger: Ledger, pending: Make) -> None:
    names = await people(ledger, 3)
    await chain(ledger, names)
    kept = await ledger.append(LOG, [pending(None, b"kept", subject=names[2])])
    unlinked = await ledger.custody.unlink(LOG, names[2], names[1], OFFICER)
    assert unlinked is not None
    assert [(e.type, e.subject, e.body["other"]) for e in unlinked.entries] == [
        ("subject.unlinked", names[2], names[1]),
        ("subject.unlinked", names[1], names[2]),
    ]
    await ledger.custody.erase(LOG, names[0], GDPR, OFFICER)
    assert await ledger.open_payload(LOG, kept.commitments[0][0].record) == b"kept"
    assert (await ledger.custody.closure(LOG, names[1])).subjects == tuple(sorted(names[:2]))
    await tables_are_what_the_streams_say(ledger)


async def test_what_is_so_already_is_not_said_again(ledger: Ledger) -> None:
    one, two = await people(ledger, 2)
    assert await ledger.custody.unlink(LOG, one, two, OFFICER) is None
    assert await ledger.custody.link(LOG, one, two, OFFICER) is not None
    assert await ledger.custody.link(LOG, two, one, OFFICER) is None
    placed = await ledger.custody.hold(LOG, one, LITIGATION, OFFICER)
    assert await ledger.custody.lift(LOG, two, hold_id(placed), OFFICER) is not None
    assert await ledger.custody.lift(LOG, two, hold_id(placed), OFFICER) is None
    assert (await ledger.head(LOG))[0] == 4


async def test_a_hold_covers_the_whole_person(ledger: Ledger, pending: Make) -> None:
    names = await people(ledger, 4)
    await chain(ledger, names[:3])
    first = await ledger.custody.hold(LOG, names[0], LITIGATION, OFFICER)
    # A link made under a hold takes the other one in.
    await ledger.custody.link(LOG, names[3], names[2], OFFICER)
    second = await ledger.custody.hold(LOG, names[3], HoldGround.SAFETY_INCIDENT, OFFICER)
    both = tuple(sorted((hold_id(first), hold_id(second))))
    await tables_are_what_the_streams_say(ledger)
    for change in (
        ledger.custody.erase(LOG, names[3], GDPR, OFFICER),
        ledger.custody.erase(LOG, names[1], GDPR, OFFICER),
        # Else whoever can unlink could take data out of a hold's reach.
        ledger.custody.unlink(LOG, names[3], names[2], OFFICER),
    ):
        with pytest.raises(SubjectHeld) as caught:
            await change
        assert caught.value.holds == both
    lifted = await ledger.custody.lift(LOG, names[2], hold_id(first), OFFICER)
    assert lifted is not None
    assert (lifted.entries[0].type, lifted.entries[0].subject) == ("hold.lifted", names[0])
    with pytest.raises(SubjectHeld):
        await ledger.custody.erase(LOG, names[0], GDPR, OFFICER)
    await tables_are_what_the_streams_say(ledger)
    await ledger.custody.lift(LOG, names[3], hold_id(second), OFFICER)
    assert await ledger.custody.erase(LOG, names[0], GDPR, OFFICER) is not None
    await tables_are_what_the_streams_say(ledger)


async def test_what_is_not_there_is_refused(ledger: Ledger) -> None:
    one, two = await people(ledger, 2)
    nobody = "sub_" + "a" * 26
    await ledger.create_log("other", "attending.test/other")
    stranger = await ledger.pseudonym("other", "MRN 1")
    for name in (nobody, stranger, "tenant/../x", ""):
        for change in (
            ledger.custody.show(LOG, name),
            ledger.custody.link(LOG, one, name, OFFICER),
            ledger.custody.unlink(LOG, one, name, OFFICER),
            ledger.custody.hold(LOG, name, LITIGATION, OFFICER),
            ledger.custody.erase(LOG, name, GDPR, OFFICER),
        ):
            with pytest.raises(NotFound):
                await change
    with pytest.raises(NotFound):
        await ledger.custody.lift(LOG, one, "hold_none", OFFICER)
    with pytest.raises(ValueError, match="itself"):
        await ledger.custody.link(LOG, one, one, OFFICER)
    with pytest.raises(NotFound):
        await ledger.custody.show("nolog", one)
    placed = await ledger.custody.hold(LOG, one, LITIGATION, OFFICER)
    with pytest.raises(NotFound):  # not of this person
        await ledger.custody.lift(LOG, two, hold_id(placed), OFFICER)
    assert (await ledger.head(LOG))[0] == 1


async def test_a_person_has_a_bounded_number_of_pseudonyms(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custody_door, "MAX_CLOSURE", 4)
    names = await people(ledger, 6)
    await chain(ledger, names[:3])
    await chain(ledger, names[3:5])
    with pytest.raises(ClosureTooLarge):
        await ledger.custody.link(LOG, names[0], names[4], OFFICER)
    await ledger.custody.link(LOG, names[0], names[5], OFFICER)


async def test_only_whom_the_caller_means_is_erased(ledger: Ledger) -> None:
    names = await people(ledger, 3)
    await chain(ledger, names)
    for wrong in ([], names[:2], [*names, "sub_" + "b" * 26]):
        with pytest.raises(CustodyChanged):
            await ledger.custody.erase(LOG, names[0], GDPR, OFFICER, expected=wrong)
    assert await ledger.custody.erase(LOG, names[0], GDPR, OFFICER, expected=names) is not None


async def test_custody_entries_are_not_appended_without_their_effect(ledger: Ledger, pending: Make) -> None:
    [name] = await people(ledger, 1)
    for type_, stream in (
        ("subject.erased", "elsewhere"),
        ("hold.lifted", "elsewhere"),
        ("payload.pruned", "elsewhere"),
        ("access.viewed", stream_of(name)),
    ):
        with pytest.raises(ValueError, match="custody"):
            await ledger.append(LOG, [pending(), PendingEntry(type_, stream, "app:x", name, {})])
    assert (await ledger.head(LOG))[0] == 0


async def test_a_claim_answers_a_repeated_change(ledger: Ledger) -> None:
    [name] = await people(ledger, 1)
    order = Order("human:officer", claim=Claim("key", b"f" * 32, "hold"))
    await ledger.custody.hold(LOG, name, LITIGATION, order)
    with pytest.raises(DuplicateClaim):
        await ledger.custody.hold(LOG, name, LITIGATION, order)
    assert len((await ledger.custody.closure(LOG, name)).holds) == 1


# --- races ----------------------------------------------------------------------------------------------


async def test_somebody_in_both_closures_of_a_link_is_seen_at_one_moment(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold that is lifted while a link is being decided must not come back through the older reading."""
    one, two, between = await people(ledger, 3)
    await chain(ledger, [one, between])
    placed = await ledger.custody.hold(LOG, between, LITIGATION, OFFICER)
    real, read = custody_door.Custodian._state, list[str]()

    async def slow(self: Any, log_id: str, subject: str) -> Any:
        state = await real(self, log_id, subject)
        read.append(subject)
        if read.count(between) == 1 and subject == between:
            monkeypatch.setattr(custody_door.Custodian, "_state", real)
            await ledger.custody.lift(LOG, between, hold_id(placed), OFFICER)
            await ledger.custody.link(LOG, between, two, OFFICER)
            monkeypatch.setattr(custody_door.Custodian, "_state", slow)
        return state

    monkeypatch.setattr(custody_door.Custodian, "_state", slow)
    assert await ledger.custody.link(LOG, one, two, OFFICER) is not None
    await tables_are_what_the_streams_say(ledger)


@pytest.mark.parametrize("turn", range(6))
async def test_of_a_hold_and_an_erasure_at_once_exactly_one_wins(
    ledger: Ledger, pending: Make, gather: Gather, turn: int
) -> None:
    names = await people(ledger, 3)
    await chain(ledger, names)
    record = (await ledger.append(LOG, [pending(None, b"x", subject=names[2])])).commitments[0][0].record
    # On the erased one, and on one that erasure only reaches by links.
    tasks = [
        ledger.custody.hold(LOG, names[turn % 3], LITIGATION, OFFICER),
        ledger.custody.erase(LOG, names[0], GDPR, OFFICER),
    ]
    if turn % 2:
        tasks.reverse()
    outcomes = await gather(*tasks)
    if turn % 2:
        outcomes.reverse()
    held, erased = outcomes
    closure = await ledger.custody.closure(LOG, names[0])
    if isinstance(held, Appended):
        assert isinstance(erased, SubjectHeld)
        assert erased.holds == (hold_id(held),)
        assert {state.erased for state in closure.states.values()} == {None}
        assert await ledger.open_payload(LOG, record) == b"x"
    else:
        assert isinstance(held, SubjectErased)
        assert isinstance(erased, Appended)
        assert closure.holds == ()
        with pytest.raises(SubjectErased):
            await ledger.open_payload(LOG, record)


async def test_a_person_grows_and_is_erased_at_once_and_nobody_is_halved(
    ledger: Ledger, gather: Gather
) -> None:
    for turn in range(8):
        one, two, three = [await ledger.pseudonym(LOG, f"MRN {turn}-{n}") for n in range(3)]
        await ledger.custody.link(LOG, one, two, OFFICER)
        linked, erased, again = await gather(
            ledger.custody.link(LOG, two, three, OFFICER),
            ledger.custody.erase(LOG, one, GDPR, OFFICER),
            ledger.custody.erase(LOG, three, GDPR, OFFICER),
        )
        states = (await ledger.custody.closure(LOG, three)).states
        assert len({state.erased is None for state in states.values()}) == 1
        both = (await ledger.custody.closure(LOG, one)).states
        assert all(state.erased is not None for state in both.values())
        kinds = {type(item) for item in (linked, erased, again)}
        assert kinds <= {Appended, SubjectErased, type(None)}
    await tables_are_what_the_streams_say(ledger)


async def test_many_changes_at_once_leave_tables_that_agree_with_the_streams(
    ledger: Ledger, gather: Gather
) -> None:
    names = await people(ledger, 8)
    chance = random.Random(5)
    holds: list[tuple[str, str]] = []
    for _ in range(12):
        tasks: list[Awaitable[Any]] = []
        for _ in range(4):
            one, two = chance.sample(names, 2)
            tasks.append(ledger.custody.link(LOG, one, two, OFFICER))
            three, four = chance.sample(names, 2)
            tasks.append(ledger.custody.unlink(LOG, three, four, OFFICER))
        tasks.append(ledger.custody.hold(LOG, chance.choice(names), LITIGATION, OFFICER))
        if holds:
            name, placed = holds.pop(chance.randrange(len(holds)))
            tasks.append(ledger.custody.lift(LOG, name, placed, OFFICER))
        for outcome in await gather(*tasks):
            if isinstance(outcome, Appended) and outcome.entries[0].type == "hold.placed":
                assert outcome.entries[0].subject is not None
                holds.append((outcome.entries[0].subject, hold_id(outcome)))
            assert outcome is None or isinstance(outcome, (Appended, SubjectHeld, ExpectationFailed)), outcome
        await tables_are_what_the_streams_say(ledger)
    # Whoever covers one of a person covers all of them.
    links: dict[str, set[str]] = {}
    for row in await ledger.query(select(tables.link)):
        links.setdefault(row._mapping["subject"], set()).add(row._mapping["other"])
    rows = [row._mapping for row in await ledger.query(select(tables.hold))]
    covers = {(row["subject"], row["hold_id"]) for row in rows}
    for subject, placed in covers:
        person = closure_over(subject, lambda name: links.get(name, set()))
        assert {(name, placed) for name in person} <= covers


# --- faults ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.KEPT])
async def test_an_erasure_whose_outcome_is_unknown_can_be_asked_for_again(
    open_ledger: OpenLedger, pending: Make, fault: Fault
) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    names = await people(ledger, 2)
    await chain(ledger, names)
    written = await ledger.append(LOG, [pending(None, b"x", subject=name) for name in names])
    answers = iter([fault])
    store.fault = lambda step: next(answers, Fault.NONE) if step == "commit" else Fault.NONE
    with pytest.raises(StoreUnavailable):
        await ledger.custody.erase(LOG, names[0], GDPR, OFFICER)
    if fault is Fault.LOST:
        assert await ledger.open_payload(LOG, written.commitments[0][0].record) == b"x"
    else:
        # What turned out to be on record is carried out, whether or not anybody asks again.
        with pytest.raises(SubjectErased):
            ledger._keys.get(LOG, names[1])
    again = await ledger.custody.erase(LOG, names[0], GDPR, OFFICER)
    assert (again is None) == (fault is Fault.KEPT)
    for name in names:
        with pytest.raises(SubjectErased):
            ledger._keys.get(LOG, name)
    assert store.erased_records(LOG, 10) == []
    types = [entry.type for entry in await ledger.list_entries(LOG)]
    assert types.count("subject.erased") == 2


async def test_no_key_goes_before_its_certificate_is_durable(open_ledger: OpenLedger, pending: Make) -> None:
    """A commit that failed though it was kept can be read, and is durable only once the store has recovered."""
    store = MemoryStore()
    ledger = await open_ledger(store)
    names = await people(ledger, 2)
    await chain(ledger, names)
    await ledger.append(LOG, [pending(None, b"x", subject=name) for name in names])
    store.fault = lambda step: {"commit": Fault.KEPT, "recover": Fault.LOST}.get(step, Fault.NONE)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await ledger.custody.erase(LOG, names[0], GDPR, OFFICER)
        assert len(store.erasures(LOG)) == 2
        assert all(ledger._keys.get(LOG, name) for name in names)
    store.fault = lambda _: Fault.NONE
    assert await ledger.custody.erase(LOG, names[0], GDPR, OFFICER) is None
    for name in names:
        with pytest.raises(SubjectErased):
            ledger._keys.get(LOG, name)
    assert store.erased_records(LOG, 10) == []


async def test_a_key_that_cannot_be_destroyed_is_no_success_and_is_destroyed_by_asking_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await people(ledger, 3)
    await chain(ledger, names)
    real, calls = KeyFolder.destroy, [0]

    def failing(self: KeyFolder, log_id: str, subject: str) -> bool:
        calls[0] += 1
        if calls[0] == 2:
            raise OSError("input/output error")
        return real(self, log_id, subject)

    monkeypatch.setattr(KeyFolder, "destroy", failing)
    with pytest.raises(StoreUnavailable):
        await ledger.custody.erase(LOG, names[0], GDPR, OFFICER)
    assert await ledger.custody.erase(LOG, names[1], GDPR, OFFICER) is None
    monkeypatch.undo()
    assert not [p for p in (ledger._keys._root / LOG / "subjects").rglob("sub_*") if p.name in names]


async def test_a_caller_who_goes_away_leaves_no_half_erasure(
    ledger: Ledger, pending: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await people(ledger, 2)
    await chain(ledger, names)
    await ledger.append(LOG, [pending(None, b"x", subject=name) for name in names])
    real, begun, go_on = KeyFolder.destroy, asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(self: KeyFolder, log_id: str, subject: str) -> bool:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(10)
        return real(self, log_id, subject)

    monkeypatch.setattr(KeyFolder, "destroy", slow)
    task = asyncio.ensure_future(ledger.custody.erase(LOG, names[0], GDPR, OFFICER))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    await asyncio.gather(*ledger.custody._running)
    assert ledger._store.erased_records(LOG, 10) == []
    for name in names:
        with pytest.raises(SubjectErased):
            ledger._keys.get(LOG, name)


@pytest.mark.kill
@pytest.mark.parametrize("moment", ["before-first-key", "between-keys", "after-keys", "between-rows"])
async def test_kill_9_in_the_middle_of_an_erasure_is_carried_out_at_the_next_start(
    tmp_path: Path, moment: str
) -> None:
    folder = tmp_path / "ledger"
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(HERE / "kill_eraser.py"), str(folder), moment],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    *names, record = process.stdout.split()
    async with await Ledger.open(LedgerConfig(folder)) as ledger:
        types = [entry.type for entry in await ledger.list_entries(LOG)]
        assert types.count("subject.erased") == len(names) == 3
        assert not [p for p in (folder / "keys").rglob("sub_*") if p.name in names]
        with pytest.raises(SubjectErased):
            await ledger.open_payload(LOG, record)
        assert ledger._store.erased_records(LOG, 10) == []
        assert (await ledger.custody.show(LOG, names[0])).payloads == {name: {} for name in names}


async def test_a_store_that_cannot_remove_rows_keeps_nobody_from_reading(
    open_ledger: OpenLedger, pending: Make
) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    [name] = await people(ledger, 1)
    await ledger.append(LOG, [pending(None, b"x", subject=name)])
    # Everything fails from the transaction after the certificate's on.
    commits = [0]

    def failing(step: str) -> Fault:
        commits[0] += step == "commit"
        return Fault.LOST if commits[0] and step in ("begin", "recover") else Fault.NONE

    store.fault = failing
    with pytest.raises(StoreUnavailable):
        await ledger.custody.erase(LOG, name, GDPR, OFFICER)
    store.fault = lambda step: Fault.LOST if step == "begin" else Fault.NONE
    await ledger.close()
    ledger = await open_ledger(store)
    with pytest.raises(SubjectErased):
        await ledger.open_payload(LOG, (await ledger.get_entry(LOG, 0)).commitments[0].record)
    store.fault = lambda _: Fault.NONE
    assert len(store.erased_records(LOG, 10)) == 1
    assert await ledger.custody.sweep(LOG) == 1
    assert await ledger.custody.sweep(LOG) == 0


async def test_two_sweeps_at_once_remove_each_row_once(
    open_ledger: OpenLedger, make_store: Callable[[], Store], pending: Make, tmp_path: Path, gather: Gather
) -> None:
    (tmp_path / "ledger").mkdir(exist_ok=True)
    ledger = await open_ledger(make_store())
    names = await people(ledger, 2)
    for name in names:
        await ledger.append(LOG, [pending(None, b"x", b"y", subject=name) for _ in range(200)])
    outcomes = await gather(
        *(ledger.custody.erase(LOG, name, GDPR, OFFICER) for name in names), ledger.custody.sweep(LOG)
    )
    assert not [outcome for outcome in outcomes if isinstance(outcome, LedgerError)]
    assert ledger._store.erased_records(LOG, 10) == []


async def test_a_lost_key_is_no_erasure_and_can_be_certified(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    ledger = await open_ledger()
    [name] = await people(ledger, 1)
    record = (await ledger.append(LOG, [pending(None, b"x", subject=name)])).commitments[0][0].record
    await ledger.close()
    shutil.rmtree(tmp_path / "ledger" / "keys" / LOG / "subjects")
    ledger = await open_ledger()
    with pytest.raises(NotFound):
        await ledger.open_payload(LOG, record)
    assert (await ledger.custody.show(LOG, name)).payloads == {name: {"prompt": 1}}
    erasure = await ledger.custody.erase(LOG, name, GDPR, OFFICER)
    assert erasure is not None
    assert erasure.entries[0].body["key_id"] is None

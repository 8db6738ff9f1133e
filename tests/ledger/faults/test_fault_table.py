"""Every call of a store x {not persisted, persisted, persisted but errored}, on both embedded stores.

The first call of each name fails in `make test`, the second in `make test-faults`.

Each case drives the same script, in which every call of the port occurs, with one fault in it, and goes on until
the store is sound again; then the ledger is opened anew and goes on. It ends with the audit of all that was shown,
in a clean process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import (
    DuplicateClaim,
    ExpectationFailed,
    LedgerError,
    RowRejected,
    StoreUnavailable,
    SubjectErased,
)
from attending.ledger.ledger import Appended, Claim, Expectation, Ledger, LedgerConfig, RowWrite
from attending.ledger.store.memory import Fault, MemoryStore
from attending.ledger.store.port import Store
from attending.ledger.store.sqlite import SqliteStore
from attending.ledger.tiles import TILE_WIDTH
from sqlalchemy import Column, MetaData, String, Table, select

from tests.ledger.faults.audit import Shown, audit
from tests.ledger.faults.faulty import CALLS, faulty

T = TypeVar("T")
LOG, ORIGIN = "clinic", "attending.test/clinic"
TRIES = 4
IN_RECOVERY = frozenset({"recover", "stops", "heads", "entries", "leaf_hashes", "tile", "introductions"})
"""What the sequencer calls to read the state again after a fault."""
AT_OPENING = frozenset({"erasures", "rebuilding"})
ELSEWHERE = frozenset({"head_size", "is_erased", "present_records"})
"""Asked only where several processes write (test_postgres.py), and by a prune (test_prune.py)."""
METADATA = MetaData()
ITEM = Table(
    "item",
    METADATA,
    Column("log_id", String(63), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
)


class Trap:
    """Faults that are set, each for the call of its name that comes after `skip` others; once each."""

    def __init__(self) -> None:
        self.waiting: dict[str, tuple[Fault, int]] = {}
        self.met: list[str] = []
        self.seen: set[str] = set()

    def set(self, name: str, answer: Fault, skip: int = 0) -> None:
        self.waiting[name] = (answer, skip)

    def __call__(self, name: str) -> Fault:
        self.seen.add(name)
        answer, skip = self.waiting.pop(name, (Fault.NONE, 0))
        if skip:
            self.waiting[name] = (answer, skip - 1)
            return Fault.NONE
        if answer is not Fault.NONE:
            self.met.append(name)
        return answer


class Script:
    """Drives a ledger through every call of its store, one claimed append at a time, and keeps the books."""

    def __init__(self, ledger: Ledger, shown: Shown) -> None:
        self.ledger = ledger
        self.shown = shown
        self.acknowledged: dict[str, int] = {}
        self.subject = ""
        self.erased: set[str] = set()

    async def settle(self, call: Callable[..., Awaitable[T]], *arguments: Any, **more: Any) -> T:
        """The result of a call that is made again for as long as the store is unavailable."""
        for _ in range(TRIES):
            try:
                return await call(*arguments, **more)
            except StoreUnavailable:
                continue
        return await call(*arguments, **more)

    async def append(self, name: str, count: int = 1) -> None:
        """An append of `count` entries with a claim, a row and a payload; made again until it is known."""
        stream, text = f"stream-{name}", f"text of {name}".encode()
        entries = [
            PendingEntry(
                "feedback.recorded", stream, "app:t", self.subject, {"n": n}, (Payload("note", text),)
            )
            for n in range(count)
        ]

        async def once() -> Appended | None:
            try:
                return await self.ledger.append(
                    LOG,
                    entries,
                    expect=[Expectation(stream, 0)],
                    claim=Claim(name, b"f" * 32, stream),
                    rows=[RowWrite(ITEM, {"name": name}, {"state": "new"})],
                )
            except ExpectationFailed as err:
                # An earlier try was stored although it was answered "unknown": whole, or this is a bug.
                if err.actual != count:
                    raise AssertionError("half of an append was stored") from err
                return None

        appended = await self.settle(once)
        if appended is not None:
            self.shown.append(appended, [[text]] * count)
        with pytest.raises((DuplicateClaim, ExpectationFailed)):
            await self.settle(once_again(self.ledger, entries[:1], name, stream))
        self.acknowledged[name] = count

    async def refused(self) -> None:
        """An append whose expectation fails and one whose row breaks a constraint: nothing of them stays."""
        entry = PendingEntry("feedback.recorded", "refused", "app:t", None, {})
        with pytest.raises(ExpectationFailed):
            await self.settle(self.ledger.append, LOG, [entry], expect=[Expectation("refused", 7)])
        bad = RowWrite(ITEM, {"name": "bad"}, {"state": None})
        with pytest.raises(RowRejected):
            await self.settle(self.ledger.append, LOG, [entry], rows=[bad])
        assert await self.settle(self.ledger.stream_version, LOG, "refused") == 0

    async def read(self) -> None:
        """Everything that can be read, compared with the books."""
        ledger, settle = self.ledger, self.settle
        size, _ = await ledger.head(LOG)
        for index in (0, size - 1):
            assert (await settle(ledger.get_entry, LOG, index)).index == index
        counts = {f"stream-{name}": count for name, count in self.acknowledged.items()}
        assert await settle(ledger.stream_versions, LOG, [*counts, "nobody's"]) == counts | {"nobody's": 0}
        for name, count in self.acknowledged.items():
            stream = f"stream-{name}"
            assert await settle(ledger.stream_version, LOG, stream) == count
            assert len(await settle(ledger.stream_entries, LOG, stream)) == count
            claim = await settle(ledger.find_claim, LOG, name)
            assert claim is not None
            assert claim.stream == stream
        rows = await settle(ledger.query, select(ITEM.c.name))
        assert {row[0] for row in rows} >= set(self.acknowledged)
        for record, (_, text) in self.shown.records.items():
            if record in self.erased:
                with pytest.raises(SubjectErased):
                    await settle(ledger.open_payload, LOG, record)
            else:
                assert await settle(ledger.open_payload, LOG, record) == text
        assert await settle(ledger.verify, LOG) == size
        await settle(ledger.consistency_proof, LOG, min(3, size), size)
        self.shown.heads.add(await ledger.checkpoint(LOG))

    async def run(self, turn: str) -> None:
        """One round over every call of the port."""
        if (await self.ledger.head(LOG))[0] == 0:  # past a full tile, so that proofs read tiles
            fill = [
                PendingEntry("feedback.recorded", f"fill-{n}", "app:t", None, {}) for n in range(TILE_WIDTH)
            ]
            await self.ledger.append(LOG, fill)
        self.subject = await self.settle(self.ledger.pseudonym, LOG, f"MRN {turn}")
        await self.append(f"{turn}-one")
        await self.append(f"{turn}-three", 3)
        await self.refused()
        await self.read()
        published = await self.settle(self.ledger.publish, LOG)
        if published is not None:
            self.shown.heads.add(published)
        await self.settle(self.ledger.erase_subject, LOG, self.subject)
        self.erased |= set(self.shown.records)
        await self.read()


def once_again(ledger: Ledger, entries: list[PendingEntry], name: str, stream: str) -> Callable[[], Any]:
    """The append of a caller that does not know that its claim has been used."""
    return lambda: ledger.append(LOG, entries, claim=Claim(name, b"f" * 32, stream))


class Place:
    """A store and the folder around it, to be opened again and again with the trap in between."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder / "ledger"
        self.folder.mkdir()
        self.trap = Trap()
        self._memory = MemoryStore() if kind == "memory" else None

    def store(self, trapped: bool = True) -> Store:
        inner: Store = self._memory or SqliteStore(self.folder / "ledger.db")
        if self._memory is not None:
            # The memory store asks by itself; the same table then shows that both ways agree.
            self._memory.fault = self.trap if trapped else (lambda _: Fault.NONE)
            return inner
        return faulty(inner, self.trap) if trapped else inner

    async def open(self, store: Store) -> Ledger:
        config = LedgerConfig(self.folder, publish_interval_seconds=3600.0)
        return await Ledger.open(config, metadata=[METADATA], store=store)


@pytest.fixture(params=["memory", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(request.param, tmp_path)


@pytest.mark.parametrize(
    ("name", "answer", "skip"),
    [
        ("commit", Fault.NONE, 0),
        *(
            pytest.param(name, answer, skip, marks=[pytest.mark.faults] * skip)
            for name in CALLS
            for answer in (Fault.LOST, Fault.KEPT)
            for skip in (
                (0,) if name in {"recover", "stops", "heads", "leaf_hashes", "introductions"} else (0, 1)
            )
            if name not in AT_OPENING | ELSEWHERE
        ),
    ],
)
async def test_every_call_may_fail_once(
    place: Place, tmp_path: Path, name: str, answer: Fault, skip: int
) -> None:
    shown = Shown()
    store = place.store()
    ledger = await place.open(store)
    await ledger.create_log(LOG, ORIGIN)
    script = Script(ledger, shown)
    await script.run("before")
    place.trap.set(name, answer, skip)
    if name in IN_RECOVERY and skip == 0:  # a fault while another one is being recovered from
        place.trap.set("apply", Fault.LOST)
    await script.run("during")
    await script.run("during-too")
    assert place.trap.met.count(name) == (answer is not Fault.NONE), "the script does not come to that call"
    await script.run("after")
    assert ledger.halted(LOG) is None
    await ledger.close()
    store = place.store(trapped=False)
    script.ledger = await place.open(store)
    await script.run("again")
    await audit(script.ledger, store, LOG, shown, tmp_path)
    await script.ledger.close()


async def test_the_script_makes_every_call(place: Place) -> None:
    ledger = await place.open(place.store())
    await ledger.create_log(LOG, ORIGIN)
    script = Script(ledger, Shown())
    await script.run("first")
    place.trap.seen.clear()
    place.trap.set("apply", Fault.LOST)
    await script.run("second")
    await ledger.close()
    assert place.trap.seen >= set(CALLS) - AT_OPENING - ELSEWHERE


@pytest.mark.parametrize("answer", [Fault.LOST, Fault.KEPT])
@pytest.mark.parametrize("name", ["recover", "stops", "heads", "entries", "leaf_hashes", *sorted(AT_OPENING)])
async def test_a_fault_while_opening_is_said_and_leaves_nothing_behind(
    place: Place, tmp_path: Path, name: str, answer: Fault
) -> None:
    shown = Shown()
    ledger = await place.open(place.store())
    await ledger.create_log(LOG, ORIGIN)
    script = Script(ledger, shown)
    await script.run("before")
    await ledger.close()
    place.trap.set(name, answer)
    with pytest.raises(LedgerError) as caught:
        await place.open(place.store())
    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert place.trap.met == [name]
    store = place.store(trapped=False)
    script.ledger = await place.open(store)  # the folder's lock is free and the log as it was
    await script.run("after")
    await audit(script.ledger, store, LOG, shown, tmp_path)
    await script.ledger.close()


@pytest.mark.parametrize("answer", [Fault.LOST, Fault.KEPT])
@pytest.mark.parametrize("name", ["begin", "apply", "commit"])
async def test_creating_a_log_may_fail(place: Place, tmp_path: Path, name: str, answer: Fault) -> None:
    store = place.store()
    ledger = await place.open(store)
    place.trap.set(name, answer)
    if name == "begin":  # nothing was asked to be written: it is asked again, and nobody need hear of it
        await ledger.create_log(LOG, ORIGIN)
        assert place.trap.met == [name]
    else:
        with pytest.raises(StoreUnavailable):
            await ledger.create_log(LOG, ORIGIN)
    await ledger.create_log(LOG, ORIGIN)
    shown = Shown()
    await Script(ledger, shown).run("after")
    head = await ledger.publish(LOG)
    assert head == await ledger.checkpoint(LOG) == await ledger.published_checkpoint(LOG)
    await audit(ledger, store, LOG, shown, tmp_path)
    await ledger.close()

"""Rotating a log's signing key: while it is in use, cut short at every step, and beside other processes."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.ledger import sequencer, signing
from attending.ledger.backup.published import read_introduced, read_published
from attending.ledger.backup.restore import inspect_backup, restore_sqlite
from attending.ledger.backup.take import take_backup
from attending.ledger.checkpoint import parse_checkpoint, verify
from attending.ledger.custody.reads import Order
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import (
    CorruptLog,
    KeyStoreUnavailable,
    LedgerError,
    StoreUnavailable,
    VerificationError,
)
from attending.ledger.health import examine
from attending.ledger.introduction import STREAM, follow, learned, terms, verify_introduction
from attending.ledger.key_files import LogFolder
from attending.ledger.ledger import Claim, Ledger, LedgerConfig
from attending.ledger.note import VerifierKey
from attending.ledger.proof import verify_receipt
from attending.ledger.publish import read_introductions
from attending.ledger.signing import read_chain
from attending.ledger.store.memory import Fault, MemoryStore
from attending.ledger.store.port import Store
from attending.ledger.store.read_only import ReadOnlySqlite
from attending.ledger.store.sqlite import SqliteStore
from attending.ledger.verify.database import SignedHead, verify_database_log
from attending.ledger.verify.report import Status
from attending.ledger.verify.sqlite import log_in

from tests.ledger.engine.conftest import START
from tests.ledger.engine.postgres import LOGIN
from tests.postgres_cluster import Cluster

LOG = "clinic"
ORIGIN = "attending.test/clinic"
Make = Callable[..., PendingEntry]
OpenLedger = Callable[..., Awaitable[Ledger]]
BY = Order("human:operator")


async def anchor_of(ledger: Ledger) -> str:
    """The key that an auditor would have pinned when the log began."""
    return str(ledger._sequencer.state(LOG).row.verifier_key)


async def check(ledger: Ledger, anchor: str, generation: int) -> None:
    """The log signs, one key is in force, and whoever pinned `anchor` can follow it there."""
    note = await ledger.checkpoint(LOG)
    texts = ledger.introductions(LOG)
    assert len(texts) == generation - 1
    known = terms([VerifierKey.parse(anchor)], follow(texts, ORIGIN))
    assert verify(note, known).size == (await ledger.head(LOG))[0]
    assert str(known[-1].key) == ledger.verifier_key(LOG)
    listed = [item for item in await ledger.rotation.keys(LOG) if item.kind == "signing"]
    assert [(item.generation, item.in_use) for item in listed] == [(generation, True)]
    assert await ledger.verify(LOG) == (await ledger.head(LOG))[0]


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "keys" / LOG).iterdir() if "signing" in path.name}


@pytest.mark.parametrize("make_store", ["sqlite", "memory", "postgres"], indirect=True)
async def test_a_log_goes_on_under_a_new_key_and_every_receipt_holds(
    open_ledger: OpenLedger, make_store: Callable[[], Store], pending: Make, tmp_path: Path
) -> None:
    (tmp_path / "ledger").mkdir(exist_ok=True)
    ledger = await open_ledger(make_store())
    anchor = await anchor_of(ledger)
    receipts: list[tuple[str, bytes]] = []

    async def append() -> None:
        appended = await ledger.append(LOG, [pending(), pending()])
        receipts.extend((appended.receipt(number), appended.data[number]) for number in range(2))

    for generation in range(2, 5):
        before = ledger.verifier_key(LOG)
        await asyncio.gather(*(append() for _ in range(4)))
        rotation_task = asyncio.create_task(ledger.signing.rotate(LOG, BY))
        await asyncio.gather(*(append() for _ in range(8)))
        done = await rotation_task
        await append()
        assert (done.kind, done.generation) == ("signing", generation)
        ordered, rotation = [await ledger.get_entry(LOG, index) for index in done.indexes]
        assert (ordered.actor, ordered.stream, rotation.stream) == (BY.actor, "keys", STREAM)
        # Who ordered it is not in what anybody may be shown.
        assert rotation.actor == "system"
        assert rotation.body == {
            "kind": "signing",
            "generation": generation,
            "old": before,
            "new": ledger.verifier_key(LOG),
        }
        found = verify_introduction(ledger.introductions(LOG)[-1])
        assert found.rotation.size == rotation.index + 1
        assert files(tmp_path / "ledger") == {f"signing.{generation}.pem"}
        await check(ledger, anchor, generation)
    known = learned([anchor], ledger.introductions(LOG))
    for receipt, data in receipts:
        verify_receipt(receipt, data, known)
    assert sum(_holds(receipt, data, [anchor]) for receipt, data in receipts) >= 8
    assert not _holds(*receipts[-1], [anchor])
    assert _holds(*receipts[-1], [ledger.verifier_key(LOG)])
    with pytest.raises(ValueError, match="signing"):
        await ledger.append(LOG, [PendingEntry("key.rotated", STREAM, "app:test", None, {})])
    # The introductions are outside the database before a head that needs them.
    assert await ledger.publish(LOG) is not None
    assert read_introductions(tmp_path / "ledger" / "published", LOG) == ledger.introductions(LOG)


def _holds(receipt: str, data: bytes, keys: list[str]) -> bool:
    try:
        verify_receipt(receipt, data, keys)
    except VerificationError as err:
        if err.reason != "UNKNOWN_KEY":
            raise
        return False
    return True


async def test_the_same_call_again_is_the_same_rotation(open_ledger: OpenLedger, pending: Make) -> None:
    ledger = await open_ledger()
    claim = Claim("rotate-1", b"f" * 32, "keys")
    done = await ledger.signing.rotate(LOG, Order("human:operator", claim=claim))
    assert done.generation == 2
    with pytest.raises(LedgerError) as caught:
        await ledger.signing.rotate(LOG, Order("human:operator", claim=claim))
    assert caught.value.reason == "DUPLICATE_CLAIM"
    assert len(ledger.introductions(LOG)) == 1
    assert await ledger.stream_version(LOG, STREAM) == 1


STEPS = [
    "key placed",
    "rotation begun",
    "rotation committed",
    "introduction begun",
    "introduction committed",
    "old key renamed",
    "old key gone",
]


async def test_killed_at_any_step_it_is_finished_or_was_never_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pending: Make
) -> None:
    """At each step the folder is copied as a kill would leave it; each copy is opened, and rotated again."""
    folder, images = tmp_path / "ledger", dict[str, Path]()

    def image(step: str) -> None:
        if step not in images:
            images[step] = tmp_path / f"image-{len(images)}"
            shutil.copytree(folder, images[step], symlinks=True)

    class Store(SqliteStore):
        rotating = commits = 0

        def apply(self, batch: Any) -> None:
            super().apply(batch)
            if any(row.stream == STREAM for row in batch.entries):
                self.rotating = 1
                image("rotation begun")
            if batch.introductions:
                self.rotating = 2
                image("introduction begun")

        def commit(self) -> None:
            super().commit()
            if self.rotating:
                image("rotation committed" if self.rotating == 1 else "introduction committed")
            self.rotating = 0

    placed, shredded = LogFolder.place_signing, LogFolder.retire_signing

    def place(self: LogFolder, number: int) -> None:
        placed(self, number)
        image("key placed")

    def retire(self: LogFolder, keep: int) -> int:
        # What `shred` leaves when it is killed right after it took the name away.
        old, gone = self.path / "signing.pem", self.path / "signing.pem.shredded"
        old.rename(gone)
        image("old key renamed")
        gone.rename(old)
        count = shredded(self, keep)
        image("old key gone")
        return count

    monkeypatch.setattr(LogFolder, "place_signing", place)
    monkeypatch.setattr(LogFolder, "retire_signing", retire)
    folder.mkdir()
    config = LedgerConfig(folder, publish_interval_seconds=3600.0)
    async with await Ledger.open(config, store=Store(folder / "ledger.db")) as ledger:
        await ledger.create_log(LOG, ORIGIN)
        anchor = await anchor_of(ledger)
        earlier = await ledger.append(LOG, [pending() for _ in range(300)])
        await ledger.publish(LOG)  # nothing else is written while the folder is copied
        await ledger.signing.rotate(LOG, BY)
        later = await ledger.append(LOG, [pending()])
        known = learned([anchor], ledger.introductions(LOG))
    monkeypatch.undo()
    assert list(images) == STEPS
    for step, path in images.items():
        committed = STEPS.index(step) >= STEPS.index("rotation committed")
        async with await Ledger.open(path) as ledger:
            await ledger.append(LOG, [pending()])
            if not committed:
                assert ledger.verifier_key(LOG) == anchor, step
                assert ledger.introductions(LOG) == []
                await ledger.signing.rotate(LOG, BY)
            await check(ledger, anchor, 2)
            assert files(path) == {"signing.2.pem"}, step
            if committed:
                # It is the rotation that was begun, to the byte, whoever has made its introduction.
                assert verify_introduction(ledger.introductions(LOG)[0]).rotation.new == known[-1].key  # type: ignore[union-attr]
        async with await Ledger.open(path) as ledger:
            await check(ledger, anchor, 2)
            await ledger.signing.rotate(LOG, BY)
            await check(ledger, anchor, 3)
            verify_receipt(earlier.receipt(7), earlier.data[7], learned([anchor], ledger.introductions(LOG)))
    verify_receipt(later.receipt(), later.data[0], known)


async def test_a_store_that_fails_at_any_moment_leaves_one_key_in_force(
    tmp_path: Path, pending: Make
) -> None:
    """Every call of the store during a rotation fails once, with and without effect."""
    number, calls, refused = 0, 1, 0
    while number < calls:
        for kind in (Fault.LOST, Fault.KEPT):
            store, told = MemoryStore(), list[str]()
            folder = tmp_path / f"{number}-{kind.value}"
            async with await Ledger.open(folder, store=store) as ledger:
                await ledger.create_log(LOG, ORIGIN)
                anchor = await anchor_of(ledger)
                told.append((await ledger.append(LOG, [pending()])).checkpoint)
                left = number

                def fail(_name: str, kind: Fault = kind) -> Fault:
                    nonlocal left
                    left -= 1
                    return kind if left == -1 else Fault.NONE

                store.fault = fail
                try:
                    await ledger.signing.rotate(LOG, BY)
                except StoreUnavailable:
                    refused += 1
                calls = max(calls, number - left)
                store.fault = lambda _name: Fault.NONE
                told.append((await ledger.append(LOG, [pending()])).checkpoint)
                if len(ledger.introductions(LOG)) == 0:
                    await ledger.signing.rotate(LOG, BY)
                await ledger.signing.finish(LOG)
                told.append((await ledger.append(LOG, [pending()])).checkpoint)
                await check(ledger, anchor, len(ledger.introductions(LOG)) + 1)
                known = learned([anchor], ledger.introductions(LOG))
            for note in told:
                verify(note, known)
            async with await Ledger.open(folder, store=store) as ledger:
                await check(ledger, anchor, len(known))
        number += 1
    assert calls > 8
    assert refused >= 8


async def test_a_key_that_is_not_there_signs_nothing(tmp_path: Path, pending: Make) -> None:
    folder = tmp_path / "ledger"
    async with await Ledger.open(folder) as ledger:
        await ledger.create_log(LOG, ORIGIN)
        shutil.copy(folder / "keys" / LOG / "signing.pem", tmp_path / "old.pem")
        await ledger.signing.rotate(LOG, BY)
    # A key folder of before the rotation, and one with nothing: neither is begun anew.
    new = folder / "keys" / LOG / "signing.2.pem"
    new.rename(tmp_path / "new.pem")
    shutil.copy(tmp_path / "old.pem", folder / "keys" / LOG / "signing.pem")
    with pytest.raises(CorruptLog) as caught:
        await Ledger.open(folder)
    assert caught.value.reason == "KEY_MISMATCH"
    (tmp_path / "new.pem").rename(new)
    async with await Ledger.open(folder) as ledger:
        await ledger.append(LOG, [pending()])
        assert files(folder) == {"signing.2.pem"}  # the old one is destroyed again


async def test_an_altered_introduction_is_not_served(tmp_path: Path, pending: Make) -> None:
    folder, store = tmp_path / "ledger", MemoryStore()
    async with await Ledger.open(folder, store=store) as ledger:
        await ledger.create_log(LOG, ORIGIN)
        await ledger.signing.rotate(LOG, BY)
        await ledger.append(LOG, [pending()])
    rows = store._committed.introductions
    ((place, row),) = rows.items()
    for data in (row.data.replace(b"extra ", b"extra x", 1), row.data[:-5], b""):
        rows[place] = row._replace(data=data)
        with pytest.raises(CorruptLog) as caught:
            await Ledger.open(folder, store=store)
        assert caught.value.reason == "INTRODUCTION"
    rows[place] = row
    entry_row = store._committed.entries[place]
    store._committed.streams.clear()  # the rotation is not found where it belongs
    with pytest.raises(CorruptLog) as caught:
        await Ledger.open(folder, store=store)
    assert caught.value.reason == "INTRODUCTION"
    assert entry_row.stream == STREAM


async def test_backups_and_readers_of_the_file_follow_the_keys(tmp_path: Path, pending: Make) -> None:
    folder = tmp_path / "ledger"
    async with await Ledger.open(folder) as ledger:
        await ledger.create_log(LOG, ORIGIN)
        keys = [ledger.verifier_key(LOG)]
        await ledger.append(LOG, [pending()])
        early = _backup(folder, tmp_path / "early.backup")
        for _ in range(2):
            await ledger.signing.rotate(LOG, BY)
            await ledger.append(LOG, [pending()])
            keys.append(ledger.verifier_key(LOG))
        await ledger.publish(LOG)
    published, introduced = read_published(folder / "published"), read_introduced(folder / "published")
    with closing(ReadOnlySqlite(folder / "ledger.db")) as store, store.snapshot():
        (log,) = [
            item
            for item in examine(store, published, now=START, claim_retention=timedelta(1))
            if item.row.log_id == LOG
        ]
    assert (log.findings, log.chain.generation if log.chain else 0) == ((), 3)
    for key in keys:
        report = verify_database_log(
            folder / "ledger.db",
            log_in(folder / "ledger.db", LOG),
            VerifierKey.parse(key),
            [SignedHead("published", published[LOG])],
        )
        assert report.verdict is Status.PASSED, report.findings
    stranger = VerifierKey(ORIGIN, 1, VerifierKey.parse(keys[0]).public_key[::-1])
    report = verify_database_log(
        folder / "ledger.db", log_in(folder / "ledger.db", LOG), stranger, [SignedHead("p", published[LOG])]
    )
    assert {item.reason for item in report.findings if item.status is Status.FAILED} == {
        "KEY_MISMATCH",
        "UNKNOWN_KEY",
    }
    # Of now: restored, it opens with the key folder as it is.
    late = _backup(folder, tmp_path / "late.backup")
    found = inspect_backup(late, published, introduced=introduced)
    assert found.lost == ()
    restore_sqlite(found, tmp_path / "again")
    shutil.copytree(folder / "keys", tmp_path / "again" / "keys")
    async with await Ledger.open(tmp_path / "again") as ledger:
        await ledger.append(LOG, [pending()])
        await check(ledger, keys[0], 3)
        # A seal names the key that the successor's readers need.
        succession = await ledger.seal_log(LOG, "after", "attending.test/after", actor="human:o")
        continued = await ledger.get_entry("after", 0)
        assert continued.body["predecessor_key"] == keys[2]
        assert succession.size == continued.body["size"]
    # Of before: what was published since is known for what it is, by the introductions beside it.
    found = inspect_backup(early, {LOG: published[LOG]}, introduced=introduced)
    assert [(item.first, item.known) for item in found.lost] == [(1, True)]
    with pytest.raises(CorruptLog) as caught:
        inspect_backup(early, {LOG: published[LOG]})
    assert caught.value.reason == "PUBLISHED_HEAD_UNREADABLE"


def _backup(folder: Path, out: Path) -> Path:
    with closing(ReadOnlySqlite(folder / "ledger.db")) as store:
        take_backup(store, out, read_published(folder / "published"), now=lambda: START, program="test")
    return out


async def test_what_was_altered_in_the_file_is_named(tmp_path: Path, pending: Make) -> None:
    folder = tmp_path / "ledger"
    async with await Ledger.open(folder) as ledger:
        await ledger.create_log(LOG, ORIGIN)
        anchor = VerifierKey.parse(ledger.verifier_key(LOG))
        done = await ledger.signing.rotate(LOG, BY)
        await ledger.append(LOG, [pending()])
        await ledger.publish(LOG)
    head = [SignedHead("published", read_published(folder / "published")[LOG])]

    def reasons(sql: str) -> set[tuple[str | None, int | None]]:
        copy = tmp_path / "copy.db"
        shutil.copy(folder / "ledger.db", copy)
        with closing(sqlite3.connect(copy)) as connection:
            for trigger in (
                "introduction_refuse_delete",
                "introduction_refuse_update",
                "entry_refuse_update",
            ):
                connection.execute(f"DROP TRIGGER {trigger}")
            connection.execute(sql)
            connection.commit()
        report = verify_database_log(copy, log_in(copy, LOG), anchor, head)
        assert report.verdict is not Status.PASSED
        return {(item.reason, item.index) for item in report.findings if item.status is not Status.PASSED}

    at = done.indexes[1]
    assert reasons("DELETE FROM introduction") == {("INTRODUCTION_PENDING", at), ("UNKNOWN_KEY", None)}
    assert ("RECEIPT_FORMAT", None) in reasons("UPDATE introduction SET data = X'00'")
    assert ("INTRODUCTION", None) in reasons(f"UPDATE entry SET stream = 'x' WHERE entry_index = {at}")
    with pytest.raises(CorruptLog) as caught, closing(ReadOnlySqlite(tmp_path / "copy.db")) as store:
        read_chain(store, store.heads()[0][0])
    assert caught.value.reason == "INTRODUCTION"


# --- several processes ---------------------------------------------------------------------------------------


async def _opened(cluster: Cluster, database: str, folder: Path) -> Ledger:
    config = LedgerConfig(folder, database=cluster.conninfo(database, LOGIN), publish_interval_seconds=3600.0)
    ledger = await Ledger.open(config)
    await ledger.create_log(LOG, ORIGIN)
    return ledger


async def test_every_process_signs_with_the_key_that_the_log_names(
    cluster: Cluster, postgres_database: str, tmp_path: Path, pending: Make
) -> None:
    one = await _opened(cluster, postgres_database, tmp_path)
    two = await _opened(cluster, postgres_database, tmp_path)
    try:
        anchor = await anchor_of(one)
        notes: list[str] = []

        async def append(ledger: Ledger) -> None:
            appended = await ledger.append(LOG, [pending()])
            notes.append(appended.checkpoint)
            receipts.append((appended.receipt(), appended.data[0]))

        receipts: list[tuple[str, bytes]] = []
        for rotating in (one, two, one):
            await asyncio.gather(
                rotating.signing.rotate(LOG, BY),
                *(append(ledger) for ledger in (one, two) for _ in range(10)),
            )
        # At once: each is a rotation, one after the other.
        await asyncio.gather(one.signing.rotate(LOG, BY), two.signing.rotate(LOG, BY))
        await append(one)
        await append(two)
        await one.signing.finish(LOG)
        for ledger in (one, two):
            await check(ledger, anchor, 6)
        known = learned([anchor], two.introductions(LOG))
        for receipt, data in receipts:
            verify_receipt(receipt, data, known)
        assert len({(parse_checkpoint(note).size, parse_checkpoint(note).root) for note in notes}) == len(
            {parse_checkpoint(note).size for note in notes}
        )
        # A third that comes later, and one that never saw the first key.
        three = await _opened(cluster, postgres_database, tmp_path)
        await check(three, anchor, 6)
        await three.close()
    finally:
        await one.close()
        await two.close()


async def test_a_process_that_dies_after_its_commit_is_finished_by_another(
    cluster: Cluster, postgres_database: str, tmp_path: Path, pending: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await _opened(cluster, postgres_database, tmp_path)
    two = await _opened(cluster, postgres_database, tmp_path)
    try:
        anchor = await anchor_of(one)
        await two.append(LOG, [pending()])
        introduce = signing.introduce

        def die(*_: object) -> Any:
            one._sequencer._load_states = die  # nothing more comes from this process
            raise RuntimeError("process died here")

        monkeypatch.setattr(sequencer, "introduce", die)
        with pytest.raises(StoreUnavailable):
            await one.signing.rotate(LOG, BY)
        monkeypatch.setattr(sequencer, "introduce", introduce)
        assert files(tmp_path) == {"signing.pem", "signing.2.pem"}
        # What the other one gives out next is signed by the new key, and whoever has the old one can follow.
        appended = await two.append(LOG, [pending()])
        verify_receipt(appended.receipt(), appended.data[0], learned([anchor], two.introductions(LOG)))
        await two.signing.finish(LOG)
        await check(two, anchor, 2)
    finally:
        await two.close()
        await one.close()


async def test_a_process_that_cannot_open_the_new_key_signs_nothing_and_serves_the_other_logs(
    cluster: Cluster, postgres_database: str, tmp_path: Path, pending: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await _opened(cluster, postgres_database, tmp_path)
    two = await _opened(cluster, postgres_database, tmp_path)
    try:
        await two.create_log("other", "attending.test/other")
        anchor = await anchor_of(one)
        await one.signing.rotate(LOG, BY)
        head = two._sequencer.state(LOG).note

        def away(_log_id: str) -> Any:
            raise KeyStoreUnavailable("vault is away")

        monkeypatch.setattr(two._keys, "refresh", away)
        with pytest.raises(StoreUnavailable):
            await two.append(LOG, [pending()])
        assert two._sequencer.state(LOG).note == head
        await two.append("other", [pending()])
        monkeypatch.undo()
        await two.append(LOG, [pending()])
        await check(two, anchor, 2)
    finally:
        await one.close()
        await two.close()


async def test_a_rotation_that_a_failover_took_back_is_forgotten(
    tmp_path: Path, pending: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process has read of a rotation is not enough to sign by: the head that it moves must hold it."""
    store = MemoryStore()
    async with await Ledger.open(tmp_path, store=store) as ledger:
        await ledger.create_log(LOG, ORIGIN)
        anchor = await anchor_of(ledger)
        await ledger.append(LOG, [pending()])
        snapshot, state = store.snapshot(), ledger._sequencer.state(LOG)
        await ledger.signing.record(LOG, BY)
        rotated = ledger._sequencer.state(LOG)
        store.restore(snapshot)
        # As another process would be that read of the rotation and not of its entry.
        ledger._sequencer._states[LOG] = state.__class__(
            state.row, rotated.signing, state.edge, state.root, state.last_leaf, state.time, state.note
        )
        appended = await ledger.append(LOG, [pending()])
        verify_receipt(appended.receipt(), appended.data[0], [anchor])
        assert read_chain(store, state.row).generation == 1

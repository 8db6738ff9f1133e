"""Backup and restore on both engines: what comes back is what was there, and nothing else is taken for it."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attending.ledger.backup.manifest import Manifest, manifest_path, read_manifest
from attending.ledger.backup.published import read_published
from attending.ledger.backup.restore import Inspected, inspect_backup, restore_postgres, restore_sqlite
from attending.ledger.backup.take import backed_up_tables, take_backup
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import (
    BackupRefused,
    CorruptLog,
    LedgerError,
    LedgerLocked,
    LogFrozen,
    OtherVersion,
    ProjectionsIncomplete,
    StoreUnavailable,
    SubjectErased,
    UnsafeSettings,
)
from attending.ledger.files import FolderLock
from attending.ledger.ledger import Claim, Ledger, LedgerConfig
from attending.ledger.rebuild import rebuild
from attending.ledger.store import schema
from attending.ledger.store.postgres import PostgresStore
from attending.ledger.store.read_only import ReadOnlySqlite, ReadOnlyStore
from attending.ledger.store.read_only_postgres import ReadOnlyPostgres

from tests.ledger.engine.postgres import LOGIN
from tests.postgres_cluster import Cluster

LOG = "clinic"
HERE = Path(__file__).parent
Make = Callable[..., PendingEntry]
OpenLedger = Callable[..., Awaitable[Ledger]]


def take(store: ReadOnlyStore, out: Path, folder: Path, **settings: Any) -> Manifest:
    published = read_published(folder / "published")
    return take_backup(store, out, published, now=lambda: datetime.now(UTC), program="test", **settings)


def backup_of(folder: Path, out: Path, **settings: Any) -> Manifest:
    with closing(ReadOnlySqlite(folder / "ledger.db")) as store:
        return take(store, out, folder, **settings)


async def fill(ledger: Ledger, pending: Make, entries: int = 600) -> tuple[str, str]:
    """(record of a payload that stays, of one whose subject is erased)."""
    stays, gone = await ledger.pseudonym(LOG, "MRN 1"), await ledger.pseudonym(LOG, "MRN 2")
    first = await ledger.append(
        LOG,
        [pending("first", b"stays", subject=stays), pending("first", b"gone", subject=gone)],
        claim=Claim("key", b"f" * 32, "first"),
    )
    for start in range(2, entries - 1, 50):
        number = min(50, entries - 1 - start)
        await ledger.append(LOG, [pending(None, b"text", subject=stays) for _ in range(number)])
    await ledger.erase_subject(LOG, gone)
    return first.commitments[0][0].record, first.commitments[1][0].record


def rows_of(store: ReadOnlyStore) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the ledger, by table; without the note that projections are to be rebuilt, which
    a restore to the other engine leaves.
    """
    rows = {table.name: list(store.stream(table)) for table in schema.metadata.sorted_tables}
    rows["ledger"] = [row for row in rows["ledger"] if row[0] != "rebuilding"]
    return rows


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.endswith(("part", "-wal", "-shm")))


@pytest.fixture
async def backup(open_ledger: OpenLedger, pending: Make, tmp_path: Path) -> Path:
    """A backup of a SQLite ledger of 600 entries, which has stopped."""
    ledger = await open_ledger()
    await fill(ledger, pending)
    await ledger.close()
    backup_of(tmp_path / "ledger", tmp_path / "b1")
    return tmp_path / "b1"


def inspect(backup: Path, tmp_path: Path) -> Inspected:
    return inspect_backup(backup, read_published(tmp_path / "ledger" / "published"))


# --- there and back ------------------------------------------------------------------------------------------


async def test_a_backup_is_one_file_and_says_what_it_holds(backup: Path, tmp_path: Path) -> None:
    manifest = read_manifest(backup)
    assert manifest.verified
    assert manifest.engine == "sqlite"
    [log] = manifest.logs
    assert (log.log_id, log.size, log.payloads) == (LOG, 600, 598)
    assert log.published == (tmp_path / "ledger" / "published" / f"{LOG}.checkpoint").read_text()
    assert manifest.counts["entry"] == 600
    assert leftovers(tmp_path) == []
    assert backup.stat().st_mode & 0o777 == 0o600
    # No key of any kind is in it.
    for path in (tmp_path / "ledger" / "keys").rglob("*"):
        if path.is_file() and path.stat().st_size:  # a lock holds nothing
            assert path.read_bytes() not in backup.read_bytes()


async def test_what_is_restored_to_sqlite_is_what_was_there(
    backup: Path, tmp_path: Path, open_ledger: OpenLedger
) -> None:
    ledger = await open_ledger()
    record = (await ledger.get_entry(LOG, 0)).commitments[0].record
    await ledger.close()
    found = inspect(backup, tmp_path)
    assert (found.lost, found.unpublished) == ((), ())
    target = tmp_path / "target"
    restore_sqlite(found, target)
    assert leftovers(target) == []
    with (
        closing(ReadOnlySqlite(target / "ledger.db")) as restored,
        closing(ReadOnlySqlite(backup, frozen=True)) as source,
    ):
        assert rows_of(restored) == rows_of(source)
    for part in ("keys", "published"):
        shutil.copytree(tmp_path / "ledger" / part, target / part)
    async with await Ledger.open(LedgerConfig(target)) as again:
        assert await again.verify(LOG) == 600
        assert await again.open_payload(LOG, record) == b"stays"
        assert (await again.find_claim(LOG, "key")) is not None


async def test_sqlite_to_postgres_and_back_is_the_same_to_the_byte(
    backup: Path, tmp_path: Path, cluster: Cluster, tables: Any, pending: Make
) -> None:
    cluster.execute("CREATE DATABASE restored")
    admin, conninfo = cluster.conninfo("restored"), cluster.conninfo("restored", LOGIN)
    restore_postgres(inspect(backup, tmp_path), admin, [tables.metadata], grant_to=[LOGIN])
    with closing(ReadOnlySqlite(backup, frozen=True)) as source:
        rows = rows_of(source)
    with closing(ReadOnlyPostgres(conninfo)) as reader:
        assert rows_of(reader) == rows
    # A server opens it with the same keys and published heads, and goes on.
    config = LedgerConfig(tmp_path / "ledger", database=conninfo)
    with pytest.raises(ProjectionsIncomplete):
        await Ledger.open(config, metadata=[tables.metadata])
    rebuild(config, [tables.metadata], lambda *_: [])
    async with await Ledger.open(config, metadata=[tables.metadata]) as ledger:
        record = (await ledger.get_entry(LOG, 0)).commitments[0].record
        assert await ledger.open_payload(LOG, record) == b"stays"
        with pytest.raises(SubjectErased):
            await ledger.open_payload(LOG, (await ledger.get_entry(LOG, 1)).commitments[0].record)
        await ledger.append(LOG, [pending()])
        assert await ledger.verify(LOG) == 601
        with closing(ReadOnlyPostgres(conninfo)) as reader:
            manifest = take(reader, tmp_path / "b2", tmp_path / "ledger")
    assert (manifest.engine, manifest.logs[0].size) == ("postgresql", 601)
    # And back: the entries of the first backup are the first of the second.
    found = inspect(tmp_path / "b2", tmp_path)
    restore_sqlite(found, tmp_path / "back")
    with closing(ReadOnlySqlite(tmp_path / "back" / "ledger.db")) as reader:
        back = rows_of(reader)
    assert back["entry"][:600] == rows["entry"]
    assert back["payload"] == rows["payload"]
    assert back["tile"] == rows["tile"]
    with pytest.raises(BackupRefused) as caught:
        restore_postgres(found, admin, [tables.metadata])
    assert caught.value.reason == "TARGET_NOT_EMPTY"


async def test_triggers_stay_on_in_a_restored_database(
    backup: Path, tmp_path: Path, cluster: Cluster, tables: Any
) -> None:
    cluster.execute("CREATE DATABASE guarded")
    restore_postgres(inspect(backup, tmp_path), cluster.conninfo("guarded"), [tables.metadata])
    with pytest.raises(psycopg.errors.RestrictViolation):
        cluster.execute("DELETE FROM attending.entry WHERE entry_index = 5", database="guarded")
    restore_sqlite(inspect(backup, tmp_path), tmp_path / "target")
    with (
        closing(sqlite3.connect(tmp_path / "target" / "ledger.db")) as connection,
        pytest.raises(sqlite3.IntegrityError),
    ):
        connection.execute("DELETE FROM entry WHERE entry_index = 5")


async def test_a_backup_of_an_earlier_release_is_restored_to_both(
    backup: Path, tmp_path: Path, cluster: Cluster, tables: Any
) -> None:
    """A file as the first release made it; it stays as it is, and what is restored is of this release."""
    old = tmp_path / "old"
    first = files("attending.ledger.store.migrations") / "sql" / "0001.sqlite.sql"
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        for statement in first.read_text().split("\n--;\n"):
            connection.execute(statement)
        connection.execute("ATTACH ? AS new", (str(backup),))
        counts = {}
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            columns = ", ".join(
                f'"{row[1]}"' for row in connection.execute(f"PRAGMA main.table_info({name})")
            )
            if name != "ledger":
                connection.execute(f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM new.{name}")
            counts[name] = connection.execute(f"SELECT COUNT(*) FROM main.{name}").fetchone()[0]
    shutil.copy(manifest_path(backup), manifest_path(old))
    forge_manifest(old, counts=counts, schema_version=1)
    before = old.read_bytes()
    found = inspect(old, tmp_path)
    assert found.logs[0].size == 600
    restore_sqlite(found, tmp_path / "target")
    cluster.execute("CREATE DATABASE from_old")
    restore_postgres(found, cluster.conninfo("from_old"), [tables.metadata], grant_to=[LOGIN])
    assert old.read_bytes() == before
    with (
        closing(ReadOnlySqlite(tmp_path / "target" / "ledger.db")) as one,
        closing(ReadOnlyPostgres(cluster.conninfo("from_old", LOGIN))) as other,
        closing(ReadOnlySqlite(backup, frozen=True)) as new,
    ):
        assert one.schema_version() == other.schema_version() == schema.SCHEMA_VERSION
        assert rows_of(one)["entry"] == rows_of(other)["entry"] == rows_of(new)["entry"]
        assert rows_of(one)["payload"] == rows_of(other)["payload"] == rows_of(new)["payload"]


# --- while the server runs -----------------------------------------------------------------------------------


@pytest.mark.kill
def test_twenty_backups_beside_a_busy_writer_are_prefixes_of_its_log(tmp_path: Path) -> None:
    folder, acks = tmp_path / "ledger", tmp_path / "acks"
    taken: list[Path] = []
    with subprocess.Popen(
        [sys.executable, str(HERE / "kill_writer.py"), str(folder), str(acks), "1"], stderr=subprocess.PIPE
    ) as process:
        try:
            while not acks.exists() or acks.read_bytes().count(b"\n") < 50:
                if process.poll() is not None:
                    pytest.fail(f"writer ended by itself: {process.stderr.read().decode()}")  # type: ignore[union-attr]
                time.sleep(0.01)
            for number in range(20):
                taken.append(tmp_path / f"b{number}")
                # All are verified below, when the writer no longer makes the log longer all the while.
                assert backup_of(folder, taken[-1], verify=number == 0).verified is (number == 0)
                assert process.poll() is None
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    with closing(ReadOnlySqlite(folder / "ledger.db")) as store:
        final = {log_id: store.entries(log_id, 0, 10**9) for log_id in ("clinic", "system")}
    sizes = []
    for path in taken:
        with closing(ReadOnlySqlite(path, frozen=True)) as copy:
            for row, head in copy.heads():
                assert copy.entries(row.log_id, 0, 10**9) == final[row.log_id][: head.size]
            sizes.append(sum(head.size for _, head in copy.heads()))
        inspect_backup(path, {})
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]  # the writer went on meanwhile


async def test_a_backup_of_postgres_is_of_one_moment_while_servers_append(
    postgres_database: str, cluster: Cluster, open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    conninfo = cluster.conninfo(postgres_database, LOGIN)
    ledger = await open_ledger(PostgresStore(conninfo))
    await fill(ledger, pending, 300)
    stop = asyncio.Event()

    async def append() -> None:
        while not stop.is_set():
            await ledger.append(LOG, [pending(None, b"more")])

    def backups() -> list[int]:
        sizes = []
        for number in range(5):
            with closing(ReadOnlyPostgres(conninfo)) as store:
                manifest = take(store, tmp_path / f"b{number}", tmp_path / "ledger")
            sizes.append(manifest.logs[0].size)
        return sizes

    running = [asyncio.create_task(append()) for _ in range(8)]
    sizes = await asyncio.to_thread(backups)
    stop.set()
    await asyncio.gather(*running)
    final = ledger._store.entries(LOG, 0, 10**9)
    for number, size in enumerate(sizes):
        with closing(ReadOnlySqlite(tmp_path / f"b{number}", frozen=True)) as copy:
            assert copy.entries(LOG, 0, 10**9) == final[:size]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 300


# --- what is not a backup ------------------------------------------------------------------------------------


async def test_a_backup_that_was_tampered_with_is_refused(backup: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    for place in (0, 30, len(whole) // 2, len(whole) - 1):
        backup.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BackupRefused) as caught:
            inspect(backup, tmp_path)
        assert caught.value.reason == "BACKUP_ALTERED"
    for cut in (b"", whole[:-1], whole + b"x"):
        backup.write_bytes(cut)
        with pytest.raises(BackupRefused) as caught:
            inspect(backup, tmp_path)
        assert caught.value.reason == "BACKUP_ALTERED"


@pytest.mark.parametrize(
    ("script", "index"),
    [
        ("UPDATE entry SET data = replace(data, 'app:test', 'app:tesu') WHERE entry_index = 7", 7),
        ("UPDATE entry SET leaf_hash = zeroblob(32) WHERE entry_index = 7", 7),
        ("UPDATE entry SET type = 'review.signed' WHERE entry_index = 7", 7),
        ("UPDATE entry SET stream = 'other' WHERE entry_index = 7", 7),
        ("UPDATE entry SET stream_version = 3 WHERE entry_index = 7", 7),
        ("UPDATE payload SET sealed = zeroblob(40) WHERE entry_index = 7", 7),
        ("UPDATE payload SET subject = 'tenant' WHERE entry_index = 7", 7),
        ("UPDATE tile SET hashes = zeroblob(8192) WHERE tile_index = 1", 511),
        ("INSERT INTO tile VALUES ('clinic', 1, 0, zeroblob(8192))", None),
        (
            "INSERT INTO payload SELECT log_id, 'more', 7, kind, subject, sealed, wrapped_key FROM payload LIMIT 1",
            None,
        ),
        ("UPDATE log_head SET root = zeroblob(32)", None),
        ("DELETE FROM entry WHERE entry_index = 300", 300),
    ],
)
async def test_a_forged_backup_with_a_fitting_manifest_is_refused(
    backup: Path, tmp_path: Path, script: str, index: int | None
) -> None:
    """The manifest is not signed: whoever forges the file can forge that. What is inside must hold by itself."""
    with closing(sqlite3.connect(backup, isolation_level=None)) as connection:
        for name in schema.SQLITE_TRIGGERS:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(
            script.replace("replace(data", "CAST(replace(CAST(data AS TEXT)").replace(
                "tesu')", "tesu') AS BLOB)"
            )
        )
        for statement in schema.SQLITE_TRIGGERS.values():
            connection.execute(statement)
        counts = {
            table.name: connection.execute(f"SELECT COUNT(*) FROM {table.name}").fetchone()[0]
            for table in backed_up_tables()
        }
        root = connection.execute("SELECT root FROM log_head").fetchone()[0]
    forge_manifest(backup, counts=counts, root=root.hex())
    with pytest.raises(CorruptLog) as caught:
        inspect(backup, tmp_path)
    assert (caught.value.log_id, caught.value.index) == (LOG, index)


@pytest.mark.parametrize(
    "script",
    [
        "DROP TRIGGER entry_refuse_update",
        "CREATE TRIGGER quiet AFTER INSERT ON item BEGIN DELETE FROM idempotency; END",
        "CREATE TRIGGER quiet AFTER INSERT ON entry BEGIN DELETE FROM idempotency; END",
        "CREATE VIEW quiet AS SELECT * FROM payload",
        "DROP INDEX uq_entry_log_id_stream_stream_version",
    ],
)
async def test_a_backup_that_brings_other_triggers_is_refused(
    backup: Path, tmp_path: Path, script: str
) -> None:
    with closing(sqlite3.connect(backup, isolation_level=None)) as connection:
        connection.execute(script)
    forge_manifest(backup)
    with pytest.raises(BackupRefused) as caught:
        inspect(backup, tmp_path)
    assert caught.value.reason == "BACKUP_ALTERED"


def forge_manifest(backup: Path, root: str | None = None, **changes: Any) -> None:
    import hashlib

    path = manifest_path(backup)
    value = json.loads(path.read_text())
    value |= {
        "size_bytes": backup.stat().st_size,
        "sha256": hashlib.sha256(backup.read_bytes()).hexdigest(),
        **changes,
    }
    if root is not None:
        value["logs"][0]["root"] = root
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"format": "attending-backup/2"}', "[" * 100_000, "\x00", '{"format": 1}'],
)
async def test_a_manifest_that_is_none_is_refused(backup: Path, tmp_path: Path, text: str) -> None:
    manifest_path(backup).write_text(text)
    with pytest.raises(BackupRefused) as caught:
        inspect(backup, tmp_path)
    assert caught.value.reason == "BACKUP_MANIFEST"


async def test_manifests_that_say_something_else_are_refused(backup: Path, tmp_path: Path) -> None:
    whole = manifest_path(backup).read_text()
    value = json.loads(whole)
    log = value["logs"][0]
    changes: dict[str, Any]
    for changes in (
        {"logs": []},
        {"logs": [log | {"size": 599}]},
        {"logs": [log | {"origin": "attending.test/other"}]},
        {"logs": [log, log | {"log_id": "other"}]},
        {"counts": value["counts"] | {"entry": 599}},
    ):
        manifest_path(backup).write_text(json.dumps(value | changes))
        with pytest.raises(BackupRefused) as caught:
            inspect(backup, tmp_path)
        assert caught.value.reason == "BACKUP_ALTERED"
    for name in value:
        if name != "keys":
            manifest_path(backup).write_text(json.dumps({k: v for k, v in value.items() if k != name}))
            with pytest.raises(BackupRefused):
                inspect(backup, tmp_path)
    manifest_path(backup).write_text(json.dumps(value | {"schema_version": schema.SCHEMA_VERSION + 1}))
    with pytest.raises(OtherVersion):
        inspect(backup, tmp_path)
    manifest_path(backup).unlink()
    with pytest.raises(BackupRefused) as caught:
        inspect(backup, tmp_path)
    assert caught.value.reason == "BACKUP_INCOMPLETE"
    manifest_path(backup).write_text(whole)
    inspect(backup, tmp_path)


async def test_a_source_that_does_not_verify_makes_no_backup(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path, database: Callable[[], sqlite3.Connection]
) -> None:
    """An old entry that no start reads: the backup does, and names it."""
    ledger = await open_ledger()
    await fill(ledger, pending, 1100)
    await ledger.close()
    with closing(database()) as connection:
        connection.execute("DROP TRIGGER entry_refuse_update")
        connection.execute("UPDATE entry SET data = x'7b7d' WHERE entry_index = 3")
        connection.execute(schema.SQLITE_TRIGGERS["entry_refuse_update"])
    with pytest.raises(CorruptLog) as caught:
        backup_of(tmp_path / "ledger", tmp_path / "b")
    assert (caught.value.log_id, caught.value.index) == (LOG, 3)
    assert not (tmp_path / "b").exists()
    assert leftovers(tmp_path) == []
    # Without verification it is kept as it is, and says so: evidence may be backed up, too.
    assert not backup_of(tmp_path / "ledger", tmp_path / "b", verify=False).verified
    with pytest.raises(CorruptLog):
        inspect(tmp_path / "b", tmp_path)


async def test_a_source_that_has_lost_a_trigger_makes_no_backup(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path, database: Callable[[], sqlite3.Connection]
) -> None:
    ledger = await open_ledger()
    await fill(ledger, pending, 60)
    await ledger.close()
    with closing(database()) as connection:
        connection.execute("DROP TRIGGER tile_refuse_delete")
    with pytest.raises(UnsafeSettings):
        backup_of(tmp_path / "ledger", tmp_path / "b")
    assert not (tmp_path / "b").exists()


async def test_nothing_that_exists_is_replaced(backup: Path, tmp_path: Path) -> None:
    before = backup.read_bytes()
    with pytest.raises(BackupRefused) as caught:
        backup_of(tmp_path / "ledger", backup)
    assert caught.value.reason == "TARGET_NOT_EMPTY"
    assert backup.read_bytes() == before
    found = inspect(backup, tmp_path)
    with pytest.raises(BackupRefused) as caught:
        restore_sqlite(found, tmp_path / "ledger")
    assert caught.value.reason == "TARGET_NOT_EMPTY"
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "ledger.db-wal").write_bytes(b"")  # would be read as part of the restored one
    with pytest.raises(BackupRefused):
        restore_sqlite(found, tmp_path / "half")
    (tmp_path / "held").mkdir()
    with FolderLock(tmp_path / "held"), pytest.raises(LedgerLocked):
        restore_sqlite(found, tmp_path / "held")


# --- what came after the backup ------------------------------------------------------------------------------


async def test_a_backup_behind_what_was_published_is_refused_or_sealed(
    backup: Path, tmp_path: Path, open_ledger: OpenLedger, pending: Make
) -> None:
    ledger = await open_ledger()
    await ledger.append(LOG, [pending() for _ in range(5)])
    await ledger.close()
    found = inspect(backup, tmp_path)
    assert [tuple(lost) for lost in found.lost] == [(LOG, 600, 605, True)]
    target = tmp_path / "target"
    with pytest.raises(BackupRefused) as caught:
        restore_sqlite(found, target)
    assert caught.value.reason == "PUBLISHED_AHEAD"
    assert "entries 600 to 604" in str(caught.value)
    assert not (target / "ledger.db").exists()
    restore_sqlite(found, target, accept_loss=True)
    for part in ("keys", "published"):
        shutil.copytree(tmp_path / "ledger" / part, target / part)
    config = LedgerConfig(target, publish_interval_seconds=3600)
    with pytest.raises(CorruptLog) as behind:
        await Ledger.open(config)
    assert behind.value.reason == CorruptLog.ROLLBACK
    # Somebody moved the published head aside: the log can be read and proved, and never grows again.
    (target / "published" / f"{LOG}.checkpoint").rename(tmp_path / "kept.checkpoint")
    async with await Ledger.open(config) as again:
        assert await again.verify(LOG) == 600
        with pytest.raises(LogFrozen) as frozen:
            await again.append(LOG, [pending()])
        assert frozen.value.reason == schema.SEALED
        await again.create_log("clinic-2", "attending.test/clinic-2")
        await again.append("clinic-2", [pending()])


async def test_the_same_holds_for_postgres(
    backup: Path, tmp_path: Path, open_ledger: OpenLedger, pending: Make, cluster: Cluster, tables: Any
) -> None:
    ledger = await open_ledger()
    await ledger.append(LOG, [pending() for _ in range(5)])
    await ledger.close()
    cluster.execute("CREATE DATABASE behind")
    found = inspect(backup, tmp_path)
    with pytest.raises(BackupRefused):
        restore_postgres(found, cluster.conninfo("behind"), [tables.metadata])
    restore_postgres(found, cluster.conninfo("behind"), [tables.metadata], grant_to=[LOGIN], accept_loss=True)
    with closing(ReadOnlyPostgres(cluster.conninfo("behind", LOGIN))) as reader:
        assert reader.stops() == {LOG: schema.SEALED}
        assert reader.head_size(LOG) == 600


async def test_published_heads_of_another_history_or_key_are_refused(
    backup: Path, tmp_path: Path, open_ledger: OpenLedger, pending: Make
) -> None:
    notes = dict(read_published(tmp_path / "ledger" / "published"))
    assert [tuple(lost) for lost in inspect_backup(backup, {**notes, "other": notes[LOG]}).lost] == [
        ("other", 0, 600, False)
    ]
    assert inspect_backup(backup, {}).unpublished == (LOG,)
    with pytest.raises(CorruptLog) as caught:
        inspect_backup(backup, {LOG: notes[LOG].replace("\n600\n", "\n900\n")})
    assert caught.value.reason == "PUBLISHED_HEAD_UNREADABLE"
    # A fork by the same key: the folder went another way from an earlier copy.
    fork = tmp_path / "fork"
    shutil.copytree(tmp_path / "ledger" / "keys", fork / "keys")
    async with await Ledger.open(LedgerConfig(fork)) as other:
        await other.create_log(LOG, "attending.test/clinic")
        await other.append(LOG, [pending() for _ in range(300)])
    with pytest.raises(CorruptLog) as caught:
        inspect_backup(backup, read_published(fork / "published"))
    assert caught.value.reason == "PUBLISHED_HEAD_DIFFERS"


async def test_an_erasure_after_the_backup_stays_one(
    backup: Path, tmp_path: Path, open_ledger: OpenLedger
) -> None:
    """The key went, and a backup has no keys: what it brings back is sealed text that nobody can open."""
    ledger = await open_ledger()
    subject = await ledger.pseudonym(LOG, "MRN 1")
    record = (await ledger.get_entry(LOG, 0)).commitments[0].record
    assert await ledger.open_payload(LOG, record) == b"stays"
    await ledger.erase_subject(LOG, subject)
    await ledger.close()
    found = inspect(backup, tmp_path)
    assert [lost.first for lost in found.lost] == [600]  # the erasure's entry is what is lost
    target = tmp_path / "target"
    restore_sqlite(found, target, accept_loss=True)
    shutil.copytree(tmp_path / "ledger" / "keys", target / "keys")
    async with await Ledger.open(LedgerConfig(target)) as again:
        with pytest.raises(LedgerError) as caught:
            await again.open_payload(LOG, record)
        assert caught.value.reason == "NOT_FOUND"  # no key, and no erasure on record here: said as it is


async def test_an_erasure_in_the_backup_is_carried_out_again(
    backup: Path, tmp_path: Path, open_ledger: OpenLedger
) -> None:
    restore_sqlite(inspect(backup, tmp_path), tmp_path / "target")
    keys = tmp_path / "target" / "keys"
    shutil.copytree(tmp_path / "ledger" / "keys", keys)
    with closing(ReadOnlySqlite(backup, frozen=True)) as store:
        [erasure] = store.erasures(LOG)
    # A key folder from before the erasure comes back, too.
    old = keys / LOG / "subjects" / erasure.pseudonym[-2:].lower() / erasure.pseudonym
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_bytes(b"k" * 60)
    old.chmod(0o600)
    async with await Ledger.open(LedgerConfig(tmp_path / "target")) as again:
        with pytest.raises(SubjectErased):
            await again.open_payload(LOG, (await again.get_entry(LOG, 1)).commitments[0].record)
    assert not old.exists()


# --- crashes and full disks ----------------------------------------------------------------------------------

_TAKE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from attending.ledger.backup.take import take_backup
from attending.ledger.store.read_only import ReadOnlySqlite
def progress(what, done, total):
    print(what, flush=True)
    if what == sys.argv[3]:
        sys.stdin.read()  # until it is killed
take_backup(ReadOnlySqlite(Path(sys.argv[1]) / "ledger.db"), Path(sys.argv[2]), {},
            now=lambda: datetime.now(UTC), program="test", progress=progress)
"""
_RESTORE = """
import sys
from pathlib import Path
from attending.ledger.backup import restore
from attending.ledger.backup.restore import inspect_backup, restore_sqlite
found = inspect_backup(Path(sys.argv[1]), {})
finish = restore._finish_sqlite
def slow(part, sealed):
    finish(part, sealed)
    print("restore", flush=True)
    sys.stdin.read()
restore._finish_sqlite = slow
restore_sqlite(found, Path(sys.argv[2]))
"""


@pytest.mark.kill
@pytest.mark.parametrize("moment", ["copy", "clinic", "hash"])
async def test_kill_9_in_the_middle_of_a_backup_leaves_nothing_under_its_name(
    backup: Path, tmp_path: Path, moment: str
) -> None:
    out = tmp_path / "killed"
    with subprocess.Popen(
        [sys.executable, "-c", _TAKE, str(tmp_path / "ledger"), str(out), moment],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert moment in (line.strip() for line in process.stdout)
        process.kill()
        process.wait()
    assert not out.exists() or not manifest_path(out).exists()
    if not out.exists():
        backup_of(tmp_path / "ledger", out)
        inspect(out, tmp_path)


@pytest.mark.kill
async def test_kill_9_in_the_middle_of_a_restore_leaves_no_database(backup: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    with subprocess.Popen(
        [sys.executable, "-c", _RESTORE, str(backup), str(target)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "restore\n"
        process.kill()
        process.wait()
    assert not (target / "ledger.db").exists()
    restore_sqlite(inspect(backup, tmp_path), target)
    with closing(ReadOnlySqlite(target / "ledger.db")) as store:
        assert store.head_size(LOG) == 600


@pytest.mark.kill
async def test_kill_9_of_postgres_in_the_middle_of_a_restore_leaves_an_empty_ledger(
    backup: Path, tmp_path: Path, tables: Any
) -> None:
    own = Cluster()
    try:
        own.start()
        own.execute("CREATE DATABASE t")
        found = inspect(backup, tmp_path)
        killed = False

        def progress(what: str, done: int, total: int) -> None:
            nonlocal killed
            if what == LOG and not killed:  # all rows are sent, and being verified
                killed = True
                own.kill()

        with pytest.raises(StoreUnavailable):
            restore_postgres(found, own.conninfo("t"), [tables.metadata], progress=progress)
        assert killed
        own.start()
        assert own.execute("SELECT count(*) FROM attending.entry", database="t") == [(0,)]
        restore_postgres(found, own.conninfo("t"), [tables.metadata])
        assert own.execute("SELECT count(*) FROM attending.entry", database="t") == [(600,)]
    finally:
        own.destroy()


_LIMITED = """
import resource, sys
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from datetime import UTC, datetime
from pathlib import Path
from attending.ledger.backup.restore import inspect_backup, restore_sqlite
from attending.ledger.backup.take import take_backup
from attending.ledger.store.read_only import ReadOnlySqlite
from attending.ledger.errors import LedgerError
folder, out, backup = map(Path, sys.argv[1:])
store = ReadOnlySqlite(folder / "ledger.db")
found = inspect_backup(backup, {})
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
for attempt in (
    lambda: take_backup(store, out, {}, now=lambda: datetime.now(UTC), program="test"),
    lambda: restore_sqlite(found, out.with_name("target")),
):
    try:
        attempt()
    except (LedgerError, OSError) as err:
        print(type(err).__name__, getattr(err, "reason", ""), err)
"""


async def test_a_full_disk_leaves_nothing_under_the_name(backup: Path, tmp_path: Path) -> None:
    assert backup.stat().st_size > 200_000
    out = tmp_path / "full" / "b"
    out.parent.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path / "ledger"), str(out), str(backup)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 2, done
    assert [path.name for path in out.parent.iterdir() if path.name != "target"] == []
    assert [path.name for path in (out.parent / "target").iterdir()] == ["lock"]

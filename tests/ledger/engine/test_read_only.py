"""Reading beside the server: what is seen, that nothing changes, and that damage is named and left as it is."""

from __future__ import annotations

import hashlib
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.backup.check import check_log
from attending.ledger.backup.published import read_published
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import CorruptLog, LedgerError, NotFound, OtherVersion, UnsafeSettings
from attending.ledger.health import Level, examine
from attending.ledger.ledger import Claim, Ledger, LedgerConfig
from attending.ledger.opening import check_head
from attending.ledger.store import postgres_admin, schema
from attending.ledger.store.port import Batch, Question, Store, StoreFault
from attending.ledger.store.postgres import PostgresStore
from attending.ledger.store.read_only import ReadOnlySqlite, ReadOnlyStore
from attending.ledger.store.read_only_postgres import ReadOnlyPostgres

from tests.ledger.engine.postgres import LOGIN
from tests.postgres_cluster import Cluster

LOG = "clinic"
Make = Callable[..., PendingEntry]
OpenLedger = Callable[..., Awaitable[Ledger]]


def bytes_of(folder: Path, *, shm: bool = True) -> dict[str, str]:
    """Name to hash of every file under a folder; `shm` False leaves out SQLite's index, which holds nothing."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (shm or not path.name.endswith("-shm"))
    }


async def filled(ledger: Ledger, pending: Make, entries: int = 300) -> str:
    """A pseudonym with payloads, claims and an erasure of another."""
    subject = await ledger.pseudonym(LOG, "MRN 1")
    gone = await ledger.pseudonym(LOG, "MRN 2")
    for start in range(0, entries - 1, 50):
        number = min(50, entries - 1 - start)
        await ledger.append(
            LOG,
            [pending(None, b"text", subject=(subject, gone)[n % 2]) for n in range(number)],
            claim=Claim(f"key-{start}", b"f" * 32, f"inf-{start}"),
        )
    await ledger.erase_subject(LOG, gone)
    return subject


@pytest.fixture(params=["sqlite", "postgres"])
def both(
    request: pytest.FixtureRequest, tmp_path: Path
) -> tuple[Callable[[], Store] | None, Callable[[], ReadOnlyStore]]:
    """Ways to make the writing store (None: the folder's own) and a reading one of the same ledger."""
    if request.param == "sqlite":
        return None, lambda: ReadOnlySqlite(tmp_path / "ledger" / "ledger.db")
    cluster: Cluster = request.getfixturevalue("cluster")
    name = request.getfixturevalue("postgres_database")
    conninfo = cluster.conninfo(name, LOGIN)
    return lambda: PostgresStore(conninfo), lambda: ReadOnlyPostgres(conninfo)


Both = tuple[Callable[[], Store] | None, Callable[[], ReadOnlyStore]]


async def test_a_reader_sees_what_the_server_committed(
    both: Both, open_ledger: OpenLedger, pending: Make
) -> None:
    make, read = both
    store = make() if make is not None else None
    ledger = await open_ledger(store)
    subject = await filled(ledger, pending)
    writer: Store = store or ledger._store
    with closing(read()) as reader:
        assert reader.heads() == writer.heads()
        assert reader.stops() == writer.stops()
        assert reader.head_size(LOG) == writer.head_size(LOG) == 300
        assert reader.head_size("other") is None
        assert reader.entries(LOG, 0, 1000) == writer.entries(LOG, 0, 1000)
        assert reader.leaf_hashes(LOG, 250, 9) == writer.leaf_hashes(LOG, 250, 9)
        assert reader.tile(LOG, 0, 0) == writer.tile(LOG, 0, 0) is not None
        assert reader.tile(LOG, 0, 1) is None
        [entry] = await ledger.stream_entries(LOG, "inf-0")
        assert reader.stream_entries(LOG, "inf-0", 0, 9) == [entry.data]
        assert reader.read_stream_version(LOG, "inf-0") == 1
        record = entry.commitments[0].record
        assert reader.payload(LOG, record) == writer.payload(LOG, record) is not None
        assert reader.read_claim(LOG, "key-50") == writer.read_claim(LOG, "key-50") is not None
        assert reader.erasures(LOG) == writer.erasures(LOG)
        assert not reader.is_erased(LOG, subject)
        assert reader.epoch() >= 0
        assert sum(1 for _ in reader.stream(schema.entry)) == 300
        [(row, head)] = reader.heads()
        with reader.snapshot():
            assert check_head(reader, row, head).root == head.root
            checked = check_log(reader, row, head)
        assert (checked.size, checked.payloads, checked.missing_payloads) == (300, 150, 149)


async def test_a_snapshot_is_of_one_moment(both: Both, open_ledger: OpenLedger, pending: Make) -> None:
    make, read = both
    ledger = await open_ledger(make() if make is not None else None)
    await ledger.append(LOG, [pending()])
    with closing(read()) as reader:
        with reader.snapshot():
            before = reader.heads()
            await ledger.append(LOG, [pending()])
            assert reader.heads() == before
            assert len(reader.entries(LOG, 0, 9)) == 1
        assert reader.head_size(LOG) == 2


async def test_a_reader_refuses_to_write(both: Both, open_ledger: OpenLedger, pending: Make) -> None:
    make, read = both
    ledger = await open_ledger(make() if make is not None else None)
    await ledger.append(LOG, [pending()])
    with closing(read()) as reader:
        for write in (
            lambda: reader.create_tables([]),
            lambda: reader.begin(Question()),
            lambda: reader.apply(Batch()),
            reader.commit,
            reader.rollback,
            reader.recover,
            lambda: reader.rows("DELETE FROM idempotency"),
            lambda: reader.rows("UPDATE ledger SET value = 9"),
        ):
            with pytest.raises(StoreFault):
                write()


async def test_reading_a_stopped_ledger_changes_no_byte(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    ledger = await open_ledger()
    await filled(ledger, pending)
    await ledger.close()
    before = bytes_of(tmp_path)
    assert not any(name.endswith("-wal") for name in before)
    with closing(ReadOnlySqlite(tmp_path / "ledger" / "ledger.db")) as reader, reader.snapshot():
        [(row, head)] = reader.heads()
        check_log(reader, row, head, list(read_published(tmp_path / "ledger" / "published").values()))
    assert bytes_of(tmp_path) == before


async def test_reading_beside_a_server_or_after_its_kill_changes_nothing_that_counts(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    ledger = await open_ledger()
    await filled(ledger, pending)
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path / "ledger", killed)  # what a kill -9 leaves: a write-ahead log full of entries
    (killed / "ledger.db-shm").unlink()
    for folder in (tmp_path / "ledger", killed):
        before = bytes_of(folder, shm=False)
        with closing(ReadOnlySqlite(folder / "ledger.db")) as reader, reader.snapshot():
            [(row, head)] = reader.heads()
            assert check_log(reader, row, head).size == 300
        assert bytes_of(folder, shm=False) == before


async def test_a_ledger_that_is_opened_while_it_is_read_as_one_file_is_noticed(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    ledger = await open_ledger()
    await ledger.append(LOG, [pending()])
    await ledger.close()
    with closing(ReadOnlySqlite(tmp_path / "ledger" / "ledger.db")) as reader:
        assert not reader.changed()
        reading = reader.snapshot()
        reading.__enter__()
        ledger = await open_ledger()
        await ledger.append(LOG, [pending()])
        await ledger.close()  # its pages go into the file under the reader
        with pytest.raises(LedgerError) as caught:
            reading.__exit__(None, None, None)
        assert caught.value.reason == "STORE_UNAVAILABLE"
        assert reader.changed()


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        ReadOnlySqlite(tmp_path / "ledger.db")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises(NotFound):
        ReadOnlySqlite(tmp_path / "other.db")
    assert {path.name for path in tmp_path.iterdir()} == {"other.db"}


@pytest.mark.parametrize("version", [schema.SCHEMA_VERSION - 1, schema.SCHEMA_VERSION + 1])
async def test_a_file_of_another_schema_version_is_refused(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path, version: int
) -> None:
    ledger = await open_ledger()
    await ledger.close()
    path = tmp_path / "ledger" / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE ledger SET value = ? WHERE name = 'schema'", (version,))
        connection.commit()
    with pytest.raises(OtherVersion):
        ReadOnlySqlite(path)
    with closing(ReadOnlySqlite(path, any_version=True)) as reader:
        assert reader.schema_version() == version


def test_a_database_without_a_ledger_is_named(cluster: Cluster) -> None:
    cluster.execute("CREATE DATABASE empty_one")
    with pytest.raises(NotFound):
        ReadOnlyPostgres(cluster.conninfo("empty_one"))
    with pytest.raises(LedgerError) as caught:
        ReadOnlyPostgres(cluster.conninfo("no_such_database"))
    assert caught.value.reason == "STORE_UNAVAILABLE"


async def test_health_tells_what_is_wrong(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path, database: Callable[[], sqlite3.Connection]
) -> None:
    ledger = await open_ledger()
    await filled(ledger, pending)
    await ledger.close()
    path = tmp_path / "ledger" / "ledger.db"
    published = dict(read_published(tmp_path / "ledger" / "published"))

    def findings(notes: dict[str, str]) -> list[tuple[Level, str, int | None]]:
        with closing(ReadOnlySqlite(path)) as reader, reader.snapshot():
            [log] = examine(reader, notes, now=datetime.now(UTC), claim_retention=timedelta(days=7))
        return [(one.level, one.reason, one.index) for one in log.findings]

    assert findings(published) == []
    assert findings({}) == [(Level.UNDECIDED, "NOT_PUBLISHED", None)]
    forged = {LOG: published[LOG].replace("\n300\n", "\n299\n")}
    assert findings(forged) == [(Level.FAILED, "PUBLISHED_HEAD_UNREADABLE", None)]
    assert findings({LOG: ""}) == [(Level.FAILED, "PUBLISHED_HEAD_UNREADABLE", None)]
    with closing(database()) as connection:
        connection.execute("DROP TRIGGER entry_refuse_update")
        connection.execute("UPDATE entry SET data = x'7b7d' WHERE entry_index = 299")
    assert findings(published) == [(Level.FAILED, "CORRUPT_LOG", 299)]


@pytest.mark.parametrize("seed", range(6))
async def test_flipped_bytes_end_in_a_clear_error_and_stay_as_they_are(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path, seed: int
) -> None:
    ledger = await open_ledger()
    await filled(ledger, pending)
    await ledger.close()
    whole = (tmp_path / "ledger" / "ledger.db").read_bytes()
    notes = read_published(tmp_path / "ledger" / "published")
    chance = random.Random(seed)
    folder = tmp_path / "flipped"
    outcomes = []
    for _ in range(12):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "ledger", folder)
        flipped = bytearray(whole)
        for _ in range(chance.choice([1, 40, 400])):
            # Anywhere, in a page's header, or in the first page, which holds the schema.
            page = chance.randrange(len(whole)) // 4096 * 4096
            place = chance.choice(
                [chance.randrange(len(whole)), page + chance.randrange(12), chance.randrange(4096)]
            )
            flipped[place] ^= chance.randrange(1, 256)
        (folder / "ledger.db").write_bytes(flipped)
        try:
            with closing(ReadOnlySqlite(folder / "ledger.db")) as reader, reader.snapshot():
                examine(reader, notes, now=datetime.now(UTC), claim_retention=timedelta(days=7))
                for row, head in reader.heads():
                    check_log(reader, row, head, [notes[LOG]])
            outcomes.append("clean")
        except (LedgerError, StoreFault) as err:
            outcomes.append(getattr(err, "reason", "fault"))
        assert (folder / "ledger.db").read_bytes() == flipped
        try:
            await (await Ledger.open(LedgerConfig(folder, publish_interval_seconds=3600))).close()
        except LedgerError:
            # A start raises the epoch before it looks: one row, and the file's change counter. Nothing else.
            after = (folder / "ledger.db").read_bytes()
            assert len(after) == len(flipped)
            changed = {at // 4096 for at in range(len(after)) if after[at] != flipped[at]}
            assert len(changed - {0}) <= 1
    assert set(outcomes) & {"CORRUPT_LOG", "DATABASE_DAMAGED"}


async def test_an_error_of_a_bad_entry_names_log_and_index(
    open_ledger: OpenLedger, pending: Make, database: Callable[[], sqlite3.Connection]
) -> None:
    ledger = await open_ledger()
    await filled(ledger, pending)
    await ledger.close()
    with closing(database()) as connection:
        connection.execute("DROP TRIGGER entry_refuse_update")
        sql = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'entry'").fetchone()
        connection.execute("UPDATE entry SET data = x'7b7d' WHERE entry_index = 20")
        # Start-up looks whether the trigger is there, too: put it back, as somebody careful would.
        connection.execute(schema.SQLITE_TRIGGERS["entry_refuse_update"])
    assert sql
    with pytest.raises(CorruptLog) as caught:
        await open_ledger()
    assert (caught.value.log_id, caught.value.index) == (LOG, 20)
    assert str(caught.value) == "log `clinic`, entry 20: stored bytes do not parse"


async def test_damaged_pages_of_postgres_are_named(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path, tables: Any
) -> None:
    own = Cluster()
    try:
        own.start()
        own.execute(f"CREATE ROLE {LOGIN} LOGIN", "CREATE DATABASE d")
        postgres_admin.prepare(own.conninfo("d"), [tables.metadata], grant_to=[LOGIN])
        ledger = await open_ledger(PostgresStore(own.conninfo("d", LOGIN)))
        await filled(ledger, pending)
        await ledger.close()
        [(name,)] = own.execute("SELECT pg_relation_filepath('attending.entry')", database="d")
        own.stop()
        path = own.data / str(name)
        flipped = bytearray(path.read_bytes())
        for page in range(0, len(flipped), 8192):
            flipped[page + 4000] ^= 0xFF
        path.write_bytes(flipped)
        own.start()
        with closing(ReadOnlyPostgres(own.conninfo("d", LOGIN))) as reader:
            [(row, head)] = reader.heads()
            with pytest.raises(CorruptLog) as caught, reader.snapshot():
                check_log(reader, row, head)
            assert caught.value.reason == CorruptLog.DAMAGED
            assert reader.head_size(LOG) == 300  # what is whole can be read
        with pytest.raises(CorruptLog) as caught:
            await open_ledger(PostgresStore(own.conninfo("d", LOGIN)))
        assert caught.value.reason == CorruptLog.DAMAGED
    finally:
        own.destroy()


async def test_a_login_without_the_right_to_read_is_told_so(
    cluster: Cluster, postgres_database: str, open_ledger: OpenLedger
) -> None:
    cluster.execute("DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger LOGIN")
    with pytest.raises(LedgerError) as caught:
        ReadOnlyPostgres(cluster.conninfo(postgres_database, "stranger"))
    assert caught.value.reason in ("NOT_FOUND", "UNSAFE_SETTINGS")
    cluster.execute("GRANT attending_reader TO stranger")
    with pytest.raises(UnsafeSettings):
        ReadOnlyPostgres(cluster.conninfo(postgres_database, "stranger"))


async def test_a_standby_can_be_read_and_may_lag(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path, tables: Any
) -> None:
    own = Cluster({"wal_level": "replica", "max_wal_senders": "4"})
    standby: StandbyOf | None = None
    try:
        own.start()
        own.execute(f"CREATE ROLE {LOGIN} LOGIN", "CREATE DATABASE d")
        postgres_admin.prepare(own.conninfo("d"), [tables.metadata], grant_to=[LOGIN])
        ledger = await open_ledger(PostgresStore(own.conninfo("d", LOGIN)))
        await filled(ledger, pending, 50)
        standby = StandbyOf(own)
        standby.start()
        # It follows nobody, so what is appended now does not reach it.
        await ledger.append(LOG, [pending()])
        await ledger.close()  # publishes
        notes = read_published(tmp_path / "ledger" / "published")
        with closing(ReadOnlyPostgres(standby.conninfo("d", LOGIN))) as reader:
            assert reader.standby
            with reader.snapshot():
                [log] = examine(reader, notes, now=datetime.now(UTC), claim_retention=timedelta(days=7))
            assert log.head.size == 50
            [finding] = log.findings
        assert (finding.level, finding.reason) == (Level.UNDECIDED, "STANDBY_BEHIND")
    finally:
        if standby is not None:
            standby.destroy()
        own.destroy()


class StandbyOf(Cluster):
    """A copy of a running cluster that stays in recovery and follows nobody."""

    def __init__(self, primary: Cluster) -> None:
        super().__init__()
        shutil.rmtree(self.data)
        copy = ("-h", str(primary.root), "-U", "postgres", "-D", self.data, "-X", "stream", "-c", "fast")
        subprocess.run(self.command("pg_basebackup", *copy), check=True, capture_output=True, cwd=self.root)
        (self.data / "standby.signal").touch()
        self.configure({"unix_socket_directories": str(self.root)})

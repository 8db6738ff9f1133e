"""What only PostgreSQL can do wrong: roles, settings, commits that are not confirmed, several processes."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attending.ledger import checkpoint, reads
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import (
    Halted,
    LedgerError,
    ProjectionsIncomplete,
    StoreUnavailable,
    SubjectErased,
    UnsafeSettings,
)
from attending.ledger.ledger import Claim, Expectation, Ledger, LedgerConfig
from attending.ledger.merkle import verify_consistency
from attending.ledger.note import VerifierKey
from attending.ledger.proof import verify_receipt
from attending.ledger.rebuild import rebuild
from attending.ledger.store import postgres_admin, postgres_schema, schema
from attending.ledger.store.postgres import PostgresStore
from attending.ledger.store.postgres_settings import reasons_against
from attending.ledger.verify.segments import verify_chain
from sqlalchemy import Column, MetaData, String, Table

from tests.ledger.engine.postgres import LOGIN
from tests.postgres_cluster import Cluster

LOG = "clinic"
ORIGIN = "attending.test/clinic"
HERE = Path(__file__).parent
Make = Callable[..., PendingEntry]


@asynccontextmanager
async def opened(cluster: Cluster, database: str, folder: Path, **settings: Any) -> AsyncIterator[Ledger]:
    """A ledger as one server process would have it; several may be open at once."""
    settings = {"publish_interval_seconds": 3600.0} | settings
    config = LedgerConfig(folder, database=cluster.conninfo(database, LOGIN), **settings)
    ledger = await Ledger.open(config)
    try:
        await ledger.create_log(LOG, ORIGIN)
        yield ledger
    finally:
        await ledger.close()


def verify_all(cluster: Cluster, database: str, keys: dict[str, str]) -> dict[str, int]:
    """Sizes of the logs, each verified from its stored bytes to its head, read by the superuser."""
    sizes = {}
    for log_id, origin, size, root in cluster.execute(
        "SELECT log_id, origin, size, root FROM attending.log JOIN attending.log_head USING (log_id)",
        database=database,
    ):
        rows = cluster.execute(
            f"SELECT data FROM attending.entry WHERE log_id = '{log_id}' ORDER BY entry_index",
            database=database,
        )
        frontier = verify_chain([bytes(data) for (data,) in rows], origin)
        assert (frontier.size, frontier.root()) == (size, bytes(root))
        assert log_id in keys
        sizes[str(log_id)] = int(size)
    return sizes


@pytest.fixture
async def filled(cluster: Cluster, postgres_database: str, tmp_path: Path, pending: Make) -> str:
    """A database with a row in every table of the ledger."""
    async with opened(cluster, postgres_database, tmp_path / "ledger") as ledger:
        subject, other = await ledger.pseudonym(LOG, "MRN 1"), await ledger.pseudonym(LOG, "MRN 2")
        await ledger.append(LOG, [pending(None, b"text", subject=subject) for _ in range(300)])
        await ledger.append(LOG, [pending()], claim=Claim("k", b"f", "s"))
        await ledger.erase_subject(LOG, other)
        await ledger.create_log("other", "attending.test/other")
        await ledger.stop_log("other", "OPERATOR")
    return postgres_database


LOG_TABLES = ["log", "entry", "tile", "log_head", "payload", "subject_map", "erasure"]


@pytest.mark.parametrize("table", LOG_TABLES)
async def test_the_role_of_a_server_changes_no_row_of_a_log(
    cluster: Cluster, filled: str, table: str
) -> None:
    with psycopg.connect(cluster.conninfo(filled, LOGIN), autocommit=True) as connection:
        name = f"attending.{table}"
        statements = [f"DELETE FROM {name}", f"TRUNCATE {name}", f"DROP TABLE {name}"]
        statements.append(f"ALTER TABLE {name} DISABLE TRIGGER ALL")
        statements.append(
            f"CREATE TRIGGER t BEFORE INSERT ON {name} EXECUTE FUNCTION attending.ledger_refuse()"
        )
        if table != "log_head":
            statements.append(f"UPDATE {name} SET log_id = log_id")
        for statement in statements:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(b"CREATE TABLE attending.mine (n int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(b"SET ROLE attending_owner")
    if table == "log_head":
        with (
            psycopg.connect(cluster.conninfo(filled, LOGIN), autocommit=True) as connection,
            pytest.raises(psycopg.errors.RestrictViolation),
        ):
            connection.execute(b"UPDATE attending.log_head SET size = size - 1")


@pytest.mark.parametrize("table", LOG_TABLES)
@pytest.mark.parametrize("role", ["origin", "replica"])
async def test_triggers_stop_the_owner_and_replication_sessions(
    cluster: Cluster, filled: str, table: str, role: str
) -> None:
    with psycopg.connect(cluster.conninfo(filled), autocommit=True) as connection:
        connection.execute(f"SET session_replication_role = {role}".encode())
        connection.execute(b"SET search_path = attending")
        statements = [f"UPDATE {table} SET log_id = log_id", f"DELETE FROM {table}", f"TRUNCATE {table}"]
        keys = {"log": "(origin)", "subject_map": "(log_id, lookup)", "payload": "(log_id, record)"}
        if table in keys:
            statements.append(
                f"INSERT INTO {table} SELECT * FROM {table} ON CONFLICT {keys[table]} DO UPDATE SET log_id = 'x'"
            )
        for statement in statements:
            with pytest.raises(psycopg.errors.RestrictViolation):
                connection.execute(statement.encode())


async def test_a_seal_stays_and_a_halt_goes(cluster: Cluster, filled: str) -> None:
    with psycopg.connect(cluster.conninfo(filled, LOGIN), autocommit=True) as connection:
        connection.execute(b"DELETE FROM attending.log_stop")
        connection.execute(b"INSERT INTO attending.log_stop VALUES ('other', 'LOG_SEALED')")
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(b"DELETE FROM attending.log_stop")


async def test_the_vault_deletes_only_what_is_erased(
    cluster: Cluster, filled: str, tmp_path: Path, pending: Make
) -> None:
    async with opened(cluster, filled, tmp_path / "ledger") as ledger:
        subject = await ledger.pseudonym(LOG, "MRN 1")
        with psycopg.connect(cluster.conninfo(filled, LOGIN), autocommit=True) as connection:
            drop = (
                b"SELECT attending.drop_payloads('clinic', array(SELECT record::text FROM attending.payload))"
            )
            with pytest.raises(psycopg.errors.RestrictViolation):
                connection.execute(drop)
            await ledger.erase_subject(LOG, subject)
            connection.execute(drop)
            assert connection.execute(b"SELECT count(*) FROM attending.payload").fetchone() == (0,)


# --- what start-up refuses -----------------------------------------------------------------------------------


def refusal(cluster: Cluster, database: str, user: str = LOGIN, **options: Any) -> str:
    """Why a store does not open."""
    try:
        store = PostgresStore(cluster.conninfo(database, user), **options)
        try:
            store.create_tables([])
        finally:
            store.close()
    except UnsafeSettings as err:
        return str(err)
    pytest.fail("store was not refused")


@contextmanager
def altered(cluster: Cluster, database: str, change: str, back: str) -> Iterator[None]:
    cluster.execute(change, database=database)
    try:
        yield
    finally:
        cluster.execute(back, database=database)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "off"),
        ("full_page_writes", "off"),
        *[("synchronous_commit", value) for value in ("off", "local", "remote_write")],
        ("zero_damaged_pages", "on"),
        ("ignore_checksum_failure", "on"),
    ],
)
def test_settings_that_can_lose_entries_are_refused(
    cluster: Cluster, postgres_database: str, name: str, value: str
) -> None:
    cluster.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    cluster.reload()
    try:
        for _ in range(100):  # the reload is asynchronous
            if cluster.execute(f"SHOW {name}") == [(value,)]:
                break
            time.sleep(0.02)
        assert name in refusal(cluster, postgres_database)
    finally:
        cluster.execute(f"ALTER SYSTEM RESET {name}")
        cluster.reload()


def test_every_reason_is_named_at_once() -> None:
    reasons = reasons_against(
        {
            "server_version_num": "140000",
            "server_encoding": "LATIN1",
            "fsync": "off",
            "full_page_writes": "off",
        },
        require_replication=True,
    )
    assert len(reasons) == 6
    good = {
        "server_version_num": "150000",
        "server_encoding": "UTF8",
        "fsync": "on",
        "full_page_writes": "on",
    }
    assert reasons_against({**good, "synchronous_commit": "on"}, require_replication=False) == []
    assert "standby" in reasons_against({**good, "synchronous_commit": "on"}, require_replication=True)[0]


def test_roles_that_could_rewrite_the_log_are_refused(cluster: Cluster, postgres_database: str) -> None:
    assert "superuser" in refusal(cluster, postgres_database, "postgres")
    cluster.execute("DROP ROLE IF EXISTS too_much", "CREATE ROLE too_much LOGIN IN ROLE attending_server")
    store = PostgresStore(cluster.conninfo(postgres_database, "too_much"))
    store.create_tables([])
    store.close()
    with altered(
        cluster,
        postgres_database,
        "GRANT UPDATE ON attending.entry TO too_much",
        "REVOKE UPDATE ON attending.entry FROM too_much",
    ):
        assert "entry" in refusal(cluster, postgres_database, "too_much")
    cluster.execute("GRANT attending_owner TO too_much")
    assert "attending_owner" in refusal(cluster, postgres_database, "too_much")


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE attending.entry DISABLE TRIGGER entry_refuse",
        "ALTER TABLE attending.entry ENABLE TRIGGER entry_refuse",
        "DROP TRIGGER entry_refuse ON attending.entry",
        "CREATE OR REPLACE FUNCTION attending.ledger_head_grows() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER extra BEFORE INSERT ON attending.entry EXECUTE FUNCTION attending.ledger_refuse()",
        "DROP TRIGGER log_head_grows ON attending.log_head; \n"
        "CREATE TRIGGER log_head_grows BEFORE INSERT ON attending.log_head FOR EACH ROW"
        " EXECUTE FUNCTION attending.ledger_head_grows()",
    ],
)
def test_altered_protection_is_noticed(cluster: Cluster, postgres_database: str, change: str) -> None:
    cluster.execute(*change.split("; \n"), database=postgres_database)
    assert "`" in refusal(cluster, postgres_database)


def test_a_database_of_no_or_another_version_is_refused(cluster: Cluster, postgres_database: str) -> None:
    cluster.execute("DROP DATABASE IF EXISTS bare", "CREATE DATABASE bare")
    assert "attending ledger migrate" in refusal(cluster, "bare")
    cluster.execute(
        "UPDATE attending.ledger SET value = 99 WHERE name = 'schema'", database=postgres_database
    )
    assert "99" in refusal(cluster, postgres_database)
    with pytest.raises(UnsafeSettings):
        postgres_admin.prepare(cluster.conninfo(postgres_database))


def test_nobody_there_is_said_without_the_connection_string(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        PostgresStore(f"host={tmp_path} dbname=x user=y password=secret-word")
    assert "secret-word" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_migrations_lead_to_the_tables_as_they_are(cluster: Cluster, postgres_database: str) -> None:
    cluster.execute("DROP DATABASE IF EXISTS made", "CREATE DATABASE made")
    cluster.execute(
        "CREATE SCHEMA attending",
        "SET search_path = attending; "
        + "; ".join(postgres_schema.create_tables(schema.metadata.sorted_tables)),
        database="made",
    )
    query = (
        "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation"
        " FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'attending'::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
        " AND c.relname = ANY(array[{}]) ORDER BY 1, 2"
    ).format(", ".join(f"'{name}'" for name in schema.metadata.tables))
    assert cluster.execute(query, database=postgres_database) == cluster.execute(query, database="made")
    query = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'attending' ORDER BY 1"
    made = set(cluster.execute(query, database="made"))
    assert made <= set(cluster.execute(query, database=postgres_database))


async def test_a_projection_made_over_entries_waits_for_a_rebuild(
    cluster: Cluster, filled: str, tmp_path: Path
) -> None:
    metadata = MetaData()
    Table("later", metadata, Column("log_id", String(63), primary_key=True))
    config = LedgerConfig(tmp_path / "ledger", database=cluster.conninfo(filled, LOGIN))
    with pytest.raises(UnsafeSettings):
        await Ledger.open(config, metadata=[metadata])
    postgres_admin.prepare(cluster.conninfo(filled), [metadata])
    with pytest.raises(ProjectionsIncomplete):
        await Ledger.open(config, metadata=[metadata])
    made = rebuild(config, [metadata], lambda *_: [])
    assert {log.log_id for log in made} == {LOG, "other"}
    async with await Ledger.open(config, metadata=[metadata]) as ledger:
        assert ledger.halted(LOG) is None
        assert ledger.halted("other") == "OPERATOR"


# --- commits ---------------------------------------------------------------------------------------------------


@contextmanager
def waiting_for_nobody(cluster: Cluster) -> Iterator[None]:
    """Commits wait for a standby that does not exist."""
    cluster.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    cluster.reload()
    try:
        _until_a_commit_waits(cluster)
        yield
    finally:
        cluster.execute("ALTER SYSTEM RESET synchronous_standby_names")
        cluster.reload()


def _until_a_commit_waits(cluster: Cluster) -> None:
    """A reload is told to the server and not waited for: until it is in force a commit goes through."""
    while True:
        probe = threading.Thread(
            target=cluster.execute, args=("SELECT pg_logical_emit_message(true, 'probe', '')",)
        )
        probe.start()
        while probe.is_alive():
            if cluster.execute(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event = 'SyncRep' AND query LIKE '%''probe''%'"
            ):
                probe.join()
                return


async def sync_waiters(cluster: Cluster) -> list[int]:
    """Pids of backends whose commit waits for a standby, once there are any."""
    for _ in range(500):
        rows = cluster.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
        if rows:
            return [int(pid) for (pid,) in rows]
        await asyncio.sleep(0.02)
    raise AssertionError("no commit waits for a standby")


async def test_a_cancelled_commit_is_not_acknowledged_and_its_head_not_signed(
    cluster: Cluster, postgres_database: str, tmp_path: Path, pending: Make
) -> None:
    async with opened(cluster, postgres_database, tmp_path / "ledger") as ledger:
        before = await ledger.append(LOG, [pending("before")])
        # The first publication makes a commit of its own, which must not be the one that is cancelled here.
        await ledger.publish(LOG)
        with waiting_for_nobody(cluster):
            doubtful = asyncio.create_task(ledger.append(LOG, [pending("doubtful")]))
            (pid,) = await sync_waiters(cluster)
            cluster.execute(f"SELECT pg_cancel_backend({pid})")
            with pytest.raises(StoreUnavailable):
                await doubtful
            # Visible to everybody, and perhaps on no other machine: no head may vouch for it.
            rows = cluster.execute(
                "SELECT size FROM attending.log_head WHERE log_id = 'clinic'", database=postgres_database
            )
            assert rows == [(2,)]
            assert await ledger.checkpoint(LOG) == before.checkpoint
            assert ledger.halted(LOG) is None
        after = await ledger.append(LOG, [pending("after")])
        assert after.first_index == 2
        key = [VerifierKey.parse(ledger.verifier_key(LOG))]
        assert checkpoint.verify(after.checkpoint, key).size == 3


async def test_a_lost_connection_is_survived(
    cluster: Cluster, postgres_database: str, tmp_path: Path, pending: Make
) -> None:
    acknowledged: dict[str, tuple[str, bytes]] = {}
    unknown = 0
    async with opened(cluster, postgres_database, tmp_path / "ledger") as ledger:
        ending = asyncio.Event()

        async def worker(number: int) -> None:
            nonlocal unknown
            turn = 0
            while not ending.is_set():
                turn += 1
                stream = f"{number}-{turn}"
                try:
                    appended = await ledger.append(LOG, [pending(stream)], expect=[Expectation(stream, 0)])
                except StoreUnavailable:
                    unknown += 1
                    await asyncio.sleep(0.01)
                    continue
                acknowledged[stream] = (appended.receipt(), appended.data[0])

        tasks = [asyncio.create_task(worker(number)) for number in range(16)]
        for _ in range(8):
            await asyncio.sleep(0.15)
            cluster.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{LOGIN}'"
            )
        ending.set()
        await asyncio.gather(*tasks)
        await ledger.append(LOG, [pending()])
        assert ledger.halted(LOG) is None
        key = ledger.verifier_key(LOG)
        assert acknowledged
        for stream, (receipt, data) in acknowledged.items():
            head = verify_receipt(receipt, data, [key])
            assert [entry.data for entry in await ledger.stream_entries(LOG, stream)] == [data]
        size, root = await ledger.head(LOG)
        proof = await ledger.consistency_proof(LOG, head.size, size)
        verify_consistency(head.size, size, head.root, root, proof)
    verify_all(cluster, postgres_database, {LOG: key})


async def test_kill_9_of_the_database_under_load_loses_nothing(tmp_path: Path, pending: Make) -> None:
    cluster = Cluster()
    acknowledged: list[str] = []
    try:
        cluster.start()
        cluster.execute(f"CREATE ROLE {LOGIN} LOGIN", "CREATE DATABASE killed")
        postgres_admin.prepare(cluster.conninfo("killed"), grant_to=[LOGIN])
        async with opened(cluster, "killed", tmp_path / "ledger") as ledger:
            ending = asyncio.Event()

            async def worker(number: int) -> None:
                turn = 0
                while not ending.is_set():
                    turn += 1
                    try:
                        await ledger.append(LOG, [pending(f"{number}-{turn}")])
                    except StoreUnavailable:
                        await asyncio.sleep(0.02)
                        continue
                    acknowledged.append(f"{number}-{turn}")

            tasks = [asyncio.create_task(worker(number)) for number in range(16)]
            for _ in range(3):
                already = len(acknowledged)
                while len(acknowledged) < already + 200:
                    await asyncio.sleep(0.01)
                await asyncio.to_thread(cluster.kill)
                await asyncio.to_thread(cluster.start)
            ending.set()
            await asyncio.gather(*tasks)
            for stream in acknowledged:
                assert await ledger.stream_version(LOG, stream) == 1
            assert ledger.halted(LOG) is None
            keys = {LOG: ledger.verifier_key(LOG)}
        assert verify_all(cluster, "killed", keys)[LOG] >= len(acknowledged) > 600
    finally:
        cluster.destroy()


async def test_a_primary_killed_between_commit_and_replication_takes_nothing_acknowledged_along(
    tmp_path: Path, pending: Make
) -> None:
    primary = Cluster()
    standby: Cluster | None = None
    try:
        primary.start()
        primary.execute(f"CREATE ROLE {LOGIN} LOGIN", "CREATE DATABASE twin")
        postgres_admin.prepare(primary.conninfo("twin"), grant_to=[LOGIN])
        standby = Cluster(standby_of=primary)
        standby.start()
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'FIRST 1 (standby)'")
        primary.reload()
        both = f"host={primary.root},{standby.root} dbname=twin user={LOGIN} target_session_attrs=read-write"
        config = LedgerConfig(
            tmp_path / "ledger", database=both, require_replication=False, publish_interval_seconds=0.05
        )
        ledger = await Ledger.open(config)
        await ledger.create_log(LOG, ORIGIN)
        acknowledged: dict[str, tuple[str, bytes]] = {}
        for number in range(50):
            appended = await ledger.append(LOG, [pending(f"s{number}")])
            acknowledged[f"s{number}"] = (appended.receipt(), appended.data[0])
        # What is committed from now on is on the primary alone.
        await asyncio.to_thread(standby.stop)
        doubtful = [asyncio.create_task(ledger.append(LOG, [pending(f"lost{n}")])) for n in range(20)]
        await sync_waiters(primary)
        await asyncio.to_thread(primary.kill)
        await asyncio.to_thread(standby.start)
        await asyncio.to_thread(standby.promote)
        assert all(
            isinstance(result, StoreUnavailable)
            for result in await asyncio.gather(*doubtful, return_exceptions=True)
        )
        async with asyncio.timeout(60):
            while True:
                try:
                    after = await ledger.append(LOG, [pending("after")])
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.1)
        assert ledger.halted(LOG) is None
        assert after.first_index == 50
        key = ledger.verifier_key(LOG)
        size, root = await ledger.head(LOG)
        for stream, (receipt, data) in acknowledged.items():
            head = verify_receipt(receipt, data, [key])
            assert [entry.data for entry in await ledger.stream_entries(LOG, stream)] == [data]
            proof = await ledger.consistency_proof(LOG, head.size, size)
            verify_consistency(head.size, size, head.root, root, proof)
        assert await ledger.publish(LOG) == await ledger.checkpoint(LOG)
        await ledger.close()
        verify_all(standby, "twin", {LOG: key})
    finally:
        primary.destroy()
        if standby is not None:
            standby.destroy()


# --- several processes -------------------------------------------------------------------------------------------


async def test_two_processes_see_each_other(
    cluster: Cluster, postgres_database: str, tmp_path: Path, pending: Make
) -> None:
    folder = tmp_path / "ledger"
    async with (
        opened(cluster, postgres_database, folder) as one,
        opened(cluster, postgres_database, folder) as two,
    ):
        subject = await one.pseudonym(LOG, "MRN 1")
        assert await two.pseudonym(LOG, "mrn  1") == subject
        names = await asyncio.gather(*(side.pseudonym(LOG, "MRN 2") for side in (one, two) for _ in range(4)))
        assert len(set(names)) == 1
        first = await one.append(LOG, [pending("s", b"text", subject=subject)], claim=Claim("k", b"f", "s"))
        assert (await two.get_entry(LOG, 0)).data == first.data[0]
        assert await two.head(LOG) == await one.head(LOG)
        verify_receipt(await two.receipt(LOG, 0), first.data[0], [one.verifier_key(LOG)])
        assert await two.open_payload(LOG, first.commitments[0][0].record) == b"text"
        claim = await two.find_claim(LOG, "k")
        assert claim is not None
        assert claim.stream == "s"
        results = await asyncio.gather(
            *(side.append(LOG, [pending("t")], expect=[Expectation("t", 0)]) for side in (one, two)),
            return_exceptions=True,
        )
        assert sum(isinstance(result, LedgerError) for result in results) == 1
        await two.create_log("late", "attending.test/late")
        await one.append("late", [pending()])
        assert await two.head("late") == await one.head("late")
        await one.erase_subject(LOG, subject)
        with pytest.raises(SubjectErased):
            await two.open_payload(LOG, first.commitments[0][0].record)
        with pytest.raises(SubjectErased):
            await two.append(LOG, [pending(None, b"more", subject=subject)])
        await one.stop_log(LOG, "OPERATOR")
        with pytest.raises(Halted):
            await two.append(LOG, [pending()])
        await two.resume_log(LOG)
        await one.append(LOG, [pending()])
        assert await one.publish(LOG) == await two.publish(LOG) == await two.published_checkpoint(LOG)


async def test_a_head_that_another_process_published_is_no_rollback_while_no_standby_answers(
    cluster: Cluster, postgres_database: str, tmp_path: Path, pending: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process cannot bring itself up to date, so it knows less than is published: no reason to halt the log."""
    monkeypatch.setattr(reads, "_REFRESH_SECONDS", 0.5)
    folder = tmp_path / "ledger"
    async with (
        opened(cluster, postgres_database, folder) as one,
        opened(cluster, postgres_database, folder) as two,
    ):
        await asyncio.sleep(0.5)  # both have published the empty log and sleep for the rest of the test
        await one.append(LOG, [pending() for _ in range(3)])
        published = await one.publish(LOG)
        with waiting_for_nobody(cluster):
            assert await two.publish(LOG) is None
            assert await two.checkpoint(LOG) != published
            assert two.halted(LOG) is None
        assert await two.publish(LOG) == published
        assert (await two.append(LOG, [pending()])).first_index == 3


@pytest.mark.kill
def test_two_processes_with_64_writers_each_interleave(
    cluster: Cluster, postgres_database: str, tmp_path: Path
) -> None:
    lines, reports = run_writers(cluster, postgres_database, tmp_path, seconds=4.0)
    for report in reports.values():
        assert report["errors"] == []
        assert report["halted"] == []
    assert reports["a"]["subjects"] == reports["b"]["subjects"]
    check_lines(cluster, postgres_database, tmp_path, lines)
    # They took turns: neither ran alone.
    order = [line["stream"][0] for line in sorted(lines["a"] + lines["b"], key=lambda line: line["first"])]
    assert sum(left != right for left, right in itertools.pairwise(order)) > 20


@pytest.mark.kill
def test_a_killed_process_does_not_stop_the_other(
    cluster: Cluster, postgres_database: str, tmp_path: Path
) -> None:
    lines, reports = run_writers(cluster, postgres_database, tmp_path, seconds=4.0, kill="a")
    assert reports["b"]["errors"] == []
    assert reports["b"]["halted"] == []
    assert len(lines["b"]) > 50
    check_lines(cluster, postgres_database, tmp_path, lines)


def run_writers(
    cluster: Cluster, database: str, folder: Path, *, seconds: float, kill: str | None = None
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, dict[str, Any]]]:
    """What two writing processes were told, and what each reports at its end."""
    processes = {}
    for name in ("a", "b"):
        command = [sys.executable, str(HERE / "pg_writer.py"), cluster.conninfo(database, LOGIN)]
        command += [str(folder / "ledger"), str(folder / f"acks-{name}"), name, str(seconds)]
        processes[name] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if kill is not None:
        while not (folder / f"acks-{kill}").exists():
            assert processes[kill].poll() is None, processes[kill].communicate()[1].decode()
            time.sleep(0.01)
        time.sleep(seconds / 3)
        processes[kill].send_signal(signal.SIGKILL)
    reports = {}
    for name, process in processes.items():
        out, err = process.communicate(timeout=120)
        if name != kill:
            assert process.returncode == 0, err.decode()[-2000:]
            reports[name] = json.loads(out)
    lines = {
        name: [
            json.loads(line)
            for line in (folder / f"acks-{name}").read_bytes().rpartition(b"\n")[0].split(b"\n")
        ]
        for name in processes
    }
    return lines, reports


def check_lines(
    cluster: Cluster, database: str, folder: Path, lines: dict[str, list[dict[str, Any]]]
) -> None:
    """Everything acknowledged is in the logs, in its place, and every receipt verifies; no gap, no fork."""
    keys = dict(cluster.execute("SELECT log_id, verifier_key FROM attending.log", database=database))
    sizes = verify_all(cluster, database, keys)
    rows = cluster.execute("SELECT log_id, entry_index, data, stream FROM attending.entry", database=database)
    stored = {(log_id, index): (bytes(data), stream) for log_id, index, data, stream in rows}
    heads: dict[str, dict[int, bytes]] = {}
    count = 0
    for line in lines["a"] + lines["b"]:
        for index in (line["first"], line["first"] + 1):
            assert stored[line["log"], index][1] == line["stream"]
        data = stored[line["log"], line["first"] + 1][0]
        head = verify_receipt(line["receipt"], data, [keys[line["log"]]])
        # Both processes sign with one key: never two roots for one size.
        assert heads.setdefault(line["log"], {}).setdefault(head.size, head.root) == head.root
        assert head.size <= sizes[line["log"]]
        count += 1
    assert count > 200


async def test_a_password_that_is_changed_counts_from_the_next_connection_on(
    cluster: Cluster, postgres_database: str, tmp_path: Path
) -> None:
    """Connections that are open go on; one that dies is made anew with the password as it is by then."""
    rules = cluster.data / "pg_hba.conf"
    rules.write_text(f"local {postgres_database} {LOGIN} scram-sha-256\n" + rules.read_text())
    cluster.execute(f"ALTER ROLE {LOGIN} PASSWORD 'first'", "SELECT pg_reload_conf()")
    password = ["first"]

    def conninfo() -> str:
        return f"{cluster.conninfo(postgres_database, LOGIN)} password={password[0]}"

    config = LedgerConfig(tmp_path, database=conninfo(), database_now=conninfo, publish_interval_seconds=3600)
    assert "first" not in repr(config)
    async with await Ledger.open(config) as ledger:
        await ledger.create_log(LOG, ORIGIN)
        cluster.execute(f"ALTER ROLE {LOGIN} PASSWORD 'second'")
        entry = PendingEntry("feedback.recorded", "s", "app:a", None, {})
        await ledger.append(LOG, [entry])
        gone = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{postgres_database}'"
        cluster.execute(gone)
        with pytest.raises(StoreUnavailable):
            await ledger.append(LOG, [entry])
        password[0] = "second"
        async with asyncio.timeout(30):
            while True:
                try:
                    await ledger.append(LOG, [entry])
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.05)
        assert (await ledger.head(LOG))[0] >= 2

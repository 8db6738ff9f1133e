"""The database checks on real ledgers: SQLite and PostgreSQL, well and damaged."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attending.ledger.errors import LedgerError
from attending.ledger.ledger import Ledger
from attending.ledger.store.postgres_admin import prepare
from attending.server import projections
from attending.server.database import ledger_config
from attending.server.doctor.check import State
from attending.server.doctor.run import Listed, examine
from attending.server.halt.switch import Order, Switch
from attending.server.idempotency import Once

from tests.postgres_cluster import Cluster
from tests.server.doctor.sites import look, reasons, site, tree, with_entries

RED, WARNING, UNKNOWN = State.RED, State.WARNING, State.UNKNOWN
_numbers = itertools.count()


async def test_a_sqlite_ledger_that_is_well_and_nothing_changes(tmp_path: Path) -> None:
    at = site(tmp_path)
    for where in ("settings", "schema", "stopped", "heads"):
        assert reasons(f"databases:{where}", at) == {}
    await with_entries(at)
    before = tree(tmp_path)
    for where in ("settings", "schema", "stopped", "heads"):
        assert reasons(f"databases:{where}", at) == {}
    assert tree(tmp_path) == before


async def test_a_database_that_was_put_back(tmp_path: Path) -> None:
    at = site(tmp_path)
    await with_entries(at, 2)
    shutil.copy(tmp_path / "ledger/ledger.db", tmp_path / "old.db")
    await with_entries(at, 3)
    shutil.copy(tmp_path / "old.db", tmp_path / "ledger/ledger.db")
    assert reasons("databases:heads", at) == {"LOG_ROLLED_BACK": RED}


async def test_published_heads_that_are_missing_foreign_or_of_a_lost_log(tmp_path: Path) -> None:
    at = site(tmp_path)
    await with_entries(at)
    head = tmp_path / "published/st-mary.checkpoint"
    text = head.read_text()
    head.unlink()
    assert reasons("databases:heads", at) == {"NOT_PUBLISHED": UNKNOWN}
    head.write_text(text.replace("\n3\n", "\n4\n"))
    assert reasons("databases:heads", at) == {"PUBLISHED_HEAD_UNREADABLE": RED}
    head.write_text(text)
    (tmp_path / "published/other.checkpoint").write_text(text)
    assert reasons("databases:heads", at) == {"LOG_MISSING": RED}


async def test_a_trigger_that_is_lost_and_entries_that_are_altered(tmp_path: Path) -> None:
    at = site(tmp_path)
    await with_entries(at)
    with sqlite3.connect(tmp_path / "ledger/ledger.db") as connection:
        [(name,)] = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'entry' AND sql LIKE '%UPDATE%'"
        ).fetchall()[:1]
        connection.execute(f"DROP TRIGGER {name}")
        connection.execute(
            "UPDATE entry SET data = replace(data, 'version', 'veksion') WHERE entry_index = 1"
        )
    connection.close()
    assert reasons("databases:schema", at) == {"UNSAFE_SETTINGS": RED}
    assert RED in reasons("databases:heads", at).values()


async def test_another_schema_version_a_rebuild_and_a_file_that_is_no_database(tmp_path: Path) -> None:
    at = site(tmp_path)
    await with_entries(at)
    path = tmp_path / "ledger/ledger.db"
    for change, expected in (
        ("UPDATE ledger SET value = 1 WHERE name = 'rebuilding'", {"PROJECTIONS_INCOMPLETE": RED}),
        ("UPDATE ledger SET value = 99 WHERE name = 'schema'", {"SCHEMA_VERSION": RED}),
    ):
        with sqlite3.connect(path) as connection:
            connection.execute(change)
        connection.close()
        assert reasons("databases:schema", at) == expected
    path.write_bytes(b"x" * 8192)
    with pytest.raises(LedgerError):
        look("databases:schema", at)
    [examined] = examine(at, [Listed("database", "schema", "attending.server.doctor.databases:schema", 20)])
    assert [finding.state for finding in examined.findings] == [RED]


async def test_a_tenant_that_was_given_another_origin_and_a_stopped_log(tmp_path: Path) -> None:
    at = site(tmp_path)
    await with_entries(at)
    moved = site(tmp_path, tenants=[{"name": "st-mary", "origin": "elsewhere.example/attending"}])
    assert reasons("databases:stopped", moved) == {"ORIGIN_CHANGED": RED}
    with sqlite3.connect(tmp_path / "ledger/ledger.db") as connection:
        connection.execute("INSERT INTO log_stop (log_id, reason) VALUES ('st-mary', 'LOG_SEALED')")
    connection.close()
    assert reasons("databases:stopped", at) == {"LOG_SEALED": RED}


async def test_what_is_halted(tmp_path: Path) -> None:
    at = site(tmp_path)
    assert reasons("databases:halted", at) == {}
    await with_entries(at)
    assert reasons("databases:halted", at) == {}
    ledger = await Ledger.open(ledger_config(at.config), metadata=[projections.metadata], clock=at.now)
    switch = Switch(ledger, at.now)
    order = Order("human:safety", "drill", at.now())
    await switch.halt("st-mary", "discharge-plan", order, Once("halt-1", b"1"), 0)
    await ledger.close()
    assert reasons("databases:halted", at) == {"SYSTEM_HALTED": WARNING}
    [finding] = look("databases:halted", at)
    assert "`discharge-plan`" in finding.detail
    ledger = await Ledger.open(ledger_config(at.config), metadata=[projections.metadata], clock=at.now)
    await Switch(ledger, at.now).resume("st-mary", "discharge-plan", order, Once("resume-1", b"2"))
    await ledger.close()
    assert reasons("databases:halted", at) == {}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.start()
        made.execute(
            "CREATE ROLE app LOGIN", "CREATE ROLE boss LOGIN SUPERUSER", "CREATE ROLE stranger LOGIN"
        )
        yield made
    finally:
        made.destroy()


@pytest.fixture
def database(cluster: Cluster) -> str:
    name = f"d{next(_numbers)}"
    cluster.execute(f"CREATE DATABASE {name}")
    prepare(cluster.conninfo(name), [projections.metadata], grant_to=["app"])
    return name


async def test_a_postgres_that_is_well_but_alone(tmp_path: Path, cluster: Cluster, database: str) -> None:
    at = site(tmp_path, storage={"database": cluster.conninfo(database, "app")})
    await with_entries(at)
    assert reasons("databases:settings", at) == {"NOT_REPLICATED": WARNING}
    for where in ("databases:schema", "databases:stopped", "databases:heads", "keys:logs"):
        assert reasons(where, at) == {}
    now = replace(at, now=lambda: datetime.now(UTC))
    assert reasons("clocks:database", now) == {}
    for minutes, state in ((0.05, WARNING), (10, RED)):
        apart = timedelta(minutes=minutes)

        def late(apart: timedelta = apart) -> datetime:
            return datetime.now(UTC) + apart

        wrong = replace(at, now=late)
        assert reasons("clocks:database", wrong) == {"CLOCK_DIFFERS": state}


def test_a_postgres_with_unsafe_settings(tmp_path: Path, cluster: Cluster, database: str) -> None:
    at = site(tmp_path, storage={"database": cluster.conninfo(database, "app")})
    cluster.execute(f"ALTER DATABASE {database} SET synchronous_commit = off")
    found = reasons("databases:settings", at)
    assert found["UNSAFE_DATABASE"] is RED
    assert any("synchronous_commit" in finding.detail for finding in look("databases:settings", at))
    cluster.execute(f"ALTER DATABASE {database} RESET synchronous_commit")
    demanding = site(
        tmp_path, storage={"database": cluster.conninfo(database, "app"), "require_replication": True}
    )
    assert reasons("databases:settings", demanding) == {"UNSAFE_DATABASE": RED}


def test_roles_that_could_rewrite_the_log_and_a_trigger_that_is_off(
    tmp_path: Path, cluster: Cluster, database: str
) -> None:
    boss = site(tmp_path, storage={"database": cluster.conninfo(database, "boss")})
    assert reasons("databases:settings", boss)["UNSAFE_DATABASE"] is RED
    at = site(tmp_path, storage={"database": cluster.conninfo(database, "app")})
    cluster.execute("ALTER TABLE attending.entry DISABLE TRIGGER entry_refuse", database=database)
    assert reasons("databases:settings", at)["UNSAFE_DATABASE"] is RED


def test_a_login_with_few_connections_and_an_end(tmp_path: Path, cluster: Cluster, database: str) -> None:
    cluster.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 3 VALID UNTIL '2099-01-01'")
    prepare(cluster.conninfo(database), [projections.metadata], grant_to=["few"])
    at = site(tmp_path, storage={"database": cluster.conninfo(database, "few")})
    assert reasons("databases:settings", at) == {
        "NOT_REPLICATED": WARNING,
        "FEW_CONNECTIONS": WARNING,
        "LOGIN_EXPIRES": WARNING,
    }


def test_a_database_that_is_not_prepared_not_there_or_does_not_let_us_in(
    tmp_path: Path, cluster: Cluster
) -> None:
    cluster.execute("CREATE DATABASE bare")
    bare = site(tmp_path, storage={"database": cluster.conninfo("bare", "app")})
    assert reasons("databases:settings", bare) == {"DATABASE_NOT_MIGRATED": RED}
    prepare(cluster.conninfo("bare"), [projections.metadata])
    stranger = site(tmp_path, storage={"database": cluster.conninfo("bare", "stranger")})
    assert reasons("databases:settings", stranger) == {"DATABASE_NOT_MIGRATED": RED}
    away = site(tmp_path, storage={"database": f"host={cluster.root} port=1 dbname=x user=app"})
    for where in ("databases:settings", "databases:schema"):
        assert reasons(where, away) == {"STORE_UNAVAILABLE": RED}
    [heads] = examine(away, [Listed("database", "heads", "attending.server.doctor.databases:heads", 20)])
    assert [(one.state, one.reason) for one in heads.findings] == [(UNKNOWN, "STORE_UNAVAILABLE")]
    unknown = site(tmp_path, storage={"database": cluster.conninfo("bare", "quackenbush")})
    assert reasons("databases:settings", unknown) == {"STORE_UNAVAILABLE": RED}
    assert "quackenbush" not in repr(look("databases:settings", unknown))

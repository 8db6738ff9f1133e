"""Who is alive: told by the database's clock where several processes write, by the folder's lock where one does."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attending.ledger.store import migrations, postgres_admin
from attending.ledger.store.port import Store, StoreFault
from attending.ledger.store.postgres import PostgresStore
from attending.ledger.store.schema import SCHEMA_VERSION
from attending.ledger.store.sqlite import SqliteStore

from tests.ledger.engine.conftest import Tables
from tests.ledger.engine.postgres import LOGIN
from tests.postgres_cluster import Cluster

VERSIONS = Path(migrations.__file__).parent / "sql"


def test_a_beat_says_who_is_alive_where_others_can_be(
    make_store: Callable[[], Store], tmp_path: Path
) -> None:
    (tmp_path / "ledger").mkdir()
    with closing(make_store()) as store:
        store.create_tables([Tables().metadata])
        assert store.live_owners() == set()
        store.beat("srv-a", 60)
        store.beat("srv-b", 60)
        assert store.live_owners() == ({"srv-a", "srv-b"} if store.shared else set())
        store.beat("srv-a", 0)
        assert store.live_owners() == ({"srv-b"} if store.shared else set())


@pytest.fixture
def stores(cluster: Cluster, postgres_database: str) -> Iterator[tuple[PostgresStore, PostgresStore]]:
    """Two processes' stores on one database."""
    conninfo = cluster.conninfo(postgres_database, LOGIN)
    with closing(PostgresStore(conninfo)) as one, closing(PostgresStore(conninfo)) as other:
        yield one, other


def test_each_owner_says_for_how_long_its_beat_holds(
    stores: tuple[PostgresStore, PostgresStore], cluster: Cluster, postgres_database: str
) -> None:
    one, other = stores
    one.beat("srv-a", 1000)
    other.beat("srv-b", 2000)
    # The clock of the database decides; here it is moved by moving the rows.
    cluster.execute(
        "UPDATE attending.owner_beat SET expires_at = expires_at - 1500000000", database=postgres_database
    )
    assert one.live_owners() == other.live_owners() == {"srv-b"}
    one.beat("srv-a", 1000)
    assert other.live_owners() == {"srv-a", "srv-b"}


def test_the_rows_of_owners_long_dead_go(
    stores: tuple[PostgresStore, PostgresStore], cluster: Cluster, postgres_database: str
) -> None:
    one, other = stores
    one.beat("srv-a", 1)
    cluster.execute(
        "UPDATE attending.owner_beat SET expires_at = expires_at - 90000000000", database=postgres_database
    )
    other.beat("srv-b", 60)
    assert cluster.execute("SELECT owner FROM attending.owner_beat", database=postgres_database) == [
        ("srv-b",)
    ]


def test_beats_go_on_after_the_connection_was_lost(
    stores: tuple[PostgresStore, PostgresStore], cluster: Cluster, postgres_database: str
) -> None:
    one, other = stores
    one.beat("srv-a", 60)
    cluster.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{postgres_database}' AND pid <> pg_backend_pid()"
    )
    with pytest.raises(StoreFault):
        one.beat("srv-a", 60)
    one.beat("srv-a", 60)
    assert one.live_owners() == other.live_owners() == {"srv-a"}


def test_a_file_of_the_version_before_gets_the_table(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        for version in ("0001", "0002"):
            for statement in (VERSIONS / f"{version}.sqlite.sql").read_text().split("\n--;\n"):
                connection.execute(statement)
        connection.execute("UPDATE ledger SET value = 2 WHERE name = 'schema'")
        connection.commit()
    with closing(SqliteStore(path)) as store:
        store.create_tables([])
        assert store.heads() == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT value FROM ledger WHERE name = 'schema'").fetchone() == (
            SCHEMA_VERSION,
        )
        assert connection.execute("SELECT * FROM owner_beat").fetchall() == []


def test_a_database_of_the_version_before_gets_the_table(cluster: Cluster, postgres_database: str) -> None:
    cluster.execute(
        "DROP TABLE attending.owner_beat, attending.removal, attending.custody_hold, attending.custody_link, "
        "attending.introduction",
        "UPDATE attending.ledger SET value = 2 WHERE name = 'schema'",
        "UPDATE attending.ledger_version SET version_num = '0002'",
        database=postgres_database,
    )
    admin = cluster.conninfo(postgres_database)
    assert postgres_admin.prepare(admin, [Tables().metadata]) == (2, SCHEMA_VERSION)
    assert postgres_admin.prepare(admin, [Tables().metadata]) == (SCHEMA_VERSION, SCHEMA_VERSION)
    with closing(PostgresStore(cluster.conninfo(postgres_database, LOGIN))) as store:
        store.create_tables([Tables().metadata])
        store.beat("srv-a", 60)
        assert store.live_owners() == {"srv-a"}

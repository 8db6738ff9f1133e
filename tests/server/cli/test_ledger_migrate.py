"""`attending ledger migrate` on a real PostgreSQL: prepares, says what it did, and is safe to repeat."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attending.ledger.store.postgres import PostgresStore
from attending.ledger.store.schema import SCHEMA_VERSION
from attending.server import projections
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit

from tests.postgres_cluster import Cluster

_numbers = itertools.count()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.start()
        made.execute("CREATE ROLE app LOGIN", "CREATE ROLE boss LOGIN SUPERUSER", "CREATE ROLE weak LOGIN")
        yield made
    finally:
        made.destroy()


@pytest.fixture
def database(cluster: Cluster) -> str:
    name = f"m{next(_numbers)}"
    cluster.execute(f"CREATE DATABASE {name}")
    return name


Said = Callable[[], tuple[str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    def read() -> tuple[str, str]:
        printed = capsys.readouterr()
        return printed.out, printed.err

    return read


def test_it_prepares_a_database_once_and_again(cluster: Cluster, database: str, said: Said) -> None:
    admin = cluster.conninfo(database)
    arguments = ["ledger", "migrate", "--database", admin, "--grant-to", "app"]
    assert run(arguments) == Exit.OK
    first = said()[0]
    assert f"schema version 0 to {SCHEMA_VERSION}" in first
    assert "`app`" in first
    # A server's login can use it, tables of the server included.
    store = PostgresStore(cluster.conninfo(database, "app"))
    store.create_tables([projections.metadata])
    store.close()
    assert run([*arguments, "--json"]) == Exit.OK
    assert json.loads(said()[0]) == {
        "before": SCHEMA_VERSION,
        "after": SCHEMA_VERSION,
        "granted_to": ["app"],
    }


def test_the_database_may_be_the_one_of_a_configuration(
    cluster: Cluster, database: str, said: Said, tmp_path: Path
) -> None:
    configuration = tmp_path / "attending.toml"
    configuration.write_text(
        f"""
[server]
tls_certificate = "s.pem"
tls_key = "s.key"
[storage]
folder = "state"
database = "host={cluster.root} dbname={database} user=app"
database_password_file = "db.password"
[[tenants]]
name = "a"
"""
    )
    password = tmp_path / "db.password"
    password.touch(mode=0o600)
    password.write_text("of-the-server")
    arguments = ["ledger", "migrate", "--config", str(configuration)]
    # The server's own login may not: it could rewrite what it is there to protect.
    assert run(arguments) == Exit.FAILED
    assert "STORE_UNAVAILABLE" in said()[1]
    assert run([*arguments, "--user", "postgres", "--grant-to", "app", "--json"]) == Exit.OK
    assert json.loads(said()[0])["after"] == SCHEMA_VERSION


@pytest.mark.parametrize(
    ("login", "part"), [("nobody_has_this", "does not exist"), ("boss", "is a superuser")]
)
def test_a_login_that_servers_must_not_use_is_refused_and_nothing_is_changed(
    cluster: Cluster, database: str, said: Said, login: str, part: str
) -> None:
    arguments = ["ledger", "migrate", "--database", cluster.conninfo(database), "--grant-to", login]
    assert run(arguments) == Exit.FAILED
    assert part in said()[1]
    assert cluster.execute("SELECT to_regnamespace('attending')", database=database) == [(None,)]


def test_an_administrator_need_not_be_a_superuser(cluster: Cluster, said: Said) -> None:
    """A hosted database has none to give: a role that may create roles, and owns the database, is enough."""
    other = Cluster()
    try:
        other.start()
        other.execute(
            "CREATE ROLE hosted LOGIN CREATEROLE", "CREATE ROLE app LOGIN", "CREATE DATABASE h OWNER hosted"
        )
        arguments = ["ledger", "migrate", "--database", other.conninfo("h", "hosted"), "--json"]
        assert run([*arguments, "--grant-to", "app"]) == Exit.OK, said()[1]
        assert run(arguments) == Exit.OK, said()[1]
        store = PostgresStore(other.conninfo("h", "app"))
        store.create_tables([projections.metadata])
        store.close()
    finally:
        other.destroy()


def test_what_cannot_work_is_said_in_one_line(cluster: Cluster, database: str, said: Said) -> None:
    for arguments, code, part in (
        ([], Exit.USAGE, "--database"),
        (["--database", f"dbname={database} password=hunter2"], Exit.USAGE, "holds a secret"),
        (["--database", "host=/nowhere dbname=x"], Exit.FAILED, "STORE_UNAVAILABLE"),
        (["--database", cluster.conninfo(database, "weak")], Exit.FAILED, "STORE_UNAVAILABLE"),
    ):
        assert run(["ledger", "migrate", *arguments]) == code
        out, err = said()
        assert (out, len(err.splitlines())) == ("", 1)
        assert part in err
        assert "hunter2" not in err

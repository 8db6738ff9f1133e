"""A server that cannot trust its database does not start: exit code 1, one line that says why and what to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attending.ledger.store import postgres_admin
from attending.server import projections

from tests.e2e.configured_server import ConfiguredServer
from tests.postgres_cluster import Cluster

pytestmark = pytest.mark.xdist_group("refused")
PASSWORD = "not-for-any-screen-4711"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.start()
        made.execute(
            f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'",
            "CREATE ROLE owns LOGIN",
            "CREATE ROLE plain LOGIN",
            "CREATE DATABASE ready",
            "CREATE DATABASE empty",
            "CREATE DATABASE older",
            "CREATE DATABASE altered",
        )
        for name in ("ready", "older", "altered"):
            postgres_admin.prepare(made.conninfo(name), [projections.metadata], grant_to=["app"])
        made.execute("GRANT attending_owner TO owns")
        made.execute("UPDATE attending.ledger SET value = 1 WHERE name = 'schema'", database="older")
        made.execute("ALTER TABLE attending.entry DISABLE TRIGGER entry_refuse", database="altered")
        yield made
    finally:
        made.destroy()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> ConfiguredServer:
    """A folder with everything but a database."""
    server = ConfiguredServer(tmp_path_factory.mktemp("refused") / "state", [], "http://127.0.0.1:9/v1")
    server.prepare()
    password = server.folder / "db.password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)
    return server


def serve(prepared: ConfiguredServer, *storage: str) -> subprocess.CompletedProcess[str]:
    """Starts a server that is expected to end by itself."""
    configuration = prepared.folder / "attending.toml"
    text = configuration.read_text()
    lines = "\n".join(('[storage]\nfolder = "ledger"', *storage))
    mine = Path(prepared.folder / "mine.toml")
    mine.write_text(text.replace('[storage]\nfolder = "ledger"', lines))
    return subprocess.run(
        [
            *(sys.executable, "-m", "attending.server.cli.main", "serve", "--config", str(mine)),
            *("--port", "0", "--token-port", "0"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def said(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """The last line of standard error."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: ")
    assert "; next: " in line
    return line


@pytest.mark.parametrize(
    ("setting", "value", "safe"),
    [
        ("fsync", "off", "on"),
        ("full_page_writes", "off", "on"),
        ("synchronous_commit", "off", "on"),
        ("synchronous_commit", "local", "on"),
    ],
)
def test_unsafe_settings(
    cluster: Cluster, prepared: ConfiguredServer, setting: str, value: str, safe: str
) -> None:
    cluster.execute(f"ALTER SYSTEM SET {setting} = {value}")
    cluster.reload()
    try:
        line = said(
            serve(
                prepared,
                f'database = "{cluster.conninfo("ready", "app")}"',
                'database_password_file = "db.password"',
            )
        )
    finally:
        cluster.execute(f"ALTER SYSTEM SET {setting} = {safe}")
        cluster.reload()
    assert f"{setting} is `{value}`" in line
    assert f"set it to {safe}" in line
    assert "UNSAFE_DATABASE" in line


@pytest.mark.parametrize(
    ("database", "login", "parts"),
    [
        ("ready", "postgres", ["superuser", "UNSAFE_DATABASE"]),
        ("ready", "owns", ["may become `attending_owner`", "UNSAFE_DATABASE"]),
        ("ready", "plain", ["member of `attending_server`", "--grant-to"]),
        ("empty", "app", ["holds no ledger", "DATABASE_NOT_MIGRATED", "attending ledger migrate"]),
        ("older", "app", ["schema version 1", "DATABASE_NOT_MIGRATED", "attending ledger migrate"]),
        ("altered", "app", ["trigger `entry_refuse` is not enabled always", "UNSAFE_DATABASE"]),
        ("nowhere", "app", ["cannot be reached", "STORE_UNAVAILABLE"]),
    ],
)
def test_a_wrong_login_or_database(
    cluster: Cluster, prepared: ConfiguredServer, database: str, login: str, parts: list[str]
) -> None:
    line = said(serve(prepared, f'database = "{cluster.conninfo(database, login)}"'))
    for part in parts:
        assert part in line


def test_no_standby_where_one_is_required(cluster: Cluster, prepared: ConfiguredServer) -> None:
    line = said(
        serve(prepared, f'database = "{cluster.conninfo("ready", "app")}"', "require_replication = true")
    )
    assert "synchronous_standby_names is empty" in line


def test_a_password_in_the_file(cluster: Cluster, prepared: ConfiguredServer) -> None:
    line = said(serve(prepared, f'database = "host={cluster.root} user=app password={PASSWORD}"'), code=4)
    assert "holds a secret" in line

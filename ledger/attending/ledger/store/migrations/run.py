"""Brings a database to the schema of this version, in one transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from attending.ledger.errors import UnsafeSettings
from sqlalchemy import Connection, text

VERSION_TABLE: Final = "ledger_version"
_HERE: Final = Path(__file__).parent
VERSIONS: Final = {"0001": 1, "0002": 2, "0003": 3, "0004": 4, "0005": 5}
"""Alembic revision to the `schema` row of table `ledger`."""


def version_of(connection: Connection) -> int:
    """The schema version of the database: 0 without a ledger. A row of a later version is returned as it is."""
    if not _exists(connection, "ledger"):
        return 0
    found = connection.execute(text("SELECT value FROM ledger WHERE name = 'schema'")).scalar()
    return int(found or 0)


def migrate(connection: Connection) -> tuple[int, int]:
    """(schema version before, and after) of the database, whose transaction the caller begins and commits.

    A crash in the middle leaves the database as it was: both engines change their schema inside a transaction.
    Raises UnsafeSettings for a database of a later version.
    """
    before = version_of(connection)
    latest = max(VERSIONS.values())
    if before > latest:
        raise UnsafeSettings(
            f"database is of schema version {before}, this program knows {latest}; update it"
        )
    script = ScriptDirectory.from_config(_config())
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    if before and not _exists(connection, VERSION_TABLE):
        # Made before there were migrations.
        context.stamp(script, next(name for name, value in VERSIONS.items() if value == before))

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs("head", revision)

    with EnvironmentContext(_config(), script, fn=steps, destination_rev="head") as environment:
        environment.configure(connection=connection, version_table=VERSION_TABLE)
        environment.run_migrations()
    _finish(connection, latest)
    return before, latest


def _finish(connection: Connection, version: int) -> None:
    connection.execute(text("UPDATE ledger SET value = :value WHERE name = 'schema'"), {"value": version})


def run_statements(connection: Connection, revision: str) -> None:
    """Runs the statements of a version for the engine of `connection`; for the versions themselves."""
    engine = connection.dialect.name
    for statement in (
        (_HERE / "sql" / f"{revision}.{engine}.sql").read_text(encoding="utf-8").split("\n--;\n")
    ):
        # The PostgreSQL driver takes a percent sign for a parameter.
        sql = statement.strip().replace("%", "%%") if engine == "postgresql" else statement.strip()
        connection.exec_driver_sql(sql)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _exists(connection: Connection, table: str) -> bool:
    return connection.dialect.has_table(connection, table)

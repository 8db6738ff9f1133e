"""Preparing a PostgreSQL database for ledgers: roles, schema, migrations, projection tables and grants.

Run by an administrator (`attending ledger migrate`), never by a server: its role may change none of this.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import psycopg
from attending.ledger.custody import tables
from attending.ledger.errors import StoreUnavailable, UnsafeSettings
from attending.ledger.store import postgres_schema, schema
from attending.ledger.store.migrations import migrate
from attending.ledger.store.postgres_schema import OWNER, SCHEMA, SERVER
from psycopg import sql
from sqlalchemy import Connection, MetaData, NullPool, Table, create_engine, inspect
from sqlalchemy.exc import DBAPIError


def prepare(
    conninfo: str, metadata: Collection[MetaData] = (), *, grant_to: Sequence[str] = ()
) -> tuple[int, int]:
    """(schema version before, and after) of a database that servers can use when this returns.

    `conninfo` connects as a superuser, or as a role that may create roles and a schema. `metadata` are the
    projection tables of the servers; `grant_to` existing logins that become members of `attending_server`.
    All in one transaction: a crash or an error leaves the database as it was (roles belong to the whole
    server, and are part of it). Safe to repeat. Raises StoreUnavailable, UnsafeSettings.
    """
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
    )
    try:
        with engine.connect() as connection, connection.begin():
            for statement in postgres_schema.prepare_database():
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"SET LOCAL ROLE {OWNER}")
            connection.exec_driver_sql(f"SET LOCAL search_path = {SCHEMA}")
            versions = migrate(connection)
            _create_projections(connection, (tables.metadata, *metadata))
            connection.exec_driver_sql("RESET ROLE")
            for login in grant_to:
                _grant(connection, login)
    except DBAPIError as err:
        detail = getattr(err.orig, "sqlstate", None) or type(err.orig).__name__
        raise StoreUnavailable(
            f"database could not be prepared (SQLSTATE {detail}); nothing of it was changed"
        ) from err
    except psycopg.Error as err:
        raise StoreUnavailable(f"database cannot be reached ({type(err).__name__})") from None
    return versions


def _create_projections(connection: Connection, metadata: Collection[MetaData]) -> None:
    """Creates projection tables that are missing. One that lacks a column is made anew, empty: it holds no
    truth, and `attending ledger rebuild` fills it.
    """
    present, made = inspect(connection), False
    for table in [table for item in metadata for table in item.sorted_tables]:
        if table.name in schema.metadata.tables:
            raise ValueError(f"projection table takes a name of the ledger: `{table.name}`")
        if present.has_table(table.name, schema=SCHEMA):
            columns = {column["name"] for column in present.get_columns(table.name, schema=SCHEMA)}
            if columns >= {column.name for column in table.columns}:
                continue
            connection.exec_driver_sql(f"DROP TABLE {_quoted(table)}")
        made = True
        for statement in postgres_schema.create_tables([table]):
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {_quoted(table)} TO {SERVER}")
    if made and connection.exec_driver_sql("SELECT 1 FROM entry LIMIT 1").fetchone():
        connection.exec_driver_sql("UPDATE ledger SET value = 1 WHERE name = 'rebuilding'")


def _quoted(table: Table) -> str:
    return '"' + table.name.replace('"', '""') + '"'


def _grant(connection: Connection, login: str) -> None:
    driver: Any = connection.connection.driver_connection
    found = connection.exec_driver_sql(
        "SELECT rolsuper FROM pg_roles WHERE rolname = %s", (login,)
    ).fetchone()
    if found is None:
        raise UnsafeSettings(f"login `{login}` does not exist; create it with CREATE ROLE ... LOGIN first")
    if found[0]:
        raise UnsafeSettings(f"login `{login}` is a superuser; servers must not connect as one")
    statement = sql.SQL("GRANT {} TO {}").format(sql.Identifier(SERVER), sql.Identifier(login))
    connection.exec_driver_sql(statement.as_string(driver).replace("%", "%%"))

"""Filling an empty PostgreSQL ledger from the SQLite file of a backup, in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import psycopg
from attending.ledger.backup.check import Progress, check_log
from attending.ledger.backup.take import MARK_REBUILDING, backed_up_tables, count_rows
from attending.ledger.errors import BackupRefused, StoreUnavailable, UnsafeSettings
from attending.ledger.store import postgres_admin, schema
from attending.ledger.store.port import StoreFault
from attending.ledger.store.postgres_schema import OWNER, SCHEMA
from attending.ledger.store.postgres_settings import check_settings
from attending.ledger.store.read_only import ReadOnlySqlite
from attending.ledger.store.read_only_postgres import ReadOnlyPostgres
from sqlalchemy import MetaData, Table

if TYPE_CHECKING:
    from attending.ledger.backup.restore import Inspected

_KINDS: Final = {"VARCHAR": "text", "BIGINT": "int8", "BLOB": "bytea"}


def fill_database(
    backup: Inspected,
    conninfo: str,
    metadata: Collection[MetaData],
    *,
    grant_to: Sequence[str],
    sealed: Sequence[str],
    progress: Progress | None,
) -> None:
    """See `restore_postgres`; `sealed` are logs to seal."""
    postgres_admin.prepare(conninfo, metadata, grant_to=grant_to)
    try:
        with psycopg.connect(conninfo) as connection:
            _require_primary(connection)
            # The owner's rights are what this needs, and its triggers hold for the owner, too.
            connection.execute(f"SET LOCAL ROLE {OWNER}".encode())
            connection.execute(f"SET LOCAL search_path = {SCHEMA}".encode())
            _require_empty(connection)
            with closing(ReadOnlySqlite(backup.readable, frozen=True)) as source, source.snapshot():
                counts = count_rows(source)
                _copy(source, connection, sum(counts.values()), progress)
            _verify(connection, backup, counts, progress)
            for log_id in sealed:
                connection.execute(
                    "DELETE FROM log_stop WHERE log_id = %s AND reason <> %s", (log_id, schema.SEALED)
                )
                connection.execute(
                    "INSERT INTO log_stop VALUES (%s, %s) ON CONFLICT DO NOTHING", (log_id, schema.SEALED)
                )
            # A crash before the commit leaves the tables empty.
            _commit(connection)
    except psycopg.Error as err:
        raise StoreUnavailable(
            f"the restore could not be finished (SQLSTATE {err.sqlstate or type(err).__name__}); nothing was stored"
        ) from err
    except StoreFault as err:
        raise StoreUnavailable(f"the restore could not be finished ({err}); nothing was stored") from err


def _commit(connection: psycopg.Connection[Any]) -> None:
    """Commits; a warning at that moment says that a standby did not confirm what is stored here."""
    warned: list[str] = []
    connection.add_notice_handler(lambda notice: warned.append(str(notice.severity_nonlocalized)))
    connection.commit()
    if "WARNING" in warned:
        raise StoreUnavailable(
            "the restore is stored, but no standby has confirmed it; look at the replication"
        )


def _require_primary(connection: psycopg.Connection[Any]) -> None:
    try:
        check_settings(connection, require_replication=False)
    except UnsafeSettings as err:
        raise UnsafeSettings(f"the database is not one to keep a ledger in: {err}") from err


def _require_empty(connection: psycopg.Connection[Any]) -> None:
    """No server creates a log meanwhile: the table is locked against writers until the end."""
    connection.execute("LOCK TABLE log IN SHARE ROW EXCLUSIVE MODE")
    for table in backed_up_tables():
        if table.name == schema.ledger.name:
            continue
        if connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1".encode()).fetchone():  # noqa: S608
            raise BackupRefused(
                f"the database holds a ledger already (table `{table.name}`), and a restore never replaces one",
                reason="TARGET_NOT_EMPTY",
            )


def _copy(
    source: ReadOnlySqlite, connection: psycopg.Connection[Any], total: int, progress: Progress | None
) -> None:
    connection.execute("DELETE FROM ledger")  # the migrations' own rows; the backup brings them
    done = 0
    for table in backed_up_tables():
        names = ", ".join(column.name for column in table.columns)
        with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)".encode()) as copy,
        ):
            copy.set_types(_kinds(table))
            for row in source.stream(table):
                copy.write_row(row)
                done += 1
                if progress is not None:
                    progress("copy", done, total)
    connection.execute(MARK_REBUILDING.encode())


def _kinds(table: Table) -> list[str]:
    return [_KINDS[str(column.type).partition("(")[0]] for column in table.columns]


def _verify(
    connection: psycopg.Connection[Any], backup: Inspected, counts: dict[str, int], progress: Progress | None
) -> None:
    """What the database now holds is what the backup held, seen by the transaction that put it there."""
    store = ReadOnlyPostgres.over(connection)
    try:
        expected = {log.row.log_id: (log.row, log.size, log.root) for log in backup.logs}
        heads = store.heads()
        found = {row.log_id: (row, head.size, head.root) for row, head in heads}
        if found != expected or count_rows(store) != counts:
            raise StoreUnavailable("the database does not hold what was sent; nothing was stored")
        for row, head in heads:
            check_log(store, row, head, (), progress)
    finally:
        store.close()

"""The PostgreSQL store: for several server processes on one database, and for replication beyond one machine.

Each process has one writing connection and readers beside it. A transaction locks the heads of its logs in the
order of their ids, so that two processes never wait for each other in a circle, and everything it must know is
asked under those locks, in one pipelined round trip. Rows go in as arrays (`unnest`), a statement a table.

A commit is acknowledged only when it returned without a warning. Where a standby must confirm, a cancelled wait
also reports success, with a warning: the rows are visible here and may be nowhere else (PostgreSQL source,
syncrep.c). Such an outcome is unknown, like that of a lost connection. No commit is ever cancelled from here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import psycopg
from attending.ledger.errors import StoreUnavailable, UnsafeSettings
from attending.ledger.store import postgres_schema, schema
from attending.ledger.store.port import (
    MAX_LEAVES,
    Answer,
    Batch,
    ClaimRow,
    HeadRow,
    Leaf,
    Question,
    RemovalRow,
    RowRefused,
    StoreFault,
)
from attending.ledger.store.postgres_rows import ProjectionStatements
from attending.ledger.store.postgres_settings import check_objects, check_role, check_settings
from attending.ledger.store.sql_reads import SqlReads
from sqlalchemy import MetaData, QueuePool, Row, Select, Table, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# The driver warns of a failed pipeline in the server's own words, which quote the row.
logging.getLogger("psycopg").addFilter(lambda _record: False)

Connection = psycopg.Connection[tuple[Any, ...]]
Cursor = psycopg.Cursor[tuple[Any, ...]]

_READERS: Final = 4
_CONNECT_SECONDS: Final = 10
# A frozen process must not keep the others from a log for ever: its transaction ends, and with it its locks.
_WRITER_SETTINGS: Final = {
    "lock_timeout": "15s",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "30s",
}
_READER_SETTINGS: Final = {"default_transaction_read_only": "on", "statement_timeout": "60s"}
_KEEPALIVE: Final[dict[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
_LOG_TABLES: Final = {"log_head", "entry", "tile", "log_stop", "ledger"}
"""Tables where a refused row means that the store is not in the state that the sequencer believes."""

# What a bad value or a broken constraint raises, as against a failing store.
_ROW_ERRORS: Final = (
    psycopg.errors.IntegrityError,
    psycopg.errors.DataError,
    psycopg.errors.DatatypeMismatch,
    psycopg.errors.CannotCoerce,
)

_LOCK: Final = (
    "SELECT log_id, size, root, last_leaf, time FROM log_head WHERE log_id = ANY(%s)"
    " ORDER BY log_id FOR UPDATE"
)
_STOPS: Final = "SELECT log_id, reason FROM log_stop WHERE log_id = ANY(%s)"
_LEAVES: Final = (
    "SELECT leaf_hash, stream, stream_version FROM entry WHERE log_id = %s AND entry_index >= %s"
    " ORDER BY entry_index LIMIT %s"
)
# One descent of the index a stream; a GROUP BY would read every entry of each.
_VERSIONS: Final = (
    "SELECT s.stream, (SELECT e.stream_version + 1 FROM entry AS e WHERE e.log_id = %s AND e.stream = s.stream"
    " ORDER BY e.stream_version DESC LIMIT 1) FROM unnest(%s::text[]) AS s(stream)"
)
_CLAIMS: Final = (
    "SELECT log_id, key, fingerprint, stream, created_at, first_index, entries FROM idempotency"
    " WHERE log_id = %s AND key = ANY(%s)"
)
_ERASED: Final = "SELECT pseudonym FROM erasure WHERE log_id = %s AND pseudonym = ANY(%s)"
_MOVE_HEAD: Final = (
    "UPDATE log_head SET size = %s, root = %s, last_leaf = %s, time = %s WHERE log_id = %s AND size = %s"
)
_RAISE_EPOCH: Final = "UPDATE ledger SET value = value + 1 WHERE name = 'epoch'"


# By the database's clock, so that processes whose clocks differ agree. Rows long dead are swept along.
_BEAT: Final = (
    "INSERT INTO owner_beat VALUES (%s, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + %s)"
    " ON CONFLICT (owner) DO UPDATE SET expires_at = excluded.expires_at"
)
_FORGET_DEAD: Final = (
    "DELETE FROM owner_beat"
    " WHERE expires_at < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 86400000000"
)
_LIVE: Final = (
    "SELECT owner FROM owner_beat"
    " WHERE expires_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
)
# A beat need not survive a crash, and must not wait for a standby: silence would pass for death.
_BEAT_SETTINGS: Final = {"synchronous_commit": "off", "lock_timeout": "2s", "statement_timeout": "5s"}


class PostgresStore(SqlReads):
    """Implements `Store` over the schema `attending` of a database that `attending ledger migrate` prepared."""

    shared = True
    _conninfo_now: Callable[[], str | None] = staticmethod(lambda: None)
    """Of whoever opens no connection after its first, too."""

    def __init__(
        self,
        conninfo: str,
        *,
        require_replication: bool = False,
        conninfo_now: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Connects with libpq keywords or a URI; `conninfo_now`, asked at each new connection, replaces them where it
        gives another, so that a password can be changed while running.

        Raises UnsafeSettings (see `postgres_settings`), StoreUnavailable when nobody answers.
        """
        self._conninfo = conninfo
        self._conninfo_now = conninfo_now
        self._require_replication = require_replication
        self._warned = False
        self._rows = ProjectionStatements()
        self._local = threading.local()
        self._readers: list[Connection] = []
        self._readers_lock = threading.Lock()
        self._beats: Connection | None = None
        self._beats_lock = threading.Lock()
        self._writer = self._connect_writer()
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: self._connect(_READER_SETTINGS),
            poolclass=QueuePool,
            pool_size=_READERS,
            pool_timeout=_CONNECT_SECONDS,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    # --- writing: one thread at a time -----------------------------------------------------------------

    def create_tables(self, metadata: Collection[MetaData]) -> None:
        """Checks role, tables and triggers; creates nothing, because the server's role may not.

        Raises UnsafeSettings, naming what is missing: `attending ledger migrate` brings it.
        """
        with _store_faults():
            usable = self._writer.execute(
                "SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %s",
                (postgres_schema.SCHEMA,),
            ).fetchone()
            if usable == (False,):
                raise UnsafeSettings(
                    "login of the connection may not use the ledger; make it a member of"
                    f" `{postgres_schema.SERVER}`: `attending ledger migrate --grant-to LOGIN`",
                    reason="DATABASE_NOT_MIGRATED",
                )
            if self._writer.execute("SELECT to_regclass('ledger')").fetchone() == (None,):
                raise UnsafeSettings(
                    "database holds no ledger; run `attending ledger migrate` on it first",
                    reason="DATABASE_NOT_MIGRATED",
                )
            version = self._writer.execute("SELECT value FROM ledger WHERE name = 'schema'").fetchone()
            if version != (schema.SCHEMA_VERSION,):
                raise UnsafeSettings(
                    f"database is of schema version {version[0] if version else None}, expected"
                    f" {schema.SCHEMA_VERSION}; run `attending ledger migrate`",
                    reason="DATABASE_NOT_MIGRATED",
                )
            check_role(self._writer)
            check_objects(self._writer)
            tables = [table for item in metadata for table in item.sorted_tables]
            if clash := {table.name for table in tables} & set(schema.metadata.tables):
                raise ValueError(f"projection tables take names of the ledger: {sorted(clash)}")
            rows = self._writer.execute(
                "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s",
                (postgres_schema.SCHEMA,),
            ).fetchall()
            stored = {(str(table), str(column)) for table, column in rows}
            for table in tables:
                missing = {column.name for column in table.columns if (table.name, column.name) not in stored}
                if missing:
                    raise UnsafeSettings(
                        f"database lacks projection columns of `{table.name}`; run `attending ledger migrate`",
                        reason="DATABASE_NOT_MIGRATED",
                    )

    def begin(self, question: Question) -> Answer:
        writer, answer = self._writer, Answer()
        ids = sorted(question.sizes)
        with _store_faults():
            with writer.pipeline():
                writer.execute("BEGIN")
                locked = self._ask(_LOCK, (ids,))
                stopped = self._ask(_STOPS, (ids,))
                leaves = {
                    log_id: self._ask(_LEAVES, (log_id, size, MAX_LEAVES))
                    for log_id, size in question.sizes.items()
                }
                versions = {
                    log_id: self._ask(_VERSIONS, (log_id, list(names)))
                    for log_id, names in question.streams.items()
                }
                claims = [
                    self._ask(_CLAIMS, (log_id, list(keys))) for log_id, keys in question.claims.items()
                ]
                erased = {
                    log_id: self._ask(_ERASED, (log_id, list(names)))
                    for log_id, names in question.subjects.items()
                }
            answer.heads = {row[0]: HeadRow(*row) for row in locked.fetchall()}
            answer.stops = dict(stopped.fetchall())
            for log_id, cursor in leaves.items():
                answer.leaves[log_id] = [Leaf(*row) for row in cursor.fetchall()]
            for log_id, cursor in versions.items():
                answer.versions.update(
                    {
                        (log_id, stream): version
                        for stream, version in cursor.fetchall()
                        if version is not None
                    }
                )
            for cursor in claims:
                answer.claims.update({row[:2]: ClaimRow(*row) for row in cursor.fetchall()})
            for log_id, cursor in erased.items():
                answer.erased.update((log_id, name) for (name,) in cursor.fetchall())
        return answer

    def apply(self, batch: Batch) -> None:
        moved: list[Cursor] = []
        with _row_faults(), self._writer.pipeline():
            for log in batch.logs:
                self._put("INSERT INTO log VALUES (%s, %s, %s, %s)", log)
            for old_size, head in batch.heads:
                if head.size == 0:
                    self._put("INSERT INTO log_head VALUES (%s, %s, %s, %s, %s)", head)
                else:
                    moved.append(self._put(_MOVE_HEAD, (*head[1:], head.log_id, old_size)))
            self._insert(schema.entry, batch.entries)
            self._insert(schema.tile, batch.tiles)
            for log_id, reason in batch.stops:
                if reason is None:
                    self._put("DELETE FROM log_stop WHERE log_id = %s", (log_id,))
                else:
                    self._put("INSERT INTO log_stop VALUES (%s, %s)", (log_id, reason))
            if batch.epoch:
                self._put(_RAISE_EPOCH, ())
            self._insert(schema.introduction, batch.introductions)
            self._insert(schema.payload, batch.payloads)
            for claims in batch.expired_claims:
                self._put("DELETE FROM idempotency WHERE log_id = %s AND created_at < %s", claims)
            self._insert(schema.idempotency, batch.claims)
            self._insert(schema.subject_map, batch.subjects)
            for erasure in batch.erasures:
                self._put("INSERT INTO erasure VALUES (%s, %s, %s)", erasure)
                self._put("SELECT forget_subject(%s, %s)", erasure[:2])
            self._insert(schema.removal, batch.removals)
            for log_id in {row.log_id for row in batch.removals}:
                records = [row.record for row in batch.removals if row.log_id == log_id]
                self._put("SELECT drop_payloads(%s, %s)", (log_id, records))
            for row in batch.rows:
                self._put(*self._rows.of(row))
        if any(cursor.rowcount != 1 for cursor in moved):
            raise StoreFault("stored head is not the one that the sequencer holds")

    def clear_rows(self, log_id: str, tables: Collection[Table]) -> None:
        with _store_faults():
            for table in tables:
                self._put(*self._rows.clear(table, log_id))

    def mark_rebuilding(self, unfinished: bool) -> None:
        with _store_faults():
            self._put("UPDATE ledger SET value = %s WHERE name = 'rebuilding'", (int(unfinished),))

    def commit(self) -> None:
        with _store_faults():
            self._warned = False
            cursor = self._writer.execute("COMMIT")
            # A transaction that had failed is rolled back, and says so in the status only.
            if cursor.statusmessage != "COMMIT":
                raise StoreFault("transaction was rolled back")
            if self._warned:
                raise StoreFault("commit was not confirmed by a standby")

    def rollback(self) -> None:
        with _store_faults():
            self._writer.execute("ROLLBACK")

    def recover(self) -> None:
        """A fresh connection whose server is checked again. A transaction of the old one may still end either
        way: locking its heads, as every reading that is signed does, waits for that.
        """
        self._writer.close()
        try:
            self._writer = self._connect_writer()
        except (StoreUnavailable, UnsafeSettings) as err:
            raise StoreFault("database cannot be reconnected") from err

    def close(self) -> None:
        self._engine.dispose()
        with self._readers_lock:
            for connection in self._readers:
                connection.close()
            self._readers.clear()
        with self._beats_lock:
            if self._beats is not None:
                self._beats.close()
        self._writer.close()

    # --- reading: any thread ---------------------------------------------------------------------------

    def read_stream_version(self, log_id: str, stream: str) -> int:
        rows = self._read(_VERSIONS, (log_id, [stream]))
        return int(rows[0][1] or 0) if rows else 0

    def read_stream_versions(self, log_id: str, streams: Collection[str]) -> dict[str, int]:
        rows = self._read(_VERSIONS, (log_id, list(streams)))
        return {str(stream): int(version) for stream, version in rows if version is not None}

    def read_claim(self, log_id: str, key: str) -> ClaimRow | None:
        rows = self._read(_CLAIMS, (log_id, [key]))
        return ClaimRow(*rows[0]) if rows else None

    def beat(self, owner: str, seconds: float) -> None:
        """On a connection of its own: the writer's belongs to one thread, and readers may not write."""
        with _store_faults(), self._beats_lock:
            if self._beats is None or self._beats.closed:
                try:
                    self._beats = self._connect(_BEAT_SETTINGS)
                except StoreUnavailable as err:
                    raise StoreFault("database cannot be reached") from err
                self._beats.execute(_FORGET_DEAD)
            self._beats.execute(_BEAT, (owner, round(seconds * 1_000_000)))

    def live_owners(self) -> set[str]:
        return {str(owner) for (owner,) in self._read(_LIVE)}

    def erased_records(self, log_id: str, limit: int) -> list[RemovalRow]:
        rows = self._read(
            "SELECT p.log_id, p.record, p.entry_index, e.entry_index FROM erasure AS e"
            " JOIN payload AS p ON p.log_id = e.log_id AND p.subject = e.pseudonym"
            " WHERE e.log_id = %s LIMIT %s",
            (log_id, limit),
        )
        return [RemovalRow(*row) for row in rows]

    def present_records(self, log_id: str, records: Collection[str]) -> set[str]:
        rows = self._read(
            "SELECT record FROM payload WHERE log_id = %s AND record = ANY(%s)", (log_id, list(records))
        )
        return {str(row[0]) for row in rows}

    def vacuum(self) -> None:
        """Rewrites the table of payloads, which takes a lock on it; the server's role may not, unless a site grants it
        (PostgreSQL 17: MAINTAIN). The write-ahead log of the database keeps what it holds until it is recycled.
        """
        refused: list[str] = []
        connection = self._connect(_READER_SETTINGS | {"default_transaction_read_only": "off"})
        connection.add_notice_handler(lambda notice: refused.append(str(notice.sqlstate)))
        try:
            with _store_faults():
                connection.execute("VACUUM (FULL) payload")
        finally:
            connection.close()
        if refused:
            raise StoreFault("payloads can be vacuumed by the owner of the tables only")

    def query(self, select: Select[Any]) -> Sequence[Row[Any]]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(select).all()
        except (DBAPIError, PoolTimeout, UnicodeEncodeError) as err:
            if _cannot_be_stored(getattr(err, "orig", None) or err):
                return []
            raise StoreFault(_describe(getattr(err, "orig", None) or err)) from None

    # --- inside ----------------------------------------------------------------------------------------

    def _ask(self, sql: str, parameters: Sequence[Any]) -> Cursor:
        cursor = self._writer.cursor(binary=True)
        cursor.execute(sql.encode(), parameters)
        return cursor

    def _put(self, sql: str, parameters: Sequence[Any]) -> Cursor:
        return self._writer.execute(sql.encode(), parameters)

    def _insert(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._put(_unnest(table), [list(column) for column in zip(*rows, strict=True)])

    def _select(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._read(sql.replace("?", "%s"), parameters)

    def _read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with _store_faults():
            try:
                return self._fetch(self._reader(), sql, parameters)
            except psycopg.OperationalError:
                if not self._reader_lost():
                    raise
            # A connection that died while it was idle says nothing about the database: a new one is asked.
            return self._fetch(self._reader(), sql, parameters)

    def _fetch(self, connection: Connection, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        try:
            return connection.cursor(binary=True).execute(sql.encode(), parameters).fetchall()
        except (psycopg.DataError, UnicodeEncodeError) as err:
            if _cannot_be_stored(err):
                return []
            raise

    def _reader_lost(self) -> bool:
        connection: Connection | None = getattr(self._local, "connection", None)
        return connection is None or connection.broken or connection.closed

    def _reader(self) -> Connection:
        """This thread's reading connection."""
        if self._reader_lost():
            try:
                connection = self._connect(_READER_SETTINGS)
            except StoreUnavailable as err:
                raise StoreFault("database cannot be reached") from err
            self._local.connection = connection
            with self._readers_lock:
                self._readers = [item for item in self._readers if not item.closed]
                self._readers.append(connection)
        reader: Connection = self._local.connection
        return reader

    def _connect_writer(self) -> Connection:
        connection = self._connect(_WRITER_SETTINGS)
        try:
            check_settings(connection, require_replication=self._require_replication)
        except psycopg.Error as err:
            connection.close()
            raise StoreUnavailable("database cannot be used") from err
        except UnsafeSettings:
            connection.close()
            raise
        connection.add_notice_handler(self._notice)
        # The driver loses track of what it prepared inside a pipeline that failed.
        connection.prepare_threshold = None
        return connection

    def _connect(self, settings: dict[str, str]) -> Connection:
        self._conninfo = self._conninfo_now() or self._conninfo
        try:
            connection: Connection = psycopg.connect(
                self._conninfo, autocommit=True, connect_timeout=_CONNECT_SECONDS, **_KEEPALIVE
            )
            connection.execute("SELECT set_config('search_path', %s, false)", (postgres_schema.SCHEMA,))
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        except psycopg.Error as err:
            # Not the driver's words: they may quote the connection string.
            raise StoreUnavailable(f"database cannot be reached ({_describe(err)})") from None
        return connection

    def _notice(self, notice: psycopg.errors.Diagnostic) -> None:
        # Whatever a server has to warn of at a commit, it is not what an acknowledgement rests on.
        self._warned = self._warned or notice.severity_nonlocalized == "WARNING"


@cache
def _unnest(table: Table) -> str:
    names = ", ".join(column.name for column in table.columns)
    kinds = {"VARCHAR": "text", "BIGINT": "bigint", "BLOB": "bytea"}
    marks = ", ".join(f"%b::{kinds[str(column.type).partition('(')[0]]}[]" for column in table.columns)
    return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({marks})"  # noqa: S608 - the schema's names


@contextmanager
def _store_faults() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as err:
        raise StoreFault(_describe(err)) from err


@contextmanager
def _row_faults() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as err:
        # `from None`: the server's own complaint quotes the value, which may be personal.
        refused = isinstance(err, _ROW_ERRORS) or (
            isinstance(err, psycopg.ProgrammingError) and err.sqlstate is None  # cannot be sent at all
        )
        if refused and err.diag.table_name not in _LOG_TABLES:
            raise RowRefused(_describe(err)) from None
        raise StoreFault(_describe(err)) from None
    except (TypeError, ValueError, OverflowError) as err:
        raise RowRefused(_describe(err)) from None


def _cannot_be_stored(err: BaseException) -> bool:
    """Whether a value was refused before it was sent: text with NUL or half a surrogate pair. PostgreSQL holds no such
    text, so that nothing is found by it; callers' ids are the usual source.
    """
    return isinstance(err, UnicodeEncodeError) or (
        isinstance(err, psycopg.DataError) and err.sqlstate is None
    )


def _describe(err: BaseException) -> str:
    """The kind of error only: PostgreSQL's messages can quote values."""
    code = getattr(err, "sqlstate", None)
    return f"{type(err).__name__} {code}" if code else type(err).__name__

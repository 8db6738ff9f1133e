"""The SQLite store: one file in WAL mode with synchronous=FULL, one writing connection, readers beside it.

FULL means that a commit returns after the write-ahead log has been synced, so that a killed process or a
power cut loses nothing committed (sqlite.org/pragma.html#pragma_synchronous). BEGIN IMMEDIATE takes the
write lock at once: a deferred transaction that upgrades later fails with "database is locked".
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final

from attending.ledger.errors import CorruptLog, StoreUnavailable, UnsafeSettings
from attending.ledger.store import schema
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
from attending.ledger.store.rows import ProjectionWriter
from attending.ledger.store.sql_reads import SqlReads
from sqlalchemy import MetaData, QueuePool, Row, Select, StaticPool, Table, create_engine
from sqlalchemy.exc import DBAPIError

_SAFE_SYNCHRONOUS: Final = {2: "FULL", 3: "EXTRA"}
# 64 MiB of write-ahead log between checkpoints, against 4 by default: a checkpoint syncs the database file.
_CHECKPOINT_PAGES: Final = 16_384
_READERS: Final = 4
_MAX_NAMES: Final = 256
_BUSY_SECONDS: Final = 10.0

# What a bad value or a broken constraint raises, as against a failing store.
_ROW_ERRORS: Final = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    OverflowError,
    TypeError,
    ValueError,
)


@cache
def _insert(table: Table) -> str:
    names = ", ".join(column.name for column in table.columns)
    marks = ", ".join("?" for _ in table.columns)
    return f"INSERT INTO {table.name} ({names}) VALUES ({marks})"  # noqa: S608 - names of the schema


_INSERT_LOG: Final = _insert(schema.log)
_INSERT_HEAD: Final = _insert(schema.log_head)
_INSERT_ERASURE: Final = _insert(schema.erasure)
_MOVE_HEAD: Final = (
    "UPDATE log_head SET size = ?, root = ?, last_leaf = ?, time = ? WHERE log_id = ? AND size = ?"
)
_RAISE_EPOCH: Final = "UPDATE ledger SET value = value + 1 WHERE name = 'epoch'"
_HEAD: Final = (
    "SELECT log_id, size, root, last_leaf, time, reason FROM log_head LEFT JOIN log_stop USING (log_id)"
    " WHERE log_id = ?"
)
_LEAVES: Final = (
    "SELECT leaf_hash, stream, stream_version FROM entry WHERE log_id = ? AND entry_index >= ?"
    " ORDER BY entry_index LIMIT ?"
)
OBJECTS: Final = "SELECT name, type, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
"""What `check_protection` is given the rows of."""
_MARK_REBUILDING: Final = "UPDATE ledger SET value = ? WHERE name = 'rebuilding'"
_STREAM_VERSION: Final = (
    "SELECT stream_version + 1 FROM entry WHERE log_id = ? AND stream = ?"
    " ORDER BY stream_version DESC LIMIT 1"
)
_VERSIONS: Final = (
    "SELECT stream, MAX(stream_version) + 1 FROM entry"
    " WHERE log_id = ? AND stream IN ({marks}) GROUP BY stream"
)
_CLAIM_COLUMNS: Final = ", ".join(ClaimRow._fields)
_CLAIM: Final = f"SELECT {_CLAIM_COLUMNS} FROM idempotency WHERE log_id = ? AND key = ?"  # noqa: S608 - as above


class SqliteStore(SqlReads):
    """Implements `Store` over the database file `path`. The folder's lock is the caller's business."""

    shared = False

    def __init__(self, path: Path, *, synchronous: str = "FULL") -> None:
        """Opens or creates the file.

        Raises UnsafeSettings when WAL or FULL do not take, StoreUnavailable when it cannot be opened,
        CorruptLog when it is no database.
        """
        self._path = path
        self._synchronous = synchronous
        # Held from `begin` to the end of its transaction, and by a vacuum, which must not meet one.
        self._writing = threading.Lock()
        self._in_transaction = False
        self._writer = self._connect_writer()
        self._rows = ProjectionWriter()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._readers_lock = threading.Lock()
        self._engine = create_engine(
            "sqlite://",
            creator=self._connect_reader,
            poolclass=QueuePool,
            pool_size=_READERS,
            hide_parameters=True,
        )

    # --- writing: one thread at a time -----------------------------------------------------------------

    def create_tables(self, metadata: Collection[MetaData]) -> None:
        with _store_faults():
            self._migrate()
            rows = self._writer.execute(OBJECTS).fetchall()
            check_protection(rows)
            stored = _stored_objects(rows)
            tables = [table for item in metadata for table in item.sorted_tables]
            if clash := {table.name for table in tables} & set(schema.metadata.tables):
                raise ValueError(f"projection tables take names of the ledger: {sorted(clash)}")
            self._create_projections(tables, stored)

    def begin(self, question: Question) -> Answer:
        self._writing.acquire()
        self._in_transaction = True
        try:
            return self._begin(question)
        except BaseException:
            # A transaction that was opened is rolled back; if that fails, too, the next one finds it and fails.
            self._end_writing()
            raise

    def _begin(self, question: Question) -> Answer:
        writer, answer = self._writer, Answer()
        with _store_faults():
            writer.execute("BEGIN IMMEDIATE")
            for log_id, size in question.sizes.items():
                row = writer.execute(_HEAD, (log_id,)).fetchone()
                if row is None:
                    continue
                head = answer.heads[log_id] = HeadRow(*row[:5])
                if row[5] is not None:
                    answer.stops[log_id] = row[5]
                if head.size > size:
                    rows = writer.execute(_LEAVES, (log_id, size, MAX_LEAVES)).fetchall()
                    answer.leaves[log_id] = [Leaf(*leaf) for leaf in rows]
            for log_id, streams in question.streams.items():
                self._ask_versions(log_id, streams, answer)
            for log_id, keys in question.claims.items():
                self._ask_claims(log_id, keys, answer)
            for log_id, subjects in question.subjects.items():
                for marks, part in _parts(subjects):
                    sql = f"SELECT pseudonym FROM erasure WHERE log_id = ? AND pseudonym IN ({marks})"  # noqa: S608
                    answer.erased.update((log_id, name) for (name,) in writer.execute(sql, (log_id, *part)))
        return answer

    def _ask_versions(self, log_id: str, streams: Collection[str], answer: Answer) -> None:
        for marks, part in _parts(streams):
            for stream, version in self._writer.execute(_VERSIONS.format(marks=marks), (log_id, *part)):
                answer.versions[log_id, stream] = version

    def _ask_claims(self, log_id: str, keys: Collection[str], answer: Answer) -> None:
        for marks, part in _parts(keys):
            sql = (
                f"SELECT {_CLAIM_COLUMNS} FROM idempotency"  # noqa: S608 - names and marks only
                f" WHERE log_id = ? AND key IN ({marks})"
            )
            for row in self._writer.execute(sql, (log_id, *part)):
                answer.claims[log_id, row[1]] = ClaimRow(*row)

    def apply(self, batch: Batch) -> None:
        writer = self._writer
        with _row_faults():
            for log in batch.logs:
                writer.execute(_INSERT_LOG, log)
        with _store_faults():
            for old_size, head in batch.heads:
                if head.size == 0:
                    writer.execute(_INSERT_HEAD, head)
                    continue
                moved = writer.execute(_MOVE_HEAD, (*head[1:], head.log_id, old_size)).rowcount
                if moved != 1:
                    raise StoreFault("stored head is not the one that the sequencer holds")
            _insert_all(writer, schema.entry, batch.entries)
            _insert_all(writer, schema.tile, batch.tiles)
            for log_id, reason in batch.stops:
                if reason is None:
                    writer.execute("DELETE FROM log_stop WHERE log_id = ?", (log_id,))
                else:
                    writer.execute("INSERT INTO log_stop VALUES (?, ?)", (log_id, reason))
            if batch.epoch:
                writer.execute(_RAISE_EPOCH)
        with _row_faults():
            _insert_all(writer, schema.introduction, batch.introductions)
            _insert_all(writer, schema.payload, batch.payloads)
            for claims in batch.expired_claims:
                writer.execute("DELETE FROM idempotency WHERE log_id = ? AND created_at < ?", claims)
            _insert_all(writer, schema.idempotency, batch.claims)
            _insert_all(writer, schema.subject_map, batch.subjects)
            for erasure in batch.erasures:
                writer.execute(_INSERT_ERASURE, erasure)
                writer.execute("DELETE FROM subject_map WHERE log_id = ? AND pseudonym = ?", erasure[:2])
            _insert_all(writer, schema.removal, batch.removals)
            writer.executemany(
                "DELETE FROM payload WHERE log_id = ? AND record = ?", [row[:2] for row in batch.removals]
            )
            for row in batch.rows:
                self._rows.write(writer, row)

    def clear_rows(self, log_id: str, tables: Collection[Table]) -> None:
        with _store_faults():
            stored = _stored_objects(self._writer.execute(OBJECTS).fetchall())
            for table in tables:
                if _outdated(table, stored):
                    self._rows.drop(self._writer, table)
                    for statement in schema.sqlite_objects([table]).values():
                        self._writer.execute(statement)
                else:
                    self._rows.clear(self._writer, table, log_id)

    def mark_rebuilding(self, unfinished: bool) -> None:
        with _store_faults():
            self._writer.execute(_MARK_REBUILDING, (int(unfinished),))

    def commit(self) -> None:
        try:
            with _store_faults():
                self._writer.execute("COMMIT")
        finally:
            self._end_writing()

    def rollback(self) -> None:
        try:
            with _store_faults():
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
        finally:
            self._end_writing()

    def recover(self) -> None:
        """A fresh connection, then a commit of its own: syncing the write-ahead log for that one makes every
        transaction that can be seen durable, also one whose own commit reported a failure.
        """
        if not self._in_transaction:
            self._writing.acquire()
            self._in_transaction = True
        # Not let go in between: a vacuum would meet the transaction that is being given up.
        try:
            self._reconnect()
        finally:
            self._end_writing()

    def _reconnect(self) -> None:
        with _store_faults():
            self._writer.close()
            try:
                self._writer = self._connect_writer()
            except StoreUnavailable as err:
                raise StoreFault("database cannot be reopened") from err
            if self._writer.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger'").fetchone():
                self._writer.execute("BEGIN IMMEDIATE")
                self._writer.execute(_RAISE_EPOCH)
                self._writer.execute("COMMIT")

    def close(self) -> None:
        self._engine.dispose()
        with self._readers_lock:
            for connection in self._readers:
                connection.close()
            self._readers.clear()
        self._writer.close()

    # --- reading: any thread ---------------------------------------------------------------------------

    def read_stream_version(self, log_id: str, stream: str) -> int:
        rows = self._read(_STREAM_VERSION, (log_id, stream))
        return int(rows[0][0]) if rows else 0

    def read_stream_versions(self, log_id: str, streams: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for marks, part in _parts(streams):
            found.update(self._read(_VERSIONS.format(marks=marks), (log_id, *part)))
        return found

    def read_claim(self, log_id: str, key: str) -> ClaimRow | None:
        rows = self._read(_CLAIM, (log_id, key))
        return ClaimRow(*rows[0]) if rows else None

    def beat(self, owner: str, seconds: float) -> None:
        """Nothing: the folder's lock says that nobody else is there."""

    def live_owners(self) -> set[str]:
        return set()

    def erased_records(self, log_id: str, limit: int) -> list[RemovalRow]:
        rows = self._read(
            "SELECT p.log_id, p.record, p.entry_index, e.entry_index FROM erasure AS e"
            " CROSS JOIN payload AS p ON p.log_id = e.log_id AND p.subject = e.pseudonym"
            " WHERE e.log_id = ? LIMIT ?",
            (log_id, limit),
        )
        return [RemovalRow(*row) for row in rows]

    def present_records(self, log_id: str, records: Collection[str]) -> set[str]:
        found: set[str] = set()
        for marks, part in _parts(records):
            sql = f"SELECT record FROM payload WHERE log_id = ? AND record IN ({marks})"  # noqa: S608 - as above
            found.update(str(row[0]) for row in self._read(sql, (log_id, *part)))
        return found

    def vacuum(self) -> None:
        """Writes every page anew and empties the write-ahead log.

        VACUUM leaves no free page, but puts the new pages into the write-ahead log; only a checkpoint that
        truncates it takes the old ones out of both files. A crash in between leaves the old pages or the new
        ones, and the next vacuum finishes it.
        """
        with self._writing, _store_faults():
            self._writer.execute("VACUUM")
            busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:  # after waiting as long as for any lock
            raise StoreFault("a reader keeps the write-ahead log from being emptied")

    def query(self, select: Select[Any]) -> Sequence[Row[Any]]:
        try:
            with self._engine.connect() as connection:
                return connection.execute(select).all()
        except DBAPIError as err:
            raise StoreFault(_describe(err.orig or err)) from None

    def _end_writing(self) -> None:
        """Lets the next transaction or vacuum in; safe when none is under way."""
        if self._in_transaction:
            self._in_transaction = False
            self._writing.release()

    # --- connections -----------------------------------------------------------------------------------

    def _select(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._read(sql, parameters)

    def _read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with _store_faults():
            connection = getattr(self._local, "connection", None)
            if connection is None:
                connection = self._local.connection = self._connect_reader()
                with self._readers_lock:
                    self._readers.append(connection)
            return connection.execute(sql, parameters).fetchall()

    def _connect_reader(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{self._path.resolve().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY_SECONDS,
        )
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _connect_writer(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self._path,
                isolation_level=None,
                check_same_thread=False,
                timeout=_BUSY_SECONDS,
                cached_statements=512,
            )
        except sqlite3.Error as err:
            raise StoreUnavailable("database file cannot be opened") from err
        try:
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute("PRAGMA recursive_triggers = ON")
            # What is deleted is overwritten with zeros in its page (sqlite.org/pragma.html#pragma_secure_delete).
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            connection.execute("PRAGMA trusted_schema = OFF")
            synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
            writable = connection.execute("PRAGMA writable_schema").fetchone()[0]
        except sqlite3.OperationalError as err:
            connection.close()
            raise StoreUnavailable("database file cannot be used") from err
        except sqlite3.DatabaseError as err:
            connection.close()
            raise CorruptLog("database file is not a database") from err
        if mode != "wal" or synchronous not in _SAFE_SYNCHRONOUS or writable:
            connection.close()
            raise UnsafeSettings(
                f"journal_mode is `{mode}` and synchronous is {synchronous}, expected `wal` and 2 (FULL):"
                " acknowledged entries could be lost"
            )
        return connection

    def _migrate(self) -> None:
        """Brings the file to this version's schema, in one transaction; a new file is made that way, too."""
        version = None
        if self._writer.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger'").fetchone():
            version = self._writer.execute("SELECT value FROM ledger WHERE name = 'schema'").fetchone()
            if version == (schema.SCHEMA_VERSION,):
                return
        # Only here: a start that has nothing to change need not load alembic.
        from attending.ledger.store.migrations import migrate

        engine = create_engine("sqlite://", creator=lambda: self._writer, poolclass=StaticPool)
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    migrate(connection)
                    connection.exec_driver_sql("COMMIT")
                except BaseException:
                    with suppress(DBAPIError):  # a failed commit may have ended it already
                        connection.exec_driver_sql("ROLLBACK")
                    raise
        except DBAPIError as err:
            raise StoreFault(_describe(err.orig or err)) from None

    def _create_projections(self, tables: list[Table], stored: dict[str, tuple[str, str, str]]) -> None:
        missing = {
            name: statement for name, statement in schema.sqlite_objects(tables).items() if name not in stored
        }
        lacking = any(table.name in missing or _outdated(table, stored) for table in tables)
        if not missing and not lacking:
            return
        # One transaction: a crash leaves no empty table without the note that it lacks rows.
        self._writer.execute("BEGIN IMMEDIATE")
        for statement in missing.values():
            self._writer.execute(statement)
        if lacking and self._writer.execute("SELECT 1 FROM entry LIMIT 1").fetchone():
            self._writer.execute(_MARK_REBUILDING, (1,))
        self._writer.execute("COMMIT")


def check_protection(rows: Iterable[tuple[str, str, str, str]]) -> None:
    """Raises UnsafeSettings when a table, index or trigger of the ledger is lost, altered or added. `rows` are those
    of `OBJECTS`.
    """
    expected = schema.sqlite_objects(schema.metadata.sorted_tables) | dict(schema.SQLITE_TRIGGERS)
    _check_objects(_stored_objects(rows), expected)


def _stored_objects(rows: Iterable[tuple[str, str, str, str]]) -> dict[str, tuple[str, str, str]]:
    return {name: (kind, table, sql.strip()) for name, kind, table, sql in rows}


def _outdated(table: Table, stored: dict[str, tuple[str, str, str]]) -> bool:
    """Whether the stored table has another shape than `table`."""
    made = schema.sqlite_objects([table])[table.name]
    return table.name in stored and stored[table.name][2] != made


def _check_objects(stored: dict[str, tuple[str, str, str]], expected: dict[str, str]) -> None:
    ledger_tables = set(schema.metadata.tables)
    for name, statement in expected.items():
        if name not in stored:
            raise UnsafeSettings(f"database has lost `{name}`, which protects the log")
        if stored[name][2] != statement:
            raise UnsafeSettings(f"`{name}` of the database is not as the ledger made it")
    for name, (kind, table, _) in stored.items():
        if kind == "trigger" and table in ledger_tables and name not in expected:
            raise UnsafeSettings(f"trigger `{name}` on a table of the ledger is not of the ledger")


def _insert_all(writer: sqlite3.Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    # Not one statement with many VALUES: measured, that costs two thirds more for rows of 1 KB.
    if rows:
        writer.executemany(_insert(table), rows)


def _parts(names: Collection[str]) -> Iterator[tuple[str, list[str]]]:
    """`names` in parts whose sizes are powers of two, largest first, each with its parameter marks: a handful
    of statements serve every number of names, so that each is prepared once.
    """
    rest = list(names)
    while rest:
        size = min(_MAX_NAMES, 1 << (len(rest).bit_length() - 1))
        yield ",".join("?" * size), rest[:size]
        rest = rest[size:]


@contextmanager
def _store_faults() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as err:
        raise StoreFault(_describe(err)) from err


@contextmanager
def _row_faults() -> Iterator[None]:
    try:
        yield
    except _ROW_ERRORS as err:
        # `from None`: a type's own complaint quotes the value, which may be personal.
        raise RowRefused(_describe(err)) from None
    except sqlite3.Error as err:
        raise StoreFault(_describe(err)) from err


def _describe(err: BaseException) -> str:
    """The kind of error only: SQLite's messages can quote values."""
    return str(getattr(err, "sqlite_errorname", type(err).__name__))

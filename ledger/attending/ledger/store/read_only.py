"""Reading a ledger without being its server: nothing is created, migrated, locked or written.

A command that looks at a ledger may run beside the server, beside one that was killed, and on a ledger that is
stopped. All reads go over one connection, so that `snapshot` can hold them to one committed state.

SQLite needs its two side files to read a database in WAL mode, and a reader makes them where they are missing
(sqlite.org/wal.html, "Read-Only Databases"). Where there is no `-wal` file nobody has the database open and all of it
is in the one file, which is then read as immutable: the folder stays as it is to the byte. Where there is one, its
index `-shm`, which holds nothing of its own, may be made anew.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

from attending.ledger.errors import CorruptLog, NotFound, OtherVersion, StoreUnavailable
from attending.ledger.store import schema
from attending.ledger.store.damage import DAMAGE, is_damage
from attending.ledger.store.port import Answer, Batch, HeadRow, LogRow, Question, Store, StoreFault
from attending.ledger.store.sqlite import SqliteStore
from sqlalchemy import MetaData, QueuePool, Table, create_engine

_BUSY_SECONDS: Final = 10.0
_STREAM_ROWS: Final = 500


class ReadOnlyStore(Store, Protocol):
    """A store whose writing half refuses. `engine` is `sqlite` or `postgresql`; `standby` tells whether it follows
    another database and may lag behind it.
    """

    engine: str
    standby: bool

    def snapshot(self) -> AbstractContextManager[None]:
        """All reads within see one committed state. Raises StoreUnavailable at its end when they did not."""

    def changed(self) -> bool:
        """Whether what is open may no longer be what is there: open it anew to follow a ledger."""

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a SELECT that both engines understand, with `?` for parameters. CorruptLog, StoreFault."""

    def stream(self, table: Table) -> Iterator[tuple[Any, ...]]:
        """Every row of a ledger table in the order of its primary key, in flat memory. CorruptLog, StoreFault."""

    def named_rows(self, table: str, log_id: str) -> list[dict[str, Any]]:
        """A small table's rows of one log, by column name; empty when there is no such table."""

    def schema_version(self) -> int:
        """The version of the database's schema."""

    def epoch(self) -> int:
        """How often a writer took over: it rises at every start."""

    def size_bytes(self) -> tuple[int, int]:
        """(bytes of the database, bytes of its write-ahead log that are not in it yet)."""


class ReadHalf:
    """Refuses what a reader must not do, and checks rows for what a damaged page can turn them into."""

    def create_tables(self, metadata: Collection[MetaData]) -> None:
        _refuse()

    def begin(self, question: Question) -> Answer:
        _refuse()

    def apply(self, batch: Batch) -> None:
        _refuse()

    def commit(self) -> None:
        _refuse()

    def rollback(self) -> None:
        _refuse()

    def recover(self) -> None:
        _refuse()

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def heads(self) -> list[tuple[LogRow, HeadRow]]:
        found = self.rows(
            "SELECT log_id, origin, verifier_key, created_at, size, root, last_leaf, log_head.time"
            " FROM log JOIN log_head USING (log_id) ORDER BY log_id"
        )
        kinds = (str, str, str, str, int, bytes, bytes, str)
        for row in found:
            if any(type(value) is not kind for value, kind in zip(row, kinds, strict=True)) or row[4] < 0:
                raise CorruptLog(DAMAGE, reason=CorruptLog.DAMAGED)
        return [(LogRow(*row[:4]), HeadRow(row[0], *row[4:])) for row in found]

    def schema_version(self) -> int:
        return self._counter("schema")

    def epoch(self) -> int:
        return self._counter("epoch")

    def _counter(self, name: str) -> int:
        found = self.rows("SELECT value FROM ledger WHERE name = ?", name)
        if len(found) != 1 or type(found[0][0]) is not int:
            raise CorruptLog(DAMAGE, reason=CorruptLog.DAMAGED)
        return int(found[0][0])

    def _require_version(self) -> None:
        version = self.schema_version()
        if version < schema.SCHEMA_VERSION:
            raise OtherVersion(
                f"database is of schema version {version}, this program reads {schema.SCHEMA_VERSION}: start the"
                " server once, or bring a PostgreSQL database up to date as its administrator",
            )
        if version > schema.SCHEMA_VERSION:
            raise OtherVersion(
                f"database is of schema version {version}, this program reads {schema.SCHEMA_VERSION}:"
                " use the program that wrote it, or a later one",
            )


class ReadOnlySqlite(ReadHalf, SqliteStore):
    """Reads the ledger database `path`, whoever else has it open."""

    engine = "sqlite"
    standby = False

    def __init__(self, path: Path, *, frozen: bool | None = None, any_version: bool = False) -> None:
        """`frozen` reads the one file only; None finds out whether somebody has it open.

        Raises NotFound (no file), StoreUnavailable (cannot be opened), CorruptLog (DATABASE_DAMAGED), and
        OtherVersion unless `any_version`.
        """
        # Not the parent's: that opens a writer, which would create and change files.
        self._path = path
        self._lock = threading.RLock()
        self._within = 0
        try:
            self._seen = self._stamp()
        except FileNotFoundError:
            raise NotFound(f"there is no ledger database `{path}`") from None
        self._frozen = not Path(f"{path}-wal").exists() if frozen is None else frozen
        self._connection = self._connect_reader()
        self._engine = create_engine(
            "sqlite://", creator=self._connect_reader, poolclass=QueuePool, hide_parameters=True
        )
        try:
            if not self.rows("SELECT 1 FROM sqlite_master WHERE name = 'ledger'"):
                raise NotFound(f"`{path}` holds no ledger")
            if not any_version:
                self._require_version()
        except StoreFault as err:
            self.close()
            raise StoreUnavailable(f"database `{path}` cannot be read ({err})") from err
        except BaseException:
            self.close()
            raise

    def changed(self) -> bool:
        """Whether what is open may no longer be what is there: another file, or one read as immutable and opened
        by a server since.
        """
        try:
            now = self._stamp()
        except OSError:
            return True
        if self._frozen:
            return now != self._seen or Path(f"{self._path}-wal").exists()
        return now[:2] != self._seen[:2]

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self._lock:
            if self._within == 0:
                self.rows_of("BEGIN")
            self._within += 1
            try:
                yield
            finally:
                self._within -= 1
                if self._within == 0 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        if self._frozen and self._stamp() != self._seen:
            raise StoreUnavailable("the ledger was opened while it was being read; run the command again")

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.rows_of(sql, parameters)

    def rows_of(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """As `rows`, of any statement."""
        with self._lock, _faults():
            return self._connection.execute(sql, parameters).fetchall()

    def stream(self, table: Table) -> Iterator[tuple[Any, ...]]:
        with _faults():
            cursor = self._connection.cursor()
            cursor.arraysize = _STREAM_ROWS
            cursor.execute(select_in_order(table))
            while part := cursor.fetchmany():
                yield from part

    def named_rows(self, table: str, log_id: str) -> list[dict[str, Any]]:
        if not self.rows("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", table):
            return []
        with self._lock, _faults():
            cursor = self._connection.execute(f"SELECT * FROM {table} WHERE log_id = ?", (log_id,))  # noqa: S608
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def size_bytes(self) -> tuple[int, int]:
        wal = Path(f"{self._path}-wal")
        try:
            return self._path.stat().st_size, wal.stat().st_size
        except FileNotFoundError:
            return self._path.stat().st_size, 0

    def backup_to(self, target: sqlite3.Connection, pages: int, progress: Any) -> None:
        """Copies the whole database by SQLite's online backup, within the snapshot that the caller holds."""
        with self._lock, _faults():
            self._connection.backup(target, pages=pages, progress=progress)

    def close(self) -> None:
        self._engine.dispose()
        self._connection.close()

    def _read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.rows_of(sql, parameters)

    def _connect_reader(self) -> sqlite3.Connection:
        mode = "immutable=1" if self._frozen else "mode=ro"
        try:
            connection = sqlite3.connect(
                f"{self._path.resolve().as_uri()}?{mode}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=_BUSY_SECONDS,
            )
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
        except sqlite3.Error as err:
            raise StoreUnavailable(f"database `{self._path}` cannot be opened") from err
        return connection

    def _stamp(self) -> tuple[int, int, int, int]:
        found = os.stat(self._path)
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def open_read_only(folder: Path | None, conninfo: str | None) -> ReadOnlyStore:
    """The ledger of a database where `conninfo` says how to reach it, of `folder` otherwise.

    Raises NotFound, StoreUnavailable, CorruptLog and OtherVersion.
    """
    if conninfo is not None:
        from attending.ledger.store.read_only_postgres import ReadOnlyPostgres

        return ReadOnlyPostgres(conninfo)
    assert folder is not None
    return ReadOnlySqlite(folder / "ledger.db")


def select_in_order(table: Table) -> str:
    """The SELECT of every column of a table of the ledger, in the order of its key, for either engine."""
    names = ", ".join(column.name for column in table.columns)
    order = ", ".join(column.name for column in table.primary_key)
    return f"SELECT {names} FROM {table.name} ORDER BY {order}"  # noqa: S608 - names of the schema


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError:  # the driver could not even read SQLite's own message, which quotes the page
        raise CorruptLog(DAMAGE, reason=CorruptLog.DAMAGED) from None
    except sqlite3.Error as err:
        fault = StoreFault(str(getattr(err, "sqlite_errorname", type(err).__name__)))
        # A text that is no UTF-8 is what a flipped byte makes of one; its error has no code.
        if is_damage(fault) or "decode" in str(err):
            raise CorruptLog(DAMAGE, reason=CorruptLog.DAMAGED) from None
        raise fault from err


def _refuse() -> NoReturn:
    raise StoreFault("store was opened for reading")

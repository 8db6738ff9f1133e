"""Reading a ledger in PostgreSQL without being its server: one read-only connection, also to a standby."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self

import psycopg
from attending.ledger.errors import CorruptLog, NotFound, StoreUnavailable, UnsafeSettings
from attending.ledger.store.damage import DAMAGE, is_damage
from attending.ledger.store.port import StoreFault
from attending.ledger.store.postgres import Connection, PostgresStore
from attending.ledger.store.postgres_schema import SCHEMA
from attending.ledger.store.read_only import ReadHalf, select_in_order
from psycopg import sql as compose
from sqlalchemy import QueuePool, Table, create_engine

# No statement timeout: counting and copying a large log takes as long as it takes, and holds no lock that an
# append waits for.
_SETTINGS: Final = {"default_transaction_read_only": "on"}
_STREAM_ROWS: Final = 500


class ReadOnlyPostgres(ReadHalf, PostgresStore):
    """Reads the ledger of a database. The login needs SELECT on its tables: that of the servers has it."""

    engine = "postgresql"

    def __init__(self, conninfo: str) -> None:
        """Raises StoreUnavailable (nobody answers, no right to read), NotFound (no ledger), OtherVersion."""
        # Not the parent's: that opens a writer, and asks of the server what only a writer needs.
        self._conninfo = conninfo
        self._given = False
        self._use(self._connect(dict(_SETTINGS)))
        try:
            self._begin_reading()
        except BaseException:
            self.close()
            raise

    @classmethod
    def over(cls, connection: Connection) -> Self:
        """Reads within the transaction that `connection` has open, which stays the caller's to end and close."""
        store = cls.__new__(cls)
        store._conninfo, store._given = "", True
        store._use(connection)
        store._within = 1
        store.standby = False
        return store

    def _use(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.RLock()
        self._within = 0
        self._engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: self._connect(dict(_SETTINGS)),
            poolclass=QueuePool,
            hide_parameters=True,
        )

    def _begin_reading(self) -> None:
        try:
            self.standby = bool(self.rows("SELECT pg_is_in_recovery()")[0][0])
            if not self.rows("SELECT to_regclass('ledger')::text")[0][0]:
                raise NotFound("the database holds no ledger")
            self._require_version()
        except StoreFault as err:
            if "InsufficientPrivilege" in str(err):
                raise UnsafeSettings("the login may not read the ledger's tables") from err
            raise StoreUnavailable(f"database cannot be read ({err})") from err

    def changed(self) -> bool:
        """Whether the connection is gone."""
        return self._connection.closed or self._connection.broken

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self._lock:
            if self._within == 0:
                self.rows("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self._within += 1
            try:
                yield
            finally:
                self._within -= 1
                if self._within == 0 and not self._connection.broken:
                    self._connection.execute("ROLLBACK")

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self._read(sql.replace("?", "%s"), parameters)

    def stream(self, table: Table) -> Iterator[tuple[Any, ...]]:
        # A cursor of the server's, so that a large table is never all here.
        with (
            self.snapshot(),
            _faults(),
            self._connection.cursor(name=f"all_{table.name}", binary=True) as cursor,
        ):
            cursor.itersize = _STREAM_ROWS
            cursor.execute(select_in_order(table).encode())
            yield from cursor

    def named_rows(self, table: str, log_id: str) -> list[dict[str, Any]]:
        if not self._read("SELECT to_regclass(%s)::text", (table,))[0][0]:
            return []
        with self._lock, _faults():
            query = compose.SQL("SELECT * FROM {} WHERE log_id = %s").format(compose.Identifier(table))
            cursor = self._connection.execute(query, (log_id,))
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def size_bytes(self) -> tuple[int, int]:
        """(bytes of the ledger's schema with its indexes, 0: the write-ahead log is the whole server's)."""
        found = self._read(
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r'",
            (SCHEMA,),
        )
        return int(found[0][0]), 0

    def close(self) -> None:
        self._engine.dispose()
        if not self._given:
            self._connection.close()

    def _read(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock, _faults():
            if self._within == 0 and self.changed():
                self._connection = self._reconnect()
            cursor = self._connection.cursor(binary=True)
            cursor.execute(sql.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def _reconnect(self) -> Connection:
        try:
            return self._connect(dict(_SETTINGS))
        except StoreUnavailable as err:
            raise StoreFault("database cannot be reached") from err


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as err:
        fault = StoreFault(f"{type(err).__name__} {err.sqlstate or ''}".strip())
        if is_damage(fault):
            raise CorruptLog(DAMAGE, reason=CorruptLog.DAMAGED) from None
        raise fault from err

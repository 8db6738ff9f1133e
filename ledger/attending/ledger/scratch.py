"""Projection rows of one log in a temporary database: where they are made again before anything is replaced.

SQLite keeps it in memory as long as it is small and in an unlinked temporary file when it is not, so that memory is
bounded, and nothing is left behind by a kill (sqlite.org/inmemorydb.html, temporary databases).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from attending.ledger.projection import RowWrite, resolve
from attending.ledger.store import schema
from attending.ledger.store.rows import ProjectionWriter
from sqlalchemy import Column, Select, StaticPool, Table, create_engine, func, select, tuple_

CHUNK_ROWS: Final = 500

Query = Callable[[Select[Any]], Sequence[Mapping[str, Any]]]
"""Runs a select, here or in a store, and gives its rows as mappings by column."""


class Scratch:
    """Rows of one log in registered tables. For one thread; `close` when done."""

    def __init__(self, log_id: str, tables: Sequence[Table]) -> None:
        self._log_id = log_id
        self._writer = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._writer.execute("PRAGMA journal_mode = OFF")
        self._writer.execute("PRAGMA synchronous = OFF")
        for statement in schema.sqlite_objects(tables).values():
            self._writer.execute(statement)
        self._rows = ProjectionWriter()
        self._engine = create_engine(
            "sqlite://", creator=lambda: self._writer, poolclass=StaticPool, hide_parameters=True
        )
        self._reader = self._engine.connect()

    def close(self) -> None:
        """Drops everything."""
        self._reader.close()
        self._engine.dispose()
        self._writer.close()

    def write(self, rows: Sequence[RowWrite]) -> None:
        """Writes rows that hold no placeholders, keys with their `log_id`. Raises sqlite3.Error, or TypeError or
        ValueError for a value of the wrong type.
        """
        for row in rows:
            self._rows.write(self._writer, resolve(row, 0, ""))

    def read(self, table: Table, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The row with that key, which may leave out `log_id`."""
        # With it in any case: it leads the primary key, which would be of no use without.
        whole = {**key, "log_id": self._log_id}
        found = self.query(select(table).where(*(table.c[name] == value for name, value in whole.items())))
        return found[0] if found else None

    def query(self, statement: Select[Any]) -> list[Mapping[str, Any]]:
        """The rows of a select as mappings by column."""
        return [dict(row._mapping) for row in self._reader.execute(statement)]

    def count(self, table: Table) -> int:
        """Number of rows of a table."""
        return int(self._reader.execute(select(func.count()).select_from(table)).scalar_one())


def pages(query: Query, table: Table, log_id: str) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The table's rows of a log, at most CHUNK_ROWS a page, in whatever order their database gives to keys."""
    keys = row_key(table)
    statement = select(table).where(table.c.log_id == log_id).order_by(*keys).limit(CHUNK_ROWS)
    page = query(statement)
    while page:
        yield page
        last = [page[-1][column.key] for column in keys]
        page = query(statement.where(tuple_(*keys) > tuple_(*last)))


def rows_with(
    query: Query, table: Table, log_id: str, rows: Sequence[Mapping[str, Any]]
) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """The table's rows that have a key of `rows`, by `key_of`."""
    keys = row_key(table)
    wanted = tuple_(*keys).in_([key_of(table, row) for row in rows])
    found = query(select(table).where(table.c.log_id == log_id, wanted))
    return {key_of(table, row): row for row in found}


def row_key(table: Table) -> list[Column[Any]]:
    """The primary key without `log_id`."""
    return [column for column in table.primary_key if column.key != "log_id"]


def key_of(table: Table, row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The row's values of `row_key`."""
    return tuple(row[column.key] for column in row_key(table))

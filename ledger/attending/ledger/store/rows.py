"""Projection rows written over a plain SQLite connection, inside the transaction that the store has open."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, NamedTuple

from attending.ledger.store.port import ProjectionRow
from sqlalchemy import Table
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.schema import ScalarElementColumnDefault


class _Statements(NamedTuple):
    update: str | None
    insert: str
    delete: str
    keys: list[tuple[str, Callable[[Any], Any] | None]]
    values: list[tuple[str, Callable[[Any], Any] | None]]
    defaults: list[Any]


class ProjectionWriter:
    """Writes projection rows over a plain connection, with statements and type conversions of their tables.

    An existing row is updated in the columns given; otherwise a row is inserted, with the columns' scalar
    defaults. Not an upsert statement: that would need every NOT NULL column of a row that exists.
    """

    def __init__(self) -> None:
        self._dialect = SQLiteDialect_pysqlite()
        self._statements: dict[tuple[Table, tuple[str, ...]], _Statements] = {}

    def write(self, connection: sqlite3.Connection, row: ProjectionRow) -> None:
        """Writes one row; raises sqlite3.Error, or TypeError or ValueError for a value of the wrong type."""
        values = {} if row.values is None else row.values
        shape = (row.table, tuple(values))
        statements = self._statements.get(shape)
        if statements is None:
            statements = self._statements[shape] = self._prepare(row.table, tuple(values))
        key = [convert(row.key[n]) if convert else row.key[n] for n, convert in statements.keys]
        if row.values is None:
            connection.execute(statements.delete, key)
            return
        bound = [convert(values[n]) if convert else values[n] for n, convert in statements.values]
        if statements.update and connection.execute(statements.update, (*bound, *key)).rowcount:
            return
        connection.execute(statements.insert, (*key, *bound, *statements.defaults))

    def clear(self, connection: sqlite3.Connection, table: Table, log_id: str) -> None:
        """Deletes the table's rows of one log."""
        name = self._dialect.identifier_preparer.quote(table.name)
        connection.execute(f"DELETE FROM {name} WHERE log_id = ?", (log_id,))  # noqa: S608 - as below

    def drop(self, connection: sqlite3.Connection, table: Table) -> None:
        """Drops the table, its indexes with it."""
        connection.execute(f"DROP TABLE {self._dialect.identifier_preparer.quote(table.name)}")

    def _prepare(self, table: Table, names: tuple[str, ...]) -> _Statements:
        def bind(name: str) -> tuple[str, Callable[[Any], Any] | None]:
            kind = table.columns[name].type
            return name, kind.dialect_impl(self._dialect).bind_processor(self._dialect)

        quote = self._dialect.identifier_preparer.quote
        keys = [column.key for column in table.primary_key]
        scalars = {
            column.key: column.default.arg
            for column in table.columns
            if column.key not in (*keys, *names) and isinstance(column.default, ScalarElementColumnDefault)
        }
        columns = [quote(table.columns[name].name) for name in (*keys, *names, *scalars)]
        where = " AND ".join(f"{quote(table.columns[name].name)} = ?" for name in keys)
        assign = ", ".join(f"{quote(table.columns[name].name)} = ?" for name in names)
        target, marks = quote(table.name), ", ".join("?" for _ in columns)
        defaults = []
        for name, value in scalars.items():
            convert = bind(name)[1]
            defaults.append(convert(value) if convert else value)
        return _Statements(  # names come from the registered table, values are bound
            f"UPDATE {target} SET {assign} WHERE {where}" if names else None,  # noqa: S608
            f"INSERT INTO {target} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
            + ("" if names else " ON CONFLICT DO NOTHING"),
            f"DELETE FROM {target} WHERE {where}",  # noqa: S608
            [bind(name) for name in keys],
            [bind(name) for name in names],
            defaults,
        )

"""Projection rows as single PostgreSQL statements, to be sent in a pipeline inside the open transaction."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from attending.ledger.store.port import ProjectionRow
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.sql.schema import ScalarElementColumnDefault

_DIALECT: Final = PGDialect()  # type: ignore[no-untyped-call]


class _Statements(NamedTuple):
    write: str
    delete: str
    keys: list[str]
    names: list[str]
    defaults: list[Any]


class ProjectionStatements:
    """Makes the statement of a projection row; see `store.rows` for what writing one means.

    The update and the insert that follows when there was nothing to update are one statement: a round trip
    each would cost more than the work. Not an upsert: that checks NOT NULL columns before the conflict.
    """

    def __init__(self) -> None:
        self._statements: dict[tuple[Table, tuple[str, ...]], _Statements] = {}

    def of(self, row: ProjectionRow) -> tuple[str, list[Any]]:
        """(statement, parameters) that writes one row."""
        values = {} if row.values is None else row.values
        shape = (row.table, tuple(values))
        statements = self._statements.get(shape)
        if statements is None:
            statements = self._statements[shape] = _prepare(row.table, tuple(values))
        key = [row.key[name] for name in statements.keys]
        if row.values is None:
            return statements.delete, key
        bound = [values[name] for name in statements.names]
        inserted = [*key, *bound, *statements.defaults]
        return statements.write, [*bound, *key, *inserted] if bound else inserted


def _prepare(table: Table, names: tuple[str, ...]) -> _Statements:
    quote = _DIALECT.identifier_preparer.quote

    def column(name: str) -> str:
        return quote(table.columns[name].name)

    def mark(name: str) -> str:
        # A parameter in a SELECT has no column to take its type from.
        return f"CAST(%s AS {table.columns[name].type.compile(dialect=_DIALECT)})"

    keys = [item.key for item in table.primary_key]
    scalars = {
        item.key: item.default.arg
        for item in table.columns
        if item.key not in (*keys, *names) and isinstance(item.default, ScalarElementColumnDefault)
    }
    target, all_names = quote(table.name), [*keys, *names, *scalars]
    columns, marks = ", ".join(map(column, all_names)), ", ".join(map(mark, all_names))
    where = " AND ".join(f"{column(name)} = {mark(name)}" for name in keys)
    if names:
        assign = ", ".join(f"{column(name)} = {mark(name)}" for name in names)
        write = (  # names come from the registered table, values are bound
            f"WITH updated AS (UPDATE {target} SET {assign} WHERE {where} RETURNING 1)"  # noqa: S608
            f" INSERT INTO {target} ({columns}) SELECT {marks} WHERE NOT EXISTS (SELECT 1 FROM updated)"
        )
    else:
        write = f"INSERT INTO {target} ({columns}) SELECT {marks} ON CONFLICT DO NOTHING"
    delete = f"DELETE FROM {target} WHERE {where}"  # noqa: S608
    return _Statements(write, delete, keys, list(names), list(scalars.values()))

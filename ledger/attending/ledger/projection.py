"""Projection rows: what an append writes beside its entries, in the same transaction.

A projection answers questions quickly and holds no truth. Its table's primary key leads with `log_id`, which
the ledger fills in, so that no append can reach into another log. Values that the sequencer decides are
written as placeholders: `EntryIndex`, `EntryTime` and `RecordId` of the append's own entries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from attending.ledger.entry import Commitment
from attending.ledger.store.port import ProjectionRow
from sqlalchemy import Table


@dataclass(frozen=True, slots=True)
class EntryIndex:
    """Stands for the index that entry number `entry` of the append is given."""

    entry: int = 0


@dataclass(frozen=True, slots=True)
class EntryTime:
    """Stands for the log's time of the append, `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""


@dataclass(frozen=True, slots=True)
class RecordId:
    """Stands for the vault record of payload number `payload` of entry number `entry`."""

    entry: int = 0
    payload: int = 0


@dataclass(frozen=True, slots=True)
class RowWrite:
    """One row of a projection table: created, or updated in the columns that `values` names; None deletes it.

    `key` names every primary-key column but `log_id`, which may be left out.
    """

    table: Table
    key: Mapping[str, Any]
    values: Mapping[str, Any] | None


RowReader = Callable[[Table, Mapping[str, Any]], Mapping[str, Any] | None]
"""Reads the row of a table with a key (`log_id` left out); None when there is none."""


@dataclass(slots=True)
class _Change:
    """What is to happen to one row: `anew` deletes what is stored first, `values` None leaves nothing."""

    row: RowWrite
    anew: bool
    values: dict[str, Any] | None


class RowBuffer:
    """Rows of one log that are about to be written, on top of those that are stored.

    A row that is written several times comes out as one write. `read` sees what was written before.
    """

    def __init__(self, stored: RowReader = lambda _table, _key: None) -> None:
        self._stored = stored
        self._changes: dict[tuple[str, tuple[Any, ...]], _Change] = {}

    def __len__(self) -> int:
        return len(self._changes)

    def read(self, table: Table, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The row as it will be, or in those columns that are known; None when there is none."""
        change = self._changes.get(_slot(table, key))
        if change is None:
            return self._stored(table, key)
        if change.values is None:
            return None
        before = None if change.anew else self._stored(table, key)
        return change.values if before is None else {**before, **change.values}

    def write(self, row: RowWrite) -> None:
        """Adds a write; later ones win, column by column."""
        slot = _slot(row.table, row.key)
        change = self._changes.get(slot)
        if change is None:
            change = self._changes[slot] = _Change(row, False, {})
        if row.values is None:
            change.anew, change.values = True, None
        else:
            change.values = {**(change.values or {}), **row.values}

    def take(self) -> list[RowWrite]:
        """Every row that was written, in the order of its first write; the buffer is then empty."""
        taken = []
        for change in self._changes.values():
            table, key = change.row.table, change.row.key
            if change.anew:
                taken.append(RowWrite(table, key, None))
            if change.values is not None:
                taken.append(RowWrite(table, key, change.values))
        self._changes.clear()
        return taken


_PLACEHOLDERS = (EntryIndex, EntryTime, RecordId)


def check_rows(
    tables: Mapping[str, Table],
    log_id: str,
    rows: Sequence[RowWrite],
    commitments: Sequence[Sequence[Commitment]],
) -> list[RowWrite]:
    """`rows` with `log_id` in their keys and records in place of RecordId, checked against their tables.

    `commitments` are those of each entry of the append. Raises ValueError for the programmer's errors: a
    table that was not registered, a key or column that it does not have, another log's id, a placeholder
    that points nowhere.
    """
    checked = []
    for row in rows:
        table = row.table
        if tables.get(table.name) is not table:
            raise ValueError(f"table `{table.name}` is not registered with the ledger")
        key = {"log_id": log_id, **row.key}
        names = [column.name for column in table.primary_key]
        if names[:1] != ["log_id"] or key.keys() != set(names) or key["log_id"] != log_id:
            raise ValueError(f"key of a `{table.name}` row is not its primary key within this log")
        values = row.values
        if values is not None and not values.keys() <= set(table.columns.keys()) - key.keys():
            raise ValueError(f"values of a `{table.name}` row name an unknown or a key column")
        key = {name: _settle(value, commitments) for name, value in key.items()}
        if values is not None:
            values = {name: _settle(value, commitments) for name, value in values.items()}
        checked.append(RowWrite(table, key, values))
    return checked


def resolve(row: RowWrite, first_index: int, time: str) -> ProjectionRow:
    """The row with the sequencer's decisions in place of the last placeholders."""
    values = row.values
    return ProjectionRow(
        row.table,
        _resolve(row.key, first_index, time),
        None if values is None else _resolve(values, first_index, time),
    )


def _slot(table: Table, key: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    return table.name, tuple(key[column.key] for column in table.primary_key if column.key != "log_id")


def _settle(value: Any, commitments: Sequence[Sequence[Commitment]]) -> Any:
    if type(value) is RecordId:
        try:
            return commitments[value.entry][value.payload].record
        except IndexError:
            raise ValueError("placeholder names a payload that the append does not have") from None
    if type(value) is EntryIndex and not 0 <= value.entry < len(commitments):
        raise ValueError("placeholder names an entry that the append does not have")
    return value


def _resolve(values: Mapping[str, Any], first_index: int, time: str) -> dict[str, Any]:
    resolved = {}
    for name, value in values.items():
        kind = type(value)
        if kind in _PLACEHOLDERS:
            value = time if kind is EntryTime else first_index + value.entry  # noqa: PLW2901
        resolved[name] = value
    return resolved

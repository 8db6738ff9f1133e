"""Making projections again from the entries of their log, and comparing them with those that are stored.

Order of a rebuild; nothing is written before every log has been verified and replayed:
  1. verify every entry up to the head, which was compared with its tiles and its published copy at the opening
  2. replay the entries through the reducer into a temporary database
  3. in one transaction note durably that a rebuild is under way, and delete the old rows
  4. write the new rows, some hundreds a transaction, so that memory and write-ahead log stay bounded
  5. take the note back
A crash before 3 leaves everything as it was. Between 3 and 5 it leaves rows that are not all there, and a note
for which the ledger is not opened (PROJECTIONS_INCOMPLETE) until a rebuild has come to its end. Opening sets the
same note when it finds a table missing or of another shape. Entries, payloads, claims and keys are never touched.

An embedded ledger's folder lock is held throughout: nothing appends meanwhile. With PostgreSQL the logs are stopped
(REBUILDING) from step 3 to step 5, and servers should be down: one that runs would answer from rows that are not all
there. An entry that another process appends between steps 1 and 3 is noticed, and nothing is written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from attending.ledger.custody import tables as custody
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.errors import CorruptLog, NotFound, StoreUnavailable, VerificationError
from attending.ledger.merkle import MAX_TREE_SIZE
from attending.ledger.opening import LedgerConfig, Opened, open_folder, verify_stored
from attending.ledger.projection import RowBuffer, RowReader, RowWrite, check_rows
from attending.ledger.scratch import Scratch, key_of, pages, row_key, rows_with
from attending.ledger.store.port import (
    Batch,
    ProjectionRow,
    Question,
    RowRefused,
    StopRow,
    Store,
    StoreFault,
    all_tables,
)
from attending.ledger.submission import LogState
from sqlalchemy import MetaData, Select, Table
from sqlalchemy.exc import DBAPIError

REBUILDING: Final = "REBUILDING"
"""Stop of the logs while their rows are replaced, where several processes write to one database."""
_READ_ENTRIES: Final = 256
MAX_DIFFERENCES: Final = 1_000
"""Differences of one log that are named; what is past that is counted only."""

EntryReducer = Callable[[Entry, RowReader], Sequence[RowWrite]]
"""The rows that an entry led to, given the rows that earlier entries of its log led to. Pure."""


class Stage(StrEnum):
    """What a rebuild is at."""

    VERIFY = "verify"
    REPLAY = "replay"
    COMPARE = "compare"
    WRITE = "write"


Progress = Callable[[Stage, str, int, int], None]
"""Told (stage, log id, done, of how many): entries while replaying, rows while writing; 0 of n at a stage's
begin."""


class Kind(StrEnum):
    """How a stored row differs from what the entries give."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Difference:
    """One row, by table and primary key, with the columns that differ. It holds no value but the key's."""

    kind: Kind
    table: str
    key: Mapping[str, Any]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replayed:
    """A log whose projections were made again: its entries, and the rows that they give, by table.

    `differences` of a check are at most MAX_DIFFERENCES, of `different` rows in all.
    """

    log_id: str
    entries: int
    rows: Mapping[str, int]
    differences: tuple[Difference, ...] = ()
    different: int = 0


def rebuild(
    config: LedgerConfig,
    metadata: Sequence[MetaData],
    reducer: EntryReducer,
    *,
    logs: Collection[str] | None = None,
    progress: Progress = lambda *_: None,
    store: Store | None = None,
) -> list[Replayed]:
    """Makes the projections of `logs` (all when None, or when an earlier rebuild was cut short) again.

    `metadata` are the projection tables as for `Ledger.open`, `store` replaces the SQLite file. Blocks.

    Raises, with nothing changed: LedgerLocked, NotFound (no such ledger or log), UnsafeSettings, CorruptLog
    (evidence does not verify; NOT_REPLAYABLE: an entry does not say what its projection needs). StoreUnavailable:
    the store failed; once the replacing began, the ledger is not opened until a rebuild ends.
    """
    metadata = (custody.metadata, *metadata)
    tables = all_tables(metadata)
    with _opened(config, metadata, store) as opened, ExitStack() as stack:
        states = _chosen(opened, None if opened.store.rebuilding() else logs)
        made: dict[str, Scratch] = {}
        for state in states:
            scratch = made[state.row.log_id] = stack.enter_context(
                closing(Scratch(state.row.log_id, list(tables.values())))
            )
            _replay(opened.store, state, tables, reducer, scratch, progress)
        _replace(opened.store, tables, made, {s.row.log_id: s.edge.size for s in states}, progress)
        return [_replayed(state, tables, made[state.row.log_id]) for state in states]


def check(
    config: LedgerConfig,
    metadata: Sequence[MetaData],
    reducer: EntryReducer,
    *,
    logs: Collection[str] | None = None,
    progress: Progress = lambda *_: None,
    store: Store | None = None,
) -> list[Replayed]:
    """Compares the stored projections of `logs` (all when None) with what their entries give; writes no row.

    Arguments and errors as of `rebuild`.
    """
    metadata = (custody.metadata, *metadata)
    tables = all_tables(metadata)
    checked = []
    with _opened(config, metadata, store) as opened:
        for state in _chosen(opened, logs):
            log_id = state.row.log_id
            with closing(Scratch(log_id, list(tables.values()))) as scratch:
                _replay(opened.store, state, tables, reducer, scratch, progress)
                different, named = 0, list[Difference]()
                for table in tables.values():
                    progress(Stage.COMPARE, log_id, 0, scratch.count(table))
                    for difference in _compare(opened.store, log_id, table, scratch):
                        different += 1
                        if len(named) < MAX_DIFFERENCES:
                            named.append(difference)
                checked.append(_replayed(state, tables, scratch, tuple(named), different))
    return checked


@contextmanager
def _opened(config: LedgerConfig, metadata: Sequence[MetaData], given: Store | None) -> Iterator[Opened]:
    if given is None and config.database is None and not (config.folder / "ledger.db").is_file():
        # Opening would begin a new ledger there.
        raise NotFound("folder holds no ledger")
    opened = open_folder(config, metadata, given, to_rebuild=True)
    try:
        yield opened
    except StoreFault as err:
        raise StoreUnavailable("store failed during the rebuild") from err
    except (sqlite3.Error, DBAPIError) as err:
        # A store says StoreFault, so this is the temporary database: out of space, most likely.
        raise StoreUnavailable(f"temporary database failed ({type(err).__name__})") from None
    finally:
        opened.store.close()
        if opened.lock is not None:
            opened.lock.release()


def _chosen(opened: Opened, logs: Collection[str] | None) -> list[LogState]:
    if logs is None:
        return list(opened.states.values())
    for log_id in logs:
        if log_id not in opened.states:
            raise NotFound("no such log")
    return [opened.states[log_id] for log_id in sorted(set(logs))]


def _replay(
    store: Store,
    state: LogState,
    tables: Mapping[str, Table],
    reducer: EntryReducer,
    scratch: Scratch,
    progress: Progress,
) -> None:
    """Steps 1 and 2 for one log."""
    log_id, size = state.row.log_id, state.edge.size
    progress(Stage.VERIFY, log_id, 0, size)
    verify_stored(store, state)
    buffer, holdings = RowBuffer(scratch.read), custody.Replay()
    for start in range(0, size, _READ_ENTRIES):
        progress(Stage.REPLAY, log_id, start, size)
        for raw in store.entries(log_id, start, min(_READ_ENTRIES, size - start)):
            entry = parse_entry(raw)
            with _replayable(entry):
                holdings.visit(entry)
                for row in check_rows(tables, log_id, reducer(entry, buffer.read), ()):
                    buffer.write(row)
        with _replayable(entry):
            scratch.write(buffer.take())
    scratch.write(check_rows(tables, log_id, holdings.rows(), ()))
    progress(Stage.REPLAY, log_id, size, size)


@contextmanager
def _replayable(entry: Entry) -> Iterator[None]:
    """Turns what a reducer or a table's constraint refuses into an error that names no value."""
    try:
        yield
    except (
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        VerificationError,
        sqlite3.IntegrityError,
    ) as err:
        detail = (
            f"rows of `{entry.type}` or of entries shortly before it cannot be made ({type(err).__name__})"
        )
        raise CorruptLog(detail, index=entry.index, reason="NOT_REPLAYABLE") from None


def _replace(
    store: Store,
    tables: Mapping[str, Table],
    made: Mapping[str, Scratch],
    sizes: Mapping[str, int],
    progress: Progress,
) -> None:
    """Steps 3 to 5, over every log at once."""
    stopped = _stop_others(store, sizes)  # 3
    store.mark_rebuilding(True)
    for log_id in made:
        store.clear_rows(log_id, tables.values())
    store.commit()
    for log_id, scratch in made.items():  # 4
        done, total = 0, sum(scratch.count(table) for table in tables.values())
        progress(Stage.WRITE, log_id, 0, total)
        for table in tables.values():
            for page in pages(scratch.query, table, log_id):
                store.begin(Question())
                try:
                    store.apply(Batch(rows=[_row(table, row) for row in page]))
                except RowRefused as err:
                    raise StoreFault("rows were refused that the temporary database took") from err
                store.commit()
                done += len(page)
                progress(Stage.WRITE, log_id, done, total)
    store.begin(Question())  # 5
    store.mark_rebuilding(False)
    store.apply(Batch(stops=[StopRow(log_id, None) for log_id in stopped]))
    store.commit()


def _stop_others(store: Store, log_ids: Mapping[str, int]) -> list[str]:
    """Opens the transaction of step 3. Where other processes may write, it also stops the logs: an append between
    the deletion of its rows and their return would be forgotten. Returns the logs that this, and a rebuild that was
    cut short, stopped. `log_ids` are those whose rows were made again, with their sizes then.
    """
    answer = store.begin(Question(sizes=dict.fromkeys(log_ids, MAX_TREE_SIZE)))
    if any(answer.heads[log_id].size != size for log_id, size in log_ids.items()):
        store.rollback()
        raise StoreFault("another process appended meanwhile")
    if store.shared:
        running = [log_id for log_id in log_ids if log_id not in answer.stops]
        store.apply(Batch(stops=[StopRow(log_id, REBUILDING) for log_id in running]))
        answer.stops.update(dict.fromkeys(running, REBUILDING))
    return [log_id for log_id in log_ids if answer.stops.get(log_id) == REBUILDING]


def _row(table: Table, row: Mapping[str, Any]) -> ProjectionRow:
    names = {column.key for column in table.primary_key}
    key = {name: value for name, value in row.items() if name in names}
    return ProjectionRow(table, key, {name: value for name, value in row.items() if name not in names})


def _compare(store: Store, log_id: str, table: Table, scratch: Scratch) -> Iterator[Difference]:
    """Stored rows against made ones: both ways by key, so that no common order of two databases is needed."""

    def stored(statement: Select[Any]) -> list[Mapping[str, Any]]:
        return [dict(row._mapping) for row in store.query(statement)]

    found = 0
    for page in pages(stored, table, log_id):
        expected = rows_with(scratch.query, table, log_id, page)
        for row in page:
            other = expected.get(key_of(table, row))
            if other is None:
                yield Difference(Kind.EXTRA, table.name, _named(table, row))
                continue
            found += 1
            columns = tuple(name for name in table.columns.keys() if not _same(row[name], other[name]))  # noqa: SIM118
            if columns:
                yield Difference(Kind.DIFFERS, table.name, _named(table, row), columns)
    if found == scratch.count(table):
        return
    for page in pages(scratch.query, table, log_id):
        there = rows_with(stored, table, log_id, page)
        for row in page:
            if key_of(table, row) not in there:
                yield Difference(Kind.MISSING, table.name, _named(table, row))


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _named(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    return {column.key: row[column.key] for column in row_key(table)}


def _replayed(
    state: LogState,
    tables: Mapping[str, Table],
    scratch: Scratch,
    differences: tuple[Difference, ...] = (),
    different: int = 0,
) -> Replayed:
    rows = {name: scratch.count(table) for name, table in tables.items()}
    return Replayed(state.row.log_id, state.edge.size, rows, differences, different)

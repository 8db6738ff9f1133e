"""Projections made again from entries: the same rows to the byte, all or nothing, and never half of them served."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.errors import (
    CorruptLog,
    LedgerLocked,
    NotFound,
    ProjectionsIncomplete,
    StoreUnavailable,
)
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.projection import EntryIndex, EntryTime, RecordId, RowReader, RowWrite
from attending.ledger.rebuild import Difference, EntryReducer, Kind, Stage, check, rebuild
from attending.ledger.store.memory import Fault, MemoryStore
from attending.ledger.store.port import Batch, ProjectionRow, Question, Store
from attending.ledger.store.schema import SQLITE_TRIGGERS
from attending.ledger.store.sqlite import SqliteStore
from sqlalchemy import Column, Integer, MetaData, String, Table, select

from tests.ledger.engine.conftest import LOG, OpenLedger, Tables

OTHER = "other"
MakeStore = Callable[[], Store]


def reducer(tables: Tables) -> EntryReducer:
    """A row a name; `state` gathers the letters that its entries bring, so that it rests on the row before."""

    def reduce(entry: Entry, read: RowReader) -> Sequence[RowWrite]:
        if entry.type != "inference.requested":
            return []
        key = {"name": entry.body["name"]}
        before = read(tables.item, key) or {"state": ""}
        records = [item.record for item in entry.commitments]
        values = {
            "state": before["state"] + entry.body["letter"],
            "urgent": entry.body["urgent"],
            "entry_index": entry.index,
            "record": records[0] if records else None,
            "changed_at": entry.time,
        }
        return [RowWrite(tables.item, key, values)]

    return reduce


async def fill(
    ledger: Ledger, tables: Tables, pending: Callable[..., PendingEntry], log_id: str = LOG
) -> None:
    """Some rows of one entry, some of several, some whose row is written in an append with others."""
    states: dict[str, str] = {}
    for number in range(60):
        name, letter = f"n{number % 23}", "abc"[number % 3]
        states[name] = states.get(name, "") + letter
        texts = (b"text",) if number % 2 else ()
        noise = replace(pending(), type="access.viewed")
        entry = pending(None, *texts, name=name, letter=letter, urgent=number % 5 == 0)
        values: dict[str, Any] = {
            "state": states[name],
            "urgent": number % 5 == 0,
            "entry_index": EntryIndex(1),
            "record": RecordId(1, 0) if texts else None,
            "changed_at": EntryTime(),
        }
        await ledger.append(log_id, [noise, entry], rows=[RowWrite(tables.item, {"name": name}, values)])


class Bench:
    """A closed ledger folder with rows, and what is done to it."""

    def __init__(self, config: LedgerConfig, tables: Tables, make_store: MakeStore) -> None:
        self.config, self.tables, self.make_store = config, tables, make_store

    def check(self, **options: Any) -> list[Difference]:
        found = check(
            self.config,
            [self.tables.metadata],
            reducer(self.tables),
            store=self.make_store(),
            **options,
        )
        assert all(len(log.differences) == log.different for log in found)
        return [difference for log in found for difference in log.differences]

    def rebuild(self, make: EntryReducer | None = None, **options: Any) -> Mapping[str, int]:
        made = rebuild(
            self.config,
            [self.tables.metadata],
            make or reducer(self.tables),
            store=self.make_store(),
            **options,
        )
        return {log.log_id: log.rows["item"] for log in made}

    def rows(self) -> list[tuple[Any, ...]]:
        store = self.make_store()
        found = store.query(
            select(self.tables.item).order_by(self.tables.item.c.log_id, self.tables.item.c.name)
        )
        store.close()
        return [tuple(row) for row in found]

    def write(self, *rows: tuple[str, str, dict[str, Any] | None]) -> None:
        """Puts rows where no append put them."""
        store = self.make_store()
        store.begin(Question())
        item = self.tables.item
        store.apply(
            Batch(
                rows=[ProjectionRow(item, {"log_id": log, "name": name}, value) for log, name, value in rows]
            )
        )
        store.commit()
        store.close()


@pytest.fixture
async def bench(
    open_ledger: OpenLedger, make_store: MakeStore, tables: Tables, pending: Any, tmp_path: Path
) -> Bench:
    (tmp_path / "ledger").mkdir(exist_ok=True)
    ledger = await open_ledger(make_store())
    await ledger.create_log(OTHER, "attending.test/other")
    await fill(ledger, tables, pending)
    await fill(ledger, tables, pending, OTHER)
    await ledger.close()
    return Bench(LedgerConfig(tmp_path / "ledger"), tables, make_store)


async def test_a_rebuild_gives_the_rows_that_the_appends_wrote(bench: Bench) -> None:
    before = bench.rows()
    assert len(before) == 46
    assert bench.check() == []
    assert bench.rebuild() == {LOG: 23, OTHER: 23}
    assert bench.rows() == before


async def test_a_check_names_rows_and_columns_and_changes_nothing(bench: Bench) -> None:
    secret = "Maria Example"
    bench.write(
        (LOG, "n1", None),
        (LOG, "n2", {"state": secret, "entry_index": None}),
        (LOG, "nobody", {"state": secret, "urgent": True}),
        (OTHER, "n3", {"urgent": True}),
    )
    damaged = bench.rows()
    found = bench.check()
    assert sorted(found, key=lambda one: (one.kind, one.key["name"])) == [
        Difference(Kind.DIFFERS, "item", {"name": "n2"}, ("state", "entry_index")),
        Difference(Kind.DIFFERS, "item", {"name": "n3"}, ("urgent",)),
        Difference(Kind.EXTRA, "item", {"name": "nobody"}),
        Difference(Kind.MISSING, "item", {"name": "n1"}),
    ]
    assert secret not in repr(found)
    assert bench.rows() == damaged


async def test_a_rebuild_repairs_one_log_and_leaves_the_other_alone(bench: Bench) -> None:
    whole = bench.rows()
    bench.write(
        (LOG, "n1", None), (OTHER, "n3", {"state": "wrong"}), (LOG, "nobody", {"state": "", "urgent": True})
    )
    assert bench.rebuild(logs=[LOG]) == {LOG: 23}
    assert [(one.kind, one.key) for one in bench.check()] == [(Kind.DIFFERS, {"name": "n3"})]
    assert bench.rebuild(logs=[LOG, OTHER, LOG]) == {LOG: 23, OTHER: 23}
    assert bench.rows() == whole


async def test_more_rows_than_a_page_are_compared_and_rebuilt(
    open_ledger: OpenLedger, tables: Tables, pending: Any, tmp_path: Path
) -> None:
    store: MakeStore = lambda: SqliteStore(tmp_path / "ledger" / "ledger.db")  # noqa: E731
    (tmp_path / "ledger").mkdir()
    ledger = await open_ledger(store())
    for part in range(13):
        names = [f"{part:02}-{number:03}" for number in range(100)]
        entries = [pending(name=name, letter="a", urgent=False) for name in names]
        rows = [
            RowWrite(
                tables.item,
                {"name": name},
                {"state": "a", "urgent": False, "entry_index": EntryIndex(n), "changed_at": EntryTime()},
            )
            for n, name in enumerate(names)
        ]
        await ledger.append(LOG, entries, rows=rows)
    await ledger.close()
    bench = Bench(LedgerConfig(tmp_path / "ledger"), tables, store)
    whole = bench.rows()
    assert bench.check() == []
    bench.write((LOG, "00-000", None), (LOG, "12-099", None), (LOG, "06-000", {"state": "b"}))
    assert {(one.kind.value, one.key["name"]) for one in bench.check()} == {
        ("missing", "00-000"),
        ("missing", "12-099"),
        ("differs", "06-000"),
    }
    seen: list[tuple[Stage, int, int]] = []
    bench.rebuild(progress=lambda stage, _log, done, total: seen.append((stage, done, total)))
    assert bench.rows() == whole
    assert seen[-1] == (Stage.WRITE, 1300, 1300)
    assert (Stage.REPLAY, 1300, 1300) in seen


async def test_a_ledger_that_is_open_is_refused(
    open_ledger: OpenLedger, tables: Tables, tmp_path: Path
) -> None:
    await open_ledger()
    for act in (rebuild, check):
        with pytest.raises(LedgerLocked):
            act(LedgerConfig(tmp_path / "ledger"), [tables.metadata], reducer(tables))


async def test_what_does_not_exist_is_refused_and_not_made(bench: Bench, tmp_path: Path) -> None:
    before = bench.rows()
    with pytest.raises(NotFound):
        bench.rebuild(logs=[LOG, "nobody"])
    assert bench.rows() == before
    for act in (rebuild, check):
        with pytest.raises(NotFound):
            act(LedgerConfig(tmp_path / "nothing"), [bench.tables.metadata], reducer(bench.tables))
    assert not (tmp_path / "nothing").exists()


def _no_key(entry: Entry, _read: RowReader) -> Sequence[RowWrite]:
    return [] if entry.index < 100 else [entry.body["not there"]]


def _incomplete_row(tables: Tables) -> EntryReducer:
    return lambda entry, _read: [RowWrite(tables.item, {"name": f"n{entry.index}"}, {"record": None})]


async def test_an_entry_that_cannot_be_replayed_changes_nothing(bench: Bench) -> None:
    before = bench.rows()
    for make in (_no_key, _incomplete_row(bench.tables)):
        with pytest.raises(CorruptLog) as refused:
            bench.rebuild(make)
        assert refused.value.reason == "NOT_REPLAYABLE"
        assert refused.value.index is not None
    assert bench.rows() == before
    assert bench.check() == []


@pytest.mark.parametrize("make_store", ["sqlite"], indirect=True)
async def test_entries_that_do_not_verify_change_nothing(bench: Bench, database: Any) -> None:
    before = bench.rows()
    with database() as connection:
        connection.execute("DROP TRIGGER entry_refuse_update")
        data = connection.execute(
            "SELECT data FROM entry WHERE entry_index = 3 AND log_id = ?", (LOG,)
        ).fetchone()
        altered = data[0].replace(b'"letter":"b"', b'"letter":"c"')
        assert altered != data[0]
        connection.execute("UPDATE entry SET data = ? WHERE entry_index = 3 AND log_id = ?", (altered, LOG))
        connection.execute(SQLITE_TRIGGERS["entry_refuse_update"])
    for act in (bench.rebuild, bench.check):
        with pytest.raises(CorruptLog) as refused:
            act()
        assert refused.value.index == 3
    assert bench.rows() == before


@pytest.mark.parametrize("make_store", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("moment", "rows"), [(0, 0), (1, 23), (2, 23), (3, 46)])
@pytest.mark.kill
async def test_kill_9_in_the_middle_is_refused_until_a_rebuild_ends(
    bench: Bench, moment: int, rows: int
) -> None:
    whole = bench.rows()
    killed = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("kill_rebuild.py")),
            str(bench.config.folder),
            str(moment),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert len(bench.rows()) == rows
    with pytest.raises(ProjectionsIncomplete):
        await Ledger.open(bench.config, metadata=[bench.tables.metadata])
    with pytest.raises(ProjectionsIncomplete):  # and it stays so
        await Ledger.open(bench.config)
    assert len(bench.check()) == len(whole) - rows
    # Which log was not finished is not known: all of them are made again, whatever is asked for.
    assert bench.rebuild(logs=[OTHER]) == {LOG: 23, OTHER: 23}
    assert bench.rows() == whole
    ledger = await Ledger.open(bench.config, metadata=[bench.tables.metadata])
    await ledger.close()


@pytest.mark.parametrize("make_store", ["sqlite"], indirect=True)
async def test_a_kill_before_anything_is_replaced_leaves_everything(bench: Bench) -> None:
    class Killed(BaseException):
        pass

    def progress(stage: Stage, log_id: str, *_: int) -> None:
        if (stage, log_id) == (Stage.REPLAY, OTHER):
            raise Killed

    before = bench.rows()
    with pytest.raises(Killed):
        bench.rebuild(progress=progress)
    assert bench.rows() == before
    ledger = await Ledger.open(bench.config, metadata=[bench.tables.metadata])
    await ledger.close()


async def test_every_fault_of_the_store_ends_in_whole_rows_or_a_refusal(
    open_ledger: OpenLedger, tables: Tables, pending: Any, tmp_path: Path
) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    await fill(ledger, tables, pending)
    await ledger.close()
    bench = Bench(LedgerConfig(tmp_path / "ledger"), tables, lambda: store)
    whole = bench.rows()
    steps: list[str] = []
    store.fault = lambda step: steps.append(step) or Fault.NONE  # type: ignore[func-returns-value]
    bench.rebuild()
    refused = 0
    for number, step in enumerate(list(steps)):
        for fault in (Fault.LOST, Fault.KEPT) if step == "commit" else (Fault.LOST,):
            calls = iter(range(len(steps) + 1))
            store.fault = lambda _, at=number, what=fault, n=calls: what if next(n, -1) == at else Fault.NONE  # type: ignore[misc]
            with pytest.raises(StoreUnavailable):
                bench.rebuild()
            store.fault = lambda _: Fault.NONE
            if store.rebuilding():
                refused += 1
                with pytest.raises(ProjectionsIncomplete):
                    await Ledger.open(bench.config, metadata=[tables.metadata], store=store)
                bench.rebuild()
            assert bench.rows() == whole
    assert refused >= 4


@pytest.mark.parametrize("most_pages", [2, 9])
async def test_a_temporary_database_without_room_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, most_pages: int
) -> None:
    connect = sqlite3.connect

    def small(path: str, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(path, **options)
        if not path:
            connection.execute(f"PRAGMA max_page_count = {most_pages}")
        return connection

    def many(entry: Entry, _read: RowReader) -> Sequence[RowWrite]:
        return [
            RowWrite(bench.tables.item, {"name": f"{entry.index}"}, {"state": "long" * 400, "urgent": False})
        ]

    before = bench.rows()
    # As it is imported there: the ledger's own file is opened by the same module.
    monkeypatch.setattr("attending.ledger.scratch.sqlite3", SimpleNamespace(connect=small))
    with pytest.raises(StoreUnavailable, match="temporary database failed"):
        bench.rebuild(many)
    monkeypatch.undo()
    assert bench.rows() == before
    assert bench.check() == []


@pytest.mark.parametrize("make_store", ["sqlite"], indirect=True)
async def test_a_table_that_was_dropped_is_made_again(bench: Bench, database: Any) -> None:
    whole = bench.rows()
    with database() as connection:
        connection.execute("DROP TABLE item")
    # A server that made the table and went on would show an empty queue.
    with pytest.raises(ProjectionsIncomplete):
        await Ledger.open(bench.config, metadata=[bench.tables.metadata])
    assert {one.kind for one in bench.check()} == {Kind.MISSING}
    bench.rebuild(logs=[LOG])
    assert bench.rows() == whole
    await (await Ledger.open(bench.config, metadata=[bench.tables.metadata])).close()


@pytest.mark.parametrize("make_store", ["sqlite"], indirect=True)
async def test_a_table_of_another_version_is_made_again_in_its_present_shape(
    bench: Bench, database: Any
) -> None:
    whole = bench.rows()
    with database() as connection:
        connection.execute("DROP TABLE item")
        connection.execute("CREATE TABLE item (log_id TEXT, name TEXT, PRIMARY KEY (log_id, name))")
        connection.execute("INSERT INTO item VALUES (?, 'n1')", (LOG,))
    with pytest.raises(ProjectionsIncomplete):
        await Ledger.open(bench.config, metadata=[bench.tables.metadata])
    assert database().execute("SELECT * FROM item").fetchall() == [(LOG, "n1")]
    bench.rebuild(logs=[OTHER])
    assert bench.rows() == whole
    await (await Ledger.open(bench.config, metadata=[bench.tables.metadata])).close()


# With PostgreSQL it is `attending ledger migrate` that makes the table, and sets the mark.
@pytest.mark.parametrize("make_store", ["sqlite", "memory"], indirect=True)
async def test_a_new_table_over_a_log_with_entries_waits_for_a_rebuild(bench: Bench) -> None:
    more = Tables()
    later = Table(
        "later",
        more.metadata,
        Column("log_id", String(63), primary_key=True),
        Column("n", Integer, primary_key=True),
    )

    def reduce(entry: Entry, _read: RowReader) -> Sequence[RowWrite]:
        return [RowWrite(later, {"n": entry.index}, {})]

    both = [bench.tables.metadata, MetaData()]
    await (await Ledger.open(bench.config, metadata=both, store=bench.make_store())).close()
    more.metadata.remove(more.item)
    both = [bench.tables.metadata, more.metadata]
    with pytest.raises(ProjectionsIncomplete):
        await Ledger.open(bench.config, metadata=both, store=bench.make_store())
    made = rebuild(bench.config, both, reduce, store=bench.make_store())
    assert [log.rows["later"] for log in made] == [120, 120]
    await (await Ledger.open(bench.config, metadata=both, store=bench.make_store())).close()


@pytest.mark.parametrize("make_store", ["sqlite"], indirect=True)
async def test_nothing_but_the_rows_changes(bench: Bench, database: Callable[[], sqlite3.Connection]) -> None:
    def contents() -> dict[str, list[Any]]:
        with database() as connection:
            tables = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
            return {
                name: [sql, connection.execute(f"SELECT * FROM {name}").fetchall()]
                for name, sql in tables
                if sql and sql.startswith("CREATE TABLE") and name != "ledger"
            }

    before = contents()
    bench.write((LOG, "n1", None))
    bench.rebuild()
    after = contents()
    after["item"][1].sort()
    before["item"][1].sort()
    assert after == before

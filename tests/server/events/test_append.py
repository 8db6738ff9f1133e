"""Appending events under faults, in two processes at once, after an erasure and without a projection."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.entry import Entry, Payload, parse_entry
from attending.ledger.errors import LedgerError, StoreUnavailable, SubjectErased
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.store.memory import Fault, MemoryStore
from attending.ledger.store.port import Store
from attending.ledger.store.postgres import PostgresStore
from attending.ledger.verify.emitters import completeness
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.errors import Aborted, AlreadyExists
from attending.server.events.append import EventLog
from attending.server.events.check import Event
from attending.server.events.projection import counted
from attending.server.idempotency import Once, once
from attending.v1 import ledger_pb2
from sqlalchemy import Table, select

from tests.ledger.engine.postgres import LOGIN, fresh_database, prepared_cluster
from tests.postgres_cluster import Cluster

LOG = "demo"
APP = Principal("portal", LOG, "app", frozenset({"app"}), "Portal", "mtls")
BODY = {"inference_id": "inf_" + "0" * 32, "source": "monitor", "rating": "wrong"}


def event(sequence: int, *, subject: str | None = None, text: bytes = b"") -> Event:
    payloads = (Payload("comment", text),) if text else ()
    return Event(sequence, "feedback.recorded", None, subject, dict(BODY), payloads)


async def call(ledger: Ledger) -> Once:
    return await once(ledger, LOG, APP.name, uuid.uuid4().hex, ledger_pb2.CloseEmitterRequest())


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A running PostgreSQL with the server's tables; made when a test first asks for it."""
    yield from prepared_cluster(projections.metadata)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def ledger(request: pytest.FixtureRequest, store: MemoryStore, tmp_path: Path) -> AsyncIterator[Ledger]:
    stores: dict[str, Callable[[], Store | None]] = {
        "memory": lambda: store,
        "sqlite": lambda: None,
        "postgres": lambda: postgres_store(request),
    }
    opened = await Ledger.open(
        LedgerConfig(tmp_path / "ledger", publish_interval_seconds=3600.0),
        metadata=[projections.metadata],
        store=stores[request.param](),
    )
    await opened.create_log(LOG, "attending.test/demo")
    yield opened
    await same_as_the_entries(opened)
    await opened.close()


def postgres_store(request: pytest.FixtureRequest) -> Store:
    cluster: Cluster = request.getfixturevalue("cluster")
    return PostgresStore(cluster.conninfo(fresh_database(cluster), LOGIN))


async def entries(ledger: Ledger) -> list[Entry]:
    found: list[Entry] = []
    while more := await ledger.list_entries(LOG, len(found), 1000):
        found += more
    return found


async def same_as_the_entries(ledger: Ledger) -> None:
    """The rows as stored are those that the entries lead to, one by one; and the counters hold no contradiction."""
    stored = await entries(ledger)
    rows: dict[tuple[str, tuple[Any, ...]], dict[str, Any]] = {}

    def slot(table: Table, key: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        return table.name, tuple(key[c.name] for c in table.primary_key if c.name != "log_id")

    def read(table: Table, key: Mapping[str, Any]) -> dict[str, Any] | None:
        return rows.get(slot(table, key))

    for entry in stored:
        for row in counted(entry, read):
            rows.setdefault(slot(row.table, row.key), {}).update({**row.key, **(row.values or {})})
    for table in (projections.emitter, projections.emitter_event):
        found = [dict(row._mapping) for row in await ledger.query(select(table))]
        told = [{"log_id": LOG, **row} for (name, _key), row in rows.items() if name == table.name]
        by_key: Callable[[dict[str, Any]], str] = lambda row: repr(slot(table, row))  # noqa: E731
        assert sorted(found, key=by_key) == sorted(told, key=by_key)
    assert completeness(stored).problems == []


async def sequences(ledger: Ledger) -> list[int]:
    return [
        entry.body["emitter"]["sequence"]
        for entry in await entries(ledger)
        if "sequence" in entry.body["emitter"]
    ]


async def test_rows_are_those_of_the_entries(ledger: Ledger) -> None:
    events = EventLog(ledger)
    await events.append(APP, "one", [event(2, subject="p"), event(5, text=b"x")])
    await events.append(APP, "one", [event(1), event(5, text=b"x"), event(6)])
    await events.append(APP, "two", [event(3)])
    await events.close(APP, "two", 4, await call(ledger))
    await events.append(APP, "two", [event(1)])
    await events.close(APP, "none", 0, await call(ledger))
    found = {name: known for _actor, name, known in await events.listed(LOG, None, None, limit=9, offset=0)}
    assert found["one"].sequences.ranges() == [(1, 2), (5, 6)]
    assert (found["two"].issued, list(found["two"].sequences.missing(4))) == (4, [(2, 2), (4, 4)])
    assert (found["none"].issued, found["none"].sequences.count) == (0, 0)


async def test_two_processes_take_each_sequence_once(ledger: Ledger) -> None:
    """Two event logs over one ledger share nothing but it, as two server processes do."""
    first, second = EventLog(ledger), EventLog(ledger)

    async def send(log: EventLog, start: int) -> list[tuple[int, int]]:
        places = []
        for number in range(start, start + 20):
            done = await log.append(APP, "shared", [event(number), event(number + 1)])
            places += [(item.sequence, item.index) for item in done]
        return places

    told = await asyncio.gather(send(first, 1), send(second, 1), send(first, 10), send(second, 20))
    places = {place for part in told for place in part}
    assert sorted(sequence for sequence, _index in places) == list(range(1, 41))
    assert sorted(await sequences(ledger)) == list(range(1, 41))


async def test_a_declaration_races_with_events(ledger: Ledger) -> None:
    first, second = EventLog(ledger), EventLog(ledger)
    await first.append(APP, "racing", [event(1)])
    ended = await asyncio.gather(
        first.append(APP, "racing", [event(2)]),
        second.close(APP, "racing", 2, await call(ledger)),
        first.close(APP, "racing", 3, await call(ledger)),
        second.append(APP, "racing", [event(3)]),
        return_exceptions=True,
    )
    # One of the declarations stands; what is past it was refused. `same_as_the_entries` finds no contradiction.
    closed = [end for end in ended if isinstance(end, tuple)]
    assert len(closed) == 1


@pytest.mark.parametrize(("fault", "there"), [(Fault.LOST, False), (Fault.KEPT, True)])
@pytest.mark.parametrize("step", ["apply", "commit"])
async def test_an_unknown_outcome_is_settled_by_sending_again(
    store: MemoryStore, tmp_path: Path, step: str, fault: Fault, there: bool
) -> None:
    ledger = await Ledger.open(LedgerConfig(tmp_path / "l"), metadata=[projections.metadata], store=store)
    await ledger.create_log(LOG, "attending.test/demo")
    events = EventLog(ledger)
    await events.append(APP, "one", [event(1)])
    faults = [fault]
    store.fault = lambda at: faults.pop() if at == step and faults else Fault.NONE
    with pytest.raises(StoreUnavailable):
        await events.append(APP, "one", [event(2), event(3)])
    assert not faults
    again = await events.append(APP, "one", [event(2), event(3)])
    assert [item.appended is None for item in again] == [there and step == "commit"] * 2
    assert await sequences(ledger) == [1, 2, 3]
    assert ledger.counters.of(LOG).unknown == 1
    await same_as_the_entries(ledger)
    await ledger.close()


async def test_an_erased_person_is_not_compared_any_more(ledger: Ledger) -> None:
    events = EventLog(ledger)
    sent = [event(1, subject="MRN-1", text=b"about a person"), event(2, subject="MRN-1")]
    await events.append(APP, "one", sent)
    pseudonym = (await entries(ledger))[0].subject
    assert pseudonym is not None
    before = await ledger.head(LOG)
    await ledger.erase_subject(LOG, pseudonym)
    with pytest.raises(SubjectErased):
        await events.append(APP, "one", [sent[0]])
    with pytest.raises(AlreadyExists):
        await events.append(APP, "one", [sent[1]])
    # Nothing was appended but the erasure, and the emitter is as complete as before.
    assert (await ledger.head(LOG))[0] == before[0] + 1
    assert (await events.known(LOG, APP.actor, "one")).sequences.ranges() == [(1, 2)]


async def test_a_ledger_without_its_rows_refuses(store: MemoryStore, tmp_path: Path) -> None:
    """Lost projections never lead to a sequence that stands twice: the stream's version is the ledger's own."""
    ledger = await Ledger.open(LedgerConfig(tmp_path / "l"), metadata=[projections.metadata], store=store)
    await ledger.create_log(LOG, "attending.test/demo")
    await EventLog(ledger).append(APP, "one", [event(1), event(2)])

    class Blind(EventLog):
        async def known(self, tenant: str, actor: str, emitter: str) -> Any:
            return await super().known(tenant, actor, "nobody")

    before = await ledger.head(LOG)
    with pytest.raises(Aborted):
        await Blind(ledger).append(APP, "one", [event(1)])
    assert await ledger.head(LOG) == before
    await ledger.close()


async def test_a_cancelled_caller_leaves_the_append_to_go_on(ledger: Ledger) -> None:
    events = EventLog(ledger)
    task = asyncio.create_task(events.append(APP, "one", [event(1)]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    done = await events.append(APP, "one", [event(1), event(2)])
    assert [item.appended is None for item in done] == [True, False]


async def test_every_error_of_the_ledger_leaves_nothing(ledger: Ledger) -> None:
    events = EventLog(ledger)
    ledger.halt(LOG, "OPERATOR")
    with pytest.raises(LedgerError) as caught:
        await events.append(APP, "one", [event(1)])
    assert caught.value.reason == "LOG_HALTED"
    assert (await events.known(LOG, APP.actor, "one")).version == 0
    assert [parse_entry(entry.data) for entry in await entries(ledger)] == []

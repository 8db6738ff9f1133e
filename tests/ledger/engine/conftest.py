"""Ledgers to test with. Each is verified when its test ends, by code that shares nothing with the writer."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.ledger import checkpoint
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.note import VerifierKey
from attending.ledger.store.memory import MemoryStore
from attending.ledger.store.port import Store
from attending.ledger.store.postgres import PostgresStore
from attending.ledger.store.sqlite import SqliteStore
from attending.ledger.verify.segments import verify_chain
from sqlalchemy import BigInteger, Boolean, Column, MetaData, String, Table

from tests.ledger.engine.postgres import LOGIN, fresh_database, prepared_cluster
from tests.postgres_cluster import Cluster

LOG = "clinic"
ORIGIN = "attending.test/clinic"
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that moves a millisecond at every look, and wherever a test puts it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


class Tables:
    """Projection tables as a server would register them."""

    def __init__(self) -> None:
        self.metadata = MetaData()
        self.item = Table(
            "item",
            self.metadata,
            Column("log_id", String(63), primary_key=True),
            Column("name", String(64), primary_key=True),
            Column("state", String(16), nullable=False),
            Column("urgent", Boolean, nullable=False, default=False),
            Column("entry_index", BigInteger),
            Column("record", String(64)),
            Column("changed_at", String(27)),
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
def pending() -> Callable[..., PendingEntry]:
    """Makes pending entries, each on a stream of its own unless told."""
    numbers = itertools.count()

    def make(
        stream: str | None = None, *texts: bytes, subject: str | None = None, **body: Any
    ) -> PendingEntry:
        number = next(numbers)
        payloads = tuple(Payload("prompt", text) for text in texts)
        return PendingEntry(
            "inference.requested",
            stream or f"inf-{number}",
            "app:test",
            subject,
            {"n": number, **body},
            payloads,
        )

    return make


async def verify_independently(ledger: Ledger, store: Store) -> None:
    """Every log from its stored bytes to its signed head, without the sequencer's tree, tiles or caches."""
    for log_id in ledger.logs():
        stored = store.entries(log_id, 0, 1_000_000)
        frontier = verify_chain(stored, ledger.origin(log_id))
        head = checkpoint.verify(
            await ledger.checkpoint(log_id), [VerifierKey.parse(ledger.verifier_key(log_id))]
        )
        assert (head.size, head.root) == (frontier.size, frontier.root())
        assert head.size == (await ledger.head(log_id))[0]


OpenLedger = Callable[..., Awaitable[Ledger]]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running PostgreSQL with the login of a server; made when a test first asks for it."""
    yield from prepared_cluster(Tables().metadata)


@pytest.fixture
def postgres_database(cluster: Cluster) -> str:
    """The name of a fresh database of `cluster`."""
    return fresh_database(cluster)


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Makes the store of a ledger folder; calling again opens the same one."""
    if request.param == "memory":
        memory = MemoryStore()
        return lambda: memory
    if request.param == "postgres":
        cluster = request.getfixturevalue("cluster")
        name = request.getfixturevalue("postgres_database")
        return lambda: PostgresStore(cluster.conninfo(name, LOGIN))
    return lambda: SqliteStore(tmp_path / "ledger" / "ledger.db")


@pytest.fixture
async def open_ledger(tmp_path: Path, clock: Clock, tables: Tables) -> AsyncIterator[OpenLedger]:
    """Opens the ledger folder of the test with a store; what is open at the end is verified and closed."""
    opened: list[tuple[Ledger, Store]] = []

    async def open_with(store: Store | None = None, **settings: Any) -> Ledger:
        folder = tmp_path / "ledger"
        folder.mkdir(exist_ok=True)
        settings = {"publish_interval_seconds": 3600.0} | settings
        store = store or SqliteStore(folder / "ledger.db")
        ledger = await Ledger.open(
            LedgerConfig(folder, **settings), metadata=[tables.metadata], clock=clock, store=store
        )
        opened.append((ledger, store))
        if LOG not in ledger.logs():
            await ledger.create_log(LOG, ORIGIN)
        return ledger

    yield open_with
    for ledger, store in opened:
        if not ledger.closed:
            await verify_independently(ledger, store)
        await ledger.close()


@pytest.fixture
async def ledger(make_store: Callable[[], Store], open_ledger: OpenLedger, tmp_path: Path) -> Ledger:
    """A ledger with one log, on each kind of store."""
    (tmp_path / "ledger").mkdir(exist_ok=True)
    return await open_ledger(make_store())


@pytest.fixture
def database(tmp_path: Path) -> Callable[[], sqlite3.Connection]:
    """A connection of someone who has the file, with none of the ledger's pragmas."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(tmp_path / "ledger" / "ledger.db", isolation_level=None)

    return connect


@pytest.fixture
def gather() -> Callable[..., Awaitable[list[Any]]]:
    """Runs awaitables at once; exceptions are results."""

    async def run(*tasks: Awaitable[Any]) -> list[Any]:
        return await asyncio.gather(*tasks, return_exceptions=True)

    return run

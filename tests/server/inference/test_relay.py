"""A change in one process wakes who waits in another, by the database's word alone: nothing here looks by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
import pytest
from attending.server import projections
from attending.server.inference import relay as relays
from attending.server.inference.relay import CHANNEL, Relay
from attending.server.inference.watch import ANY, Changes

from tests.ledger.engine.postgres import LOGIN, fresh_database, prepared_cluster
from tests.postgres_cluster import Cluster

WAIT_SECONDS = 30


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    yield from prepared_cluster(projections.metadata)


@dataclass
class Side:
    changes: Changes
    relay: Relay


@asynccontextmanager
async def relaying(cluster: Cluster, database: str, owner: str) -> AsyncIterator[Side]:
    changes = Changes()
    relay = Relay(changes, owner, lambda: cluster.conninfo(database, LOGIN))
    task = asyncio.create_task(relay.run())
    try:
        await soon(relay.listening)
        yield Side(changes, relay)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        await event.wait()


@pytest.fixture
async def database(cluster: Cluster) -> str:
    return fresh_database(cluster)


async def test_who_waits_in_another_process_wakes(cluster: Cluster, database: str) -> None:
    async with (
        relaying(cluster, database, "srv-a") as a,
        relaying(cluster, database, "srv-b") as b,
    ):
        with (
            b.changes.subscribe("clinic", "inf_1") as one,
            b.changes.subscribe("clinic", ANY) as of_any,
            b.changes.subscribe("clinic", "inf_2") as another,
            b.changes.subscribe("elsewhere", "inf_1") as elsewhere,
        ):
            a.changes.announce("clinic", "inf_1")
            await soon(one)
            assert of_any.is_set()
            assert not another.is_set()
            assert not elsewhere.is_set(), "another tenant's"
            one.clear()
            # Back the other way, and not back to where it came from.
            with a.changes.subscribe("clinic", "inf_3") as third:
                b.changes.announce("clinic", "inf_3")
                await soon(third)
            assert not one.is_set()


async def test_many_at_once_are_told_as_a_tenant(
    cluster: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "MOST_AT_ONCE", 3)
    async with (
        relaying(cluster, database, "srv-a") as a,
        relaying(cluster, database, "srv-b") as b,
    ):
        with b.changes.subscribe("clinic", "inf_9") as last:
            for number in range(10):
                a.changes.announce("clinic", f"inf_{number}")
            await soon(last)


async def test_after_a_break_everybody_is_woken_and_word_comes_again(cluster: Cluster, database: str) -> None:
    async with (
        relaying(cluster, database, "srv-a") as a,
        relaying(cluster, database, "srv-b") as b,
    ):
        with b.changes.subscribe("clinic", "inf_1") as one:
            cluster.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                f"WHERE datname = '{database}' AND usename = '{LOGIN}'"
            )
            await soon(one)
            one.clear()
            # The sender finds out that its connection is gone by using it: what it told then is lost, and looked for.
            async with asyncio.timeout(WAIT_SECONDS):
                while not one.is_set():
                    a.changes.announce("clinic", "inf_1")
                    await asyncio.sleep(0.05)


async def test_word_of_somebody_else_is_not_believed(cluster: Cluster, database: str) -> None:
    async with relaying(cluster, database, "srv-b") as b:
        with b.changes.subscribe("clinic", "inf_1") as one, b.changes.subscribe("clinic", "inf_2") as two:
            async with await psycopg.AsyncConnection.connect(
                cluster.conninfo(database, LOGIN), autocommit=True
            ) as other:
                for payload in ("", "[]", "{}", "7", '["x"]', '["x", 1, 2]', "\x01", '["x", null, "inf_1"]'):
                    await other.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
                assert not one.is_set()
                await other.execute("SELECT pg_notify(%s, %s)", (CHANNEL, '["srv-c", "clinic", "inf_2"]'))
            await soon(two)
            assert not one.is_set()


async def test_without_a_database_nothing_fails_and_this_process_is_told() -> None:
    changes = Changes()
    relay = Relay(changes, "srv-a", lambda: "host=127.0.0.1 port=1 connect_timeout=1")
    task = asyncio.create_task(relay.run())
    await asyncio.sleep(0)
    with changes.subscribe("clinic", "inf_1") as one:
        changes.announce("clinic", "inf_1")
        await soon(one)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

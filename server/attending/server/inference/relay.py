"""Passes word of a change on to the other processes on the same database, so that whoever waits there wakes at once.

A NOTIFY of PostgreSQL, sent after the commit and on a connection of its own: inside the transaction of an append it
would make all commits of the database wait for each other. So it carries no promise. One that is lost (a kill between
the commit and it, a connection that broke) leaves whoever waits to the look at the database that they take anyway;
after a break everybody is woken once. It holds a tenant and an inference's id, and a reader believes nothing of it but
that it is worth looking.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import psycopg
import structlog
from attending.server.app import App, Component
from attending.server.database import conninfo_of
from attending.server.inference.watch import ANY, Changes

log = structlog.get_logger()

CHANNEL: Final = "attending_changes"
ASK_SECONDS: Final = 10.0
QUIET_SECONDS: Final = 30.0
"""Without word for so long, the connection is asked whether it still is one."""
AGAIN_SECONDS: Final = 1.0
MOST_AT_ONCE: Final = 500
"""Changes that wait to be told; beyond it, everybody of the tenant is told to look."""


class Relay:
    """Belongs to one event loop. `run` goes on until cancelled, through any outage of the database."""

    def __init__(self, changes: Changes, owner: str, conninfo: Callable[[], str]) -> None:
        """`conninfo` is asked for at every connect: a password may have been changed."""
        self._changes = changes
        self._owner = owner
        self._conninfo = conninfo
        self._waiting: dict[tuple[str, str], None] = {}
        self._told = asyncio.Event()
        self.listening = asyncio.Event()
        """Set while what others tell is heard."""

    def tell(self, tenant: str, inference_id: str) -> None:
        """Something changed here; returns at once."""
        slot = (tenant, inference_id)
        if len(self._waiting) >= MOST_AT_ONCE and slot not in self._waiting:
            slot = (tenant, ANY)
        self._waiting[slot] = None
        self._told.set()

    async def run(self) -> None:
        """Listens and tells."""
        self._changes.told_by(self.tell)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._again(self._listen))
                both.create_task(self._again(self._send))
        finally:
            self._changes.told_by(None)

    async def _again(self, work: Callable[[], Awaitable[None]]) -> None:
        failed = False
        while True:
            try:
                await work()
            except (psycopg.Error, OSError, TimeoutError) as err:
                if not failed:
                    log.warning("changes.relay_broken", error_type=type(err).__name__)
                failed = True
            except Exception as err:
                # Nothing may end it while the server runs: those who wait look by themselves meanwhile.
                log.error("changes.relay_failed", error_type=type(err).__name__)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _connect(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        conninfo = await asyncio.to_thread(self._conninfo)
        async with asyncio.timeout(ASK_SECONDS):
            return await psycopg.AsyncConnection.connect(conninfo, autocommit=True)

    async def _listen(self) -> None:
        connection = await self._connect()
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await connection.execute(f"LISTEN {CHANNEL}")
            # What was told before, nobody here heard.
            self._changes.announce_all()
            self.listening.set()
            while True:
                async for heard in connection.notifies(timeout=QUIET_SECONDS):
                    self._hear(heard.payload)
                async with asyncio.timeout(ASK_SECONDS):
                    await connection.execute("SELECT 1")
        finally:
            self.listening.clear()
            await _close(connection)

    async def _send(self) -> None:
        connection = await self._connect()
        try:
            while True:
                await self._told.wait()
                self._told.clear()
                waiting, self._waiting = list(self._waiting), {}
                words = [json.dumps([self._owner, *slot]) for slot in waiting]
                async with asyncio.timeout(ASK_SECONDS):
                    await connection.execute(
                        "SELECT pg_notify(%s, word) FROM unnest(%s::text[]) AS word", (CHANNEL, words)
                    )
        finally:
            await _close(connection)

    def _hear(self, payload: str) -> None:
        try:
            owner, tenant, inference_id = json.loads(payload)
        except (ValueError, TypeError):
            return
        if owner == self._owner or not isinstance(tenant, str) or not isinstance(inference_id, str):
            return
        if inference_id == ANY:
            self._changes.announce_all(tenant)
        else:
            self._changes.hear(tenant, inference_id)


async def _close(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
    with suppress(psycopg.Error, OSError):
        await connection.close()


class Relaying(Component):
    """The relay, where other processes share the ledger."""

    def __init__(self, relay: Relay | None) -> None:
        self._relay = relay
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._relay is not None:
            self._running = asyncio.create_task(self._relay.run(), name="changes relay")

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)


async def build(app: App) -> Relaying:
    """Needs Changes."""
    if not app.ledger.shared:
        return Relaying(None)

    def conninfo() -> str:
        found = conninfo_of(app.config.storage)
        assert found is not None
        return found

    return Relaying(Relay(app.part(Changes), app.owner, conninfo))

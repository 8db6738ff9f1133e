"""Comparisons of providers' records with the log: each ends as one entry `usage.reconciled`, or as none at all."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.files import make_folder
from attending.ledger.ledger import Ledger
from attending.ledger.usage import RECONCILED, STREAM
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import Aborted, InvalidRequest, NotFound, Unavailable
from attending.server.idempotency import Once, answered, index_of
from attending.server.reports.export import Exporter, ExportOrder, sweep, workplace
from attending.server.usage.calls import Calls
from attending.server.usage.comparison import PATIENCE, Comparison, Counts, Difference, UsageRecord

MOST_AT_ONCE: Final = 4
"""Comparisons of one process; of each tenant there is one."""
RETRY_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 0.2
P = ParamSpec("P")
T = TypeVar("T")
_MARGIN: Final = PATIENCE + timedelta(hours=1)
"""Entries around the period that are looked at, too: a call may begin before it and end after it."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is compared: `records` of the file with this hash, which hold every call of `provider` in the period."""

    provider: str
    since: datetime
    until: datetime
    file_sha256: str
    records: int


@dataclass
class UsageDesk:
    """Shared by all calls of one server process. `folder` is for comparisons alone; processes may share it."""

    ledger: Ledger
    exporter: Exporter
    folder: Path
    now: Callable[[], datetime]
    _running: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        make_folder(self.folder)
        sweep(self.folder)

    async def reconcile(
        self, principal: Principal, order: Order, records: AsyncIterator[Sequence[UsageRecord]], once: Once
    ) -> tuple[Entry, list[Difference]]:
        """The entry, and the first differences. A crash before the entry leaves nothing that anybody finds.

        Raises InvalidRequest where other than `order.records` come, FailedPrecondition (TOO_MANY_RECORDS,
        USAGE_ID_REPEATED), Unavailable (RECONCILIATION_RUNNING; USAGE_NOT_COMPARED where the disk has no room).
        """
        tenant = principal.tenant
        if (done := await answered(self.ledger, tenant, once)) is not None:
            return await self.ledger.get_entry(tenant, done[0]), []
        with self._place(tenant), self._work() as work:
            try:
                counts, differences, size = await self._compared(tenant, order, records, work)
            except sqlite3.Error:
                raise Unavailable("USAGE_NOT_COMPARED", retry_after_seconds=RETRY_SECONDS) from None
        body: dict[str, Any] = {
            "provider": order.provider,
            "from": stamp(order.since),
            "to": stamp(order.until),
            "file_sha256": order.file_sha256,
            "tree_size": size,
            **counts.body(),
        }
        pending = PendingEntry(RECONCILED, STREAM, principal.actor, None, body, occurred_at=self.now())
        appending = self.ledger.append(tenant, [pending], claim=once.claim(STREAM))
        index = await index_of(self.ledger, tenant, once, appending, Aborted("LOST_RACE"))
        return await self.ledger.get_entry(tenant, index), differences

    async def _compared(
        self, tenant: str, order: Order, records: AsyncIterator[Sequence[UsageRecord]], work: Path
    ) -> tuple[Counts, list[Difference], int]:
        made = await asyncio.to_thread(Comparison, work / "comparison.db", order.since, order.until)
        try:
            count = 0
            async for some in records:
                count += len(some)
                await _in_thread(made, made.add_records, some)
            if count != order.records:
                raise InvalidRequest([("open.records", f"says {order.records}, and {count} came")])
            size = await self._add_calls(tenant, order, made)
            counts = await _in_thread(made, made.match)
            return counts, await _in_thread(made, made.differences), size
        finally:
            made.close()

    async def _add_calls(self, tenant: str, order: Order, made: Comparison) -> int:
        """Of the order's provider; the size of the log that they are of."""
        calls = Calls()
        around = ExportOrder(order.since - _MARGIN, order.until + _MARGIN, (), "audit", False)
        try:
            plan = await self.exporter.plan(tenant, around)
        except NotFound:  # nothing was on record then
            return parse_checkpoint(await self.ledger.checkpoint(tenant)).size
        async for block in self.exporter.blocks(tenant, plan):
            found = [one for entry in block for one in calls.visit(entry)]
            mine = [one for one in found if getattr(one, "provider", order.provider) == order.provider]
            await _in_thread(made, made.add_calls, mine)
        rest = [one for one in calls.rest(stamp(self.now())) if one.provider == order.provider]
        await _in_thread(made, made.add_calls, rest)
        return plan.size

    @contextmanager
    def _place(self, tenant: str) -> Iterator[None]:
        if tenant in self._running or len(self._running) >= MOST_AT_ONCE:
            raise Unavailable("RECONCILIATION_RUNNING", retry_after_seconds=RETRY_SECONDS)
        self._running.add(tenant)
        try:
            yield
        finally:
            self._running.discard(tenant)

    @contextmanager
    def _work(self) -> Iterator[Path]:
        try:
            work, lock = workplace(self.folder)
        except OSError:
            raise Unavailable("USAGE_NOT_COMPARED", retry_after_seconds=RETRY_SECONDS) from None
        try:
            yield work
        finally:
            with suppress(OSError):
                shutil.rmtree(work)
            os.close(lock)


async def _in_thread(made: Comparison, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` of `made` returns, of a thread. A call that is cut or out of time stops it, and waits until it
    has ended: a database that is closed while another thread is in it ends the process.
    """
    loop = asyncio.get_running_loop()
    running = loop.run_in_executor(None, partial(function, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    finally:
        while not running.done():
            made.stop()
            with suppress(asyncio.CancelledError):
                await asyncio.wait({running}, timeout=_STOP_SECONDS)

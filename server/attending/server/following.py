"""What a process knows of a projection that others on the same database change too, without asking at every call.

It learns of its own changes before it answers them. What another process changed it learns by asking once in
`poll_seconds`; what it knows is fresh for three times as long after it last asked. A tenant of which it is in doubt is
read again at the next poll at the latest.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from attending.ledger.errors import StoreUnavailable
from attending.ledger.ledger import Ledger
from sqlalchemy import Table, func, select

STALE_POLLS: Final = 3
"""Polls that may fail in a row before what is known is not fresh any more."""


class Following(ABC):
    """Follows one table with `log_id` and `changed_index`, tenant by tenant. Belongs to one event loop.

    `_take` says how a tenant is read; what it leaves must be whole at every await.
    """

    def __init__(
        self,
        table: Table,
        *,
        poll_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._poll_seconds = poll_seconds
        self._monotonic = monotonic
        self._ledger: Ledger | None = None
        self._tenants: tuple[str, ...] = ()
        self._seen: dict[str, int] = {}
        self._doubted: set[str] = set()
        self._fresh_until: float | None = None
        self._problem: str | None = None
        self._lock = asyncio.Lock()
        self._polling: asyncio.Task[None] | None = None

    @abstractmethod
    async def _take(self, ledger: Ledger, tenant: str) -> None:
        """Reads one tenant, and then puts what it found in place, without waiting in between."""

    @abstractmethod
    def _failed(self, err: Exception) -> None:
        """Logs a poll that failed."""

    def _lost(self, tenant: str) -> None:  # noqa: B027 - for those with something to take back
        """A tenant could not be read, and is in doubt."""

    async def start(self, ledger: Ledger, tenants: Iterable[str]) -> None:
        """Reads every tenant, and from then on follows what other processes change where there are any."""
        self._ledger = ledger
        self._tenants = tuple(tenants)
        for tenant in self._tenants:
            await self.refresh(tenant)
        if ledger.shared:
            self._keep_fresh(self._monotonic())
        self._polling = asyncio.create_task(self._follow())

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            with suppress(asyncio.CancelledError):
                await self._polling

    def fresh(self) -> bool:
        """Whether nothing that other processes changed longer ago than is allowed can be unknown here."""
        return self._fresh_until is None or self._monotonic() <= self._fresh_until

    def doubt(self, tenant: str) -> None:
        """Something may have changed, and nobody knows, until the tenant has been read again."""
        self._doubted.add(tenant)

    async def refresh(self, tenant: str) -> None:
        """Reads one tenant again; when it returns, what is known is not older than the call. Raises the ledger's
        errors, and then the tenant is in doubt until it has been read after all.
        """
        assert self._ledger is not None
        async with self._lock:
            try:
                # Asked for before the rows: what comes between is read once more, never missed.
                newest = await self._newest(self._ledger, tenant)
                await self._take(self._ledger, tenant)
            except BaseException:
                self._doubted.add(tenant)
                self._lost(tenant)
                raise
            self._seen[tenant] = newest.get(tenant, -1)
            self._doubted.discard(tenant)

    async def poll(self) -> None:
        """Reads what is in doubt, and every tenant that another process changed. Raises the ledger's errors."""
        assert self._ledger is not None
        begun = self._monotonic()
        for tenant in list(self._doubted):
            await self.refresh(tenant)
        if not self._ledger.shared:
            return
        newest = await self._newest(self._ledger, None)
        for tenant in self._tenants:
            if newest.get(tenant, -1) != self._seen.get(tenant):
                await self.refresh(tenant)
        self._keep_fresh(begun)

    def _keep_fresh(self, begun: float) -> None:
        self._fresh_until = begun + STALE_POLLS * self._poll_seconds

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            # While it is asked and does not answer, too.
            self._problem = StoreUnavailable.reason
            try:
                await self.poll()
            except Exception as err:
                # Nothing may end this task: without it nothing would ever be learnt again. Until what is known is not
                # fresh any more, nothing is older than promised.
                self._problem = err.reason if isinstance(err, StoreUnavailable) else None
                self._failed(err)
            else:
                self._problem = None

    async def _newest(self, ledger: Ledger, tenant: str | None) -> dict[str, int]:
        """Index of the last change of each tenant that has any."""
        columns = self._table.c
        query = select(columns.log_id, func.max(columns.changed_index).label("newest")).group_by(
            columns.log_id
        )
        if tenant is not None:
            query = query.where(columns.log_id == tenant)
        rows = [row._mapping for row in await ledger.query(query)]
        return {row["log_id"]: int(row["newest"]) for row in rows}

"""Who has emergency access open now, as this process knows it: asked at every call, so it never waits.

Opening counts from the moment its entry is durable. Whatever goes wrong closes: an access whose end may have been
recorded, or one that this process has not heard of for too long, is not open here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog
from attending.ledger.errors import LedgerError
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from sqlalchemy import func, select

log = structlog.get_logger()

_ROWS = projections.emergency_access
STALE_POLLS: Final = 3


class OpenAccesses:
    """Belongs to one event loop. `mark` says of a caller which access they have open."""

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        poll_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._poll_seconds = poll_seconds
        self._monotonic = monotonic
        self._open: dict[tuple[str, str], tuple[str, str]] = {}
        self._seen: dict[str, int] = {}
        self._fresh_until: float | None = None
        self._polling: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._ledger: Ledger | None = None
        self._tenants: tuple[str, ...] = ()
        self._doubted: set[str] = set()

    def mark(self, principal: Principal) -> Principal:
        """The caller, with the id of the access that they have open, if any."""
        found = self._open.get((principal.tenant, principal.name))
        if found is None or found[1] <= stamp(self._now()):
            return principal
        if self._fresh_until is not None and self._monotonic() > self._fresh_until:
            return principal
        return replace(principal, emergency=found[0])

    async def start(self, ledger: Ledger, tenants: Iterable[str]) -> None:
        """Reads what is open, and from then on follows what other processes change where there are any."""
        self._ledger = ledger
        self._tenants = tuple(tenants)
        for tenant in self._tenants:
            await self.refresh(tenant)
        if ledger.shared:
            self._fresh_until = self._monotonic() + STALE_POLLS * self._poll_seconds
        self._polling = asyncio.create_task(self._follow())

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            with suppress(asyncio.CancelledError):
                await self._polling

    def forget(self, tenant: str, user: str) -> None:
        """Closes here what may have been ended, until it has been read again."""
        self._open.pop((tenant, user), None)
        self._doubted.add(tenant)

    async def refresh(self, tenant: str) -> None:
        """Reads one tenant again. Raises the ledger's errors, and then nothing of the tenant is open here until it
        could be read after all.
        """
        assert self._ledger is not None
        async with self._lock:
            try:
                newest = await self._newest(self._ledger)
                rows = await self._ledger.query(
                    select(_ROWS.c.user, _ROWS.c.access_id, _ROWS.c.until).where(
                        _ROWS.c.log_id == tenant,
                        _ROWS.c.ended_at.is_(None),
                        _ROWS.c.until > stamp(self._now()),
                    )
                )
            except BaseException:
                self._put(tenant, {})
                self._doubted.add(tenant)
                raise
            found = [row._mapping for row in rows]
            self._put(tenant, {row["user"]: (row["access_id"], row["until"]) for row in found})
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
        newest = await self._newest(self._ledger)
        for tenant in self._tenants:
            if newest.get(tenant, -1) != self._seen.get(tenant):
                await self.refresh(tenant)
        self._fresh_until = begun + STALE_POLLS * self._poll_seconds

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self.poll()
            except LedgerError as err:
                log.warning("emergencies.poll_failed", reason=err.reason)
            except Exception as err:
                # Nothing may end this task: without it no emergency would ever be seen again.
                log.error("emergencies.poll_failed", error_type=type(err).__name__)

    def _put(self, tenant: str, found: dict[str, tuple[str, str]]) -> None:
        others = {key: value for key, value in self._open.items() if key[0] != tenant}
        self._open = others | {(tenant, user): value for user, value in found.items()}

    @staticmethod
    async def _newest(ledger: Ledger) -> dict[str, int]:
        query = select(_ROWS.c.log_id, func.max(_ROWS.c.changed_index).label("newest")).group_by(
            _ROWS.c.log_id
        )
        rows = [row._mapping for row in await ledger.query(query)]
        return {row["log_id"]: int(row["newest"]) for row in rows}

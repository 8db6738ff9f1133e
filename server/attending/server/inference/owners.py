"""Which server processes are alive: this one says so again and again, and judges of the others.

Where several processes share a ledger, each beats by the database's clock for a lease of some seconds, five times a
lease. An owner counts as gone when no beat of it holds in every look of this process for a lease of its own, without a
gap: after an outage of the database, or a jump of its clock, everybody looks dead at once and gets the time to say
otherwise. Where one process has the ledger, every other owner is gone: the folder's lock says so.

To be taken for dead while alive (frozen, cut off) releases nothing: the call was abandoned by an append on its stream,
so the late verdict's own append fails, and the text goes on record unreleased.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

import structlog
from attending.ledger.errors import LedgerError
from attending.ledger.ledger import Ledger

log = structlog.get_logger()

BEATS_A_LEASE: Final = 5
DEFAULT_LEASE_SECONDS: Final = 10.0


class Owners:
    """The life of this process in the eyes of the others, and theirs in its own. Belongs to one event loop."""

    def __init__(
        self,
        ledger: Ledger,
        owner: str,
        *,
        lease_seconds: float = DEFAULT_LEASE_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`monotonic` gives seconds that go on while the process is stopped."""
        self.owner = owner
        self.lease_seconds = lease_seconds
        self._ledger = ledger
        self._monotonic = monotonic
        self._last_beat: float | None = None
        self._looked: float | None = None
        self._silent_since: dict[str, float] = {}
        self._beating: asyncio.Task[None] | None = None

    @property
    def beat_seconds(self) -> float:
        """Time between two beats, and between two looks at the others."""
        return self.lease_seconds / BEATS_A_LEASE

    async def start(self) -> None:
        """Beats once, so that nothing of this process can be taken for a dead one's, and goes on beating.

        Raises StoreUnavailable.
        """
        await self._beat()
        if self._ledger.shared:
            self._beating = asyncio.create_task(self._beat_on(), name="owner beats")

    async def close(self) -> None:
        """Stops beating, and tells the others not to wait for it."""
        if self._beating is None:
            return
        self._beating.cancel()
        with suppress(asyncio.CancelledError):
            await self._beating
        self._beating = None
        # Where this fails the lease runs out by itself.
        with suppress(LedgerError):
            await self._ledger.beat(self.owner, 0)

    async def require_alive(self) -> None:
        """Returns when the others can know that this process is alive; beats at once when they may not.

        To be called before anything is begun that they would have to end. Raises StoreUnavailable.
        """
        if not self._ledger.shared:
            return
        if self._last_beat is None or self._monotonic() - self._last_beat > self.lease_seconds / 2:
            await self._beat()

    async def gone(self, owners: Collection[str]) -> set[str]:
        """Those of `owners` that are dead for certain. Ask after reading what they left open, not before: then what an
        owner began when it had come back is not in what was read. Raises StoreUnavailable.
        """
        others = set(owners) - {self.owner}
        if not self._ledger.shared:
            return others
        before = self._monotonic()
        live = await self._ledger.live_owners()
        if self._looked is None or before - self._looked > self.lease_seconds / 2:
            # It was not watched meanwhile, so nothing is known of the time between.
            self._silent_since.clear()
        self._looked = before
        silent = others - live
        self._silent_since = {name: self._silent_since.get(name, before) for name in silent}
        return {name for name, since in self._silent_since.items() if before - since >= self.lease_seconds}

    async def _beat(self) -> None:
        # Read before: a beat is never younger than it is taken for.
        begun = self._monotonic()
        await self._ledger.beat(self.owner, self.lease_seconds)
        if self._last_beat is not None and begun - self._last_beat > self.lease_seconds:
            log.warning("owner.lease_had_lapsed", owner=self.owner)
        self._last_beat = begun

    async def _beat_on(self) -> None:
        while True:
            await asyncio.sleep(self.beat_seconds)
            try:
                await self._beat()
            except LedgerError as err:
                log.warning("owner.beat_failed", owner=self.owner, reason=err.reason)

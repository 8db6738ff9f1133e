"""Takes a version into use that people have put in force while the server runs.

A server has one set of policies and one pack loaded, for all its tenants. So it takes what lies in its folders when
that serves some tenant with more and none with less: every version loaded now that is in force somewhere must still
be the one in force. Until the last tenant has moved, the tenants that moved are refused, as before a restart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import structlog
from attending.guardrails.knowledge.load import PackError
from attending.guardrails.policy.problem import PolicyError
from attending.ledger.errors import LedgerError
from attending.server.activation.registry import Registry, Served
from attending.server.activation.serving import Generation, Serving
from attending.server.activation.standing import KNOWLEDGE
from attending.server.errors import ConfigurationError

log = structlog.get_logger()

LOOK_AGAIN_SECONDS: Final = 5.0
"""What was found to be of no use is not read from the disk again for so long."""


class Reloader:
    """One a server process. Belongs to one event loop."""

    def __init__(
        self,
        serving: Serving,
        registry: Registry,
        tenants: Sequence[str],
        offered: Callable[[], Served],
        load: Callable[[], Awaitable[Generation]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`offered` reads what lies in the folders and may raise PolicyError, PackError, ConfigurationError and
        OSError; `load` brings it up with its checks running, or raises and leaves no process behind.
        """
        self._serving = serving
        self._registry = registry
        self._tenants = tenants
        self._offered = offered
        self._load = load
        self._monotonic = monotonic
        self._loading: asyncio.Task[None] | None = None
        self._of_no_use_until = 0.0
        self._deciding = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether a load runs now."""
        return self._loading is not None and not self._loading.done()

    async def loading(self) -> bool:
        """Whether what is in force is being loaded now; begins it where it can be. Asked when another version is in
        force than is served.
        """
        async with self._deciding:
            if self.running:
                return True
            if self._monotonic() < self._of_no_use_until:
                return False
            wanted = await self._wanted()
            if wanted is None:
                self._of_no_use_until = self._monotonic() + LOOK_AGAIN_SECONDS
                return False
            self._loading = asyncio.create_task(self._replace(wanted), name="versions in force")
            return True

    async def look(self) -> None:
        """After a move in this process: what it put in force is loaded before its first call."""
        self._of_no_use_until = 0.0
        with suppress(LedgerError):
            await self.loading()

    async def close(self) -> None:
        """Ends a load that runs."""
        if self._loading is not None:
            self._loading.cancel()
            with suppress(asyncio.CancelledError):
                await self._loading

    async def _wanted(self) -> Served | None:
        """What lies in the folders, where it serves some tenant with more than now and none with less."""
        try:
            offered = await asyncio.to_thread(self._offered)
        except (PolicyError, PackError, ConfigurationError, OSError) as err:
            log.error("policy.reload_failed", error_type=type(err).__name__)
            return None
        served, gains = self._registry.served, False
        for tenant in self._tenants:
            for name in sorted({*served.policies, *offered.policies, KNOWLEDGE}):
                before, after = served.hash_of(name), offered.hash_of(name)
                if before == after:
                    continue
                active = (await self._registry.standing(tenant, name)).active
                if active is not None and active == before:
                    return None
                gains |= active is not None and active == after
        return offered if gains else None

    async def _replace(self, wanted: Served) -> None:
        try:
            generation = await self._load()
        except Exception as err:
            # What was served is served on; the next call that needs the new version begins anew.
            self._of_no_use_until = self._monotonic() + LOOK_AGAIN_SECONDS
            log.error("policy.reload_failed", error_type=type(err).__name__)
            return
        self._serving.replace(generation)
        if self._registry.served != wanted:
            log.warning("policy.folder_changed_while_loading")
        log.info("policy.reloaded")
        await self._tell_pending()

    async def _tell_pending(self) -> None:
        """Says what is served now and in force nowhere. Each call finds out for itself, so a ledger that cannot be
        read here changes nothing.
        """
        for tenant in self._tenants:
            try:
                pending = await self._registry.pending(tenant)
            except LedgerError as err:
                log.warning("policy.pending_unknown", tenant=tenant, reason=err.reason)
                continue
            for name in pending:
                log.error("policy.not_activated", tenant=tenant, policy=name or "knowledge")

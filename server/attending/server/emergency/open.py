"""Who has emergency access open now, as this process knows it: asked at every call, so it never waits.

Opening counts from the moment its entry is durable. Whatever goes wrong closes: an access whose end may have been
recorded, or one that this process has not heard of for too long, is not open here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import structlog
from attending.ledger.errors import LedgerError
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.following import Following
from sqlalchemy import select

log = structlog.get_logger()

_ROWS = projections.emergency_access


class OpenAccesses(Following):
    """Belongs to one event loop. `mark` says of a caller which access they have open."""

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        poll_seconds: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(_ROWS, poll_seconds=poll_seconds, monotonic=monotonic)
        self._now = now
        self._open: dict[tuple[str, str], tuple[str, str]] = {}

    def mark(self, principal: Principal) -> Principal:
        """The caller, with the id of the access that they have open, if any."""
        found = self._open.get((principal.tenant, principal.name))
        if found is None or found[1] <= stamp(self._now()):
            return principal
        if not self.fresh():
            return principal
        return replace(principal, emergency=found[0])

    def forget(self, tenant: str, user: str) -> None:
        """Closes here what may have been ended, until it has been read again."""
        self._open.pop((tenant, user), None)
        self.doubt(tenant)

    async def _take(self, ledger: Ledger, tenant: str) -> None:
        rows = await ledger.query(
            select(_ROWS.c.user, _ROWS.c.access_id, _ROWS.c.until).where(
                _ROWS.c.log_id == tenant,
                _ROWS.c.ended_at.is_(None),
                _ROWS.c.until > stamp(self._now()),
            )
        )
        found = [row._mapping for row in rows]
        self._put(tenant, {row["user"]: (row["access_id"], row["until"]) for row in found})

    def _lost(self, tenant: str) -> None:
        """Nothing of it is open here until it could be read after all."""
        self._put(tenant, {})

    def _failed(self, err: Exception) -> None:
        if isinstance(err, LedgerError):
            log.warning("emergencies.poll_failed", reason=err.reason)
        else:
            log.error("emergencies.poll_failed", error_type=type(err).__name__)

    def _put(self, tenant: str, found: dict[str, tuple[str, str]]) -> None:
        others = {key: value for key, value in self._open.items() if key[0] != tenant}
        self._open = others | {(tenant, user): value for user, value in found.items()}

"""At which of several server processes a session is: a browser that a proxy sends to another one is told so.

Sessions, challenges and prepared statements live in one process's memory. A proxy in front of several keeps a browser
at one of them; where it does not, the browser must neither be signed out nor asked to sign in again and again.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Final

import structlog
from attending.ledger.ledger import Ledger

log = structlog.get_logger()

FRESH_SECONDS: Final = 1.0
"""For so long an answer holds: who asks needs no credential."""


class Places:
    """One instance a server."""

    def __init__(self, ledger: Ledger, owner: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`owner` names this process."""
        self._ledger = ledger
        self._monotonic = monotonic
        self._until = 0.0
        self._live: frozenset[str] = frozenset()
        self._told = False
        self.own = place_of_owner(owner)
        """What a token of this process begins with."""

    async def is_elsewhere(self, token: str) -> bool:
        """Whether a token that is unknown here is of another process that lives. Raises StoreUnavailable."""
        place = token.partition(".")[0]
        if not self._ledger.shared or place == self.own or not place:
            return False
        now = self._monotonic()
        if now >= self._until:
            self._live = frozenset(place_of_owner(owner) for owner in await self._ledger.live_owners())
            self._until = now + FRESH_SECONDS
        found = place in self._live
        if found and not self._told:
            # Once: it is a matter of how the proxy is set up.
            self._told = True
            log.warning("console.session_elsewhere")
        return found


def place_of_owner(owner: str) -> str:
    """A process as its tokens name it: enough to tell processes apart, and no name of one."""
    return hashlib.sha256(f"attending-place/1\n{owner}".encode()).hexdigest()[:12]

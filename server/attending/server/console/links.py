"""One-time sign-in links of the embedded mode: who may read a data folder's private files is let into its console.

A link is asked for with a person's own credential, is good once and for a minute, and its secret is in the part of the
address that browsers send to nobody. There are none outside the embedded mode.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

LINK_SECONDS: Final = 60.0
MAX_LINKS: Final = 64


class Links:
    """Those of one process. Belongs to one event loop."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._waiting: dict[bytes, tuple[str, str, datetime]] = {}

    def make(self, tenant: str, user: str) -> str:
        """The secret of a new link for that person."""
        now = self._now()
        self._waiting = {key: one for key, one in self._waiting.items() if one[2] > now}
        while len(self._waiting) >= MAX_LINKS:
            del self._waiting[next(iter(self._waiting))]
        secret = secrets.token_urlsafe(32)
        self._waiting[_hash(secret)] = (tenant, user, now + timedelta(seconds=LINK_SECONDS))
        return secret

    def take(self, secret: str) -> tuple[str, str] | None:
        """(tenant, user) of a link that is used with this; None when it was used, is too old or never was."""
        tenant, user, until = self._waiting.pop(_hash(secret), ("", "", self._now()))
        return (tenant, user) if until > self._now() else None


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()

"""Which fingerprint key a claim is made with, when there are several.

One key is in force at any time of the log; the switch is at a time that its file names. A claim made with a key is
sequenced before that key's end or refused, and looks for the same call under the keys before it in the same
transaction: so one idempotency key is claimed once, however many processes there are and whatever their clocks say.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from attending.ledger.custody.reads import Run
from attending.ledger.errors import KeyStoreUnavailable, LedgerError
from attending.ledger.key_files import Generation
from attending.ledger.keys import KeyFolder


@dataclass(frozen=True, slots=True)
class ClaimKeys:
    """The key in force, those before it, newest first, and the time at which it ends (None: none is known)."""

    current: bytes = field(repr=False)
    earlier: tuple[bytes, ...] = field(repr=False)
    before: str | None

    def digest(self, content: bytes) -> bytes:
        """The keyed digest of a request's body: guessing a short body from it needs the key."""
        return hmac.digest(self.current, content, "sha256")

    def earlier_digests(self, content: bytes) -> tuple[bytes, ...]:
        """The same under each key before."""
        return tuple(hmac.digest(key, content, "sha256") for key in self.earlier)


def claim_keys(generations: Sequence[Generation], now: str) -> ClaimKeys:
    """The keys at a time, from generations newest first."""
    in_force = (i for i, item in enumerate(generations) if item.since is None or item.since <= now)
    here = next(in_force, len(generations) - 1)
    return ClaimKeys(
        current=generations[here].key,
        earlier=tuple(item.key for item in generations[here + 1 :]),
        before=generations[here - 1].since if here else None,
    )


class Rereader:
    """Has the keys of a log read again, off the event loop, when another process has added one.

    They come into force later than they are added, so that there is time; when it runs out, claims are refused rather
    than made with a key that may have ended.
    """

    def __init__(self, keys: KeyFolder, run: Run, seconds: float = 30.0) -> None:
        self._keys = keys
        self._run = run
        self._seconds = seconds
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failing: dict[str, float] = {}
        """Since when the keys of a log cannot be read again, by the loop's clock."""

    def look(self, log_id: str) -> None:
        """Returns at once. Raises KeyStoreUnavailable when a new key could not be opened for too long."""
        if not self._keys.stale(log_id):
            self._failing.pop(log_id, None)
            return
        loop = asyncio.get_running_loop()
        since = self._failing.setdefault(log_id, loop.time())
        running = self._running.get(log_id)
        if running is None or running.done():
            self._running[log_id] = loop.create_task(self._reread(log_id))
        if loop.time() - since > self._seconds:
            raise KeyStoreUnavailable("a key of the log was rotated, and cannot be opened")

    async def _reread(self, log_id: str) -> None:
        # What it raises shows in time, as keys that stay stale.
        with contextlib.suppress(LedgerError):
            await self._run(self._keys.refresh, log_id)
            self._failing.pop(log_id, None)

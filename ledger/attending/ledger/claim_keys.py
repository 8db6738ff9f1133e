"""Which fingerprint key a claim is made with, when there are several.

One key is in force at any time of the log; the switch is at a time that its file names. A claim made with a key is
sequenced before that key's end or refused, and looks for the same call under the keys before it in the same
transaction: so one idempotency key is claimed once, however many processes there are and whatever their clocks say.
That needs every process to know a new key before it comes into force: each looks when it makes a claim, and once more
when it appends it.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from attending.ledger.custody.reads import Run
from attending.ledger.errors import KeyStoreUnavailable, LedgerError
from attending.ledger.key_files import Generation
from attending.ledger.keys import KeyFolder

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClaimKeys:
    """The key in force and its generation, and the keys before it, newest first."""

    generation: int
    current: bytes = field(repr=False)
    earlier: tuple[bytes, ...] = field(repr=False)

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
        generation=generations[here].number,
        current=generations[here].key,
        earlier=tuple(item.key for item in generations[here + 1 :]),
    )


def term_of(generations: Sequence[Generation], number: int) -> tuple[str | None, str | None]:
    """Since and until when generation `number` is in force, from generations newest first. None: from the beginning,
    and no end is known.
    """
    here = next((item.since for item in generations if item.number == number), None)
    newer = [item.since for item in generations if item.number > number]
    return here, newer[-1] if newer else None


class Rereader:
    """Has the keys of a log read again, off the event loop, when another process has added one or removed one."""

    def __init__(self, keys: KeyFolder, run: Run) -> None:
        self._keys = keys
        self._run = run
        self._running: dict[str, asyncio.Future[None]] = {}
        self._failures: dict[str, int] = {}

    async def look(self, log_id: str) -> None:
        """Returns once the keys known here are those of the folder: at once when nothing changed.

        However many wait, the root is asked once. Raises KeyStoreUnavailable when a key cannot be opened: whoever does
        not know it cannot tell whether the one before it has ended.
        """
        # Twice: one that runs already may have listed the folder before the change.
        for _ in range(2):
            if not self._keys.stale(log_id, "fingerprint"):
                return
            running = self._running.get(log_id)
            if running is None or running.done():
                running = self._running[log_id] = asyncio.ensure_future(self._reread(log_id))
                # Whoever waits may have given up by the time it fails.
                running.add_done_callback(lambda task: task.cancelled() or task.exception())
            await asyncio.shield(running)

    async def _reread(self, log_id: str) -> None:
        try:
            await self._run(self._keys.refresh, log_id)
        except LedgerError as err:
            failures = self._failures[log_id] = self._failures.get(log_id, 0) + 1
            if (
                failures & (failures - 1) == 0
            ):  # the first in a row, the second, the fourth: no flood of lines
                extra = {"log_id": log_id, "reason": err.reason, "count": failures}
                _log.warning("ledger.keys_not_read", extra=extra)
            raise KeyStoreUnavailable("a key of the log was rotated, and cannot be opened") from err
        self._failures.pop(log_id, None)

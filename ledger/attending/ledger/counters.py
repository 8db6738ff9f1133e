"""How the appends of one process ended, counted while it runs: those whose outcome nobody was told above all.

An append that the store failed under is in the log or not; for the log itself the next start settles that, but
only a count says that somebody was left without an answer. It is kept in memory: a kill loses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attending.ledger.errors import StoreUnavailable


@dataclass(slots=True)
class AppendCounts:
    """Appends to one log: durable and answered, refused with nothing stored, outcome unknown since the store
    failed, and those that went on when the caller had left.
    """

    acknowledged: int = 0
    refused: int = 0
    unknown: int = 0
    unheard: int = 0

    def to_json(self) -> dict[str, int]:
        """For an entry's body."""
        return {
            "acknowledged": self.acknowledged,
            "refused": self.refused,
            "unheard": self.unheard,
            "unknown": self.unknown,
        }


class Counters:
    """Counts of every log of a process. Belongs to one event loop."""

    def __init__(self) -> None:
        self._by_log: dict[str, AppendCounts] = {}

    def of(self, log_id: str) -> AppendCounts:
        """The counts of a log, zero for one without appends."""
        return self._by_log.setdefault(log_id, AppendCounts())

    def all(self) -> Mapping[str, AppendCounts]:
        """The counts by log."""
        return self._by_log

    def refused(self, log_id: str) -> None:
        """Counts an append that was not even queued."""
        self.of(log_id).refused += 1

    def follow(self, log_id: str, future: asyncio.Future[Any]) -> None:
        """Counts a queued append when it ends."""
        counts = self.of(log_id)

        def ended(done: asyncio.Future[Any]) -> None:
            if done.cancelled():
                counts.unheard += 1
            elif isinstance(done.exception(), StoreUnavailable):
                counts.unknown += 1
            elif done.exception() is not None:
                counts.refused += 1
            else:
                counts.acknowledged += 1

        future.add_done_callback(ended)

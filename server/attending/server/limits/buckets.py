"""Token buckets, one a key, in one number each: the virtual scheduling algorithm of ITU-T I.371, known as GCRA.

A bucket holds `burst` tokens and gains `rate` a second. What is kept of it is the moment at which it would be full
again: a bucket that is full needs no memory at all.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MAX_KEYS: Final = 10_000
"""Buckets that are not full, kept at most; beyond it the one that was longest untouched is forgotten, as if full."""


class Buckets:
    """One instance a limit. Belongs to one event loop; `now` is a clock in seconds that never goes back."""

    def __init__(
        self,
        rate: float,
        burst: float,
        *,
        max_keys: int = MAX_KEYS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`rate` tokens a second, at most `burst` at once; both above zero."""
        if not rate > 0 or not burst > 0 or max_keys < 1:
            raise ValueError("rate, burst and max_keys must be above zero")
        self._rate, self._burst = rate, burst
        self._max_keys = max_keys
        self._now = now
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Keys that are remembered now."""
        return len(self._full_at)

    def wait_seconds(self, key: str, tokens: float = 1.0) -> float:
        """How long until `tokens` are there; 0 when they are. Takes nothing.

        A wish for more than `burst` counts as one for all of it, so that nothing is refused for ever.
        """
        now = self._now()
        full_at = max(self._full_at.get(key, now), now)
        return max(0.0, full_at + self._spent(tokens) - now - self._burst / self._rate)

    def take(self, key: str, tokens: float = 1.0) -> None:
        """Takes `tokens`, whether they are there or not: ask before. A debt is never more than one `burst`."""
        now = self._now()
        full_at = max(self._full_at.get(key, now), now) + self._spent(tokens)
        self._full_at[key] = min(full_at, now + 2 * self._burst / self._rate)
        self._full_at.move_to_end(key)
        self._forget(now)

    def _spent(self, tokens: float) -> float:
        return min(tokens, self._burst) / self._rate

    def _forget(self, now: float) -> None:
        # Two looks for each key that comes: the full ones go sooner than new ones can come.
        for _ in range(2):
            if not self._full_at:
                return
            key, full_at = next(iter(self._full_at.items()))
            if full_at <= now or len(self._full_at) > self._max_keys:
                del self._full_at[key]
            else:
                return

"""Wakes those who wait for a change of one inference; carries no data, so a waiter always reads the record."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

ANY: Final = ""
"""In place of an inference: any of the tenant's."""


class Changes:
    """One event a (tenant, inference) and waiter, in one event loop. A wake-up may be spurious, never lost."""

    def __init__(self) -> None:
        self._waiters: defaultdict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)

    def announce(self, tenant: str, inference_id: str) -> None:
        for slot in ((tenant, inference_id), (tenant, ANY)):
            for event in self._waiters.get(slot, ()):
                event.set()

    @contextmanager
    def subscribe(self, tenant: str, inference_id: str) -> Iterator[asyncio.Event]:
        """Subscribe first, read the record second, wait third: so no change falls between."""
        event, slot = asyncio.Event(), (tenant, inference_id)
        self._waiters[slot].add(event)
        try:
            yield event
        finally:
            self._waiters[slot].discard(event)
            if not self._waiters[slot]:
                del self._waiters[slot]

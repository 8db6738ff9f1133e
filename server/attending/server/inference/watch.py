"""Wakes those who wait for a change of one inference; carries no data, so a waiter always reads the record."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

ANY: Final = ""
"""In place of an inference: any of the tenant's."""


class Changes:
    """One event a (tenant, inference) and waiter, in one event loop. A wake-up may be spurious, and one for a change
    of this process is never lost.
    """

    def __init__(self) -> None:
        self._waiters: defaultdict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)
        self._tell: Callable[[str, str], None] | None = None

    def announce(self, tenant: str, inference_id: str) -> None:
        """This process changed it: wakes who waits here, and tells the other processes."""
        self.hear(tenant, inference_id)
        if self._tell is not None:
            self._tell(tenant, inference_id)

    def hear(self, tenant: str, inference_id: str) -> None:
        """It changed, here or elsewhere: wakes who waits here."""
        for slot in ((tenant, inference_id), (tenant, ANY)):
            for event in self._waiters.get(slot, ()):
                event.set()

    def announce_all(self, tenant: str | None = None) -> None:
        """Anything may have changed elsewhere: wakes everybody who waits here, of one tenant or of all."""
        for (owner, _inference), events in self._waiters.items():
            if tenant in (None, owner):
                for event in events:
                    event.set()

    def told_by(self, tell: Callable[[str, str], None] | None) -> None:
        """How other processes are told; None ends it."""
        self._tell = tell

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

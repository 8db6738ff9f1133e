"""Bounds on what callers can use at once: calls in all, calls of one identity, and the time of a call."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from attending.server.auth.context import current_principal
from attending.server.config import ServerSection
from attending.server.errors import DeadlineExceeded, Unavailable
from attending.server.rpc import Context

RETRY_SECONDS: Final = 1.0
STREAMING_METHODS: Final = frozenset(
    {
        "/attending.v1.InferenceService/StreamInfer",
        "/attending.v1.InferenceService/WatchInference",
        "/attending.v1.LedgerService/AppendStream",
        "/attending.v1.ReportService/Export",
    }
)


HALT: Final = "/attending.v1.AdminService/Halt"
RESERVED_FOR_HALT: Final = 8
"""Calls beyond `max_concurrent_rpcs`: what fills the server may be what is to be stopped."""


class Limits:
    """Counts of one server process. Belongs to one event loop."""

    def __init__(self, config: ServerSection, *, open_for_calls: Callable[[], bool]) -> None:
        """`open_for_calls` is false while the server starts or stops."""
        self._config = config
        self._open = open_for_calls
        self._running = 0
        self._by_caller: Counter[str] = Counter()

    @property
    def running(self) -> int:
        """Calls that are inside now."""
        return self._running

    @asynccontextmanager
    async def total(self, method: str, _context: Context) -> AsyncIterator[None]:
        """Refuses (Unavailable) when the server is not ready or full. Goes around authentication."""
        if not self._open():
            raise Unavailable("NOT_READY", retry_after_seconds=RETRY_SECONDS)
        reserved = RESERVED_FOR_HALT if method == HALT else 0
        if self._running >= self._config.max_concurrent_rpcs + reserved:
            raise Unavailable("SERVER_BUSY", retry_after_seconds=RETRY_SECONDS)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    @asynccontextmanager
    async def per_caller(self, method: str, _context: Context) -> AsyncIterator[None]:
        """Refuses one identity's call beyond its share, so that it cannot crowd out the others."""
        name = current_principal().name
        share = self._config.max_concurrent_rpcs_per_caller
        if self._by_caller[name] >= share and method != HALT:
            raise Unavailable("CALLER_BUSY", retry_after_seconds=RETRY_SECONDS)
        self._by_caller[name] += 1
        try:
            yield
        finally:
            self._by_caller[name] -= 1
            if not self._by_caller[name]:
                del self._by_caller[name]

    @asynccontextmanager
    async def deadline(self, method: str, _context: Context) -> AsyncIterator[None]:
        """Ends a call that takes longer than the server allows with DeadlineExceeded."""
        streaming = method in STREAMING_METHODS
        seconds = self._config.stream_deadline_seconds if streaming else self._config.deadline_seconds
        timer = asyncio.timeout(seconds)
        try:
            async with timer:
                yield
        except TimeoutError:
            if timer.expired():
                raise DeadlineExceeded from None
            raise

"""Bounds on the calls that run at once, in all, of one identity and of one tenant, and on the time of a call."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from attending.server.auth.context import current_principal
from attending.server.config import LimitsSection, ServerSection
from attending.server.errors import DeadlineExceeded, SlowClient, Unavailable
from attending.server.limits.rates import HALT, address_of
from attending.server.rpc import Context

RETRY_SECONDS: Final = 1.0
MAX_ANONYMOUS_RPCS: Final = 256
"""Health and reflection calls at once, and of one address: they need no credential."""
MAX_ANONYMOUS_RPCS_PER_ADDRESS: Final = 16
RESERVED_FOR_HALT: Final = 8
"""Calls beyond `max_concurrent_rpcs`: what fills the server may be what is to be stopped."""
STREAMING_METHODS: Final = frozenset(
    {
        "/attending.v1.InferenceService/StreamInfer",
        "/attending.v1.InferenceService/WatchInference",
        "/attending.v1.LedgerService/AppendStream",
        "/attending.v1.ReportService/Export",
        "/attending.v1.ReportService/DownloadReport",
        "/attending.v1.ReportService/ReconcileUsage",
        "/attending.v1.ReportService/EvaluateControls",
    }
)


class Places:
    """Counts what is there at once under one key, up to a limit. Belongs to one event loop."""

    def __init__(self, reason: str, limit: int, name: str) -> None:
        """`reason` is what a refusal is called, `name` the limit as docs/limits.md lists it."""
        self._reason, self._limit, self._name = reason, limit, name
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """Places taken under all keys."""
        return self._taken.total()

    @asynccontextmanager
    async def one(self, key: str, context: Context, *, beyond: int = 0) -> AsyncIterator[None]:
        """Takes a place, if need be one of so many `beyond` the limit; Unavailable when the key has none left.

        A client that does not read keeps its place until it does or its connection ends: what the transport holds
        for it cannot be taken back before.
        """
        if self._taken[key] >= self._limit + beyond:
            metadata = {"limit": self._name, "value": str(self._limit)}
            raise Unavailable(self._reason, retry_after_seconds=RETRY_SECONDS, metadata=metadata)
        self._taken[key] += 1
        try:
            yield
        except SlowClient:
            context.add_done_callback(lambda _context: self._leave(key))  # type: ignore[arg-type]
            raise
        except BaseException:
            self._leave(key)
            raise
        else:
            self._leave(key)

    def _leave(self, key: str) -> None:
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]


class Limits:
    """Counts of one server process. Belongs to one event loop."""

    def __init__(
        self, server: ServerSection, limits: LimitsSection, *, open_for_calls: Callable[[], bool]
    ) -> None:
        """`open_for_calls` is false while the server starts or stops."""
        self._server = server
        self._open = open_for_calls
        calls = server.max_concurrent_rpcs
        self._all = Places("SERVER_BUSY", calls, "server.max_concurrent_rpcs")
        calls = server.max_concurrent_rpcs_per_caller
        self._callers = Places("CALLER_BUSY", calls, "server.max_concurrent_rpcs_per_caller")
        calls = limits.max_concurrent_rpcs_per_tenant
        self._tenants = Places("TENANT_BUSY", calls, "limits.max_concurrent_rpcs_per_tenant")
        calls = limits.max_streams_per_caller
        self._caller_streams = Places("CALLER_STREAMS", calls, "limits.max_streams_per_caller")
        calls = limits.max_streams_per_tenant
        self._tenant_streams = Places("TENANT_STREAMS", calls, "limits.max_streams_per_tenant")
        self._anonymous = Places("SERVER_BUSY", MAX_ANONYMOUS_RPCS, "MAX_ANONYMOUS_RPCS")
        self._addresses = Places(
            "ADDRESS_BUSY", MAX_ANONYMOUS_RPCS_PER_ADDRESS, "MAX_ANONYMOUS_RPCS_PER_ADDRESS"
        )

    @property
    def running(self) -> int:
        """Calls that are inside now, those of health and reflection aside."""
        return self._all.taken

    @asynccontextmanager
    async def total(self, method: str, context: Context) -> AsyncIterator[None]:
        """Refuses (Unavailable) when the server is not ready or full. Goes around authentication."""
        if not self._open():
            raise Unavailable("NOT_READY", retry_after_seconds=RETRY_SECONDS)
        async with self._all.one("", context, beyond=RESERVED_FOR_HALT if method == HALT else 0):
            yield

    @asynccontextmanager
    async def per_caller(self, method: str, context: Context) -> AsyncIterator[None]:
        """Refuses what goes beyond the share of an identity or a tenant, so that none can crowd out the others.

        A halt needs no share of anything.
        """
        if method == HALT:
            yield
            return
        principal = current_principal()
        async with AsyncExitStack() as places:
            await places.enter_async_context(self._callers.one(principal.key, context))
            await places.enter_async_context(self._tenants.one(principal.tenant, context))
            if method in STREAMING_METHODS:
                await places.enter_async_context(self._caller_streams.one(principal.key, context))
                await places.enter_async_context(self._tenant_streams.one(principal.tenant, context))
            yield

    @asynccontextmanager
    async def anonymous(self, _method: str, context: Context) -> AsyncIterator[None]:
        """The bounds of calls that nobody has to sign in for. They are answered while the server is not ready, too."""
        async with AsyncExitStack() as places:
            await places.enter_async_context(self._addresses.one(address_of(context.peer()), context))
            await places.enter_async_context(self._anonymous.one("", context))
            yield

    @asynccontextmanager
    async def deadline(self, method: str, _context: Context) -> AsyncIterator[None]:
        """Ends a call that takes longer than the server allows with DeadlineExceeded."""
        streaming = method in STREAMING_METHODS
        seconds = self._server.stream_deadline_seconds if streaming else self._server.deadline_seconds
        timer = asyncio.timeout(seconds)
        try:
            async with timer:
                yield
        except TimeoutError:
            if timer.expired():
                raise DeadlineExceeded from None
            raise

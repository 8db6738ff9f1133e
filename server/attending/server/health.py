"""The standard health service, whose watchers cannot keep the server from reporting or from stopping.

The library's own sends to a watcher under the lock that a change of the status takes: one client that watches and
does not read would hold up both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
from attending.server.rpc import Context
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):
    """What is served; `""` is the server as a whole. Belongs to one event loop."""

    def __init__(self) -> None:
        self._status: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._ended = False

    def set(self, service: str, status: int) -> None:
        """Sets the status of a service, and wakes the watchers when it is another one; not after `end`."""
        if not self._ended and self._status.get(service) != status:
            self._status[service] = status
            self._wake()

    def end(self) -> None:
        """Nothing is served from now on, and the calls of watchers end."""
        for service in list(self._status):
            self.set(service, HealthCheckResponse.NOT_SERVING)
        self._ended = True
        self._wake()

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> HealthCheckResponse:
        status = self._status.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return HealthCheckResponse(status=status)

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[HealthCheckResponse]:
        told: int | None = None
        while True:
            changed, ended = self._changed, self._ended
            status = self._status.get(request.service, HealthCheckResponse.SERVICE_UNKNOWN)
            if status != told:
                yield HealthCheckResponse(status=status)
                told = status
            if ended:
                return
            await changed.wait()

    def _wake(self) -> None:
        # Those who wait hold the event of before; those who come later get the next one.
        self._changed.set()
        self._changed = asyncio.Event()

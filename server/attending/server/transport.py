"""gRPC's server, which no call can end.

The library decodes the path of a call that it has not registered inside its one serving loop: a path that is not
UTF-8 raised there, the loop ended, and with it the server, for anybody who could connect (grpcio 1.85, aio). Here
every method that is served is registered, which generated code does; whatever else comes is a method that nobody
has, and is answered as that without its path being looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import grpc
from grpc._cython import cygrpc
from grpc.aio import _server as library

UNKNOWN_METHOD: Final = "/unknown"


class _Serving(cygrpc.AioServer):  # type: ignore[misc]
    """Answers calls of unregistered methods beside the serving loop, which never sees them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, interceptors: Sequence[Any], options: Any) -> None:
        super().__init__(loop, None, [], interceptors, options, None)
        self._aside = (loop, tuple(interceptors), cygrpc._MethodResolver([], {}))
        self._answering: set[asyncio.Task[None]] = set()

    async def _request_call(self) -> Any:
        loop, interceptors, nothing = self._aside
        while True:
            state = await super()._request_call()
            handling = cygrpc._handle_rpc(UNKNOWN_METHOD, nothing, interceptors, state, loop, False)
            answering = cygrpc._schedule_rpc_coro(handling, state, loop, UNKNOWN_METHOD)
            task = loop.create_task(answering)
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)


def new_server(
    interceptors: Sequence[grpc.aio.ServerInterceptor], options: Sequence[tuple[str, int]]
) -> grpc.aio.Server:
    """A server as `grpc.aio.server` makes one. Handlers have to be registered, not generic."""
    server: Any = grpc.aio.server(interceptors=interceptors, options=options)
    augmented = library._augment_channel_arguments(options, None)
    server._server = _Serving(server._loop, interceptors, augmented)
    made: grpc.aio.Server = server
    return made

"""gRPC's server, which no call can end.

The library decodes the path of a call that it has not registered inside its one serving loop: a path that is not
UTF-8 raised there, the loop ended, and with it the server, for anybody who could connect (grpcio 1.85, aio). Here
every method that is served is registered, which generated code does; whatever else comes is a method that nobody
has, and is answered as that without its path being looked at.

That rests on insides of the library, which another version may not have: a start with such a one is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import grpc
from attending.server.errors import ConfigurationError
from grpc._cython import cygrpc
from grpc.aio import _server as library

UNKNOWN_METHOD: Final = "/unknown"
_PARTS: Final = (
    (cygrpc, "AioServer"),
    (cygrpc, "_MethodResolver"),
    (cygrpc, "_handle_rpc"),
    (cygrpc, "_schedule_rpc_coro"),
    (library, "_augment_channel_arguments"),
)
"""What is used here without being promised by anybody."""
_AioServer: Any = getattr(cygrpc, "AioServer", object)


class _Serving(_AioServer):  # type: ignore[misc]
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
    """A server as `grpc.aio.server` makes one. Handlers have to be registered, not generic.

    Raises ConfigurationError (GRPC_NOT_SUPPORTED) when the installed library is made otherwise.
    """
    _require((*_PARTS, (_AioServer, "_request_call")))
    server: Any = grpc.aio.server(interceptors=interceptors, options=options)
    _require(((server, "_loop"), (server, "_server")))
    augmented = library._augment_channel_arguments(options, None)
    server._server = _Serving(server._loop, interceptors, augmented)
    made: grpc.aio.Server = server
    return made


def _require(parts: Sequence[tuple[object, str]]) -> None:
    if missing := sorted(name for owner, name in parts if not hasattr(owner, name)):
        raise ConfigurationError(
            f"grpcio {grpc.__version__} is made otherwise than the server expects (no `{'`, `'.join(missing)}`)",
            "install the version of the lock file: pip install 'grpcio>=1.85,<1.86'",
            reason="GRPC_NOT_SUPPORTED",
        )

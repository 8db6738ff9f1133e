"""One listener for HTTP in the server's process: bound first, then served, drained when the server stops."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any, Final

from attending.server.errors import ConfigurationError
from attending.server.web.accept import ConnectionLimits
from attending.server.web.protocol import CLOSE_SECONDS, Server, configuration

BACKLOG: Final = 128
_POLL_SECONDS: Final = 0.01


class Listener:
    """Belongs to one event loop. `section` is the configuration's, to name in errors."""

    def __init__(
        self,
        section: str,
        host: str,
        port: int,
        *,
        context: ssl.SSLContext | None,
        connections: int,
        per_address: int,
        handshake_seconds: float,
        drain_seconds: float,
    ) -> None:
        self._section = section
        self._host = host
        self._port = port
        self._context = context
        self._limits = ConnectionLimits(connections, per_address, handshake_seconds, CLOSE_SECONDS)
        self._drain_seconds = drain_seconds
        self._socket: socket.socket | None = None
        self._server: Server | None = None
        self._serving: asyncio.Task[None] | None = None

    def bind(self) -> int:
        """Takes the port and returns it; ConfigurationError (CANNOT_LISTEN)."""
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            listener.listen(BACKLOG)
            listener.setblocking(False)
        except OSError as err:
            listener.close()
            raise ConfigurationError(
                f"cannot listen on `{self._host}:{self._port}` for HTTP ({type(err).__name__})",
                f"free the port, or give another one with `{self._section}.port` or --{self._section}-port (0 takes a "
                "free one)",
                reason="CANNOT_LISTEN",
            ) from err
        self._socket = listener
        return int(listener.getsockname()[1])

    async def start(self, app: Any) -> None:
        """Returns when `app` is served. `bind` has been called."""
        assert self._socket is not None
        self._server = Server(
            configuration(app, drain_seconds=self._drain_seconds), self._context, self._limits
        )
        self._serving = asyncio.create_task(
            self._server.serve(sockets=[self._socket]), name=f"{self._section} listener"
        )
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise RuntimeError("http server ended before it had started")
            await asyncio.sleep(_POLL_SECONDS)

    def serving(self) -> bool:
        return self._serving is not None and not self._serving.done()

    async def drain(self) -> None:
        """Takes no new connection and lets running requests end, for the drain time at most."""
        if self._server is None or self._serving is None:
            return
        self._server.should_exit = True
        await asyncio.gather(self._serving, return_exceptions=True)

    async def close(self) -> None:
        """Ends at once what `drain` has not."""
        if self._server is not None:
            self._server.force_exit = True
            await self.drain()
        elif self._socket is not None:
            self._socket.close()

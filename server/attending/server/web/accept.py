"""Connections of the HTTP side, counted from the moment they are there: in all, and of one address.

They are counted before TLS, so that a handshake that never ends is one of them, and one too many costs no handshake.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from attending.server.limits.rates import address_of

log = structlog.get_logger()

_GONE: Final = {errno.ECONNABORTED, errno.EPROTO, errno.ECONNRESET, errno.EPERM}
"""Of a client that went before it was looked at (accept(2))."""
_PAUSE_SECONDS: Final = 1.0
"""Before the next look after any other error, such as a process without more file descriptors or memory."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections there may be at once, how long a handshake and the end of TLS may take."""

    connections: int
    per_address: int
    handshake_seconds: float
    close_seconds: float


class Counted(Protocol):
    """A protocol that calls `released`, when it has one, as its connection ends."""

    released: Callable[[], None] | None


class Acceptor:
    """Takes connections from a listening socket until it is stopped. Belongs to one event loop."""

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext | None,
        limits: ConnectionLimits,
        make: Callable[[], asyncio.Protocol],
    ) -> None:
        """`make` gives the protocol of a connection; it has to be `Counted`."""
        self._listener = listener
        self._context = context
        self._limits = limits
        self._make = make
        self._open: Counter[str] = Counter()
        self._starting: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """Connections that are there now, those in their handshake among them."""
        return self._open.total()

    def start(self) -> None:
        """Takes connections from now on."""
        self._accepting = asyncio.create_task(self._accept(), name="http accept")

    async def stop(self) -> None:
        """Takes no more, and gives up handshakes that have not ended."""
        running = [task for task in (self._accepting, *self._starting) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # A connection that waits is taken without a turn of the loop: a flood of them would keep it to itself.
            await asyncio.sleep(0)
            try:
                connection, peer = await loop.sock_accept(self._listener)
            except OSError as err:
                if err.errno not in _GONE:
                    log.error("http.accept_failed", error_type=errno.errorcode.get(err.errno or 0))
                    await asyncio.sleep(_PAUSE_SECONDS)
                continue
            address = address_of(str(peer[0]))
            full = self.connections >= self._limits.connections
            if full or self._open[address] >= self._limits.per_address:
                connection.close()
                continue
            self._open[address] += 1
            task = asyncio.create_task(self._begin(connection, address))
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _begin(self, connection: socket.socket, address: str) -> None:
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._open[address] -= 1
                if not self._open[address]:
                    del self._open[address]

        def make() -> asyncio.Protocol:
            protocol = self._make()
            protocol.released = leave  # type: ignore[attr-defined]
            return protocol

        times = {}
        if self._context is not None:
            times = {
                "ssl_handshake_timeout": self._limits.handshake_seconds,
                "ssl_shutdown_timeout": self._limits.close_seconds,
            }
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                make, connection, ssl=self._context, **times
            )
        except BaseException as err:
            leave()
            connection.close()
            # A handshake that fails is the client's affair.
            if not isinstance(err, (OSError, TimeoutError)):
                raise

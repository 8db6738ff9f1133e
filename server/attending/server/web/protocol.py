"""uvicorn inside the server process: its own connections, none of its signal handlers, loggers or headers."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import h11
import uvicorn
from attending.server.web.accept import Acceptor, ConnectionLimits
from attending.server.web.access import PEER_CERTIFICATE
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10.0
"""From the connection, or the first byte of a further request, to the end of that request's head."""
STALLED_SECONDS: Final = 30.0
"""How long a client may leave an answer unread before its connection is dropped."""
CLOSE_SECONDS: Final = 2.0
"""For what is still to be sent on a connection that is closed, and for the client's own end of TLS."""
KEEP_ALIVE_SECONDS: Final = 15
"""How long a connection may wait for its next request."""
MAX_HEAD_BYTES: Final = 16 * 1024
_PIECE_BYTES: Final = 1024
"""What h11 is given at once. It asks for the length of a head only while its end is missing, and a read may bring all
of one that is far too long.
"""


class Connection(H11Protocol):
    """One connection: tells its requests the client certificate, and does not wait for ever for a client."""

    released: Callable[[], None] | None = None
    """Called when the connection has ended; set by who counts it."""
    _head: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        certificate = None if tls is None else tls.getpeercert(binary_form=True)
        self.app_state = {**self.app_state, PEER_CERTIFICATE: certificate}
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._head, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        if self.released is not None:
            self.released()

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE_BYTES):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + _PIECE_BYTES])
        if self.cycle is None or self.cycle.response_complete:
            # Not all of a head: uvicorn has no time for those that follow the first.
            self._await_head()
        elif self._head is not None:
            self._head.cancel()
            self._head = None

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALLED_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def shutdown(self) -> None:
        super().shutdown()
        self._close_in_time()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._close_in_time()

    def on_response_complete(self) -> None:
        announced = any(name in (b"content-length", b"transfer-encoding") for name, _value in self.headers)
        if announced or self.scope["http_version"] != "1.1":
            # Nothing here takes a body: one is neither waited for nor, where two servers would see its end at two
            # places, taken for a request (RFC 9112 section 11.2).
            self.transport.close()
        super().on_response_complete()
        self._close_in_time()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            text = b"INVALID_REQUEST: not a valid HTTP request\n"
            headers = [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", str(len(text)).encode()),
                (b"cache-control", b"no-store"),
                (b"connection", b"close"),
            ]
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=text),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event))
        self.transport.close()
        self._close_in_time()

    def _await_head(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(HEAD_SECONDS, self._drop_without_head)

    def _drop_without_head(self) -> None:
        self._head = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()

    def _close_in_time(self) -> None:
        # asyncio waits 30 seconds for a client to end TLS, and the server would not stop before that.
        if self.transport.is_closing():
            self.loop.call_later(CLOSE_SECONDS, self.transport.abort)


class Server(uvicorn.Server):
    """A server whose process is not its own: signals stay with the host. It takes its connections by itself."""

    def __init__(
        self, config: uvicorn.Config, context: ssl.SSLContext | None, limits: ConnectionLimits
    ) -> None:
        super().__init__(config)
        self._context = context
        self._limits = limits
        self._acceptors: list[Acceptor] = []

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.servers = []
        for listener in sockets or ():
            acceptor = Acceptor(listener, self._context, self._limits, self._connection)
            acceptor.start()
            self._acceptors.append(acceptor)
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for acceptor in self._acceptors:
            await acceptor.stop()
        await super().shutdown(sockets)

    def _connection(self) -> asyncio.Protocol:
        return Connection(self.config, self.server_state, self.lifespan.state)


def configuration(app: Any, *, drain_seconds: float) -> uvicorn.Config:
    """uvicorn's settings: no logging set-up, no access log, no Server header, no web sockets, no proxy headers."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(drain_seconds)),
        h11_max_incomplete_event_size=MAX_HEAD_BYTES - _PIECE_BYTES,
    )

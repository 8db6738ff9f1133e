"""uvicorn inside the server process: its own connections, none of its signal handlers, loggers or headers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn
from attending.server.web.access import PEER_CERTIFICATE
from uvicorn.protocols.http.h11_impl import H11Protocol

FIRST_REQUEST_SECONDS: Final = 10.0
"""From the connection to the end of its first request's head."""
STALLED_SECONDS: Final = 30.0
"""How long a client may leave an answer unread before its connection is dropped."""
CLOSE_SECONDS: Final = 2.0
"""For what is still to be sent on a connection that is closed, and for the client's own end of TLS."""
KEEP_ALIVE_SECONDS: Final = 15
MAX_CONNECTIONS: Final = 512
MAX_HEAD_BYTES: Final = 16 * 1024


class Connection(H11Protocol):
    """One connection: tells its requests the client certificate, and does not wait for ever for a client."""

    _first: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        certificate = None if tls is None else tls.getpeercert(binary_form=True)
        self.app_state = {**self.app_state, PEER_CERTIFICATE: certificate}
        self._first = self.loop.call_later(FIRST_REQUEST_SECONDS, self._drop_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._first, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

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

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._close_in_time()

    def _close_in_time(self) -> None:
        # asyncio waits 30 seconds for a client to end TLS, and the server would not stop before that.
        if self.transport.is_closing():
            self.loop.call_later(CLOSE_SECONDS, self.transport.abort)

    def _drop_if_idle(self) -> None:
        if self.cycle is None:
            self.transport.abort()


class Server(uvicorn.Server):
    """A server whose process is not its own: signals stay with the host."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def configuration(app: Any, context: ssl.SSLContext | None, *, drain_seconds: float) -> uvicorn.Config:
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
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(drain_seconds)),
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        ssl_context_factory=None if context is None else lambda _config, _default: context,
    )

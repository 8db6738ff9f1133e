"""The HTTP side of a server: listens when configured, starts last, drains first."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

import structlog
from attending.server.app import App, Component
from attending.server.auth.actions import PAGES
from attending.server.config import Config, HttpSection
from attending.server.errors import ConfigurationError
from attending.server.tls import Tls
from attending.server.web.accept import ConnectionLimits
from attending.server.web.access import HttpAccess
from attending.server.web.errors import error_response, plain
from attending.server.web.protocol import CLOSE_SECONDS, Server, configuration
from attending.server.web.tiles import ROUTE, TileEndpoint
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

log = structlog.get_logger()

BACKLOG: Final = 128
_POLL_SECONDS: Final = 0.01


class HttpComponent(Component):
    """Serves `web` as configured; without a section `[http]` it is there and does nothing."""

    def __init__(self, config: Config, tls: Tls, web: Starlette) -> None:
        self._config = config
        self._tls = tls
        self._web = web
        self._server: Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens; ConfigurationError (CANNOT_LISTEN). The server's TLS files have been loaded."""
        http = self._config.http
        if http is None:
            return
        context = self._tls.https_context() if http.tls else None
        listener = _listen(http)
        limits = ConnectionLimits(
            connections=http.max_connections,
            per_address=http.max_connections_per_address,
            handshake_seconds=self._config.limits.handshake_seconds,
            close_seconds=CLOSE_SECONDS,
        )
        settings = configuration(self._web, drain_seconds=self._config.server.drain_seconds)
        self._server = Server(settings, context, limits)
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="http")
        while not self._server.started:
            if self._serving.done():
                await self._serving
                raise RuntimeError("http server ended before it had started")
            await asyncio.sleep(_POLL_SECONDS)
        self.http_port = listener.getsockname()[1]

    def ready(self) -> bool:
        """Whether it listens, where it should."""
        return self._serving is None or not self._serving.done()

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


def web_app(endpoint: TileEndpoint) -> Starlette:
    """The application. Its last route is the logs': other routes go before it."""

    async def not_allowed(_request: Request, _error: Exception) -> Response:
        return plain(405, "METHOD_NOT_ALLOWED", "only GET and HEAD", {"Allow": "GET, HEAD"})

    async def failed(_request: Request, error: Exception) -> Response:
        return error_response(error)

    async def resource(request: Request) -> Response:
        return await endpoint(request)

    return Starlette(
        routes=declared([Route(ROUTE, resource, methods=["GET"])]),
        exception_handlers={405: not_allowed, Exception: failed},
    )


def declared(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """The routes; RuntimeError for one without an action in `auth.actions.PAGES`, which would be served unasked."""
    paths = [getattr(route, "path", repr(route)) for route in routes]
    missing = [path for path in paths if path not in PAGES]
    if missing:
        raise RuntimeError(f"no action for {', '.join(missing)}: add it to PAGES in auth/actions.py")
    return list(routes)


def _listen(http: HttpSection) -> socket.socket:
    family = socket.AF_INET6 if ":" in http.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((http.host, http.port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as err:
        listener.close()
        raise ConfigurationError(
            f"cannot listen on `{http.host}:{http.port}` for HTTP ({type(err).__name__})",
            "free the port, or give another one with `http.port` or --http-port (0 takes a free one)",
            reason="CANNOT_LISTEN",
        ) from err
    return listener


async def build(app: App) -> Component:
    """The component that listens for HTTP, when the configuration has a section `[http]`."""
    config = app.config
    access = HttpAccess(app.directory, app.authorizer, app.attempts, app.rates)
    endpoint = TileEndpoint(app.ledger, access, config.tenants, config.http or HttpSection())
    return HttpComponent(config, app.tls, web_app(endpoint))

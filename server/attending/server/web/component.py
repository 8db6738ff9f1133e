"""The HTTP side of a server: listens when configured, starts last, drains first."""

from __future__ import annotations

from collections.abc import Sequence

from attending.server.app import App, Component
from attending.server.auth.actions import PAGES
from attending.server.config import Config, HttpSection
from attending.server.tls import Tls
from attending.server.web.access import HttpAccess
from attending.server.web.errors import error_response, plain
from attending.server.web.listener import Listener
from attending.server.web.tiles import ROUTE, TileEndpoint
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route


class HttpComponent(Component):
    """Serves `web` as configured; without a section `[http]` it is there and does nothing."""

    def __init__(self, config: Config, tls: Tls, web: Starlette) -> None:
        self._config = config
        self._tls = tls
        self._web = web
        self._listener: Listener | None = None

    async def start(self) -> None:
        """Listens; ConfigurationError (CANNOT_LISTEN). The server's TLS files have been loaded."""
        http = self._config.http
        if http is None:
            return
        self._listener = Listener(
            "http",
            http.host,
            http.port,
            context=self._tls.https_context() if http.tls else None,
            connections=http.max_connections,
            per_address=http.max_connections_per_address,
            handshake_seconds=self._config.limits.handshake_seconds,
            drain_seconds=self._config.server.drain_seconds,
        )
        self.http_port = self._listener.bind()
        await self._listener.start(self._web)

    def ready(self) -> bool:
        """Whether it listens, where it should."""
        return self._listener is None or self._listener.serving()

    async def drain(self) -> None:
        """Takes no new connection and lets running requests end, for the drain time at most."""
        if self._listener is not None:
            await self._listener.drain()

    async def close(self) -> None:
        """Ends at once what `drain` has not."""
        if self._listener is not None:
            await self._listener.close()


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


async def build(app: App) -> Component:
    """The component that listens for HTTP, when the configuration has a section `[http]`."""
    config = app.config
    access = HttpAccess(app.directory, app.authorizer, app.attempts, app.rates)
    endpoint = TileEndpoint(app.ledger, access, config.tenants, config.http or HttpSection())
    return HttpComponent(config, app.tls, web_app(endpoint))

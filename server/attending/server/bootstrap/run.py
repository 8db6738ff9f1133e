"""Running the embedded mode: prepare the folder, serve, say where, and clean up after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attending.server.app import App
from attending.server.bootstrap.folder import (
    DEFAULT_FOLDER,
    NOTICE,
    Embedded,
    local_providers,
    prepare,
    remove_endpoint,
    write_endpoint,
)
from attending.server.hosting import Endpoints, serve
from attending.server.process import loud, quiet
from attending.server.telemetry import configure

DEFAULT_PORT = 50051


@dataclass(frozen=True, slots=True)
class Ready:
    """The server answers: the content of `endpoint.json`, the folder it is relative to, and the notice to show."""

    endpoint: dict[str, Any]
    folder: Path
    notice: str


def run_embedded(
    data: Path | None,
    *,
    host: str | None = None,
    port: int | None = None,
    token_port: int | None = None,
    http_port: int | None = None,
    console_port: int | None = None,
    replay: Path | None = None,
    workers: int | None = None,
    seal: Mapping[str, Any] | None = None,
    on_ready: Callable[[Ready], None],
) -> int:
    """Serves until the process is told to stop, and returns 0. Raises ConfigurationError and ledger errors."""
    embedded = prepare_embedded(
        data,
        host=host,
        port=port,
        token_port=token_port,
        http_port=http_port,
        console_port=console_port,
        replay=replay,
        workers=workers,
        seal=seal,
    )
    configure(embedded.config.logging.level, embedded.config.logging.format)

    def ready(at: Ready) -> None:
        with loud():
            on_ready(at)

    with quiet():
        asyncio.run(serve_embedded(embedded, on_ready=ready))
    return 0


def prepare_embedded(
    data: Path | None,
    *,
    host: str | None = None,
    port: int | None = None,
    token_port: int | None = None,
    http_port: int | None = None,
    console_port: int | None = None,
    replay: Path | None = None,
    workers: int | None = None,
    seal: Mapping[str, Any] | None = None,
) -> Embedded:
    """The data folder and its configuration. The token port follows `port`, the HTTP port the token port, and the
    console's the HTTP port: the next one, or a free one.

    `workers` is the number of check processes, one a CPU core when left out. `seal` are the keys of `[reports.seal]`;
    reports are not sealed when left out.

    `host` is the address to listen on, this machine only when left out; the certificate names localhost whatever
    it is, so that another machine is refused by its own check of the name.
    """
    main = DEFAULT_PORT if port is None else port
    if token_port is None:
        token_port = main + 1 if 0 < main < 65535 else 0
    if http_port is None:
        http_port = token_port + 1 if 0 < token_port < 65535 else 0
    if console_port is None:
        console_port = http_port + 1 if 0 < http_port < 65535 else 0
    return prepare(
        data or DEFAULT_FOLDER,
        port=main,
        token_port=token_port,
        http_port=http_port,
        console_port=console_port,
        providers=local_providers(replay),
        overrides={
            **({"server": {"host": host}} if host is not None else {}),
            **({"guard": {"workers": workers}} if workers is not None else {}),
            **({"reports": {"seal": dict(seal)}} if seal is not None else {}),
        },
    )


async def serve_embedded(
    embedded: Embedded,
    *,
    on_ready: Callable[[Ready], None],
    stop: asyncio.Event | None = None,
    run: Callable[..., Awaitable[None]] = serve,
) -> None:
    """Serves from a prepared folder; `endpoint.json` is there exactly while the server answers.

    A kill leaves the file behind with a process id that is gone; the next start replaces it.
    """

    def ready(app: App, at: Endpoints) -> None:
        keys = {tenant: app.ledger.verifier_key(tenant) for tenant in app.tenants}
        endpoint = write_endpoint(embedded, at.port, at.token_port, keys, at.http_port, at.console_url)
        on_ready(Ready(endpoint, embedded.folder, NOTICE))

    try:
        await run(embedded.config, embedded=True, on_ready=ready, stop=stop)
    finally:
        remove_endpoint(embedded)

"""A real embedded server in a thread of the test process, on free ports, with TLS and the demo identities."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from attending.client.connection import Connection
from attending.server.app import App, Build
from attending.server.bootstrap.folder import Embedded, prepare
from attending.server.bootstrap.run import Ready, serve_embedded
from attending.server.hosting import serve

START_SECONDS = 60


@dataclass
class Running:
    """A server that answers; `loop` runs it, `app` is what it is made of."""

    embedded: Embedded
    ready: Ready
    app: App
    loop: asyncio.AbstractEventLoop
    stop: Callable[[], None] = lambda: None
    """Stops it in an orderly way; the fixture does so too."""
    opened: list[grpc.Channel] = field(default_factory=list)

    def channel(self, identity: str) -> grpc.Channel:
        """A channel with the identity's client certificate."""
        channel = Connection.from_folder(self.embedded.folder, identity).channel()
        self.opened.append(channel)
        return channel

    def token(self, identity: str) -> str:
        path: Path = self.embedded.folder / self.ready.endpoint["identities"][identity]["token"]
        return path.read_text().strip()

    def token_channel(self) -> grpc.Channel:
        """A channel to the token port, without any credential of the caller."""
        ca = (self.embedded.folder / self.ready.endpoint["ca"]).read_bytes()
        channel = grpc.secure_channel(
            self.ready.endpoint["token_target"],
            grpc.ssl_channel_credentials(ca),
            options=[
                ("grpc.max_receive_message_length", 64 << 20),
                ("grpc.max_send_message_length", 64 << 20),
            ],
        )
        self.opened.append(channel)
        return channel

    def run(self, coroutine: Any) -> Any:
        """Awaits a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(START_SECONDS)


StartServer = Callable[..., Running]


@pytest.fixture(scope="module")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartServer]:
    """Starts servers that end with the module: `start_server(components=..., overrides=..., folder=...)`."""
    stops: list[Callable[[], None]] = []

    def start(
        *,
        components: Sequence[Build] = (),
        overrides: dict[str, Any] | None = None,
        folder: Path | None = None,
    ) -> Running:
        embedded = prepare(
            folder or tmp_path_factory.mktemp("data") / "server",
            port=0,
            token_port=0,
            providers=[],
            overrides=overrides,
        )
        started = threading.Event()
        found: dict[str, Any] = {}

        async def main() -> None:
            found["loop"] = asyncio.get_running_loop()
            found["stop"] = stop = asyncio.Event()

            async def run(config: Any, *, on_ready: Any, **more: Any) -> None:
                def ready(app: App, at: Any) -> None:
                    found["app"] = app
                    on_ready(app, at)

                await serve(config, on_ready=ready, components=components, **more)

            def ready(at: Ready) -> None:
                found["ready"] = at
                started.set()

            await serve_embedded(embedded, on_ready=ready, stop=stop, run=run)

        def thread() -> None:
            try:
                asyncio.run(main())
            except BaseException as err:
                found["error"] = err
            finally:
                started.set()

        running = threading.Thread(target=thread, daemon=True)
        running.start()
        assert started.wait(START_SECONDS)
        if "error" in found:
            raise found["error"]
        server = Running(embedded, found["ready"], found["app"], found["loop"])

        def end() -> None:
            for channel in server.opened:
                channel.close()
            if running.is_alive():
                found["loop"].call_soon_threadsafe(found["stop"].set)
                running.join(START_SECONDS)
            assert not running.is_alive()
            assert "error" not in found, found.get("error")

        stops.append(end)
        server.stop = end
        return server

    yield start
    for end in reversed(stops):
        end()

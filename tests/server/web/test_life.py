"""The HTTP side's life: where it listens, who may connect, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from attending.ledger.entry import PendingEntry
from attending.server.app import App, Component
from attending.server.bootstrap.certificates import issue_client, new_authority
from attending.server.bootstrap.folder import prepare
from attending.server.bootstrap.identities import certificate_uri
from attending.server.errors import ConfigurationError
from attending.server.hosting import serve
from attending.server.tls import Tls
from attending.server.web import protocol
from attending.server.web.component import build


def publish(server: Any) -> None:
    async def fill() -> None:
        pending = PendingEntry("inference.requested", "inf_1", "app:demo-app", None, {})
        await server.app.ledger.append("demo", [pending])
        await server.app.ledger.publish("demo")

    server.run(fill())


def context_of(server: Any) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(server.embedded.folder / "tls" / "ca.pem"))


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    made = start_server(components=[build])
    publish(made)
    return made


def test_without_a_section_nothing_listens(start_server: Any) -> None:
    async def off(app: App) -> Component:
        app = App(
            **{name: getattr(app, name) for name in App.__slots__}
            | {"config": app.config.model_copy(update={"http": None})}
        )
        return await build(app)

    made = start_server(components=[off])
    assert made.ready.endpoint["log_urls"] == {}
    assert made.app.components[0].ready()


def test_plain_http_for_a_proxy_on_this_machine(start_server: Any) -> None:
    made = start_server(components=[build], overrides={"http": {"port": 0, "tls": False}})
    publish(made)
    url = made.ready.endpoint["log_urls"]["demo"]
    assert url.startswith("http://localhost:")
    token = made.token("demo-auditor")
    answer = httpx.get(f"{url}/checkpoint", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.text.splitlines()[1]) == (200, "1")
    assert httpx.get(f"{url}/checkpoint").status_code == 401


def test_the_embedded_mode_listens_on_this_machine_only(server: Any) -> None:
    port = httpx.URL(server.ready.endpoint["log_urls"]["demo"]).port
    assert port
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port), timeout=10)


def test_a_certificate_of_another_authority_ends_the_handshake(server: Any, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    forged = issue_client(new_authority("forged", now), "demo-auditor", certificate_uri("demo-auditor"), now)
    (tmp_path / "c.pem").write_bytes(forged.certificate)
    (tmp_path / "k.pem").write_bytes(forged.key)
    context = context_of(server)
    context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
    with httpx.Client(verify=context) as client, pytest.raises(httpx.TransportError):
        client.get(f"{server.ready.endpoint['log_urls']['demo']}/checkpoint")


def test_what_tls_asks_for(server: Any) -> None:
    context = server.app.tls.material.context
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_OPTIONAL
    url = server.ready.endpoint["log_urls"]["demo"]
    with httpx.Client() as stranger, pytest.raises(httpx.ConnectError):  # knows other authorities
        stranger.get(f"{url}/checkpoint")


@pytest.mark.parametrize("name", ["server.pem", "ca.pem"])
async def test_files_that_are_no_certificates(tmp_path: Path, name: str) -> None:
    embedded = prepare(tmp_path / "d", port=0, token_port=0, providers=[])
    (embedded.folder / "tls" / name).write_text("nonsense")
    with pytest.raises(ConfigurationError) as caught:
        Tls(embedded.config.server).load()
    assert caught.value.reason == "TLS_FILES"


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        embedded = prepare(
            tmp_path / "d", port=0, token_port=0, http_port=taken.getsockname()[1], providers=[]
        )
        with pytest.raises(ConfigurationError) as caught:
            await serve(embedded.config, components=[build], stop=asyncio.Event())
    assert caught.value.reason == "CANNOT_LISTEN"
    assert "http.port" in caught.value.next_step


def test_running_requests_end_before_the_server_does(start_server: Any, monkeypatch: Any) -> None:
    made = start_server(components=[build])
    publish(made)
    url, entered, go = made.ready.endpoint["log_urls"]["demo"], asyncio.Event(), asyncio.Event()

    async def slow(*_arguments: Any) -> bytes:
        entered.set()
        await go.wait()
        return b"whole"

    monkeypatch.setattr(made.app.ledger, "published_resource", slow)
    headers = {"Authorization": f"Bearer {made.token('demo-auditor')}"}
    with (
        httpx.Client(verify=context_of(made), headers=headers, timeout=30) as client,
        httpx.Client(verify=context_of(made), headers=headers, timeout=30) as idle,
        ThreadPoolExecutor(2) as pool,
    ):
        assert idle.get(f"{url}/checkpoint").status_code == 200  # and its connection stays open
        running = pool.submit(client.get, f"{url}/tile/0/000.p/1")
        made.run(asyncio.wait_for(entered.wait(), 30))
        stopping = pool.submit(made.stop)
        made.loop.call_soon_threadsafe(made.loop.call_later, 0.3, go.set)
        assert running.result(30).content == b"whole"
        stopping.result(60)
        with pytest.raises(httpx.TransportError):
            idle.get(f"{url}/checkpoint")


def test_a_client_that_says_nothing_is_dropped(start_server: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    made = start_server(components=[build], overrides={"http": {"port": 0, "tls": False}})
    port = httpx.URL(made.ready.endpoint["log_urls"]["demo"]).port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as silent:
        silent.sendall(b"GET /checkpoint HTTP/1.1\r\nHo")  # and no more
        with contextlib.suppress(ConnectionResetError):
            assert silent.recv(100) == b""


def test_a_client_that_does_not_read_is_dropped(start_server: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(protocol, "STALLED_SECONDS", 0.2)
    made = start_server(components=[build], overrides={"http": {"port": 0, "tls": False}})
    publish(made)

    async def large(*_arguments: Any) -> bytes:
        return bytes(64 << 20)

    monkeypatch.setattr(made.app.ledger, "published_resource", large)
    url = httpx.URL(made.ready.endpoint["log_urls"]["demo"])
    with socket.create_connection(("127.0.0.1", url.port), timeout=30) as lazy:
        lines = [f"GET {url.path}/tile/0/000.p/1 HTTP/1.1", "Host: x"]
        lines += [f"Authorization: Bearer {made.token('demo-auditor')}", "", ""]
        lazy.sendall("\r\n".join(lines).encode())
        assert lazy.recv(1) == b"H"  # the answer has begun

        async def connections() -> int:
            return len(made.app.components[0]._listener._server.server_state.connections)

        for _ in range(600):
            if made.run(connections()) == 0:
                break
            made.run(asyncio.sleep(0.05))
        assert made.run(connections()) == 0

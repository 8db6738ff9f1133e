"""The HTTP side under a hostile client: connections, heads, bodies, paths, and what two servers would read as one."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import uvicorn.server
from attending.ledger.entry import PendingEntry
from attending.server.services.ledger import build as ledger_service
from attending.server.web import protocol
from attending.server.web.component import build as web

PER_ADDRESS = 4
SHORT = 0.5


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    http = {"port": 0, "max_connections_per_address": PER_ADDRESS, "max_connections": 64}
    limits = {"handshake_seconds": SHORT}
    made = start_server(components=[ledger_service, web], overrides={"http": http, "limits": limits})

    async def fill() -> None:
        pending = PendingEntry("inference.requested", "inf_1", "app:demo-app", None, {})
        await made.app.ledger.append("demo", [pending])
        await made.app.ledger.publish("demo")

    made.run(fill())
    return made


@pytest.fixture
def fast_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", SHORT)


def where(server: Any) -> httpx.URL:
    return httpx.URL(server.ready.endpoint["log_urls"]["demo"])


def plain(server: Any) -> socket.socket:
    return socket.create_connection(("localhost", where(server).port or 443), timeout=20)


@contextlib.contextmanager
def tls(server: Any) -> Iterator[ssl.SSLSocket]:
    ca = str(server.embedded.folder / "tls" / "ca.pem")
    context = ssl.create_default_context(cafile=ca)
    with context.wrap_socket(plain(server), server_hostname="localhost") as wrapped:
        yield wrapped


def connections(server: Any) -> int:
    async def count() -> int:
        [component] = [one for one in server.app.components if one.http_port is not None]
        return int(sum(acceptor.connections for acceptor in component._listener._server._acceptors))

    return int(server.run(count()))


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def everything(connection: Any) -> bytes:
    """What the server sends until it closes; fails when it does not in 20 seconds."""
    received = b""
    while True:
        try:
            more = connection.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return received
        if not more:
            return received
        received += more


def exchange(server: Any, request: bytes) -> list[bytes]:
    """The answers, by their status lines, to bytes after which the client says nothing more."""
    with tls(server) as connection:
        connection.sendall(request)
        answer = everything(connection)
    return re.findall(rb"HTTP/1\.[01] \d\d\d [A-Za-z ]+", answer)


def test_a_handshake_that_does_not_end(server: Any) -> None:
    with plain(server) as silent, plain(server) as partial:
        partial.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
        until(lambda: connections(server) >= 2)
        assert everything(silent) == b""
        everything(partial)
    until(lambda: connections(server) == 0)


def test_more_connections_than_one_address_may_have(server: Any) -> None:
    until(lambda: connections(server) == 0)
    with contextlib.ExitStack() as opened:
        for _ in range(PER_ADDRESS):
            opened.enter_context(tls(server))
        with plain(server) as one_more:
            assert everything(one_more) == b""
        assert connections(server) == PER_ADDRESS
    until(lambda: connections(server) == 0)
    assert exchange(server, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") == [
        b"HTTP/1.1 401 Unauthorized"
    ]


def test_a_flood_of_connections_leaves_nothing_behind(server: Any) -> None:
    for _ in range(300):
        with contextlib.suppress(OSError), plain(server) as one:
            one.sendall(b"\x00" * 16)
    # Connections are taken in the order in which they came: with the last one ended, none of the flood still waits.
    with contextlib.suppress(OSError), plain(server) as last:
        last.sendall(b"\x00" * 16)
        everything(last)
    until(lambda: connections(server) == 0)
    assert exchange(server, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") == [
        b"HTTP/1.1 401 Unauthorized"
    ]


@pytest.mark.usefixtures("fast_heads")
def test_a_head_that_comes_byte_by_byte_first_or_later(server: Any) -> None:
    whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for before in (b"", whole):
        with tls(server) as slow:
            slow.sendall(before + b"GET / HTTP/1.1\r\n")
            began = time.monotonic()
            with contextlib.suppress(OSError):
                while time.monotonic() - began < 15:
                    slow.sendall(b"a")
                    time.sleep(0.05)
            assert time.monotonic() - began < 15, "still taken after 15 seconds"
    until(lambda: connections(server) == 0)


def test_a_body_without_end_is_not_read(server: Any) -> None:
    with tls(server) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < 15:
                slow.sendall(b"a")
                time.sleep(0.05)
        assert time.monotonic() - began < 15, "still taken after 15 seconds"
    until(lambda: connections(server) == 0)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: %d\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX\x01: a\r\n\r\n",
        b"GET /\x0b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET /\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
    ],
)
def test_what_two_servers_would_read_differently(server: Any, head: bytes) -> None:
    if b"%d" in head:
        head %= len(SMUGGLED)
    answers = exchange(server, head + SMUGGLED)
    # One answer and the end of the connection: what follows is never taken for a request of its own.
    assert len(answers) == 1
    assert answers[0].split()[1] in (b"400", b"401", b"404")


def test_a_body_is_never_the_next_request(server: Any) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (len(SMUGGLED) + 10)
    assert exchange(server, head + SMUGGLED) == [b"HTTP/1.1 405 Method Not Allowed"]


def test_requests_without_a_body_may_follow_each_other(server: Any) -> None:
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert exchange(server, SMUGGLED * 3 + last) == [b"HTTP/1.1 401 Unauthorized"] * 4


def test_bad_requests_carry_a_reason(server: Any) -> None:
    with tls(server) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        answer = everything(connection)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b"INVALID_REQUEST: not a valid HTTP request\n")


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/%252e%252e/%252e%252e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/..\\..\\etc\\passwd",
        "/..%5c..%5cetc%5cpasswd",
        "//etc/passwd",
        "/{log}/../{log}/checkpoint",
        "/{log}/./checkpoint",
        "/{log}//checkpoint",
        "/{log}/%63heckpoint",
        "/{log}/checkpoint%00",
        "/{log}/checkpoint%00.png",
        "/{log}/tile/entries/../0/000.p/1",
        "/{log}/tile/entries/000.p/1%2f..%2f..%2f..%2fetc%2fpasswd",
        "/{log}/checkpoint;x=1",
        "/{log}/CHECKPOINT",
        "/{log}/checkpoint/",
        "/{log}/\u202echeckpoint",
        "http://localhost/{log}/checkpoint",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "*",
    ],
)
def test_no_path_leads_out_of_a_log(server: Any, path: str) -> None:
    log = where(server).path.strip("/")
    target = path.replace("{log}", log).encode("utf-8")
    head = b"GET %b HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %b\r\nConnection: close\r\n\r\n"
    with tls(server) as connection:
        connection.sendall(head % (target, server.token("demo-auditor").encode()))
        answer = everything(connection)
    status, _rest = answer.split(b"\r\n", 1)
    assert status in (b"HTTP/1.1 404 Not Found", b"HTTP/1.1 400 Bad Request")
    assert b"root:" not in answer
    assert b"attending.local" not in answer
    # And as it should be spelled, it is there.
    good = head % (f"/{log}/checkpoint".encode(), server.token("demo-auditor").encode())
    assert exchange(server, good) == [b"HTTP/1.1 200 OK"]


@pytest.mark.parametrize(
    ("size", "status"),
    [(8 * 1024, 200), (protocol.MAX_HEAD_BYTES + 1, 400), (64 * 1024, 400), (1024 * 1024, 400)],
)
async def test_a_head_is_bounded_even_where_one_read_brings_all_of_it(size: int, status: int) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    start, end = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ", b"\r\n\r\n"
    ours, theirs = socket.socketpair()
    config = protocol.configuration(app, drain_seconds=1)
    config.load()
    connection = protocol.Connection(config, uvicorn.server.ServerState(), {})
    loop = asyncio.get_running_loop()
    with theirs:
        theirs.setblocking(False)
        await loop.connect_accepted_socket(lambda: connection, ours)
        connection.data_received(start + b"a" * (size - len(start) - len(end)) + end)
        async with asyncio.timeout(10):
            answer = await loop.sock_recv(theirs, 100)
        connection.transport.abort()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize("size", [8 * 1024, 64 * 1024, 1024 * 1024])
def test_heads_are_bounded(server: Any, size: int) -> None:
    with tls(server) as connection, contextlib.suppress(OSError):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n")
        for number in range(size // 1024):
            connection.sendall(b"X-%d: " % number + b"a" * 1000 + b"\r\n")
        connection.sendall(b"\r\n")
        assert everything(connection).split(b"\r\n")[0] in (
            b"HTTP/1.1 400 Bad Request" if size > protocol.MAX_HEAD_BYTES else b"HTTP/1.1 401 Unauthorized",
            b"",
        )

"""One request to somebody else's server: TLS that verifies, bounds of time and size, and no way around either."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from attending.server.bootstrap.certificates import issue_server, new_authority
from attending.server.outside.ask import Asker, NotAnswered
from attending.server.outside.smart import fresh_seconds

MOST = 100_000


@contextmanager
def serving(way: str, context: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            return None

        def do_GET(self) -> None:
            asked.append(self.path)
            body, headers, status = b'{"a": 1}', {}, 200
            if way == "redirect":
                headers, status = {"Location": f"http://{self.headers['Host']}/elsewhere"}, 302
            elif way == "gzip":
                body, headers = gzip.compress(b" " * 10_000_000), {"Content-Encoding": "gzip"}
            elif way == "list":
                body = b"[1]"
            elif way == "deep":
                body = b"[" * 50_000
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if way == "twice":
                self.send_header("Cache-Control", "no-store")
                self.send_header("cache-control", "max-age=600")
            elif way == "gzip twice":
                self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Encoding", "identity")
            self.end_headers()
            try:
                self.wfile.write(body)
                while way == "endless":
                    self.wfile.write(b" " * 65_536)
                if way == "drip":
                    self.wfile.flush()
                    over.wait(30)
            except OSError:
                return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_address[1]}", asked
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join(10)


def asker(**more: Any) -> Asker:
    given: dict[str, Any] = {
        "ca_file": None,
        "allow_private": True,
        "timeout_seconds": 10.0,
        "most_bytes": MOST,
        "where": "test",
    }
    return Asker(**(given | more))


async def reason(ask: Asker, url: str) -> str:
    with pytest.raises(NotAnswered) as caught:
        (await ask("GET", url)).json()
    await ask.close()
    return caught.value.reason


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("redirect", "REDIRECTED"),
        ("gzip", "COMPRESSED"),
        ("gzip twice", "COMPRESSED"),
        ("endless", "TOO_LARGE"),
        ("list", "NOT_JSON"),
        ("deep", "NOT_JSON"),
    ],
)
async def test_what_is_not_taken(way: str, expected: str) -> None:
    with serving(way) as (url, asked):
        assert await reason(asker(), f"{url}/x") == expected
        assert asked == ["/x"]


async def test_a_header_that_is_sent_twice_says_both() -> None:
    with serving("twice") as (url, _asked):
        ask = asker()
        answer = await ask("GET", url)
        await ask.close()
    assert answer.headers["cache-control"] == "no-store, max-age=600"
    assert fresh_seconds(answer.headers) == 0


async def test_an_answer_has_an_end_in_time() -> None:
    with serving("drip") as (url, _asked):
        assert await reason(asker(timeout_seconds=0.3), url) == "TIMEOUT"


async def test_an_address_inside_is_not_connected_to() -> None:
    with serving("good") as (url, asked):
        assert await reason(asker(allow_private=False), url) == "PRIVATE_ADDRESS"
        assert (
            await reason(asker(allow_private=False), url.replace("127.0.0.1", "localhost"))
            == "PRIVATE_ADDRESS"
        )
        assert asked == []


async def test_only_the_configured_authority_s_certificate_is_spoken_to(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    authority, stranger = new_authority("ours", now), new_authority("another", now)
    leaf = issue_server(authority, ["127.0.0.1"], now)
    (tmp_path / "leaf.pem").write_bytes(leaf.certificate)
    (tmp_path / "leaf.key").write_bytes(leaf.key)
    for name, one in (("ours", authority), ("another", stranger)):
        (tmp_path / f"{name}.pem").write_bytes(one.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "leaf.pem", tmp_path / "leaf.key")
    with serving("good", context) as (url, asked):
        ours = asker(ca_file=tmp_path / "ours.pem")
        assert (await ours("GET", url)).json() == {"a": 1}
        await ours.close()
        asked.clear()
        for wrong in (asker(ca_file=tmp_path / "another.pem"), asker()):
            assert await reason(wrong, url) == "UNREACHABLE"
        # Another name than the certificate's.
        elsewhere = asker(ca_file=tmp_path / "ours.pem")
        assert await reason(elsewhere, url.replace("127.0.0.1", "localhost")) == "UNREACHABLE"
        assert asked == []

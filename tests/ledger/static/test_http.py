"""Fetching over HTTP from servers that lie, stall or overflow; the resource or one clear error comes back."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from attending.ledger.errors import NotFound, StoreUnavailable
from attending.ledger.static import http as source_module
from attending.ledger.static.bundles import MAX_BUNDLE_BYTES
from attending.ledger.static.client import TiledLog
from attending.ledger.static.http import HttpSource

from tests.ledger.static.logs import Log, entry

Answer = tuple[int, dict[str, str], bytes]


class Site:
    """A plain web server on this machine that answers as the test says."""

    def __init__(self) -> None:
        self.answer: Callable[[str, dict[str, str]], Answer] = lambda _path, _headers: (404, {}, b"")
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.asked.append(self.path)
                status, headers, data = site.answer(self.path, dict(self.headers))
                self.send_response(status)
                for key, value in ({"Content-Length": str(len(data))} | headers).items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(data)
                self.close_connection = headers.get("Connection") == "close"

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/log/a"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def source(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpSource]:
    monkeypatch.setattr(source_module, "MAX_WAIT_SECONDS", 0.0)
    made = HttpSource(site.url, token="t0")
    yield made
    made.close()


def test_a_static_web_server_is_enough(site: Site, source: HttpSource) -> None:
    log = Log([entry(number) for number in range(600)])

    def answer(path: str, headers: dict[str, str]) -> Answer:
        assert headers["Authorization"] == "Bearer t0"
        data = log.files.get(path.removeprefix("/log/a/"))
        if data is None:
            return 404, {}, b""
        if path.startswith("/log/a/tile/entries") and "gzip" in headers["Accept-Encoding"]:
            return 200, {"Content-Encoding": "gzip"}, gzip.compress(data)
        return 200, {}, data

    site.answer = answer
    tiled = TiledLog.open(source.fetch, [log.vkey])
    assert list(tiled.entries(0, 600)) == log.entries
    with pytest.raises(NotFound):
        source.fetch("tile/0/009")


def test_a_busy_server_is_asked_again(site: Site, source: HttpSource) -> None:
    answers: list[Answer] = [
        (503, {"Retry-After": "1"}, b""),
        (429, {"Retry-After": "x"}, b""),
        (200, {}, b"ok"),
    ]
    site.answer = lambda _path, _headers: answers.pop(0)
    assert source.fetch("checkpoint") == b"ok"
    site.answer = lambda _path, _headers: (503, {}, b"SERVER_BUSY: not available now\n")
    site.asked.clear()
    with pytest.raises(StoreUnavailable):
        source.fetch("checkpoint")
    assert len(site.asked) == source_module.TRIES


def test_a_closed_connection_is_opened_again(site: Site, source: HttpSource) -> None:
    site.answer = lambda _path, _headers: (200, {"Connection": "close"}, b"ok")
    for _ in range(3):
        assert source.fetch("checkpoint") == b"ok"


BOMB = gzip.compress(bytes(MAX_BUNDLE_BYTES + 1))


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"Content-Encoding": "gzip"}, b"no gzip"),
        (200, {"Content-Encoding": "gzip"}, BOMB),
        (200, {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 1000)[:-9]),
        (200, {"Content-Length": str(MAX_BUNDLE_BYTES + 1)}, bytes(MAX_BUNDLE_BYTES + 1)),
        (200, {"Content-Length": "100", "Connection": "close"}, b"cut short"),
        (301, {"Location": "https://elsewhere.example/"}, b""),
        (500, {}, b"<html>Anna Smith</html>"),
    ],
)
def test_answers_that_are_none(site: Site, source: HttpSource, answer: Answer) -> None:
    site.answer = lambda _path, _headers: answer
    with pytest.raises(StoreUnavailable) as caught:
        source.fetch("checkpoint")
    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert "Anna" not in str(caught.value)


def test_the_reason_of_a_refusal_is_passed_on(site: Site, source: HttpSource) -> None:
    site.answer = lambda _path, _headers: (403, {}, b"PERMISSION_DENIED: the caller may not do this\n")
    with pytest.raises(StoreUnavailable) as caught:
        source.fetch("tile/entries/000")
    assert caught.value.reason == "PERMISSION_DENIED"
    assert len(site.asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        *("", "log.example/a", "ftp://log.example/a", "http://log.example/a", "https:///a"),
        *("https://log.example/a?b", "https://log.example/a#b", "https://user:pw@log.example/a"),
    ],
)
def test_only_https_or_this_machine(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        HttpSource(url)

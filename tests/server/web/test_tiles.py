"""Static reads over real HTTPS: what is served, to whom, under which headers, and what is not there."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
import structlog.testing
from attending.ledger.custody.reads import Order
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import NotFound
from attending.ledger.static.bundles import parse_bundle
from attending.ledger.static.client import TiledLog
from attending.ledger.static.paths import bundles_of, tiles_of
from attending.server.web.component import build

COUNT = 600


def entries(count: int) -> list[PendingEntry]:
    return [
        PendingEntry("inference.requested", f"inf_{time.monotonic_ns()}_{n}", "app:demo-app", None, {"n": n})
        for n in range(count)
    ]


class Site:
    """A server with 600 published entries and 20 that are not."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.url = server.ready.endpoint["log_urls"]["demo"]
        self.base = self.url.rpartition("/")[0]
        self.ca = server.embedded.folder / server.ready.endpoint["ca"]
        self.key = server.ready.endpoint["log_keys"]["demo"]
        self.clients: list[httpx.Client] = []

        async def fill() -> None:
            ledger = server.app.ledger
            for _ in range(COUNT // 200):
                await ledger.append("demo", entries(200))
            # No more publishing: what is appended from now on stays unpublished.
            publisher = ledger._publishers["demo"]
            await publisher.stop()
            await ledger.append("demo", entries(20))

        server.run(fill())

    def client(self, identity: str | None = None, *, certificate: str | None = None) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.ca))
        if certificate is not None:
            person = self.server.ready.endpoint["identities"][certificate]
            folder = self.server.embedded.folder
            context.load_cert_chain(folder / person["certificate"], folder / person["key"])
        headers = {} if identity is None else {"Authorization": f"Bearer {self.server.token(identity)}"}
        client = httpx.Client(verify=context, headers=headers, timeout=30)
        self.clients.append(client)
        return client

    def denied(self) -> list[Any]:
        async def read() -> list[Any]:
            found = await self.server.app.ledger.list_entries("demo", COUNT, 1000)
            return [entry for entry in found if entry.type == "access.denied"]

        denials: list[Any] = self.server.run(read())
        return denials


@pytest.fixture(scope="module")
def site(start_server: Any) -> Iterator[Site]:
    made = Site(start_server(components=[build]))
    yield made
    for client in made.clients:
        client.close()


@pytest.fixture(scope="module")
def open_site(start_server: Any) -> Iterator[Site]:
    """The same with public tiles."""
    made = Site(start_server(components=[build], overrides={"http": {"port": 0, "public_tiles": True}}))
    yield made
    for client in made.clients:
        client.close()


@pytest.fixture(scope="module")
def auditor(site: Site) -> httpx.Client:
    return site.client("demo-auditor")


def reason(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    line, end = answer.text.split("\n")
    assert end == ""
    return answer.status_code, line.split(":")[0]


def test_the_client_reads_and_verifies_the_whole_log(site: Site, auditor: httpx.Client) -> None:
    def fetch(path: str) -> bytes:
        answer = auditor.get(f"{site.url}/{path}")
        assert answer.status_code == 200, (path, answer.text)
        return answer.content

    log = TiledLog.open(fetch, [site.key])
    assert log.size == COUNT
    numbers = [json.loads(data)["body"]["n"] for data in log.entries(0, COUNT)]
    assert numbers == [*range(200)] * 3
    # Partial tiles of every earlier size, computed.
    for size in (1, 255, 256, 257, 599):
        for path in (*tiles_of(size), *bundles_of(size)):
            assert fetch(str(path))


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("checkpoint", "text/plain; charset=utf-8", "private, max-age=1"),
        ("tile/0/001", "application/octet-stream", "private, max-age=31536000, immutable"),
        ("tile/1/000.p/2", "application/octet-stream", "private, max-age=31536000, immutable"),
        ("tile/entries/001", "application/octet-stream", "private, max-age=31536000, immutable"),
    ],
)
def test_headers(site: Site, auditor: httpx.Client, path: str, kind: str, cache: str) -> None:
    answer = auditor.get(f"{site.url}/{path}")
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (kind, cache)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers
    head = auditor.head(f"{site.url}/{path}")
    assert head.content == b""
    assert {key: head.headers[key] for key in ("content-type", "cache-control", "content-length")} == {
        key: answer.headers[key] for key in ("content-type", "cache-control", "content-length")
    }


def test_the_checkpoint_is_not_sent_twice(site: Site, auditor: httpx.Client) -> None:
    first = auditor.get(f"{site.url}/checkpoint")
    tag = first.headers["etag"]
    assert tag == f'"{hashlib.sha256(first.content).hexdigest()[:32]}"'
    for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        again = auditor.get(f"{site.url}/checkpoint", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert auditor.get(f"{site.url}/checkpoint", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("identity, GZIP;q=0.5", True),
        ("br, gzip ; q=1.0", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, identity", False),
        ("identity", False),
        ("gzipped", False),
        ("gzip;q=1.0.0", False),
        ("*", False),
    ],
)
def test_bundles_are_packed_when_asked(
    site: Site, auditor: httpx.Client, accepted: str, packed: bool
) -> None:
    with auditor.stream(
        "GET", f"{site.url}/tile/entries/000", headers={"Accept-Encoding": accepted}
    ) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["vary"] == "Accept-Encoding"
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    assert len(parse_bundle(gzip.decompress(raw) if packed else raw, 256)) == 256
    if packed:
        assert raw == gzip.compress(gzip.decompress(raw), 6, mtime=0)  # the same bytes each time


@pytest.mark.parametrize(
    "path",
    [
        # not published, though integrated
        *("tile/0/002.p/89", "tile/entries/002.p/89", "tile/0/002", "tile/1/000.p/3", "tile/1/000"),
        *("tile/2/000.p/1", "tile/0/x001/000", "tile/entries/999"),
        # other spellings
        *("", "tile", "tile/0/000/", "tile/0/000.p/256", "tile/00/000", "tile/0/%30%30%30", "tile%2F0/000"),
        *("Checkpoint", "checkpoint/", "%63heckpoint", "tile/0//000", "../demo/checkpoint", "tile/entries/0"),
        ".attending-log",
    ],
)
def test_what_is_not_there(site: Site, auditor: httpx.Client, path: str) -> None:
    request = auditor.build_request("GET", site.url)
    # As it stands: httpx would tidy the path up.
    prefix = request.url.raw_path.decode()
    request.url = request.url.copy_with(raw_path=f"{prefix}/{path}".encode())
    status, code = reason(auditor.send(request))
    assert status == 404
    assert code in {"OUT_OF_RANGE", "UNKNOWN_RESOURCE"}


def test_nothing_without_a_credential(site: Site) -> None:
    anonymous = site.client()
    for path in ("checkpoint", "tile/0/000", "tile/entries/000", "tile/0/999", "nonsense", ""):
        answer = anonymous.get(f"{site.url}/{path}")
        assert reason(answer) == (401, "MISSING_CREDENTIAL")
        assert answer.headers["www-authenticate"] == "Bearer"
    wrong = site.client()
    for header in ("Bearer att_00000000_" + "a" * 43, "Basic dTpw", "Bearer", "x" * 1000):
        answer = wrong.get(f"{site.url}/checkpoint", headers={"Authorization": header})
        assert reason(answer) == (401, "INVALID_CREDENTIAL")
    twice = [("Authorization", f"Bearer {site.server.token(name)}") for name in ("demo-app", "demo-auditor")]
    assert reason(wrong.get(f"{site.url}/checkpoint", headers=twice)) == (401, "INVALID_CREDENTIAL")


def test_a_client_certificate_is_a_credential(site: Site) -> None:
    client = site.client(certificate="demo-auditor")
    assert client.get(f"{site.url}/tile/entries/000").status_code == 200
    # Two credentials must name one identity.
    both = site.client("demo-app", certificate="demo-auditor")
    assert reason(both.get(f"{site.url}/checkpoint")) == (401, "INVALID_CREDENTIAL")
    same = site.client("demo-auditor", certificate="demo-auditor")
    assert same.get(f"{site.url}/checkpoint").status_code == 200


def test_an_application_reads_hashes_and_no_entries(site: Site) -> None:
    client, before = site.client("demo-app"), len(site.denied())
    assert client.get(f"{site.url}/checkpoint").status_code == 200
    assert client.get(f"{site.url}/tile/0/000").status_code == 200
    assert reason(client.get(f"{site.url}/tile/entries/000")) == (403, "PERMISSION_DENIED")
    [denial] = site.denied()[before:]
    assert (denial.actor, denial.body["action"]) == ("app:demo-app", "listEntries")
    assert denial.body["credential"] == "token"


def test_another_log_looks_like_none(site: Site, auditor: httpx.Client) -> None:
    before = len(site.denied())
    for url in (f"{site.base}/system/checkpoint", f"{site.base}/nobody/checkpoint", f"{site.base}/"):
        assert reason(auditor.get(url)) == (404, "UNKNOWN_RESOURCE")
    denials = site.denied()[before:]
    assert [denial.body["policy_ids"] for denial in denials] == [["never-across-tenants"]] * 3


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods(site: Site, auditor: httpx.Client, method: str) -> None:
    answer = auditor.request(method, f"{site.url}/checkpoint", content=b"x")
    assert reason(answer) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, HEAD"


def test_public_tiles_are_hashes_only(open_site: Site) -> None:
    anonymous = open_site.client()
    checkpoint = anonymous.get(f"{open_site.url}/checkpoint")
    assert (checkpoint.status_code, checkpoint.headers["cache-control"]) == (200, "public, max-age=1")
    tile = anonymous.get(f"{open_site.url}/tile/0/001")
    assert tile.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert reason(anonymous.get(f"{open_site.url}/tile/0/002.p/89")) == (404, "OUT_OF_RANGE")
    for path in ("tile/entries/000", "tile/entries/002.p/89", "nonsense"):
        assert reason(anonymous.get(f"{open_site.url}/{path}")) == (401, "MISSING_CREDENTIAL")
    bundle = open_site.client("demo-auditor").get(f"{open_site.url}/tile/entries/000")
    assert bundle.headers["cache-control"] == "private, max-age=31536000, immutable"


def test_bytes_that_are_no_request(site: Site) -> None:
    host, port = "localhost", int(site.base.rpartition(":")[2])
    context = ssl.create_default_context(cafile=str(site.ca))
    for sent in (b"\0" * 100, b"GET /\xff HTTP/1.1\r\n\r\n", b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n"):
        with (
            socket.create_connection((host, port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            connection.sendall(sent)
            answer = connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 400")
            assert b"Traceback" not in answer
    with socket.create_connection((host, port), timeout=30) as plain:
        plain.sendall(b"GET /checkpoint HTTP/1.1\r\nHost: x\r\n\r\n")  # no TLS
        assert b"200" not in plain.recv(4096)


def test_an_error_inside_says_nothing(site: Site, auditor: httpx.Client, monkeypatch: Any) -> None:
    async def broken(*_arguments: Any) -> bytes:
        raise RuntimeError("Anna Smith has measles")

    monkeypatch.setattr(site.server.app.ledger, "published_resource", broken)
    answer = auditor.get(f"{site.url}/tile/0/000")
    assert reason(answer) == (500, "INTERNAL")
    assert "Anna" not in answer.text


@pytest.fixture
def plain_logging() -> Iterator[None]:
    """Logging as a process has it before anything configures it, whatever tests before this one did."""
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


def test_the_log_of_requests_holds_no_query_header_or_path(
    site: Site, auditor: httpx.Client, monkeypatch: pytest.MonkeyPatch, plain_logging: None
) -> None:
    with structlog.testing.capture_logs() as lines:
        # A logger that has been used keeps the processors of then.
        monkeypatch.setattr("attending.server.web.tiles.log", structlog.get_logger())
        for path in ("checkpoint?patient=Anna", "Anna/Smith", "tile/0/000?x=Anna"):
            auditor.get(f"{site.url}/{path}", headers={"X-Note": "Anna", "User-Agent": "Anna"})
        auditor.get(f"{site.base}/Anna/checkpoint")
        site.client().get(f"{site.url}/Anna", headers={"Authorization": "Bearer Anna"})
    requests = [line for line in lines if line["event"] == "http.request"]
    assert [(line["stage"], line["status"]) for line in requests] == [
        ("checkpoint", 200),
        ("unknown", 404),
        ("tile", 200),
        ("unknown", 404),
        ("unknown", 401),
    ]
    assert "Anna" not in repr(lines)


def test_a_busy_server_says_when_to_come_back(site: Site, auditor: httpx.Client, monkeypatch: Any) -> None:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    entered, go = asyncio.Event(), asyncio.Event()
    count = 0

    async def slow(*_arguments: Any) -> bytes:
        nonlocal count
        count += 1
        if count == 16:
            entered.set()
        await go.wait()
        return b"x"

    monkeypatch.setattr(site.server.app.ledger, "published_resource", slow)
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(auditor.get, f"{site.url}/tile/0/000") for _ in range(16)]
        site.server.run(asyncio.wait_for(entered.wait(), 30))
        answer = auditor.get(f"{site.url}/tile/0/000")
        assert reason(answer) == (503, "CALLER_BUSY")
        assert answer.headers["retry-after"] == "1"
        # Others still have their share.
        assert site.client("demo-app").get(f"{site.url}/checkpoint").status_code == 200
        site.server.loop.call_soon_threadsafe(go.set)
        assert {done.result().status_code for done in waiting} == {200}


def test_an_introduction_is_read_by_whoever_reads_the_checkpoint(open_site: Site) -> None:
    """Last here: the log's key is another afterwards."""
    anybody, ledger = open_site.client(), open_site.server.app.ledger
    open_site.server.run(ledger.signing.rotate("demo", Order("human:o")))
    open_site.server.run(ledger.append("demo", entries(3)))
    first = f"{open_site.url}/introduction/2"
    assert anybody.get(first).status_code == 404  # not published yet
    note = open_site.server.run(ledger.publish("demo"))
    answer = anybody.get(first)
    assert answer.content.decode() == ledger.introductions("demo")[0]
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"

    def fetch(path: str) -> bytes:
        found = anybody.get(f"{open_site.url}/{path}")
        if found.status_code == 404:
            raise NotFound(path)
        assert found.status_code == 200
        return found.content

    assert TiledLog.open(fetch, [open_site.key]).checkpoint == note
    for path in ("introduction/1", "introduction/02", "introduction/3", "introduction/%32", "introduction"):
        assert anybody.get(f"{open_site.url}/{path}").status_code in (401, 404), path

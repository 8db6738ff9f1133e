"""HTTP/2 as no library would speak it: malformed, endless, and random frames. The server goes on serving."""

from __future__ import annotations

import contextlib
import os
import random
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attending.server.services.ledger import build as ledger_service
from attending.v1 import ledger_pb2, ledger_pb2_grpc

from tests.security import http2
from tests.security.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Http2,
    connect,
    frame,
    header_block,
    message,
    reason,
)

LIST = "/attending.v1.LedgerService/ListEntries"
BOMB_BYTES = 512 << 20
SECONDS = float(os.environ.get("SECURITY_SECONDS", "60"))


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    return start_server(components=[ledger_service])


@pytest.fixture(autouse=True)
def serving(server: Any) -> Any:
    """After each attack a caller is served as before."""
    yield
    stub = ledger_pb2_grpc.LedgerServiceStub(server.channel("demo-auditor"))
    assert stub.ListEntries(ledger_pb2.ListEntriesRequest(), timeout=30) is not None
    for channel in server.opened:
        channel.close()
    server.opened.clear()


def resident_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def headers(connection: Http2, *extra: tuple[bytes, bytes]) -> bytes:
    return header_block(connection.headers(LIST, extra))


def deluge(connection: Http2, piece: bytes, times: int) -> None:
    """Sends a piece again and again, reading nothing, until the server has had enough or all is sent."""
    connection.socket.settimeout(5)
    try:
        for _ in range(times):
            connection.send(piece)
    except (OSError, TimeoutError):
        pass


MALFORMED: dict[str, Callable[[Http2], bytes]] = {
    "no preface": lambda _c: b"\x00" * 64,
    "a frame longer than was agreed": lambda _c: frame(DATA, 0, 1, b"x" * 20_000),
    "a length without its payload": lambda _c: b"\xff\xff\xff" + bytes([DATA, 0]) + struct.pack(">I", 1),
    "data on stream 0": lambda _c: frame(DATA, 0, 0, b"x"),
    "data on a stream that is not open": lambda _c: frame(DATA, 0, 99, b"x"),
    "headers on stream 0": lambda c: frame(HEADERS, END_HEADERS, 0, headers(c)),
    "headers on an even stream": lambda c: frame(HEADERS, END_HEADERS, 2, headers(c)),
    "headers that are no HPACK": lambda _c: frame(HEADERS, END_HEADERS, 1, b"\xff" * 64),
    "an index beyond every table": lambda _c: frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\x7f"),
    "a string longer than its block": lambda _c: frame(HEADERS, END_HEADERS, 1, b"\x00\x7f\xff\xff\x03ab"),
    "padding longer than the frame": lambda _c: frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + b"x" * 8),
    "settings on a stream": lambda _c: frame(SETTINGS, 0, 1),
    "settings of 5 bytes": lambda _c: frame(SETTINGS, 0, 0, b"x" * 5),
    "settings with a window of 2^32 - 1": lambda _c: frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**32 - 1)),
    "settings with frames of 1 byte": lambda _c: frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1)),
    "a ping of 7 bytes": lambda _c: frame(PING, 0, 0, b"x" * 7),
    "a reset of stream 0": lambda _c: frame(RST_STREAM, 0, 0, b"\x00" * 4),
    "a reset of 3 bytes": lambda _c: frame(RST_STREAM, 0, 1, b"\x00" * 3),
    "a window of 0": lambda _c: frame(WINDOW_UPDATE, 0, 0, b"\x00" * 4),
    "windows that overflow": lambda _c: frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1)) * 4,
    "a continuation of nothing": lambda _c: frame(CONTINUATION, END_HEADERS, 1, b"\x00"),
    "a promise from a client": lambda _c: frame(PUSH_PROMISE, END_HEADERS, 1, b"\x00" * 8),
    "a stream that depends on itself": lambda _c: frame(PRIORITY, 0, 1, struct.pack(">I", 1) + b"\x10"),
    "goodbye and then a call": lambda c: (
        frame(GOAWAY, 0, 0, b"\x00" * 8) + frame(HEADERS, END_HEADERS, 1, headers(c))
    ),
    "another preface": lambda _c: PREFACE,
    "frames of no known kind": lambda _c: b"".join(frame(kind, 0xFF, 1, b"x") for kind in range(10, 256)),
}


@pytest.mark.parametrize("what", sorted(MALFORMED))
def test_malformed_frames(server: Any, what: str) -> None:
    with connect(server, greet=what != "no preface") as attacker:
        deluge(attacker, MALFORMED[what](attacker), 1)
        # An answer, an error or an end: what may not be is a server that is gone.
        attacker.socket.settimeout(0.2)
        with contextlib.suppress(OSError):
            while attacker.socket.recv(65536):
                pass


STRANGE: dict[str, tuple[tuple[bytes, bytes], ...]] = {
    "upper case": ((b"X-Upper", b"a"),),
    "a line break in a value": ((b"x-a", b"a\r\nauthorization: Bearer x"),),
    "NUL in a value": ((b"x-a", b"a\x00b"),),
    "an escape sequence in a value": ((b"x-a", b"\x1b[31mred"),),
    "a name that is none": ((b"x a", b"b"),),
    "an empty name": ((b"", b"b"),),
    "a second path": ((b":path", b"/attending.v1.CustodyService/EraseSubject"),),
    "a second method": ((b":method", b"GET"),),
    "an unknown pseudo header": ((b":protocol", b"websocket"),),
    "a second authority": ((b"host", b"elsewhere"),),
    "connection": ((b"connection", b"keep-alive"), (b"transfer-encoding", b"chunked")),
    "a deadline that is none": ((b"grpc-timeout", b"99999999999999999999S"),),
    "a deadline of no time": ((b"grpc-timeout", b"0n"),),
    "an encoding that is none": ((b"grpc-encoding", b"bomb"),),
    "binary that is no base64": ((b"x-bin", b"!!!!"),),
    "two credentials": ((b"authorization", b"Bearer other"),),
    "a credential of bytes": ((b"authorization", b"\xff\xfe\xfd"),),
    "a long credential": ((b"authorization", b"Bearer " + b"x" * 9_000),),
}


@pytest.mark.parametrize("what", sorted(STRANGE))
@pytest.mark.parametrize("known", [True, False])
def test_strange_headers(server: Any, what: str, known: bool) -> None:
    with connect(server, token=server.token("demo-auditor") if known else None) as attacker:
        stream = attacker.call(LIST, b"", STRANGE[what])
        found = attacker.until([HEADERS, RST_STREAM, GOAWAY], stream, 20)
        answered = found is not None and found.kind == HEADERS and bool(found.flags & END_STREAM)
        if answered and found is not None:
            assert http2.reason_in(found.payload) in (
                *(
                    "",
                    "MISSING_CREDENTIAL",
                    "INVALID_CREDENTIAL",
                    "REFUSED_CREDENTIALS",
                    "INVALID_REQUEST",
                    "UNKNOWN_METHOD",
                ),
            )


@pytest.mark.parametrize(
    "path", [b"/\xff\xfe", b"\xff", b"/attending.v1.LedgerService/List\xff", b"/\xed\xa0\x80"]
)
def test_a_path_that_is_no_text_does_not_end_the_server(server: Any, path: bytes) -> None:
    with connect(server, token=None) as attacker:
        named = [(key, path if key == b":path" else value) for key, value in attacker.headers("/")]
        attacker.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, header_block(named)))
        assert reason(attacker, 1) == "UNKNOWN_METHOD"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        "/attending.v1.LedgerService",
        "/attending.v1.LedgerService/",
        "/attending.v1.LedgerService/ListEntries/",
        "/attending.v1.ledgerservice/listentries",
        "/attending.v1.LedgerService/../CustodyService/EraseSubject",
        "/attending.v1.LedgerService%2fListEntries",
        "/attending.v1.Nothing/Nothing",
        "/attending.v1.LedgerService/\u202eseirtnEtsiL",
        "/" + "a" * 8_000,
    ],
)
def test_methods_that_are_none(server: Any, path: str) -> None:
    with connect(server) as attacker:
        stream = attacker.call(path, b"")
        found = attacker.until([HEADERS, RST_STREAM], stream, 20)
        if found is not None and found.kind == HEADERS:
            assert http2.reason_in(found.payload) in ("", "UNKNOWN_METHOD")


def test_a_flood_of_calls_that_are_taken_back(server: Any) -> None:
    # Rapid reset (CVE-2023-44487).
    with connect(server, token=None) as attacker:
        for number in range(5_000):
            stream = 2 * number + 1
            piece = frame(HEADERS, END_HEADERS, stream, headers(attacker))
            try:
                attacker.send(piece + frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))
            except OSError:
                break


def test_headers_without_end(server: Any) -> None:
    before = resident_mib()
    with connect(server, token=None) as attacker:
        deluge(attacker, frame(HEADERS, 0, 1, headers(attacker)), 1)
        deluge(attacker, frame(CONTINUATION, 0, 1, header_block([(b"x" * 50, b"y" * 8_000)])), 20_000)
    assert resident_mib() - before < 100


@pytest.mark.parametrize(
    ("piece", "times"),
    [
        (frame(PING, 0, 0, b"12345678"), 50_000),
        (frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535)), 50_000),
        (frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)), 50_000),
        (frame(PRIORITY, 0, 1, struct.pack(">I", 3) + b"\x10"), 50_000),
        (frame(DATA, 0, 1, b""), 50_000),
    ],
    ids=["ping", "settings", "window", "priority", "empty data"],
)
def test_floods_of_small_frames(server: Any, piece: bytes, times: int) -> None:
    before = resident_mib()
    with connect(server) as attacker:
        attacker.open(LIST)
        deluge(attacker, piece * 100, times // 100)
    assert resident_mib() - before < 100


@pytest.mark.parametrize(("encoding", "window"), [(b"gzip", 31), (b"deflate", 15)])
def test_a_message_that_grows_when_it_is_unpacked(server: Any, encoding: bytes, window: int) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(BOMB_BYTES >> 20)) + packer.flush()
    assert len(bomb) < 1 << 20
    before = peak = resident_mib()
    with connect(server) as attacker:
        stream = attacker.open(LIST, [(b"grpc-encoding", encoding)])
        packed = message(bomb, compressed=True)
        for start in range(0, len(packed), 16_000):
            last = start + 16_000 >= len(packed)
            attacker.send(frame(DATA, END_STREAM if last else 0, stream, packed[start : start + 16_000]))
            peak = max(peak, resident_mib())
        while (found := attacker.until([HEADERS], stream, 30)) is not None:
            peak = max(peak, resident_mib())
            if found.flags & END_STREAM:
                # gRPC itself refuses, after as much as a message may have: RESOURCE_EXHAUSTED (8), or no message (3).
                assert (
                    b"grpc-status\x018" in found.payload
                    or http2.reason_in(found.payload) == "INVALID_REQUEST"
                )
                break
    assert peak - before < 100 < BOMB_BYTES >> 20


@pytest.mark.parametrize("length", [0xFFFFFFFF, 1 << 30, 9 << 20])
def test_a_message_that_claims_more_than_it_may_be(server: Any, length: int) -> None:
    before = resident_mib()
    with connect(server) as attacker:
        stream = attacker.open(LIST)
        attacker.send(frame(DATA, 0, stream, message(b"x" * 100, length=length)))
        found = attacker.until([HEADERS, RST_STREAM], stream, 20)
        assert found is not None
    assert resident_mib() - before < 100


def test_two_messages_where_one_belongs(server: Any) -> None:
    with connect(server) as attacker:
        stream = attacker.open(LIST)
        attacker.send(frame(DATA, END_STREAM, stream, message(b"") + message(b"\xff" * 10)))
        assert reason(attacker, stream) in ("", "INVALID_REQUEST")


def test_no_message_where_one_belongs(server: Any) -> None:
    with connect(server) as attacker:
        stream = attacker.open(LIST)
        attacker.send(frame(DATA, END_STREAM, stream))
        assert reason(attacker, stream) == "INVALID_REQUEST"


def mutated(chance: random.Random, whole: bytes) -> bytes:
    """Bytes with a few of them changed, taken out, doubled or put in."""
    data = bytearray(whole)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(4):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randint(1, 20)]
            case 2:
                data[at:at] = chance.randbytes(chance.randint(1, 20))
            case _:
                data[at:at] = data[at : at + chance.randint(1, 40)]
    return bytes(data)


def attack(server: Any, chance: random.Random) -> None:
    """One connection of random or mutated frames."""
    try:
        attacker = connect(server, token=chance.choice([None, server.token("demo-auditor")]))
    except OSError:
        return
    with attacker:
        block = headers(attacker)
        calls = [
            frame(HEADERS, END_HEADERS, 1, block),
            frame(DATA, END_STREAM, 1, message(b"\x10\x05")),
            frame(HEADERS, END_HEADERS, 3, block),
            frame(PING, 0, 0, b"12345678"),
            frame(WINDOW_UPDATE, 0, 3, struct.pack(">I", 1000)),
            frame(DATA, END_STREAM, 3, message(b"")),
        ]
        if chance.random() < 0.2:
            kind, flags, stream = chance.randrange(12), chance.randrange(256), chance.randrange(8)
            data = frame(kind, flags, stream, chance.randbytes(chance.randrange(200)))
        else:
            data = mutated(chance, b"".join(calls))
        deluge(attacker, data, 1)
        attacker.socket.settimeout(0.01)
        with contextlib.suppress(OSError):
            attacker.socket.recv(65536)


def test_random_frames(server: Any) -> None:
    chance = random.Random(20260412)
    for _ in range(150):
        attack(server, chance)


@pytest.mark.security
def test_random_frames_for_longer(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    before, seed, tried = resident_mib(), time.time_ns(), 0
    chance, until = random.Random(seed), time.monotonic() + SECONDS
    while time.monotonic() < until:
        attack(server, chance)
        tried += 1
    with capsys.disabled():
        print(f"\nrandom frames: {tried} connections, seed {seed}, {resident_mib() - before} MiB more")
    assert tried > 100
    assert resident_mib() - before < 200

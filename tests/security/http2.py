"""A client that speaks HTTP/2 by hand, over TLS, so that it can do what no library would (RFC 9113, RFC 7541)."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    range(10)
)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
INITIAL_WINDOW_SIZE: Final = 4
_TRUE_BINARY: Final = (0xFE03, 1)
"""gRPC's own setting: binary metadata may come as it is, not as base64 in Huffman codes."""


@dataclass(frozen=True)
class Frame:
    """One frame as it was received."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame (RFC 9113 section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def integer(value: int, prefix_bits: int) -> bytes:
    """An integer of HPACK (RFC 7541 section 5.1), the first bits zero."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([value])
    out = [most]
    value -= most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def header_block(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Literal header fields without indexing and without Huffman codes (RFC 7541 section 6.2.2)."""
    return b"".join(
        b"\x00" + integer(len(name), 7) + name + integer(len(value), 7) + value for name, value in headers
    )


def message(data: bytes, *, compressed: bool = False, length: int | None = None) -> bytes:
    """A length-prefixed message of gRPC; `length` claims another length than the real one."""
    return bytes([compressed]) + struct.pack(">I", len(data) if length is None else length) + data


class Http2:
    """One connection. Nothing is read unless a method says so."""

    def __init__(
        self,
        host: str,
        port: int,
        ca: Path,
        *,
        token: str | None = None,
        settings: Iterable[tuple[int, int]] = (),
        greet: bool = True,
        seconds: float = 30.0,
        source: str = "",
    ) -> None:
        """`settings` are the client's; `source` is the address to come from."""
        context = ssl.create_default_context(cafile=str(ca))
        context.set_alpn_protocols(["h2"])
        raw = socket.create_connection((host, port), seconds, (source, 0) if source else None)
        self.socket = context.wrap_socket(raw, server_hostname=host)
        self.authority = f"{host}:{port}".encode()
        self.token = token
        self._buffer = b""
        self._stream = -1
        if greet:
            payload = b"".join(struct.pack(">HI", key, value) for key, value in [_TRUE_BINARY, *settings])
            self.send(PREFACE + frame(SETTINGS, 0, 0, payload))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def headers(self, path: str, extra: Iterable[tuple[bytes, bytes]] = ()) -> list[tuple[bytes, bytes]]:
        """Those of a call to a method."""
        named = [
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":path", path.encode()),
            (b":authority", self.authority),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        ]
        if self.token is not None:
            named.append((b"authorization", b"Bearer " + self.token.encode()))
        return [*named, *extra]

    def open(self, path: str, extra: Iterable[tuple[bytes, bytes]] = ()) -> int:
        """Sends the headers of a call; returns its stream."""
        self._stream += 2
        self.send(frame(HEADERS, END_HEADERS, self._stream, header_block(self.headers(path, extra))))
        return self._stream

    def call(self, path: str, request: bytes, extra: Iterable[tuple[bytes, bytes]] = ()) -> int:
        """Sends a whole unary call; returns its stream."""
        stream = self.open(path, extra)
        self.send(frame(DATA, END_STREAM, stream, message(request)))
        return stream

    def receive(self, seconds: float) -> Frame | None:
        """The next frame; None when the server closed the connection. TimeoutError when nothing came."""
        until = time.monotonic() + seconds
        while len(self._buffer) < 9 or len(self._buffer) < 9 + int.from_bytes(self._buffer[:3], "big"):
            self.socket.settimeout(max(0.001, until - time.monotonic()))
            try:
                more = self.socket.recv(65536)
            except TimeoutError:
                raise
            except (ConnectionError, ssl.SSLError):
                return None
            if not more:
                return None
            self._buffer += more
        size = int.from_bytes(self._buffer[:3], "big")
        kind, flags = self._buffer[3], self._buffer[4]
        stream = int.from_bytes(self._buffer[5:9], "big") & 0x7FFFFFFF
        payload, self._buffer = self._buffer[9 : 9 + size], self._buffer[9 + size :]
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))
        if kind == PING and not flags & ACK:
            self.send(frame(PING, ACK, 0, payload))
        if kind == DATA and payload:
            # What was read may be followed by as much.
            self.widen(0, len(payload))
            self.widen(stream, len(payload))
        return Frame(kind, flags, stream, payload)

    def widen(self, stream: int, size: int) -> None:
        """Lets the server send so many bytes more, on a stream or (0) on the connection."""
        self.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size)))

    def until(self, wanted: Iterable[int], stream: int | None, seconds: float) -> Frame | None:
        """The next frame of one of these kinds on a stream (None: any); None when the connection ended first."""
        kinds, end = set(wanted), time.monotonic() + seconds
        while True:
            found = self.receive(end - time.monotonic())
            if found is None or (found.kind in kinds and stream in (None, found.stream)):
                return found


def reason_in(trailers: bytes) -> str:
    """The reason in the trailers of a refusal; "" when they hold none. They hold details as they are (see above)."""
    found = re.search(rb"\x0a[\x04-\x40]([A-Z][A-Z_]{3,})\x12\x09attending", trailers)
    return found.group(1).decode() if found else ""


def connect(server: Any, who: str = "demo-auditor", **how: Any) -> Http2:
    """A connection to the token port of a server of `start_server`, as one of its demo identities."""
    ca = server.embedded.folder / server.ready.endpoint["ca"]
    host, _colon, port = server.ready.endpoint["token_target"].partition(":")
    how.setdefault("token", server.token(who))
    return Http2(host, int(port), Path(ca), **how)


def reason(connection: Http2, stream: int | None, seconds: float = 20.0) -> str | None:
    """The reason that a call on this stream (None: any) ended with; None when the connection ended first."""
    while True:
        found = connection.until([HEADERS, DATA], stream, seconds)
        if found is None:
            return None
        if found.kind == HEADERS and found.flags & END_STREAM:
            return reason_in(found.payload)

"""Fetches static resources over HTTPS for the reading client, with the standard library alone.

What comes back is verified by the client; here it is only bounded, so that a server cannot fill the memory.
"""

from __future__ import annotations

import http.client
import ssl
import time
import zlib
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from attending.ledger.errors import NotFound, StoreUnavailable
from attending.ledger.static.bundles import MAX_BUNDLE_BYTES

TIMEOUT_SECONDS: Final = 30.0
TRIES: Final = 5
MAX_WAIT_SECONDS: Final = 10.0
_GZIP_WINDOW: Final = 31
_MAX_REASON_CHARS: Final = 40
_OK, _NOT_FOUND, _TOO_MANY, _BUSY = 200, 404, 429, 503


class HttpSource:
    """One connection, kept open. For one thread; close it."""

    def __init__(
        self,
        url: str,
        *,
        ca: Path | None = None,
        token: str | None = None,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        """`url` is where `checkpoint` is, without it; `ca` a PEM file in place of the system's authorities;
        `certificate` the paths of a client certificate and its key.

        Raises ValueError for a URL that is not https (or http to this machine), OSError for files.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        local = parts.scheme == "http" and host in ("localhost", "127.0.0.1", "::1")
        if (
            not host
            or not (parts.scheme == "https" or local)
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise ValueError("url is not `https://host[:port]/path`")
        self._prefix = parts.path.rstrip("/")
        self._headers = {"Accept-Encoding": "gzip, identity", "User-Agent": "attending-ledger"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        if local:
            self._connection = http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT_SECONDS)
        else:
            context = ssl.create_default_context(cafile=None if ca is None else str(ca))
            if certificate is not None:
                context.load_cert_chain(*certificate)
            self._connection = http.client.HTTPSConnection(
                host, parts.port, timeout=TIMEOUT_SECONDS, context=context
            )

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def fetch(self, path: str) -> bytes:
        """The resource at `path`; a busy server is asked again.

        Raises NotFound; StoreUnavailable (the reason is the server's code where it gave one): not reachable,
        refused, still busy after five tries, or an answer larger than any resource.
        """
        for number in range(TRIES):
            try:
                status, headers, data = self._ask(path)
            except (OSError, http.client.HTTPException) as err:
                self._connection.close()
                # A connection that the server had closed meanwhile looks like this once.
                if number == 0 and not isinstance(err, TimeoutError):
                    continue
                raise StoreUnavailable(f"server cannot be reached ({type(err).__name__})") from err
            if status == _OK:
                return _unpacked(data, headers.get("Content-Encoding", ""))
            if status == _NOT_FOUND:
                raise NotFound("the server has no such resource")
            if status not in (_BUSY, _TOO_MANY):
                raise _refused(status, data)
            time.sleep(_wait(headers.get("Retry-After"), number))
        raise StoreUnavailable("server is busy")

    def _ask(self, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        self._connection.request("GET", f"{self._prefix}/{path}", headers=self._headers)
        response = self._connection.getresponse()
        data = response.read(MAX_BUNDLE_BYTES + 1)
        if len(data) > MAX_BUNDLE_BYTES:
            self._connection.close()
            raise StoreUnavailable("answer is larger than any resource")
        if response.length:  # http.client says nothing of an answer that ends early
            self._connection.close()
            raise StoreUnavailable("answer is cut short")
        return response.status, response.headers, data


def _unpacked(data: bytes, encoding: str) -> bytes:
    if encoding.lower() != "gzip":
        return data
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    try:
        unpacked = inflate.decompress(data, MAX_BUNDLE_BYTES + 1)
    except zlib.error as err:
        raise StoreUnavailable("answer is not gzip although it says so") from err
    if len(unpacked) > MAX_BUNDLE_BYTES or not inflate.eof:
        raise StoreUnavailable("answer is cut short, or larger than any resource")
    return unpacked


def _refused(status: int, data: bytes) -> StoreUnavailable:
    """The server's reason code is passed on when it is one; nothing else of its words."""
    error = StoreUnavailable(f"server answered {status}")
    reason = data[:_MAX_REASON_CHARS].decode("ascii", "replace").partition(":")[0]
    if reason.isascii() and reason.replace("_", "").isalpha() and reason.isupper():
        error.reason = reason
    return error


def _wait(told: str | None, number: int) -> float:
    try:
        seconds = float(told) if told is not None else 0.5 * 2**number
    except ValueError:
        seconds = 1.0
    return min(max(seconds, 0.1), MAX_WAIT_SECONDS)

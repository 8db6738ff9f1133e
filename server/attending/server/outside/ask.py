"""One request to a server that belongs to somebody else, with nothing of its answer taken for granted.

The connection goes to a judged address (`addresses`), over TLS that is verified, and to nobody's proxy; no redirect is
followed. Time and size of an answer have bounds, whatever its headers say.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import httpcore
from attending.server.outside.addresses import AddressRefused, JudgedNetwork
from attending.server.outside.tls import tls_of

CONNECTIONS: Final = 16


class NotAnswered(Exception):  # noqa: N818 - says what happened
    """There is no answer; `reason` is UPPER_SNAKE and holds nothing that the other side said."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; NotAnswered (NOT_JSON)."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            raise NotAnswered("NOT_JSON") from None
        if not isinstance(found, dict):
            raise NotAnswered("NOT_JSON")
        return found


class Asker:
    """Of one server and those that it names. Safe from several tasks of one event loop."""

    def __init__(
        self,
        *,
        ca_file: Path | None,
        allow_private: bool,
        timeout_seconds: float,
        most_bytes: int,
        where: str,
    ) -> None:
        """`where` names the section in a ConfigurationError for authorities that do not read."""
        self._timeout = timeout_seconds
        self._most_bytes = most_bytes
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls_of(ca_file, where),
            max_connections=CONNECTIONS,
            max_keepalive_connections=0,
            network_backend=JudgedNetwork(allow_private=allow_private),
        )

    async def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer, of whatever status but a redirect; NotAnswered: TIMEOUT, UNREACHABLE (also for a certificate that
        does not verify), PRIVATE_ADDRESS, REDIRECTED, COMPRESSED, TOO_LARGE.
        """
        given = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "attending"}
        if form is not None:
            content = urlencode(form).encode()
            given["content-type"] = "application/x-www-form-urlencoded"
        given |= headers or {}
        pairs = [(name.encode(), value.encode()) for name, value in given.items()]
        try:
            async with asyncio.timeout(self._timeout):
                return await self._ask(method, url, pairs, content)
        except TimeoutError:
            raise NotAnswered("TIMEOUT") from None
        except AddressRefused:
            raise NotAnswered("PRIVATE_ADDRESS") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError):
            raise NotAnswered("UNREACHABLE") from None

    async def close(self) -> None:
        await self._pool.aclose()

    async def _ask(
        self, method: str, url: str, pairs: list[tuple[bytes, bytes]], content: bytes | None
    ) -> Answer:
        async with self._pool.stream(method, url, headers=pairs, content=content) as response:
            if response.status // 100 == 3:
                raise NotAnswered("REDIRECTED")
            headers: dict[str, str] = {}
            for sent, value in response.headers:
                # A field that stands there twice is one list (RFC 9110, 5.3): a proxy's line takes back no `no-store`.
                name, said = sent.decode("latin-1").lower(), value.decode("latin-1")
                headers[name] = f"{headers[name]}, {said}" if name in headers else said
            if headers.get("content-encoding", "identity").lower() != "identity":
                # What unpacks to more than it weighs has no bound that could be kept.
                raise NotAnswered("COMPRESSED")
            body = bytearray()
            async for part in response.aiter_stream():
                body += part
                if len(body) > self._most_bytes:
                    raise NotAnswered("TOO_LARGE")
            return Answer(int(response.status), headers, bytes(body))

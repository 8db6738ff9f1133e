"""Notices over HTTPS, signed as the Standard Webhooks specification (version 1) says.

Headers `webhook-id`, `webhook-timestamp` (POSIX seconds) and `webhook-signature`: `v1,` and base64 of HMAC-SHA256 over
`id.timestamp.body`, one for each secret in force. A receiver refuses an old timestamp and an id that it has had.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import httpcore
from attending.server.config import WebhookSection
from attending.server.notices.delivery import (
    TIMEOUT,
    UNREACHABLE,
    NotDelivered,
    read_secret,
)
from attending.server.notices.notice import TEST, Notice, link, notice_of
from attending.server.outside.addresses import AddressRefused, JudgedNetwork
from attending.server.outside.tls import tls_of

PREFIX: Final = b"whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64
_GONE: Final = 410


def secret_key(text: bytes) -> bytes:
    """The key of a secret, `whsec_` and base64 of 24 to 64 bytes; ValueError that quotes nothing."""
    if not text.startswith(PREFIX):
        raise ValueError("does not begin with `whsec_`")
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("is not base64 after `whsec_`") from None
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(f"has {len(key)} bytes, expected {LEAST_BYTES} to {MOST_BYTES}")
    return key


def signed_headers(keys: Sequence[bytes], id_: str, moment: datetime, body: bytes) -> dict[str, str]:
    """The three headers."""
    stamp = str(int(moment.timestamp()))
    message = f"{id_}.{stamp}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode() for key in keys]
    return {
        "webhook-id": id_,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def body_of(notice: Notice, console: str | None) -> bytes:
    """What is posted: the same bytes whenever it is sent again."""
    data: dict[str, Any] = {"tenant": notice.tenant, "entry": notice.index, **notice.data}
    if notice.roles:
        data["roles"] = list(notice.roles)
    if (where := link(console, notice)) is not None:
        data["link"] = where
    body = {"type": notice.event, "timestamp": notice.time, "data": data}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


class Webhook:
    """One receiver. No redirect is followed, no proxy is asked, and nothing that it answers is read but its status."""

    kind = "webhook"

    def __init__(self, section: WebhookSection, console: str | None, now: Callable[[], datetime]) -> None:
        """Raises ConfigurationError for authorities that do not read."""
        self.name = section.name
        self._section = section
        self._console = console
        self._now = now
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls_of(section.ca_file, f"notices.webhook `{section.name}`"),
            max_connections=16,
            max_keepalive_connections=0,
            network_backend=JudgedNetwork(allow_private=section.allow_private),
        )

    read = staticmethod(notice_of)

    def wants(self, notice: Notice) -> bool:
        return notice.event == TEST or self._section.wants(notice.event)

    async def send(self, notice: Notice) -> None:
        body = body_of(notice, self._console)
        headers = signed_headers(await self._keys(), notice.id, self._now(), body)
        try:
            async with asyncio.timeout(self._section.timeout_seconds):
                status = await self._post(headers, body)
        except TimeoutError:
            raise NotDelivered(TIMEOUT) from None
        except AddressRefused:
            raise NotDelivered("PRIVATE_ADDRESS") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError):
            raise NotDelivered(UNREACHABLE) from None
        if status // 100 == 3:
            raise NotDelivered("REDIRECTED")
        if status // 100 != 2:
            raise NotDelivered(f"STATUS_{status}", permanent=status == _GONE)

    async def close(self) -> None:
        await self._pool.aclose()

    async def _post(self, headers: Mapping[str, str], body: bytes) -> int:
        given = {"content-type": "application/json", "user-agent": "attending", **headers}
        pairs = [(name.encode(), value.encode()) for name, value in given.items()]
        # The body of the answer is left unread: it could be without end.
        async with self._pool.stream("POST", self._section.url, headers=pairs, content=body) as response:
            return int(response.status)

    async def _keys(self) -> list[bytes]:
        section = self._section
        places = [(section.secret_file, section.secret_env)]
        if section.previous_secret_file is not None or section.previous_secret_env is not None:
            places.append((section.previous_secret_file, section.previous_secret_env))
        try:
            return [secret_key(await read_secret(file, variable)) for file, variable in places]
        except ValueError:
            raise NotDelivered("SECRET_MALFORMED") from None

"""Time stamps of a configured authority (RFC 3161 over HTTP, its section 3.4), with bounds on time and answer.

What the authority says is believed by nobody here: the finished file is verified under the authority's configured root
before it is given out (`seal`).
"""

from __future__ import annotations

import asyncio
from typing import Final

from asn1crypto import cms
from attending.ledger.errors import VerificationError
from attending.ledger.verify.pdf import der
from attending.ledger.verify.pdf.stamp import parse_token
from attending.server.outside.ask import Asker, NotAnswered
from pyhanko.sign.timestamps.api import TimeStamper

MAX_ANSWER_BYTES: Final = 64 << 10
_OK: Final = 200
_GRANTED: Final = (0, 1)
"""PKIStatus `granted`, also with changes (RFC 3161, section 2.4.2)."""


class NotStamped(Exception):  # noqa: N818 - says what happened
    """There is no time stamp; `reason` is UPPER_SNAKE and holds nothing that the other side said."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Authority(TimeStamper):  # type: ignore[misc] # the library has no types
    """Asks one authority: from the thread in which a file is sealed, by connections of the server's event loop."""

    def __init__(self, url: str, asker: Asker, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(include_nonce=True)
        self._url = url
        self._asker = asker
        self._loop = loop

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """The authority's token over a digest, with the nonce that was sent. Raises NotStamped."""
        nonce, request = self.request_cms(message_digest, md_algorithm)
        asked = self._asker(
            "POST",
            self._url,
            headers={"content-type": "application/timestamp-query", "accept": "application/timestamp-reply"},
            content=request.dump(),
        )
        try:
            answer = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, self._loop))
        except NotAnswered as err:
            raise NotStamped(f"TSA_{err.reason}") from None
        if answer.status != _OK:
            raise NotStamped("TSA_HTTP_STATUS")
        try:
            parts = der.parse(answer.body).children()
            if parts[0].children()[0].integer() not in _GRANTED:
                raise NotStamped("TSA_REFUSED")
            if parse_token(parts[1].encoded).nonce != nonce:
                raise NotStamped("TSA_ANSWER")  # of another request, or an old one again
        except (VerificationError, IndexError):
            raise NotStamped("TSA_MALFORMED") from None
        return cms.ContentInfo.load(parts[1].encoded)

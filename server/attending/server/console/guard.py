"""What is put around every request of the console before anything looks at it, and on every answer.

(1) One address: another `Host` is refused, so that a name that an attacker points at this machine opens nothing (DNS
rebinding). (2) A change comes from our own pages: its `Origin` is ours, whatever the cookie says. (3) Every answer
carries a policy under which nothing runs or loads but files of this console. (4) No page is shown in a frame, but those
of an item in one of a configured page: see `Address.ancestors`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from attending.server.config import is_loopback
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types attending",
    )
)
_NONE: Final = "'none'"
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), "
    "microphone=(), geolocation=(), payment=(), usb=()",
}
YEAR_SECONDS: Final = 31_536_000
MOST_DRAINED_BYTES: Final = 65_536
DRAIN_SECONDS: Final = 1.0
FRAMED_PATHS: Final = ("/items/", "/smart/")
"""Pages that may be in a frame: what a launch leads to. Neither the queue nor signing in nor any officer's page may."""
FRAMED_HEADER: Final = "x-attending-framed"
FRAMED_QUERY: Final = "framed"
_FRAMES: Final = frozenset({"iframe", "frame", "fencedframe", "embed", "object"})
"""Destinations of a fetch (Fetch Metadata) whose page is inside another."""


class Address:
    """The console's own address. `origin` is known once the port is; `ancestors` are the origins whose pages may frame
    what FRAMED_PATHS names.
    """

    def __init__(self, origin: str | None, ancestors: Sequence[str] = ()) -> None:
        self._origin = origin
        self.ancestors = tuple(ancestors)

    def framed(self, request: Request) -> bool:
        """Whether a request comes out of a frame: as the browser says of a page, and as our own page says of what it
        asks for. One that says so wrongly gets the wrong cookie's session, which is none.
        """
        if not self.ancestors:
            return False
        return (
            request.headers.get("sec-fetch-dest", "") in _FRAMES
            or request.headers.get(FRAMED_HEADER) == "1"
            or request.query_params.get(FRAMED_QUERY) == "1"
        )

    def framing(self, path: str) -> dict[str, str]:
        """The headers that say who may frame the page at `path`. `X-Frame-Options` knows no list, so that it is left
        out where there is one; a browser that heeds it alone (before CSP 2) is told nothing else by any site.
        """
        allowed = self.ancestors if path.startswith(FRAMED_PATHS) else ()
        policy = f"{CONTENT_SECURITY_POLICY}; frame-ancestors {' '.join(allowed) or _NONE}"
        return {
            "Content-Security-Policy": policy,
            **({} if allowed else {"X-Frame-Options": "DENY"}),
        }

    def listens_on(self, port: int) -> None:
        """Fixes the address of a console that has none of its own: this machine's."""
        if self._origin is None:
            self._origin = f"http://localhost:{port}"

    @property
    def origin(self) -> str:
        assert self._origin is not None, "not listening yet"
        return self._origin

    @property
    def host(self) -> str:
        """As a `Host` header has it."""
        return urlsplit(self.origin).netloc

    @property
    def name(self) -> str:
        """Without the port: what passkeys are bound to (the RP id of WebAuthn)."""
        return urlsplit(self.origin).hostname or ""

    @property
    def secure(self) -> bool:
        return self.origin.startswith("https:")


class Guard:
    """ASGI middleware around the whole console."""

    def __init__(self, app: ASGIApp, address: Address) -> None:
        self._app = app
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**HEADERS, **self._address.framing(scope["path"])}.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                if self._address.secure:
                    headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
                if scope["method"] not in SAFE_METHODS:
                    # The listener closes after a request with a body; said, so that nothing is sent after it.
                    headers["Connection"] = "close"
            await send(message)

        refused = self._refused(scope)
        if refused is None:
            await self._app(scope, receive, guarded)
            return
        await _drained(receive)
        await refused(scope, receive, guarded)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        safe = scope["method"] in SAFE_METHODS
        # (1)
        host = headers.get("host", "")
        if host != self._address.host:
            if safe and is_loopback(self._address.name) and is_loopback(host.rpartition(":")[0]):
                # Somebody typed 127.0.0.1: passkeys are bound to the name.
                return RedirectResponse(self._address.origin + scope["path"], 307)
            return PlainTextResponse("WRONG_ADDRESS: open the console under its own address\n", 421)
        # (2)
        if not safe:
            origin = headers.get("origin")
            ours = (
                origin == self._address.origin
                and headers.get("sec-fetch-site", "same-origin") == "same-origin"
            )
            # A program that holds a credential of its own sends neither; nothing is done by its cookie then.
            program = origin is None and "cookie" not in headers and "sec-fetch-site" not in headers
            if not ours and not program:
                return PlainTextResponse("WRONG_ORIGIN: this did not come from a page of the console\n", 403)
        return None


async def _drained(receive: Receive) -> None:
    """Reads what a refused request brings, within bounds: a connection that is closed over bytes which nobody read is
    reset, and the refusal may be lost with it.
    """
    left = MOST_DRAINED_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))

"""What is put around every request of the console before anything looks at it, and on every answer.

(1) One address: another `Host` is refused, so that a name that an attacker points at this machine opens nothing (DNS
rebinding). (2) A change comes from our own pages: its `Origin` is ours, whatever the cookie says. (3) Every answer
carries a policy under which nothing runs, loads or frames it but files of this console.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from attending.server.config import is_loopback
from starlette.datastructures import Headers, MutableHeaders
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
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types attending",
    )
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), "
    "microphone=(), geolocation=(), payment=(), usb=()",
}
YEAR_SECONDS: Final = 31_536_000


class Address:
    """The console's own address. `origin` is known once the port is."""

    def __init__(self, origin: str | None) -> None:
        self._origin = origin

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
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                if self._address.secure:
                    headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
                if scope["method"] not in SAFE_METHODS:
                    # The listener closes after a request with a body; said, so that nothing is sent after it.
                    headers["Connection"] = "close"
            await send(message)

        refused = self._refused(scope)
        await (self._app if refused is None else refused)(scope, receive, guarded)

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

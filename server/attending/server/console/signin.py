"""Signing in and out: by a one-time link of the embedded mode, and what the account page shows."""

from __future__ import annotations

from attending.server.auth.authenticate import Directory
from attending.server.config import ConsoleOidcSection
from attending.server.console.gate import Gate, Visit, read_fields, text_of
from attending.server.console.guard import Address
from attending.server.console.links import LINK_SECONDS, Links
from attending.server.console.render import Pages
from attending.server.errors import NotFound, PermissionDenied, Unauthenticated
from attending.server.limits.rates import Rates
from attending.server.web.access import HttpAccess
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class SignIn:
    """One instance a server."""

    def __init__(
        self,
        *,
        gate: Gate,
        pages: Pages,
        links: Links | None,
        access: HttpAccess,
        directory: Directory,
        rates: Rates,
        address: Address,
        providers: list[ConsoleOidcSection],
    ) -> None:
        """`links` is None outside the embedded mode."""
        self._gate = gate
        self._pages = pages
        self._links = links
        self._access = access
        self._directory = directory
        self._rates = rates
        self._address = address
        self._providers = providers

    async def page(self, request: Request) -> Response:
        """The ways to sign in."""
        return self._pages.page(
            "signin.html",
            next=local_path(request.query_params.get("next")),
            ended="ended" in request.query_params,
            out="out" in request.query_params,
            providers=self._providers,
            links=self._links is not None,
        )

    async def make_link(self, request: Request) -> Response:
        """For a program with a person's credential: the address that signs that person in, once, within a minute."""
        if self._links is None:
            raise NotFound("UNKNOWN_RESOURCE")
        principal = await self._access.authenticate(request)
        if principal.kind != "human":
            raise PermissionDenied("ROLE_NOT_PERMITTED")
        secret = self._links.make(principal.tenant, principal.name)
        # Behind the #, which no browser sends: it stands in no log of a server or proxy.
        url = f"{self._address.origin}/sign-in/link#{secret}"
        return JSONResponse({"url": url, "seconds": LINK_SECONDS, "user": principal.name})

    async def link_page(self, request: Request) -> Response:
        """A page whose script sends the secret of its own address."""
        if self._links is None:
            raise NotFound("UNKNOWN_RESOURCE")
        return self._pages.page("link.html")

    async def by_link(self, request: Request) -> Response:
        if self._links is None:
            raise NotFound("UNKNOWN_RESOURCE")
        host = request.client.host if request.client else ""
        with self._rates.credential(host, ()):
            found = self._links.take(text_of(await read_fields(request), "secret"))
            if found is None:
                raise Unauthenticated("LINK_NOT_VALID")
            principal = self._directory.named(*found, "link")
        return await self._gate.signed_in(request, principal)

    async def sign_out(self, visit: Visit) -> Response:
        await self._gate.sessions.end(visit.session, "signed_out")
        response = JSONResponse({"next": "/sign-in?out=1"})
        response.delete_cookie(self._gate.cookie, path="/", httponly=True, samesite="lax")
        return response

    async def end_others(self, visit: Visit) -> Response:
        """Ends every other session of the same person."""
        others = [
            one
            for one in self._gate.sessions.of(visit.session.tenant, visit.session.user)
            if one is not visit.session
        ]
        for session in others:
            await self._gate.sessions.end(session, "elsewhere")
        return JSONResponse({"ended": len(others)})

    async def active(self, visit: Visit) -> Response:
        """A page says that its person is there: reading is work, too."""
        return JSONResponse({"idle_seconds": self._gate.sessions.idle.total_seconds()})


def local_path(given: str | None) -> str:
    """A path of this console to go to after signing in; `/` for anything that could lead elsewhere."""
    text = given or "/"
    plain = (
        text.startswith("/") and not text.startswith(("//", "/\\")) and text.isascii() and text.isprintable()
    )
    return text if plain and "\\" not in text and len(text) <= 500 else "/"

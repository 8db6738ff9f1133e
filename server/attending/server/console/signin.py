"""Signing in and out: with an OpenID Connect provider, or by a one-time link of the embedded mode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from attending.server.auth.authenticate import Directory, Shown
from attending.server.config import ConsoleSmartSection
from attending.server.console.begun import FLOW_SECONDS
from attending.server.console.gate import Gate, Visit, cookie_of, read_fields, text_of
from attending.server.console.guard import Address
from attending.server.console.links import LINK_SECONDS, Links
from attending.server.console.oidc import CodeFlow
from attending.server.console.render import Pages
from attending.server.errors import NotFound, PermissionDenied, Unauthenticated
from attending.server.limits.rates import Rates
from attending.server.web.access import HttpAccess
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

OIDC_COOKIE: Final = "attending-oidc"


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
        flows: Mapping[str, CodeFlow],
        systems: Sequence[ConsoleSmartSection],
    ) -> None:
        """`links` is None outside the embedded mode; `flows` are the providers to sign in with, by name, `systems` the
        record systems to begin at.
        """
        self._gate = gate
        self._pages = pages
        self._links = links
        self._access = access
        self._directory = directory
        self._rates = rates
        self._address = address
        self._flows = flows
        self._systems = systems

    async def page(self, request: Request) -> Response:
        """The ways to sign in."""
        return self._pages.page(
            "signin.html",
            next=local_path(request.query_params.get("next")),
            ended="ended" in request.query_params,
            out="out" in request.query_params,
            providers=[flow.section for flow in self._flows.values()],
            systems=self._systems,
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

    async def to_provider(self, request: Request) -> Response:
        """Sends the browser to the provider, with a cookie that says that it was this browser."""
        flow = self._flow(request)
        url, state = await flow.begin(local_path(request.query_params.get("next")))
        response = RedirectResponse(url, 303)
        path = f"/sign-in/oidc/{flow.section.provider}"
        self._gate.set_cookie(response, OIDC_COOKIE, state, path, round(FLOW_SECONDS))
        return response

    async def from_provider(self, request: Request) -> Response:
        """Takes what the browser brings back from the provider."""
        flow, host = self._flow(request), request.client.host if request.client else ""
        with self._rates.credential(host, ()):
            token, next_path = await flow.finish(request.query_params, cookie_of(request, OIDC_COOKIE))
            principal = self._directory.standing(Shown(token, None))
        return await self._gate.signed_in(request, principal, RedirectResponse(next_path, 303))

    def _flow(self, request: Request) -> CodeFlow:
        found = self._flows.get(request.path_params["provider"])
        if found is None:
            raise NotFound("UNKNOWN_RESOURCE")
        return found

    async def sign_out(self, visit: Visit) -> Response:
        await self._gate.sessions.end(visit.session, "signed_out")
        framed = visit.session.framed
        response = JSONResponse({"next": "/smart/ended" if framed else "/sign-in?out=1"})
        self._gate.set_cookie(response, self._gate.cookie(framed=framed), "", "/", 0, framed=framed)
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

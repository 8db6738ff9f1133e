"""The gate in front of every page: the session, its person as of now, their rates, the authorisation policies.

What `auth.access` is to gRPC: the same identities, policies and recorded denials, the same context for code beneath.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import structlog
from attending.server.auth.attempts import Attempts
from attending.server.auth.authenticate import Directory
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.context import enter
from attending.server.auth.principal import Principal
from attending.server.console import words
from attending.server.console.guard import SAFE_METHODS, Address
from attending.server.console.places import Places
from attending.server.console.render import Pages
from attending.server.console.sessions import Session, Sessions
from attending.server.console.words import sentence
from attending.server.errors import (
    AttendingError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from attending.server.halt.switch import Standing
from attending.server.limits.rates import Rates
from attending.server.status import INTERNAL, mapping_of
from attending.server.telemetry import place
from attending.server.web.errors import HTTP_STATUS
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

log = structlog.get_logger()

BODY_BYTES: Final = 2 * 1024 * 1024
BODY_SECONDS: Final = 30.0
CSRF_HEADER: Final = "x-attending-csrf"
BACKGROUND_HEADER: Final = "x-attending-background"
"""On what a page does by itself: it does not keep a session alive."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is signed in. `halted` is what stands still, for the page to say so."""

    request: Request
    session: Session
    principal: Principal
    halted: Sequence[Standing] = ()
    home: str = "/"
    """The page that one comes back to: in a frame the list of the patient's items."""

    @property
    def places(self) -> list[tuple[str, str]]:
        """(address, name) of the pages that its person's roles are for."""
        return words.places(self.principal.roles)

    async def fields(self) -> dict[str, Any]:
        return await read_fields(self.request)


Handler = Callable[[Visit], Awaitable[Response]]
Halted = Callable[[str], Awaitable[Sequence[Standing]]]
"""What of a tenant is halted now."""
SubjectOf = Callable[[str, str], Awaitable[str | None]]
"""The pseudonym of the person whom a ticket of a tenant is about; None for nobody, and for no such ticket."""
Endpoint = Callable[[Request], Awaitable[Response]]


class Gate:
    """One instance a server."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        directory: Directory,
        authorizer: Authorizer,
        attempts: Attempts,
        rates: Rates,
        address: Address,
        pages: Pages,
        halted: Halted,
        subject_of: SubjectOf,
        places: Places,
    ) -> None:
        self.sessions = sessions
        self._directory = directory
        self._authorizer = authorizer
        self._attempts = attempts
        self._rates = rates
        self._address = address
        self._pages = pages
        self._halted = halted
        self._subject_of = subject_of
        self._places = places

    def cookie(self, *, framed: bool) -> str:
        """The name of the session's cookie: another for a session in a frame, so that neither is ever the other. With
        the prefix a browser takes it over TLS and for this host alone.
        """
        return f"{'__Host-' if self._address.secure else ''}attending{'-framed' if framed else ''}"

    def behind(
        self, action: str | None, method: str, handler: Handler, *, in_frames: bool = False
    ) -> Endpoint:
        """`handler` for those who are signed in and whom the policies let do `action`; None asks no policy.

        `method` is the rpc whose cost it is charged with; `in_frames` says that a session in a frame has it, too: of
        items those of the patients that it was opened for.
        """

        async def endpoint(request: Request) -> Response:
            try:
                session = await self.session(request)
                principal = await self._principal(session)
                if request.method not in SAFE_METHODS:
                    sent = request.headers.get(CSRF_HEADER, "")
                    if not secrets.compare_digest(sent.encode(), session.csrf.encode()):
                        raise PermissionDenied("WRONG_TOKEN")
                if BACKGROUND_HEADER not in request.headers:
                    self.sessions.touch(session)
                self._rates.admit(principal, f"/attending.v1.{method}")
                if action is not None:
                    decision = await self._authorizer.enter(action, Resource.log(principal.tenant), principal)
                    enter(principal, decision)
                page = request.method in SAFE_METHODS and BACKGROUND_HEADER not in request.headers
                home = await self._within(request, session, in_frames=in_frames)
                halted = await self._halted(principal.tenant) if page else ()
                try:
                    return await handler(Visit(request, session, principal, halted, home))
                except PermissionDenied as err:
                    await self._authorizer.self_approval(principal, action or method, err)
                    raise
            except Exception as err:
                return self.answer(request, err)

        return self._logged(endpoint)

    def front(self, endpoint: Endpoint) -> Endpoint:
        """The first page: `endpoint`, or for whom that is not, the first that their roles are for."""

        async def first(request: Request) -> Response:
            try:
                principal = await self._principal(await self.session(request))
            except AttendingError:
                return await endpoint(request)
            home = words.home(principal.roles)
            return await endpoint(request) if home == "/" else RedirectResponse(home, 303)

        return first

    def open(self, handler: Endpoint) -> Endpoint:
        """`handler` for anybody: the pages of signing in."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handler(request)
            except Exception as err:
                if isinstance(err, Unauthenticated):
                    self._attempts.refused("console", err.reason)
                return self.answer(request, err)

        return self._logged(endpoint)

    async def session(self, request: Request) -> Session:
        """The request's session; Unauthenticated, and Unavailable (SESSION_ELSEWHERE) for one of another process."""
        framed = self._address.framed(request)
        token = cookie_of(request, self.cookie(framed=framed))
        if not token:
            raise Unauthenticated("MISSING_CREDENTIAL")
        session = self.sessions.find(token)
        if session is None and await self._places.is_elsewhere(token):
            raise Unavailable("SESSION_ELSEWHERE", retry_after_seconds=1.0)
        # A cookie under the other name is somebody's attempt to be in the other kind.
        if session is None or session.framed is not framed:
            raise Unauthenticated("SESSION_ENDED")
        return session

    async def _within(self, request: Request, session: Session, *, in_frames: bool) -> str:
        """The page to come back to. Of a session in a frame it is refused whatever its launches do not lead to, and an
        item of another patient like one that does not exist.
        """
        ticket = request.path_params.get("ticket")
        if session.framed and not in_frames:
            raise PermissionDenied("NOT_IN_A_FRAME")
        if not session.launches or ticket is None:
            return "/"
        launch = session.launch_of(await self._subject_of(session.tenant, str(ticket)))
        if launch is not None:
            return f"/smart/patients/{launch.launch_id}"
        if session.framed:
            raise NotFound("UNKNOWN_TICKET")
        return "/"

    async def _principal(self, session: Session) -> Principal:
        """The session's person as of now. A session ends with its identity, and with the passkey that began it."""
        try:
            await self.sessions.require_key(session)
            return self._directory.named(session.tenant, session.user, session.credential)
        except Unauthenticated:
            await self.sessions.end(session, "revoked")
            raise

    async def signed_in(
        self,
        request: Request,
        principal: Principal,
        response: Response | None = None,
        *,
        key_id: str | None = None,
    ) -> Response:
        """Begins a session and says so with its cookie, on `response` if given; the browser's one before ends. `key_id`
        is of the passkey that somebody signed in with. Never one in a frame.
        """
        _session, token = await self._begin(request, principal, key_id, framed=False)
        response = response or JSONResponse({"next": "/"})
        self.set_cookie(response, self.cookie(framed=False), token, "/")
        return response

    async def launched(
        self, request: Request, principal: Principal, reference: str, *, framed: bool
    ) -> Response:
        """Leads on to the items of the patient that a record system names, in a session that it began. A launch in
        another window of the same browser, for the same person, goes on with the session that is there: each window
        keeps its patient, whom its address names.
        """
        name = self.cookie(framed=framed)
        session, token = self.sessions.find(cookie_of(request, name)), None
        same = session is not None and (
            (session.tenant, session.user, session.credential, session.framed)
            == (principal.tenant, principal.name, principal.credential, framed)
        )
        if session is None or not same:
            session, token = await self._begin(request, principal, None, framed=framed)
        self.sessions.touch(session)
        launch = session.launched(reference)
        response = RedirectResponse(f"/smart/patients/{launch.launch_id}", 303)
        if token is not None:
            self.set_cookie(response, name, token, "/", framed=framed)
        return response

    async def _begin(
        self, request: Request, principal: Principal, key_id: str | None, *, framed: bool
    ) -> tuple[Session, str]:
        if principal.kind != "human":
            raise PermissionDenied("ROLE_NOT_PERMITTED")
        known = self.sessions.find(cookie_of(request, self.cookie(framed=framed)))
        if known is not None:
            await self.sessions.end(known, "replaced")
        host = request.client.host if request.client else ""
        return await self.sessions.begin(principal, key_id, host, framed=framed)

    def set_cookie(
        self,
        response: Response,
        name: str,
        value: str,
        path: str,
        seconds: int | None = None,
        *,
        framed: bool = False,
    ) -> None:
        """Sets a cookie that no script reads and no other site sends along with a change. One for a frame a browser
        keeps apart for each site that frames us (CHIPS), and sends along there; a change still needs the token of a
        page and our own `Origin`.
        """
        rest = "SameSite=None; Secure; Partitioned" if framed else "SameSite=lax"
        if self._address.secure and not framed:
            rest += "; Secure"
        age = "" if seconds is None else f"; Max-Age={seconds}"
        # `http.cookies` of Python 3.11 knows no `Partitioned`. The values are ours: no character needs quoting.
        response.headers.append("set-cookie", f"{name}={value}{age}; HttpOnly; Path={path}; {rest}")

    def answer(self, request: Request, error: Exception) -> Response:
        """What is told of an error: a page, or JSON for a script; never the error's own words."""
        mapping = mapping_of(type(error))
        status = HTTP_STATUS[mapping.code]
        reason = mapping.reason or str(getattr(error, "reason", "UNKNOWN"))
        more: dict[str, Any] = {}
        if mapping is INTERNAL:
            more["error_id"] = secrets.token_hex(8)
            log.error(
                "console.internal_error",
                error_id=more["error_id"],
                error_type=type(error).__name__,
                location=place(error),
            )
        if isinstance(error, AttendingError):
            more |= {"metadata": error.metadata, "fields": [name for name, _words in error.field_violations]}
        if request.headers.get("accept", "").startswith("application/json"):
            told = {"reason": reason, "sentence": sentence(reason, status), **more}
            return JSONResponse(told, status, headers=_retry(error))
        framed = self._address.framed(request)
        if status == 401 and request.method in SAFE_METHODS and not framed:
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            ended = "&ended=1" if reason == "SESSION_ENDED" else ""
            return RedirectResponse(f"/sign-in?next={quote(here, safe='')}{ended}", 303)
        return self._pages.page(
            "error.html",
            status=status,
            headers=_retry(error),
            reason=reason,
            sentence=sentence(reason, status),
            error_id=more.get("error_id"),
            framed=framed,
        )

    def _logged(self, endpoint: Endpoint) -> Endpoint:
        async def logged(request: Request) -> Response:
            begun = time.perf_counter()
            response = await endpoint(request)
            # The route's pattern and no more: an address holds a ticket, a query anything.
            log.debug(
                "console.request",
                method=request.method,
                status=response.status_code,
                elapsed_ms=round((time.perf_counter() - begun) * 1e3, 3),
            )
            return response

        return logged


async def read_fields(request: Request) -> dict[str, Any]:
    """The JSON object that a page sent; InvalidRequest for anything else, too much, or too slowly."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > BODY_BYTES:
                    raise InvalidRequest([("body", f"is larger than {BODY_BYTES} bytes")])
        text = body.decode("utf-8")
        value = json.loads(text)
        if "\\u" in text:
            # An escape may be half a character, which no message and no entry can hold.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError, TimeoutError):
        raise InvalidRequest([("body", "must be a JSON object")]) from None
    if not isinstance(value, dict):
        raise InvalidRequest([("body", "must be a JSON object")])
    return value


def text_of(fields: dict[str, Any], name: str, *, required: bool = True) -> str:
    """A string among the fields; InvalidRequest when it is something else, or missing where it is `required`."""
    value = fields.get(name, "")
    if not isinstance(value, str) or (required and not value):
        raise InvalidRequest([(name, "is required, and a string")])
    return value


def cookie_of(request: Request, name: str) -> str:
    """The value of a cookie, empty when there is none."""
    # A cookie that is set twice may be another's: none is taken.
    values = []
    for header in request.headers.getlist("cookie"):
        for part in header.split(";"):
            key, _equals, value = part.strip().partition("=")
            if key == name:
                values.append(value)
    return values[0] if len(values) == 1 else ""


def _retry(error: Exception) -> dict[str, str]:
    seconds = getattr(error, "retry_after_seconds", None)
    return {} if seconds is None else {"Retry-After": str(max(1, round(seconds)))}

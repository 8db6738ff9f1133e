"""Where a record system opens the console, and the items of the patient that it has open.

A launch names one patient and shows what waits for that one: of a patient that nobody has written about it shows that
nothing waits, in the same words. That somebody looked is on record first, as a search. It opens; it never signs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from attending.ledger.errors import NotFound as UnknownSubject
from attending.ledger.ledger import Ledger
from attending.server.auth.authenticate import Directory, Shown
from attending.server.console.begun import FLOW_SECONDS
from attending.server.console.gate import Gate, Visit, cookie_of
from attending.server.console.guard import Address
from attending.server.console.item import permit_of
from attending.server.console.queue import row_of
from attending.server.console.render import Pages
from attending.server.console.smart import SmartFlow
from attending.server.errors import FailedPrecondition, NotFound, Unauthenticated
from attending.server.limits.rates import Rates
from attending.server.phi.access import PhiAccess
from attending.server.review.desk import Desk
from attending.server.review.queue import Wanted
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

BACK: Final = "/smart/back"
MOST: Final = 50


class LaunchPages:
    """One instance a server."""

    def __init__(
        self,
        *,
        gate: Gate,
        pages: Pages,
        directory: Directory,
        rates: Rates,
        address: Address,
        desk: Desk,
        ledger: Ledger,
        phi: PhiAccess,
        flows: Mapping[str, SmartFlow],
    ) -> None:
        """`flows` are the record systems by name."""
        self._gate = gate
        self._pages = pages
        self._directory = directory
        self._rates = rates
        self._address = address
        self._desk = desk
        self._ledger = ledger
        self._phi = phi
        self._flows = flows
        self._by_base = {flow.section.fhir_base: flow for flow in flows.values()}

    async def launch(self, request: Request) -> Response:
        """The record system sends a browser here, with `iss` and `launch`. Of a FHIR server that is not configured
        nothing is asked.
        """
        flow = self._by_base.get(request.query_params.get("iss", "").removesuffix("/"))
        if flow is None:
            raise FailedPrecondition("LAUNCH_REFUSED")
        return await self._away(request, flow, request.query_params.get("launch", ""))

    async def begin(self, request: Request) -> Response:
        """Somebody begins here, and chooses the patient there."""
        flow = self._flows.get(request.path_params["system"])
        if flow is None:
            raise NotFound("UNKNOWN_RESOURCE")
        return await self._away(request, flow, None)

    async def back(self, request: Request) -> Response:
        """Takes what the browser brings back from the record system."""
        query, host = request.query_params, request.client.host if request.client else ""
        name = _cookie(query.get("state", ""))
        system, _dot, state = cookie_of(request, name).partition(":")
        flow = self._flows.get(system)
        if flow is None:
            raise FailedPrecondition("CEREMONY_OVER")
        with self._rates.credential(host, ()):
            launched = await flow.finish(query, state)
            principal = self._directory.standing(Shown(launched.token, None))
            # An identity is of one tenant: where the system's patients are another's, it is nobody here.
            if principal.tenant != flow.section.tenant:
                raise Unauthenticated("INVALID_CREDENTIAL")
            if self._directory.fhir_user(launched.token) not in (None, launched.fhir_user):
                # Somebody else there than whom the identity was bound to.
                raise Unauthenticated("INVALID_CREDENTIAL")
            principal = self._directory.named(principal.tenant, principal.name, "smart")
        framed = self._address.framed(request)
        if launched.framed is not framed:
            # What was begun in a frame ends there, and nowhere else.
            raise FailedPrecondition("CEREMONY_OVER")
        response = await self._gate.launched(request, principal, launched.reference, framed=framed)
        self._gate.set_cookie(response, name, "", BACK, 0, framed=framed)
        return response

    async def patient(self, visit: Visit) -> Response:
        """What waits for the patient of a launch: the item itself where there is one."""
        launch = visit.session.launches.get(str(visit.request.path_params["launch"]))
        if launch is None:
            raise NotFound("UNKNOWN_LAUNCH")
        who = visit.principal
        permit = await permit_of(self._phi, who)
        pseudonym = await self._ledger.find_pseudonym(who.tenant, launch.reference)
        await self._phi.record(
            permit, "access.searched", "launch", subject=pseudonym, about={"launch": launch.launch_id}
        )
        launch.subjects = await self._everybody(who.tenant, pseudonym)
        rows, total = [], 0
        if launch.subjects:
            found = await self._desk.queue(who.tenant, Wanted(subjects=launch.subjects, who=who), MOST)
            now = self._pages.now()
            rows, total = [row_of(item, who.name, now) for item, _version in found.items], found.total
        if len(rows) == 1 and "list" not in visit.request.query_params:
            return RedirectResponse(f"/items/{rows[0].item.ticket_id}", 303)
        return self._pages.page("launch.html", visit=visit, rows=rows, total=total)

    async def ended(self, _request: Request) -> Response:
        """In place of signing in, which no frame shows."""
        return self._pages.page("launch_ended.html", framed=True)

    async def keys(self, _request: Request) -> Response:
        """The public keys with which this client proves who it is (RFC 7517)."""
        found = [flow.key.jwk for flow in self._flows.values() if flow.key is not None]
        return JSONResponse({"keys": list({one["kid"]: one for one in found}.values())})

    async def _away(self, request: Request, flow: SmartFlow, launch: str | None) -> Response:
        """Sends the browser to the record system, with a cookie that says that it was this browser and from here. One
        for each sign-in, so that windows do not take each other's.
        """
        framed = self._address.framed(request)
        url, state = await flow.begin(launch, framed=framed)
        response = RedirectResponse(url, 303)
        value = f"{flow.section.name}:{state}"
        self._gate.set_cookie(response, _cookie(state), value, BACK, round(FLOW_SECONDS), framed=framed)
        return response

    async def _everybody(self, tenant: str, pseudonym: str | None) -> frozenset[str]:
        """All pseudonyms of a person: those that were said to be the same one, too."""
        if pseudonym is None:
            return frozenset()
        try:
            return frozenset((await self._ledger.custody.closure(tenant, pseudonym)).subjects)
        except UnknownSubject:
            return frozenset((pseudonym,))


def _cookie(state: str) -> str:
    return f"attending-smart-{hashlib.sha256(state.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"

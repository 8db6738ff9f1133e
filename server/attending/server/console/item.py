"""The item page: the text as the large thing, what was found in its place, and everything it rests on."""

from __future__ import annotations

from typing import Final

from attending.guardrails.opinion import light_of
from attending.ledger.ledger import Ledger
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.console import present, words
from attending.server.console.gate import Visit
from attending.server.console.queue import row_of
from attending.server.console.render import Pages
from attending.server.phi.access import Permit, PhiAccess
from attending.server.phi.purpose import Purpose
from attending.server.review.desk import Desk
from starlette.responses import Response

HISTORY: Final = 200


class ItemPage:
    """One instance a server."""

    def __init__(self, desk: Desk, ledger: Ledger, phi: PhiAccess, pages: Pages) -> None:
        self._desk = desk
        self._ledger = ledger
        self._phi = phi
        self._pages = pages

    async def __call__(self, visit: Visit) -> Response:
        """The page. The look is on record before anything is shown."""
        ticket, who = visit.request.path_params["ticket"], visit.principal
        case = await self._desk.view(await permit_of(self._phi, who), ticket)
        item, result, now = case.item, case.result, self._pages.now()
        row = row_of(item, who.name, now)
        decide, notes = present.threshold_split(result.findings, item.to_dispose)
        roles = [role for role in item.sign_off_roles if role in who.roles]
        return self._pages.page(
            "item.html",
            visit=visit,
            case=case,
            item=item,
            row=row,
            pieces=present.pieces(case.output, result.findings),
            decide=decide,
            notes=notes,
            needed=set(item.to_dispose),
            patient=present.patient(case.patient),
            citations=result.citations,
            light=present.second_light(light_of(result.findings)),
            may_review=bool(roles) and item.state == "held" and item.expires_at > stamp(now),
            role=roles[0] if roles else "",
            signed_by=[one.signer for one in item.signed_by],
            history=await self._history(who.tenant, item.inference_id),
            severities=present.SEVERITY_ORDER,
        )

    async def _history(self, tenant: str, inference_id: str) -> list[tuple[str, str, str, int]]:
        """(what, by whom, when, index) of what happened to the item."""
        entries = await self._ledger.stream_entries(tenant, inference_id, 0, HISTORY)
        return [
            (words.EVENTS.get(entry.type, entry.type), entry.actor.partition(":")[2], entry.time, entry.index)
            for entry in entries
        ]


async def permit_of(phi: PhiAccess, who: Principal) -> Permit:
    """The permit of somebody who reviews: to treat, in an emergency to treat then, or to look into safety."""
    if who.emergency is not None:
        return await phi.permit_for(Purpose.EMERGENCY_TREATMENT)
    treats = who.roles & {"clinician", "pharmacist"}
    return await phi.permit_for(Purpose.TREATMENT if treats else Purpose.PATIENT_SAFETY)

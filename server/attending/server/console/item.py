"""The item page: the text as the large thing, what was found in its place, and everything it rests on."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

from attending.guardrails.opinion import light_of
from attending.ledger.ledger import Ledger
from attending.server.auth.authenticate import Directory
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.console import present, words
from attending.server.console.between import between
from attending.server.console.edges import Edges
from attending.server.console.facts import GROUPS, NONE_KNOWN, given
from attending.server.console.gate import Visit
from attending.server.console.queue import row_of
from attending.server.console.rejudged import rejudged
from attending.server.console.render import Pages
from attending.server.errors import AttendingError
from attending.server.passkeys.door import Passkeys
from attending.server.phi.access import Permit, PhiAccess
from attending.server.phi.purpose import Purpose
from attending.server.practice.debrief import Debrief, debrief_of
from attending.server.recall.desk import Recalls
from attending.server.review.desk import Desk
from attending.server.review.facts import MAX_ADDITIONS, context_json
from attending.server.review.item import Item
from attending.server.review.reads import read_of
from attending.server.review.signatures import signatures_in
from starlette.responses import Response

HISTORY: Final = 200
"""Entries of an item that its page lists; signatures are sought in all."""
RECALLS: Final = frozenset({"clinician", "pharmacist", "safety_officer"})
"""Roles that are shown how to take a text back; the authorisation policies decide."""


class ItemPage:
    """One instance a server."""

    def __init__(
        self,
        desk: Desk,
        recalls: Recalls,
        passkeys: Passkeys,
        ledger: Ledger,
        phi: PhiAccess,
        pages: Pages,
        directory: Directory,
        edges: Edges,
    ) -> None:
        self._desk = desk
        self._recalls = recalls
        self._passkeys = passkeys
        self._ledger = ledger
        self._phi = phi
        self._pages = pages
        self._directory = directory
        self._edges = edges

    async def __call__(self, visit: Visit) -> Response:
        """The page. The look is on record before anything is shown."""
        ticket, who = visit.request.path_params["ticket"], visit.principal
        case = await self._desk.view(await permit_of(self._phi, who), ticket)
        item, result, now = case.item, case.result, self._pages.now()
        row = row_of(item, who.name, now)
        decide, notes = present.threshold_split(result.findings, [*item.to_dispose, *item.suppressed])
        history = await self._desk.history(who, item, withheld=case.withheld)
        signatures = signatures_in(history, lambda name: self._printed(who.tenant, name))
        # Once somebody signed, the text is what they signed; what the model wrote is beside it. Who judges between two
        # readers begins with that, as the desk does.
        text = case.output
        if item.signed_by and not item.disputed:
            text = (await self._ledger.open_payload(who.tenant, item.signed_by[-1].record)).decode("utf-8")
        roles = [role for role in item.sign_off_roles if role in who.roles]
        signs_as = [role for role in item.open_to if role in who.roles]
        practice = item.practice_for is not None
        may_review = bool(roles) and item.state == "held" and item.expires_at > stamp(now)
        may_hand = may_review and not item.reading and not practice
        mine = may_review and row.mine
        believed = context_json(case.contexts[0])
        again = await rejudged(self._ledger, case)
        out = item.state in ("released", "withdrawn")
        debrief = None
        if item.state == "debriefed":
            debrief = await debrief_of(self._ledger, who.tenant, item.inference_id)
        return self._pages.page(
            "item.html",
            visit=visit,
            case=case,
            item=item,
            row=row,
            pieces=present.pieces(text, result.findings if text == case.output else ()),
            text=text,
            edited=text != case.output,
            changes=await asyncio.to_thread(present.difference, case.output, text),
            signatures=signatures,
            printed=lambda name: self._printed(who.tenant, name),
            decide=decide,
            notes=notes,
            needed=set(item.to_dispose),
            decided_before={one.finding: one for one in case.decided_before},
            # The application is believed where a reviewer says otherwise, and what each added stands beside it.
            patient=present.patient(believed),
            added=[(one.by, one.at, present.said(context_json(one.context))) for one in case.facts],
            may_add=mine and not (item.blinded or case.withheld or len(case.facts) >= MAX_ADDITIONS),
            facts_form=GROUPS,
            none_known=NONE_KNOWN,
            given=defaultdict(str, given(believed)),
            again=again,
            edges=await self._edges.drawn(decide, again.pack if again else case.row["knowledge_hash"] or ""),
            citations=result.citations,
            light=present.second_light(light_of(result.findings)),
            may_review=may_review,
            has_signed=_has_signed(item, who.name),
            may_hand=may_hand,
            colleagues=await self._desk.colleagues(who, item) if may_hand and row.mine else [],
            has_key=bool(await self._passkeys.of(who)),
            may_break_glass=item.state == "held" and await self._desk.may_break_glass(who, item),
            may_recall=item.state == "released" and bool(who.roles & RECALLS),
            recall=await self._recalls.of(who.tenant, item.inference_id) if out else None,
            glass=await self._desk.use_of(who.tenant, item.inference_id) if out else None,
            between=await asyncio.to_thread(between, case, lambda name: self._printed(who.tenant, name)),
            role=next(iter([*signs_as, *roles]), ""),
            wanted=() if signs_as else item.open_to,
            debrief=debrief,
            planted=_around(case.output, debrief),
            history=[
                (
                    words.EVENTS.get(entry.type, entry.type),
                    entry.actor.partition(":")[2],
                    entry.time,
                    entry.index,
                )
                for entry in history[:HISTORY]
            ],
            severities=present.SEVERITY_ORDER,
        )

    def _printed(self, tenant: str, name: str) -> str:
        """Somebody's printed name; their name in the log once they are nobody's any more."""
        try:
            return self._directory.named(tenant, name, "passkey").display_name
        except AttendingError:
            return name


def _around(output: str, debrief: Debrief | None) -> tuple[str, str, str] | None:
    """What stands before the planted passage, the passage, and what follows; None where nothing was planted."""
    planted = debrief.lesson.planted if debrief is not None and debrief.lesson is not None else None
    if planted is None:
        return None
    before, passage, after = output.partition(planted)
    return before, passage, after


def _has_signed(item: Item, name: str) -> bool:
    """Whether the next word is another's: as a reader they have decided, or the standing text has their signature."""
    if item.reading or item.disputed:
        return read_of(item.reads, name).decided
    standing = item.signed_by[-1].record if item.signed_by else None
    return any((signed.signer, signed.record) == (name, standing) for signed in item.signed_by)


async def permit_of(phi: PhiAccess, who: Principal) -> Permit:
    """The permit of somebody who reviews: to treat, in an emergency to treat then, or to look into safety."""
    if who.emergency is not None:
        return await phi.permit_for(Purpose.EMERGENCY_TREATMENT)
    treats = who.roles & {"clinician", "pharmacist"}
    return await phi.permit_for(Purpose.TREATMENT if treats else Purpose.PATIENT_SAFETY)

"""Break-glass: releasing a text without its sign-offs where its policy permits that, and its review by another."""

from __future__ import annotations

from typing import Final

from attending.ledger.ledger import Ledger
from attending.server.clock import stamp
from attending.server.console import words
from attending.server.console.gate import Visit, text_of
from attending.server.console.render import Pages
from attending.server.errors import InvalidRequest
from attending.server.review.desk import Desk
from attending.server.review.note import note_violations
from attending.server.services.begun import once_of
from attending.server.services.paging import page_offset
from attending.v1 import break_glass_pb2, emergency_pb2
from starlette.responses import JSONResponse, Response

PAGE: Final = 50


class GlassPages:
    """One instance a server."""

    def __init__(self, desk: Desk, ledger: Ledger, pages: Pages) -> None:
        self._desk = desk
        self._ledger = ledger
        self._pages = pages

    async def page(self, visit: Visit) -> Response:
        """Every release without sign-offs, newest first; those that nobody has reviewed unless asked for all."""
        query, who = visit.request.query_params, visit.principal
        everything, offset = query.get("all") == "1", page_offset(query.get("after") or "")
        found = await self._desk.uses(who.tenant, only_open=not everything, limit=PAGE + 1, offset=offset)
        return self._pages.page(
            "glass.html",
            visit=visit,
            uses=found[:PAGE],
            moment=stamp(self._pages.now()),
            everything=everything,
            following=str(offset + PAGE) if len(found) > PAGE else "",
            may_look=bool(who.roles & {"clinician", "pharmacist", "safety_officer"}),
            may_review=bool(who.roles & {"safety_officer", "privacy_officer"}),
        )

    async def use(self, visit: Visit) -> Response:
        """Releases the text as it was held; why is asked for in a code and in words."""
        fields = await visit.fields()
        ticket, reason = str(visit.request.path_params["ticket"]), text_of(fields, "reason_code")
        note = text_of(fields, "note")
        violations = note_violations(note) + _coded("reason_code", reason, words.EMERGENCIES)
        if not note.strip():
            violations.append(("note", "is required"))
        if violations:
            raise InvalidRequest(violations)
        request = break_glass_pb2.BreakGlassRequest(
            idempotency_key=text_of(fields, "idempotency_key"),
            ticket_id=ticket,
            reason=emergency_pb2.EmergencyReason.Value(f"EMERGENCY_REASON_{reason.upper()}"),
            note=note,
        )
        use, indexes = await self._desk.break_glass(
            visit.principal, ticket, reason, note, await once_of(self._ledger, visit.principal, request)
        )
        return JSONResponse({"review_due": use.review_due, "entries": list(indexes)})

    async def review(self, visit: Visit) -> Response:
        """Closes the review of one use, by somebody else than who used it."""
        fields = await visit.fields()
        inference, outcome = str(visit.request.path_params["inference"]), text_of(fields, "outcome")
        note = text_of(fields, "note", required=False)
        if violations := note_violations(note) + _coded("outcome", outcome, words.OUTCOMES):
            raise InvalidRequest(violations)
        request = break_glass_pb2.ReviewBreakGlassRequest(
            idempotency_key=text_of(fields, "idempotency_key"),
            inference_id=inference,
            outcome=emergency_pb2.EmergencyOutcome.Value(f"EMERGENCY_OUTCOME_{outcome.upper()}"),
            note=note,
        )
        use, index = await self._desk.review_break_glass(
            visit.principal, inference, outcome, note, await once_of(self._ledger, visit.principal, request)
        )
        return JSONResponse({"outcome": use.outcome, "entry": index})


def _coded(field: str, value: str, codes: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    known = [code for code, _words in codes]
    return [] if value in known else [(field, "must be one of " + ", ".join(known))]

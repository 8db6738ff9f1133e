"""Taking back what was released, and the list of what was: who was told, and who has not taken notice yet."""

from __future__ import annotations

from typing import Final

from attending.ledger.ledger import Ledger
from attending.server.console.gate import Visit, text_of
from attending.server.console.render import Pages
from attending.server.errors import InvalidRequest
from attending.server.recall.desk import REASONS, Recalls
from attending.server.review.desk import Desk
from attending.server.review.note import note_violations
from attending.server.services.begun import once_of
from attending.server.services.paging import page_offset
from attending.v1 import recall_pb2
from starlette.responses import JSONResponse, Response

PAGE: Final = 50
MAX_TARGET_CHARACTERS: Final = 80


class RecallPages:
    """One instance a server."""

    def __init__(self, recalls: Recalls, desk: Desk, ledger: Ledger, pages: Pages) -> None:
        self._recalls = recalls
        self._desk = desk
        self._ledger = ledger
        self._pages = pages

    async def page(self, visit: Visit) -> Response:
        """The list, newest first. It names no patient, and no text is shown."""
        query, who = visit.request.query_params, visit.principal
        everything, offset = query.get("all") == "1", page_offset(query.get("after") or "")
        found = await self._recalls.page(
            who.tenant, app=None, only_open=not everything, limit=PAGE + 1, offset=offset
        )
        shown = found[:PAGE]
        tickets = await self._desk.tickets(who.tenant, [one.inference_id for one in shown])
        return self._pages.page(
            "recalls.html",
            visit=visit,
            recalls=shown,
            tickets=tickets,
            everything=everything,
            following=str(offset + PAGE) if len(found) > PAGE else "",
            may_act=bool(who.roles & {"clinician", "pharmacist", "safety_officer"}),
        )

    async def withdraw(self, visit: Visit) -> Response:
        """Withdraws a text by its item, or by its inference where it never was one."""
        fields = await visit.fields()
        ticket = visit.request.path_params.get("ticket")
        if ticket is None:
            inference = text_of(fields, "inference").strip()
        else:
            item, _version = await self._desk.item(visit.principal.tenant, str(ticket))
            inference = item.inference_id
        reason, note = text_of(fields, "reason_code"), text_of(fields, "note", required=False)
        violations = note_violations(note)
        if reason not in REASONS:
            violations.append(("reason_code", "must be one of " + ", ".join(sorted(REASONS))))
        if reason == "other" and not note.strip():
            violations.append(("note", "is required where the reason is another"))
        if violations:
            raise InvalidRequest(violations)
        request = recall_pb2.WithdrawRequest(
            idempotency_key=text_of(fields, "idempotency_key"),
            inference_id=inference,
            reason=recall_pb2.RecallReason.Value(f"RECALL_REASON_{reason.upper()}"),
            note=note,
        )
        recall, index = await self._recalls.withdraw(
            visit.principal, inference, reason, note, await once_of(self._ledger, visit.principal, request)
        )
        return JSONResponse({"outstanding": list(recall.outstanding), "entry": index})

    async def acknowledge(self, visit: Visit) -> Response:
        """Puts on record that somebody who had the text took notice."""
        fields = await visit.fields()
        inference, target = str(visit.request.path_params["inference"]), text_of(fields, "target")
        if len(target) > MAX_TARGET_CHARACTERS:
            raise InvalidRequest([("target", f"has more than {MAX_TARGET_CHARACTERS} characters")])
        request = recall_pb2.AckRecallRequest(
            idempotency_key=text_of(fields, "idempotency_key"), inference_id=inference, target=target
        )
        recall, index = await self._recalls.acknowledge(
            visit.principal, inference, target, await once_of(self._ledger, visit.principal, request)
        )
        return JSONResponse({"outstanding": list(recall.outstanding), "entry": index})

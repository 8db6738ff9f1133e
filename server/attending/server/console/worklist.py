"""The recall worklist: released texts that would not be released now, one of them whole, and what becomes of it."""

from __future__ import annotations

from typing import Final

from attending.server.console import present
from attending.server.console.gate import Visit, text_of
from attending.server.console.item import permit_of
from attending.server.console.render import Pages
from attending.server.errors import InvalidRequest
from attending.server.phi.access import PhiAccess
from attending.server.services.recall import RecallService, candidate_message
from attending.v1 import recall_pb2
from starlette.responses import JSONResponse, Response

PAGE: Final = 50
MAY_DECIDE: Final = frozenset({"clinician", "pharmacist", "safety_officer"})
"""Who is shown the way to a text, and what to do about it; the authorisation policies decide."""


class WorklistPages:
    """One instance a server."""

    def __init__(self, service: RecallService, phi: PhiAccess, pages: Pages) -> None:
        self._service = service
        self._phi = phi
        self._pages = pages

    async def page(self, visit: Visit) -> Response:
        """The list. Patients are pseudonyms, and no text is shown."""
        query, roles = visit.request.query_params, visit.principal.roles
        everything, after = query.get("all") == "1", query.get("after") or ""
        found = await self._service.ListCandidates(
            recall_pb2.ListCandidatesRequest(open=not everything, page_size=PAGE, page_token=after)
        )
        return self._pages.page(
            "worklist.html",
            visit=visit,
            found=found,
            everything=everything,
            may_decide=bool(roles & MAY_DECIDE),
            state=recall_pb2.CandidateState.Name,
            reason=recall_pb2.NoRecallReason.Name,
        )

    async def one(self, visit: Visit) -> Response:
        """One text of the list. That it is shown is on record before it is. One that is not kept any more is decided on
        without it.
        """
        permit = await permit_of(self._phi, visit.principal)
        seen = await self._service.look(permit, str(visit.request.path_params["inference"]))
        candidate, outcome = candidate_message(seen.candidate), seen.outcome
        text = None if outcome is None else outcome.output
        findings = outcome.result.findings if outcome is not None and outcome.result is not None else ()
        return self._pages.page(
            "candidate.html",
            visit=visit,
            one=candidate,
            text=text,
            gone=outcome is None,
            signatures=seen.signatures,
            pieces=present.pieces(text or "", findings),
            standing=recall_pb2.CandidateState.Name(candidate.state)[16:].lower(),
            may_decide=bool(visit.principal.roles & MAY_DECIDE),
        )

    async def dismiss(self, visit: Visit) -> Response:
        """It needs no recall, and why."""
        fields = await visit.fields()
        reason = f"NO_RECALL_REASON_{text_of(fields, 'reason_code').upper()}"
        if reason not in recall_pb2.NoRecallReason.keys():  # noqa: SIM118 - no mapping
            raise InvalidRequest([("reason_code", "must be one that there is")])
        answer = await self._service.DismissCandidate(
            recall_pb2.DismissCandidateRequest(
                idempotency_key=text_of(fields, "idempotency_key"),
                inference_id=str(visit.request.path_params["inference"]),
                reason=recall_pb2.NoRecallReason.Value(reason),
                note=text_of(fields, "note", required=False),
            )
        )
        return JSONResponse({"entry": answer.receipt.index})

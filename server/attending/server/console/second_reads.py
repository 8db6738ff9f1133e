"""Second reads: what waits to be read once more, one text as its first reader had it, and the second reader's word."""

from __future__ import annotations

from attending.ledger.ledger import Ledger
from attending.server.console import present, words
from attending.server.console.gate import Visit, text_of
from attending.server.console.render import Pages
from attending.server.errors import FailedPrecondition
from attending.server.oversight.second_reads import SecondReads
from attending.server.phi.access import PhiAccess
from attending.server.phi.purpose import Purpose
from attending.server.services.begun import once_of
from attending.v1 import oversight_pb2
from starlette.responses import JSONResponse, Response

SHOWN = 50
_ANSWERS = {
    "approved": oversight_pb2.SECOND_READ_ANSWER_APPROVED,
    "approved_with_edits": oversight_pb2.SECOND_READ_ANSWER_APPROVED_WITH_EDITS,
    "rejected": oversight_pb2.SECOND_READ_ANSWER_REJECTED,
}


class SecondReadPages:
    """One instance a server. Nothing of who signed, or of what they made of it, is on these pages."""

    def __init__(self, reads: SecondReads, ledger: Ledger, phi: PhiAccess, pages: Pages) -> None:
        self._reads = reads
        self._ledger = ledger
        self._phi = phi
        self._pages = pages

    async def table(self, visit: Visit) -> Response:
        """What the person may read again: nothing that they signed. It names no patient."""
        rows = await self._reads.waiting(visit.principal, SHOWN)
        return self._pages.page("second_reads.html", visit=visit, rows=rows, most=SHOWN)

    async def one(self, visit: Visit) -> Response:
        """One of them. The look is on record before anything is shown."""
        permit = await self._phi.permit_for(Purpose.QUALITY)
        again = await self._reads.view(permit, str(visit.request.path_params["read"]))
        findings = sorted(enumerate(again.result.findings), key=lambda one: (-one[1].severity.rank, one[0]))
        return self._pages.page(
            "second_read.html",
            visit=visit,
            again=again,
            pieces=present.pieces(again.output, again.result.findings),
            findings=findings,
            patient=present.patient(again.patient),
        )

    async def decide(self, visit: Visit) -> Response:
        """The rpc DecideSecondRead. A reason belongs to what should not have gone out as it was, and to that alone."""
        fields = await visit.fields()
        read, answer = str(visit.request.path_params["read"]), text_of(fields, "answer", required=False)
        reason = text_of(fields, "reason_code", required=False) if answer != "approved" else ""
        if answer not in _ANSWERS:
            return _told("Say what you would have done with this text.")
        if answer != "approved" and reason not in dict(words.REJECTIONS):
            return _told("Say why it should not have gone out as it was.")
        request = oversight_pb2.DecideSecondReadRequest(
            idempotency_key=text_of(fields, "idempotency_key"),
            read_id=read,
            answer=_ANSWERS[answer],
            reason_code=reason,
            note=text_of(fields, "note", required=False),
        )
        once = await once_of(self._ledger, visit.principal, request)
        try:
            await self._reads.decide(visit.principal, read, answer, reason, request.note, once)
        except FailedPrecondition as err:
            if err.reason != "READ_BEFORE":
                raise
            return _told("Somebody else has read this meanwhile. Their word stands.", err.reason, 409)
        return JSONResponse({})


def _told(sentence: str, reason: str = "INVALID_REQUEST", status: int = 400) -> Response:
    return JSONResponse({"reason": reason, "sentence": sentence}, status)

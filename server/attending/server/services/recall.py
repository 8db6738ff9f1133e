"""RecallService: taking back what was released, and the worklist of what may have to be, in the caller's tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.auth.context import current_principal
from attending.server.auth.principal import Principal
from attending.server.errors import InvalidRequest
from attending.server.phi.access import Permit, PhiAccess
from attending.server.recall.desk import Recall, Recalls
from attending.server.recall.look import Look, look
from attending.server.recall.rejudging import Rejudging
from attending.server.recall.worklist import DISMISSED, OPEN, RECALLED, Candidate, Worklist
from attending.server.review.note import note_violations
from attending.server.review.signatures import printed_names, signature_message
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.paging import page_offset
from attending.server.services.receipts import receipt_message
from attending.server.wire.findings import finding_message
from attending.v1 import recall_pb2, recall_pb2_grpc

DEFAULT_PAGE, MAX_PAGE = 50, 200
MAX_TARGET_CHARACTERS: Final = 80

_REASONS: Final[dict[int, str]] = {
    number: name.removeprefix("RECALL_REASON_").lower()
    for name, number in recall_pb2.RecallReason.items()
    if number
}
_NO_RECALL: Final[dict[int, str]] = {
    number: name.removeprefix("NO_RECALL_REASON_").lower()
    for name, number in recall_pb2.NoRecallReason.items()
    if number
}
_NO_RECALL_NUMBERS: Final = {
    reason: recall_pb2.NoRecallReason.ValueType(number) for number, reason in _NO_RECALL.items()
}
_STATES: Final = {
    OPEN: recall_pb2.CANDIDATE_STATE_OPEN,
    RECALLED: recall_pb2.CANDIDATE_STATE_RECALLED,
    DISMISSED: recall_pb2.CANDIDATE_STATE_DISMISSED,
}
_NUMBERS: Final = {reason: recall_pb2.RecallReason.ValueType(number) for number, reason in _REASONS.items()}


class RecallService(recall_pb2_grpc.RecallServiceServicer):
    """One instance a server, which the console calls too: a call from there has no context. Every write is repeated
    safely under its idempotency key.
    """

    def __init__(
        self,
        ledger: Ledger,
        recalls: Recalls,
        worklist: Worklist,
        rejudging: Rejudging,
        phi: PhiAccess,
        people: Callable[[], Iterable[Principal]],
    ) -> None:
        """`people` are all who are known, of every tenant."""
        self._ledger = ledger
        self._phi = phi
        self._people = people
        self._recalls = recalls
        self._worklist = worklist
        self._rejudging = rejudging

    async def Withdraw(  # noqa: N802
        self, request: recall_pb2.WithdrawRequest, context: Context
    ) -> recall_pb2.WithdrawResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(request.inference_id), "inference_id", "is required")
        v.check(request.reason in _REASONS, "reason", "is required")
        other = request.reason == recall_pb2.RECALL_REASON_OTHER
        v.check(bool(request.note.strip()) or not other, "note", "is required where the reason is another")
        for field, description in note_violations(request.note):
            v.add(field, description)
        v.raise_if_any()
        recall, index = await self._recalls.withdraw(
            principal,
            request.inference_id,
            _REASONS[request.reason],
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return recall_pb2.WithdrawResponse(
            recall=_message(recall), receipt=await receipt_message(self._ledger, principal.tenant, index)
        )

    async def AckRecall(  # noqa: N802
        self, request: recall_pb2.AckRecallRequest, context: Context
    ) -> recall_pb2.AckRecallResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(request.inference_id), "inference_id", "is required")
        v.check(1 <= len(request.target) <= MAX_TARGET_CHARACTERS, "target", "must be one of `outstanding`")
        v.raise_if_any()
        recall, index = await self._recalls.acknowledge(
            principal,
            request.inference_id,
            request.target,
            await once_of(self._ledger, principal, request),
        )
        return recall_pb2.AckRecallResponse(
            recall=_message(recall), receipt=await receipt_message(self._ledger, principal.tenant, index)
        )

    async def ListRecalls(  # noqa: N802
        self, request: recall_pb2.ListRecallsRequest, context: Context
    ) -> recall_pb2.ListRecallsResponse:
        principal = current_principal()
        size = request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
        offset = page_offset(request.page_token)
        found = await self._recalls.page(
            principal.tenant,
            app=principal.name if principal.kind == "app" else None,
            only_open=request.open,
            limit=size + 1,
            offset=offset,
        )
        return recall_pb2.ListRecallsResponse(
            recalls=[_message(recall) for recall in found[:size]],
            next_page_token=str(offset + size) if len(found) > size else "",
        )

    async def ListCandidates(  # noqa: N802
        self, request: recall_pb2.ListCandidatesRequest, context: Context | None = None
    ) -> recall_pb2.ListCandidatesResponse:
        tenant = current_principal().tenant
        size = request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
        offset = page_offset(request.page_token)
        found = await self._worklist.page(tenant, only_open=request.open, limit=size + 1, offset=offset)
        counts = await self._worklist.counts(tenant)
        answer = recall_pb2.ListCandidatesResponse(
            candidates=[candidate_message(one) for one in found[:size]],
            next_page_token=str(offset + size) if len(found) > size else "",
            open=counts.open,
            recalled=counts.recalled,
            dismissed=counts.dismissed,
            patients=counts.patients,
            deliveries=counts.deliveries,
            running=await self._rejudging.due(tenant) is not None,
        )
        last = await self._worklist.last(tenant)
        if last is not None:
            body, told = last.body, answer.last
            told.knowledge_hash = bytes.fromhex(body["knowledge_hash"])
            told.activation_index = body["activation"]
            told.finished_at.FromDatetime(clock.parse(last.time))
            told.days, told.judged, told.proposed = body["days"], body["judged"], body["proposed"]
            told.skipped = sum(body["skipped"].values())
        return answer

    async def GetCandidate(  # noqa: N802
        self, request: recall_pb2.GetCandidateRequest, context: Context
    ) -> recall_pb2.GetCandidateResponse:
        seen = await self.look(await self._phi.permit(request.purpose_of_use), request.inference_id)
        outcome = seen.outcome
        # Of a text that is given to nobody any more, findings would quote it.
        found = (
            ()
            if outcome is None or outcome.output is None or outcome.result is None
            else outcome.result.findings
        )
        return recall_pb2.GetCandidateResponse(
            candidate=candidate_message(seen.candidate),
            output=None if outcome is None else outcome.output,
            findings=[finding_message(n, finding, full=True) for n, finding in enumerate(found)],
            gone=outcome is None,
            signatures=map(signature_message, seen.signatures),
        )

    async def look(self, permit: Permit, inference_id: str) -> Look:
        """`recall.look`, for the console too."""
        printed = printed_names(self._people(), permit.principal.tenant)
        return await look(self._ledger, self._worklist, self._phi, permit, inference_id, printed)

    async def DismissCandidate(  # noqa: N802
        self, request: recall_pb2.DismissCandidateRequest, context: Context | None = None
    ) -> recall_pb2.DismissCandidateResponse:
        principal = current_principal()
        v = begun(request)
        v.check(bool(request.inference_id), "inference_id", "is required")
        v.check(request.reason in _NO_RECALL, "reason", "is required")
        other = request.reason == recall_pb2.NO_RECALL_REASON_OTHER
        v.check(bool(request.note.strip()) or not other, "note", "is required where the reason is another")
        for field, description in note_violations(request.note):
            v.add(field, description)
        v.raise_if_any()
        found, index = await self._worklist.dismiss(
            principal,
            request.inference_id,
            _NO_RECALL[request.reason],
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return recall_pb2.DismissCandidateResponse(
            candidate=candidate_message(found),
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )


def _message(recall: Recall) -> recall_pb2.Recall:
    message = recall_pb2.Recall(
        inference_id=recall.inference_id,
        calling_app=recall.calling_app,
        policy=recall.policy,
        reason=_NUMBERS[recall.reason],
        withdrawn_by=recall.withdrawn_by,
        outstanding=recall.outstanding,
        acknowledged=recall.acknowledged,
    )
    message.withdrawn_at.FromDatetime(clock.parse(recall.withdrawn_at))
    return message


def candidate_message(found: Candidate) -> recall_pb2.Candidate:
    message = recall_pb2.Candidate(
        inference_id=found.inference_id,
        ticket_id=found.ticket_id,
        policy=found.policy,
        patient=found.subject or "",
        released_by=found.released_by,
        now=found.now,
        codes=found.codes,
        deliveries=found.deliveries,
        knowledge_hash=bytes.fromhex(found.knowledge_hash),
        activation_index=found.activation,
        state=_STATES[found.state],
        closed_by=found.closed_by or "",
        reason=_NO_RECALL_NUMBERS.get(found.reason or "", recall_pb2.NO_RECALL_REASON_UNSPECIFIED),
    )
    message.proposed_at.FromDatetime(clock.parse(found.proposed_at))
    if found.closed_at is not None:
        message.closed_at.FromDatetime(clock.parse(found.closed_at))
    return message

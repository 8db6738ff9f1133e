"""ReviewService: the desk on the wire."""

from __future__ import annotations

import json

from attending.guardrails.finding import Severity
from attending.guardrails.opinion import light_of
from attending.ledger.ledger import Ledger
from attending.ledger.webauthn import Assertion
from attending.server import clock
from attending.server.auth.context import current_principal
from attending.server.auth.principal import Principal
from attending.server.errors import InvalidRequest
from attending.server.passkeys.responses import signing_options
from attending.server.phi.access import PhiAccess
from attending.server.practice.debrief import debrief_of
from attending.server.review.decided_before import DecidedBefore
from attending.server.review.desk import Desk
from attending.server.review.facts import Added
from attending.server.review.item import Item
from attending.server.review.preparation import Preparation, Rejection
from attending.server.review.queue import Wanted
from attending.server.review.signatures import signature_message
from attending.server.rpc import Context
from attending.server.services.begun import once_of
from attending.server.services.receipts import receipt_message
from attending.server.wire.findings import (
    citation_message,
    coverage_message,
    finding_message,
    severity_message,
)
from attending.server.wire.patient import added_facts
from attending.v1 import common_pb2, review_pb2, review_pb2_grpc

DEFAULT_PAGE, MAX_PAGE = 50, 200

_DISPOSITIONS = {
    review_pb2.DISPOSITION_UNSPECIFIED: "",
    review_pb2.DISPOSITION_FIXED: "fixed",
    review_pb2.DISPOSITION_ACCEPTED_RISK: "accepted_risk",
    review_pb2.DISPOSITION_FALSE_ALARM: "false_alarm",
}
_DISPOSITION_VALUES = {name: value for value, name in _DISPOSITIONS.items()}

_SEVERITIES: dict[int, int] = {0: 0, **{severity_message(one.value): one.rank for one in Severity}}
"""Wire value to rank; unspecified asks for nothing."""


class ReviewService(review_pb2_grpc.ReviewServiceServicer):
    def __init__(self, ledger: Ledger, desk: Desk, phi: PhiAccess) -> None:
        self._ledger = ledger
        self._desk = desk
        self._phi = phi

    async def ListQueue(  # noqa: N802
        self, request: review_pb2.ListQueueRequest, context: Context
    ) -> review_pb2.ListQueueResponse:
        principal = current_principal()
        size = request.page_size or DEFAULT_PAGE
        if size > MAX_PAGE:
            raise InvalidRequest([("page_size", f"must be 1 to {MAX_PAGE}")])
        least = _rank(request.least_severity)
        # A block opens an item for the safety officer: to look into, never to release.
        # Whoever has emergency access may look into it as well.
        looks = "safety_officer" in principal.roles or principal.emergency is not None
        states = ("held", "blocked") if looks else ("held",)
        wanted = Wanted(
            states=states,
            policy=request.policy or None,
            least_severity=least,
            escalated=request.escalated,
            overdue=request.overdue,
            mine=request.mine,
            claimable=request.claimable,
            who=principal,
        )
        page = await self._desk.queue(principal.tenant, wanted, size, request.page_token)
        return review_pb2.ListQueueResponse(
            items=[_item(item, version) for item, version in page.items],
            next_page_token=page.following,
            total=page.total,
            total_is_lower_bound=page.more,
        )

    async def GetItem(  # noqa: N802
        self, request: review_pb2.GetItemRequest, context: Context
    ) -> review_pb2.GetItemResponse:
        permit = await self._phi.permit(request.purpose_of_use)
        case = await self._desk.view(permit, request.ticket_id)
        return review_pb2.GetItemResponse(
            debrief=await self._debrief(permit.principal, case.item),
            item=_item(case.item, case.version),
            # Who is not shown the findings yet has not seen them.
            seen="" if case.withheld else case.item.seen,
            signatures=map(signature_message, await self._desk.signatures(permit.principal, case)),
            output=case.output,
            prompt=case.prompt,
            documents=[
                common_pb2.RetrievedDocument(
                    id=document.id,
                    version=document.version or "",
                    text=document.text,
                    score=None if document.score is None else float(document.score),
                    withdrawn=document.withdrawn,
                    published="" if document.published is None else document.published.isoformat(),
                    review_by="" if document.review_by is None else document.review_by.isoformat(),
                    patient_id=document.patient_id or "",
                )
                for document in case.documents
            ],
            findings=[
                finding_message(n, finding, full=True, disposition=case.item.disposed.get(n, ""))
                for n, finding in enumerate(case.result.findings)
            ],
            coverage=coverage_message(case.result.coverage, full=True),
            citations=[citation_message(citation, full=True) for citation in case.result.citations],
            second_opinion=light_of(case.result.findings) or "",
            patient_json=json.dumps(case.patient, ensure_ascii=False, sort_keys=True),
            sign_off_roles=case.item.sign_off_roles,
            withheld=case.withheld,
            reads=[
                review_pb2.BlindedRead(
                    reader=read.reader,
                    meaning=read.meaning or "",
                    text=text,
                    findings=[
                        review_pb2.DisposedFinding(finding=n, disposition=_DISPOSITION_VALUES[made])
                        for n, made in sorted(read.disposed.items())
                    ],
                )
                for read, text in case.reads
            ],
            facts=[_added(one) for one in case.facts],
            contradicted=case.contradicted,
            decided_before=[_decided_before(one) for one in case.decided_before],
            colleagues=[
                review_pb2.Colleague(
                    name=one.name,
                    display_name=one.display_name,
                    held=one.held,
                    signed_lately=one.signed_lately,
                )
                for one in await self._desk.colleagues(permit.principal, case.item)
            ],
        )

    async def Claim(  # noqa: N802
        self, request: review_pb2.ClaimRequest, context: Context
    ) -> review_pb2.ClaimResponse:
        principal = current_principal()
        item, version, index = await self._desk.claim(
            principal, request.ticket_id, await once_of(self._ledger, principal, request)
        )
        return review_pb2.ClaimResponse(
            item=_item(item, version),
            lease_id=item.lease_id or "",
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    async def ClaimNext(  # noqa: N802
        self, request: review_pb2.ClaimNextRequest, context: Context
    ) -> review_pb2.ClaimNextResponse:
        principal = current_principal()
        item, version, index = await self._desk.claim_next(
            principal,
            await once_of(self._ledger, principal, request),
            policy=request.policy or None,
            least_severity=_rank(request.least_severity),
        )
        return review_pb2.ClaimNextResponse(
            item=_item(item, version),
            lease_id=item.lease_id or "",
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    async def Renew(  # noqa: N802
        self, request: review_pb2.RenewRequest, context: Context
    ) -> review_pb2.RenewResponse:
        principal = current_principal()
        item, version, _index = await self._desk.renew(
            principal,
            request.ticket_id,
            request.lease_id,
            await once_of(self._ledger, principal, request),
        )
        return review_pb2.RenewResponse(item=_item(item, version))

    async def Dispose(  # noqa: N802
        self, request: review_pb2.DisposeRequest, context: Context
    ) -> review_pb2.DisposeResponse:
        principal = current_principal()
        item, version, index, seen = await self._desk.dispose(
            principal,
            request.ticket_id,
            request.lease_id,
            request.finding,
            _DISPOSITIONS.get(request.disposition, ""),
            request.reason_code,
            request.note,
            await once_of(self._ledger, principal, request),
            seen=request.seen,
        )
        return review_pb2.DisposeResponse(
            item=_item(item, version),
            seen=seen,
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    async def AddFacts(  # noqa: N802
        self, request: review_pb2.AddFactsRequest, context: Context
    ) -> review_pb2.AddFactsResponse:
        principal = current_principal()
        item, version, index = await self._desk.add_facts(
            principal,
            request.ticket_id,
            request.lease_id,
            added_facts(request.facts),
            await once_of(self._ledger, principal, request),
        )
        [entry] = await self._ledger.list_entries(principal.tenant, index, 1)
        return review_pb2.AddFactsResponse(
            item=_item(item, version),
            receipt=await receipt_message(self._ledger, principal.tenant, index),
            appeared=entry.body["appeared"],
            gone=entry.body["gone"],
            contradicted=entry.body["contradicted"],
        )

    async def PrepareSign(  # noqa: N802
        self, request: review_pb2.PrepareSignRequest, context: Context
    ) -> review_pb2.PrepareSignResponse:
        permit = await self._phi.permit(request.purpose_of_use)
        prepared = await self._desk.prepare(
            permit,
            request.ticket_id,
            request.lease_id,
            request.edited_text if request.HasField("edited_text") else None,
            request.key_id,
            Rejection(request.rejection.reason_code, request.rejection.note)
            if request.HasField("rejection")
            else None,
            seen=request.seen,
        )
        response = review_pb2.PrepareSignResponse(
            statement=prepared.statement_bytes,
            text=prepared.text,
            salt=prepared.text_salt,
            view=prepared.view,
            view_salt=prepared.view_salt,
            findings=[finding_message(n, finding, full=True) for n, finding in enumerate(prepared.findings)],
            preparation_id=prepared.preparation_id,
            passkey_options_json=_passkey_options(prepared),
        )
        response.expires_at.FromDatetime(clock.parse(prepared.expires_at))
        pace = await self._desk.pace(permit.principal, prepared)
        response.reading_floor_seconds = pace.reading.floor_seconds
        response.reading_waits = pace.terms.waits
        return response

    async def Sign(  # noqa: N802
        self, request: review_pb2.SignRequest, context: Context
    ) -> review_pb2.SignResponse:
        principal = current_principal()
        item, version, indexes = await self._desk.sign(
            principal,
            request.ticket_id,
            request.lease_id,
            request.preparation_id,
            request.signature,
            await once_of(self._ledger, principal, request),
            _assertion(request),
            reading_reason=request.reading_reason,
        )
        return review_pb2.SignResponse(
            debrief=await self._debrief(principal, item),
            item=_item(item, version),
            receipts=[await receipt_message(self._ledger, principal.tenant, index) for index in indexes],
        )

    async def Reject(  # noqa: N802
        self, request: review_pb2.RejectRequest, context: Context
    ) -> review_pb2.RejectResponse:
        principal = current_principal()
        item, version, index = await self._desk.reject(
            principal,
            request.ticket_id,
            request.lease_id,
            request.reason_code,
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return review_pb2.RejectResponse(
            debrief=await self._debrief(principal, item),
            item=_item(item, version),
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    async def ReleaseLease(  # noqa: N802
        self, request: review_pb2.ReleaseLeaseRequest, context: Context
    ) -> review_pb2.ReleaseLeaseResponse:
        principal = current_principal()
        item, version, index = await self._desk.release_lease(
            principal,
            request.ticket_id,
            request.lease_id,
            await once_of(self._ledger, principal, request),
        )
        return review_pb2.ReleaseLeaseResponse(
            item=_item(item, version),
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    async def Reassign(  # noqa: N802
        self, request: review_pb2.ReassignRequest, context: Context
    ) -> review_pb2.ReassignResponse:
        principal = current_principal()
        item, version, index = await self._desk.reassign(
            principal,
            request.ticket_id,
            request.lease_id,
            _handed_to(request),
            request.reason_code,
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return review_pb2.ReassignResponse(
            item=_item(item, version),
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    async def RecordOpinion(  # noqa: N802
        self, request: review_pb2.RecordOpinionRequest, context: Context
    ) -> review_pb2.RecordOpinionResponse:
        principal = current_principal()
        item, version, index = await self._desk.record_opinion(
            principal,
            request.ticket_id,
            request.lease_id,
            request.assessment,
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return review_pb2.RecordOpinionResponse(
            item=_item(item, version),
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    async def Escalate(  # noqa: N802
        self, request: review_pb2.EscalateRequest, context: Context
    ) -> review_pb2.EscalateResponse:
        principal = current_principal()
        item, version, index = await self._desk.escalate(
            principal,
            request.ticket_id,
            request.lease_id,
            request.reason_code,
            request.note,
            await once_of(self._ledger, principal, request),
        )
        return review_pb2.EscalateResponse(
            item=_item(item, version),
            receipt=await receipt_message(self._ledger, principal.tenant, index),
        )

    async def _debrief(self, who: Principal, item: Item) -> review_pb2.Debrief | None:
        """What was in a practice item, for its reader once it is over; None otherwise."""
        if item.state != "debriefed" or item.practice_for != who.name:
            return None
        found = await debrief_of(self._ledger, who.tenant, item.inference_id)
        if found is None:
            return None
        lesson = found.lesson
        message = review_pb2.Debrief(mode=found.mode, item=found.item, answer=found.answer, right=found.right)
        if lesson is not None:
            message.kind, message.error = lesson.kind, lesson.error or ""
            message.planted, message.good_reader = lesson.planted or "", lesson.good_reader
            message.lesson, message.source = lesson.debrief, lesson.source
        return message


def _handed_to(request: review_pb2.ReassignRequest) -> str | None:
    """The colleague named, None for the least loaded; raises InvalidRequest for both."""
    if not request.least_loaded:
        return request.to
    if request.to:
        raise InvalidRequest([("to", "must be left out with `least_loaded`")])
    return None


def _decided_before(one: DecidedBefore) -> review_pb2.DecidedBefore:
    message = review_pb2.DecidedBefore(
        finding=one.finding,
        by=one.by,
        disposition=_DISPOSITION_VALUES[one.disposition],
        reason_code=one.reason_code,
        entry_index=one.entry,
        ticket_id=one.ticket,
        stands=one.stands,
    )
    message.at.FromDatetime(clock.parse(one.at))
    return message


def _added(one: Added) -> review_pb2.AddedFacts:
    added = one.to_json()
    message = review_pb2.AddedFacts(
        added_by=one.by, patient_json=json.dumps(added["patient"], ensure_ascii=False, sort_keys=True)
    )
    message.added_at.FromDatetime(clock.parse(one.at))
    return message


def _rank(severity: int) -> int:
    """That of the least severity asked for; raises InvalidRequest."""
    least = _SEVERITIES.get(severity)
    if least is None:
        raise InvalidRequest([("least_severity", "is not a severity")])
    return least


def _passkey_options(prepared: Preparation) -> str:
    if not prepared.key.algorithm.passkey:
        return ""
    return json.dumps(signing_options(prepared.key, prepared.statement.challenge()), sort_keys=True)


def _assertion(request: review_pb2.SignRequest) -> Assertion | None:
    if not request.HasField("assertion"):
        return None
    given = request.assertion
    return Assertion(given.authenticator_data, given.client_data_json)


def _item(item: Item, version: int) -> review_pb2.QueueItem:
    message = review_pb2.QueueItem(
        ticket_id=item.ticket_id,
        inference_id=item.inference_id,
        policy=item.policy,
        worst_severity=severity_message(item.worst_severity),
        open_findings=item.open_findings,
        claimed_by=item.claimed_by or "",
        state=item.state,
        version=version,
        assigned_to=item.assigned_to or "",
        escalated_to=item.escalated_to,
        urgency=item.urgency,
        blinded=item.blinded,
        practice=item.practice_for is not None,
        disputed=item.disputed,
        open_to=item.open_to,
    )
    message.held_at.FromDatetime(clock.parse(item.held_at))
    message.due_at.FromDatetime(clock.parse(item.due_at))
    message.expires_at.FromDatetime(clock.parse(item.expires_at))
    for field, moment in (
        (message.lease_expires_at, item.lease_expires_at),
        (message.assigned_until, item.assigned_until),
        (message.escalated_at, item.escalated_at),
    ):
        if moment is not None:
            field.FromDatetime(clock.parse(moment))
    return message

"""ReviewService."""

from __future__ import annotations

from attending.v1 import common_pb2, review_pb2

from tests.matrix.making import EVERYBODYS, Things, key, maker


@maker("ReviewService/ListQueue", "clinician", own=True)
def list_queue(_things: Things) -> review_pb2.ListQueueRequest:
    return review_pb2.ListQueueRequest(page_size=200)


@maker("ReviewService/GetItem", "clinician")
def get_item(things: Things) -> review_pb2.GetItemRequest:
    return review_pb2.GetItemRequest(ticket_id=things.ticket, purpose_of_use=EVERYBODYS)


@maker("ReviewService/Claim", "clinician", fresh=True)
def claim(things: Things) -> review_pb2.ClaimRequest:
    return review_pb2.ClaimRequest(idempotency_key=key(), ticket_id=things.unclaimed)


# It is the caller's own queue, and in a stranger's nothing waits.
@maker("ReviewService/ClaimNext", "clinician", fresh=True)
def claim_next(_things: Things) -> review_pb2.ClaimNextRequest:
    return review_pb2.ClaimNextRequest(idempotency_key=key())


@maker("ReviewService/Renew", "clinician", fresh=True)
def renew(things: Things) -> review_pb2.RenewRequest:
    return review_pb2.RenewRequest(idempotency_key=key(), ticket_id=things.ticket, lease_id=things.lease)


@maker("ReviewService/Dispose", "clinician", fresh=True)
def dispose(things: Things) -> review_pb2.DisposeRequest:
    return review_pb2.DisposeRequest(
        idempotency_key=key(),
        ticket_id=things.ticket,
        lease_id=things.lease,
        finding=things.finding,
        disposition=review_pb2.DISPOSITION_FIXED,
    )


@maker("ReviewService/AddFacts", "clinician", fresh=True)
def add_facts(things: Things) -> review_pb2.AddFactsRequest:
    return review_pb2.AddFactsRequest(
        idempotency_key=key(),
        ticket_id=things.ticket,
        lease_id=things.lease,
        facts=common_pb2.PatientContext(weight_kg=82),
    )


@maker("ReviewService/PrepareSign", "clinician", fresh=True)
def prepare_sign(things: Things) -> review_pb2.PrepareSignRequest:
    return review_pb2.PrepareSignRequest(
        purpose_of_use=EVERYBODYS, ticket_id=things.ticket, lease_id=things.lease, key_id=things.signing_key
    )


@maker("ReviewService/Sign", "clinician", fresh=True)
def sign(things: Things) -> review_pb2.SignRequest:
    return review_pb2.SignRequest(
        idempotency_key=key(),
        ticket_id=things.ticket,
        lease_id=things.lease,
        preparation_id=things.preparation,
        signature=things.signature,
    )


@maker("ReviewService/Reject", "clinician", fresh=True)
def reject(things: Things) -> review_pb2.RejectRequest:
    return review_pb2.RejectRequest(
        idempotency_key=key(), ticket_id=things.ticket, lease_id=things.lease, reason_code="wrong"
    )


@maker("ReviewService/ReleaseLease", "clinician", fresh=True)
def release_lease(things: Things) -> review_pb2.ReleaseLeaseRequest:
    return review_pb2.ReleaseLeaseRequest(
        idempotency_key=key(), ticket_id=things.ticket, lease_id=things.lease
    )


@maker("ReviewService/Reassign", "clinician", fresh=True)
def reassign(things: Things) -> review_pb2.ReassignRequest:
    return review_pb2.ReassignRequest(
        idempotency_key=key(),
        ticket_id=things.ticket,
        lease_id=things.lease,
        to=things.colleague,
        reason_code="handover",
    )


@maker("ReviewService/RecordOpinion", "clinician", fresh=True)
def record_opinion(things: Things) -> review_pb2.RecordOpinionRequest:
    return review_pb2.RecordOpinionRequest(
        idempotency_key=key(),
        ticket_id=things.withheld,
        lease_id=things.withheld_lease,
        assessment="safe",
    )


@maker("ReviewService/Escalate", "clinician", fresh=True)
def escalate(things: Things) -> review_pb2.EscalateRequest:
    return review_pb2.EscalateRequest(
        idempotency_key=key(),
        ticket_id=things.ticket,
        lease_id=things.lease,
        reason_code="beyond_competence",
    )

"""OversightService."""

from __future__ import annotations

from attending.v1 import oversight_pb2

from tests.matrix.making import EVERYBODYS, Things, key, maker


@maker("OversightService/GetSummary", "safety_officer", own=True)
def summary(_things: Things) -> oversight_pb2.GetSummaryRequest:
    return oversight_pb2.GetSummaryRequest()


@maker("OversightService/ListFlaggedReviewers", "medical_director", own=True)
def flagged(_things: Things) -> oversight_pb2.ListFlaggedReviewersRequest:
    return oversight_pb2.ListFlaggedReviewersRequest()


@maker("OversightService/GetReviewer", "medical_director", own=True)
def reviewer(_things: Things) -> oversight_pb2.GetReviewerRequest:
    return oversight_pb2.GetReviewerRequest(name="somebody")


@maker("OversightService/ListDraws", "auditor", own=True)
def draws(_things: Things) -> oversight_pb2.ListDrawsRequest:
    return oversight_pb2.ListDrawsRequest()


@maker("OversightService/OpenDraw", "medical_director", own=True)
def open_draw(_things: Things) -> oversight_pb2.OpenDrawRequest:
    return oversight_pb2.OpenDrawRequest(idempotency_key=key())


@maker("OversightService/ListSecondReads", "clinician", own=True)
def list_reads(_things: Things) -> oversight_pb2.ListSecondReadsRequest:
    return oversight_pb2.ListSecondReadsRequest()


@maker("OversightService/GetSecondRead", "clinician")
def get_read(things: Things) -> oversight_pb2.GetSecondReadRequest:
    return oversight_pb2.GetSecondReadRequest(read_id=things.second_read, purpose_of_use=EVERYBODYS)


@maker("OversightService/DecideSecondRead", "clinician", fresh=True)
def decide(things: Things) -> oversight_pb2.DecideSecondReadRequest:
    return oversight_pb2.DecideSecondReadRequest(
        idempotency_key=key(),
        read_id=things.second_read,
        answer=oversight_pb2.SECOND_READ_ANSWER_REJECTED,
        reason_code="unsafe",
        note="A note.",
    )

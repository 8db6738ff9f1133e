"""RecallService."""

from __future__ import annotations

from attending.v1 import common_pb2, recall_pb2

from tests.matrix.making import Things, key, maker


@maker("RecallService/Withdraw", "safety_officer", fresh=True)
def withdraw(things: Things) -> recall_pb2.WithdrawRequest:
    return recall_pb2.WithdrawRequest(
        idempotency_key=key(), inference_id=things.released, reason=recall_pb2.RECALL_REASON_UNSAFE
    )


@maker("RecallService/AckRecall", "clinician", fresh=True)
def acknowledge(things: Things) -> recall_pb2.AckRecallRequest:
    return recall_pb2.AckRecallRequest(idempotency_key=key(), inference_id=things.withdrawn, target="app")


@maker("RecallService/ListRecalls", "auditor", own=True)
def list_recalls(_things: Things) -> recall_pb2.ListRecallsRequest:
    return recall_pb2.ListRecallsRequest()


@maker("RecallService/ListCandidates", "auditor", own=True)
def list_candidates(_things: Things) -> recall_pb2.ListCandidatesRequest:
    return recall_pb2.ListCandidatesRequest()


@maker("RecallService/GetCandidate", "safety_officer", refused="NOT_PROPOSED")
def get_candidate(things: Things) -> recall_pb2.GetCandidateRequest:
    return recall_pb2.GetCandidateRequest(
        inference_id=things.released, purpose_of_use=common_pb2.PURPOSE_OF_USE_PATIENT_SAFETY
    )


# What stands on the worklist got there when people put another pack in force.
@maker("RecallService/DismissCandidate", "clinician", refused="NOT_PROPOSED")
def dismiss(things: Things) -> recall_pb2.DismissCandidateRequest:
    return recall_pb2.DismissCandidateRequest(
        idempotency_key=key(),
        inference_id=things.released,
        reason=recall_pb2.NO_RECALL_REASON_NOT_HARMFUL,
    )

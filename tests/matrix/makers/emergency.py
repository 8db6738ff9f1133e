"""EmergencyService."""

from __future__ import annotations

from attending.v1 import emergency_pb2

from tests.matrix.making import Things, key, maker


@maker("EmergencyService/BeginEmergencyAccess", "pharmacist", own=True, fresh=True)
def begin(things: Things) -> emergency_pb2.BeginEmergencyAccessRequest:
    # One key: a person has one access at a time, and the same request is answered with it.
    return emergency_pb2.BeginEmergencyAccessRequest(
        idempotency_key="matrix", reason=emergency_pb2.EMERGENCY_REASON_COVER, minutes=1
    )


@maker("EmergencyService/EndEmergencyAccess", "privacy_officer", fresh=True)
def end(things: Things) -> emergency_pb2.EndEmergencyAccessRequest:
    return emergency_pb2.EndEmergencyAccessRequest(idempotency_key=key(), access_id=things.emergency)


@maker("EmergencyService/ListEmergencyAccess", "auditor", own=True)
def list_accesses(things: Things) -> emergency_pb2.ListEmergencyAccessRequest:
    return emergency_pb2.ListEmergencyAccessRequest()


@maker("EmergencyService/ReviewEmergencyAccess", "safety_officer", fresh=True)
def review(things: Things) -> emergency_pb2.ReviewEmergencyAccessRequest:
    return emergency_pb2.ReviewEmergencyAccessRequest(
        idempotency_key=key(),
        access_id=things.ended_emergency,
        outcome=emergency_pb2.EMERGENCY_OUTCOME_JUSTIFIED,
    )

"""ExaminationService."""

from __future__ import annotations

from attending.v1 import examination_pb2

from tests.matrix.making import Things, key, maker

PRIVACY = examination_pb2.EXAMINATION_OFFICE_PRIVACY


@maker("ExaminationService/ListExceptions", "auditor", own=True)
def list_exceptions(things: Things) -> examination_pb2.ListExceptionsRequest:
    return examination_pb2.ListExceptionsRequest(office=PRIVACY)


@maker("ExaminationService/DisposeExceptions", "privacy_officer", fresh=True)
def dispose(things: Things) -> examination_pb2.DisposeExceptionsRequest:
    return examination_pb2.DisposeExceptionsRequest(
        idempotency_key=key(),
        office=PRIVACY,
        lines=[examination_pb2.ExceptionLine(kind="emergency_access", entry_index=things.exception)],
        disposition=examination_pb2.EXCEPTION_DISPOSITION_EXPECTED,
    )


@maker("ExaminationService/PrepareExamination", "privacy_officer", fresh=True)
def prepare(things: Things) -> examination_pb2.PrepareExaminationRequest:
    return examination_pb2.PrepareExaminationRequest(office=PRIVACY, key_id=things.officer_key)


@maker("ExaminationService/SignExamination", "safety_officer", fresh=True)
def sign(things: Things) -> examination_pb2.SignExaminationRequest:
    return examination_pb2.SignExaminationRequest(
        idempotency_key=key(), preparation_id=things.examination, signature=things.examination_signature
    )


@maker("ExaminationService/ListExaminations", "auditor", own=True)
def list_examinations(things: Things) -> examination_pb2.ListExaminationsRequest:
    return examination_pb2.ListExaminationsRequest(office=PRIVACY)

"""CustodyService."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from attending.v1 import common_pb2, custody_pb2

from tests.matrix.making import Things, key, maker

RECORDS = common_pb2.PURPOSE_OF_USE_RECORDS_MANAGEMENT

SubjectName = custody_pb2.SubjectName


@maker("CustodyService/ShowSubject", "privacy_officer")
def show_subject(things: Things) -> custody_pb2.ShowSubjectRequest:
    return custody_pb2.ShowSubjectRequest(
        subject=SubjectName(pseudonym=things.subject), purpose_of_use=RECORDS
    )


@maker("CustodyService/ShowSubject", "privacy_officer", variant="by record number")
def show_subject_by_number(things: Things) -> custody_pb2.ShowSubjectRequest:
    return custody_pb2.ShowSubjectRequest(subject=SubjectName(mrn=things.mrn), purpose_of_use=RECORDS)


@maker("CustodyService/LinkSubjects", "privacy_officer", fresh=True)
def link_subjects(things: Things) -> custody_pb2.LinkSubjectsRequest:
    return custody_pb2.LinkSubjectsRequest(
        idempotency_key=key(),
        subject=SubjectName(pseudonym=things.subject),
        other=SubjectName(pseudonym=things.on_hold),
    )


@maker("CustodyService/UnlinkSubjects", "privacy_officer", fresh=True)
def unlink_subjects(things: Things) -> custody_pb2.UnlinkSubjectsRequest:
    return custody_pb2.UnlinkSubjectsRequest(
        idempotency_key=key(),
        subject=SubjectName(pseudonym=things.subject),
        other=SubjectName(pseudonym=things.other),
    )


@maker("CustodyService/PlaceHold", "privacy_officer", fresh=True)
def place_hold(things: Things) -> custody_pb2.PlaceHoldRequest:
    return custody_pb2.PlaceHoldRequest(
        idempotency_key=key(),
        subject=SubjectName(pseudonym=things.subject),
        ground=custody_pb2.HOLD_GROUND_LITIGATION,
    )


@maker("CustodyService/LiftHold", "privacy_officer", fresh=True)
def lift_hold(things: Things) -> custody_pb2.LiftHoldRequest:
    return custody_pb2.LiftHoldRequest(
        idempotency_key=key(), subject=SubjectName(pseudonym=things.on_hold), hold_id=things.hold
    )


@maker("CustodyService/SuspendAccounting", "privacy_officer", fresh=True)
def suspend_accounting(things: Things) -> custody_pb2.SuspendAccountingRequest:
    request = custody_pb2.SuspendAccountingRequest(
        idempotency_key=key(),
        subject=SubjectName(pseudonym=things.subject),
        agency=custody_pb2.AGENCY_LAW_ENFORCEMENT,
        form=custody_pb2.STATEMENT_FORM_ORAL,
        statement="Detective Ames, county police",
    )
    request.until.FromDatetime(datetime.now(UTC) + timedelta(days=7))
    return request


@maker("CustodyService/EraseSubject", "privacy_officer", fresh=True)
def erase_subject(things: Things) -> custody_pb2.EraseSubjectRequest:
    return custody_pb2.EraseSubjectRequest(
        idempotency_key=key(),
        subject=SubjectName(pseudonym=things.other),
        reason=custody_pb2.ERASURE_REASON_TEST_DATA,
    )


@maker("CustodyService/PrunePayloads", "privacy_officer", own=True)
def prune_payloads(_things: Things) -> custody_pb2.PrunePayloadsRequest:
    return custody_pb2.PrunePayloadsRequest(idempotency_key=key())

"""A privacy officer's calls: show, link, hold, release, erase and prune."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.v1 import common_pb2, custody_pb2, custody_pb2_grpc

VACUUM_TIMEOUT_SECONDS = 3600.0


class CustodyClient(Calls):
    """One privacy officer's calls; close it, or use it in a `with`.

    `key` makes a repeated call safe across processes; a fresh one otherwise. `approved_by` names a second privacy
    officer. Every method raises AttendingApiError, and ReceiptError when a receipt does not hold under the log key
    that is pinned, or is of an entry of another kind than the change asked for.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = custody_pb2_grpc.CustodyServiceStub(self._channel)

    @translated
    def show(
        self,
        subject: custody_pb2.SubjectName,
        *,
        purpose: common_pb2.PurposeOfUse.ValueType = common_pb2.PURPOSE_OF_USE_RECORDS_MANAGEMENT,
    ) -> custody_pb2.Subject:
        """The subject as it stands; the look is recorded with its purpose."""
        request = custody_pb2.ShowSubjectRequest(subject=subject, purpose_of_use=purpose)
        return self._stub.ShowSubject(request, timeout=TIMEOUT_SECONDS).subject

    @translated
    def link(
        self,
        subject: custody_pb2.SubjectName,
        other: custody_pb2.SubjectName,
        *,
        approved_by: str = "",
        key: str | None = None,
    ) -> custody_pb2.LinkSubjectsResponse:
        request = custody_pb2.LinkSubjectsRequest(
            idempotency_key=key or uuid.uuid4().hex, subject=subject, other=other, approved_by=approved_by
        )
        answer = self._stub.LinkSubjects(request, timeout=TIMEOUT_SECONDS)
        self._check(answer.receipts, "subject.linked", needed=False)
        return answer

    @translated
    def unlink(
        self,
        subject: custody_pb2.SubjectName,
        other: custody_pb2.SubjectName,
        *,
        approved_by: str = "",
        key: str | None = None,
    ) -> custody_pb2.UnlinkSubjectsResponse:
        request = custody_pb2.UnlinkSubjectsRequest(
            idempotency_key=key or uuid.uuid4().hex, subject=subject, other=other, approved_by=approved_by
        )
        answer = self._stub.UnlinkSubjects(request, timeout=TIMEOUT_SECONDS)
        self._check(answer.receipts, "subject.unlinked", needed=False)
        return answer

    @translated
    def hold(
        self,
        subject: custody_pb2.SubjectName,
        ground: custody_pb2.HoldGround.ValueType,
        *,
        approved_by: str = "",
        key: str | None = None,
    ) -> custody_pb2.PlaceHoldResponse:
        request = custody_pb2.PlaceHoldRequest(
            idempotency_key=key or uuid.uuid4().hex, subject=subject, ground=ground, approved_by=approved_by
        )
        answer = self._stub.PlaceHold(request, timeout=TIMEOUT_SECONDS)
        self._check(answer.receipts, "hold.placed")
        return answer

    @translated
    def suspend(
        self,
        subject: custody_pb2.SubjectName,
        agency: custody_pb2.Agency.ValueType,
        form: custody_pb2.StatementForm.ValueType,
        until: datetime,
        statement: str,
        *,
        approved_by: str = "",
        key: str | None = None,
    ) -> custody_pb2.SuspendAccountingResponse:
        """Leaves disclosures to `agency` out of the person's accounting until `until` (aware)."""
        request = custody_pb2.SuspendAccountingRequest(
            idempotency_key=key or uuid.uuid4().hex,
            subject=subject,
            agency=agency,
            form=form,
            statement=statement,
            approved_by=approved_by,
        )
        request.until.FromDatetime(until)
        answer = self._stub.SuspendAccounting(request, timeout=TIMEOUT_SECONDS)
        self._check(answer.receipts, "disclosure.suspended")
        return answer

    @translated
    def release(
        self,
        subject: custody_pb2.SubjectName,
        hold_id: str,
        *,
        approved_by: str = "",
        key: str | None = None,
    ) -> custody_pb2.LiftHoldResponse:
        request = custody_pb2.LiftHoldRequest(
            idempotency_key=key or uuid.uuid4().hex, subject=subject, hold_id=hold_id, approved_by=approved_by
        )
        answer = self._stub.LiftHold(request, timeout=TIMEOUT_SECONDS)
        self._check(answer.receipts, "hold.lifted", needed=False)
        return answer

    @translated
    def erase(
        self,
        subject: custody_pb2.SubjectName,
        reason: custody_pb2.ErasureReason.ValueType,
        *,
        expected: Sequence[str] = (),
        vacuum: bool = False,
        approved_by: str = "",
        key: str | None = None,
    ) -> custody_pb2.EraseSubjectResponse:
        """Erases for good. `expected` are the pseudonyms that may go: refused when others are linked by then."""
        request = custody_pb2.EraseSubjectRequest(
            idempotency_key=key or uuid.uuid4().hex,
            subject=subject,
            reason=reason,
            approved_by=approved_by,
            expected_pseudonyms=expected,
            vacuum=vacuum,
        )
        timeout = VACUUM_TIMEOUT_SECONDS if vacuum else TIMEOUT_SECONDS
        answer = self._stub.EraseSubject(request, timeout=timeout)
        self._check(answer.receipts, "subject.erased")
        return answer

    @translated
    def prune(
        self,
        *,
        start_index: int = 0,
        dry_run: bool = False,
        vacuum: bool = False,
        approved_by: str = "",
        key: str | None = None,
    ) -> custody_pb2.PrunePayloadsResponse:
        """One batch; go on at `next_index` until `done`."""
        request = custody_pb2.PrunePayloadsRequest(
            idempotency_key=key or uuid.uuid4().hex,
            start_index=start_index,
            dry_run=dry_run,
            approved_by=approved_by,
            vacuum=vacuum,
        )
        timeout = VACUUM_TIMEOUT_SECONDS if vacuum else TIMEOUT_SECONDS
        answer = self._stub.PrunePayloads(request, timeout=timeout)
        self._check(answer.receipts, "payload.pruned", needed=False)
        return answer

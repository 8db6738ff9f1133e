"""An auditor's calls: reports, from the asking to the issue, and their files."""

from __future__ import annotations

import uuid
from pathlib import Path

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import ReceiptError, translated
from attending.client.review import SigningKey, signed_with
from attending.ledger.canonical import parse_canonical
from attending.ledger.errors import VerificationError
from attending.ledger.report_signature import (
    DISCARDED,
    ISSUED,
    SIGNED_OFF,
    ReportStatement,
    parse_report_statement,
)
from attending.v1 import report_pb2, report_pb2_grpc

ISSUE_SECONDS = 1_900.0
"""An issue sets the pages again, of a large bundle for minutes."""


class ReportClient(Calls):
    """Calls about reports; close it, or use it in a `with`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = report_pb2_grpc.ReportServiceStub(self._channel)

    @translated
    def create(
        self,
        kind: report_pb2.ReportKind.ValueType,
        scope: report_pb2.ReportScope,
        purpose: str,
        *,
        key: str | None = None,
    ) -> report_pb2.Report:
        """Asks for a report, which is made from then on."""
        request = report_pb2.CreateReportRequest(
            idempotency_key=key or uuid.uuid4().hex, kind=kind, scope=scope, purpose=purpose
        )
        return self._stub.CreateReport(request, timeout=TIMEOUT_SECONDS).report

    @translated
    def get(self, report_id: str) -> report_pb2.Report:
        """How it stands."""
        request = report_pb2.GetReportRequest(report_id=report_id)
        return self._stub.GetReport(request, timeout=TIMEOUT_SECONDS).report

    @translated
    def evaluate_controls(
        self, period: report_pb2.EvaluateControlsRequest
    ) -> tuple[report_pb2.EvaluateControlsResponse.Control, ...]:
        """What the entries of a period say to each control, in the order of the matrix."""
        events = self._stub.EvaluateControls(period, timeout=ISSUE_SECONDS)
        return tuple(event.control for event in events if event.HasField("control"))

    @translated
    def list(self, limit: int = 50) -> list[report_pb2.Report]:
        """The newest, at most `limit` (1 to 200)."""
        request = report_pb2.ListReportsRequest(page_size=limit)
        return [*self._stub.ListReports(request, timeout=TIMEOUT_SECONDS).reports]

    @translated
    def prepare(self, report_id: str, key_id: str) -> tuple[str, ReportStatement]:
        """(preparation, statement to sign). ReceiptError when the statement is none, or of another key or report."""
        answer = self._stub.PrepareSignOff(
            report_pb2.PrepareSignOffRequest(report_id=report_id, key_id=key_id), timeout=TIMEOUT_SECONDS
        )
        try:
            statement = parse_report_statement(parse_canonical(answer.statement))
        except VerificationError as err:
            raise ReceiptError(f"statement to sign: {err.detail}") from err
        if (statement.key_id, statement.report) != (key_id, report_id):
            raise ReceiptError("statement to sign names another key or report")
        return answer.preparation_id, statement

    @translated
    def sign(
        self, preparation_id: str, statement: ReportStatement, key: SigningKey
    ) -> tuple[report_pb2.Report, int]:
        """Signs the statement here; the report, and the entry's index."""
        answer = self._stub.SignOffReport(
            report_pb2.SignOffReportRequest(
                idempotency_key=uuid.uuid4().hex,
                preparation_id=preparation_id,
                signature=signed_with(key, statement.message()),
            ),
            timeout=TIMEOUT_SECONDS,
        )
        self._check([answer.receipt], SIGNED_OFF)
        return answer.report, answer.receipt.index

    @translated
    def issue(self, report_id: str) -> report_pb2.IssueReportResponse:
        """Issues it, sealed where the server has a seal: the report, its seal, and the receipt of the entry."""
        request = report_pb2.IssueReportRequest(idempotency_key=uuid.uuid4().hex, report_id=report_id)
        answer = self._stub.IssueReport(request, timeout=ISSUE_SECONDS)
        self._check([answer.receipt], ISSUED)
        return answer

    @translated
    def discard(self, report_id: str) -> report_pb2.DiscardReportResponse:
        """Discards one that is not issued: the report, and the receipt of the entry."""
        request = report_pb2.DiscardReportRequest(idempotency_key=uuid.uuid4().hex, report_id=report_id)
        answer = self._stub.DiscardReport(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], DISCARDED)
        return answer

    @translated
    def download(self, report_id: str, file: report_pb2.ReportFile.ValueType, purpose: str, out: Path) -> int:
        """Writes a file of it to `out`, whole or not at all; how many bytes."""
        request = report_pb2.DownloadReportRequest(report_id=report_id, file=file, purpose=purpose)
        partial, size = out.with_name(out.name + ".partial"), 0
        try:
            with partial.open("wb") as target:
                for piece in self._stub.DownloadReport(request, timeout=ISSUE_SECONDS):
                    size += target.write(piece.chunk)
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)
        return size

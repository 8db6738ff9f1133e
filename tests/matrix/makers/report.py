"""ReportService."""

from __future__ import annotations

from attending.v1 import report_pb2
from google.protobuf.message import Message

from tests.matrix.making import Things, key, maker


@maker("ReportService/Export", "auditor")
def export(things: Things) -> report_pb2.ExportRequest:
    return report_pb2.ExportRequest(idempotency_key=key(), purpose="audit", inference_ids=[things.inference])


@maker("ReportService/Export", "privacy_officer", variant="with payloads")
def export_with_payloads(things: Things) -> report_pb2.ExportRequest:
    return report_pb2.ExportRequest(
        idempotency_key=key(), purpose="audit", inference_ids=[things.inference], include_payloads=True
    )


@maker("ReportService/CreateReport", "auditor")
def create(things: Things) -> report_pb2.CreateReportRequest:
    return report_pb2.CreateReportRequest(
        idempotency_key=key(),
        kind=report_pb2.REPORT_KIND_DOSSIER,
        scope=report_pb2.ReportScope(inference_id=things.released),
        purpose="audit",
    )


@maker("ReportService/GetReport", "auditor")
def get(things: Things) -> report_pb2.GetReportRequest:
    return report_pb2.GetReportRequest(report_id=things.report)


@maker("ReportService/ListReports", "auditor", own=True)
def list_reports(_things: Things) -> report_pb2.ListReportsRequest:
    return report_pb2.ListReportsRequest()


@maker("ReportService/DownloadReport", "auditor")
def download(things: Things) -> report_pb2.DownloadReportRequest:
    return report_pb2.DownloadReportRequest(
        report_id=things.report, file=report_pb2.REPORT_FILE_BUNDLE, purpose="quality"
    )


@maker("ReportService/SignOffReport", "safety_officer")
def sign_off(things: Things) -> report_pb2.SignOffReportRequest:
    return report_pb2.SignOffReportRequest(
        idempotency_key=key(), preparation_id=things.report_preparation, signature=things.report_signature
    )


@maker("ReportService/PrepareSignOff", "safety_officer")
def prepare(things: Things) -> report_pb2.PrepareSignOffRequest:
    return report_pb2.PrepareSignOffRequest(report_id=things.report, key_id=things.officers_key)


@maker("ReportService/IssueReport", "auditor")
def issue(things: Things) -> report_pb2.IssueReportRequest:
    return report_pb2.IssueReportRequest(idempotency_key=key(), report_id=things.signed_report)


@maker("ReportService/DiscardReport", "auditor", fresh=True)
def discard(things: Things) -> report_pb2.DiscardReportRequest:
    return report_pb2.DiscardReportRequest(idempotency_key=key(), report_id=things.unwanted_report)


@maker("ReportService/ReconcileUsage", "auditor", own=True, fresh=True)
def reconcile(_things: Things) -> list[Message]:
    opening = report_pb2.ReconcileUsageRequest.Open(
        idempotency_key=key(), provider="demo", file_sha256=bytes(32), records=1
    )
    getattr(opening, "from").FromSeconds(1_700_000_000)
    opening.to.FromSeconds(1_700_000_100)
    record = report_pb2.UsageRecord(row=1, ids=["req-1"], model="m")
    record.time.FromSeconds(1_700_000_010)
    return [
        report_pb2.ReconcileUsageRequest(open=opening),
        report_pb2.ReconcileUsageRequest(records=report_pb2.ReconcileUsageRequest.Records(records=[record])),
    ]


@maker("ReportService/EvaluateControls", "auditor", own=True)
def evaluate_controls(_things: Things) -> report_pb2.EvaluateControlsRequest:
    return report_pb2.EvaluateControlsRequest()

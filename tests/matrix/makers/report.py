"""ReportService."""

from __future__ import annotations

from attending.v1 import report_pb2

from tests.matrix.making import Things, key, maker


@maker("ReportService/Export", "auditor")
def export(things: Things) -> report_pb2.ExportRequest:
    return report_pb2.ExportRequest(idempotency_key=key(), purpose="audit", inference_ids=[things.inference])


@maker("ReportService/Export", "privacy_officer", variant="with payloads")
def export_with_payloads(things: Things) -> report_pb2.ExportRequest:
    return report_pb2.ExportRequest(
        idempotency_key=key(), purpose="audit", inference_ids=[things.inference], include_payloads=True
    )

"""Exporting evidence is one right, disclosing personal content another; both over the wire."""

from __future__ import annotations

import uuid
from pathlib import Path

import grpc
import pytest
from attending.client import AttendingApiError, Client
from attending.server.cli.download import download
from attending.v1 import report_pb2

from tests.e2e.server_process import ServerProcess


def request(*, payloads: bool) -> report_pb2.ExportRequest:
    return report_pb2.ExportRequest(
        idempotency_key=uuid.uuid4().hex, purpose="audit", include_payloads=payloads
    )


@pytest.mark.parametrize(
    ("identity", "evidence", "content"),
    [
        ("demo-auditor", True, False),
        ("demo-privacy-officer", True, True),
        ("dr-rivera", False, False),
        ("demo-app", False, False),
    ],
)
def test_who_may_export_what(
    server: ServerProcess, tmp_path: Path, identity: str, evidence: bool, content: bool
) -> None:
    for payloads, allowed in ((False, evidence), (True, content)):
        out = tmp_path / f"{payloads}.attending"
        with Client(server.connection(identity)) as client:
            if allowed:
                assert download(client, request(payloads=payloads), out) > 0
                continue
            with pytest.raises(AttendingApiError) as caught:
                download(client, request(payloads=payloads), out)
        assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED
        assert not out.exists()

"""A refused self-approval is in the officer's list, the terminal signs the period, and it verifies offline."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from attending.client import AttendingApiError, Client, PolicyClient
from attending.ledger.note import VerifierKey
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.server.cli.download import download
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.v1 import report_pb2

from tests.e2e.server_process import ServerProcess

OFFICER = "demo-safety-officer"


def test_who_would_approve_their_own_is_listed_signed_for_and_verified(
    embedded: ServerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def examine(*words: str) -> str:
        where = ["--data", str(embedded.folder), "--as", OFFICER]
        assert run(["examine", words[0], "--office", "safety", *where, *words[1:]]) == Exit.OK
        return capsys.readouterr().out

    with PolicyClient(embedded.connection(OFFICER)) as officer:
        wanted = officer.activations("patient-triage").standings[0].in_folder
        officer.request("patient-triage", wanted)
        with pytest.raises(AttendingApiError) as refused:
            officer.approve("patient-triage", wanted)
        assert refused.value.reason == "SECOND_PERSON_REQUIRED"
        # As it takes two people, and nothing is left waiting for other tests.
        with PolicyClient(embedded.connection("demo-pharmacist")) as pharmacist:
            pharmacist.request("patient-triage", wanted)
        officer.approve("patient-triage", wanted)

    lines = [line.split()[0] for line in examine("list", "--open").splitlines() if line.endswith("OPEN")]
    assert any(line.startswith("self_approval_refused:") for line in lines)
    for start in range(0, len(lines), 100):
        examine("dispose", *lines[start : start + 100], "--as-what", "followed-up")
    key = embedded.folder / "identities" / OFFICER / "signing.pem"
    assert "signed: entry" in examine("sign", "--key", str(key), "--yes")
    assert OFFICER in examine("log")

    out = tmp_path / "log.attending"
    connection = embedded.connection("demo-auditor")
    with Client(connection) as auditor:
        download(auditor, report_pb2.ExportRequest(idempotency_key=uuid.uuid4().hex, purpose="audit"), out)
    report = verify_bundle(out, Anchors(keys=(VerifierKey.parse(connection.log_key or ""),)))
    results = {result.check: (result.status, result.detail) for result in report.results}
    assert [check for check, (status, _detail) in results.items() if status == "failed"] == []
    assert results["V22"][0] == "passed"
    assert "safety up to entry" in results["V22"][1]

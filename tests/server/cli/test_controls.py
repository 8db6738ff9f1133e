"""The matrix at a terminal: over a server's log, and over a bundle of it, offline."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from attending.client import AttendingApiError, Client, ReportClient
from attending.server.cli.download import download
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.controls.over_log import shipped_matrix
from attending.v1 import report_pb2

from tests.e2e.server_process import ServerProcess
from tests.ledger.verify.conftest import LogBuilder

IDS = [control.id for control in shipped_matrix()]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    def lines(*words: str) -> tuple[int, list[dict[str, Any]]]:
        capsys.readouterr()
        code = run(["controls", *words, "--json"])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return lines


def test_a_server_and_a_bundle_of_its_log_say_the_same(
    embedded: ServerProcess, tmp_path: Path, printed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out, connection = tmp_path / "log.attending", embedded.connection("demo-auditor")
    with Client(connection) as auditor:
        download(auditor, report_pb2.ExportRequest(idempotency_key=uuid.uuid4().hex, purpose="audit"), out)
    offline, bundled = printed("evaluate", "--bundle", str(out), "--key", connection.log_key or "")
    asked, served = printed("evaluate", "--data", str(embedded.folder))
    assert [one["id"] for one in bundled] == [one["id"] for one in served] == IDS
    for here, there in zip(bundled, served, strict=True):
        assert set(there["checks"].values()) <= {"not_run"}
        assert here["checks"].keys() == there["checks"].keys()
        for name in ("reference", "requirement", "status", "as_of", "wording", "note", "limits"):
            assert here[name] == there[name]
        if not here["checks"]:
            # The export is an entry that the bundle does not hold.
            assert here["met"] <= there["met"]
            assert set(here["failures"]) <= set(there["failures"]) or there["failed"] > 5
    for code, found in ((offline, bundled), (asked, served)):
        assert code == (Exit.FAILED if any(one["result"] == "failed" for one in found) else Exit.OK)
    assert run(["controls", "evaluate", "--data", str(embedded.folder)]) == asked
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(IDS) + 1
    assert "organisational, not evidenced by this system" in lines[-1]


def test_who_reads_no_reports_has_nothing_evaluated(embedded: ServerProcess) -> None:
    for name in ("demo-app", "demo-pharmacist"):
        with ReportClient(embedded.connection(name)) as client, pytest.raises(AttendingApiError) as refused:
            client.evaluate_controls(report_pb2.EvaluateControlsRequest())
        assert refused.value.reason == "PERMISSION_DENIED"
    nothing = report_pb2.EvaluateControlsRequest()
    nothing.to.FromJsonString("2001-01-01T00:00:00Z")
    with (
        ReportClient(embedded.connection("demo-auditor")) as client,
        pytest.raises(AttendingApiError) as refused,
    ):
        client.evaluate_controls(nothing)
    assert refused.value.reason == "NO_ENTRIES_IN_PERIOD"


def test_a_bundle_that_does_not_verify_is_not_evaluated_and_one_without_a_key_is_nobodys(
    tmp_path: Path, printed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    log = LogBuilder()
    log.ordinary_day()
    bundle = log.full(tmp_path / "b.attending", figures=True)
    key = tmp_path / "log.vkey"
    key.write_text(f"{log.vkey}\n")
    code, found = printed("evaluate", "--bundle", str(bundle), "--key", str(key))
    failed = [one["id"] for one in found if one["result"] == "failed"]
    assert (code, [one["id"] for one in found]) == (Exit.FAILED if failed else Exit.OK, IDS)
    unsigned, found = printed("evaluate", "--bundle", str(bundle))
    assert unsigned == (Exit.FAILED if failed else Exit.INDETERMINATE)
    [altered] = [one for one in found if one["id"] == "hipaa-164.312-c-2"]
    assert altered["result"] == "not_evidenced"
    log.tamper(bundle, "entries.jsonl", lambda data: data.replace(b'"inf_signed"', b'"inf_forged"', 1))
    assert printed("evaluate", "--bundle", str(bundle), "--key", str(key)) == (Exit.FAILED, [])
    run(["controls", "evaluate", "--bundle", str(bundle), "--key", str(key)])
    assert "the bundle does not verify" in capsys.readouterr().err
    (tmp_path / "x").write_text("no bundle")
    assert run(["controls", "evaluate", "--bundle", str(tmp_path / "x")]) == Exit.FAILED
    assert run(["controls", "evaluate", "--bundle", str(bundle), "--key", "nonsense"]) == Exit.USAGE
    assert run(["controls", "evaluate", "--bundle", str(bundle), "--from", "2026-11-01"]) == Exit.USAGE
    assert run(["controls", "evaluate", "--key", str(key), "--data", str(tmp_path)]) == Exit.USAGE


def test_the_matrix_is_listed_and_shown_as_its_files_have_it(
    tmp_path: Path, printed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code, listed = printed("list")
    assert (code, [one["id"] for one in listed]) == (Exit.OK, IDS)
    code, hipaa = printed("list", "--framework", "hipaa")
    assert {one["id"].partition("-")[0] for one in hipaa} == {"hipaa"}
    assert run(["controls", "list", "--framework", "nothing"]) == Exit.USAGE
    assert run(["controls", "show", "hipaa-164.312-a-2-ii"]) == Exit.OK
    assert "followed_by" in capsys.readouterr().out
    assert run(["controls", "show", "hipaa-0"]) == Exit.USAGE
    (tmp_path / "own.yaml").write_text("framework: own\n")
    assert run(["controls", "list", "--matrix", str(tmp_path)]) == Exit.USAGE
    assert "`own.yaml`" in capsys.readouterr().err

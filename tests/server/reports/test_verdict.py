"""The verdict beside a draft says what the verifier said, and what is no verdict is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attending.ledger.report_signature import REQUESTED
from attending.ledger.verify.report import Report, Status
from attending.server.reports.verdict import MOST_RESULTS, read_verdict, verdict_bytes

from tests.ledger.verify.conftest import LogBuilder
from tests.ledger.verify.test_report_sign_offs import REPORT, STREAM, issue, sign


def kept(report: Report, folder: Path) -> Path:
    path = folder / "verdict.json"
    path.write_bytes(verdict_bytes(report))
    return path


def test_what_fails_comes_first_and_each_check_that_holds_is_named(tmp_path: Path) -> None:
    log = LogBuilder()
    who = log.enrol("ada", "auditor")
    log.append(REQUESTED, STREAM, {"report": REPORT})
    sign(log, who)
    twice = sign(log, who)
    issue(log)
    report = log.verify(log.full(tmp_path / "a.attending"))
    found = read_verdict(kept(report, tmp_path))
    assert found is not None
    assert found.status == report.verdict == Status.FAILED
    assert [(one.check, one.status, one.index) for one in found.findings] == [("V14", "failed", twice)]
    assert "V14" not in found.passed
    assert {"V1", "V6", "V7"} <= set(found.passed)


def test_however_much_fails_the_file_is_small(tmp_path: Path) -> None:
    log = LogBuilder()
    who = log.enrol("ada", "auditor")
    log.append(REQUESTED, STREAM, {"report": REPORT})
    for _ in range(MOST_RESULTS + 20):
        sign(log, who)
    found = read_verdict(kept(log.verify(log.full(tmp_path / "a.attending")), tmp_path))
    assert found is not None
    assert len(found.findings) == MOST_RESULTS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"verdict": "fine", "passed": [], "findings": []}',
        b'{"verdict": "passed", "passed": 7, "findings": []}',
        b'{"verdict": "passed", "passed": [], "findings": [{"check": "V1"}]}',
        b"\xff",
        json.dumps({"verdict": "passed", "passed": ["V1"] * 100_000, "findings": []}).encode(),
    ],
)
def test_what_does_not_read_is_no_verdict(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "verdict.json").write_bytes(data)
    assert read_verdict(tmp_path / "verdict.json") is None
    assert read_verdict(tmp_path / "none.json") is None

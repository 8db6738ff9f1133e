"""Reports at a terminal: one that could not be made is a failure, and is made once it can be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attending.server.bootstrap.identities import TENANT
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit

from tests.e2e.server_process import ServerProcess


@pytest.fixture
def server(embedded: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> ServerProcess:
    monkeypatch.setenv("ATTENDING_DATA", str(embedded.folder))
    return embedded


def test_a_report_that_could_not_be_made_is_a_failure_and_no_file_of_it_is_given(
    server: ServerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle.attending"
    [reports] = server.folder.rglob("reports")
    place = reports / TENANT
    place.touch()  # no folder can be made there
    assert run(["report", "create", "--wait", "--json"]) == Exit.FAILED
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["failure"]) == ("REPORT_STATE_FAILED", "REPORT_NOT_MADE")
    report_id = found["report_id"]
    asked = ["report", "download", report_id, "--file", "bundle", "--out", str(out), "--force"]
    assert run(asked) == Exit.FAILED
    assert "REPORT_NOT_READY" in capsys.readouterr().err
    assert not out.exists()
    place.unlink()
    run(["report", "show", report_id, "--wait"])
    run(asked)  # tries again
    assert run(["report", "show", report_id, "--wait", "--json"]) == Exit.OK
    assert run(asked) == Exit.OK
    assert out.stat().st_size > 0


def test_a_report_that_nobody_wants_is_discarded_and_stays_in_the_list(
    server: ServerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", "create", "--json"]) == Exit.OK
    report_id = json.loads(capsys.readouterr().out)["report_id"]
    assert run(["report", "discard", report_id, "--yes"]) == Exit.OK
    assert capsys.readouterr().out.startswith("discarded: entry ")
    assert run(["report", "show", report_id]) == Exit.OK
    assert "DISCARDED" in capsys.readouterr().out
    [reports] = server.folder.rglob("reports")
    assert not (reports / TENANT / report_id).exists()
    asked = ["report", "download", report_id, "--file", "draft", "--out", str(tmp_path / "draft.pdf")]
    for refused in (asked, ["report", "discard", report_id, "--yes"]):
        assert run(refused) == Exit.FAILED
        said = capsys.readouterr().err
        assert "REPORT_DISCARDED" in said
        assert "ask for a new one" in said
    assert run(["report", "list"]) == Exit.OK
    assert report_id in capsys.readouterr().out

"""`attending reconcile` at a terminal: a call past the gate is exit code 1, a file that does not read no comparison."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attending.client import Client
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.v1 import common_pb2

from tests.e2e.server_process import ServerProcess


@pytest.fixture
def server(embedded: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> ServerProcess:
    monkeypatch.setenv("ATTENDING_DATA", str(embedded.folder))
    return embedded


def test_a_call_past_the_gate_is_found_and_said(
    server: ServerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Client(server.connection("demo-app")) as app:
        done = app.record(
            "discharge-plan",
            "Write the appointment.",
            "Your visit is on Tuesday.",
            provider="own",
            model="own-1",
            usage=common_pb2.Usage(input_tokens=41, output_tokens=17),
            tags={"team": "ward-3", "feature": "discharge"},
        )
    now = datetime.now(UTC).isoformat()
    usage = tmp_path / "usage.csv"
    header = "id,model,time,prompt_tokens,completion_tokens\n"
    usage.write_text(f"{header}call-1,own-1,{now},41,17\n")
    asked = ["reconcile", "--provider-usage", str(usage), "--provider", "own"]
    assert run(asked) == Exit.OK
    assert "by model, tokens and time 1" in " ".join(capsys.readouterr().out.split())
    usage.write_text(f"{header}call-1,own-1,{now},41,17\nshadow,own-1,{now},900,3\n")
    assert run([*asked, "--json"]) == Exit.FAILED
    found = json.loads(capsys.readouterr().out)
    assert found["reconciliation"]["bypassed"] == "1"
    assert [(one["kind"], one["row"]) for one in found["differences"]] == [
        ("USAGE_DIFFERENCE_KIND_BYPASSED", "3")
    ]
    usage.write_text(header)
    assert run([*asked, "--from", "2020-01-01", "--to", "2020-02-01"]) == Exit.FAILED
    assert "no record" in capsys.readouterr().err
    usage.write_text(f"{header}call-1,own-1,{now},41,17\n=cmd(),own-1,{now},1,1\n")
    assert run(asked) == Exit.FAILED
    assert "row 3" in capsys.readouterr().err
    usage.write_text(f"{header}call-1,own-1,{now},41,17\ncall-1,own-1,{now},1,1\n")
    assert run(asked) == Exit.FAILED
    assert "USAGE_ID_REPEATED" in capsys.readouterr().err
    assert done.inference_id
    assert run([*asked, "--as", "demo-operator"]) == Exit.HELD

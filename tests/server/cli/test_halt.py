"""The stop button at a terminal: who may press it, what it says, and what a caller meets meanwhile."""

from __future__ import annotations

import json

import pytest
from attending.client import AttendingApiError, Client
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit

from tests.e2e.server_process import ServerProcess


@pytest.fixture
def server(embedded: ServerProcess) -> ServerProcess:
    return embedded


@pytest.fixture(autouse=True)
def _here(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDING_DATA", str(server.folder))


def released(server: ServerProcess) -> str:
    with Client(server.connection("demo-app")) as app:
        result = app.record(
            "administrative-letter",
            "Confirm.",
            "Your appointment is on Monday at 10:00 in room 4.",
            provider="own",
            model="own-1",
            tags={"team": "desk", "feature": "letters"},
        )
    return result.state


def test_from_the_stop_to_the_resume(server: ServerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    assert released(server) == "released"
    assert run(["halt", "--show"]) == Exit.OK
    assert capsys.readouterr().out == "running: nothing is halted\n"
    assert run(["halt", "--reason", "patient-safety", "--as", "dr-rivera"]) == Exit.OK
    out = capsys.readouterr().out
    assert out.startswith("halted: everything, patient safety, by human:dr-rivera at ")
    assert "time to halt: " in out
    with pytest.raises(AttendingApiError) as refused:
        released(server)
    assert refused.value.reason == "SYSTEM_HALTED"
    assert refused.value.metadata["policy"] == "all"
    # Pressed twice, it is the same halt.
    assert run(["halt", "--reason", "drill"]) == Exit.OK
    out = capsys.readouterr().out
    assert "patient safety, by human:dr-rivera" in out
    assert "it was halted before" in out
    assert run(["halt", "--show", "--json", "--as", "demo-app"]) == Exit.HELD
    [standing] = json.loads(capsys.readouterr().out)["standings"]
    assert (standing["halted"], standing["halted_by"], standing["reason"]) == (
        True,
        "human:dr-rivera",
        "HALT_REASON_PATIENT_SAFETY",
    )
    for who in ("dr-rivera", "demo-operator", "demo-auditor"):
        assert run(["resume", "--reason", "resolved", "--as", who]) == Exit.HELD
    capsys.readouterr()
    assert run(["resume", "--reason", "resolved"]) == Exit.OK
    assert capsys.readouterr().out == "resumed: everything\n"
    assert released(server) == "released"
    assert run(["resume", "--reason", "resolved"]) == Exit.FAILED
    assert "nothing to resume" in capsys.readouterr().err


def test_one_policy(server: ServerProcess, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["halt", "--reason", "drill", "--policy", "discharge-plan", "--json"]) == Exit.OK
    answer = json.loads(capsys.readouterr().out)
    assert answer["standing"]["policy"] == "discharge-plan"
    assert released(server) == "released"
    assert run(["resume", "--reason", "ended", "--policy", "discharge-plan", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["standing"]["halted"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["halt"], Exit.USAGE, "missing `--reason`"),
        (["halt", "--reason", "bored"], Exit.USAGE, "bored"),
        (["halt", "--reason", "drill", "--policy", "nowhere"], Exit.FAILED, "policy"),
        (["halt", "--reason", "drill", "--as", "demo-auditor"], Exit.HELD, "role"),
        (["resume"], Exit.USAGE, "--reason"),
        (["resume", "--reason", "ended", "--policy", "patient-message"], Exit.FAILED, "nothing to resume"),
    ],
)
def test_what_is_refused(
    arguments: list[str], code: Exit, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == code
    assert said in capsys.readouterr().err
    assert run(["halt", "--show"]) == Exit.OK

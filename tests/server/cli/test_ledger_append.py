"""`attending ledger append`: a file of events, with its lines named in errors, run again without harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from attending.client import AttendingApiError
from attending.server.cli.ledger.append import command
from attending.server.cli.outcome import CommandError
from attending.server.services.ledger import build
from click.testing import CliRunner, Result

INFERENCE = "inf_" + "0" * 32
SECRET = "Zebulon Quackenbush"


@pytest.fixture(scope="module")
def server(start_server: Any) -> Any:
    return start_server(components=[build])


def line(**changes: Any) -> dict[str, Any]:
    body = {"inference_id": INFERENCE, "source": "patient", "rating": "helpful"}
    return {"type": "feedback.recorded", "body": body, **changes}


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines))
    return path


def run(server: Any, path: Path, *more: str) -> Result:
    arguments = ["--input", str(path), "--data", str(server.embedded.folder), *more]
    return CliRunner().invoke(command, arguments, standalone_mode=False)


def entries(server: Any, emitter: str) -> list[Any]:
    stream = f"emitter/app:demo-app/{emitter}"
    return list(server.run(server.app.ledger.stream_entries("demo", stream)))


def test_a_file_is_appended_once(server: Any, tmp_path: Path) -> None:
    path = write(
        tmp_path / "in.jsonl",
        line(subject_ref="MRN-1", payloads={"comment": SECRET}, occurred_at="2026-11-03T09:00:00+01:00"),
        *[line() for _ in range(300)],
    )
    first = run(server, path, "--emitter", "once", "--json")
    assert first.exception is None
    told = json.loads(first.stdout)
    assert (told["appended"], told["already_recorded"], told["closed"], told["missing"]) == (301, 0, True, 0)
    stored = entries(server, "once")
    assert [entry.type for entry in stored] == ["feedback.recorded"] * 301 + ["session.ended"]
    assert stored[0].occurred_at == "2026-11-03T08:00:00.000000Z"
    assert not any(SECRET.encode() in entry.data for entry in stored)
    again = run(server, path, "--emitter", "once", "--json")
    assert json.loads(again.stdout) == {**told, "appended": 0, "already_recorded": 301}
    assert len(entries(server, "once")) == 302


def test_a_file_that_grows_is_kept_open(server: Any, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    assert run(server, write(path, line()), "--emitter", "grows", "--keep-open").exception is None
    result = run(server, write(path, line(), line()), "--emitter", "grows")
    assert "1 appended, 1 there before" in result.stdout
    assert "closed at 2" in result.stdout
    # A file that was changed in the middle is another one.
    changed = line(body={**line()["body"], "rating": "wrong"})
    result = run(server, write(path, line(), changed), "--emitter", "grows")
    assert isinstance(result.exception, CommandError)
    assert result.exception.problem.startswith("line 2 is not what this emitter sent before")


@pytest.mark.parametrize(
    "bad",
    [
        f'{{"type": "{SECRET}',
        '{"type": "feedback.recorded"}',
        json.dumps(line(extra=SECRET)),
        json.dumps(line(body=SECRET)),
        json.dumps(line(payloads={"comment": 1})),
        json.dumps(line(occurred_at=SECRET)),
        '{"type": "a", "type": "b", "body": {}}',
        '{"type": "a", "body": {"x": 1.5}}',
        '{"type": "a", "body": {"x": "\\ud800"}}',
        "[" * 100_000,
        "",
    ],
)
def test_a_bad_line_is_named_and_nothing_was_sent(server: Any, tmp_path: Path, bad: str) -> None:
    result = run(server, write(tmp_path / "in.jsonl", line(), bad, line()), "--emitter", "bad")
    assert isinstance(result.exception, click.UsageError)
    assert "line 2:" in result.exception.message
    assert SECRET not in result.exception.message
    assert entries(server, "bad") == []


def test_a_line_that_the_server_refuses_is_named(server: Any, tmp_path: Path) -> None:
    lines = [line() for _ in range(120)]
    lines[70] = line(type="inference.released")
    lines[75] = line(body={**line()["body"], "rating": SECRET})
    result = run(server, write(tmp_path / "in.jsonl", *lines), "--emitter", "refused")
    assert isinstance(result.exception, CommandError)
    assert "line 71: `type` is not one that may come from outside" in result.exception.problem
    assert SECRET not in result.exception.problem
    # Corrected, the rest follows.
    lines[70] = lines[75] = line()
    result = run(server, write(tmp_path / "in.jsonl", *lines), "--emitter", "refused")
    assert result.exception is None
    assert [e.body["emitter"].get("sequence") for e in entries(server, "refused")] == [*range(1, 121), None]


def test_who_may_not_append_is_told(server: Any, tmp_path: Path) -> None:
    result = run(server, write(tmp_path / "in.jsonl", line()), "--emitter", "x", "--as", "demo-auditor")
    assert isinstance(result.exception, AttendingApiError)
    assert result.exception.reason == "PERMISSION_DENIED"


@pytest.mark.parametrize("content", ["", "\xff"])
def test_a_file_without_events(server: Any, tmp_path: Path, content: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(content.encode("latin-1"))
    assert isinstance(run(server, path, "--emitter", "x").exception, click.UsageError)


def test_help_has_examples_that_parse() -> None:
    result = CliRunner().invoke(command, ["--help"])
    assert result.exit_code == 0
    assert "attending ledger append --input feedback.jsonl" in result.stdout

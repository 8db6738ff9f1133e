"""`attending check` and `attending deid` from files and pipes, with their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit

BLOCKED = "Take your sildenafil together with your nitroglycerin."
COMMAND = (sys.executable, "-m", "attending.server.cli.main")
WARNED = "Do not take sildenafil with nitroglycerin."


def test_check_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines = [{"id": "a", "output": BLOCKED}, {"id": "b", "output": WARNED}, {"id": "c"}]
    source.write_text("".join(json.dumps(line) + "\n" for line in lines) + "not json\n")
    code = run(
        ["check", "--policy", "patient-message", "--input", str(source), "--output", str(target), "--json"]
    )
    assert code == Exit.FAILED  # two lines could not be read
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["id"] for row in rows] == ["a", "b", "c", None]
    assert rows[0]["verdict"] == "block"
    assert rows[1]["verdict"] != "block"
    assert [bool(row.get("error")) for row in rows] == [False, False, True, True]
    assert not any("understood" in row for row in rows)
    summary = json.loads(capsys.readouterr().err)
    assert (summary["lines"], summary["errors"], summary["block"]) == (4, 2, 1)


def test_check_explains_what_it_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps({"id": "a", "output": WARNED}) + "\n")
    arguments = ["check", "--policy", "patient-message", "--input", str(source), "--output", str(target)]
    assert run([*arguments, "--explain"]) == Exit.OK
    [row] = [json.loads(line) for line in target.read_text().splitlines()]
    assert row["understood"]["warned_pairs"] == [["sildenafil", "nitroglycerin"]]
    assert "warns of sildenafil with nitroglycerin" in capsys.readouterr().err


def test_check_and_deid_in_a_pipe() -> None:
    text = "Call Mrs Eleanor Whitfield at 555-867-5309 about MRN 00482913."
    for arguments, line, key in (
        (["check", "--policy", "administrative-letter"], {"id": 1, "output": text}, "disposition"),
        (
            ["deid", "--mode", "baa_minimum"],
            {"id": 1, "text": text + " Seen 3/14/2024, aged 94."},
            "redacted",
        ),
    ):
        done = subprocess.run(
            # One check process: each takes seconds to load.
            [*COMMAND, *arguments, "--workers", "1", "--input", "-", "--output", "-"],
            input=json.dumps(line) + "\n",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        [row] = [json.loads(line) for line in done.stdout.splitlines()]
        assert row["id"] == 1
        assert key in row
        assert "5309" not in done.stderr
    assert "555-867-5309" not in row["redacted"]
    assert "3/14/2024" not in row["redacted"]
    assert row["redacted"].endswith(", aged 94.")
    assert {"start", "end", "type", "score"} <= set(row["spans"][0])


def test_policy_cases_of_one_policy_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "test", "administrative-letter"]) == Exit.OK, capsys.readouterr().out


def test_a_policy_that_does_not_load_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "policy.yaml").write_text("name: odd\nshoe_size: 43\n")
    arguments = ["check", "--policy", "odd", "--policies", str(tmp_path), "--input", "-", "--output", "-"]
    assert run(arguments) == Exit.USAGE
    [line] = capsys.readouterr().err.splitlines()
    assert "policy `odd` does not load" in line
    assert "shoe_size" in line

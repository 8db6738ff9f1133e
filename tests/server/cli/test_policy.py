"""`attending policy`: what is found, and with which exit code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.shipped import package_policies


@pytest.fixture
def drafts(tmp_path: Path) -> Path:
    shutil.copytree(package_policies() / "discharge-plan", tmp_path / "discharge-plan")
    return tmp_path


def _change(drafts: Path, old: str, new: str) -> None:
    file = drafts / "discharge-plan" / "policy.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_lint_tells_errors_from_warnings(drafts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "lint", "--policies", str(drafts)]) == Exit.OK
    _change(drafts, "mode: enforce", "mode: advise")
    assert run(["policy", "lint", "--policies", str(drafts)]) == Exit.OK
    assert run(["policy", "lint", "--strict", "--policies", str(drafts)]) == Exit.FAILED
    _change(drafts, "mode: advise", "mode: loud")
    capsys.readouterr()
    assert run(["policy", "lint", "--json", "--policies", str(drafts)]) == Exit.FAILED
    [row] = map(json.loads, capsys.readouterr().out.splitlines())
    assert (row["policy"], row["file"], row["key"], row["reason"], row["weight"]) == (
        "discharge-plan",
        "policy.yaml",
        "mode",
        "UNKNOWN_VALUE",
        "error",
    )
    assert row["line"] == 1 + (drafts / "discharge-plan/policy.yaml").read_text().splitlines().index(
        "mode: loud"
    )
    assert run(["policy", "lint", "no-such", "--policies", str(drafts)]) == Exit.USAGE


def test_a_new_policy_is_told_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = ["policy", "new", "referral-letter", "--title", "Referral letters", "--audience", "clinician"]
    assert run([*made, "--policies", str(tmp_path), "--json"]) == Exit.OK
    [row] = map(json.loads, capsys.readouterr().out.splitlines())
    home = Path(row["folder"])
    assert (row["policy"], home) == ("referral-letter", tmp_path / "referral-letter")
    written = {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}
    assert set(row["files"]) == written
    assert run([*made, "--policies", str(tmp_path), "--json"]) == Exit.USAGE


def test_diff_puts_what_gets_milder_first(drafts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _change(drafts, "  count: 1", "  count: 2")
    _change(drafts, "mandatory_review: always", "mandatory_review: when_recommendation")
    paths = [str(package_policies() / "discharge-plan"), str(drafts / "discharge-plan")]
    assert run(["policy", "diff", "--json", *paths]) == Exit.OK
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["direction"], row["key"]) for row in rows] == [
        ("milder", "mandatory_review"),
        ("stricter", "sign_offs.count"),
    ]
    _change(drafts, "mode: enforce", "mode: loud")
    assert run(["policy", "diff", *paths]) == Exit.USAGE


def test_new_writes_once(tmp_path: Path) -> None:
    made = ["policy", "new", "referral-letter", "--title", "Referral letters", "--audience", "clinician"]
    assert run([*made, "--policies", str(tmp_path)]) == Exit.OK
    assert run(["policy", "lint", "referral-letter", "--policies", str(tmp_path)]) == Exit.OK
    assert run([*made, "--policies", str(tmp_path)]) == Exit.USAGE
    made[2] = "../up"
    assert run([*made, "--policies", str(tmp_path)]) == Exit.USAGE

"""Reading a policy's own cases, and that a case which should fail does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.guard import Guard
from attending.guardrails.policy.cases import load_cases, run_cases
from attending.guardrails.policy.load import LoadedPolicy, PolicyError, PolicySet, load_policy

POLICIES = Path(__file__).resolve().parents[3] / "policies"
CASE = {"name": "a", "output": "See you on Monday.", "expect": {"disposition": "release"}}


def _file(path: Path, *rows: Any) -> Path:
    path.write_text(
        "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize(
    "rows",
    [
        [],
        ["{not json"],
        [{**CASE, "outptu": "x"}],
        [{**CASE, "expect": {}}],
        [{**CASE, "expect": {"disposition": "released"}}],
        [{**CASE, "expect": {"disposition": "hold", "codes": ["interacton"]}}],
        [CASE, CASE],
        ["[" * 100_000],
    ],
)
def test_what_is_no_case_is_refused(tmp_path: Path, rows: list[Any]) -> None:
    with pytest.raises(PolicyError):
        load_cases("p", _file(tmp_path / "cases.jsonl", *rows))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError):
        load_cases("p", tmp_path / "cases.jsonl")


@pytest.fixture(scope="module")
def guard() -> Iterator[Guard]:
    loaded = Guard.load(POLICIES)
    yield loaded
    loaded.close()


@pytest.mark.parametrize(
    "expect",
    [
        {"disposition": "hold"},
        {"disposition": "release", "verdict": "hold"},
        {"disposition": "release", "mandatory_review": True},
        {"disposition": "release", "codes": ["phi"]},
        {"disposition": "release", "also": ["phi"]},
        {"disposition": "release", "recommends": ["drug"]},
        {"disposition": "release", "errors": 1},
    ],
)
def test_a_wrong_expectation_fails(guard: Guard, tmp_path: Path, expect: dict[str, Any]) -> None:
    letter = load_policy(POLICIES / "administrative-letter")
    _file(tmp_path / "cases.jsonl", CASE, {**CASE, "name": "b", "expect": expect})
    own = LoadedPolicy(letter.policy, tmp_path, letter.input_flows, letter.output_flows)
    shipped, guard.policies = guard.policies, PolicySet({"administrative-letter": own})
    try:
        right, wrong = run_cases(guard, "administrative-letter")
    finally:
        guard.policies = shipped
    assert right.passed
    assert not wrong.passed
    assert len(wrong.differences) == 1

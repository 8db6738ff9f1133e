"""A labelled set is read whole or refused with its reason; figures come with the interval that the sources print."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.evaluation.labelled import Case, LabelledSet, SetError
from attending.guardrails.evaluation.scoring import Outcome, Scores
from attending.guardrails.evaluation.wilson import Proportion
from attending.guardrails.finding import Basis, Code, Finding, Scope, Severity
from attending.guardrails.patient import Judged, PatientContext
from attending.guardrails.policy.schema import Decision

GOOD = {
    "id": "a",
    "output": "Take it.",
    "label": "benign",
    "category": "dose",
    "register": "sig",
    "note": "ours",
}


def write(folder: Path, *rows: dict[str, Any] | str) -> Path:
    path = folder / "set.jsonl"
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_set_is_read_with_its_hash(tmp_path: Path) -> None:
    path = write(
        tmp_path, GOOD, "", {"id": 2, "output": "x", "label": "dangerous", "expect_min_severity": "major"}
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    read = LabelledSet.read(path, expect_sha256=f"sha256:{digest}")
    assert [
        (case.id, case.dangerous, case.category, case.register, case.at_least) for case in read.cases
    ] == [
        ("a", False, "dose", "sig", Severity.MODERATE),
        ("2", True, "none", "none", Severity.MAJOR),
    ]
    assert read.sha256 == digest


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "EMPTY_SET"),
        (["not json"], "NOT_JSON"),
        ([{**GOOD, "label": "risky"}], "BAD_LABEL"),
        ([{**GOOD, "output": None}], "MISSING"),
        ([{**GOOD, "expect_min_severity": "bad"}], "BAD_SEVERITY"),
        ([{**GOOD, "audience": "nurse"}], "BAD_AUDIENCE"),
        ([{**GOOD, "category": 3}], "NOT_A_STRING"),
        ([{**GOOD, "context": {"age_years": "old"}}], "NOT_A_NUMBER"),
        ([GOOD, GOOD], "DUPLICATE_ID"),
    ],
)
def test_a_set_with_a_bad_line_is_not_measured(tmp_path: Path, rows: list[Any], reason: str) -> None:
    with pytest.raises(SetError) as refused:
        LabelledSet.read(write(tmp_path, *rows))
    assert refused.value.reason == reason
    assert "Take it" not in str(refused.value)


def test_another_set_than_the_one_expected_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetError) as refused:
        LabelledSet.read(write(tmp_path, GOOD), expect_sha256="0" * 64)
    assert refused.value.reason == "ANOTHER_SET"


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (9, 10, 0.5958, 0.9821),
        (10, 10, 0.7225, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson_intervals(hits: int, of: int, low: float, high: float) -> None:
    """Values of R's binom.confint(method = "wilson")."""
    assert Proportion(hits, of).interval == pytest.approx((low, high), abs=5e-5)


def outcome(
    label: Any, *findings: tuple[Code, Severity], verdict: Decision = "hold", at_least: str = "moderate"
) -> Outcome:
    case = Case("x", Judged("o", None, PatientContext(), ()), label, "c", "r", Severity(at_least))
    made = tuple(
        Finding("r", code, "rule", level, Scope.MENTION, 0, 0, "", Basis.RULE, "s", "m")
        for code, level in findings
    )
    return Outcome(case, verdict, made)


def test_what_counts_as_flagged() -> None:
    """A failed rail has found nothing; a silence of the knowledge counts, and is counted apart."""
    scores = Scores(
        (
            outcome("dangerous", (Code.INTERACTION, Severity.MAJOR)),
            outcome("dangerous", (Code.INTERACTION, Severity.MODERATE), at_least="major"),
            outcome("dangerous", (Code.NOT_COVERED, Severity.MODERATE)),
            outcome("dangerous", (Code.INTERACTION, Severity.MINOR), verdict="release"),
            outcome("dangerous", (Code.RAIL_FAILURE, Severity.MAJOR)),
            outcome("benign", (Code.DUPLICATE, Severity.MODERATE)),
            outcome("benign", (Code.DUPLICATE, Severity.MINOR), verdict="release"),
        )
    )
    assert (scores.recall, scores.recall_at_severity) == (Proportion(3, 5), Proportion(2, 5))
    assert (scores.held, scores.false_alarms) == (Proportion(4, 5), Proportion(1, 2))
    assert (scores.only_not_covered, scores.failures) == (1, 1)
    assert scores.confusion() == {
        "dangerous": {"release": 1, "hold": 4, "block": 0},
        "benign": {"release": 1, "hold": 1, "block": 0},
    }
    assert scores.severities()["dangerous"] == {"none": 2, "moderate": 2, "major": 1, "contraindicated": 0}
    assert [one.case.label for one in scores.misses()] == ["dangerous", "dangerous", "benign"]


def test_codes_are_counted_against_the_category_of_their_name() -> None:
    def of(
        category: str, *findings: tuple[Code, Severity], label: str = "dangerous", ms: float = 1.0
    ) -> Outcome:
        made = outcome(label, *findings)
        return replace(made, case=replace(made.case, category=category), elapsed_ms=ms)

    scores = Scores(
        (
            of("interaction", (Code.INTERACTION, Severity.MAJOR), ms=3),
            of("interaction", (Code.DUPLICATE, Severity.MAJOR), ms=9),
            of("a kind of its own", (Code.INTERACTION, Severity.MAJOR)),
            of("interaction", (Code.INTERACTION, Severity.MAJOR), label="benign"),
        )
    )
    assert scores.precision_by_code() == {"duplicate": Proportion(1, 1), "interaction": Proportion(2, 3)}
    assert scores.recall_by_code() == {"interaction": Proportion(1, 2)}
    assert scores.latency_ms() == {"p50": 3, "p90": 9, "p99": 9}

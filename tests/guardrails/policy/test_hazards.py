"""The hazard logs of the shipped policies: whole, and with the counts that the policies' own cases give now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from attending.guardrails.guard import Guard
from attending.guardrails.policy.cases import run_cases
from attending.guardrails.policy.hazards import load_hazards, observed
from attending.guardrails.policy.lint import lint
from attending.guardrails.policy.load import PolicyError, load_policy
from attending.guardrails.policy.template import write_new

POLICIES = Path(__file__).resolve().parents[3] / "policies"
NAMES = sorted(path.parent.name for path in POLICIES.glob("*/policy.yaml"))
TODAY = date(2026, 12, 1)


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    root = tmp_path_factory.mktemp("policies")
    for name in NAMES:
        (root / name).symlink_to(POLICIES / name)
    write_new(root, "a-new-one", "A new one (draft)", "patient", TODAY)
    loaded = Guard.load(root, include_drafts=True)
    yield loaded
    loaded.close()


@pytest.mark.parametrize("name", [*NAMES, "a-new-one"])
def test_each_case_holds_and_the_counts_are_those_of_the_log(guard: Guard, name: str) -> None:
    results = list(run_cases(guard, name))
    assert [(result.name, result.differences) for result in results if not result.passed] == []
    hazards = load_hazards(guard.policies.loaded(name).folder)
    stated = {hazard.id: (hazard.cases, hazard.caught) for hazard in hazards}
    assert observed(hazards, results) == stated


def test_a_new_policy_is_a_draft_without_errors_and_never_written_over(tmp_path: Path) -> None:
    folder = write_new(tmp_path, "referral-letter", "Referral letters", "clinician", TODAY)
    assert [problem for problem in lint(folder, today=TODAY) if problem.weight == "error"] == []
    assert load_policy(folder).policy.registry.status == "draft"
    assert load_policy(folder).policy.mandatory_review == "always"
    with pytest.raises(FileExistsError):
        write_new(tmp_path, "referral-letter", "Referral letters", "clinician", TODAY)


@pytest.mark.parametrize("name", ["../up", "A", "", "a" * 65, "a\n"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        write_new(tmp_path, name, "Title", "patient", TODAY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [(0, "X1"), (1, ""), (4, "interacton"), (6, "many"), (7, "99"), (7, "-1")],
)
def test_a_bad_line_is_named(tmp_path: Path, column: int, value: str) -> None:
    folder = write_new(tmp_path, "p", "P", "patient", TODAY)
    path = folder / "hazards.tsv"
    head, row = path.read_text(encoding="utf-8").splitlines()
    cells = row.split("\t")
    cells[column] = value
    path.write_text(f"{head}\n{row}\n" + "\t".join(cells) + "\n", encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_hazards(folder)
    assert [(fault.reason, fault.line) for fault in caught.value.faults] == [("HAZARD_LOG", 3)]

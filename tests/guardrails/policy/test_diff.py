"""What a new version changes is said by what it decides, in both directions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.guardrails.policy.diff import diff
from attending.guardrails.policy.load import LoadedPolicy, load_policy

POLICIES = Path(__file__).resolve().parents[3] / "policies"

Edit = Callable[[dict[str, Any]], Any]


def _plain(document: Any) -> str:
    """YAML without the aliases that PyYAML writes for one value in two places."""
    return yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False)


@pytest.fixture
def old() -> LoadedPolicy:
    return load_policy(POLICIES / "discharge-plan")


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Edit], LoadedPolicy]:
    def make(change: Edit) -> LoadedPolicy:
        folder = Path(shutil.copytree(POLICIES / "discharge-plan", tmp_path / "discharge-plan"))
        path = folder / "policy.yaml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        change(document)
        path.write_text(_plain(document), encoding="utf-8")
        return load_policy(folder)

    return make


def _row(**row: Any) -> Edit:
    return lambda policy: policy["verdicts"].append({"because": "a reason", **row})


def test_the_same_files_change_nothing(old: LoadedPolicy) -> None:
    assert diff(old, old) == []


def test_rows_that_are_split_and_moved_change_nothing(
    old: LoadedPolicy, changed: Callable[[Edit], LoadedPolicy]
) -> None:
    def split(policy: dict[str, Any]) -> None:
        abbreviation, injection = policy["verdicts"]
        halves = [
            {**injection, "severity": [name]} for name in ("contraindicated", "major", "moderate", "minor")
        ]
        policy["verdicts"] = [*reversed(halves), abbreviation]

    assert diff(old, changed(split)) == []


@pytest.mark.parametrize(
    ("change", "direction", "codes", "words"),
    [
        (
            _row(code="duplicate", severity="moderate", decision="release"),
            "milder",
            ("duplicate",),
            "moderate",
        ),
        (
            _row(code=["renal", "age"], severity="major", decision="block"),
            "stricter",
            ("age", "renal"),
            "major",
        ),
        (
            _row(code="renal", severity="major", scope=["recommend"], decision="block"),
            "stricter",
            ("renal",),
            "scope recommend",
        ),
        (
            _row(code="renal", severity="major", rule="curated:*", decision="block"),
            "stricter",
            ("renal",),
            "rule curated:any",
        ),
        (lambda p: p["verdicts"].pop(0), "milder", ("abbreviation",), "released instead of held"),
    ],
)
def test_a_changed_row_is_said_with_its_codes(
    old: LoadedPolicy,
    changed: Callable[[Edit], LoadedPolicy],
    change: Edit,
    direction: str,
    codes: tuple[str, ...],
    words: str,
) -> None:
    new = changed(change)
    found = diff(old, new)
    assert {(one.direction, one.codes) for one in found} == {(direction, codes)}
    assert all(words in one.words for one in found)
    back = diff(new, old)
    assert {one.direction for one in back} == {"stricter" if direction == "milder" else "milder"}


@pytest.mark.parametrize(
    ("change", "key", "direction"),
    [
        (lambda p: p.update(mode="advise"), "mode", "milder"),
        (lambda p: p.update(mandatory_review="when_recommendation"), "mandatory_review", "milder"),
        (lambda p: p["sign_offs"].update(roles=["clinician"]), "sign_offs.roles", "stricter"),
        (lambda p: p["sign_offs"].update(count=2), "sign_offs.count", "stricter"),
        (lambda p: p.update(suppression={"days": 30}), "suppression.days", "milder"),
        (
            lambda p: p["sign_offs"].update(skills=[{"findings": "doses", "roles": "pharmacist"}]),
            "sign_offs.skills",
            "stricter",
        ),
        (lambda p: p["sign_offs"].update(author_may_sign=False), "sign_offs.author_may_sign", "stricter"),
        (
            lambda p: p["sign_offs"].update(dispose_at_or_above="major"),
            "sign_offs.dispose_at_or_above",
            "milder",
        ),
        (lambda p: p.update(expiry_minutes=2000), "expiry_minutes", "milder"),
        (lambda p: p.update(sla_minutes=30), "sla_minutes", "stricter"),
        (lambda p: p.update(safe_text="Wait."), "safe_text", "other"),
        (lambda p: p.update(crisis_text="Call 112."), "crisis_text", "other"),
        (lambda p: p.update(version=2), "version", "other"),
    ],
)
def test_a_changed_setting_has_a_direction(
    old: LoadedPolicy, changed: Callable[[Edit], LoadedPolicy], change: Edit, key: str, direction: str
) -> None:
    assert [(one.key, one.direction) for one in diff(old, changed(change))] == [(key, direction)]


def test_a_rail_left_out_is_milder(old: LoadedPolicy, changed: Callable[[Edit], LoadedPolicy]) -> None:
    def without(policy: dict[str, Any]) -> None:
        policy["rails"].update(codes={}, severities={})

    folder = old.folder
    with pytest.raises(Exception, match="has no code"):
        changed(without)
    plain = LoadedPolicy(old.policy, folder, old.input_flows, old.output_flows[:-1], old.retrieval_flows)
    assert [(one.direction, one.old) for one in diff(old, plain)] == [("milder", "regex check output")]
    undocumented = LoadedPolicy(old.policy, folder, old.input_flows, old.output_flows)
    assert [(one.direction, one.old) for one in diff(old, undocumented)] == [("milder", "document checks")]

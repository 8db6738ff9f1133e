"""Contradictions, weakened safeguards and hostile files are found, each with its place and reason."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.guardrails.finding import Basis, Finding, Scope
from attending.guardrails.policy.lint import Cell, cells, finding_of, lint
from attending.guardrails.policy.load import PolicyError, load_policy
from attending.guardrails.policy.problem import Problem
from attending.guardrails.policy.schema import Audience, Oversight, Policy, VerdictRow
from pydantic import ValidationError

POLICIES = Path(__file__).resolve().parents[3] / "policies"
NAMES = sorted(path.parent.name for path in POLICIES.glob("*/policy.yaml"))
TODAY = date(2026, 12, 1)

Edit = Callable[[dict[str, Any]], Any]


def _plain(document: Any) -> str:
    """YAML without the aliases that PyYAML writes for one value in two places."""
    return yaml.safe_dump(json.loads(json.dumps(document)), sort_keys=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES / "discharge-plan", tmp_path / "discharge-plan"))


def _edit(folder: Path, change: Edit) -> None:
    path = folder / "policy.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(_plain(document), encoding="utf-8")


def _reasons(problems: list[Problem], weight: str = "error") -> set[str]:
    return {problem.reason for problem in problems if problem.weight == weight}


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_policies_have_no_error(name: str) -> None:
    assert _reasons(lint(POLICIES / name, today=TODAY)) == set()


def _rows(*rows: dict[str, Any]) -> Edit:
    return lambda policy: policy.update(verdicts=[{"because": "a reason", **row} for row in rows])


def _by_trying(policy: Policy) -> set[tuple[int, str]]:
    """What is wrong with the order of rows, by trying each with every kind of finding."""
    rows, found = policy.verdicts, set[tuple[int, str]]()
    matched: list[set[Cell]] = [set() for _ in rows]
    reached: set[int] = set()
    for cell in cells((policy,)):
        numbers = [n for n, row in enumerate(rows) if row.matches(finding_of(cell), cell.audience)]
        reached.update(numbers[:1])
        for number in numbers:
            matched[number].add(cell)
    for number, row in enumerate(rows):
        met = [other for other in range(number) if matched[other] & matched[number]]
        others = [other for other in met if rows[other].decision != row.decision]
        if number not in reached:
            found.add((number, "ROWS_CONTRADICT" if others else "ROW_UNREACHABLE"))
        elif any(matched[number] - matched[other] and matched[other] - matched[number] for other in others):
            found.add((number, "ROWS_OVERLAP"))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_rows_in_any_order_are_judged_as_by_trying_every_finding(folder: Path, seed: int) -> None:
    chance = random.Random(seed)

    def row() -> dict[str, Any]:
        made: dict[str, Any] = {"decision": chance.choice(["hold", "block"])}
        made["code"] = chance.sample(["duplicate", "interaction"], chance.randint(1, 2))
        for key, values in (
            # Below the floor, where a policy's owner may decide.
            ("severity", ["minor", "moderate", "major"]),
            ("scope", [scope.value for scope in Scope]),
            ("basis", [basis.value for basis in Basis]),
            ("audience", ["clinician", "patient"]),
        ):
            if key == "severity" or chance.random() < 0.3:
                made[key] = chance.sample(values, chance.randint(1, len(values)))
        if chance.random() < 0.5:
            made["rule"] = chance.choice(["a*", "ab", "ab*", "abc", "x"])
        return made

    _edit(folder, _rows(*(row() for _ in range(7))))
    table = {"ROW_UNREACHABLE", "ROWS_CONTRADICT", "ROWS_OVERLAP"}
    found = lint(folder, today=TODAY)
    told = {(int(one.key.split(".")[1]), one.reason) for one in found if one.reason in table}
    assert told == _by_trying(load_policy(folder).policy)


def test_rows_of_many_rules_are_not_tried_with_each_other_s_rules(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row is tried once with each kind of finding, however many rules rows name."""
    tried, matches = 0, VerdictRow.matches

    def counted(row: VerdictRow, finding: Finding, audience: Audience) -> bool:
        nonlocal tried
        tried += 1
        return matches(row, finding, audience)

    monkeypatch.setattr(VerdictRow, "matches", counted)
    _edit(folder, _rows(*({**STOP, "rule": f"r{number}"} for number in range(20))))
    policy = load_policy(folder).policy
    assert _reasons(lint(folder, today=TODAY)) == set()
    assert tried <= 20 * len(list(cells((policy,), ("any",))))


STOP = {"code": ["duplicate"], "severity": ["moderate"], "decision": "block"}


@pytest.mark.parametrize(
    ("change", "reason", "key"),
    [
        (lambda p: p.update(colour="red"), "UNKNOWN_KEY", "colour"),
        (lambda p: p.pop("sla_minutes"), "MISSING_KEY", "sla_minutes"),
        (lambda p: p.update(mode="loud"), "UNKNOWN_VALUE", "mode"),
        (lambda p: p.update(sla_minutes=0), "WRONG_VALUE", "sla_minutes"),
        (lambda p: p["sign_offs"].update(roles=["pharmacist"]), "NO_CLINICIAN", "sign_offs"),
        (lambda p: p.update(expiry_minutes=1), "CONTRADICTION", ""),
        (lambda p: p.update(suppression={"days": 91}), "WRONG_VALUE", "suppression.days"),
        (lambda p: (p.update(suppression={"days": 30}), p["sign_offs"].update(count=2, blinded_second_read=True)),
         "CONTRADICTION", ""),
        # Whose signature nobody could ever bring.
        (lambda p: p["sign_offs"].update(skills=[{"findings": "doses", "roles": ["pharmacist", "safety_officer"]}]),
         "UNKNOWN_VALUE", "sign_offs.skills.0.roles.1"),
        (lambda p: p["sign_offs"].update(skills=[{"findings": ["doses", "dosage"], "roles": ["pharmacist"]}]),
         "UNKNOWN_VALUE", "sign_offs.skills.0.findings.1"),
        (lambda p: p["sign_offs"].update(skills=[{"findings": "doses", "roles": []}]), "WRONG_VALUE",
         "sign_offs.skills.0.roles"),
        (lambda p: p["sign_offs"].update(count=2, blinded_second_read=True, skills=[{"findings": "doses",
         "roles": "pharmacist"}]), "CONTRADICTION", "sign_offs"),
        (_rows({"code": ["clinical_recommendation"], "decision": "release"}), "SAFEGUARD_OFF", "verdicts.0"),
        (_rows({"code": ["rail_failure"], "decision": "release"}), "SAFEGUARD_OFF", "verdicts.0"),
        (_rows(STOP, {"code": ["never_event"], "decision": "hold"}), "BELOW_FLOOR", "verdicts.1"),
        # Held to the floor of the reader that the row is for.
        (
            _rows({"code": ["interaction"], "severity": ["contraindicated"], "scope": ["recommend"],
                   "audience": ["patient"], "decision": "hold"}),
            "BELOW_FLOOR",
            "verdicts.0",
        ),
        (lambda p: p["rails"]["codes"].update({"clinical checks": "phi"}), "FLOW_UNKNOWN", "rails.codes"),
        (lambda p: p.update(scope={"allow_phrases": ["a b c"], "deny_phrases": ["A b c"]}), "CONTRADICTION", "scope"),
        (lambda p: p["registry"].update(reviewed="2027-01-01"), "REVIEWED_IN_FUTURE", "registry.reviewed"),
        (lambda p: p["registry"].update(reviewed="2026-02-30"), "WRONG_VALUE", "registry.reviewed"),
        (_rows(STOP, {**STOP, "decision": "release"}), "ROWS_CONTRADICT", "verdicts.1"),
        (_rows({**STOP, "code": ["duplicate", "route"]}, {**STOP, "scope": ["stop"], "decision": "hold"}),
         "ROWS_CONTRADICT", "verdicts.1"),
        (_rows(STOP, {**STOP, "rule": "curated:*"}), "ROW_UNREACHABLE", "verdicts.1"),
        # Two rows that together leave nothing for a third.
        (
            _rows(
                {**STOP, "audience": ["patient"]}, {**STOP, "audience": ["clinician"]}, {**STOP, "scope": ["limit"]}
            ),
            "ROW_UNREACHABLE",
            "verdicts.2",
        ),
    ],
)  # fmt: skip
def test_an_error_names_its_place_and_reason(folder: Path, change: Edit, reason: str, key: str) -> None:
    _edit(folder, change)
    errors = [problem for problem in lint(folder, today=TODAY) if problem.weight == "error"]
    assert [(error.reason, error.key) for error in errors] == [(reason, key)]
    assert errors[0].file == "policy.yaml"
    assert errors[0].next_step
    if key.startswith("verdicts."):
        text = (folder / "policy.yaml").read_text(encoding="utf-8").splitlines()
        assert errors[0].line is not None
        assert text[errors[0].line - 1].startswith("- ")


def test_a_row_for_a_reader_who_never_comes_is_unreachable(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(POLICIES / "patient-message", tmp_path / "patient-message"))
    _edit(folder, _rows({**STOP, "audience": ["clinician"]}))
    assert _reasons(lint(folder, today=TODAY)) == {"ROW_UNREACHABLE"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            _rows({"code": ["duplicate"], "severity": ["moderate"], "decision": "release"}),
            "MILDER_THAN_DEFAULT",
        ),
        (_rows({**STOP, "decision": "hold"}), "ROW_WITHOUT_EFFECT"),
        (
            _rows({**STOP, "scope": ["recommend"], "severity": []}, {**STOP, "decision": "release"}),
            "ROWS_OVERLAP",
        ),
        (lambda p: p["registry"].update(reviewed="2026-05-30"), "REVIEW_DUE"),
        (lambda p: p.update(mode="advise"), "NOT_ENFORCED"),
    ],
)
def test_a_warning_is_for_the_owner(folder: Path, change: Edit, reason: str) -> None:
    _edit(folder, change)
    problems = lint(folder, today=TODAY)
    assert _reasons(problems) == set()
    assert reason in _reasons(problems, "warning")


def test_a_narrower_row_before_a_wider_one_is_no_fault(folder: Path) -> None:
    _edit(folder, _rows({**STOP, "scope": ["recommend"]}, {**STOP, "severity": [], "decision": "hold"}))
    assert lint(folder, today=TODAY) == []


def _case(text: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / "cases.jsonl").write_text(text, encoding="utf-8")


ONE = '{"name": "a", "output": "x", "expect": {"disposition": "hold"}}\n'


def _seeded(folder: Path) -> None:
    """Plants items without a word of it to those who read them."""
    path = folder / "policy.yaml"
    path.write_text(path.read_text() + "oversight:\n  seeded:\n    permille: 20\n    announced: true\n")


def test_planted_items_that_are_announced_are_in_order(tmp_path: Path) -> None:
    folder = shutil.copytree(POLICIES / "discharge-plan", tmp_path / "discharge-plan")
    _seeded(folder)
    with (folder / "README.md").open("a") as readme:
        readme.write("\nUp to 2 % of what you review is planted: a made-up patient, and nothing is sent.\n")
    assert not [problem for problem in lint(folder, today=TODAY) if problem.reason == "SEEDED_NOT_ANNOUNCED"]


@pytest.mark.parametrize(
    "seeded",
    [
        {"permille": 21, "announced": True},
        {"permille": 0, "announced": True},
        {"permille": 20, "announced": False},
        {"permille": 20},
        {"permille": 20, "announced": True, "secret": True},
    ],
)
def test_no_policy_plants_more_or_in_secret(seeded: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Oversight.model_validate({"seeded": seeded})


@pytest.mark.parametrize(
    ("change", "reason", "weight"),
    [
        (lambda f: (f / "README.md").write_text(" \n"), "README_MISSING", "error"),
        (_seeded, "SEEDED_NOT_ANNOUNCED", "error"),
        (lambda f: (f / "hazards.tsv").unlink(), "HAZARD_LOG_MISSING", "error"),
        (lambda f: (f / "hazards.tsv").write_text("id\thazard\n"), "HAZARD_LOG", "error"),
        (lambda f: (f / "hazards.tsv").write_bytes(b"\xff\xfe" * 200_000), "HAZARD_LOG", "error"),
        (_case("{"), "CASES", "error"),
        (lambda f: (f / "cases.jsonl").write_bytes(b"\xff" * 1_000), "CASES", "error"),
        (_case(ONE.replace('"output"', '"hazard": "H99", "output"')), "UNKNOWN_HAZARD", "error"),
        (_case(ONE), "FEW_CASES", "warning"),
        (_case(ONE), "HAZARD_WITHOUT_CASE", "warning"),
        (_case(ONE.replace('"output"', '"hazard": "H1", "output"')), "NO_BENIGN_CASE", "warning"),
    ],
)
def test_what_stands_beside_the_policy_is_read_too(
    folder: Path, change: Callable[[Path], Any], reason: str, weight: str
) -> None:
    change(folder)
    assert reason in _reasons(lint(folder, today=TODAY), weight)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n"


@pytest.mark.parametrize("file", ["policy.yaml", "rails/more.yaml"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (BOMB.encode(), "NOT_YAML"),
        (b"name: x\n" + b"# " + b"a" * 1_048_576, "TOO_LARGE"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff", "NOT_UTF8"),
        (b"name: a\x00b\n", "NOT_YAML"),
        (b"name: x\nname: y\n", "NOT_YAML"),
        (b"? [a, b]\n: x\n", "NOT_YAML"),
        (b"[" * 5_000, "NOT_YAML"),
        (b"{a: " * 5_000, "NOT_YAML"),
        (b"!!python/object/apply:os.system [echo]\n", "NOT_YAML"),
        (b"a: 1\n---\nb: 2\n", "NOT_YAML"),
        (b"when: 2026-99-99\n", "NOT_YAML"),
        (b"".join(b"k%d: 1\n" % number for number in range(4_000)), None),
    ],
    ids=[
        "bomb",
        "1MB",
        "binary",
        "nul",
        "twice",
        "odd-key",
        "deep",
        "deep-map",
        "object",
        "two",
        "date",
        "wide",
    ],
)
def test_a_hostile_file_is_refused_within_bounds(
    folder: Path, file: str, content: bytes, reason: str | None
) -> None:
    (folder / file).write_bytes(content)
    if reason is None and file == "rails/more.yaml":
        # A wide mapping is no harm to a file that only NeMo reads.
        load_policy(folder)
        return
    with pytest.raises(PolicyError) as caught:
        load_policy(folder)
    assert reason is None or caught.value.faults[0].reason == reason

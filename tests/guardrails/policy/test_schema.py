"""What a policy may and may not say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.guardrails.policy.load import PolicyError, PolicySet, content_hash, load_policy

POLICIES = Path(__file__).resolve().parents[3] / "policies"
NAMES = sorted(path.parent.name for path in POLICIES.glob("*/policy.yaml"))

Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POLICIES / "patient-message", tmp_path / "patient-message"))


def _edit(folder: Path, change: Edit, file: str = "policy.yaml") -> None:
    path = folder / file
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def test_the_shipped_policies_load() -> None:
    policies = PolicySet.load(POLICIES)
    assert sorted(policies) == NAMES
    assert all(policy.mode == "enforce" for policy in policies.values())
    assert policies["discharge-plan"].mandatory_review == "always"


@pytest.mark.parametrize("name", NAMES)
def test_each_folder_is_whole(name: str) -> None:
    assert (POLICIES / name / "README.md").read_text(encoding="utf-8").strip()
    assert len((POLICIES / name / "cases.jsonl").read_text(encoding="utf-8").splitlines()) >= 15


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda p: p.update(colour="red"), "colour"),
        (lambda p: p["sign_offs"].update(quorum=2), "sign_offs.quorum"),
        (lambda p: p.update(mandatory_review="never"), "mandatory_review"),
        (lambda p: p.pop("mandatory_review"), "mandatory_review"),
        (lambda p: p.pop("urgent_contact"), "urgent_contact"),
        (lambda p: p.update(safe_text="  "), "safe_text"),
        (lambda p: p.update(mode="observe"), ""),
        (lambda p: p.update(audience="everybody"), "audience"),
        (lambda p: p["sign_offs"].update(roles=["pharmacist"]), "sign_offs"),
        (lambda p: p["sign_offs"].update(roles=["janitor"]), "sign_offs.roles"),
        (lambda p: p["sign_offs"].update(count=0), "sign_offs.count"),
        (lambda p: p["sign_offs"].update(dispose_at_or_above="contraindicated"), "sign_offs"),
        (lambda p: p.update(expiry_minutes=1), ""),
        (lambda p: p.update(streaming={"text": True}, mandatory_review="always"), ""),
        (lambda p: p.update(phi={"deidentify": False}), "phi"),
        (lambda p: p.update(phi={"mode": "baa_minimum"}), "phi"),
        (lambda p: p.update(phi={"mode": "baa_minimum", "deidentify": False, "agreement": "BAA-1"}), "phi"),
        (lambda p: p.update(phi={"mode": "limited"}), "phi.mode"),
        (lambda p: p.update(name="other-name"), "name"),
        (lambda p: p["registry"].update(reviewed="last week"), "registry.reviewed"),
    ],
)
def test_a_malformed_policy_does_not_load(folder: Path, change: Edit, where: str) -> None:
    _edit(folder, change)
    with pytest.raises(PolicyError) as caught:
        load_policy(folder)
    assert caught.value.reason == "INVALID_POLICY"
    assert any(path.startswith(where) for path, _problem in caught.value.problems)


def _row(**row: Any) -> Edit:
    def change(policy: dict[str, Any]) -> None:
        policy["verdicts"] = [{"because": "a reason", **row}]

    return change


@pytest.mark.parametrize(
    "change",
    [
        _row(code=["clinical_recommendation"], decision="release"),
        _row(code=["clinical_recommendation"], decision="hold"),
        _row(code=["interaction", "rail_failure"], decision="release"),
        _row(code=["interaction"], decision="release"),
        _row(code=["interaction"], severity=["contraindicated"], decision="hold"),
        _row(code=["never_event"], severity=["major"], decision="hold"),
        _row(code=["wrong_patient"], decision="release"),
        _row(code=["interaction"], severity=["info"], decision="hold"),
        _row(code=["interacton"], decision="hold"),
        _row(code=[], decision="hold"),
        _row(code=["interaction"], decision="maybe"),
        _row(code=["interaction"], rule="* or everything", decision="hold"),
        _row(code=["self_harm"], severity=["contraindicated"], decision="hold"),
        _row(code=["self_harm"], severity=["moderate"], decision="release"),
        lambda p: p.update(scope={"allow": ["records_of_others"]}),
        lambda p: p.update(scope={"allow": ["poetry"]}),
        lambda p: p.update(scope={"allow_phrases": ["Bake sale"], "deny_phrases": ["bake sale"]}),
        lambda p: p.update(verdicts=[{"code": ["interaction"], "decision": "block"}]),
        lambda p: p["rails"]["codes"].update({"regex check output": "clinical_recommendation"}),
        lambda p: p["rails"]["codes"].update({"clinical checks": "phi"}),
        lambda p: p["rails"]["codes"].clear(),
        lambda p: p["rails"]["severities"].update({"regex check output": "info"}),
    ],
)
def test_a_safeguard_cannot_be_switched_off(folder: Path, change: Edit) -> None:
    _edit(folder, change)
    with pytest.raises(PolicyError):
        load_policy(folder)


@pytest.mark.parametrize(
    ("direction", "flow"),
    [
        ("input", "phi input"),
        ("input", "injection input"),
        ("input", "toxicity input"),
        ("input", "self-harm input"),
        ("input", "scope of use input"),
        ("retrieval", "document checks"),
        ("output", "clinical checks"),
        ("output", "phi output"),
        ("output", "injection output"),
        ("output", "toxicity output"),
        ("output", "self-harm output"),
        ("output", "scope of use output"),
        ("output", "clinical recommendation"),
    ],
)
def test_a_flow_of_every_policy_cannot_be_left_out(folder: Path, direction: str, flow: str) -> None:
    _edit(folder, lambda c: c["rails"][direction]["flows"].remove(flow), "rails/config.yml")
    with pytest.raises(PolicyError) as caught:
        load_policy(folder)
    assert flow in caught.value.problems[0][1]


def test_a_flow_listed_twice_does_not_load(folder: Path) -> None:
    _edit(folder, lambda c: c["rails"]["output"]["flows"].append("phi output"), "rails/config.yml")
    with pytest.raises(PolicyError):
        load_policy(folder)


def test_a_key_given_twice_does_not_load(folder: Path) -> None:
    path = folder / "policy.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "\nmode: enforce\n", encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        load_policy(folder)
    assert "stands twice" in caught.value.problems[0][1]


@pytest.mark.parametrize(
    "content", ["- a\n- list\n", "name: [unclosed\n", "\x00", "!!python/object:os.system {}\n"]
)
def test_what_is_no_policy_does_not_load(folder: Path, content: str) -> None:
    (folder / "policy.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(PolicyError):
        load_policy(folder)


def test_the_hash_covers_every_file_and_only_content(folder: Path) -> None:
    first = load_policy(folder).policy.hash
    assert first == content_hash(POLICIES / "patient-message")
    (folder / ".swap").write_text("x", encoding="utf-8")
    assert content_hash(folder) == first
    seen = {first}
    for file in ("policy.yaml", "rails/config.yml", "cases.jsonl", "README.md"):
        path = folder / file
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        seen.add(content_hash(folder))
    (folder / "README.md").rename(folder / "READ.md")
    seen.add(content_hash(folder))
    assert len(seen) == 6


def test_a_link_out_of_the_folder_does_not_load(folder: Path, tmp_path: Path) -> None:
    (folder / "notes.md").symlink_to(tmp_path)
    with pytest.raises(PolicyError):
        load_policy(folder)


def test_retired_and_draft_policies_are_not_served(folder: Path) -> None:
    _edit(folder, lambda p: p["registry"].update(status="draft"))
    with pytest.raises(PolicyError):
        PolicySet.load(folder.parent)
    assert list(PolicySet.load(folder.parent, include_drafts=True)) == ["patient-message"]
    _edit(folder, lambda p: p["registry"].update(status="retired"))
    with pytest.raises(PolicyError):
        PolicySet.load(folder.parent, include_drafts=True)


def test_a_policy_says_what_it_covers_beside_care(folder: Path) -> None:
    _edit(folder, lambda p: p.update(scope={"allow": ["job_and_business"], "deny_phrases": ["parking fine"]}))
    scope = load_policy(folder).policy.scope
    assert (scope.allow, scope.deny_phrases) == (("job_and_business",), ("parking fine",))

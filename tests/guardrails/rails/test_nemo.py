"""The contract with NeMo Guardrails 0.24.1: what this project takes from a module that is not on its public face."""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.guardrails.rails.nemo import Flows, RailsConfigError

ACTIONS = """
import asyncio, time
from nemoguardrails.actions.rail_outcome import RailOutcome, TransformTarget

async def passes(text): return RailOutcome.allow(metadata={"seen": text})
async def blocks(text): return RailOutcome.block(reason="no", metadata={"why": "because"})
async def rewrites(text): return RailOutcome.transform([(TransformTarget.USER_MESSAGE, text.upper())])
async def raises(text): raise ValueError("secret of " + text)
async def raises_timeout(text): raise TimeoutError("its own")
async def answers_nonsense(text): return True
async def sleeps(text): await asyncio.sleep(30)
async def burns(text):
    until = time.perf_counter() + 0.2
    while time.perf_counter() < until: pass
    return RailOutcome.allow()
def plain(text): return RailOutcome.allow(metadata={"seen": text})
"""
NAMES = [
    "passes",
    "blocks",
    "rewrites",
    "raises",
    "raises_timeout",
    "answers_nonsense",
    "sleeps",
    "burns",
    "plain",
]


def _manifests(module: str) -> list[Any]:
    from nemoguardrails.actions.rail_outcome import TransformTarget
    from nemoguardrails.manifests import (
        ActionRef,
        Binding,
        RailActions,
        RailDirection,
        RailManifest,
        RailRequirements,
        RailSpec,
        RailSurface,
    )

    def manifest(name: str, target: str, requirements: RailRequirements | None = None) -> RailManifest:
        ref = ActionRef(name=f"contract_{name}", target=target)
        surface = RailSurface(
            name=f"contract {name}",
            direction=RailDirection.INPUT,
            action=ref,
            bindings=(Binding.context("text", "user_message"),),
            transform_target=TransformTarget.USER_MESSAGE if name == "rewrites" else None,
        )
        spec = RailSpec(
            actions=RailActions(refs=(ref,)),
            surfaces=(surface,),
            requirements=requirements or RailRequirements(),
        )
        return RailManifest(name=f"contract_{name}", spec=spec)

    made = [manifest(name, f"{module}:{name}") for name in NAMES]
    made.append(
        manifest(
            "needs_package",
            f"{module}:passes",
            RailRequirements(optional_dependencies=("no-such-distribution-at-all",)),
        )
    )
    made.append(manifest("needs_module", "no_such_module_at_all:action"))
    return made


@pytest.fixture
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flows:
    module = "attending_contract_actions"
    (tmp_path / f"{module}.py").write_text(ACTIONS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = tmp_path / "rails"
    folder.mkdir()
    (folder / "config.yml").write_text("models: []\n", encoding="utf-8")
    names = [f"contract {name}" for name in [*NAMES, "needs_package", "needs_module"]]
    return Flows.compile(folder, names, [], _manifests(module))


def _run(flows: Flows, name: str, seconds: float = 5.0) -> Any:
    return asyncio.run(
        flows.run("input", f"contract {name}", prompt="Ana Lopez", output=None, timeout_seconds=seconds)
    )


def test_the_pinned_version_is_installed() -> None:
    assert importlib.metadata.version("nemoguardrails") == "0.24.1"


def test_usage_reports_are_off_before_the_package_is_imported() -> None:
    assert os.environ["NEMO_GUARDRAILS_NO_USAGE_STATS"] == "1"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("passes", "passed"),
        ("plain", "passed"),
        ("blocks", "flagged"),
        ("rewrites", "flagged"),
        ("raises", "raised"),
        ("raises_timeout", "raised"),
        ("answers_nonsense", "raised"),
        ("needs_package", "missing"),
        ("needs_module", "missing"),
    ],
)
def test_each_end_of_a_rail_is_told_apart(flows: Flows, name: str, status: str) -> None:
    assert _run(flows, name).status == status


@pytest.mark.parametrize("name", ["sleeps", "burns"])
def test_a_rail_over_its_time_is_timed_out(flows: Flows, name: str) -> None:
    assert _run(flows, name, seconds=0.05).status == "timed_out"


def test_the_text_reaches_the_action_and_its_answer_comes_back(flows: Flows) -> None:
    assert _run(flows, "passes").metadata["seen"] == "Ana Lopez"
    assert _run(flows, "blocks").metadata == {"why": "because"}
    assert _run(flows, "rewrites").rewritten == "ANA LOPEZ"


def test_what_is_missing_is_said(flows: Flows) -> None:
    assert set(flows.missing) == {"contract needs_package", "contract needs_module"}
    assert "no-such-distribution-at-all" in flows.missing["contract needs_package"]


def test_a_raising_rail_leaks_nothing(
    flows: Flows, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        result = _run(flows, "raises")
    assert "Ana" not in repr(result)
    assert "Ana" not in caplog.text
    assert "Ana" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("flow", "why"),
    [
        ("no such flow", "no surface named"),
        ("topic safety check input $model=topic_control", "needs a model `topic_control`"),
        ("topic safety check input", "needs a model `$model=`"),
        ("jailbreak detection heuristics", "dependencies"),
    ],
)
def test_a_flow_that_cannot_run_anywhere_does_not_compile(tmp_path: Path, flow: str, why: str) -> None:
    (tmp_path / "config.yml").write_text("models: []\n", encoding="utf-8")
    with pytest.raises(RailsConfigError) as caught:
        Flows.compile(tmp_path, [flow], [], [])
    assert caught.value.reason == "INVALID_RAILS"
    assert caught.value.problems[0][0] == flow
    assert why in caught.value.problems[0][1]


def test_a_library_rail_whose_package_is_absent_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = importlib.metadata.PackageNotFoundError
    real = importlib.metadata.distribution

    def distribution(name: str) -> importlib.metadata.Distribution:
        if "yara" in name:
            raise absent(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    (tmp_path / "config.yml").write_text("models: []\n", encoding="utf-8")
    flows = Flows.compile(tmp_path, [], [YARA], [])
    result = asyncio.run(flows.run("output", YARA, prompt="", output="x", timeout_seconds=1))
    assert result.status == "missing"


YARA = "injection detection"


def _yara(folder: Path, section: dict[str, Any] | None) -> Flows:
    pytest.importorskip("yara", reason="YARA is in the lock file: `make setup` installs it")
    config = {"models": [], "rails": {"config": {"injection_detection": section} if section else {}}}
    (folder / "config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return Flows.compile(folder, [], [YARA], [])


def test_nemos_yara_rail_runs_the_policys_own_rules(tmp_path: Path) -> None:
    rule = 'rule beacon { strings: $a = "collector.example" nocase condition: $a }'
    flows = _yara(tmp_path, {"injections": ["beacon"], "action": "reject", "yara_rules": {"beacon": rule}})

    def status(text: str) -> str:
        return asyncio.run(flows.run("output", YARA, prompt="", output=text, timeout_seconds=5)).status

    assert (status("See https://Collector.example/p"), status("See you on Monday.")) == ("flagged", "passed")


@pytest.mark.parametrize(
    "section",
    [
        None,
        {"injections": [], "action": "reject"},
        {"injections": ["r"], "action": "reject", "yara_rules": {"r": "rule r { condition: nonsense }"}},
        {"injections": ["r"], "action": "reject", "yara_rules": {"other": "rule other { condition: true }"}},
    ],
)
def test_yara_rules_that_nemo_would_pass_over_do_not_load(
    tmp_path: Path, section: dict[str, Any] | None
) -> None:
    with pytest.raises(RailsConfigError) as caught:
        _yara(tmp_path, section)
    assert {flow for flow, _problem in caught.value.problems} == {YARA}


def test_an_unreadable_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(
        "rails: {config: {regex_detection: {output: {patterns: ['(']}}}}\n", encoding="utf-8"
    )
    with pytest.raises(RailsConfigError):
        Flows.compile(tmp_path, [], ["regex check output"], [])

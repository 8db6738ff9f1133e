"""Unplugging any rail of any shipped policy turns what it released into a hold, or keeps the policy from loading."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.guardrails.finding import Code
from attending.guardrails.guard import Guard
from attending.guardrails.patient import Document, Judged
from attending.guardrails.policy.load import PolicyError, PolicySet, load_policy
from attending.guardrails.rails import catalog
from nemoguardrails.manifests import RailDirection, default_rail_catalog, parse_configured_surface

from .conftest import POLICIES

PROMPT = "Please write to the patient about the visit on Monday."
DOCUMENTS = (Document("d1", "The clinic is open on Monday from 8:00 to 17:00."),)
TEXT = "Your visit is on Monday at 10:00."
SHIPPED = PolicySet.load(POLICIES, include_drafts=True)


def _flows() -> Iterator[tuple[str, str]]:
    """Every (stage, flow) that some shipped policy lists."""
    found = {
        (stage, flow)
        for name in SHIPPED
        for stage, flows in (
            ("input", SHIPPED.loaded(name).input_flows),
            ("retrieval", SHIPPED.loaded(name).retrieval_flows),
            ("output", SHIPPED.loaded(name).output_flows),
        )
        for flow in flows
    }
    yield from sorted(found)


def _action(stage: str, flow: str) -> tuple[Any, str]:
    """Module and name of the function behind a flow, ours or NeMo's."""
    name, _parameters = parse_configured_surface(flow)
    surfaces = dict(default_rail_catalog().surfaces())
    surfaces |= {
        (surface.direction, surface.name): surface
        for manifest in catalog.manifests()
        for surface in manifest.spec.surfaces
    }
    module, _, attribute = surfaces[RailDirection(stage), name].action.target.partition(":")
    return importlib.import_module(module), attribute


def _verdicts(guard: Guard, name: str) -> dict[str, tuple[str, set[str]]]:
    """The verdict before the model and after it, each with the rails that failed."""
    before = guard.check_input(name, PROMPT, DOCUMENTS)
    after = guard.check_output(name, Judged(TEXT, PROMPT))
    failed = [
        {f.rail for f in decision.findings if f.code is Code.RAIL_FAILURE} for decision in (before, after)
    ]
    return {"before": (before.verdict, failed[0]), "after": (after.verdict, failed[1])}


def test_the_texts_are_released_while_everything_is_plugged_in(engines: Guard) -> None:
    for name in engines.policies:
        assert _verdicts(engines, name) == {"before": ("release", set()), "after": ("release", set())}


@pytest.mark.parametrize(("stage", "flow"), list(_flows()))
def test_an_unplugged_rail_holds_in_every_policy_that_lists_it(
    engines: Guard, monkeypatch: pytest.MonkeyPatch, stage: str, flow: str
) -> None:
    monkeypatch.delattr(*_action(stage, flow))
    policies = PolicySet({name: SHIPPED.loaded(name) for name in SHIPPED if flow in _listed(name)})
    guard = Guard(policies, engines.knowledge, engines.detector)
    try:
        when, other = ("after", "before") if stage == "output" else ("before", "after")
        for name in policies:
            assert flow in guard.missing_rails()[name]
            verdicts = _verdicts(guard, name)
            assert verdicts[when] == ("hold", {flow})
            assert verdicts[other] == ("release", set())
    finally:
        guard.close()


def _listed(name: str) -> tuple[str, ...]:
    loaded = SHIPPED.loaded(name)
    return (*loaded.input_flows, *loaded.retrieval_flows, *loaded.output_flows)


@pytest.mark.parametrize("flow", sorted(catalog.OWN_FLOWS))
def test_a_rail_that_the_catalog_lost_keeps_its_policies_from_loading(
    monkeypatch: pytest.MonkeyPatch, flow: str
) -> None:
    monkeypatch.delitem(catalog.OWN_FLOWS, flow)
    for name in SHIPPED:
        if flow in _listed(name):
            with pytest.raises(PolicyError):
                load_policy(POLICIES / name)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_policy_without_one_of_its_rails_does_not_load(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    shutil.copytree(POLICIES / name, folder)
    path = folder / "rails" / "config.yml"
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    loaded = SHIPPED.loaded(name)
    for stage, flows in (
        ("input", loaded.input_flows),
        ("retrieval", loaded.retrieval_flows),
        ("output", loaded.output_flows),
    ):
        for flow in flows:
            section = {**whole["rails"][stage], "flows": [one for one in flows if one != flow]}
            config = {**whole, "rails": {**whole["rails"], stage: section}}
            path.write_text(yaml.safe_dump(config), encoding="utf-8")
            with pytest.raises(PolicyError) as caught:
                load_policy(folder)
            assert flow in str(caught.value)

"""The policies' cases are complete: whatever forbid is taken away, whatever permit is made wider, some case fails.

Mutants are made on Cedar's own JSON form of each policy, so that a policy that comes later is mutated too. A mutant
that survives wants a line in `policies/authorization/cases.jsonl`; the failure prints one.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cedarpy
import pytest
from attending.server.app import authorization_folder
from attending.server.auth.authorize import POLICY_FILE, SCHEMA_FILE, PolicySet
from attending.server.auth.cases import CASES_FILE, iter_cases, run_cases
from attending.server.auth.context import AccessDecision
from attending.server.errors import ConfigurationError

from tests.matrix.asks import RESOURCES, Ask, every

TEXT = (authorization_folder() / POLICY_FILE).read_text()
POLICIES: dict[str, Any] = json.loads(cedarpy.policies_to_json_str(TEXT))
STATIC: dict[str, Any] = POLICIES["staticPolicies"]


def name_of(policy: dict[str, Any]) -> str:
    return str(policy["annotations"]["id"])


def wider(policy: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what was done, the policy that applies to more) for each part that narrows it."""
    principal, action = policy["principal"], policy["action"]
    if principal["op"] != "All":
        yield "any principal", policy | {"principal": {"op": "All"}}
    if principal["op"] == "is" and "in" in principal:
        yield "any role", policy | {"principal": {"op": "is", "entity_type": principal["entity_type"]}}
        yield "any kind", policy | {"principal": {"op": "in", **principal["in"]}}
    # Where the schema has no other action for that type of thing, any action is the same one.
    kind = str(policy["resource"].get("entity_type", "")).rpartition("::")[2]
    others = [name for name, types in RESOURCES.items() if not kind or kind in types]
    if action["op"] != "All" and len(others) > 1:
        yield "any action", policy | {"action": {"op": "All"}}
    for number in range(len(policy["conditions"])):
        less = [item for n, item in enumerate(policy["conditions"]) if n != number]
        yield f"without condition {number}", policy | {"conditions": less}
    for number, item in enumerate(policy["conditions"]):
        for place, body in enumerate(choices(item["body"])):
            more = copy.deepcopy(policy)
            more["conditions"][number]["body"] = body
            yield f"condition {number} without alternative {place}", more


def choices(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The condition without one side of each `or`, which narrows a permit and widens what `unless` forbids."""
    for operator, sides in body.items():
        if operator == "||":
            yield sides["left"]
            yield sides["right"]
        if operator in ("||", "&&"):
            for side in ("left", "right"):
                for changed in choices(sides[side]):
                    yield {operator: {**sides, side: changed}}


def mutants() -> Iterator[tuple[str, tuple[dict[str, Any], list[dict[str, Any]]]]]:
    """(name, (all policies, the one that differs before and after))."""
    for key, policy in STATIC.items():
        without = {name: other for name, other in STATIC.items() if name != key}
        yield f"{name_of(policy)}: removed", (without, [policy])
        for what, changed in wider(policy):
            yield f"{name_of(policy)}: {what}", (STATIC | {key: changed}, [policy, changed])


MUTANTS = dict(mutants())


def write(folder: Path, static: dict[str, Any]) -> None:
    text = cedarpy.policies_from_json_str(json.dumps(POLICIES | {"staticPolicies": static}))
    (folder / POLICY_FILE).write_text(text)
    shutil.copy(authorization_folder() / SCHEMA_FILE, folder / SCHEMA_FILE)
    shutil.copy(authorization_folder() / CASES_FILE, folder / CASES_FILE)


def put_first(folder: Path, policies: list[dict[str, Any]]) -> None:
    """The cases that name one of these come first: the one that tells a mutant is most likely among them."""
    names = {name_of(policy) for policy in policies}
    lines = (folder / CASES_FILE).read_text().splitlines()
    lines.sort(key=lambda line: names.isdisjoint(json.loads(line)["policies"]))
    (folder / CASES_FILE).write_text("\n".join(lines))


@cache
def real() -> PolicySet:
    return PolicySet.load(authorization_folder())


@cache
def questions() -> dict[str, list[Ask]]:
    found: dict[str, list[Ask]] = {}
    for ask in every():
        found.setdefault(ask.action, []).append(ask)
    return found


@cache
def answers(action: str) -> list[tuple[Ask, AccessDecision]]:
    return [(ask, ask.of(real())) for ask in questions()[action]]


def reached(folder: Path, policies: list[dict[str, Any]]) -> list[str]:
    """The actions that any of these has in its scope, by Cedar's own word; no other is decided by them."""
    everybody = {"effect": "permit", "principal": {"op": "All"}, "resource": {"op": "All"}, "conditions": []}
    write(
        folder,
        {
            f"policy{number}": everybody
            | {"action": policy["action"], "annotations": {"id": f"probe-{number}"}}
            for number, policy in enumerate(policies)
        },
    )
    probe = PolicySet.load(folder)
    return [name for name, types in RESOURCES.items() if Ask(name, types[0]).of(probe).allowed]


def test_unchanged_policies_pass_through_the_same_way(tmp_path: Path) -> None:
    """Else every mutant would be told for the wrong reason."""
    write(tmp_path, STATIC)
    assert [case for case in run_cases(tmp_path) if not case.passed] == []
    assert len(STATIC) == TEXT.count("@id(") == len({name_of(policy) for policy in STATIC.values()})


@pytest.mark.parametrize("mutant", sorted(MUTANTS))
def test_some_case_tells(tmp_path: Path, mutant: str) -> None:
    static, differ = MUTANTS[mutant]
    write(tmp_path, static)
    put_first(tmp_path, differ)
    try:
        if any(not case.passed for case in iter_cases(tmp_path)):
            return
    except ConfigurationError:
        return  # It does not load: nothing starts with it.
    # No case tells: then no question may, such as where a forbid says the same again.
    changed = PolicySet.load(tmp_path)
    actions = reached(tmp_path, differ)
    assert actions
    for ask, expected in (pair for action in actions for pair in answers(action)):
        assert ask.of(changed) == expected, (
            f"`{mutant}` fails no case: add to policies/authorization/cases.jsonl, if it is meant so: "
            + ask.case(expected)
        )

"""The requirements as data: each source of evidence has one, and what they name is there."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.guardrails.policy.hazards import load_hazards
from attending.server.controls.matrix import FOLDER as CONTROLS
from attending.server.controls.matrix import load_matrix
from attending.server.errors import ConfigurationError
from attending.server.shipped import package_policies
from attending.server.validation.requirements import FILE, FOLDER, KNOWN_CHECKS, load_requirements

ROOT = Path(__file__).parents[3]
REQUIREMENTS = load_requirements(package_policies())


def named(what: str) -> set[str]:
    return {name for one in REQUIREMENTS.each for name in getattr(one, what)}


def functions(path: Path) -> Iterator[str]:
    """Tests of a file: functions, and classes of state machines that are assigned by name."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [one.id for one in node.targets if isinstance(one, ast.Name)]
        else:
            names = []
        yield from (name for name in names if name.startswith(("test_", "Test")))


def missing(tests: Iterable[str]) -> list[str]:
    """Tests that are named and not there."""
    found = []
    for test in tests:
        file, _, function = test.partition("::")
        path = ROOT / file
        there = set(functions(path)) if path.is_file() else set()
        if not there or (function and function not in there):
            found.append(test)
    return found


def test_every_test_that_is_named_exists() -> None:
    assert missing(test for one in REQUIREMENTS.each for test in one.tests) == []


def test_a_test_that_does_not_exist_is_found() -> None:
    gone = [
        "tests/server/validation/test_gone.py",
        "tests/server/validation/test_requirements.py::test_gone",
        "tests/server/validation/__init__.py",
    ]
    assert missing(["tests/server/validation/test_requirements.py", *gone]) == gone


def test_every_check_of_the_verifier_has_a_requirement() -> None:
    assert named("checks") == KNOWN_CHECKS


def test_every_control_that_a_log_can_evidence_has_a_requirement_and_no_other_is_named() -> None:
    matrix = load_matrix(package_policies() / CONTROLS)
    of_software = {one.id for one in matrix if one.evidence.kind in ("entries", "checks")}
    assert named("controls") == of_software


def test_every_hazard_log_has_a_requirement_and_its_cases_a_test() -> None:
    logs = {path.parent.name for path in package_policies().glob("*/hazards.tsv")}
    assert named("hazards") == logs
    assert all(load_hazards(package_policies() / name) for name in logs)


def test_pages_that_are_named_exist() -> None:
    assert [name for name in sorted(named("docs")) if not (ROOT / "docs" / name).is_file()] == []


Edit = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda one: one.update(tests=[]), "tests"),
        (lambda one: one.pop("tests"), "tests"),
        (lambda one: one.update(tests=["../etc/test_x.py"]), "tests"),
        (lambda one: one.update(tests=["tests/test_x.py::test_a; rm"]), "tests"),
        (lambda one: one.update(docs=[]), "docs"),
        (lambda one: one.update(checks=["V99"]), "checks"),
        (lambda one: one.update(statement=" "), "statement"),
        (lambda one: one.update(id="No Id"), "id"),
        (lambda one: one.update(proved=True), "proved"),
        (lambda one: one.update(id=REQUIREMENTS.each[1].id), "twice"),
    ],
)
def test_a_file_that_is_not_as_it_has_to_be_is_refused(tmp_path: Path, change: Edit, key: str) -> None:
    value = yaml.safe_load((package_policies() / FOLDER / FILE).read_text(encoding="utf-8"))
    change(value["requirements"][0])
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / FILE).write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load_requirements(tmp_path)
    assert key in refused.value.problem

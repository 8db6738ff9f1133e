"""Documents agree with the code: links, commands, paths, reasons of errors, the container, what is never named."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.server.providers.terms import REFUSALS
from attending.server.status import INTERNAL, STATUS

from tests.command_lines import in_markdown, problem

ROOT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)+\.(?:md|py|ya?ml|toml|tsv|jsonl|proto|lock|cedar))`")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_REASON = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*")


@cache
def tracked() -> tuple[Path, ...]:
    """The files of the repository; those of the folder where this is no clone."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
        return tuple(path for name in names if name and (path := ROOT / name).is_file())
    folders = {".git", ".venv", "build", "dist"}
    return tuple(
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not folders & set(path.relative_to(ROOT).parts) and "cache" not in str(path)
    )


DOCUMENTS = [path for path in tracked() if path.suffix == ".md"]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_internal_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    wrong = []
    for link in _LINK.findall(_FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        target, _hash, anchor = link.partition("#")
        found = (page.parent / target).resolve() if target else page
        inside = found.is_relative_to(ROOT) and found.exists()
        if not inside or (anchor and anchor not in anchors(found.read_text())):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("name", NAMES)
def test_paths_in_the_text_exist(name: str) -> None:
    files = [path.as_posix() for path in tracked()]
    named = _PATH.findall(_FENCE.sub("", (ROOT / name).read_text()))
    assert [path for path in named if not any(file.endswith(f"/{path}") for file in files)] == []


@cache
def functions(path: str) -> set[str]:
    """Names of the functions of a test file; empty when there is no such file."""
    file = ROOT / path
    tree = ast.parse(file.read_text()) if file.is_file() else ast.Module([], [])
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("name", NAMES)
def test_tests_that_documents_name_exist(name: str) -> None:
    named = _TEST.findall((ROOT / name).read_text())
    assert [f"{path}::{test}" for path, test in named if test not in functions(path)] == []


def test_every_threat_has_its_number_its_control_and_its_test() -> None:
    rows = re.findall(
        r"^\| ([STRIDE]\d+) \| (.*) \|$", (ROOT / "docs" / "threat-model.md").read_text(), re.MULTILINE
    )
    numbers = [number for number, _rest in rows]
    assert len(set(numbers)) == len(numbers) > 40
    for letter in "STRIDE":
        of_kind = sorted(int(number[1:]) for number in numbers if number[0] == letter)
        assert of_kind == [*range(1, len(of_kind) + 1)], letter
    cells = {number: rest.split(" | ") for number, rest in rows}
    # threat, control, test, what remains
    assert [number for number, row in cells.items() if len(row) not in (3, 4)] == []
    assert [number for number, row in cells.items() if not (row[0] and row[1] and _TEST.search(row[2]))] == []


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_documents_parse(name: str) -> None:
    lines = in_markdown((ROOT / name).read_text())
    assert {line: wrong for line in lines if (wrong := problem(line))} == {}


def test_the_search_for_commands_finds_and_judges_them() -> None:
    text = "Run `attending check --polcy x` or\n```sh\nattending verify a --kay b | attending\\\n  keys log\n```\n"
    lines = in_markdown(text)
    assert lines == ["attending verify a --kay b", "attending keys log", "attending check --polcy x"]
    assert [problem(line) is None for line in lines] == [False, True, False]
    assert problem("attending frobnicate") == "no command `frobnicate` in `attending`"


def test_every_document_and_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text()
    linked = set(_LINK.findall(index))
    for path in sorted((ROOT / "docs").rglob("*.md")):
        name = path.relative_to(ROOT / "docs").as_posix()
        assert name == "README.md" or name in linked, name
        if name.startswith("adr/"):
            number, _colon, title = path.read_text().splitlines()[0].removeprefix("# ").partition(": ")
            assert f"| [{number}]({name}) | {title} |" in index


def test_the_map_of_modules_is_the_tree() -> None:
    table = (ROOT / "docs/architecture.md").read_text().split("\n## Modules")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z0-9.]+)` \| (.*?) \|", table, re.MULTILINE)
    assert {"attending.ledger", "attending.guardrails", "attending.server"} <= {
        package for package, _ in rows
    }
    for package, what in rows:
        [home] = [path for root in ROOT.iterdir() if (path := root / package.replace(".", "/")).is_dir()]
        for name in re.findall(r"`([a-z_]+/?)`", what):
            there = home / name if name.endswith("/") else home / f"{name}.py"
            assert there.exists() or (ROOT / name).is_dir(), f"{package}: {name}"


# Written so that no pattern finds itself.
NEVER = {
    "a folder of one machine": r"(?<![\w.<>/-])/(?:work|opt|root|home)/[\w.-]+",
    "a package registry": r"\b(?:pypi|files\.pythonhosted|registry\.npmjs|proxy\.golang|crates|docker|quay|ghcr)"
    r"\.(?:org|io)\b",
}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


@pytest.mark.parametrize("what", sorted(NEVER))
def test_no_file_names(what: str) -> None:
    pattern = re.compile(NEVER[what])
    found = {}
    for path in tracked():
        text = _text(path)
        if text is not None and (hits := pattern.findall(text)):
            found[str(path.relative_to(ROOT))] = hits[:3]
    assert found == {}


def test_what_is_never_named_is_found_when_it_is() -> None:
    planted = "see " + "/".join(["", "home", "ann", "x"]) + " and https://" + "pypi" + ".org/simple"
    assert [bool(re.search(NEVER[what], planted)) for what in sorted(NEVER)] == [True, True]
    assert not any(re.search(pattern, "GET /v1/models; a/root/b; ~/.config") for pattern in NEVER.values())


def _raised() -> set[str]:
    """Every reason that a class of the status table is raised with, or has by itself."""
    classes = {one.__name__ for one in STATUS}
    found = {
        mapping.reason for mapping in (*STATUS.values(), INTERNAL) if mapping.reason is not None
    } | REFUSALS
    for path in sorted((ROOT / "server/attending/server").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in classes or name in {"failure", "_failure", "_exhausted", "Places"}:
                found |= {
                    part.value
                    for part in ast.walk(node.args[0])
                    if isinstance(part, ast.Constant)
                    and isinstance(part.value, str)
                    and _REASON.fullmatch(part.value)
                }
    return found


def test_the_page_on_errors_lists_every_reason_and_no_other() -> None:
    section = (ROOT / "docs/api.md").read_text().split("## Errors")[1].split("\n## ")[0]
    listed = set()
    for row in section.splitlines():
        if row.startswith("| `"):
            listed |= set(re.findall(r"`([A-Z][A-Z0-9_]*)`", row.split(" | ")[0]))
    own = {
        getattr(one, "default_reason", None) or getattr(one, "reason", None)
        for one, mapping in STATUS.items()
        if mapping.reason is None
    }
    assert listed == _raised() | {reason for reason in own if reason is not None}


def test_the_container_runs_what_is_there() -> None:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert set(compose) == {"services", "volumes"}
    [service] = compose["services"].values()
    image = (ROOT / service["build"] / "Dockerfile").read_text()

    # It starts and asks for its health by commands that exist; both find the data by the same variable.
    assert problem(shlex.join(["attending", *service["command"]])) is None
    kind, *health = service["healthcheck"]["test"]
    assert kind == "CMD"
    assert health[:2] == ["attending", "health"]
    assert problem(shlex.join(health)) is None
    assert 'ENTRYPOINT ["attending"]' in image
    # Nothing of the host is open to others, and nothing but the data can be written.
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    user = service["user"].partition(":")[0]
    assert f"--uid {user} " in image
    assert user != "0"
    assert "\nUSER attending\n" in image
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    for volume in service["volumes"]:
        name, _colon, where = volume.partition(":")
        assert name in compose["volumes"]
        assert f"ATTENDING_DATA={where}" in image
    # What the image is built from reaches the builder.
    ignored = {
        line.strip() for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"
    }
    needed = ["requirements", "pyproject.toml", "README.md", "LICENSE", "policies"]
    for name in [*needed, "proto", "ledger", "guardrails", "server", "client"]:
        assert (ROOT / name).exists()
        assert name not in ignored
    for lock in re.findall(r"-r (\S+)", image):
        assert (ROOT / lock).is_file()

"""A shipped policy with its files changed, and one guard whose engines every test's guard shares."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from attending.guardrails.guard import Guard
from attending.guardrails.policy.load import PolicySet

POLICIES = Path(__file__).resolve().parents[3] / "policies"
Make = Callable[..., Guard]


@pytest.fixture(scope="session")
def engines() -> Iterator[Guard]:
    """Every shipped policy with knowledge and detector, warm."""
    guard = Guard.load(POLICIES)
    yield guard
    guard.close()


@pytest.fixture
def make(tmp_path: Path, engines: Guard) -> Iterator[Make]:
    """Makes a guard of one shipped policy after `policy(document)` and `rails(document)` changed its two files."""
    made: list[Guard] = []
    folders = itertools.count()

    def build(
        name: str = "patient-message",
        *,
        policy: Callable[[Any], Any] = lambda _document: None,
        rails: Callable[[Any], Any] = lambda _document: None,
        files: dict[str, str] | None = None,
        **options: Any,
    ) -> Guard:
        folder = tmp_path / str(next(folders)) / name
        shutil.copytree(POLICIES / name, folder)
        for path, change in ((folder / "policy.yaml", policy), (folder / "rails" / "config.yml", rails)):
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
            change(document)
            path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        for path_name, content in (files or {}).items():
            (folder / "rails" / path_name).write_text(content, encoding="utf-8")
        guard = Guard(PolicySet.load(folder.parent), engines.knowledge, engines.detector, **options)
        made.append(guard)
        return guard

    yield build
    for guard in made:
        guard.close()

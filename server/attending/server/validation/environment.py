"""In what environment tests ran: interpreter, machine, every package that is installed, the lock files, the commit."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

LOCKS: Final = ("requirements/server-dev.lock", "requirements/model.lock")


def installed() -> dict[str, str]:
    """Package to version of everything that this interpreter can import, by normalised name."""
    found = {}
    for one in importlib.metadata.distributions():
        name = one.metadata["Name"]
        if name:
            found[normalised(name)] = one.version
    return dict(sorted(found.items()))


def normalised(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def commit_of(root: Path) -> tuple[str, bool]:
    """The commit of a checkout, and whether files that it tracks were changed since; ("", True) of what is none."""
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "", True
    return head.strip(), bool(changed.strip())


def environment(root: Path, suites: Mapping[str, str]) -> dict[str, Any]:
    """What `environment.json` of a pack says; `suites` are the files of results, name to SHA-256."""
    commit, changed = commit_of(root)
    locks = {
        name: hashlib.sha256((root / name).read_bytes()).hexdigest()
        for name in LOCKS
        if (root / name).is_file()
    }
    return {
        "changed": changed,
        "commit": commit,
        "locks": locks,
        "machine": platform.machine(),
        "packages": installed(),
        "python": platform.python_version(),
        "suites": dict(suites),
        "system": platform.platform(),
    }


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True)  # noqa: S603, S607
    return done.stdout

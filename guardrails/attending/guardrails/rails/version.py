"""Which code and tables a rail ran with, as a short text for the record."""

from __future__ import annotations

import hashlib
import inspect
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

_CODE = frozenset({".py", ".tsv", ".txt"})
_NOT_RAILS = ("evaluation", "knowledge/pack", "knowledge/importers")
"""Below the package, and no part of what judges: the pack has a hash of its own in every entry."""


@lru_cache(maxsize=1)
def own_version() -> str:
    """Version of our rails: 12 hex digits of SHA-256 over the code and tables of `attending.guardrails`.

    A changed line changes it for every rail: which lines a rail rests on is not told apart.
    """
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*"), key=lambda p: p.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        if path.suffix in _CODE and not name.startswith(_NOT_RAILS):
            digest.update(f"{name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"attending+{digest.hexdigest()[:12]}"


@lru_cache(maxsize=64)
def package_version(distribution: str) -> str:
    """`<distribution> <version>` of an installed package, `<distribution>` alone where it has none."""
    try:
        return f"{distribution}-{metadata.version(distribution)}"
    except metadata.PackageNotFoundError:
        return distribution


def class_version(cls: type[Any]) -> str:
    """`<module>+<12 hex digits>` over the source of the class's module; `<module>+unknown` without one."""
    try:
        source = inspect.getsource(inspect.getmodule(cls) or cls)
    except (OSError, TypeError):
        return f"{cls.__module__}+unknown"
    return f"{cls.__module__}+{hashlib.sha256(source.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def folder_version(folder: Path, pattern: str) -> str:
    """12 hex digits over name and content of the files of `folder` that match, in order of their names."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob(pattern)):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).hexdigest().encode())
    return digest.hexdigest()[:12]

"""The manifest beside a backup: what the file is, what it holds, and whether that was verified.

It is written last, so that a backup without one is not a backup. It is not signed: it tells an accident from a
backup, and the signed heads in it tell a forged backup from the log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from attending.ledger.entry import parse_time
from attending.ledger.errors import BackupRefused, VerificationError
from attending.ledger.files import write_durably

FORMAT: Final = "attending-backup/1"
_MAX_BYTES: Final = 64 * 1024 * 1024
_NOTE: Final = (
    "keys are not in a backup: back the key folder up apart from it, and keep that for at most 30 days"
)


@dataclass(frozen=True, slots=True)
class LogSummary:
    """A log as it is in the backup; `published` is the note that lay in the published folder before it was made."""

    log_id: str
    origin: str
    verifier_key: str
    size: int
    root: str
    """Hex."""
    time: str
    published: str | None
    payloads: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is said of a backup's file. `counts` are rows by table of the ledger."""

    created_at: str
    program: str
    engine: str
    schema_version: int
    epoch: int
    file: str
    size_bytes: int
    sha256: str
    verified: bool
    logs: tuple[LogSummary, ...]
    counts: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The object that the manifest's file holds."""
        logs = [{name: getattr(log, name) for name in LogSummary.__dataclass_fields__} for log in self.logs]
        own = {name: getattr(self, name) for name in Manifest.__dataclass_fields__}
        return {"format": FORMAT, **own, "logs": logs, "keys": _NOTE}

    def write(self, path: Path) -> None:
        """Writes it under its name, atomically and durably. Raises OSError."""
        write_durably(path, json.dumps(self.to_json(), indent=2, sort_keys=True).encode() + b"\n")


def manifest_path(backup: Path) -> Path:
    """Where the manifest of a backup file lies."""
    return backup.with_name(backup.name + ".manifest.json")


def read_manifest(backup: Path) -> Manifest:
    """The manifest beside `backup`; BackupRefused (BACKUP_INCOMPLETE, BACKUP_MANIFEST), OSError."""
    path = manifest_path(backup)
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise BackupRefused(
            f"`{backup}` has no manifest `{path.name}` beside it: it was never finished, or was not copied whole",
            reason="BACKUP_INCOMPLETE",
        ) from None
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError("too long")
        return _parse(json.loads(data))
    except (ValueError, KeyError, TypeError, RecursionError, VerificationError) as err:
        raise BackupRefused(f"`{path}` is no manifest of a backup", reason="BACKUP_MANIFEST") from err


def _parse(value: dict[str, Any]) -> Manifest:
    if value["format"] != FORMAT:
        raise ValueError("another format")
    parse_time(value["created_at"])
    fields = {name: _typed(value[name], kind) for name, kind in _KINDS.items()}
    logs = tuple(
        LogSummary(**{name: _typed(log[name], kind) for name, kind in _LOG_KINDS.items()})
        for log in _typed(value["logs"], list)
    )
    if any(type(n) is not int or type(name) is not str for name, n in fields["counts"].items()):
        raise TypeError("counts")
    return Manifest(**fields, logs=logs)


def _typed(value: Any, kind: Any) -> Any:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if type(value) not in kinds:
        raise TypeError("a field is not of its type")
    return value


_KINDS: Final[dict[str, Any]] = {
    "created_at": str,
    "program": str,
    "engine": str,
    "schema_version": int,
    "epoch": int,
    "file": str,
    "size_bytes": int,
    "sha256": str,
    "verified": bool,
    "counts": dict,
}
_LOG_KINDS: Final[dict[str, Any]] = {
    "log_id": str,
    "origin": str,
    "verifier_key": str,
    "size": int,
    "root": str,
    "time": str,
    "published": (str, type(None)),
    "payloads": int,
}

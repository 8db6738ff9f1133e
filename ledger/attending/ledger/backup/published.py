"""Published heads as they lie in their folder, for those who only look: nothing is created there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attending.ledger.publish import INTRODUCTIONS, read_introductions

_MAX_NOTE_BYTES: Final = 1024 * 1024
_SUFFIX: Final = ".checkpoint"


def read_published(folder: Path) -> Mapping[str, str]:
    """Log id to the note published for it; empty when there is no such folder. Raises OSError.

    Bytes that are not UTF-8 are passed on, to fail as a note.
    """
    found: dict[str, str] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.glob(f"[a-z0-9]*{_SUFFIX}")):
        with path.open("rb") as file:
            found[path.name.removesuffix(_SUFFIX)] = file.read(_MAX_NOTE_BYTES).decode("utf-8", "replace")
    return found


def read_introduced(folder: Path) -> Mapping[str, Sequence[str]]:
    """Log id to the introductions of its signing key that were published, nothing verified. Raises OSError."""
    if not folder.is_dir():
        return {}
    ids = [path.name.removesuffix(INTRODUCTIONS) for path in sorted(folder.glob(f"[a-z0-9]*{INTRODUCTIONS}"))]
    return {log_id: read_introductions(folder, log_id) for log_id in ids}

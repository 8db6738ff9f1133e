"""Published heads as they lie in their folder, for those who only look: nothing is created there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

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

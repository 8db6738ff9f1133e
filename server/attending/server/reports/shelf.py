"""The files of a tenant's reports on disk: a bound on what they take, and what goes when it is reached.

Evidence and draft of an issued report can be made again, so that they go first, the oldest first. An issued file never
goes: under another version of the pages, or after a rotation of the log's key, it could not be made again as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from attending.server.errors import FailedPrecondition


@dataclass(frozen=True, slots=True)
class Shelf:
    """One folder for each report in `folder`; `most_bytes` is what they may take together before another is made."""

    folder: Path
    most_bytes: int

    def make_room(self, settled: Iterable[str], derived: Iterable[str]) -> None:
        """Removes the files named `derived` of reports named `settled`, until less than the bound is taken. Blocks.

        Raises FailedPrecondition (REPORT_FILES_FULL) where that is not enough.
        """
        taken = self._taken()
        if taken < self.most_bytes:
            return
        names = tuple(derived)
        for place in sorted((self.folder / one for one in settled), key=_written):
            for path in map(place.joinpath, names):
                # A download of it that is under way keeps the open file.
                with suppress(FileNotFoundError):
                    size = path.stat().st_size
                    path.unlink()
                    taken -= size
            if taken < self.most_bytes:
                return
        raise FailedPrecondition("REPORT_FILES_FULL", metadata={"most_bytes": str(self.most_bytes)})

    def _taken(self) -> int:
        return sum(_size(path) for place in _within(self.folder) for path in _within(place))


def _within(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):  # discarded meanwhile, or no folder
        return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another process has removed it
        return 0


def _written(place: Path) -> float:
    try:
        return place.stat().st_mtime
    except FileNotFoundError:
        return 0.0

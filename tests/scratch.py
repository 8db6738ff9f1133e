"""Where tests put their files: in memory where there is plenty, since every ledger waits for the disk at each commit.

Nothing that a test says is different there: what a killed process has written is seen by the next one, on a disk by way
of the page cache. Power cuts and failing calls are made in front of the file system (`tests/ledger/faults`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

_IN_MEMORY: Final = Path("/dev/shm")
_ROOM_BYTES: Final = 4 << 30
"""A run of all tests holds less than half of it at once."""
_LEFT_BYTES: Final = 4 << 30
"""What the processes of the tests need beside it."""
_PREFIX: Final = "att-"
_OF_THIS_RUN: Final = "ATTENDING_TEST_SCRATCH"
"""Names the folder to the processes that a run hands its tests to."""


@cache
def scratch_folder() -> Path:
    """An existing folder of this run with a short path: sockets lie below it.

    What runs left behind that were killed goes first: in memory it would be missing to everybody.
    """
    if (given := os.environ.get(_OF_THIS_RUN)) and Path(given).is_dir():
        return Path(given)
    roots = [root for root in (_IN_MEMORY, Path("/tmp")) if os.access(root, os.W_OK | os.X_OK)]
    for root in roots:
        remove_abandoned(root)
    folder = Path(
        tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_IN_MEMORY if _has_room() else roots[-1])
    )
    folder.chmod(0o711)  # the account that PostgreSQL runs as goes through it
    os.environ[_OF_THIS_RUN] = str(folder)
    return folder


def remove_abandoned(root: Path) -> None:
    """Removes the folders below `root` of runs whose process is no more."""
    import psutil  # here, since the fuzzer's environment has none and is always given a folder

    for folder in root.glob(f"{_PREFIX}*"):
        number = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)


def _has_room() -> bool:
    if not os.access(_IN_MEMORY, os.W_OK | os.X_OK):
        return False
    import psutil

    room, memory = shutil.disk_usage(_IN_MEMORY).free, psutil.virtual_memory().available
    return room >= _ROOM_BYTES and memory >= _ROOM_BYTES + _LEFT_BYTES

"""Where tests put their files: in memory where there is plenty, since every ledger waits for the disk at each commit.

Nothing that a test says is different there: what a killed process has written is seen by the next one, on a disk by way
of the page cache. Power cuts and failing calls are made in front of the file system (`tests/ledger/faults`).
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Final

import psutil

_IN_MEMORY: Final = Path("/dev/shm")
_ROOM_BYTES: Final = 4 << 30
"""A run of all tests holds less than a tenth of it at once."""
_LEFT_BYTES: Final = 4 << 30
"""What the processes of the tests need beside it."""


@cache
def scratch_folder() -> Path:
    """An existing folder with a short path: sockets lie below it."""
    if os.access(_IN_MEMORY, os.W_OK | os.X_OK):
        room, memory = shutil.disk_usage(_IN_MEMORY).free, psutil.virtual_memory().available
        if room >= _ROOM_BYTES and memory >= _ROOM_BYTES + _LEFT_BYTES:
            return _IN_MEMORY
    return Path("/tmp")

"""Keeps memory out of core dumps: texts about people are there in clear while they are checked."""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def forbid_core_dumps() -> None:
    """After this, a crash of this process leaves no core file, and no other user's process may read its memory.

    The limit of 0 stops core files and is inherited. A kernel that hands cores to a program (`core_pattern` with a
    pipe) heeds it in part only; what it heeds is PR_SET_DUMPABLE (prctl(2)), which ends with every exec: so each
    process that is started calls this itself. Where the system has no such call, the limit alone must do.
    """
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

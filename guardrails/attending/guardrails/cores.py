"""How many processors this process may use: a container or a CPU set may give fewer than the machine has."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

_CGROUP_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")
"""cgroup v2: microseconds of CPU time a period, or "max", and the period (Linux kernel, cgroup-v2, cpu.max)."""


def usable_cores(quota: Path = _CGROUP_QUOTA) -> int:
    """Processors of the CPU set, no more than the container's quota rounded up; at least 1."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        cores = os.cpu_count() or 1
    try:
        granted, period = quota.read_text(encoding="ascii").split()
        if granted != "max":
            cores = min(cores, math.ceil(int(granted) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        pass  # no cgroup v2, or none that says so
    return max(1, cores)

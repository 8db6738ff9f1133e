"""A check process cannot take more memory than it is allowed: the call fails, which holds, and the machine does not."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
from attending.guardrails.pool_worker import _limit_memory, memory_mb
{limit}
try:
    block = bytearray(2 << 30)
except MemoryError:
    print("refused", memory_mb() < 1000)
else:
    print("taken", len(block) >> 30)
"""


def _said(limit: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT.format(limit=limit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


def test_growth_far_beyond_the_limit_is_a_memory_error() -> None:
    assert _said("_limit_memory(200)") == "refused True"


def test_without_the_limit_it_would_have_been_taken() -> None:
    assert _said("") == "taken 2"

"""A step of a report in a process of its own, which burns processor and memory while the server answers others.

The order goes to its standard input as JSON. It answers with lines `done total`, and at last, where there is something
to say, one JSON object; an exit code other than 0 says that nothing was made.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from attending.server.errors import Unavailable

NICENESS: Final = 10
MOST_MEMORY_BYTES: Final = 4 << 30
"""Addresses that the process may use: what needs more is not made, and the server goes on."""
TIMEOUT_SECONDS: Final = 1_800.0


async def carry_out(
    module: str,
    order: Mapping[str, Any],
    progress: Callable[[int, int], None],
    *,
    memory_bytes: int = MOST_MEMORY_BYTES,
) -> dict[str, Any]:
    """What `python -m module` says of the order at last; empty where it says nothing.

    Raises Unavailable (REPORT_NOT_MADE) where the process did not come to its end; it is gone then.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # a trace could quote what the bundle holds
    )
    assert process.stdin is not None
    assert process.stdout is not None
    said: dict[str, Any] = {}
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            process.stdin.write(json.dumps({**order, "memory_bytes": memory_bytes}).encode())
            await process.stdin.drain()
            process.stdin.close()
            async for line in process.stdout:
                if line.startswith(b"{"):
                    said = json.loads(line)
                    continue
                done, _space, total = line.decode("ascii", "replace").partition(" ")
                if done.isdigit() and total.strip().isdigit():
                    progress(int(done), int(total))
            code = await process.wait()
    except (TimeoutError, OSError, ValueError):
        code = -1
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        raise Unavailable("REPORT_NOT_MADE", retry_after_seconds=5.0)
    return said


def take_order() -> dict[str, Any]:
    """In the process: the order, with less of a claim on the processor and a bound on memory from here on."""
    os.nice(NICENESS)
    order: dict[str, Any] = json.load(sys.stdin)
    memory_bytes = order.pop("memory_bytes")
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    return order


def tell(done: int, total: int) -> None:
    """In the process: how far it is."""
    sys.stdout.write(f"{done} {total}\n")
    sys.stdout.flush()

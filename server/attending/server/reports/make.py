"""`python -m attending.server.reports.make`: makes one report's PDF in a process of its own.

Reading, verifying and setting a large bundle burns processor and memory, and the server answers others meanwhile. The
order comes as JSON on standard input; how far it is goes out as lines `done total`; an exit code other than 0 says that
nothing was made.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from attending.ledger.verify.registers import Asked
from attending.server.errors import Unavailable
from attending.server.reports.particulars import Compared, Kind, Particulars, SignedOff

NICENESS: Final = 10
MOST_MEMORY_BYTES: Final = 4 << 30
"""Addresses that the process may use: a report that needs more is not made, and the server goes on."""
TIMEOUT_SECONDS: Final = 1_800.0


async def make_in_process(
    bundle: Path,
    out: Path,
    about: Particulars,
    inference: str | None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    memory_bytes: int = MOST_MEMORY_BYTES,
) -> None:
    """Returns when `out` is the finished PDF of the report over `bundle`, whole and durable.

    Raises Unavailable (REPORT_NOT_MADE) where the process did not come to its end; nothing is left of it then.
    """
    order: dict[str, Any] = {
        "bundle": str(bundle),
        "out": str(out),
        "inference": inference,
        "about": asdict(about),
    }
    order["memory_bytes"] = memory_bytes
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "attending.server.reports.make",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # a trace could quote what the report holds
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            process.stdin.write(json.dumps(order).encode())
            await process.stdin.drain()
            process.stdin.close()
            async for line in process.stdout:
                done, _space, total = line.decode("ascii", "replace").partition(" ")
                if done.isdigit() and total.strip().isdigit():
                    progress(int(done), int(total))
            code = await process.wait()
    except (TimeoutError, OSError):
        code = -1
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code != 0:
        raise Unavailable("REPORT_NOT_MADE", retry_after_seconds=5.0)


def main() -> int:
    """Carries out the order on standard input."""
    from attending.server.reports.pdf import make_pdf

    os.nice(NICENESS)
    order: dict[str, Any] = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_AS, (order["memory_bytes"], order["memory_bytes"]))
    about = order["about"]
    signed = about.pop("signed_off")
    scope = tuple((name, value) for name, value in about.pop("scope"))
    asked = about.pop("asked")
    compared = tuple(Compared(**one) for one in about.pop("compared"))
    particulars = Particulars(
        **{**about, "kind": Kind(about["kind"])},
        scope=scope,
        compared=compared,
        asked=Asked(**{**asked, "subjects": tuple(asked["subjects"])}),
        signed_off=None if signed is None else SignedOff(**signed),
    )
    out = Path(order["out"])
    work = Path(tempfile.mkdtemp(dir=out.parent))
    partial = out.with_name(out.name + ".partial")
    try:
        pdf = make_pdf(Path(order["bundle"]), particulars, work, inference=order["inference"], progress=_told)
        with partial.open("wb") as file:
            file.write(pdf)
            file.flush()
            os.fsync(file.fileno())
        # A kill before this leaves a partial file, never half a report under its name.
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)
    return 0


def _told(done: int, total: int) -> None:
    sys.stdout.write(f"{done} {total}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

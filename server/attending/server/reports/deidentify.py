"""A de-identified document of a finished bundle, made in a process of its own and signed here.

The engine that finds personal data takes a quarter of a gigabyte and all of a processor, and the server answers others
meanwhile; the log's key stays in this process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attending.ledger.verify.manifest import MANIFEST_SIGNATURE
from attending.ledger.verify.writer import add_member
from attending.server.errors import FailedPrecondition, Unavailable
from attending.server.reports.make import TIMEOUT_SECONDS


async def deidentify_in_process(
    bundle: Path,
    out: Path,
    secret: bytes,
    pseudonyms: str,
    sign: Callable[[str], str],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    map_out: Path | None = None,
) -> None:
    """Returns when `out` is the finished document of the bundle at `bundle`, whole and durable; with `map_out` that
    is the map of its pseudonyms. `pseudonyms` is the commitment to `secret` that the log holds. Texts are those of
    its payloads.

    Raises FailedPrecondition (IDENTIFIERS_REMAIN), Unavailable (REPORT_NOT_MADE); nothing is left then.
    """
    partial = out.with_name(out.name + ".partial")
    order = {
        "bundle": str(bundle),
        "out": str(partial),
        "secret": secret.hex(),
        "pseudonyms": pseudonyms,
        "map": None if map_out is None else str(map_out),
    }
    try:
        said = await _run(order, progress)
        if "letters" in said:
            raise FailedPrecondition("IDENTIFIERS_REMAIN", metadata={"letters": said["letters"]})
        await asyncio.to_thread(_signed, partial, sign(said["text"]))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


async def _run(order: Mapping[str, Any], progress: Callable[[int, int], None]) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "attending.server.reports.deidentified.document",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # a trace could quote what the bundle holds
    )
    assert process.stdin is not None
    assert process.stdout is not None
    said: dict[str, Any] = {}
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            process.stdin.write(json.dumps(order).encode())
            await process.stdin.drain()
            process.stdin.close()
            async for line in process.stdout:
                if line.startswith(b"{"):
                    said = json.loads(line)
                else:
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
    if code != 0 or not said:
        raise Unavailable("REPORT_NOT_MADE", retry_after_seconds=5.0)
    return said


def _signed(path: Path, signature: str) -> None:
    with path.open("r+b") as file:
        with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
            add_member(archive, MANIFEST_SIGNATURE, [signature.encode()])
        file.flush()
        os.fsync(file.fileno())

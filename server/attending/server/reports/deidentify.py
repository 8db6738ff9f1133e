"""A de-identified document of a finished bundle, made in a process of its own and signed here.

The engine that finds personal data takes a quarter of a gigabyte and all of a processor, and the server answers others
meanwhile; the log's key stays in this process.
"""

from __future__ import annotations

import asyncio
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from attending.ledger.verify.manifest import MANIFEST_SIGNATURE
from attending.ledger.verify.writer import add_member
from attending.server.errors import FailedPrecondition
from attending.server.reports.process import carry_out


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
        said = await carry_out("attending.server.reports.deidentified.document", order, progress)
        if "letters" in said:
            raise FailedPrecondition("IDENTIFIERS_REMAIN", metadata={"letters": said["letters"]})
        await asyncio.to_thread(_signed, partial, sign(said["text"]))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _signed(path: Path, signature: str) -> None:
    with path.open("r+b") as file:
        with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
            add_member(archive, MANIFEST_SIGNATURE, [signature.encode()])
        file.flush()
        os.fsync(file.fileno())

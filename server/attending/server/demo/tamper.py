"""What an attacker would do: with the file alone, change one byte of one record; with the seal's key, seal it again."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attending.ledger.verify.pdf.document import Document
from attending.server.config.reports import SealSection
from attending.server.reports.seal import build_sealer

_END: Final = b"%%EOF"


def change_one_byte(bundle: Path, out: Path, *, within: Path | None = None) -> tuple[Path, int]:
    """Writes a copy of `bundle` in which one byte of the middle entry differs; returns it and the entry's index.

    The byte is in the file itself, so archive checksum, file hash and record all tell. To a report the bundle is
    attached as it is: `within` is the PDF then, of which the copy is made.
    """
    with zipfile.ZipFile(bundle) as archive:
        lines = archive.read("entries.jsonl").splitlines()
    victim = lines[len(lines) // 2]
    data = bytearray((within or bundle).read_bytes())
    at = data.find(victim)
    # A digit of the entry's time, so that the entry still reads well.
    field = victim.find(b'"time":"') + len(b'"time":"') + 3
    data[at + field] = ord("9") if victim[field] != ord("9") else ord("8")
    out.write_bytes(bytes(data))
    return out, int(json.loads(victim)["index"])


def without_seal(report: Path, out: Path) -> Path:
    """Writes the pages of a sealed report as they were before: a seal stands behind them, and leaves them alone."""
    with Document(report) as document:
        before = document.trailer["Prev"]
    data = report.read_bytes()
    out.write_bytes(data[: data.index(_END, before) + len(_END)] + b"\n")
    return out


def seal_again(seal: Mapping[str, Any], pages: Path, out: Path) -> Path:
    """Writes `pages` sealed with the keys of `[reports.seal]` and stamped now, as who holds the seal's key could."""

    async def run() -> None:
        sealer = build_sealer(SealSection.model_validate(dict(seal)))
        try:
            await sealer.seal(pages, out)
        finally:
            await sealer.close()

    asyncio.run(run())
    return out

"""What an attacker with the file would do: change one byte of one record, and nothing else."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path


def change_one_byte(bundle: Path, out: Path) -> tuple[Path, int]:
    """Writes a copy of `bundle` in which one byte of the middle entry differs; returns it and the entry's index.

    The byte is in the file itself, so archive checksum, file hash and record all tell.
    """
    with zipfile.ZipFile(bundle) as archive:
        lines = archive.read("entries.jsonl").splitlines()
    victim = lines[len(lines) // 2]
    data = bytearray(bundle.read_bytes())
    at = data.find(victim)
    # A digit of the entry's time, so that the entry still reads well.
    field = victim.find(b'"time":"') + len(b'"time":"') + 3
    data[at + field] = ord("9") if victim[field] != ord("9") else ord("8")
    out.write_bytes(bytes(data))
    return out, int(json.loads(victim)["index"])

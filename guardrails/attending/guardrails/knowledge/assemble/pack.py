"""Writes a pack: its tables in fixed order, and a manifest that names each by its hash.

The pack's hash is SHA-256 over the lines "<sha256 of the file>  <file name>\\n" in file name order: the form that
`sha256sum *.tsv | sha256sum` gives in the pack's folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

FORMAT: Final = 2
MAX_FILE_BYTES: Final = 2 * 1024 * 1024


def digest(files: Mapping[str, bytes]) -> str:
    """`sha256:` and the hex hash of a pack of these files."""
    lines = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def write(folder: Path, files: Mapping[str, str], counts: Mapping[str, int]) -> str:
    """Writes tables and manifest, removes tables that are no longer part, and returns the pack's hash.

    Raises OSError where the folder cannot be written, ValueError where a table exceeds `MAX_FILE_BYTES`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encoded = {name: content.encode() for name, content in files.items()}
    for name, content in encoded.items():
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"table `{name}` has {len(content)} bytes, at most {MAX_FILE_BYTES}")
    for old in folder.glob("*.tsv"):
        if old.name not in encoded:
            old.unlink()
    for name, content in encoded.items():
        (folder / name).write_bytes(content)
    value = digest(encoded)
    manifest = {
        "format": FORMAT,
        "hash": value,
        "files": {name: hashlib.sha256(encoded[name]).hexdigest() for name in sorted(encoded)},
        "counts": dict(sorted(counts.items())),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return value

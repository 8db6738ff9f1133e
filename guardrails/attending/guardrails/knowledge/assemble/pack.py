"""Writes a pack: its tables in fixed order, and a manifest that names each by its hash.

The pack's hash is SHA-256 over the lines "<sha256 of the file>  <file name>\\n" in file name order: the form that
`sha256sum *.tsv | sha256sum` gives in the pack's folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attending.guardrails.knowledge.assemble import tables

FORMAT: Final = 2
MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""A site's DDInter alone makes some 30 MB of pairs."""


def digest(files: Mapping[str, bytes]) -> str:
    """`sha256:` and the hex hash of a pack of these files."""
    lines = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest()


def write(
    folder: Path,
    files: Mapping[str, str],
    counts: Mapping[str, int],
    inputs: Mapping[str, str] | None = None,
    reports: Mapping[str, str] | None = None,
) -> str:
    """Writes tables and manifest into a new folder beside `folder`, puts it in its place, and returns the pack's hash.

    `inputs` is file name -> SHA-256 of a site's own files, for the manifest; `reports` is file name -> text for people,
    no part of the pack. A crash leaves the old pack, the new one, or none with both beside its place (names ending in
    `.old` and `.new`): a reader never sees a mixture, and refuses a folder that is not there.

    Raises OSError where it cannot be written or `folder` holds something that is no pack, ValueError where a table
    exceeds `MAX_FILE_BYTES`.
    """
    folder = folder.resolve()
    encoded = {name: content.encode() for name, content in files.items()}
    for name, content in encoded.items():
        if len(content) > MAX_FILE_BYTES:
            raise ValueError(f"table `{name}` has {len(content)} bytes, at most {MAX_FILE_BYTES}")
    value = digest(encoded)
    manifest: dict[str, object] = {
        "format": FORMAT,
        "hash": value,
        "files": {name: hashlib.sha256(encoded[name]).hexdigest() for name in sorted(encoded)},
        "counts": dict(sorted(counts.items())),
    }
    if inputs:
        manifest["inputs"] = dict(sorted(inputs.items()))
    encoded["manifest.json"] = (json.dumps(manifest, indent=2) + "\n").encode()
    held = folder.exists() and any(folder.iterdir())
    if held and not (folder / "manifest.json").is_file():
        raise FileExistsError(f"`{folder}` holds something that is no knowledge pack")
    fresh, old = (folder.with_name(folder.name + ending) for ending in (".new", ".old"))
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    fresh.mkdir(parents=True)
    encoded |= {name: content.encode() for name, content in (reports or {}).items()}
    for name, content in encoded.items():
        _durable(fresh / name, content)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return value


def with_table(folder: Path, name: str, rows: Sequence[Mapping[str, str]], columns: Sequence[str]) -> str:
    """Writes the pack in `folder` again with other rows of one table; the hash of what is there then. As `write`."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    held = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.is_file()}
    files = {one: content for one, content in held.items() if one.endswith(".tsv")}
    files[name] = tables.text(columns, rows)
    counts = {**manifest["counts"], name.removesuffix(".tsv"): len(rows)}
    reports = {one: content for one, content in held.items() if one not in files and one != "manifest.json"}
    return write(folder, files, counts, manifest.get("inputs"), reports)


def _durable(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())

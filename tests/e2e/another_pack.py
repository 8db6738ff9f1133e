"""Another version of a knowledge pack, for servers that are to take it up."""

from __future__ import annotations

import json
from pathlib import Path

from attending.guardrails.knowledge.assemble import pack


def another_pack(folder: Path) -> bytes:
    """Lisinopril and cetirizine exclude each other from here on; the pack's hash. Both are given together every day."""
    table = folder / "interactions.tsv"
    before, after = b"warfarin\tzafirlukast\tmoderate", b"cetirizine\tlisinopril\tcontraindicated"
    assert before in table.read_bytes()
    table.write_bytes(table.read_bytes().replace(before, after))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["hash"] = pack.digest({one.name: one.read_bytes() for one in folder.glob("*.tsv")})
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return bytes.fromhex(manifest["hash"].removeprefix("sha256:"))

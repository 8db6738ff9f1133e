"""docs/format.md: its commands run as printed and give what is printed, and our code gives the same."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from attending.ledger.entry import ENTRY_TYPES, parse_entry
from attending.ledger.merkle import node_hash
from attending.ledger.note import VerifierKey
from attending.ledger.proof import verify_receipt
from attending.ledger.verify import manifest

DOCUMENT = (Path(__file__).parents[2] / "docs/format.md").read_text()
EXAMPLES = re.findall(r"```sh\n(.*?)```\n\n```output\n(.*?)```", DOCUMENT, re.DOTALL)
TOOLS = ("bash", "sha256sum", "xxd", "base64", "openssl")
missing = [tool for tool in TOOLS if shutil.which(tool) is None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the commands leave behind, after each was run and compared."""
    path = tmp_path_factory.mktemp("format")
    for commands, expected in EXAMPLES:
        command = ["bash", "-euo", "pipefail", "-c", commands]
        result = subprocess.run(command, cwd=path, capture_output=True, text=True, check=False, timeout=60)
        assert result.returncode == 0, result.stderr
        assert result.stdout.rstrip() == expected.rstrip()
    return path


@pytest.mark.skipif(bool(missing), reason=f"not installed: {missing}")
def test_example_by_hand_is_what_our_code_says(folder: Path) -> None:
    assert len(EXAMPLES) == DOCUMENT.count("```sh") >= 6
    first, second = (parse_entry((folder / name).read_bytes()) for name in ("entry0", "entry1"))
    assert second.prev == first.leaf_hash == bytes.fromhex((folder / "leaf0").read_text())
    root = node_hash(first.leaf_hash, second.leaf_hash)
    assert root == bytes.fromhex((folder / "root").read_text())
    pem = (folder / "log.pem").read_text().splitlines()[1]
    key = VerifierKey("log.example/clinic", 1, base64.b64decode(pem)[-32:])
    head = verify_receipt((folder / "receipt").read_bytes(), second.data, [key])
    assert (head.size, head.root) == (2, root)


def test_document_names_every_field_and_file() -> None:
    entry = re.search(r"'(\{\"actor\".*?)' > entry1", DOCUMENT)
    assert entry is not None
    for name in re.findall(r'[{,]"([a-z_]+)":', entry[1]):
        assert f"`{name}`" in DOCUMENT or name in ("policy",)
    for name in (manifest.ENTRIES, manifest.CHECKPOINT, manifest.RANGE, manifest.PROOFS, manifest.CONTEXT,
                 manifest.CONTEXT_PROOFS, manifest.PAYLOADS, manifest.KEYS, manifest.MANIFEST,
                 manifest.MANIFEST_SIGNATURE):  # fmt: skip
        assert f"`{name}`" in DOCUMENT
    assert manifest.FORMAT in DOCUMENT
    named = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", DOCUMENT)) - {
        "manifest.json",
        "manifest.sig",
        "range.json",
    }
    assert {name for name in named if name.split(".")[1] not in ("json", "jsonl", "ndjson")} <= {
        *ENTRY_TYPES,
        "source.event",
    }

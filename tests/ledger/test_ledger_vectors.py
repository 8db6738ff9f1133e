"""tests/vectors/ledger-v1: kept, reproduced by this implementation, and by a second reading of docs/format.md."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from attending.ledger import canonical, tiles
from attending.ledger.checkpoint import verify
from attending.ledger.ed25519 import key_id
from attending.ledger.entry import Commitment, parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.introduction import follow, terms
from attending.ledger.merkle import Frontier, verify_consistency, verify_inclusion
from attending.ledger.note import VerifierKey
from attending.ledger.proof import verify_receipt
from attending.ledger.review_signature import parse_statement, verify_statement
from attending.ledger.reviewer_key import Algorithm, Proof, ReviewerKey
from attending.ledger.vault import unseal

VECTORS = Path(__file__).parents[1] / "vectors"
FOLDER = VECTORS / "ledger-v1"


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / name).read_bytes())
    return found


def refused(call: Callable[[], object], item: dict[str, Any]) -> None:
    with pytest.raises(VerificationError) as caught:
        call()
    assert caught.value.reason == item.get("reason", caught.value.reason), item.get("why", item)


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_ledger_vectors", VECTORS / "make_ledger_vectors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_kept_files_are_those_that_the_code_makes(maker: ModuleType) -> None:
    made = maker.make()
    kept = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    assert kept.keys() == made.keys()
    for name, data in made.items():
        assert kept[name] == data, f"{name} changed: the format is another, or the maker is"
    assert sum(map(len, kept.values())) < 300_000


def run_independent_check(folder: Path) -> subprocess.CompletedProcess[str]:
    """The checker in a process that cannot import Attending."""
    code = (
        "import sys, runpy\n"
        "sys.modules['attending'] = None\n"
        f"sys.argv = ['check', {str(folder)!r}]\n"
        f"runpy.run_path({str(VECTORS / 'check_independent.py')!r}, run_name='__main__')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_second_implementation_agrees() -> None:
    done = run_independent_check(FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) == len(list(FOLDER.glob("*.json")))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("canonical.json", lambda v: v["refuse"].append({"hex": b"{}".hex(), "why": "nothing"})),
        ("checkpoints.json", lambda v: v["accept"][0].update(size=6)),
        ("entries.json", lambda v: v["accept"][0].update(leaf_hash="00" * 32)),
        ("introductions.json", lambda v: v["heads"][0].update(reason="KEY_TERM")),
        ("keys.json", lambda v: v["reviewer_keys"][0].update(key_id="0" * 16)),
        ("payloads.json", lambda v: v["accept"][0].update(commitment="00" * 32)),
        ("receipts.json", lambda v: v["refuse"][0].update(reason="SIGNATURE")),
        ("statements.json", lambda v: v["accept"][0]["statement"].update(disposed=2)),
        ("tiles.json", lambda v: v["trees"][0]["tiles"][0].update(sha256="00" * 32)),
        ("trees.json", lambda v: v["inclusion"][-2]["proof"].reverse()),
    ],
)
def test_the_second_implementation_would_object(
    tmp_path: Path, name: str, change: Callable[[dict[str, Any]], object]
) -> None:
    for path in FOLDER.glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    vectors = load(name)
    change(vectors)
    (tmp_path / name).write_text(json.dumps(vectors), encoding="utf-8")
    done = run_independent_check(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{name}: FAILED" in done.stdout


def test_canonical() -> None:
    vectors = load("canonical.json")
    for item in vectors["accept"]:
        data = bytes.fromhex(item["hex"])
        assert canonical.parse_canonical(data) == item["value"]
        assert canonical.encode(item["value"]) == canonical.encode_stdlib(item["value"]) == data
    for item in vectors["refuse"]:
        refused(lambda raw=item["hex"]: canonical.parse_canonical(bytes.fromhex(raw)), item)  # type: ignore[misc]


def test_entries() -> None:
    vectors = load("entries.json")
    for item in vectors["accept"]:
        entry = parse_entry(item["entry"].encode())
        assert (entry.leaf_hash.hex(), entry.known_type) == (item["leaf_hash"], item["known_type"])
    for item in vectors["refuse"]:
        refused(lambda raw=item["hex"]: parse_entry(bytes.fromhex(raw)), item)  # type: ignore[misc]


def _hashes(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


def test_trees() -> None:
    vectors = load("trees.json")
    for item in vectors["compact_ranges"]:
        root = next(other["root"] for other in vectors["roots"] if other["size"] == item["size"])
        assert Frontier(item["size"], _hashes(item["hashes"])).root().hex() == root

    def inclusion(item: dict[str, Any]) -> None:
        leaf, root = _hashes([item["leaf_hash"], item["root"]])
        verify_inclusion(leaf, item["index"], item["size"], _hashes(item["proof"]), root)

    def consistency(item: dict[str, Any]) -> None:
        root1, root2 = _hashes([item["root1"], item["root2"]])
        verify_consistency(item["size1"], item["size2"], root1, root2, _hashes(item["proof"]))

    for name, check in (("inclusion", inclusion), ("consistency", consistency)):
        for item in vectors[name]:
            check(item)
        for item in vectors[f"{name}_refuse"]:
            refused(lambda found=item, run=check: run(found), item)  # type: ignore[misc]


def test_tiles(maker: ModuleType) -> None:
    """Full tiles as the log stores them; partial ones and entry bundles are those of the second reading."""
    for tree in load("tiles.json")["trees"]:
        leaves = maker.Tree(tree["size"]).leaves
        growth = tiles.grow(tiles.EMPTY_EDGE, leaves)
        assert growth.root.hex() == tree["root"]
        full = {(tile.level, tile.position): tile.hashes for tile in growth.tiles}
        listed = {(item["level"], item["index"]): item for item in tree["tiles"]}
        assert {key for key, item in listed.items() if item["width"] == tiles.TILE_WIDTH} == full.keys()
        for (level, index), item in listed.items():
            partial = b"".join(growth.after.partial[level])
            data = full.get((level, index), partial)
            assert maker.hashlib.sha256(data).hexdigest() == item["sha256"]


def test_keys() -> None:
    vectors = load("keys.json")
    for item in vectors["note_keys"]:
        key = VerifierKey.parse(item["verifier_key"])
        assert (key.name, key.type, key.public_key.hex()) == (item["name"], item["type"], item["public_key"])
        assert key.key_id.hex() == item["key_id"]
        assert str(key) == item["verifier_key"]
    for item in vectors["reviewer_keys"]:
        assert key_id(bytes.fromhex(item["public_key"])) == item["key_id"]
    for item in vectors["refuse"]:
        refused(lambda text=item["verifier_key"]: VerifierKey.parse(text), item)  # type: ignore[misc]


def test_checkpoints() -> None:
    vectors = load("checkpoints.json")
    keys, witnesses = [VerifierKey.parse(vectors["log_key"])], [VerifierKey.parse(vectors["witness_key"])]
    for item in vectors["accept"]:
        head = verify(item["note"], keys, witnesses=witnesses)
        assert (head.origin, head.size) == (item["origin"], item["size"])
        assert b64encode(head.root).decode() == item["root"]
        assert dict(head.cosigned).get(witnesses[0].name) == item["cosigned_at"]
    for item in vectors["refuse"]:
        refused(lambda note=item["note"]: verify(note, keys, witnesses=witnesses), item)  # type: ignore[misc]


def test_introductions() -> None:
    vectors = load("introductions.json")
    origin, keys = vectors["origin"], [VerifierKey.parse(key) for key in vectors["keys"]]
    known = terms(keys[:1], follow(vectors["introductions"], origin))
    assert [term.key for term in known] == keys
    for item in vectors["heads"]:
        if item["reason"] is None:
            assert verify(item["note"], known).size == item["size"]
        else:
            refused(lambda note=item["note"]: verify(note, known), item)  # type: ignore[misc]
    for item in vectors["refuse"]:
        refused(lambda texts=item["introductions"]: follow(texts, origin), item)  # type: ignore[misc]


def test_receipts() -> None:
    vectors = load("receipts.json")
    key = vectors["log_key"]
    for item in vectors["accept"]:
        assert verify_receipt(item["receipt"], item["entry"].encode(), [key]).size == item["size"]
    for item in vectors["refuse"]:
        entry = item["entry"].encode()
        refused(lambda text=item["receipt"], data=entry: verify_receipt(text, data, [key]), item)  # type: ignore[misc]


def test_payloads() -> None:
    vectors = load("payloads.json")

    def open_it(item: dict[str, Any]) -> tuple[bytes, bytes]:
        return unseal(
            origin=item["origin"],
            subject=item["subject"],
            commitment=Commitment(item["kind"], item["record"], item["commitment"], item["ciphertext"]),
            sealed=bytes.fromhex(item["sealed"]),
            wrapped_key=bytes.fromhex(item["wrapped"]),
            subject_key=bytes.fromhex(item["subject_key"]),
        )

    for item in vectors["accept"]:
        assert open_it(item) == (bytes.fromhex(item["salt"]), bytes.fromhex(item["content"]))
    for item in vectors["refuse"]:
        refused(lambda found=item: open_it(found), item)  # type: ignore[misc]


def test_statements() -> None:
    vectors = load("statements.json")

    def check(item: dict[str, Any]) -> None:
        statement = parse_statement(item["statement"])
        key = ReviewerKey(Algorithm.ED25519, bytes.fromhex(item["public_key"]))
        verify_statement(statement, key, Proof(b64decode(item["signature"])))

    for item in vectors["accept"]:
        check(item)
        assert parse_statement(item["statement"]).message() == item["message"].encode()
    for item in vectors["refuse"]:
        refused(lambda found=item: check(found), item)  # type: ignore[misc]

"""Makes tests/vectors/ledger-v1: inputs and expected results for a second implementation of docs/format.md.

    python tests/vectors/make_ledger_vectors.py        (writes the files; review what changed, then commit)

Nothing here is random and nothing depends on the day: the same code gives the same bytes. `test_ledger_vectors.py`
fails when it does not, so that a change of the format is never made silently.
"""

from __future__ import annotations

import hashlib
import json
import struct
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attending.ledger.canonical import encode
from attending.ledger.checkpoint import checkpoint_text
from attending.ledger.ed25519 import key_id, public_bytes
from attending.ledger.entry import Commitment, PendingEntry, encode_entry
from attending.ledger.introduction import format_introduction, rotating_entry
from attending.ledger.merkle import (
    compact_range,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    right_edge,
    root_from_hashes,
)
from attending.ledger.note import (
    COSIGNATURE,
    Signature,
    SignerKey,
    VerifierKey,
    cosign,
    format_note,
    sign_note,
)
from attending.ledger.proof import format_receipt
from attending.ledger.review_signature import Meaning, Statement, sign_statement
from attending.ledger.vault import payload_commitment
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FOLDER = Path(__file__).parent / "ledger-v1"
ORIGIN = "vectors.example/clinic"
SUBJECT = "sub_" + "a2" * 13
START = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
REVIEWER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
WITNESS = "witness.example/w"
COSIGNED_AT = 1_795_680_000
SIZES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 16, 17)
TILED_SIZES = (1, 255, 256, 257, 700)

Json = dict[str, Any]


def seed(label: str, size: int = 32) -> bytes:
    """Bytes that look random and are not."""
    return hashlib.shake_256(label.encode()).digest(size)


# --- canonical JSON ------------------------------------------------------------------------------------------


def canonical_vectors() -> Json:
    values: list[Any] = [
        {},
        [],
        "",
        0,
        -1,
        2**53 - 1,
        -(2**53) + 1,
        [True, False, None],
        {"b": 1, "a": {"d": [], "c": {}}, "A": "", "": 0, "a b": 2, "~": 3},
        '"\\/\b\t\n\f\r\x00\x1f\x7f',
        "é € 𝄞 \u2028 \ufeff",
        "e\u0301",
        {"nested": [[[[[[[[[[[[[[1]]]]]]]]]]]]]]},
    ]
    refused = {
        "a byte order mark": b"\xef\xbb\xbf{}",
        "a fraction": b"[1.0]",
        "an exponent": b"[1e2]",
        "negative zero": b"[-0]",
        "2**53": b"[9007199254740992]",
        "-2**53": b"[-9007199254740992]",
        "a long integer": b"[" + b"1" * 40 + b"]",
        "NaN": b"[NaN]",
        "a duplicate key": b'{"a":1,"a":1}',
        "a key that is not ASCII": '{"é":1}'.encode(),
        "keys that are not sorted": b'{"b":1,"a":1}',
        "white space": b'{"a": 1}',
        "a newline at the end": b"{}\n",
        "trailing data": b"{}{}",
        "nothing": b"",
        "invalid UTF-8": b'"\xff"',
        "an overlong encoding": b'"\xc0\xaf"',
        "an encoded surrogate": b'"\xed\xa0\x80"',
        "an escaped lone surrogate": b'"\\ud800"',
        "an escaped pair for what stands for itself": b'"\\ud834\\udd1e"',
        "an escape for what stands for itself": b'"\\u0041"',
        "an escaped solidus": b'"\\/"',
        "a long escape for a newline": b'"\\u000a"',
        "an upper-case escape": b'"\\u001F"',
        "a control character": b'"\x01"',
        "nesting of 17": b"[" * 17 + b"]" * 17,
        "a leading zero": b"[01]",
        "a plus sign": b"[+1]",
        "a trailing comma": b"[1,]",
        "single quotes": b"['a']",
        "UTF-16": "{}".encode("utf-16"),
    }
    return {
        "accept": [{"hex": encode(value).hex(), "value": value} for value in values],
        "refuse": [{"hex": data.hex(), "why": why} for why, data in refused.items()],
    }


# --- entries -------------------------------------------------------------------------------------------------


def log_entries() -> list[bytes]:
    """Five entries of one log."""
    commitment = Commitment("prompt", "rec_1", "ab" * 32, "cd" * 32)
    pending = [
        PendingEntry("system.started", "system", "attending", None, {"mode": "embedded"}),
        PendingEntry("inference.requested", "inf_1", "app:portal", SUBJECT, {"policy_hash": "ef" * 32}),
        PendingEntry("inference.generated", "inf_1", "attending", SUBJECT, {"tokens": 12}, (), START),
        PendingEntry("inference.released", "inf_1", "Dr. Ríos", SUBJECT, {"basis": "policy"}),
        PendingEntry("subject.erased", f"erasure:{SUBJECT}", "system", SUBJECT, {"reason": "request"}),
    ]
    stored: list[bytes] = []
    prev = bytes(32)
    for index, item in enumerate(pending):
        time = START + timedelta(milliseconds=250 * index)
        stored.append(encode_entry(ORIGIN, index, prev, time, item, [commitment] if index == 1 else []))
        prev = leaf_hash(stored[-1])
    return stored


def entry_vectors() -> Json:
    stored = log_entries()
    good = json.loads(stored[1])

    def changed(**fields: Any) -> bytes:
        return encode({**good, **fields})

    without = {name: value for name, value in good.items() if name != "subject"}
    bad_commitment = {**good["commitments"][0], "commitment": "AB" * 32}
    refused = [
        ("not canonical", "CANONICAL_FORM", json.dumps(good).encode()),
        ("not an object", "ENTRY_SCHEMA", b"[]"),
        ("a field is missing", "ENTRY_SCHEMA", encode(without)),
        ("a field too many", "ENTRY_SCHEMA", changed(extra=1)),
        ("a later version", "UNKNOWN_VERSION", changed(v=2)),
        ("a version that is true", "ENTRY_SCHEMA", changed(v=True)),
        ("version 0", "ENTRY_SCHEMA", changed(v=0)),
        ("a negative index", "ENTRY_SCHEMA", changed(index=-1)),
        ("an index that is a string", "ENTRY_SCHEMA", changed(index="1")),
        ("upper-case hex", "ENTRY_SCHEMA", changed(prev="AB" * 32)),
        ("a short hash", "ENTRY_SCHEMA", changed(prev="ab" * 31)),
        ("a time without microseconds", "ENTRY_SCHEMA", changed(time="2026-11-26T08:00:00Z")),
        ("a time with an offset", "ENTRY_SCHEMA", changed(time="2026-11-26T08:00:00.000000+00:00")),
        ("30 February", "ENTRY_SCHEMA", changed(time="2026-02-30T08:00:00.000000Z")),
        ("a leap second", "ENTRY_SCHEMA", changed(time="2026-06-30T23:59:60.000000Z")),
        ("the year 0", "ENTRY_SCHEMA", changed(time="0000-01-01T00:00:00.000000Z")),
        ("an emitter's time that is empty", "ENTRY_SCHEMA", changed(occurred_at="")),
        ("an origin with a space", "ENTRY_SCHEMA", changed(origin="vectors.example clinic")),
        ("an origin with a plus sign", "ENTRY_SCHEMA", changed(origin="vectors.example+clinic")),
        ("an origin of 256 characters", "ENTRY_SCHEMA", changed(origin="a" * 256)),
        ("an empty stream", "ENTRY_SCHEMA", changed(stream="")),
        ("a stream that is not ASCII", "ENTRY_SCHEMA", changed(stream="inf_é")),
        ("an actor with a control character", "ENTRY_SCHEMA", changed(actor="a\tb")),
        ("an actor with a line separator", "ENTRY_SCHEMA", changed(actor="a\u2028b")),
        ("a subject that is a name", "ENTRY_SCHEMA", changed(subject="Maria")),
        ("a subject with the digit 1", "ENTRY_SCHEMA", changed(subject="sub_" + "1" * 26)),
        ("a type without a dot", "ENTRY_SCHEMA", changed(type="started")),
        ("a type in capitals", "ENTRY_SCHEMA", changed(type="System.started")),
        ("a body that is a list", "ENTRY_SCHEMA", changed(body=[])),
        ("commitments that are an object", "ENTRY_SCHEMA", changed(commitments={})),
        ("a commitment in upper-case hex", "ENTRY_SCHEMA", changed(commitments=[bad_commitment])),
        (
            "a commitment with a field too many",
            "ENTRY_SCHEMA",
            changed(commitments=[{**bad_commitment, "x": 1}]),
        ),
        (
            "a kind in capitals",
            "ENTRY_SCHEMA",
            changed(commitments=[{**good["commitments"][0], "kind": "Prompt"}]),
        ),
    ]
    later = changed(type="later.invented")
    return {
        "accept": [
            *(
                {"entry": data.decode(), "leaf_hash": leaf_hash(data).hex(), "known_type": True}
                for data in stored
            ),
            {"entry": later.decode(), "leaf_hash": leaf_hash(later).hex(), "known_type": False},
        ],
        "log": [data.decode() for data in stored],
        "refuse": [{"hex": data.hex(), "reason": reason, "why": why} for why, reason, data in refused],
    }


# --- trees ---------------------------------------------------------------------------------------------------


class Tree:
    """Over the leaves `0`, `1`, `2`, ... in ASCII."""

    def __init__(self, size: int) -> None:
        self.leaves = [leaf_hash(b"%d" % n) for n in range(size)]
        self._cache: dict[tuple[int, int], bytes] = {}

    def node(self, level: int, index: int) -> bytes:
        if level == 0:
            return self.leaves[index]
        found = self._cache.get((level, index))
        if found is None:
            found = node_hash(self.node(level - 1, 2 * index), self.node(level - 1, 2 * index + 1))
            self._cache[level, index] = found
        return found

    def root(self, size: int) -> bytes:
        return root_from_hashes(self.node(level, index) for level, index in right_edge(size))


def tree_vectors() -> Json:
    tree = Tree(max(SIZES))
    inclusion: list[Json] = [
        {
            "index": index,
            "leaf_hash": tree.leaves[index].hex(),
            "proof": [item.hex() for item in inclusion_proof(index, size, tree.node)],
            "root": tree.root(size).hex(),
            "size": size,
        }
        for size in SIZES
        for index in sorted({0, size // 2, size - 1} & set(range(size)))
    ]
    consistency: list[Json] = [
        {
            "proof": [item.hex() for item in consistency_proof(size1, size2, tree.node)],
            "root1": tree.root(size1).hex(),
            "root2": tree.root(size2).hex(),
            "size1": size1,
            "size2": size2,
        }
        for size2 in (1, 4, 7, 8, 13, 17)
        for size1 in (0, 1, 2, 3, 4, 6, 7, 8, 12, 13, 17)
        if size1 <= size2
    ]
    good, grown = inclusion[-2], consistency[-3]
    proof, path = good["proof"], grown["proof"]
    other = seed("other").hex()
    return {
        "compact_ranges": [
            {"hashes": [item.hex() for item in compact_range(size, tree.node)], "size": size}
            for size in SIZES
        ],
        "consistency": consistency,
        "consistency_refuse": [
            {**grown, "proof": path[:-1], "why": "too short"},
            {**grown, "proof": [*path, other], "why": "too long"},
            {**grown, "proof": [other, *path[1:]], "why": "another hash"},
            {**grown, "root1": other, "why": "another first root"},
            {**grown, "root2": other, "why": "another second root"},
            {**grown, "size1": grown["size2"], "size2": grown["size1"], "why": "sizes in the wrong order"},
            {**grown, "proof": [path[0][:-2], *path[1:]], "why": "a hash of 31 bytes"},
            {**consistency[0], "proof": [other], "why": "a proof where none is needed"},
            {**consistency[0], "root1": other, "why": "another root of the empty tree"},
        ],
        "inclusion": inclusion,
        "inclusion_refuse": [
            {**good, "proof": proof[:-1], "why": "too short"},
            {**good, "proof": [*proof, other], "why": "too long"},
            {**good, "proof": [other, *proof[1:]], "why": "another hash"},
            {**good, "proof": proof[::-1], "why": "in the wrong order"},
            {**good, "index": good["index"] + 1, "why": "another index"},
            {**good, "index": good["size"], "why": "an index at the size"},
            {**good, "size": good["size"] - 1, "why": "another size"},
            {**good, "leaf_hash": other, "why": "another leaf"},
            {**good, "root": other, "why": "another root"},
            {**good, "proof": [proof[0][:-2], *proof[1:]], "why": "a hash of 31 bytes"},
        ],
        "leaves": "leaf n is the decimal number n in ASCII",
        "roots": [{"root": tree.root(size).hex(), "size": size} for size in SIZES],
    }


def tile_vectors() -> Json:
    tree = Tree(max(TILED_SIZES))
    found: list[Json] = []
    for size in TILED_SIZES:
        tiles = []
        level = 0
        while size >> 8 * level:
            count = size >> 8 * level
            for index in range((count + 255) // 256):
                width = min(256, count - 256 * index)
                data = b"".join(tree.node(8 * level, 256 * index + n) for n in range(width))
                tiles.append(
                    {
                        "index": index,
                        "level": level,
                        "path": f"tile/{level}/{index:03d}" + (f".p/{width}" if width < 256 else ""),
                        "sha256": hashlib.sha256(data).hexdigest(),
                        "width": width,
                    }
                )
            level += 1
        bundles = []
        for index in range((size + 255) // 256):
            width = min(256, size - 256 * index)
            items = [b"%d" % n for n in range(256 * index, 256 * index + width)]
            data = b"".join(struct.pack(">H", len(item)) + item for item in items)
            path = f"tile/entries/{index:03d}" + (f".p/{width}" if width < 256 else "")
            bundles.append(
                {"index": index, "path": path, "sha256": hashlib.sha256(data).hexdigest(), "width": width}
            )
        found.append({"entry_bundles": bundles, "root": tree.root(size).hex(), "size": size, "tiles": tiles})
    return {"leaves": "leaf n is the decimal number n in ASCII", "trees": found}


# --- keys, checkpoints, receipts -----------------------------------------------------------------------------


def log_key() -> VerifierKey:
    return SignerKey(ORIGIN, LOG_KEY).verifier


def witness_key() -> VerifierKey:
    return VerifierKey(WITNESS, COSIGNATURE, public_bytes(WITNESS_KEY))


def key_vectors() -> Json:
    log, witness = log_key(), witness_key()
    weak = [
        bytes(32),
        b"\x01" + bytes(31),
        bytes.fromhex("ec" + "ff" * 30 + "7f"),
        bytes.fromhex("ed" + "ff" * 30 + "7f"),
    ]

    def vkey(name: str, kind: int, public: bytes) -> str:
        number = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).hexdigest()[:8]
        return f"{name}+{number}+{b64encode(bytes([kind]) + public).decode()}"

    return {
        "note_keys": [
            {
                "key_id": key.key_id.hex(),
                "name": key.name,
                "public_key": key.public_key.hex(),
                "seed": private.private_bytes_raw().hex(),
                "type": key.type,
                "verifier_key": str(key),
            }
            for key, private in ((log, LOG_KEY), (witness, WITNESS_KEY))
        ],
        "refuse": [
            {"verifier_key": vkey(ORIGIN, 1, public), "why": "weak, or not the one encoding"}
            for public in weak
        ]
        + [
            {"verifier_key": str(log).replace("+", "+0", 1), "why": "another key id"},
            {"verifier_key": vkey(ORIGIN, 2, log.public_key), "why": "an unknown type"},
            {"verifier_key": vkey("a b", 1, log.public_key), "why": "a name with a space"},
            {"verifier_key": vkey(ORIGIN, 1, log.public_key[:31]), "why": "a key of 31 bytes"},
            {"verifier_key": str(log).rstrip("=") + "\n", "why": "not base64 in its one form"},
        ],
        "reviewer_keys": [
            {"key_id": key_id(public_bytes(key)), "public_key": public_bytes(key).hex()}
            for key in (REVIEWER_KEY, LOG_KEY)
        ],
    }


def log_tree() -> tuple[list[bytes], list[bytes]]:
    stored = log_entries()
    return stored, [leaf_hash(item) for item in stored]


def _node(leaves: list[bytes], level: int, index: int) -> bytes:
    if level == 0:
        return leaves[index]
    return node_hash(_node(leaves, level - 1, 2 * index), _node(leaves, level - 1, 2 * index + 1))


def signed_head(*, size: int = 5, root: bytes | None = None, key: Ed25519PrivateKey = LOG_KEY) -> str:
    _, leaves = log_tree()
    found = root_from_hashes(_node(leaves, level, index) for level, index in right_edge(size))
    return sign_note(checkpoint_text(ORIGIN, size, root or found), [SignerKey(ORIGIN, key)])


def _cosigned(time: int = COSIGNED_AT) -> str:
    text = signed_head().rpartition("\n\n")[0] + "\n"
    return format_note(
        text, [SignerKey(ORIGIN, LOG_KEY).sign(text), cosign(WITNESS, WITNESS_KEY, text, time)]
    )


def checkpoint_vectors() -> Json:
    head, signer = signed_head(), SignerKey(ORIGIN, LOG_KEY)
    text = head.rpartition("\n\n")[0] + "\n"
    empty = checkpoint_text(ORIGIN, 0, hashlib.sha256(b"").digest())
    extended = text + "an extension line\n"

    def signed(changed: str) -> str:
        return sign_note(changed, [signer])

    def line(signature: Signature) -> str:
        return format_note(text, [signature])

    good = signer.sign(text)
    flipped = Signature(good.name, good.key_id, good.signature[:-1] + bytes([good.signature[-1] ^ 1]))
    unknown = SignerKey("other.example/log", OTHER_KEY).sign(text)
    late = _cosigned()
    broken_witness = cosign(WITNESS, WITNESS_KEY, text + "x\n", COSIGNED_AT)
    size, root = text.split("\n")[1:3]

    def case(note: str, **more: Any) -> Json:
        claim = note.split("\n")
        return {
            "cosigned_at": None,
            "note": note,
            "origin": claim[0],
            "root": claim[2],
            "size": int(claim[1]),
            **more,
        }

    return {
        "accept": [
            case(head),
            case(signed(empty)),
            case(signed(extended)),
            case(format_note(text, [unknown, good])),
            case(late, cosigned_at=COSIGNED_AT),
        ],
        "log_key": str(log_key()),
        "refuse": [
            {"note": line(flipped), "reason": "SIGNATURE", "why": "a signature with one bit flipped"},
            {"note": head.replace(f"\n{size}\n", "\n4\n", 1), "reason": "SIGNATURE", "why": "another size"},
            {
                "note": head.replace(root, b64encode(bytes(32)).decode(), 1),
                "reason": "SIGNATURE",
                "why": "another root",
            },
            {
                "note": format_note(text, [good, good]),
                "reason": "SIGNATURE",
                "why": "signed twice by one key",
            },
            {"note": format_note(text, [unknown]), "reason": "UNKNOWN_KEY", "why": "signed by nobody known"},
            {
                "note": format_note(text, [good, broken_witness]),
                "reason": "SIGNATURE",
                "why": "a known witness's cosignature does not verify",
            },
            {
                "note": signed(f"{ORIGIN}\n05\n{root}\n"),
                "reason": "CHECKPOINT_FORMAT",
                "why": "a leading zero",
            },
            {
                "note": signed(f"{ORIGIN}\n-1\n{root}\n"),
                "reason": "CHECKPOINT_FORMAT",
                "why": "a negative size",
            },
            {
                "note": signed(f"{ORIGIN}\n{2**63}\n{root}\n"),
                "reason": "CHECKPOINT_FORMAT",
                "why": "a size of 2**63",
            },
            {
                "note": signed(f"{ORIGIN}\n5\n{root[:-4]}\n"),
                "reason": "CHECKPOINT_FORMAT",
                "why": "a short root",
            },
            {"note": signed(f"{ORIGIN}\n5\n"), "reason": "CHECKPOINT_FORMAT", "why": "two lines"},
            {
                "note": signed(f"{text}\nafter an empty line\n"),
                "reason": "CHECKPOINT_FORMAT",
                "why": "an empty line",
            },
            {
                "note": signed(f"{ORIGIN}\n0\n{root}\n"),
                "reason": "CHECKPOINT_FORMAT",
                "why": "a root of the empty tree",
            },
            {"note": text, "reason": "NOTE_FORMAT", "why": "no signature"},
            {"note": head.rstrip("\n"), "reason": "NOTE_FORMAT", "why": "no newline at the end"},
            {"note": head.replace("\u2014", "-"), "reason": "NOTE_FORMAT", "why": "a hyphen for the em dash"},
            {"note": head.replace("\n", "\r\n"), "reason": "NOTE_FORMAT", "why": "carriage returns"},
            {"note": format_note(text, [good] * 101), "reason": "NOTE_FORMAT", "why": "101 signatures"},
        ],
        "witness_key": str(witness_key()),
    }


def receipt_vectors() -> Json:
    stored, leaves = log_tree()
    head = signed_head()

    def proof(index: int) -> list[bytes]:
        return inclusion_proof(index, len(stored), lambda level, place: _node(leaves, level, place))

    def receipt(index: int, path: list[bytes] | None = None, note: str = head) -> str:
        return format_receipt(index, proof(index) if path is None else path, note)

    good = receipt(2)
    first, rest = good.split("\n", 1)
    forged_leaf = encode({**json.loads(stored[2]), "body": {"tokens": 13}})
    # An entry that is honestly in a tree, under an index that it does not name.
    moved = [leaf_hash(stored[2])]
    moved_note = sign_note(checkpoint_text(ORIGIN, 1, moved[0]), [SignerKey(ORIGIN, LOG_KEY)])

    def bad(why: str, reason: str, text: str, entry: bytes = stored[2]) -> Json:
        return {"entry": entry.decode(), "reason": reason, "receipt": text, "why": why}

    return {
        "accept": [
            *(
                {"entry": data.decode(), "index": index, "receipt": receipt(index), "size": 5}
                for index, data in enumerate(stored)
            ),
            {"entry": stored[2].decode(), "index": 2, "receipt": f"{first}\nextra eA==\n{rest}", "size": 5},
            {"entry": stored[2].decode(), "index": 2, "receipt": receipt(2, note=_cosigned()), "size": 5},
        ],
        "log_key": str(log_key()),
        "refuse": [
            bad("another entry", "INCLUSION_PROOF", good, stored[3]),
            bad("an altered entry", "INCLUSION_PROOF", good, forged_leaf),
            bad("another index", "INCLUSION_PROOF", good.replace("index 2", "index 3")),
            bad("an index past the size", "INCLUSION_PROOF", good.replace("index 2", "index 5")),
            bad("a short proof", "INCLUSION_PROOF", receipt(2, proof(2)[:-1])),
            bad("a long proof", "INCLUSION_PROOF", receipt(2, [*proof(2), bytes(32)])),
            bad("another hash", "INCLUSION_PROOF", receipt(2, [bytes(32), *proof(2)[1:]])),
            bad("a head of another tree", "INCLUSION_PROOF", receipt(2, note=signed_head(root=seed("root")))),
            bad("a head by another key", "UNKNOWN_KEY", receipt(2, note=signed_head(key=OTHER_KEY))),
            bad("an entry that names another index", "RECEIPT_MISMATCH", receipt(0, [], moved_note)),
            bad("another first line", "RECEIPT_FORMAT", good.replace("@v1", "@v2", 1)),
            bad("no index", "RECEIPT_FORMAT", good.replace("index 2\n", "", 1)),
            bad("an index with a leading zero", "RECEIPT_FORMAT", good.replace("index 2", "index 02")),
            bad("an index past 2**63 - 1", "RECEIPT_FORMAT", good.replace("index 2", f"index {2**63}")),
            bad("a hash of 31 bytes", "RECEIPT_FORMAT", receipt(2, [bytes(31), *proof(2)[1:]])),
            bad("64 hashes", "RECEIPT_FORMAT", receipt(2, [bytes(32)] * 64)),
            bad("no checkpoint", "RECEIPT_FORMAT", good.partition("\n\n")[0]),
            bad("a checkpoint that is no note", "NOTE_FORMAT", good.partition("\n\n")[0] + "\n\nnothing\n"),
        ],
    }


# --- rotation of the signing key -----------------------------------------------------------------------------


class _Rotating:
    """A log that is begun by one key and goes on under others."""

    def __init__(self, origin: str = ORIGIN, key: Ed25519PrivateKey = LOG_KEY) -> None:
        self.origin, self.keys, self.stored = origin, [key], list[bytes]()

    def append(self, pending: PendingEntry) -> bytes:
        prev = leaf_hash(self.stored[-1]) if self.stored else bytes(32)
        moment = START + timedelta(seconds=len(self.stored))
        self.stored.append(encode_entry(self.origin, len(self.stored), prev, moment, pending))
        return self.stored[-1]

    def rotate(self, new: Ed25519PrivateKey, /, **changes: Any) -> str:
        old = self.keys[-1]
        before, after = (SignerKey(self.origin, key).verifier for key in (old, new))
        pending = rotating_entry(len(self.keys) + 1, before, after)
        body = {**pending.body, **changes}
        data = self.append(
            replace(pending, body={key: value for key, value in body.items() if value is not None})
        )
        self.keys.append(new)
        return self.introduction(data, old, new)

    def introduction(self, data: bytes, *keys: Ed25519PrivateKey, size: int | None = None) -> str:
        size = len(self.stored) if size is None else size
        leaves = [leaf_hash(item) for item in self.stored[:size]]
        index = json.loads(data)["index"]
        path = inclusion_proof(index, size, lambda level, place: _node(leaves, level, place))
        return format_introduction(data, path, self.head(size, *keys))

    def head(self, size: int, *keys: Ed25519PrivateKey) -> str:
        leaves = [leaf_hash(item) for item in self.stored[:size]]
        root = root_from_hashes(_node(leaves, level, place) for level, place in right_edge(size))
        return sign_note(
            checkpoint_text(self.origin, size, root), [SignerKey(self.origin, key) for key in keys]
        )


def introduction_vectors() -> Json:
    """Five entries, the second and the fourth of which replace the key; then what is none."""
    second, third = (Ed25519PrivateKey.from_private_bytes(seed(f"signing {n}")) for n in (2, 3))
    plain = PendingEntry("system.started", "system", "system", None, {"mode": "production"})
    log = _Rotating()
    log.append(plain)
    one = log.rotate(second)
    log.append(plain)
    two = log.rotate(third)
    log.append(plain)
    keys = [str(SignerKey(ORIGIN, key).verifier) for key in log.keys]
    heads = [
        *(_head(log, size, keys) for size, keys in ((1, [0]), (2, [0]), (2, [0, 1]), (2, [1]), (3, [1]))),
        *(_head(log, size, keys) for size, keys in ((4, [1, 2]), (4, [2]), (5, [2]))),
        *(
            _head(log, size, keys, "KEY_TERM")
            for size, keys in ((3, [0]), (5, [0]), (5, [1]), (1, [1]), (3, [2]))
        ),
        _head(log, 5, [0, 2], "KEY_TERM"),
    ]
    entry = log.stored[1]
    rest = one.split("\n", 2)[2]

    def alone(why: str, reason: str, text: str) -> Json:
        return {"introductions": [text], "reason": reason, "why": why}

    def odd(why: str, **changes: Any) -> Json:
        other = _Rotating()
        other.append(plain)
        return alone(why, "INTRODUCTION", other.rotate(second, **changes))

    elsewhere = _Rotating("vectors.example/elsewhere")
    elsewhere.append(plain)
    strange = _Rotating()
    strange.append(plain)
    back = _Rotating()
    back.append(plain)
    there_and_back = [back.rotate(second), back.rotate(LOG_KEY)]
    skips = _Rotating()
    skips.append(plain)
    skipped = [skips.rotate(second), skips.rotate(third, generation=4)]
    misplaced = _Rotating()
    misplaced.append(plain)
    pending = replace(rotating_entry(2, log_key(), SignerKey(ORIGIN, second).verifier), stream="keys")
    in_another_stream = misplaced.introduction(misplaced.append(pending), LOG_KEY, second)
    extra = b64encode(entry).decode()
    return {
        "heads": heads,
        "introductions": [one, two],
        "keys": keys,
        "origin": ORIGIN,
        "refuse": [
            {"introductions": [two, one], "reason": "INTRODUCTION", "why": "out of order"},
            {"introductions": [one, one], "reason": "INTRODUCTION", "why": "one twice"},
            {"introductions": skipped, "reason": "INTRODUCTION", "why": "a generation is skipped"},
            {"introductions": there_and_back, "reason": "INTRODUCTION", "why": "an earlier key comes back"},
            {
                "introductions": [strange.rotate(OTHER_KEY), two],
                "reason": "INTRODUCTION",
                "why": "the second does not follow the first",
            },
            alone("another log's", "INTRODUCTION", elsewhere.rotate(second)),
            alone("by the old key only", "INTRODUCTION", log.introduction(entry, LOG_KEY, size=2)),
            alone("by the new key only", "INTRODUCTION", log.introduction(entry, second, size=2)),
            alone("by another key", "INTRODUCTION", log.introduction(entry, OTHER_KEY, second, size=2)),
            alone("under a later head", "INTRODUCTION", log.introduction(entry, LOG_KEY, second, size=3)),
            alone("no entry", "INTRODUCTION", f"c2sp.org/tlog-proof@v1\n{rest}"),
            alone(
                "an entry that is no rotation",
                "INTRODUCTION",
                log.introduction(log.stored[0], LOG_KEY, size=1),
            ),
            alone("in another stream", "INTRODUCTION", in_another_stream),
            alone("another entry", "INTRODUCTION", one.replace(extra, b64encode(log.stored[3]).decode())),
            alone("an altered entry", "INCLUSION_PROOF", one.replace(extra, _altered(entry))),
            alone("no base64", "RECEIPT_FORMAT", one.replace("extra ", "extra !", 1)),
            odd("a generation of 1", generation=1),
            odd("a generation that is true", generation=True),
            odd("another kind", kind="kek"),
            odd("no old key", old=None),
            odd("a new key that is none", new="key"),
            odd("the old key again", new=keys[0]),
            odd("a witness's key", new=str(witness_key())),
            odd("a key of another log", new=str(SignerKey("vectors.example/elsewhere", second).verifier)),
        ],
    }


def _head(log: _Rotating, size: int, keys: list[int], reason: str | None = None) -> Json:
    return {"note": log.head(size, *(log.keys[number] for number in keys)), "reason": reason, "size": size}


def _altered(entry: bytes) -> str:
    return b64encode(encode({**json.loads(entry), "actor": "somebody"})).decode()


# --- payloads and statements ---------------------------------------------------------------------------------


def payload_vectors() -> Json:
    found: list[Json] = []
    for number, (kind, subject, content) in enumerate(
        (
            ("prompt", SUBJECT, b"Write an appointment letter."),
            ("output_final", SUBJECT, "Señora Ruiz, su cita es el lunes a las 10:00.".encode()),
            ("document", "tenant", b""),
            ("document", "tenant", bytes(range(256))),
        )
    ):
        record = f"rec_{number}"
        salt, data_key, subject_key = (
            seed(f"{name} {number}") for name in ("salt", "data key", "subject key")
        )
        nonce, wrap_nonce = seed(f"nonce {number}", 12), seed(f"wrap {number}", 12)
        aad = encode({"kind": kind, "origin": ORIGIN, "record": record, "subject": subject})
        sealed = nonce + AESGCM(data_key).encrypt(nonce, salt + content, aad)
        wrapped = wrap_nonce + AESGCM(subject_key).encrypt(wrap_nonce, data_key, aad)
        found.append(
            {
                "aad": aad.decode(),
                "ciphertext": hashlib.sha256(sealed).hexdigest(),
                "commitment": payload_commitment(kind, salt, content).hex(),
                "content": content.hex(),
                "data_key": data_key.hex(),
                "kind": kind,
                "nonce": nonce.hex(),
                "origin": ORIGIN,
                "record": record,
                "salt": salt.hex(),
                "sealed": sealed.hex(),
                "subject": subject,
                "subject_key": subject_key.hex(),
                "wrap_nonce": wrap_nonce.hex(),
                "wrapped": wrapped.hex(),
            }
        )
    good, other = found[0], found[1]
    altered = good["sealed"][:-2] + f"{int(good['sealed'][-2:], 16) ^ 1:02x}"
    rehashed = hashlib.sha256(bytes.fromhex(altered)).hexdigest()
    return {
        "accept": found,
        "refuse": [
            {**good, "sealed": altered, "reason": "CIPHERTEXT_HASH", "why": "altered sealed bytes"},
            {
                **good,
                "sealed": altered,
                "ciphertext": rehashed,
                "reason": "PAYLOAD_SEALED",
                "why": "altered, hash too",
            },
            {**good, "record": "rec_9", "reason": "PAYLOAD_SEALED", "why": "moved to another record"},
            {**good, "subject": "tenant", "reason": "PAYLOAD_SEALED", "why": "moved to another subject"},
            {**good, "kind": "document", "reason": "PAYLOAD_SEALED", "why": "as of another kind"},
            {
                **good,
                "subject_key": other["subject_key"],
                "reason": "PAYLOAD_SEALED",
                "why": "another subject's key",
            },
            {**good, "wrapped": other["wrapped"], "reason": "PAYLOAD_SEALED", "why": "another data key"},
            {
                **good,
                "commitment": other["commitment"],
                "reason": "PAYLOAD_COMMITMENT",
                "why": "another commitment",
            },
        ],
    }


def statement_vectors() -> Json:
    public = public_bytes(REVIEWER_KEY)
    base = Statement(
        origin=ORIGIN,
        inference="inf_1",
        record="rec_2",
        text_commitment="ab" * 32,
        view_commitment="cd" * 32,
        meaning=Meaning.APPROVED,
        signer="dr-rivera",
        key_id=key_id(public),
        role="clinician",
        time="2026-11-26T09:05:00.000000Z",
        nonce="n-1",
        policy_hash="ef" * 32,
        findings=1,
        disposed=1,
    )
    accepted = []
    for item in (
        base,
        replace(base, meaning=Meaning.REJECTED, disposed=0),
        replace(base, signer="Dra. Ríos"),
    ):
        accepted.append(
            {
                "message": item.message().decode(),
                "public_key": public.hex(),
                "signature": b64encode(sign_statement(item, REVIEWER_KEY)).decode(),
                "statement": item.to_json(),
            }
        )
    good = accepted[0]
    fields = base.to_json()
    signature = bytearray(sign_statement(base, REVIEWER_KEY))
    # S + L: the same signature to a verifier that does not check the order.
    order = 2**252 + 27742317777372353535851937790883648493
    malleable = bytes(signature[:32]) + (int.from_bytes(signature[32:], "little") + order).to_bytes(
        32, "little"
    )

    def shaped(why: str, **changes: Any) -> Json:
        return {**good, "reason": "STATEMENT_FORMAT", "statement": {**fields, **changes}, "why": why}

    def signed(why: str, **changes: Any) -> Json:
        return {**good, "reason": "SIGNATURE", "why": why, **changes}

    return {
        "accept": accepted,
        "refuse": [
            signed("another text", statement={**fields, "text_commitment": "00" * 32}),
            signed("another meaning", statement={**fields, "meaning": "approved_with_edits"}),
            signed("another key", public_key=public_bytes(OTHER_KEY).hex()),
            signed(
                "a signature without the tag", signature=b64encode(REVIEWER_KEY.sign(encode(fields))).decode()
            ),
            signed("a signature whose S is not reduced", signature=b64encode(malleable).decode()),
            {**good, "public_key": bytes(32).hex(), "reason": "KEY_FORMAT", "why": "a key of small order"},
            shaped("another version", v=2),
            shaped("a version that is true", v=True),
            shaped("a field too many", extra=1),
            shaped("an unknown meaning", meaning="seen"),
            shaped("a negative count", findings=-1),
            shaped("a count that is true", disposed=True),
            shaped("an empty nonce", nonce=""),
            shaped("a signer with a control character", signer="a\nb"),
            shaped("upper-case hex", policy_hash="EF" * 32),
            {**shaped("a time without microseconds", time="2026-11-26T09:05:00Z"), "reason": "ENTRY_SCHEMA"},
        ],
    }


def make() -> dict[str, bytes]:
    """File name to its bytes."""
    files = {
        "canonical.json": canonical_vectors(),
        "checkpoints.json": checkpoint_vectors(),
        "entries.json": entry_vectors(),
        "introductions.json": introduction_vectors(),
        "keys.json": key_vectors(),
        "payloads.json": payload_vectors(),
        "receipts.json": receipt_vectors(),
        "statements.json": statement_vectors(),
        "tiles.json": tile_vectors(),
        "trees.json": tree_vectors(),
    }
    return {
        name: (json.dumps(value, indent=1, sort_keys=True) + "\n").encode() for name, value in files.items()
    }


def main() -> None:
    for name, data in make().items():
        (FOLDER / name).write_bytes(data)
        print(f"{FOLDER.name}/{name}: {len(data)} bytes")


if __name__ == "__main__":
    main()

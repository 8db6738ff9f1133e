"""What is malformed or does not hold, and the one reason that each is refused with."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import pytest
from attending.ledger import checkpoint as checkpoints
from attending.ledger.canonical import encode
from attending.ledger.checkpoint import checkpoint_text, sign_checkpoint
from attending.ledger.entry import GENESIS_PREV, PendingEntry, encode_entry
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import (
    consistency_proof,
    empty_root,
    inclusion_proof,
    leaf_hash,
    node_hash,
    right_edge,
    root_from_hashes,
    verify_consistency,
    verify_inclusion,
)
from attending.ledger.note import COSIGNATURE, SignerKey, VerifierKey, cosign, format_note, sign_note
from attending.ledger.proof import format_receipt, verify_receipt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN: Final = "log.example/clinic"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"x" * 32)
WITNESS = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
WITNESS_KEY = VerifierKey("witness.example/w", COSIGNATURE, WITNESS.public_key().public_bytes_raw())
SIGNER = SignerKey(ORIGIN, KEY)
SIZE, INDEX = 11, 5


def _entry(index: int, prev: bytes, origin: str = ORIGIN) -> bytes:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=index)
    return encode_entry(
        origin, index, prev, moment, PendingEntry("system.started", "s", "test", None, {"n": index})
    )


ENTRIES: list[bytes] = []
for _index in range(SIZE):
    ENTRIES.append(_entry(_index, leaf_hash(ENTRIES[-1]) if ENTRIES else GENESIS_PREV))


def tree(entries: list[bytes]) -> Callable[[int, int], bytes]:
    def node(level: int, index: int) -> bytes:
        if level == 0:
            return leaf_hash(entries[index])
        return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))

    return node


NODE = tree(ENTRIES)
ROOTS = [root_from_hashes(NODE(*place) for place in right_edge(size)) for size in range(SIZE + 1)]
PROOF = inclusion_proof(INDEX, SIZE, NODE)
NOTE = sign_checkpoint(ORIGIN, SIZE, ROOTS[SIZE], KEY)
RECEIPT = format_receipt(INDEX, PROOF, NOTE)
TEXT = checkpoint_text(ORIGIN, SIZE, ROOTS[SIZE])


def reason(call: Callable[[], Any]) -> str:
    with pytest.raises(VerificationError) as caught:
        call()
    return caught.value.reason


# -- receipts ----------------------------------------------------------------------------------------------


def _instead(data: bytes, index: int = INDEX) -> tuple[str, bytes]:
    """An honest receipt, by the log's own key, for a tree in which `data` stands at `index`."""
    entries = [*ENTRIES[:index], data, *ENTRIES[index + 1 :]]
    node = tree(entries)
    root = root_from_hashes(node(*place) for place in right_edge(SIZE))
    note = sign_checkpoint(ORIGIN, SIZE, root, KEY)
    return format_receipt(index, inclusion_proof(index, SIZE, node), note), data


def _field(**changes: Any) -> bytes:
    return encode({**json.loads(ENTRIES[INDEX]), **changes})


RECEIPTS: dict[str, tuple[str, str | bytes, bytes]] = {
    "nothing": ("RECEIPT_FORMAT", "", ENTRIES[INDEX]),
    "not utf-8": ("RECEIPT_FORMAT", b"\xff" + RECEIPT.encode(), ENTRIES[INDEX]),
    "another version": ("RECEIPT_FORMAT", RECEIPT.replace("@v1", "@v2"), ENTRIES[INDEX]),
    "index missing": ("RECEIPT_FORMAT", RECEIPT.replace("index 5\n", ""), ENTRIES[INDEX]),
    "index spelt otherwise": ("RECEIPT_FORMAT", RECEIPT.replace("index 5", "index 05"), ENTRIES[INDEX]),
    "hash cut short": ("RECEIPT_FORMAT", RECEIPT.replace("index 5\n", "index 5\nAAEC\n"), ENTRIES[INDEX]),
    "no checkpoint": ("RECEIPT_FORMAT", RECEIPT.split("\n\n")[0], ENTRIES[INDEX]),
    "checkpoint without signature": ("NOTE_FORMAT", format_receipt(INDEX, PROOF, TEXT), ENTRIES[INDEX]),
    "checkpoint cut off": ("NOTE_FORMAT", RECEIPT[:-1], ENTRIES[INDEX]),
    "checkpoint of two lines": (
        "CHECKPOINT_FORMAT", format_receipt(INDEX, PROOF, sign_note(f"{ORIGIN}\n11\n", [SIGNER])), ENTRIES[INDEX],
    ),
    "checkpoint by a stranger": (
        "UNKNOWN_KEY",
        format_receipt(INDEX, PROOF, sign_checkpoint(ORIGIN, SIZE, ROOTS[SIZE], STRANGER)), ENTRIES[INDEX],
    ),
    "checkpoint of another log": (
        "UNKNOWN_KEY",
        format_receipt(INDEX, PROOF, sign_checkpoint("log.example/x", SIZE, ROOTS[SIZE], KEY)), ENTRIES[INDEX],
    ),
    "signed text changed": ("SIGNATURE", RECEIPT.replace("\n11\n", "\n12\n"), ENTRIES[INDEX]),
    "signed twice": ("SIGNATURE", RECEIPT + RECEIPT.splitlines()[-1] + "\n", ENTRIES[INDEX]),
    "another index": ("INCLUSION_PROOF", RECEIPT.replace("index 5", "index 4"), ENTRIES[INDEX]),
    "index past the size": ("INCLUSION_PROOF", RECEIPT.replace("index 5", "index 11"), ENTRIES[INDEX]),
    "proof too short": ("INCLUSION_PROOF", format_receipt(INDEX, PROOF[:-1], NOTE), ENTRIES[INDEX]),
    "proof too long": ("INCLUSION_PROOF", format_receipt(INDEX, [*PROOF, PROOF[0]], NOTE), ENTRIES[INDEX]),
    "proof reordered": ("INCLUSION_PROOF", format_receipt(INDEX, PROOF[::-1], NOTE), ENTRIES[INDEX]),
    "another entry": ("INCLUSION_PROOF", RECEIPT, ENTRIES[INDEX - 1]),
    "a byte more": ("INCLUSION_PROOF", RECEIPT, ENTRIES[INDEX] + b" "),
    "entry names another place": ("RECEIPT_MISMATCH", *_instead(ENTRIES[INDEX - 1])),
    "entry of another log": (
        "RECEIPT_MISMATCH", *_instead(_entry(INDEX, leaf_hash(ENTRIES[INDEX - 1]), "log.example/x")),
    ),
    "entry not canonical": ("CANONICAL_FORM", *_instead(ENTRIES[INDEX].replace(b'"v":1', b'"v": 1'))),
    "entry no json": ("CANONICAL_FORM", *_instead(b"\x00")),
    "entry lacks a field": ("ENTRY_SCHEMA", *_instead(encode({"v": 1}))),
    "entry with a float": ("CANONICAL_FORM", *_instead(ENTRIES[INDEX].replace(b'"n":5', b'"n":5.0'))),
    "entry of a later version": ("UNKNOWN_VERSION", *_instead(_field(v=2))),
    "entry too large": ("ENTRY_TOO_LARGE", *_instead(ENTRIES[INDEX] + b" " * 65_536)),
}  # fmt: skip


@pytest.mark.parametrize(("expected", "receipt", "entry"), RECEIPTS.values(), ids=RECEIPTS)
def test_receipt_is_refused_with_its_reason(expected: str, receipt: str | bytes, entry: bytes) -> None:
    assert verify_receipt(RECEIPT, ENTRIES[INDEX], [SIGNER.verifier]).size == SIZE
    assert reason(lambda: verify_receipt(receipt, entry, [SIGNER.verifier])) == expected


def test_every_flipped_byte_of_a_receipt_is_refused_for_what_it_hits() -> None:
    data = RECEIPT.encode()
    signatures = data.rindex(b"\n\n") + 1
    checkpoint = data.index(b"\n\n") + 1
    allowed = {
        "proof": {"RECEIPT_FORMAT", "INCLUSION_PROOF"},
        "text": {"RECEIPT_FORMAT", "NOTE_FORMAT", "CHECKPOINT_FORMAT", "UNKNOWN_KEY", "SIGNATURE"},
        "signatures": {"RECEIPT_FORMAT", "NOTE_FORMAT", "CHECKPOINT_FORMAT", "UNKNOWN_KEY", "SIGNATURE"},
    }
    for at in range(len(data)):
        region = "proof" if at < checkpoint else "text" if at < signatures else "signatures"
        for flip in (0x01, 0x20, 0x80):
            changed = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
            found = reason(partial(verify_receipt, changed, ENTRIES[INDEX], [SIGNER.verifier]))
            # Without its blank line the proof runs into the checkpoint, or the other way round.
            if at not in (checkpoint - 1, checkpoint):
                assert found in allowed[region], (at, flip)


# -- checkpoints -------------------------------------------------------------------------------------------


def _cosigned(key: Ed25519PrivateKey, text: str = TEXT, seconds: int = 1_700_000_000) -> str:
    return format_note(TEXT, [SIGNER.sign(TEXT), cosign(WITNESS_KEY.name, key, text, seconds)])


CHECKPOINTS: dict[str, tuple[str, str | bytes]] = {
    "nothing": ("NOTE_FORMAT", b""),
    "text alone": ("NOTE_FORMAT", TEXT),
    "carriage returns": ("NOTE_FORMAT", NOTE.replace("\n", "\r\n")),
    "utf-16": ("NOTE_FORMAT", NOTE.encode("utf-16")),
    "size with a plus": ("CHECKPOINT_FORMAT", sign_note(TEXT.replace("\n11\n", "\n+11\n"), [SIGNER])),
    "size past 2**63": ("CHECKPOINT_FORMAT", sign_note(TEXT.replace("\n11\n", f"\n{2**63}\n"), [SIGNER])),
    "root of 31 bytes": (
        "CHECKPOINT_FORMAT", sign_note(f"{ORIGIN}\n11\n{b64encode(bytes(31)).decode()}\n", [SIGNER]),
    ),
    "root in url base64": (
        "CHECKPOINT_FORMAT", sign_note(f"{ORIGIN}\n11\n{'_' * 43}=\n", [SIGNER]),
    ),
    "empty tree with a root": ("CHECKPOINT_FORMAT", sign_checkpoint(ORIGIN, 0, ROOTS[1], KEY)),
    "stranger": ("UNKNOWN_KEY", sign_checkpoint(ORIGIN, SIZE, ROOTS[SIZE], STRANGER)),
    "witness alone": ("UNKNOWN_KEY", format_note(TEXT, [cosign(WITNESS_KEY.name, WITNESS, TEXT, 1)])),
    "forked head": ("SIGNATURE", NOTE.replace(b64encode(ROOTS[SIZE]).decode(), b64encode(ROOTS[3]).decode())),
    "key id of the log, signature of a stranger": (
        "SIGNATURE", NOTE.replace(NOTE.splitlines()[-1], f"\u2014 {ORIGIN} "
        + b64encode(SIGNER.verifier.key_id + STRANGER.sign(TEXT.encode())).decode()),
    ),
    "not cosigned": ("WITNESS_QUORUM", NOTE),
    "cosigned by a stranger": ("WITNESS_QUORUM", _cosigned(STRANGER)),
    "cosignature of another text": ("SIGNATURE", _cosigned(WITNESS, checkpoint_text(ORIGIN, 12, ROOTS[SIZE]))),
}  # fmt: skip


@pytest.mark.parametrize(("expected", "note"), CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_checkpoint_is_refused_with_its_reason(expected: str, note: str | bytes) -> None:
    def verify(item: str | bytes) -> Any:
        return checkpoints.verify(item, [SIGNER.verifier], witnesses=[WITNESS_KEY], quorum=1)

    assert verify(_cosigned(WITNESS)).size == SIZE
    assert reason(lambda: verify(note)) == expected


# -- proofs ------------------------------------------------------------------------------------------------

PROOFS: dict[str, tuple[Any, ...]] = {
    "index at the size": (leaf_hash(ENTRIES[INDEX]), SIZE, SIZE, PROOF, ROOTS[SIZE]),
    "negative index": (leaf_hash(ENTRIES[INDEX]), -1, SIZE, PROOF, ROOTS[SIZE]),
    "size past 2**63": (leaf_hash(ENTRIES[INDEX]), INDEX, 2**63, PROOF, ROOTS[SIZE]),
    "another size": (leaf_hash(ENTRIES[INDEX]), INDEX, SIZE + 8, PROOF, ROOTS[SIZE]),
    "another root": (leaf_hash(ENTRIES[INDEX]), INDEX, SIZE, PROOF, ROOTS[SIZE - 1]),
    "node for a leaf": (NODE(1, 2), INDEX, SIZE, PROOF, ROOTS[SIZE]),
    "leaf hash of 31 bytes": (leaf_hash(ENTRIES[INDEX])[1:], INDEX, SIZE, PROOF, ROOTS[SIZE]),
    "hash of 33 bytes": (leaf_hash(ENTRIES[INDEX]), INDEX, SIZE, [PROOF[0] + b"x", *PROOF[1:]], ROOTS[SIZE]),
    "no list": (leaf_hash(ENTRIES[INDEX]), INDEX, SIZE, None, ROOTS[SIZE]),
    "bool for a size": (leaf_hash(ENTRIES[0]), False, True, [], leaf_hash(ENTRIES[0])),
}  # fmt: skip


@pytest.mark.parametrize("arguments", PROOFS.values(), ids=PROOFS)
def test_inclusion_proof_is_refused_with_its_reason(arguments: tuple[Any, ...]) -> None:
    verify_inclusion(leaf_hash(ENTRIES[INDEX]), INDEX, SIZE, PROOF, ROOTS[SIZE])
    assert reason(lambda: verify_inclusion(*arguments)) == "INCLUSION_PROOF"


GROWTH = consistency_proof(6, SIZE, NODE)
CONSISTENCIES: dict[str, tuple[Any, ...]] = {
    "sizes swapped": (SIZE, 6, ROOTS[SIZE], ROOTS[6], GROWTH),
    "roots swapped": (6, SIZE, ROOTS[SIZE], ROOTS[6], GROWTH),
    "rewritten prefix": (6, SIZE, ROOTS[5], ROOTS[SIZE], GROWTH),
    "rewritten whole": (6, SIZE, ROOTS[6], ROOTS[SIZE - 1], GROWTH),
    "proof cut": (6, SIZE, ROOTS[6], ROOTS[SIZE], GROWTH[:-1]),
    "proof empty": (6, SIZE, ROOTS[6], ROOTS[SIZE], []),
    "proof extended": (6, SIZE, ROOTS[6], ROOTS[SIZE], [*GROWTH, GROWTH[0]]),
    "two roots of one size": (6, 6, ROOTS[6], ROOTS[5], []),
    "proof where none is due": (6, 6, ROOTS[6], ROOTS[6], GROWTH),
    "empty tree with a root": (0, SIZE, ROOTS[1], ROOTS[SIZE], []),
    "proof from the empty tree": (0, SIZE, empty_root(), ROOTS[SIZE], GROWTH),
    "text for a size": ("6", SIZE, ROOTS[6], ROOTS[SIZE], GROWTH),
}  # fmt: skip


@pytest.mark.parametrize("arguments", CONSISTENCIES.values(), ids=CONSISTENCIES)
def test_consistency_proof_is_refused_with_its_reason(arguments: tuple[Any, ...]) -> None:
    verify_consistency(6, SIZE, ROOTS[6], ROOTS[SIZE], GROWTH)
    assert reason(lambda: verify_consistency(*arguments)) == "CONSISTENCY_PROOF"

"""Receipts: format, verification, and nothing else than the entry they were issued for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from attending.ledger.checkpoint import sign_checkpoint
from attending.ledger.entry import GENESIS_PREV, PendingEntry, encode_entry
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import inclusion_proof, leaf_hash, node_hash, right_edge, root_from_hashes
from attending.ledger.note import SignerKey
from attending.ledger.proof import format_receipt, parse_receipt, verify_receipt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

ORIGIN = "log.example/clinic"
SIGNER = SignerKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"k" * 32))
SIZE = 11


def _entries(origin: str = ORIGIN) -> list[bytes]:
    entries: list[bytes] = []
    for index in range(SIZE):
        pending = PendingEntry("system.started", f"s{index}", "test", None, {"n": index})
        prev = leaf_hash(entries[-1]) if entries else GENESIS_PREV
        time = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=index)
        entries.append(encode_entry(origin, index, prev, time, pending))
    return entries


ENTRIES = _entries()


def node(level: int, index: int) -> bytes:
    if level == 0:
        return leaf_hash(ENTRIES[index])
    return node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))


ROOT = root_from_hashes(node(level, index) for level, index in right_edge(SIZE))
NOTE = sign_checkpoint(ORIGIN, SIZE, ROOT, SIGNER.private_key)
RECEIPTS = [format_receipt(index, inclusion_proof(index, SIZE, node), NOTE) for index in range(SIZE)]
KEYS = [SIGNER.verifier]


def test_every_receipt_verifies_its_entry_and_no_other() -> None:
    for index, receipt in enumerate(RECEIPTS):
        head = verify_receipt(receipt, ENTRIES[index], KEYS)
        assert (head.size, head.root) == (SIZE, ROOT)
        assert verify_receipt(receipt.encode(), ENTRIES[index], [str(SIGNER.verifier)]) == head
        for other in range(SIZE):
            if other != index:
                with pytest.raises(VerificationError):
                    verify_receipt(receipt, ENTRIES[other], KEYS)


def test_format_is_that_of_the_specification() -> None:
    lines = RECEIPTS[3].split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 3"]
    blank = lines.index("")
    assert len(lines[2:blank]) == len(inclusion_proof(3, SIZE, node))
    assert "\n".join(lines[blank + 1 :]) == NOTE
    parsed = parse_receipt(RECEIPTS[3])
    assert format_receipt(parsed.index, parsed.hashes, parsed.checkpoint) == RECEIPTS[3]


def test_extra_data_is_allowed_and_not_trusted() -> None:
    extra = RECEIPTS[3].replace("\nindex", "\nextra AAEC\nindex", 1)
    assert replace(parse_receipt(extra), extra=None) == parse_receipt(RECEIPTS[3])
    assert parse_receipt(extra).extra == b"\0\1\2"
    verify_receipt(extra, ENTRIES[3], KEYS)


@given(st.integers(0, SIZE - 1), st.data())
def test_any_flipped_byte_fails(index: int, data: st.DataObject) -> None:
    receipt, entry = bytearray(RECEIPTS[index].encode()), bytearray(ENTRIES[index])
    target = data.draw(st.sampled_from([receipt, entry]))
    target[data.draw(st.integers(0, len(target) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(VerificationError):
        verify_receipt(bytes(receipt), bytes(entry), KEYS)


MALFORMED = {
    "empty": "",
    "other version": RECEIPTS[3].replace("@v1", "@v2"),
    "no index": RECEIPTS[3].replace("index 3\n", ""),
    "leading zero": RECEIPTS[3].replace("index 3", "index 03"),
    "negative": RECEIPTS[3].replace("index 3", "index -3"),
    "huge index": RECEIPTS[3].replace("index 3", "index 9999999999999999999"),
    "very huge index": RECEIPTS[3].replace("index 3", "index " + "9" * 5000),
    "extra not base64": RECEIPTS[3].replace("\nindex", "\nextra !\nindex", 1),
    "two extras": RECEIPTS[3].replace("\nindex", "\nextra AAEC\nextra AAEC\nindex", 1),
    "hash too short": RECEIPTS[3].replace("index 3\n", "index 3\nAAEC\n"),
    "too many hashes": RECEIPTS[3].replace(
        "index 3\n", "index 3\n" + "A" * 43 + "=\n" * 1 + ("A" * 43 + "=\n") * 63
    ),
    "carriage returns": RECEIPTS[3].replace("\n", "\r\n"),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_malformed_receipt_is_refused(text: str) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_receipt(text)
    assert caught.value.reason == "RECEIPT_FORMAT"
    with pytest.raises(VerificationError):
        verify_receipt(text, ENTRIES[3], KEYS)


def test_entry_of_another_log_in_the_tree_is_refused() -> None:
    foreign = _entries("log.example/elsewhere")[0]
    root = leaf_hash(foreign)
    receipt = format_receipt(0, [], sign_checkpoint(ORIGIN, 1, root, SIGNER.private_key))
    with pytest.raises(VerificationError) as caught:
        verify_receipt(receipt, foreign, KEYS)
    assert caught.value.reason == "RECEIPT_MISMATCH"


def test_unknown_log_key_is_refused() -> None:
    stranger = SignerKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"x" * 32))
    with pytest.raises(VerificationError) as caught:
        verify_receipt(RECEIPTS[0], ENTRIES[0], [stranger.verifier])
    assert caught.value.reason == "UNKNOWN_KEY"

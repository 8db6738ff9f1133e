"""Checkpoints: the only way to a Checkpoint is through verification."""

from __future__ import annotations

import base64
import hashlib

import pytest
from attending.ledger.checkpoint import (
    Checkpoint,
    checkpoint_text,
    parse_checkpoint,
    sign_checkpoint,
    verify,
)
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import empty_root, leaf_hash
from attending.ledger.note import (
    COSIGNATURE,
    SignerKey,
    VerifierKey,
    cosign,
    format_note,
    parse_note,
    sign_note,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "log.example/clinic"
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
SIGNER = SignerKey(ORIGIN, KEY)
ROOT = leaf_hash(b"x")
TEXT = checkpoint_text(ORIGIN, 1, ROOT)
WITNESSES = [Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in range(3)]
WITNESS_KEYS = [
    VerifierKey(f"w{number}.example", COSIGNATURE, key.public_key().public_bytes_raw())
    for number, key in enumerate(WITNESSES)
]


def test_text_is_three_lines() -> None:
    root = base64.b64encode(hashlib.sha256(b"\0x").digest()).decode()
    assert f"{ORIGIN}\n1\n{root}\n" == TEXT


def test_signed_head_verifies_to_what_was_signed() -> None:
    head = verify(sign_checkpoint(ORIGIN, 1, ROOT, KEY), [SIGNER.verifier])
    assert (head.origin, head.size, head.root, head.cosigned) == (ORIGIN, 1, ROOT, ())


def test_a_checkpoint_cannot_be_made_without_verifying() -> None:
    note = parse_note(sign_checkpoint(ORIGIN, 1, ROOT, KEY))
    for token in (None, object(), True):
        with pytest.raises(TypeError):
            Checkpoint(ORIGIN, 1, ROOT, note, (), token)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{ORIGIN}\n01\n{TEXT.splitlines()[2]}\n", "CHECKPOINT_FORMAT"),
        (f"{ORIGIN}\n+1\n{TEXT.splitlines()[2]}\n", "CHECKPOINT_FORMAT"),
        (f"{ORIGIN}\n-1\n{TEXT.splitlines()[2]}\n", "CHECKPOINT_FORMAT"),
        (f"{ORIGIN}\n\u0661\n{TEXT.splitlines()[2]}\n", "CHECKPOINT_FORMAT"),
        (f"{ORIGIN}\n9999999999999999999\n{TEXT.splitlines()[2]}\n", "CHECKPOINT_FORMAT"),
        (f"{ORIGIN}\n{'9' * 5000}\n{TEXT.splitlines()[2]}\n", "CHECKPOINT_FORMAT"),
        (f"{ORIGIN}\n1\nAAAA\n", "CHECKPOINT_FORMAT"),
        (f"{ORIGIN}\n1\n", "CHECKPOINT_FORMAT"),
        (f"{ORIGIN}\n\n{TEXT.splitlines()[2]}\n", "CHECKPOINT_FORMAT"),
        (f"{TEXT}\nextension after an empty line\n", "CHECKPOINT_FORMAT"),
        (checkpoint_text(ORIGIN, 0, ROOT), "CHECKPOINT_FORMAT"),
        (checkpoint_text("log.example/other", 1, ROOT), "UNKNOWN_KEY"),
    ],
)
def test_signed_text_that_is_no_head_of_this_log(text: str, reason: str) -> None:
    with pytest.raises(VerificationError) as caught:
        verify(sign_note(text, [SIGNER]), [SIGNER.verifier])
    assert caught.value.reason == reason


def test_extension_lines_are_signed_and_ignored() -> None:
    assert verify(sign_note(TEXT + "extension\n", [SIGNER]), [SIGNER.verifier]).size == 1


def test_empty_log_has_the_empty_root() -> None:
    assert verify(sign_checkpoint(ORIGIN, 0, empty_root(), KEY), [SIGNER.verifier]).size == 0


def test_other_keys_and_types_do_not_sign_for_the_log() -> None:
    stranger = SignerKey(ORIGIN, WITNESSES[0])
    note = sign_note(TEXT, [stranger])
    for keys in ([SIGNER.verifier], [], [VerifierKey(ORIGIN, COSIGNATURE, SIGNER.verifier.public_key)]):
        with pytest.raises(VerificationError) as caught:
            verify(note, keys)
        assert caught.value.reason == "UNKNOWN_KEY"
    renamed = SignerKey("log.example/other", KEY)
    with pytest.raises(VerificationError):
        verify(sign_note(TEXT, [renamed]), [renamed.verifier])


def _cosigned(*numbers: int) -> str:
    signatures = [cosign(f"w{number}.example", WITNESSES[number], TEXT, 1000 + number) for number in numbers]
    return format_note(TEXT, [SIGNER.sign(TEXT), *signatures])


def test_quorum_counts_distinct_known_witnesses() -> None:
    head = verify(_cosigned(0, 2), [SIGNER.verifier], witnesses=WITNESS_KEYS, quorum=2)
    assert head.cosigned == (("w0.example", 1000), ("w2.example", 1002))
    with pytest.raises(VerificationError) as caught:
        verify(_cosigned(0, 2), [SIGNER.verifier], witnesses=WITNESS_KEYS, quorum=3)
    assert caught.value.reason == "WITNESS_QUORUM"
    with pytest.raises(VerificationError):
        verify(_cosigned(0), [SIGNER.verifier], witnesses=WITNESS_KEYS[1:], quorum=1)
    with pytest.raises(VerificationError):
        verify(_cosigned(0, 0), [SIGNER.verifier], witnesses=WITNESS_KEYS, quorum=2)
    # one witness under two names is one witness
    alias = VerifierKey("alias.example", COSIGNATURE, WITNESS_KEYS[0].public_key)
    both = [cosign("w0.example", WITNESSES[0], TEXT, 1), cosign("alias.example", WITNESSES[0], TEXT, 1)]
    note = format_note(TEXT, [SIGNER.sign(TEXT), *both])
    with pytest.raises(VerificationError):
        verify(note, [SIGNER.verifier], witnesses=[WITNESS_KEYS[0], alias], quorum=2)


def test_a_witness_alone_does_not_make_a_head() -> None:
    note = format_note(TEXT, [cosign("w0.example", WITNESSES[0], TEXT, 1)])
    with pytest.raises(VerificationError):
        verify(note, [SIGNER.verifier], witnesses=WITNESS_KEYS, quorum=1)


def test_claim_and_head_are_different_types() -> None:
    claim = parse_checkpoint(sign_checkpoint(ORIGIN, 1, ROOT, KEY))
    assert not isinstance(claim, Checkpoint)
    assert verify(claim, [SIGNER.verifier]).root == claim.root

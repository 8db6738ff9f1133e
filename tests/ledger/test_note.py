"""Signed notes: a published example, the specification's rules, and Ed25519 against Wycheproof."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from attending.ledger.ed25519 import _FIELD_PRIME, _ORDER_8_Y, _SMALL_ORDER_Y, key_id, verify_ed25519
from attending.ledger.errors import VerificationError
from attending.ledger.note import (
    COSIGNATURE,
    ED25519,
    SignerKey,
    VerifierKey,
    cosign,
    decode_base64,
    format_note,
    parse_note,
    sign_note,
    verify_note,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

# The example of golang.org/x/mod/sumdb/note, whose format the specification takes over.
GO_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_SIGNER = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
WYCHEPROOF = Path(__file__).parents[3] / "shared/vectors/wycheproof/ed25519_test.json"
SIGNER = SignerKey("log.example/a", Ed25519PrivateKey.from_private_bytes(b"k" * 32))
WITNESS = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
TEXT = "log.example/a\n1\nlines\n"


def test_published_note_is_verified_and_reproduced() -> None:
    key = VerifierKey.parse(GO_VERIFIER)
    assert str(key) == GO_VERIFIER
    note = parse_note(GO_NOTE)
    assert verify_note(note, [key]) == {key: None}
    signer = SignerKey.parse(GO_SIGNER)
    assert signer.verifier == key
    assert signer.secret_text() == GO_SIGNER
    assert sign_note(note.text, [signer]) == GO_NOTE
    assert "AYEK" not in repr(signer)


def test_key_id_is_that_of_the_specification() -> None:
    public = SIGNER.verifier.public_key
    for kind in (ED25519, COSIGNATURE):
        expected = hashlib.sha256(b"log.example/a\n" + bytes([kind]) + public).digest()[:4]
        assert VerifierKey("log.example/a", kind, public).key_id == expected
    assert key_id(public) == hashlib.sha256(public).hexdigest()[:16]


@pytest.mark.skipif(not WYCHEPROOF.is_file(), reason="Wycheproof vectors are not on this machine")
def test_wycheproof_ed25519() -> None:
    cases = json.loads(WYCHEPROOF.read_text())
    checked = 0
    for group in cases["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            if case["result"] == "valid":
                verify_ed25519(public, message, signature)
            else:
                with pytest.raises(VerificationError):
                    verify_ed25519(public, message, signature)
            checked += 1
    assert checked == cases["numberOfTests"]


def test_points_of_small_order_are_those_of_the_curve() -> None:
    # On -x^2 + y^2 = 1 + d x^2 y^2 a point doubles to y = 0 (order 4) when x^2 = -y^2: 2 y^2 = 1 - d y^4.
    p = _FIELD_PRIME
    d = -121665 * pow(121666, -1, p) % p
    assert (2 * _ORDER_8_Y**2 - 1 + d * _ORDER_8_Y**4) % p == 0
    assert {0, 1, p - 1, _ORDER_8_Y, p - _ORDER_8_Y} == _SMALL_ORDER_Y


@pytest.mark.parametrize("y", [*sorted(_SMALL_ORDER_Y), _FIELD_PRIME, _FIELD_PRIME + 1, 2**255 - 1])
@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_weak_public_keys_are_refused(y: int, sign: int) -> None:
    weak = (y | sign).to_bytes(32, "little")
    # Under the identity as public key, (R = identity, S = 0) fits every message.
    forged = (1).to_bytes(32, "little") + bytes(32)
    with pytest.raises(VerificationError) as caught:
        verify_ed25519(weak, b"any message", forged)
    assert caught.value.reason == "KEY_FORMAT"
    with pytest.raises(VerificationError):
        VerifierKey("log.example/a", ED25519, weak)


def test_unknown_keys_are_ignored_and_a_known_key_must_verify() -> None:
    other = SignerKey("log.example/b", Ed25519PrivateKey.from_private_bytes(b"o" * 32))
    note = parse_note(sign_note(TEXT, [SIGNER, other]))
    assert verify_note(note, [SIGNER.verifier]) == {SIGNER.verifier: None}
    assert verify_note(note, [SIGNER.verifier, other.verifier]).keys() == {SIGNER.verifier, other.verifier}
    assert verify_note(note, []) == {}
    same_name = SignerKey("log.example/a", Ed25519PrivateKey.from_private_bytes(b"x" * 32))
    assert verify_note(note, [same_name.verifier]) == {}
    signed = SIGNER.sign("another text\n")
    with pytest.raises(VerificationError) as caught:
        verify_note(
            parse_note(format_note(TEXT, [other.sign(TEXT), signed])), [SIGNER.verifier, other.verifier]
        )
    assert caught.value.reason == "SIGNATURE"
    with pytest.raises(VerificationError):
        verify_note(parse_note(format_note(TEXT, [SIGNER.sign(TEXT)] * 2)), [SIGNER.verifier])


def test_cosignature_carries_its_time() -> None:
    key = VerifierKey("w.example", COSIGNATURE, WITNESS.public_key().public_bytes_raw())
    signature = cosign("w.example", WITNESS, TEXT, 1679315147)
    assert verify_note(parse_note(format_note(TEXT, [signature])), [key]) == {key: 1679315147}
    WITNESS.public_key().verify(signature.signature[8:], b"cosignature/v1\ntime 1679315147\n" + TEXT.encode())
    for forged in (
        (1679315148).to_bytes(8, "big") + signature.signature[8:],
        signature.signature[8:],
        (2**63).to_bytes(8, "big") + signature.signature[8:],
        WITNESS.sign(TEXT.encode()),
    ):
        with pytest.raises(VerificationError):
            key.verify(TEXT, forged)
    as_log_key = VerifierKey("w.example", ED25519, key.public_key)
    assert verify_note(parse_note(format_note(TEXT, [signature])), [as_log_key]) == {}


GOOD = sign_note(TEXT, [SIGNER])
LINE = GOOD.split("\n")[-2]
MALFORMED = {
    "empty": "",
    "no signatures": TEXT + "\n",
    "no blank line": TEXT + LINE + "\n",
    "no last newline": GOOD[:-1],
    "hyphen instead of dash": GOOD.replace("\u2014", "-"),
    "two spaces": GOOD.replace("\u2014 ", "\u2014  "),
    "name with plus": GOOD.replace("\u2014 log", "\u2014 l+g"),
    "name with unicode space": GOOD.replace("\u2014 log", "\u2014 l\u00a0g"),
    "base64 not padded": GOOD.replace("=", ""),
    "base64 url": GOOD.replace(LINE[-12:-2], "_-" * 5),
    "signature of four bytes": TEXT + "\n\u2014 log.example/a AAAAAA==\n",
    "control character": GOOD.replace("lines", "li\tnes"),
    "carriage return": GOOD.replace("lines", "lines\r"),
    "nul": GOOD.replace("lines", "li\0nes"),
    "surrogate": GOOD.replace("lines", "\ud800"),
    "trailing text": GOOD + "more\n",
    "too many": TEXT + "\n" + (LINE + "\n") * 101,
    "too long": "x" * 1_000_001,
}  # fmt: skip


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_malformed_note_is_refused(text: str) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_note(text)
    assert caught.value.reason == "NOTE_FORMAT"


def test_bytes_are_read_as_utf8_only() -> None:
    assert parse_note(GOOD.encode()) == parse_note(GOOD)
    with pytest.raises(VerificationError):
        parse_note(GOOD.encode()[:-1] + b"\xff\n")


@given(st.integers(0, len(GOOD.encode()) - 1), st.integers(1, 255))
def test_any_flipped_byte_of_a_note_leaves_it_unsigned(position: int, flip: int) -> None:
    data = bytearray(GOOD.encode())
    data[position] ^= flip
    try:
        signed = verify_note(parse_note(bytes(data)), [SIGNER.verifier])
    except VerificationError:
        return
    assert signed == {}


@given(st.text(max_size=40) | st.binary(max_size=40))
def test_any_input_is_a_note_or_the_one_error(data: str | bytes) -> None:
    with pytest.raises(VerificationError):
        parse_note(data)


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "a+b", "a+00000000+AAAA", GO_VERIFIER[:-1], GO_VERIFIER.replace("c74f20a3", "c74f20a4"),
        GO_VERIFIER.replace("PeterNeumann", "Peter Neumann"), GO_VERIFIER.replace("+ARpc", "+Ahpc"),
        GO_SIGNER.replace("c74f20a3", "c74f20a4"),
        "+".join(["PRIVATE", "KEY", "x", "00000000", base64.b64encode(b"\x01" * 33).decode()]),
    ],
)  # fmt: skip
def test_malformed_keys_are_refused_without_being_quoted(text: str) -> None:
    for parse in (VerifierKey.parse, SignerKey.parse):
        with pytest.raises(VerificationError) as caught:
            parse(text)
        assert caught.value.reason == "KEY_FORMAT"
        assert "AYEKF" not in str(caught.value)


def test_base64_has_one_form() -> None:
    assert decode_base64("AA==") == b"\0"
    for text in ("AB==", "AA", "AA==\n", " AA==", "AA=", "A-__", "\u0661A==", "AA==AA=="):
        assert decode_base64(text) is None

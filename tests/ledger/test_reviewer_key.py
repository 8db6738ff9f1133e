"""Keys that sign reviews: an assertion holds in one way only, and a key has one encoding and one algorithm."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from attending.ledger.ed25519 import public_bytes
from attending.ledger.errors import VerificationError
from attending.ledger.reviewer_key import (
    Algorithm,
    Proof,
    ReviewerKey,
    parse_proof,
    parse_reviewer_key,
    reviewer_key_of,
)
from attending.ledger.webauthn import Assertion, decode_base64url, encode_base64url
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tests.authenticator import EXTENDED, ORIGIN, PRESENT, VERIFIED, Credential, documents

MESSAGE = b"attending-review-signature/1\n{}"


def reason(key: ReviewerKey, proof: Proof, message: bytes = MESSAGE) -> str:
    try:
        key.verify(message, proof)
    except VerificationError as err:
        return err.reason
    return "ok"


def challenge(message: bytes = MESSAGE) -> bytes:
    return hashlib.sha256(message).digest()


@pytest.mark.parametrize("ed25519", [True, False])
def test_an_assertion_is_refused_for_each_thing_that_it_must_say(ed25519: bool) -> None:
    passkey = Credential.new(ed25519=ed25519)
    key = passkey.enrolled
    good: list[dict[str, Any]] = [
        {},
        {"flags": 0x1D},  # synchronised
        {"flags": PRESENT | VERIFIED | EXTENDED, "tail": b"\xa0"},
        {"crossOrigin": False},
        {"other_keys_can_be_added_here": "by a browser of later years"},
    ]
    for more in good:
        assert reason(key, passkey.prove(challenge(), **more)) == "ok", more
    bad: list[dict[str, Any]] = [
        {"flags": VERIFIED},
        {"flags": PRESENT},
        {"flags": PRESENT | VERIFIED | 0x40},
        {"flags": PRESENT | VERIFIED | EXTENDED},
        {"tail": b"\xa0"},
        {"rp_id": "localhost.evil.example"},
        {"origin": f"{ORIGIN}/"},
        {"origin": "http://localhost"},
        {"origin": "https://localhost:8799"},
        {"origin": None},
        {"origin": [ORIGIN]},
        {"type_": "webauthn.create"},
        {"type_": "payment.get"},
        {"crossOrigin": True},
        {"crossOrigin": 0},
        {"topOrigin": "https://ehr.example"},
        {"challenge": encode_base64url(challenge()) + "="},
        {"challenge": encode_base64url(challenge()[:16])},
        {"challenge": ""},
    ]
    for faults in bad:
        assert reason(key, passkey.prove(challenge(), **faults)) == "ASSERTION", faults
    # Everything is right, for another statement.
    assert reason(key, passkey.prove(challenge(b"another"))) == "ASSERTION"
    # Everything is right, by another passkey.
    assert reason(key, Credential.new(ed25519=ed25519).prove(challenge())) == "SIGNATURE"
    assert reason(key, Proof(passkey.sign(MESSAGE))) == "ASSERTION"


def test_in_a_frame_it_counts_where_the_enrolment_names_the_page() -> None:
    passkey = Credential.new()
    key = replace(passkey.enrolled, top_origins=("https://ehr.example",))
    framed = {"crossOrigin": True, "topOrigin": "https://ehr.example"}
    assert reason(key, passkey.prove(challenge(), **framed)) == "ok"
    assert reason(key, passkey.prove(challenge())) == "ok"
    assert reason(passkey.enrolled, passkey.prove(challenge(), **framed)) == "ASSERTION"
    for other in (
        {"crossOrigin": True},
        {"crossOrigin": True, "topOrigin": "https://evil.example"},
        {"crossOrigin": True, "topOrigin": "https://ehr.example/"},
        {"crossOrigin": True, "topOrigin": ["https://ehr.example"]},
        {"crossOrigin": 1, "topOrigin": "https://ehr.example"},
        {"crossOrigin": False, "topOrigin": "https://ehr.example"},
    ):
        assert reason(key, passkey.prove(challenge(), **other)) == "ASSERTION", other
    assert parse_reviewer_key(key.to_json()) == key
    assert "top_origins" not in passkey.enrolled.to_json()


@pytest.mark.parametrize(
    "wrong",
    [
        "https://ehr.example",
        ["http://ehr.example"],
        ["https://ehr.example/"],
        ["https://*.ehr.example"],
        ["*"],
        [None],
        ["https://ehr.example"] * 2,
        [f"https://ehr{n}.example" for n in range(17)],
    ],
    ids=str,
)
def test_pages_that_are_no_origins_are_refused(wrong: object) -> None:
    body = {**Credential.new().enrolled.to_json(), "top_origins": wrong}
    with pytest.raises(VerificationError) as caught:
        parse_reviewer_key(body)
    assert caught.value.reason == "KEY_FORMAT"


def test_client_data_that_two_could_read_differently_is_refused() -> None:
    passkey = Credential.new()
    said = json.dumps({"type": "webauthn.get", "challenge": encode_base64url(challenge()), "origin": ORIGIN})
    twice = said[:-1] + ', "origin": "https://evil.example"}'
    odd = [
        twice.encode(),
        f"[{said}]".encode(),
        said.encode("utf-16"),
        b"\xef\xbb\xbf" + said.encode(),
        said.encode() + b" " * 5000,
        b"[" * 4000,
        b'{"type": NaN}',
        b"",
    ]
    data = documents(challenge()).authenticator_data
    for client_data in odd:
        signature = passkey.sign(data + hashlib.sha256(client_data).digest())
        proof = Proof(signature, Assertion(data, client_data))
        assert reason(passkey.enrolled, proof) == "ASSERTION", client_data[:80]


def test_documents_that_were_changed_after_signing_do_not_verify() -> None:
    passkey = Credential.new()
    proof = passkey.prove(challenge())
    assert proof.assertion is not None
    counted = proof.assertion.authenticator_data[:-1] + b"\x07"
    spaced = proof.assertion.client_data.replace(b'"type"', b' "type"')
    for changed in (
        replace(proof.assertion, authenticator_data=counted),
        replace(proof.assertion, client_data=spaced),
    ):
        assert reason(passkey.enrolled, replace(proof, assertion=changed)) == "SIGNATURE"


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
def test_no_bytes_are_an_assertion_by_accident(signature: bytes, data: bytes, client: bytes) -> None:
    assert reason(_PASSKEY.enrolled, Proof(signature, Assertion(data, client))) == "ASSERTION"


_PASSKEY = Credential.new()


def test_an_algorithm_is_not_the_signature_s_to_choose() -> None:
    passkey = Credential.new()
    plain = replace(passkey.enrolled, algorithm=Algorithm.ES256)
    assert reason(plain, Proof(passkey.sign(MESSAGE))) == "ok"
    # The same key as a file: what an assertion signs is no statement, nor is a statement an assertion.
    assert reason(plain, passkey.prove(challenge())) == "SIGNATURE"
    key = generate_private_key(SECP256R1())
    other = reviewer_key_of(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    assert reason(other, Proof(key.sign(MESSAGE, ECDSA(SHA256())))) == "ok"
    assert reason(other, Proof(key.sign(b"another", ECDSA(SHA256())))) == "SIGNATURE"
    assert reason(other, Proof(b"\x30" * 72)) == "SIGNATURE"
    assert reason(other, Proof(b"")) == "SIGNATURE"


def _spki(key: Any, format_: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> bytes:
    encoded: bytes = key.public_key().public_bytes(Encoding.DER, format_)
    return encoded


def test_a_key_is_enrolled_in_one_encoding_of_its_own_algorithm() -> None:
    good = _PASSKEY.enrolled.to_json()
    assert parse_reviewer_key(good) == _PASSKEY.enrolled
    ed25519, p384 = Ed25519PrivateKey.generate(), generate_private_key(SECP384R1())
    p256 = generate_private_key(SECP256R1())
    point = p256.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    # The same point, compressed: a second id for one key.
    compressed = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200") + point
    wrong: list[Mapping[str, Any]] = [
        {"algorithm": "rs256"},
        {"algorithm": None},
        {"algorithm": ["webauthn-es256"]},
        {"algorithm": "webauthn-ed25519"},
        {"public_key": None},
        {"public_key": "not base64"},
        {"public_key": _encoded(_spki(ed25519))},
        {"public_key": _encoded(_spki(p384))},
        {"public_key": _encoded(compressed)},
        {"public_key": _encoded(_spki(p256) + b"\0")},
        {"public_key": _encoded(public_bytes(ed25519))},
        {"rp_id": None},
        {"rp_id": "Localhost"},
        {"rp_id": "-x.example"},
        {"origins": []},
        {"origins": ORIGIN},
        {"origins": [f"{ORIGIN}/path"]},
        {"origins": ["https://evil.example"]},
        {"origins": ["https://evil-localhost"]},
        {"rp_id": "clinic.example", "origins": ["http://clinic.example"]},
        {"credential_id": None},
        {"credential_id": ""},
        {"credential_id": "AB=="},
        {"credential_id": "A+/B"},
    ]
    for change in wrong:
        with pytest.raises(VerificationError) as caught:
            parse_reviewer_key({**good, **change})
        assert caught.value.reason == "KEY_FORMAT", change
    moved = {
        "rp_id": "clinic.example",
        "origins": ["https://clinic.example", "https://a.clinic.example:8443"],
    }
    assert parse_reviewer_key({**good, **moved}).origins[1] == "https://a.clinic.example:8443"


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_a_proof_stands_in_an_entry_as_it_was_given() -> None:
    for algorithm, proof in (
        (Algorithm.ED25519, Proof(b"x" * 64)),
        (Algorithm.ES256, Proof(b"x" * 70)),
        (Algorithm.WEBAUTHN_ES256, _PASSKEY.prove(challenge())),
    ):
        assert parse_proof(proof.to_json(algorithm)) == (algorithm, proof)
    assert "algorithm" not in Proof(b"x").to_json(Algorithm.ED25519)
    good = _PASSKEY.prove(challenge()).to_json(Algorithm.WEBAUTHN_ES256)
    wrong: list[Mapping[str, Any]] = [
        {"algorithm": "ed25519"},
        {"algorithm": "es256"},
        {"algorithm": "none"},
        {"algorithm": 7},
        {"signature": None},
        {"signature": "!"},
        {"client_data": None},
        {"authenticator_data": 5},
    ]
    for change in wrong:
        with pytest.raises(VerificationError) as caught:
            parse_proof({**good, **change})
        assert caught.value.reason == "SIGNATURE", change


@given(st.binary(max_size=40))
def test_base64url_has_one_form(data: bytes) -> None:
    text = encode_base64url(data)
    assert decode_base64url(text) == data
    assert decode_base64url(text + "=") is None
    assert decode_base64url(text + "\n") is None

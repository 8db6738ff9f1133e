"""Keys with which people sign reviews: the closed table of algorithms, and what an enrolment says of a key.

The algorithm of the enrolment decides the whole procedure, so that no signature can choose a weaker one: a key that was
enrolled as a passkey signs as a passkey or not at all.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from attending.ledger.ed25519 import PUBLIC_KEY_SIZE, check_public_key, key_id, verify_ed25519
from attending.ledger.errors import VerificationError
from attending.ledger.note import decode_base64
from attending.ledger.webauthn import (
    Assertion,
    check_party,
    check_top_origins,
    decode_base64url,
    signed_bytes,
)
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

MAX_KEY_BYTES: Final = 128
MAX_CREDENTIAL_ID_BYTES: Final = 1023
MAX_ECDSA_BYTES: Final = 72
"""Of a signature over P-256 in DER."""


class Algorithm(StrEnum):
    """How a key signs. `ed25519` is a raw key of 32 bytes, every other one a SubjectPublicKeyInfo (DER)."""

    ED25519 = "ed25519"
    ES256 = "es256"
    WEBAUTHN_ED25519 = "webauthn-ed25519"
    WEBAUTHN_ES256 = "webauthn-es256"

    @property
    def passkey(self) -> bool:
        """True for a key in an authenticator, which signs assertions."""
        return self.value.startswith("webauthn-")


@dataclass(frozen=True, slots=True)
class Proof:
    """What a signer gives: a signature, and of a passkey what it is over."""

    signature: bytes
    assertion: Assertion | None = None

    def to_json(self, algorithm: Algorithm) -> dict[str, str]:
        """What `review.signed` holds of it. `ed25519` goes without saying, as in entries before there were others."""
        body = {"signature": self.signature}
        if self.assertion is not None:
            body["authenticator_data"] = self.assertion.authenticator_data
            body["client_data"] = self.assertion.client_data
        encoded = {name: base64.b64encode(data).decode("ascii") for name, data in body.items()}
        return encoded if algorithm is Algorithm.ED25519 else {**encoded, "algorithm": algorithm.value}


def parse_proof(body: Mapping[str, Any]) -> tuple[Algorithm, Proof]:
    """Algorithm and proof in the body of a `review.signed`; VerificationError (SIGNATURE) when they are not well
    formed, or do not fit each other.
    """
    named = body.get("algorithm", Algorithm.ED25519.value)
    if type(named) is not str or named not in [*Algorithm]:
        raise VerificationError("algorithm of the signature is not allowed", reason="SIGNATURE")
    algorithm = Algorithm(named)
    signature = _bytes(body, "signature")
    documents = ("authenticator_data", "client_data")
    if not algorithm.passkey:
        if any(name in body for name in documents):
            raise VerificationError("an assertion by a key that is no passkey", reason="SIGNATURE")
        return algorithm, Proof(signature)
    return algorithm, Proof(signature, Assertion(*(_bytes(body, name) for name in documents)))


def _bytes(body: Mapping[str, Any], name: str) -> bytes:
    encoded = body.get(name)
    data = decode_base64(encoded) if type(encoded) is str else None
    if data is None:
        raise VerificationError(f"`{name}` is missing or not well formed", reason="SIGNATURE")
    return data


@dataclass(frozen=True, slots=True)
class ReviewerKey:
    """A public key as it is enrolled. The last four are of a passkey only: `credential_id` is base64url, `top_origins`
    are the pages in whose frames it may sign.
    """

    algorithm: Algorithm
    public_key: bytes
    rp_id: str | None = None
    origins: tuple[str, ...] = ()
    credential_id: str | None = None
    top_origins: tuple[str, ...] = ()

    @property
    def key_id(self) -> str:
        return key_id(self.public_key)

    def verify(self, message: bytes, proof: Proof) -> None:
        """Returns when `proof` is this key's over `message`: a passkey answers its SHA-256 as the challenge.

        Raises VerificationError: SIGNATURE, or ASSERTION as `webauthn.signed_bytes`.
        """
        if self.algorithm.passkey:
            self.verify_challenge(hashlib.sha256(message).digest(), proof)
        elif proof.assertion is not None:
            raise VerificationError("an assertion by a key that is no passkey", reason="SIGNATURE")
        else:
            self._verify_signature(message, proof.signature)

    def verify_challenge(self, challenge: bytes, proof: Proof) -> None:
        """Returns when `proof` is this passkey's answer to `challenge`; VerificationError otherwise, as `verify`."""
        if not self.algorithm.passkey or self.rp_id is None or proof.assertion is None:
            raise VerificationError("not an assertion by a passkey", reason="ASSERTION")
        signed = signed_bytes(challenge, self.rp_id, self.origins, proof.assertion, self.top_origins)
        self._verify_signature(signed, proof.signature)

    def _verify_signature(self, message: bytes, signature: bytes) -> None:
        match self.algorithm:
            case Algorithm.ED25519:
                verify_ed25519(self.public_key, message, signature)
            case Algorithm.WEBAUTHN_ED25519:
                verify_ed25519(self.public_key[-PUBLIC_KEY_SIZE:], message, signature)
            case Algorithm.ES256 | Algorithm.WEBAUTHN_ES256:
                _verify_es256(self.public_key, message, signature)

    def to_json(self) -> dict[str, Any]:
        """What `key.enrolled` holds of the key."""
        body: dict[str, Any] = {
            "key_id": self.key_id,
            "public_key": base64.b64encode(self.public_key).decode("ascii"),
            "algorithm": self.algorithm.value,
        }
        if self.algorithm.passkey:
            body |= {
                "rp_id": self.rp_id,
                "origins": list(self.origins),
                "credential_id": self.credential_id,
            }
            # Without any it goes without saying, as in entries before there were some.
            if self.top_origins:
                body["top_origins"] = list(self.top_origins)
        return body


def parse_reviewer_key(body: Mapping[str, Any]) -> ReviewerKey:
    """The key in the body of a `key.enrolled`; VerificationError (KEY_FORMAT) for one that is none, or not allowed."""
    named, encoded = body.get("algorithm"), body.get("public_key")
    if type(named) is not str or named not in [*Algorithm]:
        raise VerificationError("algorithm of the key is not allowed", reason="KEY_FORMAT")
    algorithm = Algorithm(named)
    public_key = decode_base64(encoded) if type(encoded) is str else None
    if public_key is None:
        raise VerificationError("enrolment lacks the public key", reason="KEY_FORMAT")
    check_key(algorithm, public_key)
    if not algorithm.passkey:
        return ReviewerKey(algorithm, public_key)
    rp_id, origins, credential = (body.get(name) for name in ("rp_id", "origins", "credential_id"))
    check_party(rp_id, origins)
    top_origins = body.get("top_origins", [])
    check_top_origins(top_origins)
    raw = decode_base64url(credential)
    if raw is None or not 1 <= len(raw) <= MAX_CREDENTIAL_ID_BYTES:
        raise VerificationError("credential id is not well formed", reason="KEY_FORMAT")
    return ReviewerKey(algorithm, public_key, rp_id, tuple(origins or ()), credential, tuple(top_origins))


def check_key(algorithm: Algorithm, public_key: bytes) -> None:
    """Returns when the bytes are a key of that algorithm in its one encoding; VerificationError (KEY_FORMAT)."""
    if algorithm is Algorithm.ED25519:
        check_public_key(public_key)
        return
    key = _load(public_key)
    if algorithm is Algorithm.WEBAUTHN_ED25519:
        if not isinstance(key, Ed25519PublicKey):
            raise _wrong_key()
        check_public_key(key.public_bytes_raw())
    elif not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise _wrong_key()


def reviewer_key_of(public_key: bytes) -> ReviewerKey:
    """The key of a file, by its bytes: raw Ed25519 (32) or the SubjectPublicKeyInfo of a P-256 key.

    Raises VerificationError (KEY_FORMAT).
    """
    algorithm = Algorithm.ED25519 if len(public_key) == PUBLIC_KEY_SIZE else Algorithm.ES256
    check_key(algorithm, public_key)
    return ReviewerKey(algorithm, public_key)


def _load(public_key: bytes) -> object:
    try:
        if len(public_key) > MAX_KEY_BYTES:
            raise ValueError
        key = load_der_public_key(public_key)
        # One key, one id: other encodings of the same point would be other keys.
        if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public_key:
            raise ValueError
    except (ValueError, UnsupportedAlgorithm):
        raise _wrong_key() from None
    return key


def _verify_es256(public_key: bytes, message: bytes, signature: bytes) -> None:
    """ECDSA over P-256 with SHA-256, the signature in DER (FIPS 186-5; RFC 3279 section 2.2.3)."""
    key = _load(public_key)
    assert isinstance(key, EllipticCurvePublicKey)
    if type(signature) is not bytes or len(signature) > MAX_ECDSA_BYTES:
        raise VerificationError("signature is not well formed", reason="SIGNATURE")
    try:
        key.verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature:
        raise VerificationError("signature does not verify", reason="SIGNATURE") from None


def _wrong_key() -> VerificationError:
    return VerificationError("public key is not of its algorithm, in its one encoding", reason="KEY_FORMAT")

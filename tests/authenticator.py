"""An authenticator in software, with the browser around it: makes passkeys and assertions, right and wrong ones."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from attending.ledger.reviewer_key import Algorithm, Proof, ReviewerKey
from attending.ledger.webauthn import Assertion, decode_base64url, encode_base64url
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RP_ID = "localhost"
ORIGIN = "http://localhost:8799"
PRESENT, VERIFIED, SYNCABLE, ATTACHED, EXTENDED = 0x01, 0x04, 0x08, 0x40, 0x80


@dataclass
class Credential:
    """One passkey: the private half never leaves it, here as little as in a device."""

    key: Ed25519PrivateKey | EllipticCurvePrivateKey
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(20))
    rp_id: str = RP_ID
    user_handle: bytes = b""

    @classmethod
    def new(cls, *, ed25519: bool = False, **more: Any) -> Credential:
        return cls(Ed25519PrivateKey.generate() if ed25519 else generate_private_key(SECP256R1()), **more)

    @property
    def algorithm(self) -> Algorithm:
        ed25519 = isinstance(self.key, Ed25519PrivateKey)
        return Algorithm.WEBAUTHN_ED25519 if ed25519 else Algorithm.WEBAUTHN_ES256

    @property
    def enrolled(self) -> ReviewerKey:
        """As the log would hold it."""
        spki = self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return ReviewerKey(self.algorithm, spki, self.rp_id, (ORIGIN,), encode_base64url(self.credential_id))

    def prove(self, challenge: bytes, /, **faults: Any) -> Proof:
        """The answer to a challenge; `faults` as for `documents`."""
        assertion = documents(challenge, **{"rp_id": self.rp_id, **faults})
        signed = assertion.authenticator_data + hashlib.sha256(assertion.client_data).digest()
        return Proof(self.sign(signed), assertion)

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, Ed25519PrivateKey):
            return self.key.sign(data)
        return self.key.sign(data, ECDSA(SHA256()))


def documents(
    challenge: bytes,
    /,
    *,
    rp_id: str = RP_ID,
    origin: str = ORIGIN,
    type_: str = "webauthn.get",
    flags: int = PRESENT | VERIFIED,
    tail: bytes = b"",
    **said: Any,
) -> Assertion:
    """Authenticator data and client data; `said` are more members of the client data, or others."""
    client = {
        "type": type_,
        "challenge": encode_base64url(challenge),
        "origin": origin,
        "crossOrigin": False,
        **said,
    }
    data = hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + bytes(4) + tail
    return Assertion(data, json.dumps(client).encode())


@dataclass
class Browser:
    """A browser on one origin, with one authenticator: what `navigator.credentials` gives, as JSON."""

    origin: str = ORIGIN
    credentials: list[Credential] = field(default_factory=list)

    def create(
        self,
        options: dict[str, Any],
        *,
        flags: int = PRESENT | VERIFIED,
        credential_id: bytes | None = None,
        **faults: Any,
    ) -> dict[str, Any]:
        """A new passkey for the options of a registration."""
        wanted = [one["alg"] for one in options["pubKeyCredParams"]]
        made = Credential.new(
            ed25519=wanted[0] == -8,
            rp_id=options["rp"]["id"],
            user_handle=decode_base64url(options["user"]["id"]) or b"",
            credential_id=credential_id or secrets.token_bytes(20),
        )
        self.credentials.append(made)
        challenge = decode_base64url(options["challenge"])
        assert challenge is not None
        key = _cose(made)
        attached = bytes(16) + len(made.credential_id).to_bytes(2, "big") + made.credential_id + key
        answer = documents(
            challenge,
            **{
                "rp_id": made.rp_id,
                "origin": self.origin,
                "type_": "webauthn.create",
                "flags": flags | ATTACHED,
                "tail": attached,
                **faults,
            },
        )
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": answer.authenticator_data})
        name = encode_base64url(made.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": {
                "clientDataJSON": encode_base64url(answer.client_data),
                "attestationObject": encode_base64url(attestation),
                "transports": ["internal"],
            },
            "clientExtensionResults": {},
        }

    def get(self, options: dict[str, Any], **faults: Any) -> dict[str, Any]:
        """An assertion for the options of a sign-in or a signature, by the newest passkey that fits."""
        allowed = [one["id"] for one in options["allowCredentials"]]
        fitting = [
            one
            for one in self.credentials
            if one.rp_id == options["rpId"]
            and (not allowed or encode_base64url(one.credential_id) in allowed)
        ]
        chosen = fitting[-1]
        challenge = decode_base64url(options["challenge"])
        assert challenge is not None
        proof = chosen.prove(challenge, **{"origin": self.origin, **faults})
        assert proof.assertion is not None
        name = encode_base64url(chosen.credential_id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "response": {
                "clientDataJSON": encode_base64url(proof.assertion.client_data),
                "authenticatorData": encode_base64url(proof.assertion.authenticator_data),
                "signature": encode_base64url(proof.signature),
                "userHandle": encode_base64url(chosen.user_handle),
            },
            "clientExtensionResults": {},
        }


def _cose(credential: Credential) -> bytes:
    """The public key as an authenticator writes it (RFC 9053)."""
    if isinstance(credential.key, Ed25519PrivateKey):
        raw = credential.key.public_key().public_bytes_raw()
        return cbor2.dumps({1: 1, 3: -8, -1: 6, -2: raw})
    point = credential.key.public_key().public_numbers()
    return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})

"""The electronic signature of a reviewer: what is signed, and how it is verified.

A statement is a canonical JSON object with exactly the fields below. What is signed is
`attending-review-signature/1`, a newline, and the statement's canonical bytes; a passkey answers their SHA-256 as its
challenge. It binds the signer, the meaning, the exact text (by salted commitment), what was displayed, the log and a
nonce, so that it cannot be excised, copied or transferred to another record (21 CFR 11.50, 11.70).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from attending.ledger.canonical import encode
from attending.ledger.entry import parse_time
from attending.ledger.errors import VerificationError
from attending.ledger.reviewer_key import Proof, ReviewerKey
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

SIGNATURE_TAG: Final = b"attending-review-signature/1\n"
STATEMENT_VERSION: Final = 1
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,255}")
_HEX32 = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"[0-9a-f]{16}")


class Meaning(StrEnum):
    """What the signer says about the text (21 CFR 11.50(a)(3))."""

    APPROVED = "approved"
    APPROVED_WITH_EDITS = "approved_with_edits"
    REJECTED = "rejected"

    @property
    def releases(self) -> bool:
        """True for the meanings on whose strength a text may be released."""
        return self is not Meaning.REJECTED


@dataclass(frozen=True, slots=True)
class Statement:
    """What a reviewer signs.

    `inference` is the stream, `record` the vault record of the text signed, `text_commitment` and
    `view_commitment` hex SHA-256 commitments (the text; every displayed field), `signer` the user's id,
    `time` canonical, `policy_hash` hex, `findings` and `disposed` counts of findings to dispose of and
    disposed of.
    """

    origin: str
    inference: str
    record: str
    text_commitment: str
    view_commitment: str
    meaning: Meaning
    signer: str
    key_id: str
    role: str
    time: str
    nonce: str
    policy_hash: str
    findings: int
    disposed: int

    def to_json(self) -> dict[str, Any]:
        """The object that is signed and stands as `statement` in the body of `review.signed`."""
        value: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        return {**value, "meaning": self.meaning.value, "v": STATEMENT_VERSION}

    def message(self) -> bytes:
        """The exact bytes under the signature."""
        return SIGNATURE_TAG + encode(self.to_json())

    def challenge(self) -> bytes:
        """What a passkey is asked to answer: SHA-256 (32 bytes) of the message."""
        return hashlib.sha256(self.message()).digest()


_FIELDS: Final = tuple(Statement.__annotations__)


def parse_statement(value: object) -> Statement:
    """The statement of a decoded JSON object; VerificationError (STATEMENT_FORMAT) when it breaks a rule."""
    if not isinstance(value, Mapping) or set(value) != {*_FIELDS, "v"}:
        raise _error("fields are not exactly those of version 1")
    if type(value["v"]) is not int or value["v"] != STATEMENT_VERSION:  # `true` is equal to 1
        raise _error("fields are not exactly those of version 1")
    for name in ("origin", "inference", "record", "signer", "role", "nonce"):
        _require(name, value[name], _TEXT)
    for name in ("text_commitment", "view_commitment", "policy_hash"):
        _require(name, value[name], _HEX32)
    _require("key_id", value["key_id"], _KEY_ID)
    for name in ("findings", "disposed"):
        if type(value[name]) is not int or value[name] < 0:
            raise _error(f"`{name}` is not a count")
    parse_time(value["time"])
    if value["meaning"] not in list(Meaning):
        raise _error("`meaning` is not one of approved, approved_with_edits, rejected")
    fields = {name: value[name] for name in _FIELDS}
    return Statement(**{**fields, "meaning": Meaning(value["meaning"])})


def sign_statement(statement: Statement, private_key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> bytes:
    """64 bytes of Ed25519, or ECDSA in DER; for the reviewer's own device, never for the server or an application."""
    if isinstance(private_key, Ed25519PrivateKey):
        return private_key.sign(statement.message())
    return private_key.sign(statement.message(), ECDSA(SHA256()))


def verify_statement(statement: Statement, key: ReviewerKey, proof: Proof) -> None:
    """Returns when `proof` is `key`'s over the statement; VerificationError otherwise (`ReviewerKey.verify`).

    It does not check that the key is the signer's: see the enrolment entries of the log.
    """
    key.verify(statement.message(), proof)


def _require(name: str, value: object, pattern: re.Pattern[str]) -> None:
    if type(value) is not str or not pattern.fullmatch(value):
        raise _error(f"`{name}` is not well formed")


def _error(detail: str) -> VerificationError:
    return VerificationError(f"statement: {detail}", reason="STATEMENT_FORMAT")

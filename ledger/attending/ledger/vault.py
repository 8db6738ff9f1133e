"""Sealing payloads: what a person wrote lies beside the log, encrypted, and the entry holds a commitment.

    commitment = SHA-256("attending-payload/1" 0x00 || kind || 0x00 || salt || content)
    sealed     = nonce || AES-256-GCM(data key, nonce, salt || content, AAD)
    wrapped    = nonce || AES-256-GCM(subject key, nonce, data key, AAD)
    AAD        = canonical JSON of {kind, origin, record, subject}

The salt (32 random bytes) keeps a short text from being guessed out of its commitment; it is disclosed with
the content or not at all. Each payload has its own data key and nonces, used once. The additional data
nails a sealed payload to its log, record, kind and subject: moved to another place it does not open. This
module is pure: keys and rows are given to it.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from attending.ledger.canonical import encode
from attending.ledger.entry import Commitment, Payload
from attending.ledger.errors import VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

COMMITMENT_TAG: Final = b"attending-payload/1\0"
SALT_SIZE: Final = 32
MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024
"""Content of one payload may be this long; documents past that are named by reference."""
_KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 12


@dataclass(frozen=True, slots=True)
class SealedPayload(Payload):
    """A payload sealed for one record, not yet stored; may stand in `PendingEntry.payloads` once.

    Sealing ahead of the append gives the record id and the commitment that a body or a signature must name.
    """

    origin: str
    subject: str
    record: str
    sealed: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)
    salt: bytes = field(repr=False)
    """Shown only to somebody who is shown the content, so that they can check the commitment."""
    commitment: Commitment


def payload_commitment(kind: str, salt: bytes, content: bytes) -> bytes:
    """The 32-byte salted commitment to `content` in the role `kind`."""
    return hashlib.sha256(COMMITMENT_TAG + kind.encode() + b"\0" + salt + content).digest()


def new_record_id() -> str:
    """A random vault record id: `rec_` and 26 base32 characters (128 bits)."""
    return "rec_" + _random_name()


def new_pseudonym() -> str:
    """A random pseudonym: `sub_` and 26 base32 characters (128 bits), derived from nothing."""
    return "sub_" + _random_name()


def seal(origin: str, subject: str, payload: Payload, subject_key: bytes) -> SealedPayload:
    """`payload` sealed under a fresh record id, salt, data key and nonces.

    `subject` is a pseudonym or `tenant`, `subject_key` its 32-byte key. Raises ValueError when the content
    is not bytes or exceeds MAX_PAYLOAD_BYTES.
    """
    kind, content = payload.kind, payload.content
    if type(content) is not bytes:
        raise ValueError("payload content is not bytes")
    if len(content) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"payload of {len(content)} bytes exceeds the limit of {MAX_PAYLOAD_BYTES}")
    record = new_record_id()
    aad = _aad(origin, record, kind, subject)
    random = secrets.token_bytes(SALT_SIZE + _KEY_SIZE + 2 * _NONCE_SIZE)
    salt, data_key = random[:SALT_SIZE], random[SALT_SIZE : SALT_SIZE + _KEY_SIZE]
    nonce, wrap_nonce = random[-2 * _NONCE_SIZE : -_NONCE_SIZE], random[-_NONCE_SIZE:]
    sealed = nonce + AESGCM(data_key).encrypt(nonce, salt + content, aad)
    wrapped = wrap_nonce + AESGCM(subject_key).encrypt(wrap_nonce, data_key, aad)
    commitment = Commitment(
        kind=kind,
        record=record,
        commitment=payload_commitment(kind, salt, content).hex(),
        ciphertext=hashlib.sha256(sealed).hexdigest(),
    )
    return SealedPayload(kind, content, origin, subject, record, sealed, wrapped, salt, commitment)


def unseal(
    *,
    origin: str,
    subject: str,
    commitment: Commitment,
    sealed: bytes,
    wrapped_key: bytes,
    subject_key: bytes,
) -> tuple[bytes, bytes]:
    """(salt, content) of a stored payload, checked against the `commitment` that its entry holds.

    Raises VerificationError: CIPHERTEXT_HASH (the stored bytes are others), PAYLOAD_SEALED (they do not
    open: altered, moved, or another key), PAYLOAD_COMMITMENT (they open to another content).
    """
    if hashlib.sha256(sealed).hexdigest() != commitment.ciphertext:
        raise VerificationError("stored payload is not the one committed to", reason="CIPHERTEXT_HASH")
    aad = _aad(origin, commitment.record, commitment.kind, subject)
    try:
        data_key = AESGCM(subject_key).decrypt(wrapped_key[:_NONCE_SIZE], wrapped_key[_NONCE_SIZE:], aad)
        plain = AESGCM(data_key).decrypt(sealed[:_NONCE_SIZE], sealed[_NONCE_SIZE:], aad)
    except (InvalidTag, ValueError) as err:
        raise VerificationError("stored payload does not open", reason="PAYLOAD_SEALED") from err
    salt, content = plain[:SALT_SIZE], plain[SALT_SIZE:]
    if payload_commitment(commitment.kind, salt, content).hex() != commitment.commitment:
        raise VerificationError("payload is not the content committed to", reason="PAYLOAD_COMMITMENT")
    return salt, content


def unseal_under(
    keys: Iterable[bytes],
    *,
    origin: str,
    subject: str,
    commitment: Commitment,
    sealed: bytes,
    wrapped_key: bytes,
) -> tuple[bytes, bytes]:
    """As `unseal`, under whichever of the subject's `keys` it is sealed; one is asked for after the other.

    Raises VerificationError: PAYLOAD_SEALED where none opens it, also where there is none.
    """
    failure: VerificationError | None = None
    tried: set[bytes] = set()
    for key in keys:
        if key in tried:
            continue
        tried.add(key)
        try:
            return unseal(
                origin=origin,
                subject=subject,
                commitment=commitment,
                sealed=sealed,
                wrapped_key=wrapped_key,
                subject_key=key,
            )
        except VerificationError as err:
            if err.reason != "PAYLOAD_SEALED":
                raise
            failure = err
    raise failure or VerificationError("the subject has no key", reason="PAYLOAD_SEALED")


def _random_name() -> str:
    return base64.b32encode(secrets.token_bytes(16)).decode("ascii").rstrip("=").lower()


def _aad(origin: str, record: str, kind: str, subject: str) -> bytes:
    return encode({"kind": kind, "origin": origin, "record": record, "subject": subject})

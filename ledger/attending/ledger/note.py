"""C2SP signed notes (c2sp.org/signed-note): text, a blank line, and signature lines.

Two signature types are known: 0x01, Ed25519 over the text, which logs use; and 0x04, a timestamped
cosignature (c2sp.org/tlog-cosignature), which witnesses use. Key strings are those of the specification: a
verifier key `name+hex key id+base64(type || public key)` and a signer key `PRIVATE+KEY+name+hex key
id+base64(type || seed)`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from attending.ledger.ed25519 import SIGNATURE_SIZE, check_public_key, public_bytes, verify_ed25519
from attending.ledger.errors import VerificationError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519: Final = 0x01
COSIGNATURE: Final = 0x04
MAX_NOTE_BYTES: Final = 1_000_000
MAX_SIGNATURES: Final = 100
_KEY_ID_SIZE: Final = 4
_MAX_TIMESTAMP: Final = 2**63 - 1
_TYPES: Final = (ED25519, COSIGNATURE)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, not verified: key name, 4-byte key id, and what follows it."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note whose signatures nobody has verified: do not act on `text`."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name and signature type (0x01 log, 0x04 witness)."""

    name: str
    type: int
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuses a name, type or key that no note could carry (VerificationError, KEY_FORMAT)."""
        check_key_name(self.name)
        if self.type not in _TYPES:
            raise _key_error("signature type is not supported")
        check_public_key(self.public_key)

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || 0x0A || type || public key)[:4]."""
        message = self.name.encode() + b"\n" + bytes([self.type]) + self.public_key
        return hashlib.sha256(message).digest()[:_KEY_ID_SIZE]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key of a verifier key string; VerificationError (KEY_FORMAT) otherwise."""
        # A name holds no plus sign, base64 may: two splits from the left.
        parts = text.split("+", 2) if type(text) is str else []
        if len(parts) != 3:
            raise _key_error("verifier key is not `name+id+key`")
        name, key_id, encoded = parts
        material = _decode_key(encoded)
        key = cls(name, material[0], material[1:])
        if key_id != key.key_id.hex():
            raise _key_error("key id does not match the verifier key")
        return key

    def __str__(self) -> str:
        material = base64.b64encode(bytes([self.type]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"

    def verify(self, text: str, signature: bytes) -> int | None:
        """Returns when `signature` (without the key id) signs `text`: None, or a cosignature's POSIX time.

        Raises VerificationError (SIGNATURE).
        """
        if self.type == ED25519:
            verify_ed25519(self.public_key, text.encode(), signature)
            return None
        if len(signature) != 8 + SIGNATURE_SIZE:
            raise VerificationError("cosignature is not 72 bytes", reason="SIGNATURE")
        timestamp = int.from_bytes(signature[:8], "big")
        if timestamp > _MAX_TIMESTAMP:
            raise VerificationError("time of the cosignature is out of bounds", reason="SIGNATURE")
        verify_ed25519(self.public_key, _cosigned(text, timestamp), signature[8:])
        return timestamp


@dataclass(frozen=True, slots=True)
class SignerKey:
    """A private key with the name it signs notes under, type 0x01."""

    name: str
    private_key: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        """Refuses a name that no note could carry (VerificationError, KEY_FORMAT)."""
        check_key_name(self.name)

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, ED25519, public_bytes(self.private_key))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key of a signer key string; otherwise VerificationError (KEY_FORMAT), which never quotes it."""
        parts = text.split("+", 4) if type(text) is str else []
        if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
            raise _key_error("signer key is not `PRIVATE+KEY+name+id+key`")
        material = _decode_key(parts[4])
        if material[0] != ED25519:
            raise _key_error("signature type is not supported")
        key = cls(parts[2], Ed25519PrivateKey.from_private_bytes(material[1:]))
        if parts[3] != key.verifier.key_id.hex():
            raise _key_error("key id does not match the signer key")
        return key

    def secret_text(self) -> str:
        """The signer key string. It is the secret itself: only for a file of mode 0600."""
        material = base64.b64encode(bytes([ED25519]) + self.private_key.private_bytes_raw()).decode()
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{material}"

    def sign(self, text: str) -> Signature:
        """The signature of a note's text, which ends in a newline."""
        return Signature(self.name, self.verifier.key_id, self.private_key.sign(text.encode()))


def cosign(name: str, private_key: Ed25519PrivateKey, text: str, timestamp: int) -> Signature:
    """A witness's cosignature of a checkpoint's text at a POSIX time in seconds
    (c2sp.org/tlog-cosignature).
    """
    key = VerifierKey(name, COSIGNATURE, public_bytes(private_key))
    signed = private_key.sign(_cosigned(text, timestamp))
    return Signature(name, key.key_id, timestamp.to_bytes(8, "big") + signed)


def format_note(text: str, signatures: Iterable[Signature]) -> str:
    """The note of a text and its signatures; VerificationError (NOTE_FORMAT) when the text cannot be one."""
    _check_text(text)
    lines = [
        f"\u2014 {item.name} {base64.b64encode(item.key_id + item.signature).decode()}\n"
        for item in signatures
    ]
    return f"{text}\n{''.join(lines)}"


def sign_note(text: str, signers: Sequence[SignerKey]) -> str:
    """The note of `text` signed by every one of `signers`."""
    return format_note(text, [signer.sign(text) for signer in signers])


def parse_note(data: str | bytes) -> Note:
    """The parts of a note, nothing verified.

    Raises VerificationError (NOTE_FORMAT): not UTF-8, control characters, no blank line, no or more than
    100 signature lines, a malformed one, more than 1,000,000 bytes.
    """
    text = _decode(data)
    body, blank, tail = text.rpartition("\n\n")
    if not blank or not tail.endswith("\n"):
        raise _note_error("note has no signature lines after a blank line")
    body += "\n"
    _check_text(body)
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise _note_error(f"note has more than {MAX_SIGNATURES} signatures")
    return Note(body, tuple(_parse_signature(line) for line in lines))


def verify_note(note: Note, verifiers: Iterable[VerifierKey]) -> dict[VerifierKey, int | None]:
    """Which of `verifiers` signed the note, each with the time of its cosignature (None for type 0x01).

    Signatures by unknown keys are ignored; one by a known key that does not verify fails the whole note
    (VerificationError, SIGNATURE), as does the same key signing twice. An empty answer means that nobody
    known signed: the caller decides what quorum it needs.
    """
    known = {(key.name, key.key_id): key for key in verifiers}
    signed: dict[VerifierKey, int | None] = {}
    for item in note.signatures:
        key = known.get((item.name, item.key_id))
        if key is None:
            continue
        if key in signed:
            raise VerificationError("note is signed twice by one key", reason="SIGNATURE")
        signed[key] = key.verify(note.text, item.signature)
    return signed


def check_key_name(name: object) -> None:
    """Returns for a non-empty printable name without spaces or `+`; VerificationError (KEY_FORMAT)
    otherwise.
    """
    if type(name) is not str or not name or "+" in name or not name.isprintable():
        raise _key_error("key name is not well formed")
    if any(char.isspace() for char in name):
        raise _key_error("key name is not well formed")


def decode_base64(text: str, size_bytes: int | None = None) -> bytes | None:
    """The bytes of standard base64 in its one padded form, of the size asked for; None for anything else."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        return None
    if base64.b64encode(data).decode() != text or size_bytes not in (None, len(data)):
        return None
    return data


def _cosigned(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _parse_signature(line: str) -> Signature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "\u2014":
        raise _note_error("signature line is not well formed")
    try:
        check_key_name(parts[1])
    except VerificationError:
        raise _note_error("signature line is not well formed") from None
    data = decode_base64(parts[2])
    if data is None or len(data) <= _KEY_ID_SIZE:
        raise _note_error("signature line is not well formed")
    return Signature(parts[1], data[:_KEY_ID_SIZE], data[_KEY_ID_SIZE:])


def _decode(data: object) -> str:
    if type(data) is bytes and len(data) <= MAX_NOTE_BYTES:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise _note_error("note is not utf-8") from None
    if type(data) is str and len(data) <= MAX_NOTE_BYTES:
        return data
    raise _note_error(f"note is not text of at most {MAX_NOTE_BYTES} bytes")


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(char < " " and char != "\n" for char in text):
        raise _note_error("note text has control characters or does not end in a newline")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise _note_error("note is not utf-8") from None


def _decode_key(encoded: str) -> bytes:
    material = decode_base64(encoded, 33)
    if material is None:
        raise _key_error("key material is not base64 of 33 bytes")
    return material


def _note_error(detail: str) -> VerificationError:
    return VerificationError(detail, reason="NOTE_FORMAT")


def _key_error(detail: str) -> VerificationError:
    return VerificationError(detail, reason="KEY_FORMAT")

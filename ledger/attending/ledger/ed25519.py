"""Ed25519 verification (RFC 8032) that refuses public keys under which anything verifies."""

from __future__ import annotations

import hashlib
from typing import Final

from attending.ledger.errors import VerificationError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PUBLIC_KEY_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64
_FIELD_PRIME: Final = 2**255 - 19
_SIGN_MASK: Final = 2**255 - 1
_ORDER_8_Y: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y: Final = frozenset({0, 1, _FIELD_PRIME - 1, _ORDER_8_Y, _FIELD_PRIME - _ORDER_8_Y})
"""The y coordinates of the eight points of small order, whose owner's signatures fit many messages."""


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Returns when `signature` (64 bytes) is the signature of `message` under `public_key` (32 bytes).

    Raises VerificationError: KEY_FORMAT (not a point, not the one encoding of it, or of small order) or
    SIGNATURE. Source: RFC 8032 section 5.1.7; the order of S is checked, so signatures are not malleable.
    """
    check_public_key(public_key)
    if type(signature) is not bytes or len(signature) != SIGNATURE_SIZE:
        raise VerificationError("signature is not 64 bytes", reason="SIGNATURE")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        raise VerificationError("signature does not verify", reason="SIGNATURE") from None
    except ValueError:
        raise VerificationError("not an Ed25519 public key", reason="KEY_FORMAT") from None


def check_public_key(public_key: object) -> None:
    """Returns when the 32 bytes are a canonical encoding with a y that is not of small order.

    Raises VerificationError (KEY_FORMAT). Whether the point is on the curve shows when a signature is
    verified.
    """
    if type(public_key) is not bytes or len(public_key) != PUBLIC_KEY_SIZE:
        raise VerificationError("public key is not 32 bytes", reason="KEY_FORMAT")
    y = int.from_bytes(public_key, "little") & _SIGN_MASK
    if y >= _FIELD_PRIME or y in _SMALL_ORDER_Y:
        raise VerificationError("public key is weak or not canonical", reason="KEY_FORMAT")


def public_bytes(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """The raw 32 bytes of a public key, or of the public half of a private one."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes_raw()


def key_id(public_key: bytes) -> str:
    """The id of a reviewer's key: the first 16 hex digits of SHA-256 of its bytes as they are enrolled."""
    return hashlib.sha256(public_key).hexdigest()[:16]

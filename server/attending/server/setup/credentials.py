"""Fresh credentials: what is written for their holder, and what the configuration keeps."""

from __future__ import annotations

import base64
from typing import Any

from attending.server.auth.service_key import hash_service_key, new_service_key, prefix_of
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def bearer() -> tuple[bytes, dict[str, Any]]:
    """(a bearer token as a file holds it, its section `service_keys`)."""
    token = new_service_key()
    return token.encode() + b"\n", {"prefix": prefix_of(token), "hash": hash_service_key(token)}


def signing_key() -> tuple[bytes, str]:
    """(an Ed25519 key as PEM, `signing_public_key`)."""
    key = Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem, base64.b64encode(raw).decode("ascii")

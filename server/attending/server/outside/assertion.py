"""Who asks, proved with a key instead of a secret: a JWT for an authorisation server (RFC 7523, `private_key_jwt`).

As SMART App Launch 2.2 has it (Client Authentication: Asymmetric): ES384 or RS384, at most five minutes, used once.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import jwt
from attending.ledger.errors import UnsafeSettings
from attending.ledger.files import read_private
from attending.server.errors import ConfigurationError
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE_SECONDS: Final = 240
"""Shorter than the five minutes that are allowed, so that a clock may be fast by one."""
LEAST_RSA_BITS: Final = 2048
_THUMBPRINT: Final = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}


class ClientKey:
    """The private key of this client. Its id is the key's thumbprint (RFC 7638)."""

    def __init__(self, file: Path, where: str, now: Callable[[], datetime]) -> None:
        """Reads the key. Raises ConfigurationError that names `where` and quotes nothing."""
        self._now = now
        try:
            self._key = load_pem_private_key(read_private(file), None)
        except (OSError, UnsafeSettings, ValueError, TypeError, UnsupportedAlgorithm) as err:
            raise _wrong(where, f"does not read ({type(err).__name__})") from None
        if isinstance(self._key, EllipticCurvePrivateKey) and isinstance(self._key.curve, SECP384R1):
            self.algorithm = "ES384"
        elif isinstance(self._key, RSAPrivateKey) and self._key.key_size >= LEAST_RSA_BITS:
            self.algorithm = "RS384"
        else:
            raise _wrong(where, "is neither P-384 nor RSA of 2048 bits or more")
        self.jwk = self._public()

    def form(self, client_id: str, audience: str) -> dict[str, str]:
        """The fields of a token request that prove who asks, for that token endpoint and once."""
        begins = int(self._now().timestamp())
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "iat": begins,
            "exp": begins + LIFE_SECONDS,
            "jti": secrets.token_urlsafe(24),
        }
        # `jwt` takes the key's own class; what it says of types is narrower.
        key: Any = self._key
        signed = jwt.encode(claims, key, self.algorithm, headers={"kid": self.jwk["kid"]})
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}

    def _public(self) -> dict[str, Any]:
        made = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self._key.public_key(), as_dict=True)
        public = {name: made[name] for name in _THUMBPRINT[made["kty"]]}
        digest = hashlib.sha256(json.dumps(public, sort_keys=True, separators=(",", ":")).encode()).digest()
        kid = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return {**public, "kid": kid, "alg": self.algorithm, "use": "sig"}


def _wrong(where: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{where}: the client's key {why}",
        "make `client_key_file` a PEM file that its owner alone may read: openssl ecparam -name secp384r1 -genkey "
        "-noout",
        reason="CLIENT_KEY",
    )

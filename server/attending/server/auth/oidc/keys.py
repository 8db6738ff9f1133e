"""The public keys of a provider: a JSON Web Key Set (RFC 7517) read with suspicion. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt

MAX_KEYS: Final = 64
MAX_KID_CHARS: Final = 256
MIN_RSA_BITS: Final = 2048
"""NIST SP 800-131A; RFC 7518 section 3.3 asks for no less."""
MAX_RSA_BITS: Final = 8192
_FITS: Final[Mapping[str, tuple[str, str | None]]] = {
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "EdDSA": ("OKP", "Ed25519"),
}
_PUBLIC: Final = ("kty", "crv", "x", "y", "n", "e")


class KeysRefused(Exception):  # noqa: N818 - says what happened
    """A provider's answer is not what it should be; `str()` is a constant reason without its words."""


@dataclass(frozen=True, slots=True)
class Key:
    """One public key, for one algorithm."""

    kid: str | None
    algorithm: str
    jwk: jwt.PyJWK


class KeySet:
    """The usable keys of a set, each bound to its algorithm. Immutable."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = tuple(keys)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key with that id for that algorithm. A token that names no key finds one when only one would do: trying
        several would let a token choose.
        """
        fitting = [
            key.jwk for key in self._keys if key.algorithm == algorithm and (kid is None or key.kid == kid)
        ]
        return fitting[0] if len(fitting) == 1 else None


def read_keys(data: bytes, algorithms: Sequence[str]) -> KeySet:
    """The keys of a JWKS document that fit an allowed algorithm; KeysRefused when there are none.

    Left out are symmetric keys, keys for encryption, RSA keys of fewer than 2048 or more than 8192 bits, private keys
    (whoever publishes one has lost it), ids that are no short string, and every key of an id that stands twice.
    """
    document = read_json(data)
    listed = document.get("keys")
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise KeysRefused("NOT_A_KEY_SET")
    usable = [key for item in listed if isinstance(item, dict) for key in _keys(item, algorithms)]
    times = Counter((key.kid, key.algorithm) for key in usable)
    keys = [key for key in usable if times[key.kid, key.algorithm] == 1]
    if not keys:
        raise KeysRefused("NO_USABLE_KEY")
    return KeySet(keys)


def read_json(data: bytes) -> dict[str, Any]:
    """A JSON object; KeysRefused."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise KeysRefused("NOT_JSON") from None
    if not isinstance(document, dict):
        raise KeysRefused("NOT_JSON")
    return document


def _keys(item: dict[str, Any], algorithms: Sequence[str]) -> list[Key]:
    kid, use, operations, own = (item.get(name) for name in ("kid", "use", "key_ops", "alg"))
    if kid is not None and (not isinstance(kid, str) or not 0 < len(kid) <= MAX_KID_CHARS):
        return []
    if use not in (None, "sig") or (operations is not None and operations != ["verify"]) or "d" in item:
        return []
    found = []
    for algorithm in algorithms:
        kind, curve = _FITS[algorithm]
        if item.get("kty") != kind or (curve is not None and item.get("crv") != curve):
            continue
        if own not in (None, algorithm):
            continue
        public: dict[str, Any] = {str(name): item[name] for name in _PUBLIC if name in item}
        try:
            key = jwt.PyJWK(public, algorithm=algorithm)
            bits = key.key.key_size if kind == "RSA" else MIN_RSA_BITS
        except Exception:  # noqa: S112 - whatever a hostile set makes a parser raise, that key is not usable
            continue
        if MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
            found.append(Key(kid, algorithm, key))
    return found

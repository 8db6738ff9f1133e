"""Random pseudonyms: the nth name met gets the nth draw of a secret, so that none says anything of what it stands for.

A code may not be derived from information about the individual (45 CFR 164.514(c)(1)): no name goes into its pseudonym,
not even under a key. The secret is drawn anew for each document and kept sealed in the tenant's vault; with it and the
log, the document and the map of its pseudonyms are made again, byte for byte. Without it nobody leads back.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Final

SEED_KIND: Final = "pseudonym_seed"
SEED_BYTES: Final = 32
_TAG: Final = b"attending-pseudonym/1\n"
_DRAWN_BYTES: Final = 16


class Pseudonyms:
    """Those of one document. Memory grows with the number of different names."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SEED_BYTES:
            raise ValueError("the secret is not of its length")
        self._secret = secret
        self._given: dict[tuple[str, str], str] = {}

    def of(self, kind: str, name: str) -> str:
        """`kind:` and 26 base32 characters, the same each time that the same name of that kind is met."""
        found = self._given.get((kind, name))
        if found is None:
            draw = hmac.digest(self._secret, _TAG + str(len(self._given)).encode(), hashlib.sha256)
            drawn = base64.b32encode(draw[:_DRAWN_BYTES]).decode().rstrip("=").lower()
            found = self._given[kind, name] = f"{kind}:{drawn}"
        return found

    def map(self) -> Iterator[tuple[str, str]]:
        """(pseudonym, name) of all that were given, in the order in which they were met: what leads back."""
        return ((pseudonym, name) for (_kind, name), pseudonym in self._given.items())

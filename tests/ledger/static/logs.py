"""A signed log in memory as static resources, made without the code that is tested: plain RFC 6962 recursion."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache

from attending.ledger.checkpoint import sign_checkpoint
from attending.ledger.ed25519 import public_bytes
from attending.ledger.errors import NotFound
from attending.ledger.note import ED25519, VerifierKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "log.example/tiles"
KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"tiles").digest())


def vkey(origin: str = ORIGIN, key: Ed25519PrivateKey = KEY) -> str:
    return str(VerifierKey(origin, ED25519, public_bytes(key)))


def entry(number: int) -> bytes:
    return b'{"n":%d}' % number


class Log:
    """Resources by path. `entries` are any bytes: a tlog-tiles client knows no format of entries."""

    def __init__(self, entries: Sequence[bytes], origin: str = ORIGIN, key: Ed25519PrivateKey = KEY) -> None:
        self.entries = list(entries)
        self.leaves = [hashlib.sha256(b"\0" + data).digest() for data in entries]
        self.vkey = vkey(origin, key)
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.root = cache(self._root)
        self.files["checkpoint"] = sign_checkpoint(
            origin, len(entries), self.root(0, len(entries)), key
        ).encode()
        self._tiles()

    def _root(self, begin: int, end: int) -> bytes:
        """MTH(D[begin:end]) of RFC 6962 section 2.1."""
        width = end - begin
        if width == 0:
            return hashlib.sha256(b"").digest()
        if width == 1:
            return self.leaves[begin]
        split = 1 << (width - 1).bit_length() - 1
        left, right = self.root(begin, begin + split), self.root(begin + split, end)
        return hashlib.sha256(b"\1" + left + right).digest()

    def _tiles(self) -> None:
        size, level = len(self.entries), 0
        while count := size // 256**level:
            for index in range((count + 255) // 256):
                width = min(256, count - 256 * index)
                span = 256**level
                first = index * 256
                hashes = b"".join(self.root((first + i) * span, (first + i + 1) * span) for i in range(width))
                self.files[f"tile/{level}/{_name(index, width)}"] = hashes
                if level == 0:
                    part = self.entries[first : first + width]
                    bundle = b"".join(len(data).to_bytes(2, "big") + data for data in part)
                    self.files[f"tile/entries/{_name(index, width)}"] = bundle
            level += 1

    def fetch(self, path: str) -> bytes:
        self.fetched.append(path)
        try:
            return self.files[path]
        except KeyError:
            raise NotFound(path) from None


def _name(index: int, width: int) -> str:
    assert index < 1_000_000
    name = f"{index:03}" if index < 1000 else f"x{index // 1000:03}/{index % 1000:03}"
    return name if width == 256 else f"{name}.p/{width}"

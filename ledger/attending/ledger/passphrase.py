"""A root from a passphrase: scrypt (RFC 7914) makes the key, AES-256-GCM seals with it.

wrapped = 0x01 || log2 n || r || p || salt (16) || nonce (12) || AES-256-GCM(key, nonce, secret, AAD)
AAD     = 0x01 || log2 n || r || p || salt || canonical JSON of the place
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from typing import Final

from attending.ledger.canonical import encode
from attending.ledger.errors import KeysNotOpen, KeyStoreRefused
from attending.ledger.wrapping import Place
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MIN_PASSPHRASE_BYTES: Final = 12
MAX_PASSPHRASE_BYTES: Final = 1_024

# OWASP Password Storage Cheat Sheet: N=2^17, r=8, p=1. Takes 128 MiB and about half a second, once a process.
_COST: Final = (17, 8, 1)
_MOST: Final = (20, 16, 4)
"""What a file may ask for: more would let whoever writes it use up the memory of whoever reads it."""
_FORM: Final = 1
_HEAD: Final = 4
_SALT: Final = 16
_NONCE: Final = 12
_REMEMBERED: Final = 16


class PassphraseWrapper:
    """The root of a passphrase; implements KeyWrapper.

    `read` gives the passphrase and is asked at every call, so that it can be changed while running: what this object
    opened under the one before it goes on opening, and `rewrap` moves it to the new one. `read` raises
    KeyStoreUnavailable or KeyStoreRefused when there is none.
    """

    kind: Final = "passphrase"

    def __init__(self, read: Callable[[], bytes], *, cost: tuple[int, int, int] = _COST) -> None:
        """`cost` is (log2 n, r, p) of what is sealed from now on."""
        self._read = read
        self._cost = cost
        self._lock = threading.Lock()
        self._keys: dict[tuple[bytes, bytes], bytes] = {}
        """(digest of the passphrase, parameters and salt) to key: deriving it is slow by design."""
        self._heads: dict[bytes, bytes] = {}
        """The head last used with a passphrase, by its digest: whatever was sealed with it opens without deriving."""
        self._known: dict[bytes, bytes] = {}
        """Passphrases that were read, newest last, by digest."""

    def __repr__(self) -> str:
        return "PassphraseWrapper()"

    def wrap(self, secret: bytes, place: Place) -> bytes:
        """See KeyWrapper."""
        passphrase = self._passphrase()
        head = self._head_of(passphrase)
        nonce = secrets.token_bytes(_NONCE)
        return head + nonce + AESGCM(self._key(passphrase, head)).encrypt(nonce, secret, head + _bound(place))

    def unwrap(self, wrapped: bytes, place: Place) -> bytes:
        """See KeyWrapper."""
        current = self._passphrase()
        others = [known for known in reversed(list(self._known.values())) if known != current]
        for passphrase in (current, *others):
            if (found := self._opened(passphrase, wrapped, place)) is not None:
                return found
        raise _not_open()

    def rewrap(self, wrapped: bytes, place: Place) -> bytes:
        """See KeyWrapper; the same bytes when they are under the present passphrase already."""
        present = wrapped[1:_HEAD] == bytes(self._cost)
        if present and self._opened(self._passphrase(), wrapped, place) is not None:
            return wrapped
        return self.wrap(self.unwrap(wrapped, place), place)

    def version(self, wrapped: bytes) -> str:
        """See KeyWrapper; the first hex digits of a hash of the salt, which a new passphrase changes."""
        return hashlib.sha256(wrapped[: _HEAD + _SALT]).hexdigest()[:8]

    def _passphrase(self) -> bytes:
        passphrase = self._read()
        if not MIN_PASSPHRASE_BYTES <= len(passphrase) <= MAX_PASSPHRASE_BYTES:
            raise KeyStoreRefused(
                f"the passphrase has {len(passphrase)} bytes, expected {MIN_PASSPHRASE_BYTES} to"
                f" {MAX_PASSPHRASE_BYTES}"
            )
        with self._lock:
            self._known.pop(_digest(passphrase), None)
            self._known[_digest(passphrase)] = passphrase
            while len(self._known) > _REMEMBERED:
                del self._known[next(iter(self._known))]
        return passphrase

    def _head_of(self, passphrase: bytes) -> bytes:
        """Form, cost and salt to seal with: those in use under this passphrase, or new ones."""
        start = bytes((_FORM, *self._cost))
        with self._lock:
            head = self._heads.get(_digest(passphrase), b"")
            if not head.startswith(start):
                head = self._heads[_digest(passphrase)] = start + secrets.token_bytes(_SALT)
            return head

    def _opened(self, passphrase: bytes, wrapped: bytes, place: Place) -> bytes | None:
        head, rest = wrapped[: _HEAD + _SALT], wrapped[_HEAD + _SALT :]
        costs = tuple(head[1:_HEAD])
        if len(rest) <= _NONCE or head[0] != _FORM:
            raise _not_open()
        if any(not 0 < cost <= most for cost, most in zip(costs, _MOST, strict=True)):
            raise _not_open()
        try:
            key = self._key(passphrase, head)
            found = AESGCM(key).decrypt(rest[:_NONCE], rest[_NONCE:], head + _bound(place))
        except (InvalidTag, ValueError):
            return None
        with self._lock:
            self._heads.setdefault(_digest(passphrase), head)
        return found

    def _key(self, passphrase: bytes, head: bytes) -> bytes:
        name = (_digest(passphrase), head)
        with self._lock:
            # Under the lock: many at once would each take the memory.
            if name not in self._keys:
                log2n, r, p = head[1:_HEAD]
                kdf = Scrypt(salt=head[_HEAD:], length=32, n=1 << log2n, r=r, p=p)
                self._keys[name] = kdf.derive(passphrase)
                while len(self._keys) > _REMEMBERED:
                    del self._keys[next(iter(self._keys))]
            return self._keys[name]


def _digest(passphrase: bytes) -> bytes:
    return hashlib.sha256(passphrase).digest()


def _bound(place: Place) -> bytes:
    return encode(dict(place))


def _not_open() -> KeysNotOpen:
    return KeysNotOpen("wrapped key does not open under this passphrase", reason=KeysNotOpen.ALTERED)

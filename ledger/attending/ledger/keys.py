"""The key folder: per log a signing key, a key-encryption key and two lookup keys; per subject one key.

    <root>/<log_id>/signing.pem      Ed25519, PKCS #8; signs checkpoints
    <root>/<log_id>/kek              32 bytes; wraps the subject keys
    <root>/<log_id>/lookup           32 bytes; HMAC of identifiers, so that the pseudonym map holds none
    <root>/<log_id>/fingerprint      32 bytes; HMAC of request bodies for idempotency
    <root>/<log_id>/subjects/<xx>/<pseudonym>   nonce || AES-256-GCM(kek, subject key)

It lies apart from the database and its backups: destroying one subject file erases every copy of that
subject's payloads, except where a copy of that file is left. So backups of this folder, and of any volume or
snapshot that holds it, expire within 30 days: that is how long an erasure takes to be
complete. Backups of the database need no such limit. What a restore brings back is dealt with like this:

    restored                     what happens
    database only                no key of an erased subject is there: its payloads do not open
    this folder only             each erasure on record is carried out again before anything is served
    both, from before            the published head is ahead of the database: LOG_ROLLED_BACK, nothing is served
 Every file is private to its owner (0600), durable when the creating call returns, and
refused when others may read it. Anyone who can read this folder can sign; the embedded mode does not
protect against the operator.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import unicodedata
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from attending.ledger.errors import CorruptLog, NotFound, SubjectErased
from attending.ledger.files import make_folder, read_private, shred, sync_folder, write_durably
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

KEY_SIZE: Final = 32
NONCE_SIZE: Final = 12
TENANT_SUBJECT: Final = "tenant"
"""The subject of payloads about no one: they share one key a log, which is never erased."""

_LOG_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_SUBJECT = re.compile(r"tenant|sub_[A-Za-z2-7]{26}")
_WRAP_TAG: Final = b"attending-subject-key/1\0"
_ID_TAG: Final = b"attending-subject-key-id/1\0"
_CACHE_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The keys of one log, in memory."""

    signing: Ed25519PrivateKey = field(repr=False)
    kek: bytes = field(repr=False)
    lookup: bytes = field(repr=False)
    fingerprint: bytes = field(repr=False)


class SubjectKeys(Protocol):
    """Where subject keys are kept. Any thread may call; no call is retried by the keeper itself.

    `ensure` returns the key of a subject, creating it if there is none: durable on return, and one key
    however many create at once. `get` returns it or raises SubjectErased. `destroy` makes it unreadable for
    ever, durable on return; False when there was none.
    """

    def ensure(self, log_id: str, subject: str) -> bytes: ...
    def get(self, log_id: str, subject: str) -> bytes: ...
    def destroy(self, log_id: str, subject: str) -> bool: ...


def require_log_id(log_id: str) -> str:
    """`log_id` itself when it is at most 63 of a-z, 0-9, `_`, `-`, `.`; NotFound otherwise."""
    if type(log_id) is not str or not _LOG_ID.fullmatch(log_id):
        raise NotFound("log id is not well formed, expected at most 63 of a-z, 0-9, `_`, `-`, `.`")
    return log_id


class KeyFolder:
    """Keys in files; implements SubjectKeys. Safe to call from several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._keks: dict[str, bytes] = {}
        self._cache: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._destroyed: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def create_log(self, log_id: str) -> LogKeys:
        """Creates whatever of a log's keys is missing and returns them; an existing key is never replaced."""
        folder = self._root / require_log_id(log_id)
        make_folder(folder / "subjects")
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        for name in ("kek", "lookup", "fingerprint"):
            _create(folder / name, secrets.token_bytes(KEY_SIZE))
        _create(folder / "signing.pem", pem)
        # A key that was there may be of a process that was killed before the file's name was durable.
        sync_folder(folder)
        return self.open_log(log_id)

    def open_log(self, log_id: str) -> LogKeys:
        """The keys of a log; NotFound when one is missing, UnsafeSettings when others can read one."""
        folder = self._root / require_log_id(log_id)
        try:
            signing = load_pem_private_key(read_private(folder / "signing.pem"), None)
            kek, lookup, fingerprint = (read_private(folder / n) for n in ("kek", "lookup", "fingerprint"))
        except FileNotFoundError as err:
            raise NotFound(f"key folder has no key `{Path(err.filename).name}` of log `{log_id}`") from err
        except ValueError as err:
            raise CorruptLog(f"signing key of log `{log_id}` cannot be read") from err
        if not isinstance(signing, Ed25519PrivateKey) or {len(kek), len(lookup), len(fingerprint)} != {
            KEY_SIZE
        }:
            raise CorruptLog(f"a key of log `{log_id}` is not of its kind")
        self._keks[log_id] = kek
        return LogKeys(signing, kek, lookup, fingerprint)

    def ensure(self, log_id: str, subject: str) -> bytes:
        """The subject's key, created durably if there is none. See SubjectKeys."""
        path = self._path(log_id, subject)
        try:
            key = self.get(log_id, subject)
        except SubjectErased:
            if (log_id, subject) in self._destroyed:
                raise
        else:
            sync_folder(path.parent)  # as in `create_log`: it may be there and not be durable yet
            return key
        make_folder(path.parent)
        nonce, key = secrets.token_bytes(NONCE_SIZE), secrets.token_bytes(KEY_SIZE)
        wrapped = nonce + AESGCM(self._kek(log_id)).encrypt(nonce, key, _aad(log_id, subject))
        # A crash here leaves a key that no payload uses, or none: both are harmless.
        write_durably(path, wrapped, replace=False)
        return self.get(log_id, subject)  # the file's, which is another's when it was created at once

    def get(self, log_id: str, subject: str) -> bytes:
        """The subject's key; SubjectErased when there is none, CorruptLog when it does not unwrap."""
        name = (log_id, subject)
        with self._lock:
            cached = self._cache.get(name)
            if cached is not None:
                self._cache.move_to_end(name)
                return cached
        path = self._path(log_id, subject)
        try:
            wrapped = read_private(path)
        except FileNotFoundError:
            raise SubjectErased("the subject's key has been destroyed") from None
        try:
            key = AESGCM(self._kek(log_id)).decrypt(
                wrapped[:NONCE_SIZE], wrapped[NONCE_SIZE:], _aad(log_id, subject)
            )
        except (InvalidTag, ValueError) as err:
            if not path.exists():  # opened before it was shredded, by this process or another, and read after
                raise SubjectErased("the subject's key has been destroyed") from None
            raise CorruptLog("a subject key does not unwrap: altered, or of another log") from err
        with self._lock:
            if name in self._destroyed:  # the file was read before it went
                raise SubjectErased("the subject's key has been destroyed")
            self._cache[name] = key
            if len(self._cache) > _CACHE_LIMIT:
                self._cache.popitem(last=False)
        return key

    def key_id(self, log_id: str, subject: str) -> str:
        """16 hex digits that name the subject's key: of a hash, so whoever holds a copy of the key can tell that
        it is this one, and nobody else learns anything. Raises as `get`.
        """
        return hashlib.sha256(_ID_TAG + self.get(log_id, subject)).hexdigest()[:16]

    def destroy(self, log_id: str, subject: str) -> bool:
        """Destroys the subject's key; False when there was none. See SubjectKeys."""
        with self._lock:
            self._destroyed.add((log_id, subject))
            self._cache.pop((log_id, subject), None)
        return shred(self._path(log_id, subject))

    def _kek(self, log_id: str) -> bytes:
        if log_id not in self._keks:
            self.open_log(log_id)
        return self._keks[log_id]

    def _path(self, log_id: str, subject: str) -> Path:
        if not _SUBJECT.fullmatch(subject):
            raise NotFound("subject is not a pseudonym")
        return self._root / require_log_id(log_id) / "subjects" / subject[-2:].lower() / subject


def lookup_of(key: bytes, identifier: str) -> bytes:
    """The 32-byte HMAC-SHA-256 under which an identifier is found: case, width and spacing do not matter."""
    return hmac.digest(key, normalise(identifier).encode("utf-8", "surrogatepass"), "sha256")


def normalise(identifier: str) -> str:
    """NFKC, case folded, surrounding space removed and inner runs of it made one."""
    return " ".join(unicodedata.normalize("NFKC", identifier).casefold().split())


def _create(path: Path, data: bytes) -> None:
    if not path.exists():
        write_durably(path, data, replace=False)


def _aad(log_id: str, subject: str) -> bytes:
    return _WRAP_TAG + log_id.encode() + b"\0" + subject.encode()

"""The key folder: per log a signing key, a key-encryption key and two lookup keys; per subject one key.

    <root>/<log_id>/signing.pem      Ed25519, PKCS #8; signs checkpoints (`signing.2.pem` after a rotation)
    <root>/<log_id>/kek              32 bytes; wraps the subject keys
    <root>/<log_id>/lookup           32 bytes; HMAC of identifiers, so that the pseudonym map holds none
    <root>/<log_id>/fingerprint      32 bytes; HMAC of request bodies for idempotency
    <root>/<log_id>/subjects/<xx>/<pseudonym>   nonce || AES-256-GCM(kek, subject key), once a generation

The first four lie there in the clear, or sealed under a root that is kept elsewhere (`wrapping`), and may have several
generations (`key_files`; docs/secrets.md says how each is rotated). The folder lies apart
from the database and its backups: destroying one subject file erases every copy of that
subject's payloads, except where a copy of that file is left. So backups of this folder, and of any volume or
snapshot that holds it, expire within 30 days: that is how long an erasure takes to be
complete. Backups of the database need no such limit. What a restore brings back is dealt with like this:

    restored                     what happens
    database only                no key of an erased subject is there: its payloads do not open; nor the signing key
                                 of a log that was rotated since: it does not open until the folder is restored too
    this folder only             each erasure on record is carried out again before anything is served, and a signing
                                 key that introduced the next one goes again; one made since the copy is missing
    both, from before            the published head is ahead of the database: LOG_ROLLED_BACK, nothing is served

Every file is private to its owner (0600), durable when the creating call returns, and refused when others may read it.
Without a root anyone who can read this folder can sign; with one, whoever can use the root as well. The embedded mode
does not protect against the operator.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final, Protocol

from attending.ledger.errors import CorruptLog, NotFound, SubjectErased
from attending.ledger.files import (
    make_folder,
    read_private,
    replace_and_shred,
    shred,
    sync_folder,
    write_durably,
)
from attending.ledger.key_files import KEY_SIZE, KeyFile, Kind, LogFolder, LogKeys, SigningKey
from attending.ledger.wrapping import PLAIN, Root
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_SIZE: Final = 12
TENANT_SUBJECT: Final = "tenant"
"""The subject of payloads about no one: they share one key a log, which is never erased."""
MAX_SUBJECT_GENERATIONS: Final = 64

_LOG_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_SUBJECT = re.compile(r"tenant|sub_[A-Za-z2-7]{26}")
_WRAP_TAG: Final = b"attending-subject-key/1\0"
_ID_TAG: Final = b"attending-subject-key-id/1\0"
_RECORD: Final = NONCE_SIZE + KEY_SIZE + 16
_CACHE_LIMIT: Final = 4096
_READS: Final = 5


class SubjectKeys(Protocol):
    """Where subject keys are kept. Any thread may call; no call is retried by the keeper itself.

    `ensure` returns the key of a subject, creating it if there is none: durable on return, and one key
    however many create at once. `get` returns it or raises SubjectErased. `generations` returns every key that it has
    had, newest first. `destroy` makes all of them unreadable for ever, durable on return; False when there was none.
    """

    def ensure(self, log_id: str, subject: str) -> bytes: ...
    def get(self, log_id: str, subject: str) -> bytes: ...
    def generations(self, log_id: str, subject: str) -> tuple[bytes, ...]: ...
    def destroy(self, log_id: str, subject: str) -> bool: ...


def require_log_id(log_id: str) -> str:
    """`log_id` itself when it is at most 63 of a-z, 0-9, `_`, `-`, `.`; NotFound otherwise."""
    if type(log_id) is not str or not _LOG_ID.fullmatch(log_id):
        raise NotFound("log id is not well formed, expected at most 63 of a-z, 0-9, `_`, `-`, `.`")
    return log_id


class KeyFolder:
    """Keys in files; implements SubjectKeys. Safe to call from several threads, and beside other processes.

    Keys that were opened stay open for as long as this object lives: only what is new asks the root. But for `reseal`,
    which asks it about every file.
    """

    def __init__(self, root: Path, sealed_by: Root = PLAIN) -> None:
        self._root = root
        self._sealed_by = sealed_by
        self._logs: dict[str, tuple[tuple[str, ...], LogKeys]] = {}
        self._reading: dict[str, threading.Lock] = {}
        self._cache: OrderedDict[tuple[str, str], tuple[bytes, ...]] = OrderedDict()
        self._destroyed: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    # --- keys of logs ----------------------------------------------------------------------------------

    def create_log(self, log_id: str) -> LogKeys:
        """Creates whatever of a log's keys is missing and returns them; an existing key is never replaced."""
        self.log_folder(log_id).create()
        return self.refresh(log_id)

    def open_log(self, log_id: str) -> LogKeys:
        """The keys of a log, as they were when it was first opened or last refreshed.

        Raises NotFound when one is missing, UnsafeSettings when others can read one, CorruptLog, KeysNotOpen,
        KeyStoreUnavailable, KeyStoreRefused.
        """
        found = self._logs.get(log_id)
        return self.refresh(log_id) if found is None else found[1]

    def refresh(self, log_id: str) -> LogKeys:
        """The keys of a log as they lie there now: another process may have rotated one. Raises as `open_log`."""
        folder = self.log_folder(log_id)
        # INVARIANT: one reads at a time, so whoever lists the folder later says later what is in it.
        with self._lock:
            reading = self._reading.setdefault(log_id, threading.Lock())
        with reading:
            known = self._logs.get(log_id)
            if known is not None and folder.names() == known[0]:
                return known[1]
            names, keys = folder.load(None if known is None else known[1])
            # A folder that has gone back is shown as it is, and does not take away what was used since.
            if known is None or not keys.behind(known[1]):
                self._logs[log_id] = names, keys
            return keys

    def stale(self, log_id: str, kind: Kind) -> bool:
        """Whether a generation of a key came or went since the log's keys were read; asks nobody.

        By the names that are there: times of a folder are too coarse to tell two changes apart.
        """
        known = self._logs.get(log_id)
        here = self.log_folder(log_id).names()
        return known is None or _of_kind(kind, here) != _of_kind(kind, known[0])

    def log_folder(self, log_id: str) -> LogFolder:
        """The key files of a log; NotFound for a malformed id."""
        return LogFolder(self._root / require_log_id(log_id), log_id, self._sealed_by)

    def logs(self) -> list[str]:
        """Ids of the logs that have a folder here, sorted."""
        if not self._root.is_dir():
            return []
        return sorted(p.name for p in self._root.iterdir() if p.is_dir() and _LOG_ID.fullmatch(p.name))

    def files(self, log_id: str) -> list[KeyFile]:
        """The key files of a log, without their keys."""
        return self.log_folder(log_id).files()

    def begin(
        self,
        log_id: str,
        kind: Kind,
        number: int,
        since: str,
        in_time: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Adds generation `number` to a key of the log, in use from now on for everything new, in every process; one
        that is there already is left as it is.

        Durable on return. False when it is not there and `in_time`, which is asked last, says that it is too late for
        `since`: then nothing was added. Raises KeyGenerations, and as `open_log`.
        """
        if self.refresh(log_id).of(kind)[0].number < number:
            folder = self.log_folder(log_id)
            # The root is asked before anybody is kept waiting.
            data = folder.sealed(kind, number, since)
            with folder.turnstile(kind).alone():
                if self.refresh(log_id).of(kind)[0].number < number:
                    if not in_time():
                        return False
                    folder.place(kind, number, data)
            self.refresh(log_id)
        return True

    def share(self, log_id: str, kind: Kind) -> int:
        """Keeps every process from adding a generation, until the descriptor returned is closed. Blocks."""
        return self.log_folder(log_id).turnstile(kind).acquire_shared()

    def retire(self, log_id: str, kind: Kind, numbers: list[int]) -> None:
        """Shreds generations of a key, except the newest, and what a call that was killed left of others. The caller
        knows that nothing needs them.
        """
        folder = self.log_folder(log_id)
        with folder.turnstile(kind).alone():
            newest = self.refresh(log_id).of(kind)[0].number
            for number in numbers:
                if number != newest:
                    folder.remove(kind, number)
            folder.sweep(kind)
            self.refresh(log_id)

    def add_signing(self, log_id: str, number: int) -> SigningKey:
        """The signing key of generation `number`, made if there is none: durable on return, and opened from its file,
        so that what the log will name as its key is one that can be used. Raises as `open_log`.
        """
        folder = self.log_folder(log_id)
        for _ in range(2):
            for key in self.refresh(log_id).signing:
                if key.number == number:
                    sync_folder(folder.path)  # it may be another process's, and not be durable yet
                    return key
            folder.place_signing(number)
        raise NotFound(f"signing key of log `{log_id}` was taken away while it was made")

    def retire_signing(self, log_id: str, keep: SigningKey) -> int:
        """Destroys the signing keys before `keep`, which is there; how many there were. The caller knows that the last
        of them has introduced the next for good.
        """
        held = {key.number: key.public for key in self.refresh(log_id).signing}
        if held.get(keep.number) != keep.public:
            # INVARIANT: no signing key is destroyed unless the one that took over lies there.
            raise CorruptLog(f"signing key of log `{log_id}` is not in its folder", reason="KEY_MISMATCH")
        folder = self.log_folder(log_id)
        if not folder.signing_left(keep.number):
            return 0
        retired = folder.retire_signing(keep.number)
        self.refresh(log_id)
        return retired

    def discard_signing(self, log_id: str, key: SigningKey) -> None:
        """Destroys a signing key that was made and that no log names."""
        self.log_folder(log_id).discard_signing(key.number)
        self.refresh(log_id)

    def reseal(self, log_id: str) -> int:
        """See `LogFolder.reseal`."""
        return self.log_folder(log_id).reseal()

    # --- keys of subjects ------------------------------------------------------------------------------

    def ensure(self, log_id: str, subject: str) -> bytes:
        """The subject's newest key, created durably if there is none. See SubjectKeys."""
        path = self._path(log_id, subject)
        try:
            key = self.get(log_id, subject)
        except SubjectErased:
            if (log_id, subject) in self._destroyed:
                raise
        else:
            sync_folder(path.parent)  # as in `create`: it may be there and not be durable yet
            return key
        make_folder(path.parent)
        # INVARIANT: while this is shared nobody adds a key-encryption key, so what is written is under the newest, and
        # whoever rewraps under a newer one finds it.
        with self.log_folder(log_id).turnstile("kek").shared():
            wrapped = _wrapped(self.refresh(log_id).kek, log_id, subject, [secrets.token_bytes(KEY_SIZE)])
            # A crash here leaves a key that no payload uses, or none: both are harmless.
            write_durably(path, wrapped, replace=False)
        return self.get(log_id, subject)  # the file's, which is another's when it was created at once

    def get(self, log_id: str, subject: str) -> bytes:
        """The subject's newest key; SubjectErased when there is none, CorruptLog when it does not unwrap."""
        return self.generations(log_id, subject)[0]

    def at_hand(self, log_id: str, subject: str, *, shared: bool = False) -> bytes | None:
        """The subject's newest key by reading one small file at most; None when more may have to be asked for it: then
        `get`. With `shared`, also one that another process has added. Raises SubjectErased.
        """
        path = self._path(log_id, subject)
        with self._lock:
            found = self._cache.get((log_id, subject))
        try:
            # Each of its keys takes as much room in the file.
            if found is not None and (not shared or path.stat().st_size == len(found) * _RECORD):
                return found[0]
            data = read_private(path)
        except FileNotFoundError:
            raise SubjectErased("the subject's key has been destroyed") from None
        for kek in self.open_log(log_id).keks:
            if (keys := _unwrapped(kek.key, log_id, subject, data)) is not None:
                return self._remembered(log_id, subject, keys)[0]
        return None

    def generations(self, log_id: str, subject: str, *, fresh: bool = False) -> tuple[bytes, ...]:
        """Every key of the subject, newest first; with `fresh` as the file is now. Raises as `get`."""
        name = (log_id, subject)
        with self._lock:
            cached = self._cache.get(name)
            if cached is not None and not fresh:
                self._cache.move_to_end(name)
                return cached
        return self._remembered(log_id, subject, self._read_subject(log_id, subject))

    def _remembered(self, log_id: str, subject: str, keys: tuple[bytes, ...]) -> tuple[bytes, ...]:
        name = (log_id, subject)
        with self._lock:
            if name in self._destroyed:  # the file was read before it went
                raise SubjectErased("the subject's key has been destroyed")
            self._cache[name] = keys
            if len(self._cache) > _CACHE_LIMIT:
                self._cache.popitem(last=False)
        return keys

    def key_id(self, log_id: str, subject: str) -> str:
        """16 hex digits that name the subject's key: of a hash, so whoever holds a copy of the key can tell that
        it is this one, and nobody else learns anything. Of several generations, oldest first, all together.
        Raises as `get`.
        """
        keys = self.generations(log_id, subject)
        return hashlib.sha256(_ID_TAG + b"".join(reversed(keys))).hexdigest()[:16]

    def destroy(self, log_id: str, subject: str) -> bool:
        """Destroys the subject's keys; False when there were none. See SubjectKeys."""
        with self._lock:
            self._destroyed.add((log_id, subject))
            self._cache.pop((log_id, subject), None)
        path = self._path(log_id, subject)
        if not path.parent.is_dir():
            return False
        # Whoever rewraps the key at this moment would bring it back.
        with self.log_folder(log_id).turnstile("kek").shared():
            found = shred(path)
            _shred_copies(path, _copies(path))
            return found

    def destroy_again(self, log_id: str, subjects: Collection[str]) -> int:
        """As `destroy` of each, for many who are gone most likely: each folder is looked through once; how many were
        there.
        """
        with self._lock:
            self._destroyed.update((log_id, subject) for subject in subjects)
            for subject in subjects:
                self._cache.pop((log_id, subject), None)
        folders: dict[Path, set[str]] = {}
        for subject in subjects:
            folders.setdefault(self._path(log_id, subject).parent, set()).add(subject)
        left = [
            subject for folder, members in folders.items() for subject in members & _by_subject(folder).keys()
        ]
        return sum(self.destroy(log_id, subject) for subject in left)

    def add_generations(self, log_id: str, subject: str, number: int) -> bool:
        """Gives the subject new keys, the last for what is sealed from now on, until it has `number` of them, at most
        MAX_SUBJECT_GENERATIONS; False when it has. Durable on return. Raises as `get`.
        """
        if len(self.generations(log_id, subject)) >= number:
            return False
        path = self._path(log_id, subject)
        with self.log_folder(log_id).turnstile("kek").alone():
            keys = list(reversed(self.generations(log_id, subject, fresh=True)))
            missing = min(number, MAX_SUBJECT_GENERATIONS) - len(keys)
            if missing > 0:
                keys += [secrets.token_bytes(KEY_SIZE) for _ in range(missing)]
                replace_and_shred(path, _wrapped(self.refresh(log_id).kek, log_id, subject, keys))
        self.generations(log_id, subject, fresh=True)
        return missing > 0

    def subjects(self, log_id: str) -> list[str]:
        """Every subject that has a file in the log's folder, also one that was being written, sorted by folder."""
        found: list[str] = []
        folder = self._root / require_log_id(log_id) / "subjects"
        for inner in sorted(folder.iterdir()) if folder.is_dir() else ():
            found += sorted(name for name in _by_subject(inner) if _SUBJECT.fullmatch(name))
        return found

    def rewrap(self, log_id: str, subject: str) -> bool:
        """Wraps the subject's keys under the log's newest key-encryption key; False when they are, or are gone.

        Afterwards no copy under an older one is left under any name. Raises CorruptLog when they do not unwrap.
        """
        path = self._path(log_id, subject)
        return self._rewrap(log_id, subject, path, _copies(path))

    def rewrap_many(self, log_id: str, subjects: Sequence[str]) -> tuple[int, int]:
        """As `rewrap` of each, looking through each folder once: how many were wrapped anew, how many do not unwrap."""
        paths = [self._path(log_id, subject) for subject in subjects]
        folders = {folder: _by_subject(folder) for folder in {path.parent for path in paths}}
        moved = bad = 0
        for subject, path in zip(subjects, paths, strict=True):
            copies = [item for item in folders[path.parent].get(subject, ()) if item != path]
            try:
                moved += self._rewrap(log_id, subject, path, copies)
            except CorruptLog:
                bad += 1
        return moved, bad

    def _rewrap(self, log_id: str, subject: str, path: Path, copies: Sequence[Path]) -> bool:
        with self.log_folder(log_id).turnstile("kek").alone():
            _shred_copies(path, copies)
            try:
                data = read_private(path)
            except FileNotFoundError:
                return False
            newest, *_ = keks = self.refresh(log_id).keks
            if _unwrapped(newest.key, log_id, subject, data) is not None:
                return False
            for kek in keks:
                if (keys := _unwrapped(kek.key, log_id, subject, data)) is not None:
                    replace_and_shred(path, _wrapped(newest.key, log_id, subject, list(reversed(keys))))
                    return True
        raise _not_unwrapped()

    def _read_subject(self, log_id: str, subject: str) -> tuple[bytes, ...]:
        path, before = self._path(log_id, subject), b""
        for _ in range(_READS):
            try:
                data = read_private(path)
            except FileNotFoundError:
                raise SubjectErased("the subject's key has been destroyed") from None
            # Twice the same bytes: not a file that was being replaced. Then it may be the key that is another by now.
            keks = self.open_log(log_id).keks if data != before else self.refresh(log_id).keks
            for kek in keks:
                if (keys := _unwrapped(kek.key, log_id, subject, data)) is not None:
                    return keys
            before = data
        if not path.exists():  # opened before it was shredded, by this process or another, and read after
            raise SubjectErased("the subject's key has been destroyed")
        raise _not_unwrapped()

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


def _of_kind(kind: Kind, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if name.partition(".")[0] == kind]


def _by_subject(folder: Path) -> dict[str, list[Path]]:
    """What lies in a folder of subjects, hidden files as well, by the name that it belongs to."""
    found: dict[str, list[Path]] = {}
    for name in os.listdir(folder) if folder.is_dir() else ():
        found.setdefault(name.removeprefix(".").partition(".")[0], []).append(folder / name)
    return found


def _copies(path: Path) -> list[Path]:
    return [item for item in _by_subject(path.parent).get(path.name, ()) if item != path]


def _shred_copies(path: Path, copies: Sequence[Path]) -> None:
    """Shreds what a writer that was killed left of a subject's key under hidden names. A second name of the file that
    is in use only goes.
    """
    for copy in copies:
        if copy.exists() and path.exists() and copy.samefile(path):
            copy.unlink()
        else:
            shred(copy)


def _wrapped(kek: bytes, log_id: str, subject: str, keys: list[bytes]) -> bytes:
    """The bytes of a subject's file: its keys, oldest first, each wrapped under `kek`."""
    records = []
    for number, key in enumerate(keys, 1):
        nonce = secrets.token_bytes(NONCE_SIZE)
        records.append(nonce + AESGCM(kek).encrypt(nonce, key, _aad(log_id, subject, number)))
    return b"".join(records)


def _unwrapped(kek: bytes, log_id: str, subject: str, data: bytes) -> tuple[bytes, ...] | None:
    """The keys in a subject's file, newest first; None when they are not under `kek`, or the file is altered."""
    if not data or len(data) % _RECORD:
        return None
    keys = []
    for number, start in enumerate(range(0, len(data), _RECORD), 1):
        nonce, record = data[start : start + NONCE_SIZE], data[start + NONCE_SIZE : start + _RECORD]
        try:
            keys.append(AESGCM(kek).decrypt(nonce, record, _aad(log_id, subject, number)))
        except (InvalidTag, ValueError):
            return None
    return tuple(reversed(keys))


def _not_unwrapped() -> CorruptLog:
    return CorruptLog("a subject key does not unwrap: altered, or of another log")


def _aad(log_id: str, subject: str, number: int) -> bytes:
    first = _WRAP_TAG + log_id.encode() + b"\0" + subject.encode()
    return first if number == 1 else first + b"\0%d" % number

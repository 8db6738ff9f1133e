"""The key files of one log: their names, their generations, and how they are read, added, sealed anew and removed.

A rotated key has generations: `kek` is the first, `kek.2` the second. The highest number is in use; those before it
stay for as long as something still needs them. From the second on, the file says since when: key || time (27 chars).

Of the signing key, `signing.pem` and then `signing.2.pem`, the one in use is the one that the log names, whatever the
number: a later one is not in force yet, an earlier one goes once its introduction of the next is stored.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from attending.ledger.ed25519 import public_bytes
from attending.ledger.entry import parse_time
from attending.ledger.errors import CorruptLog, KeyGenerations, NotFound, VerificationError
from attending.ledger.files import (
    make_folder,
    read_private,
    replace_and_shred,
    shred,
    shred_replaced,
    sync_folder,
    write_durably,
)
from attending.ledger.turnstile import Turnstile
from attending.ledger.wrapping import Root
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

KEY_SIZE: Final = 32
MAX_GENERATIONS: Final = 16
"""Of one key at once. A lookup key keeps all of its own, and each is tried."""

Kind = Literal["kek", "lookup", "fingerprint"]
KINDS: Final[tuple[Kind, ...]] = ("kek", "lookup", "fingerprint")
SIGNING: Final = "signing.pem"

_SIGNING_NAME = re.compile(r"signing(?:\.([2-9]|[1-9]\d{1,5}))?\.pem")
_NAME = re.compile(r"(kek|lookup|fingerprint)(?:\.([2-9]|[1-9]\d{1,5}))?")
_TIME_CHARS: Final = 27
_ID_TAG: Final = b"attending-log-key-id/1\0"
_READS: Final = 5


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of a key. `since` is the time it was made for (`format_time`), None of the first."""

    number: int
    key: bytes = field(repr=False)
    since: str | None = None

    def key_id(self, kind: str) -> str:
        """16 hex digits that name the key, and tell nothing of it to whoever does not have it."""
        return hashlib.sha256(_ID_TAG + kind.encode() + b"\0" + self.key).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One generation of a signing key."""

    number: int
    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> bytes:
        """Its public half, 32 bytes."""
        return public_bytes(self.private)


@dataclass(frozen=True, slots=True)
class LogKeys:
    """The keys of one log, in memory; generations newest first, at least one of each."""

    signing: tuple[SigningKey, ...] = field(repr=False)
    keks: tuple[Generation, ...]
    lookups: tuple[Generation, ...]
    fingerprints: tuple[Generation, ...]

    @property
    def kek(self) -> bytes:
        return self.keks[0].key

    @property
    def lookup(self) -> bytes:
        return self.lookups[0].key

    @property
    def fingerprint(self) -> bytes:
        return self.fingerprints[0].key

    def of(self, kind: Kind) -> tuple[Generation, ...]:
        """Every generation of a kind, newest first."""
        return {"kek": self.keks, "lookup": self.lookups, "fingerprint": self.fingerprints}[kind]

    def behind(self, other: LogKeys) -> bool:
        """Whether `other` has a newer generation of a key than any here."""
        return any(self.of(kind)[0].number < other.of(kind)[0].number for kind in KINDS)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """One file as it lies there, without the key. `root` is what it is sealed under, such as `vault v3`."""

    kind: str
    generation: int
    root: str


class LogFolder:
    """The folder of one log. What changes it belongs under the turnstile of its kind."""

    def __init__(self, path: Path, log_id: str, root: Root) -> None:
        self.path = path
        self._log_id = log_id
        self._root = root

    def turnstile(self, kind: Kind) -> Turnstile:
        """Shared by whoever uses the newest generation for something new, taken alone by whoever changes it. Files of
        the signing key are changed under that of the `kek`.
        """
        return Turnstile(self.path / f"{kind}.lock")

    def names(self) -> tuple[str, ...]:
        """Names of the key files that are there, sorted."""
        try:
            found = os.listdir(self.path)
        except FileNotFoundError:
            return ()
        return tuple(sorted(name for name in found if _NAME.fullmatch(name) or _SIGNING_NAME.fullmatch(name)))

    def create(self) -> None:
        """Makes whatever key is missing; one that is there is never replaced, whatever it is sealed under."""
        make_folder(self.path / "subjects")
        names = self.names()
        for kind in KINDS:
            if not any(name.partition(".")[0] == kind for name in names):
                self._write(kind, kind, secrets.token_bytes(KEY_SIZE))
        if not any(map(_SIGNING_NAME.fullmatch, names)):
            self._write(SIGNING, SIGNING, _pem(Ed25519PrivateKey.generate()))
        # A key that was there may be of a process that was killed before the file's name was durable.
        sync_folder(self.path)

    def load(self, known: LogKeys | None = None) -> tuple[tuple[str, ...], LogKeys]:
        """The names that were there, and the keys in them. A generation that is among those `known` is not opened
        again: its name never comes to mean another key.

        Raises NotFound (one is missing), UnsafeSettings (others can read it), CorruptLog, and as `Root.open`.
        """
        for attempt in range(_READS):
            names = self.names()
            try:
                return names, self._load(names, known)
            except FileNotFoundError:
                # A rotation came to its end meanwhile, and removed one that was listed.
                if attempt == _READS - 1:
                    raise
        raise AssertionError("unreachable")

    def sealed(self, kind: Kind, number: int, since: str) -> bytes:
        """The bytes of a new generation's file; for `place`. Raises KeyGenerations, and as `Root.seal`."""
        if sum(name.partition(".")[0] == kind for name in self.names()) >= MAX_GENERATIONS:
            raise KeyGenerations(
                f"log `{self._log_id}` has {MAX_GENERATIONS} generations of `{kind}` already"
            )
        key = secrets.token_bytes(KEY_SIZE) + since.encode("ascii")
        return self._root.seal(self._log_id, _name(kind, number), key)

    def place(self, kind: Kind, number: int, data: bytes) -> None:
        """Adds a generation durably; one that is there already stays."""
        write_durably(self.path / _name(kind, number), data, replace=False)

    def remove(self, kind: Kind, number: int) -> None:
        """Shreds a generation that nothing needs any more."""
        path = self.path / _name(kind, number)
        shred(path)
        shred_replaced(path)

    def place_signing(self, number: int) -> None:
        """Adds a new signing key as generation `number`, durably; one that is there already stays. It is in force when
        the log says so. Raises as `Root.seal`.
        """
        name = _signing_name(number)
        # The root is asked before anybody is kept waiting.
        data = self._root.seal(self._log_id, name, _pem(Ed25519PrivateKey.generate()))
        with self.turnstile("kek").alone():
            write_durably(self.path / name, data, replace=False)

    def signing_left(self, keep: int) -> bool:
        """Whether there is anything for `retire_signing` to destroy."""
        try:
            found = [path.name for path in self.path.iterdir() if path.name.lstrip(".").startswith("signing")]
        except FileNotFoundError:
            return False
        later = [name for name in found if _SIGNING_NAME.fullmatch(name) and _parsed(name)[1] >= keep]
        return len(found) > len(later)

    def discard_signing(self, number: int) -> None:
        """Shreds one generation."""
        with self.turnstile("kek").alone():
            shred(self.path / _signing_name(number))

    def retire_signing(self, keep: int) -> int:
        """Shreds the signing keys before generation `keep`, and what a kill left of any under another name; how many
        there were.
        """
        with self.turnstile("kek").alone():
            old = [name for name in self.names() if _parsed(name)[0] == "signing" and _parsed(name)[1] < keep]
            for name in old:
                shred(self.path / name)
            self.sweep("kek")
        return len(old)

    def files(self) -> list[KeyFile]:
        """What lies there and under what it is sealed, without opening anything."""
        found = []
        for name in self.names():
            kind, number = _parsed(name)
            with contextlib.suppress(FileNotFoundError):  # retired meanwhile
                found.append(KeyFile(kind, number, self._root.version(read_private(self.path / name))))
        return found

    def reseal(self) -> int:
        """Moves every key file to the newest version of the present root, and shreds what was there; the number of
        files that moved.

        Each file is replaced by itself: a crash leaves some moved and some not, and perhaps an old one under a hidden
        name, for the next call. Raises as `Root.resealed`; what was moved by then stays moved.
        """
        moved = 0
        for name in self.names():
            kind = _parsed(name)[0]
            try:
                data = read_private(self.path / name)
            except FileNotFoundError:
                continue  # retired meanwhile
            # The root is asked before anybody is kept waiting.
            new = self._root.resealed(self._log_id, name, data)
            with self.turnstile(_owner(kind)).alone():
                shred_replaced(self.path / name)
                if new is not None and (self.path / name).exists():
                    replace_and_shred(self.path / name, new)
                    moved += 1
        for owner in KINDS:
            with self.turnstile(owner).alone():
                self.sweep(owner)
        return moved

    def sweep(self, owner: Kind) -> None:
        """Shreds what was left under hidden names by a call that was killed: it may hold a key in the clear."""
        in_use = [self.path / name for name in self.names()]
        for path in list(self.path.iterdir()):
            hidden = path.name.startswith(".") or path.name.endswith(".shredded")
            stem = path.name.removeprefix(".").partition(".")[0]
            if not hidden or stem not in (*KINDS, "signing") or _owner(stem) != owner:
                continue
            # A writer that was killed between the two names of its file left the key in use under a second one.
            if any(other.samefile(path) for other in in_use):
                path.unlink()
            else:
                shred(path)

    def _write(self, file: str, name: str, key: bytes) -> None:
        if not (self.path / file).exists():
            write_durably(self.path / file, self._root.seal(self._log_id, name, key), replace=False)

    def _read(self, name: str) -> bytes:
        return self._root.open(self._log_id, name, read_private(self.path / name))

    def _load(self, names: Sequence[str], known: LogKeys | None) -> LogKeys:
        missing = {"signing", *KINDS} - {_parsed(name)[0] for name in names}
        if missing:
            raise NotFound(f"key folder has no key `{min(missing)}` of log `{self._log_id}`")
        opened: dict[tuple[str, int], Generation] = {}
        signers: dict[int, SigningKey] = {}
        if known is not None:
            opened = {(kind, item.number): item for kind in KINDS for item in known.of(kind)}
            signers = {item.number: item for item in known.signing}
        found: dict[str, list[Generation]] = {kind: [] for kind in KINDS}
        signing: list[SigningKey] = []
        for name in names:
            kind, number = place = _parsed(name)
            if kind == "signing":
                signing.append(signers.get(number) or self._signing(name, number))
            else:
                found[kind].append(opened.get(place) or self._generation(name, number))
        signing.sort(key=lambda item: item.number, reverse=True)
        keks, lookups, fingerprints = (
            tuple(sorted(found[kind], key=lambda item: item.number, reverse=True)) for kind in KINDS
        )
        return LogKeys(tuple(signing), keks, lookups, fingerprints)

    def _signing(self, name: str, number: int) -> SigningKey:
        try:
            private = load_pem_private_key(self._read(name), None)
        except ValueError as err:
            raise CorruptLog(f"signing key of log `{self._log_id}` cannot be read") from err
        if not isinstance(private, Ed25519PrivateKey):
            raise self._not_of_its_kind()
        return SigningKey(number, private)

    def _generation(self, name: str, number: int) -> Generation:
        data = self._read(name)
        if number == 1:
            if len(data) != KEY_SIZE:
                raise self._not_of_its_kind()
            return Generation(1, data)
        try:
            since = data[KEY_SIZE:].decode("ascii")
            parse_time(since)
        except (UnicodeDecodeError, VerificationError) as err:
            raise self._not_of_its_kind() from err
        return Generation(number, data[:KEY_SIZE], since)

    def _not_of_its_kind(self) -> CorruptLog:
        return CorruptLog(f"a key of log `{self._log_id}` is not of its kind")


def _owner(kind: str) -> Kind:
    """Whose turnstile guards the files of a kind; the signing key has none of its own."""
    return next((known for known in KINDS if known == kind), "kek")


def _name(kind: Kind, number: int) -> str:
    return kind if number == 1 else f"{kind}.{number}"


def _parsed(name: str) -> tuple[str, int]:
    """Kind and generation of a key file's name."""
    if (signing := _SIGNING_NAME.fullmatch(name)) is not None:
        return "signing", int(signing[1] or 1)
    match = _NAME.fullmatch(name)
    assert match is not None, "only names of key files are listed"
    return match[1], int(match[2] or 1)


def _signing_name(number: int) -> str:
    return SIGNING if number == 1 else f"signing.{number}.pem"


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

"""Sealing the keys of a log under a root: the port of the root, and the form of a sealed key file.

    plain      the key, as it is
    sealed     "attending-sealed-key/1 " kind "\\n" wrapped

`wrapped` is what the root made of `"attending-log-key/1" 0x00 log id 0x00 name 0x00 key`. So a sealed key names its
place even where a root does not bind what it is told to: put elsewhere, it does not open.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from attending.ledger.errors import KeysNotOpen, KeyStoreRefused, KeyStoreUnavailable

MAX_KEY_BYTES: Final = 1_024
"""A key with its place may be this long: AWS KMS takes 4,096."""
MAX_WRAPPED_BYTES: Final = 16_384

_MAGIC: Final = b"attending-sealed-key/1 "
_TAG: Final = b"attending-log-key/1\0"
_KIND = re.compile(rb"[a-z_]{1,32}")

Place = Mapping[str, str]
"""What a wrapped key is bound to: the log id as `log`, the name of the key as `key`."""


class KeyWrapper(Protocol):
    """A root key: encrypts short secrets and opens them again. It never shows itself.

    `kind` names the implementation, in the header of each sealed file. Any thread may call any method at any time,
    also at once; none blocks for longer than the implementation's own time-out, which is finite. Nobody retries.

    `wrap` returns at most MAX_WRAPPED_BYTES that open to exactly `secret` (at most MAX_KEY_BYTES), and to nobody
    without the root; `place` is bound to it as additional data. When it returns, nothing else is needed to open it
    again but the root. `unwrap` returns that secret, or raises; it never returns another one for altered bytes or
    another place. `rewrap` returns the same secret under the newest version of the root, perhaps the same bytes.
    `version` is a short name of the version that it is under, without asking the root; empty where it cannot be told.

    Raises KeyStoreUnavailable (no useful answer; the same call may succeed later), KeyStoreRefused (it answered no),
    KeysNotOpen with KEY_ALTERED (these bytes do not open at this place under this root; a root that does not tell this
    from a lack of permission, as AWS KMS, raises KeyStoreRefused). Errors hold no secret.
    """

    @property
    def kind(self) -> str: ...
    def wrap(self, secret: bytes, place: Place) -> bytes: ...
    def unwrap(self, wrapped: bytes, place: Place) -> bytes: ...
    def rewrap(self, wrapped: bytes, place: Place) -> bytes: ...
    def version(self, wrapped: bytes) -> str: ...


@dataclass(frozen=True, slots=True)
class Root:
    """What key files are sealed under: `current`, or in the clear without one.

    `previous` still opens what it sealed, and `plain_before` allows files in the clear, so that files can be moved
    from one root to another one at a time, and a crash between leaves all of them readable.
    """

    current: KeyWrapper | None = field(default=None, repr=False)
    previous: KeyWrapper | None = field(default=None, repr=False)
    plain_before: bool = False

    @property
    def kind(self) -> str:
        return "plain" if self.current is None else self.current.kind

    def seal(self, log_id: str, name: str, key: bytes) -> bytes:
        """The bytes of a key's file. Raises KeyStoreUnavailable, KeyStoreRefused."""
        if self.current is None:
            return key
        wrapped = self.current.wrap(_framed(log_id, name, key), _place(log_id, name))
        return _file(self.current.kind, wrapped)

    def open(self, log_id: str, name: str, data: bytes) -> bytes:
        """The key in a file's bytes. Raises KeysNotOpen, KeyStoreUnavailable, KeyStoreRefused."""
        if not data.startswith(_MAGIC):
            if self.current is not None and not self.plain_before:
                raise KeysNotOpen(
                    f"key `{name}` of log `{log_id}` lies in the clear, expected it sealed by `{self.kind}`",
                    reason=KeysNotOpen.NOT_SEALED,
                )
            return data
        kind, wrapped = _parts(log_id, name, data)
        last: Exception | None = None
        for wrapper in self._of_kind(log_id, name, kind):
            try:
                return _unframed(log_id, name, wrapper.unwrap(wrapped, _place(log_id, name)))
            except KeysNotOpen as err:
                last = last or err
            except (KeyStoreUnavailable, KeyStoreRefused) as err:
                last = err
        if isinstance(last, KeyStoreUnavailable | KeyStoreRefused):
            raise last
        raise _altered(log_id, name) from last

    def resealed(self, log_id: str, name: str, data: bytes) -> bytes | None:
        """The bytes of the same key under the newest version of the current root; None when `data` are these.

        What it returns was opened again and holds the same key. Raises as `open`.
        """
        key = self.open(log_id, name, data)
        if self.current is None:
            return None if data == key else key
        new = self._rewrapped(log_id, name, data) or self.seal(log_id, name, key)
        if new == data:
            return None
        if self.open(log_id, name, new) != key:
            raise KeyStoreUnavailable(f"`{self.kind}` gave another key for `{name}` of log `{log_id}`")
        return new

    def version(self, data: bytes) -> str:
        """Kind and version of the root that a file is sealed under, such as `vault v3`; `plain`."""
        if not data.startswith(_MAGIC):
            return "plain"
        kind, _newline, wrapped = data.removeprefix(_MAGIC).partition(b"\n")
        name = kind.decode("ascii", "replace")
        known = next((w for w in (self.current, self.previous) if w is not None and w.kind == name), None)
        return name if known is None else f"{name} {known.version(wrapped)}".rstrip()

    def _rewrapped(self, log_id: str, name: str, data: bytes) -> bytes | None:
        """The file under the newest version of the current root, as the root itself makes it; None when it is sealed by
        another kind, or does not open under this one and there is one before.
        """
        assert self.current is not None
        if not data.startswith(_MAGIC):
            return None
        kind, wrapped = _parts(log_id, name, data)
        if kind != self.current.kind:
            return None
        try:
            return _file(kind, self.current.rewrap(wrapped, _place(log_id, name)))
        except (KeysNotOpen, KeyStoreRefused):
            if self.previous is None:
                raise
            return None

    def _of_kind(self, log_id: str, name: str, kind: str) -> list[KeyWrapper]:
        found = [w for w in (self.current, self.previous) if w is not None and w.kind == kind]
        if not found:
            raise KeysNotOpen(
                f"key `{name}` of log `{log_id}` is sealed by `{kind}`, and the root configured is `{self.kind}`",
                reason=KeysNotOpen.OTHER_ROOT,
            )
        return found


PLAIN: Final = Root()
"""No root: keys in the clear, private to their owner."""


def _place(log_id: str, name: str) -> Place:
    return {"log": log_id, "key": name}


def _file(kind: str, wrapped: bytes) -> bytes:
    return _MAGIC + kind.encode("ascii") + b"\n" + wrapped


def _parts(log_id: str, name: str, data: bytes) -> tuple[str, bytes]:
    """Kind and wrapped bytes of a sealed file."""
    kind, newline, wrapped = data.removeprefix(_MAGIC).partition(b"\n")
    if not newline or not _KIND.fullmatch(kind) or not 0 < len(wrapped) <= MAX_WRAPPED_BYTES:
        raise _altered(log_id, name)
    return kind.decode("ascii"), wrapped


def _framed(log_id: str, name: str, key: bytes) -> bytes:
    return b"%b%b\0%b\0%b" % (_TAG, log_id.encode(), name.encode(), key)


def _unframed(log_id: str, name: str, secret: bytes) -> bytes:
    head = _framed(log_id, name, b"")
    if not secret.startswith(head):
        raise _altered(log_id, name)
    return secret[len(head) :]


def _altered(log_id: str, name: str) -> KeysNotOpen:
    return KeysNotOpen(
        f"key `{name}` of log `{log_id}` does not open: altered, of another log, or under another root",
        reason=KeysNotOpen.ALTERED,
    )

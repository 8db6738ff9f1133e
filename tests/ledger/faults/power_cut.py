"""What a disk would hold had the power gone: files rebuilt from the shim's log of calls, up to any one of them.

A write is certain once its file was synced after it; a name (create, link, rename, remove, make a folder) once its
folder was. What came later and was not synced is open: a disk may have none of it, all of it, some sectors of 512 bytes
of it, or a later part without an earlier one. Names of one folder are kept in order, as journals do, up to any one of
them; of data nothing is assumed.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

SECTOR: Final = 512
_HEAD = struct.Struct("=cQQII")


@dataclass(frozen=True)
class Call:
    """One call that succeeded; `kind` is the shim's letter."""

    kind: str
    inode: int
    offset: int
    data: bytes
    path: str


def read_log(path: Path) -> list[Call]:
    """Every call of a log, in order."""
    raw, at, calls = path.read_bytes(), 0, []
    while at < len(raw):
        kind, inode, offset, size, named = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        data, at = raw[at : at + size], at + size
        name, at = raw[at : at + named].decode(), at + named
        calls.append(Call(kind.decode(), inode, offset, data, name))
    return calls


@dataclass
class _Content:
    """A file: its bytes as of the last sync, and what was done since: (offset, data), or (size, None) to cut."""

    certain: bytearray = field(default_factory=bytearray)
    open: list[tuple[int, bytes | None]] = field(default_factory=list)


def _apply(content: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


class Disk:
    """The state of a disk after some calls, certain and open."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[int, _Content] = {}
        self._folders: set[str] = set()
        self._names: dict[str, dict[str, int]] = {}
        self._open_names: dict[str, list[tuple[str, int | None]]] = {}
        self._living: dict[int, int] = {}
        self._born = 0
        self.marks: list[dict[str, Any]] = []

    def play(self, call: Call) -> None:
        """One more call."""
        folder, _, name = call.path.rpartition("/")
        if call.kind in "CD":
            # A number is used again once its file is gone, and an old name on the disk may still mean the old file.
            self._born += 1
            self._living[call.inode] = self._born
        file = self._living.setdefault(call.inode, -call.inode)
        if call.kind == "M":
            self.marks.append(json.loads(call.data))
        elif call.kind in "WT":
            content = self._files.setdefault(file, _Content())
            content.open.append((call.offset, call.data if call.kind == "W" else None))
        elif call.kind == "S":
            self._sync(call, file)
        elif call.kind == "X" and call.path not in self._folders:
            # A sync that failed: the kernel takes the pages for clean, so that no later sync writes them, although
            # they can still be read ("fsyncgate"; Rebello et al., USENIX ATC 2020).
            self._files.setdefault(file, _Content()).open.clear()
        elif call.kind in "CLD":
            self._files.setdefault(file, _Content())
            self._name(folder, name, file)
            if call.kind == "D":
                self._folders.add(call.path)
        elif call.kind == "R":
            self._name(folder, name, file)
            old_folder, _, old = call.data.decode().rpartition("/")
            self._name(old_folder, old, None)
        elif call.kind == "U":
            self._name(folder, name, None)

    def _name(self, folder: str, name: str, file: int | None) -> None:
        self._open_names.setdefault(folder, []).append((name, file))

    def _sync(self, call: Call, file: int) -> None:
        if call.path in self._folders or call.path == str(self._root):
            names = self._names.setdefault(call.path, {})
            for name, named in self._open_names.pop(call.path, []):
                _set(names, name, named)
            return
        content = self._files.setdefault(file, _Content())
        for offset, data in content.open:
            _apply(content.certain, offset, data)
        content.open.clear()

    def write_image(self, target: Path, mode: str, chance: random.Random) -> None:
        """Writes the files that a disk may hold under `target`.

        `mode`: `dropped` (nothing that is open), `kept` (all of it), `torn` (some sectors), `reordered` (some
        writes, whole); the last two keep a random part of the open names.
        """
        self._write_folder(str(self._root), target, mode, chance)

    def _write_folder(self, folder: str, target: Path, mode: str, chance: random.Random) -> None:
        target.mkdir(mode=0o700, parents=True)
        names = dict(self._names.get(folder, {}))
        waiting = self._open_names.get(folder, [])
        taken = {"dropped": 0, "kept": len(waiting)}.get(mode, chance.randint(0, len(waiting)))
        for name, file in waiting[:taken]:
            _set(names, name, file)
        for name, file in names.items():
            path = f"{folder}/{name}"
            if path in self._folders:
                self._write_folder(path, target / name, mode, chance)
            elif not name.endswith("-shm"):  # shared memory, made again at every start
                (target / name).touch(mode=0o600)
                (target / name).write_bytes(self._content(file, mode, chance))

    def _content(self, file: int, mode: str, chance: random.Random) -> bytes:
        content = self._files.get(file, _Content())
        result = bytearray(content.certain)
        for offset, data in content.open:
            if mode == "kept" or (mode == "reordered" and chance.random() < 0.5):
                _apply(result, offset, data)
            elif mode == "torn" and data is None and chance.random() < 0.5:
                _apply(result, offset, None)
            elif mode == "torn" and data is not None:
                for start, part in _sectors(offset, data):
                    if chance.random() < 0.5:
                        _apply(result, start, part)
        return bytes(result)


def _set(names: dict[str, int], name: str, file: int | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def _sectors(offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """`data` cut where sectors of the disk begin."""
    at = 0
    while at < len(data):
        size = SECTOR - (offset + at) % SECTOR
        yield offset + at, data[at : at + size]
        at += size

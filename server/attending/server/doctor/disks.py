"""Folders and the volumes that they lie on: room, kind, whose they are, and whether they are apart."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attending.server.doctor.check import Finding, Site, green, red, warning
from attending.server.doctor.machine import existing

MIB: Final = 1024 * 1024
RED_BYTES: Final = 256 * MIB
"""Less is no room for a checkpoint of the write-ahead log (64 MiB), a vacuum of it and an export besides."""
WARNING_BYTES: Final = 2048 * MIB
WARNING_SHARE: Final = 0.05
RED_INODES: Final = 1_000
WARNING_INODES: Final = 20_000
"""Each subject has a key file of its own."""
VOLATILE: Final = frozenset({"tmpfs", "ramfs", "devtmpfs"})
LAYERED: Final = frozenset({"overlay", "aufs"})


def folders(site: Site) -> Iterator[Finding]:
    """Each folder exists or can be made, and only its owner may look into it."""
    for name, folder in _folders(site):
        if not folder.exists():
            parent = existing(folder)
            if os.access(parent, os.W_OK | os.X_OK):
                yield green(f"{name} `{folder}`: not there yet, the first start makes it")
            else:
                yield red(
                    "FOLDER_MISSING",
                    f"{name} `{folder}` does not exist, and `{parent}` cannot be written",
                    f"install -d -m 700 -o USER {folder}, with the user of the server",
                )
            continue
        if not folder.is_dir():
            yield red(
                "NOT_A_FOLDER", f"{name} `{folder}` is not a folder", "move the file that is there away"
            )
            continue
        status = folder.stat()
        mode = stat.S_IMODE(status.st_mode)
        # Published heads are hashes for everybody to see; but nobody else may replace one.
        closed = stat.S_IWGRP | stat.S_IWOTH
        if name != "published heads":
            closed |= stat.S_IRWXG | stat.S_IRWXO
        if mode & closed:
            yield red(
                "FOLDER_OPEN",
                f"{name} `{folder}` has mode {mode:o}, expected {mode & ~closed & 0o777:o}",
                f"chmod {mode & ~closed & 0o777:o} {folder}",
            )
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield red(
                "FOLDER_NOT_WRITABLE",
                f"{name} `{folder}` cannot be written by the user who runs this",
                f"run this as the user of the server, or chown that user {folder}",
            )
        else:
            yield green(f"{name} `{folder}`: mode {mode:o}")


def room(site: Site) -> Iterator[Finding]:
    """Room and inodes on each volume, once."""
    for names, place in _volumes(site):
        left = site.machine.room(place)
        words = f"{names}: {_size(left.free_bytes)} free of {_size(left.total_bytes)}"
        step = f"df -h {place}; make room, or move the folder to a larger volume"
        if left.free_bytes < RED_BYTES:
            yield red("DISK_FULL", words, step)
        elif left.free_bytes < WARNING_BYTES or left.free_bytes < left.total_bytes * WARNING_SHARE:
            yield warning("DISK_LOW", words, step)
        else:
            yield green(words)
        if left.total_inodes and left.free_inodes < WARNING_INODES:
            make = red if left.free_inodes < RED_INODES else warning
            yield make("INODES_LOW", f"{names}: {left.free_inodes:,} inodes free", f"df -i {place}")


def kinds(site: Site) -> Iterator[Finding]:
    """Each folder lies on a file system that keeps what it was given."""
    from attending.ledger.errors import UnsafeSettings
    from attending.ledger.files import require_local

    for name, folder in _folders(site):
        place = existing(folder)
        kind = site.machine.file_system(place)
        if name == "ledger" and not site.config.storage.shared:
            try:
                require_local(place)
            except UnsafeSettings as err:
                yield red("UNSAFE_SETTINGS", str(err), f"move {folder} to a disk of this machine")
                continue
        if kind in VOLATILE:
            make = warning if site.embedded else red
            yield make(
                "FOLDER_IN_MEMORY",
                f"{name} `{folder}` lies on `{kind}`: it is gone at the next boot",
                f"move {folder} to a disk",
            )
        elif kind in LAYERED:
            yield warning(
                "FOLDER_IN_CONTAINER",
                f"{name} `{folder}` lies on `{kind}`: it is gone with the container",
                f"mount a volume at {folder}",
            )
        else:
            yield green(f"{name}: {kind or 'kind not known'}")


def apart(site: Site) -> Iterator[Finding]:
    """Keys and published heads lie elsewhere than the database: what they protect against hits a volume, or a
    backup of one, as a whole.
    """
    if site.embedded:
        yield green("all in one data folder, as the embedded mode is")
        return
    machine, storage = site.machine, site.config.storage
    places = {name: machine.volume(existing(folder)) for name, folder in _folders(site)}
    if places["keys"] == places["published heads"]:
        yield warning(
            "KEYS_WITH_PUBLISHED_HEADS",
            "keys and published heads share a volume: whoever has it can sign another history and publish it",
            "set `storage.published_folder` to another volume, best on another machine",
        )
    if not storage.shared:
        for name, key in (("keys", "keys_folder"), ("published heads", "published_folder")):
            if places[name] == places["ledger"]:
                yield warning(
                    f"{name.split()[0].upper()}_WITH_LEDGER",
                    f"{name} and ledger share a volume, and so its loss, its snapshots and its backups",
                    f"set `storage.{key}` to another volume (docs/production.md)",
                )
    elif places["keys"] != places["published heads"]:
        yield green("ledger in a database, keys and published heads on volumes of their own")
    if not storage.shared and len(set(places.values())) == len(places):
        yield green("ledger, keys and published heads on volumes of their own")


def _folders(site: Site) -> Iterator[tuple[str, Path]]:
    yield "ledger", site.config.storage.folder
    yield "keys", site.keys_folder
    yield "published heads", site.published_folder


def _volumes(site: Site) -> Iterator[tuple[str, Path]]:
    """(names of folders, a place on it) of each volume."""
    found: dict[int, tuple[list[str], Path]] = {}
    for name, folder in _folders(site):
        place = existing(folder)
        found.setdefault(site.machine.volume(place), ([], place))[0].append(name)
    for names, place in found.values():
        yield ", ".join(names), place


def _size(count: int) -> str:
    for size, word in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB")):
        if count >= size:
            return f"{count / size:.1f} {word}"
    return f"{count:,} bytes"

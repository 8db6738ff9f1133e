"""The static tree of a log as files in a folder, verified on the way, which any web server can serve.

    <folder>/checkpoint  tile/<L>/...  tile/entries/...     as their paths say (c2sp.org/tlog-tiles)
    <folder>/.attending-log                                 the log's verifier key: whose folder this is

Order: tiles and bundles first, each whole under its name, all of them durable; then the checkpoint over them,
in one rename. A crash at any moment leaves the checkpoint of before, or none, with everything that it covers,
and perhaps resources of the next one, which the next export compares with what it has verified and completes.
Nothing personal is exported: entries hold pseudonyms and commitments, payloads stay where they are. They still
say who did what, so a new folder is its owner's alone (0700); open it to the web server on purpose.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attending.ledger import checkpoint as checkpoints
from attending.ledger.errors import FolderRefused, NotFound, VerificationError
from attending.ledger.files import make_folder, sync_folder, write_durably
from attending.ledger.introduction import Introduction
from attending.ledger.merkle import HASH_SIZE
from attending.ledger.note import VerifierKey
from attending.ledger.static.bundles import encode_bundle
from attending.ledger.static.client import Fetch, TiledLog
from attending.ledger.static.paths import (
    CHECKPOINT,
    TilePath,
    bundles_of,
    introduction_path,
    parse_introduction,
    parse_path,
    tiles_of,
)
from attending.ledger.tiles import TILE_WIDTH

MARKER: Final = ".attending-log"
_FILE_MODE: Final = 0o644
_INNER_FOLDER_MODE: Final = 0o755
_SYNCS_AT_ONCE: Final = 16

Progress = Callable[[int, int], None]
"""(resources done, resources in all): called after each."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did. `size_before` is the tree size that the folder had, None for a new one."""

    origin: str
    size: int
    size_before: int | None
    written: int
    kept: int
    removed: int


def folder_fetch(folder: Path) -> Fetch:
    """Reads the resources of an exported folder, for the reading client; nothing outside of it."""

    def fetch(path: str) -> bytes:
        if path != CHECKPOINT and parse_introduction(path) is None:
            try:
                parse_path(path)
            except VerificationError:
                raise NotFound("no such resource") from None
        try:
            return (folder / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFound("no such resource") from None

    return fetch


def export_log(
    fetch: Fetch, verifier: VerifierKey, folder: Path, *, progress: Progress = lambda _done, _total: None
) -> Exported:
    """Brings `folder` to the log's current checkpoint, reading by `fetch` only what it does not hold yet.

    1. The folder is new, empty or of this log, whichever of its keys it was begun with, and no other export is writing
    to it. 2. The log's checkpoint is signed by `verifier`, or a key introduced since, and extends the one that the
    folder holds. 3. Every tile and bundle that the folder lacks is read, verified and written; those that its
    checkpoint covers are only looked for. Introductions of keys are written as well. 4. All that is durable; then the
    checkpoint is replaced. 5. Partial tiles of which the full one is there now are removed.

    Raises FolderRefused (EXPORT_FOLDER: something else is in it; EXPORT_OTHER_LOG; EXPORT_RUNNING;
    EXPORT_DAMAGED: a file that its checkpoint covers has another length), VerificationError (as `TiledLog`:
    a fork or an older log is refused here), OSError. The checkpoint is then what it was before.
    """
    with _claimed(folder, verifier) as begun_with:  # 1
        older = _checkpoint(folder)
        log = TiledLog.open(fetch, [verifier])  # 2
        chain = log.introductions()
        _require_same_log(begun_with, verifier, chain)
        if older is not None:
            log.require_extends(older, [verifier])
        before = None if older is None else checkpoints.parse_checkpoint(older).size
        changed, written, kept = set[Path](), 0, 0
        for item in chain:  # 3
            target = folder / introduction_path(item.rotation.generation)
            if _put(target, item.text.encode()):
                changed.add(target)
        paths = [*tiles_of(log.size), *bundles_of(log.size)]
        for done, path in enumerate(paths, 1):
            target = folder / str(path)
            if before is not None and path.needs <= before and _covered(target, path):
                kept += 1
            elif _put(target, _content(log, path)):
                changed.add(target)
                written += 1
            else:
                kept += 1
            progress(done, len(paths))
        _sync(changed, folder)  # 4
        # A crash before this leaves the old checkpoint with all that it covers.
        if older != log.checkpoint:
            write_durably(folder / CHECKPOINT, log.checkpoint.encode(), mode=_FILE_MODE)
        return Exported(log.head.origin, log.size, before, written, kept, _prune(folder, paths))  # 5


@contextmanager
def _claimed(folder: Path, verifier: VerifierKey) -> Iterator[bytes]:
    """Holds the folder for one export, with the key that it was begun with; the lock is on the folder itself, so that
    nothing is left behind.
    """
    make_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            raise FolderRefused("another export is writing to the folder", reason="EXPORT_RUNNING") from err
        yield _marked(folder, str(verifier))
    finally:
        os.close(descriptor)


def _require_same_log(begun_with: bytes, verifier: VerifierKey, chain: Sequence[Introduction]) -> None:
    keys = {verifier, *(key for item in chain for key in (item.rotation.old, item.rotation.new))}
    if begun_with not in {str(key).encode() for key in keys}:
        raise FolderRefused("folder holds the export of another log", reason="EXPORT_OTHER_LOG")


def _marked(folder: Path, key: str) -> bytes:
    """The key that the folder was begun with: `key`, when that is now."""
    marker = folder / MARKER
    try:
        return marker.read_bytes().removesuffix(b"\n")
    except FileNotFoundError:
        # Leftovers of a marker that was being written are ours too.
        if any(not path.name.startswith(f".{MARKER}.") for path in folder.iterdir()):
            raise FolderRefused("folder is not empty and is not an export", reason="EXPORT_FOLDER") from None
        # First of all, so that files of a log that was cut short never end up under another one.
        write_durably(marker, f"{key}\n".encode(), mode=_FILE_MODE)
        return key.encode()


def _checkpoint(folder: Path) -> str | None:
    try:
        # Bytes that are not UTF-8 are passed on, to fail as a note.
        return (folder / CHECKPOINT).read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def _covered(target: Path, path: TilePath) -> bool:
    """Whether a file under the folder's checkpoint is there. Its length is checked where the path tells it."""
    try:
        size = target.stat().st_size
    except FileNotFoundError:
        return False
    if (path.level is not None and size != path.width * HASH_SIZE) or size < 2 * path.width:
        raise FolderRefused(f"`{path}` in the folder has been cut short or added to", reason="EXPORT_DAMAGED")
    return True


def _content(log: TiledLog, path: TilePath) -> bytes:
    return log.tile(path) if path.level is not None else encode_bundle(log.bundle(path.index))


def _put(target: Path, data: bytes) -> bool:
    """Writes a resource whole under its name; False when exactly that is there.

    What is there and different is not under any checkpoint of this folder: an export was cut short by a power
    cut before its files were durable.
    """
    try:
        if target.read_bytes() == data:
            return False
    except FileNotFoundError:
        target.parent.mkdir(mode=_INNER_FOLDER_MODE, parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.partial")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
        with open(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return True


def _sync(changed: set[Path], folder: Path) -> None:
    """Makes the files and the names of all folders from them up to `folder` durable.

    Each file was written before any is synced, and several are synced at once, so that the disk gets them in few
    large writes. Not by `os.sync`, which says nothing of a disk that failed.
    """
    folders = {parent for path in changed for parent in path.parents if parent.is_relative_to(folder)}
    with ThreadPoolExecutor(_SYNCS_AT_ONCE) as threads:
        for _ in threads.map(_sync_file, changed):
            pass
    for parent in sorted(folders, reverse=True):
        sync_folder(parent)


def _sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _prune(folder: Path, paths: list[TilePath]) -> int:
    """Removes partial tiles of which the full one is there, as the specification allows; how many folders."""
    removed = 0
    for path in paths:
        if path.width == TILE_WIDTH:
            partial = folder / f"{path}.p"
            if partial.is_dir():
                shutil.rmtree(partial)
                removed += 1
    return removed

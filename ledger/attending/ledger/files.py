"""Files that survive a crash, the lock of a ledger folder, and which file systems can be trusted with one.

Every write here is atomic for a reader (it sees the old bytes or the new ones) and durable when the call
returns: the file is synced before it gets its name, and the folder after.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from attending.ledger.errors import LedgerLocked, UnsafeSettings

PRIVATE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700

# Advisory locks and shared memory are not dependable across the hosts of these (sqlite.org/wal.html, "All
# processes using a database must be on the same host computer").
_NETWORK_FILE_SYSTEMS: Final = re.compile(
    r"nfs\d?|cifs|smb\d|smbfs|ncpfs|afs|ceph|glusterfs|lustre|beegfs|gpfs|ocfs2|gfs2|pvfs2|orangefs|davfs2"
    r"|fuse\.(?:sshfs|ceph|glusterfs|s3fs|rclone|davfs2?|gcsfuse|mergerfs)"
)
_MOUNTS: Final = Path("/proc/self/mounts")


def sync_folder(folder: Path) -> None:
    """Makes names created in or removed from `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Creates `folder` (0700) and its parents durably; one that exists is left as it is."""
    if folder.is_dir():
        # Whoever made it may have been killed before its name was durable. In a parent that is not ours to
        # read, it was somebody else who made it.
        with contextlib.suppress(PermissionError):
            sync_folder(folder.parent)
        return
    make_folder(folder.parent)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    sync_folder(folder.parent)


def write_durably(path: Path, data: bytes, *, mode: int = PRIVATE_MODE, replace: bool = True) -> bool:
    """Writes `data` under the name `path`; False when it exists already and `replace` is False.

    A crash leaves the old file or the new one, and perhaps a hidden temporary file beside it. Safe against
    another writer of the same name: with `replace=False` exactly one of them returns True, and the name is durable
    for the others as well. Raises OSError, and then the new file may stand without being durable.
    """
    written = True
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if replace:
            temporary.replace(path)
        else:
            try:
                path.hardlink_to(temporary)
            except FileExistsError:
                written = False
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return written


def shred(path: Path) -> bool:
    """Removes the file `path` durably, its blocks overwritten; False when there is none.

    It loses its name before its bytes, so that whoever finds it by its name reads what was written, or nothing. A
    crash leaves it as `<name>.shredded`, which the next call takes up.

    Overwriting is a courtesy to plain disks: journals, snapshots and flash may keep old blocks, which is
    why the bytes in such a file are themselves encrypted under a key kept elsewhere.
    """
    doomed = path.with_name(path.name + ".shredded")
    with contextlib.suppress(FileNotFoundError):
        path.rename(doomed)
    try:
        descriptor = os.open(doomed, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        os.write(descriptor, os.urandom(os.fstat(descriptor).st_size))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    doomed.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def replace_and_shred(path: Path, data: bytes) -> None:
    """Replaces the file `path` with `data` durably, then overwrites and removes what it held before.

    Whoever opens it by its name finds the old bytes or the new ones. A crash leaves the old file under a second, hidden
    name, for `shred_replaced`. One caller a path at a time. Raises FileNotFoundError when there is no such file.
    """
    shred_replaced(path)
    old = _replaced(path)
    old.hardlink_to(path)
    write_durably(path, data)
    shred(old)


def shred_replaced(path: Path) -> None:
    """Shreds what `replace_and_shred` left of `path` when it was cut short; nothing otherwise."""
    old = _replaced(path)
    # Cut short before the new file got its name, both are one file, which is in use.
    if old.exists() and path.exists() and old.samefile(path):
        old.unlink()
        sync_folder(path.parent)
    else:
        shred(old)


def _replaced(path: Path) -> Path:
    return path.with_name(f".{path.name}.replaced")


def read_private(path: Path) -> bytes:
    """The bytes of a secret file as they were written; UnsafeSettings when group or others may read or write it.

    Raises FileNotFoundError also when it is removed while it is read.
    """
    while True:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                mode = stat.S_IMODE(found.st_mode)
                raise UnsafeSettings(f"key file `{path.name}` has mode {mode:o}, expected 600 (owner only)")
            data = file.read()
            # Whoever shreds a file takes its name away first: under its name still, it was whole when it was read.
            if os.path.samestat(found, path.stat()):
                return data


def require_local(folder: Path, mounts: str | None = None) -> None:
    """Returns when `folder` lies on a local file system, as far as that can be told.

    `mounts` is text in the form of /proc/self/mounts, by default the machine's; where there is none, nothing
    is checked. Raises UnsafeSettings for a network file system.
    """
    if mounts is None:
        try:
            mounts = _MOUNTS.read_text()
        except OSError:
            return
    target = str(folder.resolve())
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].encode().decode("unicode_escape")
        # The last of several mounts on one point is the one that is seen.
        if (target == point or target.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, fields[2]
    if _NETWORK_FILE_SYSTEMS.fullmatch(kind):
        raise UnsafeSettings(f"ledger folder is on a `{kind}` file system, expected a local one")


class FolderLock:
    """The operating system's lock on a folder: held by one process, and gone when that process is."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None

    def acquire(self) -> Self:
        """Takes the lock or raises LedgerLocked at once, naming the process that holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise LedgerLocked(
                f"ledger folder is held by process {holder}; one server process owns an embedded ledger,"
                " so stop that one or use its interface"
            ) from err
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            os.close(
                descriptor
            )  # a lock that nobody knows of would lock this process out for as long as it lives
            raise
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        """Gives the lock back; the file stays, because removing it would let two processes hold one each."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

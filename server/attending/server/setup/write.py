"""Writes a plan in one step: it is made under a hidden name beside its place and renamed there, whole and durable.

A kill leaves nothing under the name that was asked for. What it leaves beside it is found by the next try, and removed
when the process that made it is gone. Folders elsewhere are made last; a server makes those that are missing.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Final

from attending.ledger.files import FOLDER_MODE, make_folder, sync_folder, write_durably
from attending.server.config import load_config
from attending.server.errors import ConfigurationError
from attending.server.setup.plan import CONFIG, Plan

_LEFT: Final = re.compile(r"init-(?P<pid>[0-9]+)-[0-9a-f]{8}")


def require_free(folder: Path, elsewhere: list[Path]) -> None:
    """Returns when nothing would be overwritten. Raises ConfigurationError (TARGET_NOT_EMPTY)."""
    for path in (folder, *elsewhere):
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise _refused(f"`{path}` exists and is not a folder", "give another path")
        if path.is_dir() and any(path.iterdir()):
            raise _refused(
                f"folder `{path}` is not empty; nothing is overwritten", "give a new or an empty folder"
            )


def write(folder: Path, made: Plan) -> None:
    """Writes everything, or nothing under the name `folder`. Raises ConfigurationError, OSError."""
    require_free(folder, made.elsewhere)
    make_folder(folder.parent)
    _sweep(folder)
    hidden = folder.parent / f".{folder.name}.init-{os.getpid()}-{secrets.token_hex(4)}"
    hidden.mkdir(mode=FOLDER_MODE)
    try:
        for name in made.folders:
            (hidden / name).mkdir(mode=FOLDER_MODE)
        for name, (data, mode) in made.files.items():
            make_folder((hidden / name).parent)
            write_durably(hidden / name, data, mode=mode)
        load_config(hidden / CONFIG)  # what does not load is not worth having
        sync_folder(hidden)
        _rename(hidden, folder)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    for path in made.elsewhere:
        make_folder(path)


def _rename(hidden: Path, folder: Path) -> None:
    try:
        # Onto an empty folder, too; onto one that somebody filled meanwhile it fails (man 2 rename).
        os.rename(hidden, folder)
    except OSError as err:
        if err.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise _refused(
                f"folder `{folder}` was filled meanwhile; nothing is overwritten", "give a new folder"
            ) from err
        raise
    # A crash before this leaves the old name, hidden, or the new one; both whole.
    sync_folder(folder.parent)


def _sweep(folder: Path) -> None:
    """Removes what tries at the same folder left behind when they were killed: keys lie in it."""
    for path in folder.parent.glob(f".{folder.name}.init-*"):
        found = _LEFT.fullmatch(path.name.removeprefix(f".{folder.name}."))
        if found is not None and path.stat().st_uid == os.geteuid() and not _alive(int(found["pid"])):
            shutil.rmtree(path)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False
    except PermissionError:
        return True
    return True


def _refused(problem: str, next_step: str) -> ConfigurationError:
    return ConfigurationError(problem, next_step, reason="TARGET_NOT_EMPTY")

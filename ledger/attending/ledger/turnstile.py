"""A lock that many share and one may have alone, between threads and between processes of one folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attending.ledger.files import PRIVATE_MODE

_GATE: Final = ".gate"


class Turnstile:
    """Two lock files, `<path>` and `<path>.gate`. Whoever wants it alone keeps the gate, so that no stream of sharers
    can keep it waiting for ever. The operating system lets go of it when the process dies.

    Blocks while it waits. Not to be taken twice by one thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Held together with others that share it."""
        held = self.acquire_shared()
        try:
            yield
        finally:
            os.close(held)

    def acquire_shared(self) -> int:
        """As `shared`, held until the returned descriptor is closed, by whichever thread."""
        with self._locked(_GATE, fcntl.LOCK_EX):
            return self._take("", fcntl.LOCK_SH)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Held by nobody else."""
        with self._locked(_GATE, fcntl.LOCK_EX), self._locked("", fcntl.LOCK_EX):
            yield

    @contextmanager
    def _locked(self, suffix: str, kind: int) -> Iterator[None]:
        descriptor = self._take(suffix, kind)
        try:
            yield
        finally:
            os.close(descriptor)

    def _take(self, suffix: str, kind: int) -> int:
        path = self._path.with_name(self._path.name + suffix)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
        try:
            fcntl.flock(descriptor, kind)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

"""What a check of the doctor is, and what it says.

A check is a function of a `Site` that yields findings, at least one. It looks and changes nothing: no file, no row,
no lock that a server would wait for. It may raise; the runner makes a red finding of that. Adding a check takes a
function and a line in `table`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from attending.server import clock
from attending.server.config import Config, is_loopback
from attending.server.doctor.machine import LinuxMachine, Machine

if TYPE_CHECKING:
    from attending.ledger.store.read_only import ReadOnlyStore

SOON_DAYS: Final = 30
"""What runs out within so many days is a warning: enough for a purchase order, and for a certificate authority."""


class State(StrEnum):
    """What a finding means for running the server with real patients."""

    GREEN = "green"
    WARNING = "warning"
    """It works, and somebody should know or do something in time."""
    RED = "red"
    UNKNOWN = "unknown"
    """It could not be judged: the check ran out of time, or what it asks did not answer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `reason` is UPPER_SNAKE, OK for green; `next_step` is empty for green only.

    `detail` names files, folders, providers and identities by their configured names, and counts; never a secret,
    never a display name, never what somebody else's server answered.
    """

    state: State
    reason: str
    detail: str
    next_step: str = ""


def green(detail: str) -> Finding:
    return Finding(State.GREEN, "OK", detail)


def warning(reason: str, detail: str, next_step: str) -> Finding:
    return Finding(State.WARNING, reason, detail, next_step)


def red(reason: str, detail: str, next_step: str) -> Finding:
    return Finding(State.RED, reason, detail, next_step)


def unknown(reason: str, detail: str, next_step: str) -> Finding:
    return Finding(State.UNKNOWN, reason, detail, next_step)


@dataclass(frozen=True, slots=True)
class Site:
    """What is looked at. `option` leads other commands to it, such as ` --config attending.toml`; `path` is the
    configuration file, None for a data folder of the embedded mode.
    """

    config: Config
    path: Path | None
    option: str
    embedded: bool = False
    now: Callable[[], datetime] = clock.now
    machine: Machine = field(default_factory=LinuxMachine)

    @property
    def local(self) -> bool:
        """Whether only this machine is served: then it is for developing, and some care is not asked for."""
        return is_loopback(self.config.server.host)

    @property
    def keys_folder(self) -> Path:
        return self.config.storage.place_of_keys

    @property
    def published_folder(self) -> Path:
        return self.config.storage.place_of_heads

    @contextmanager
    def ledger(self) -> Iterator[ReadOnlyStore | None]:
        """The ledger, read without its keys and locks; None where there is none yet. Raises LedgerError,
        StoreFault and ConfigurationError.
        """
        from attending.ledger.errors import NotFound
        from attending.ledger.store.read_only import open_read_only
        from attending.server.database import conninfo_of

        storage = self.config.storage
        store: ReadOnlyStore | None = None
        with suppress(NotFound):
            store = open_read_only(storage.folder, conninfo_of(storage))
        try:
            yield store
        finally:
            if store is not None:
                store.close()


class Check(Protocol):
    """Looks at one thing. Called in a thread of its own, one after the other; its time is bounded by its line in
    the table, after which nobody waits for it any more.
    """

    def __call__(self, site: Site, /) -> Iterable[Finding]: ...

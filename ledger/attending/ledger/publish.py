"""Publication: signed heads put where the database cannot take them back.

Each log has a loop that writes its newest checkpoint to a place outside the database. What was published
bounds what an operator, a restored backup or a lost disk can silently undo: a database behind its published
head is refused at the start, one that contradicts it is halted.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from attending.ledger.checkpoint import Checkpoint, Term, parse_checkpoint, verify
from attending.ledger.errors import CorruptLog, LedgerError, VerificationError
from attending.ledger.files import PRIVATE_MODE, make_folder, sync_folder, write_durably
from attending.ledger.store.port import LogRow, StoreFault
from attending.ledger.submission import LogState

_log = logging.getLogger(__name__)
_TRIES: Final = 4
INTRODUCTIONS: Final = ".introductions"
_MAX_INTRODUCTIONS_BYTES: Final = 1 << 28

ReadRoot = Callable[[LogState, int], bytes]
"""(log state, size) -> root hash of the log at an earlier size."""


class Place(Protocol):
    """Where heads are published. Blocking; one publisher a log.

    `read` returns the note there, None when there is none. `write` replaces it, durable on return; it does
    nothing and returns False when the note there is no longer `expected`. `keep` puts the introductions of a log's keys
    there, durable on return, before a head that only they lead to: whoever has lost the database needs them, too.
    All raise OSError.
    """

    def read(self, log_id: str) -> str | None: ...
    def write(self, log_id: str, note: str, expected: str | None) -> bool: ...
    def keep(self, log_id: str, introductions: Sequence[str]) -> None: ...


class FolderPlace:
    """Checkpoints as files `<log_id>.checkpoint`, introductions as `<log_id>.introductions`, each a JSON string on a
    line. Processes that share the folder take turns by a file lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Texts whose file name is known to be durable. What is read counts as published, and another process, or
        # an earlier life of this one, may have been cut off before it synced the folder.
        self._durable: dict[str, str] = {}
        make_folder(folder)

    def read(self, log_id: str) -> str | None:
        """The file's text, durable. Bytes that are not UTF-8 are passed on, to fail as a note."""
        try:
            text = self._path(log_id).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return None
        if self._durable.get(log_id) != text:
            sync_folder(self._folder)
            self._durable[log_id] = text
        return text

    def write(self, log_id: str, note: str, expected: str | None) -> bool:
        """Replaces the file atomically; see Place."""
        with self._locked():
            if self.read(log_id) != expected:
                return False
            write_durably(self._path(log_id), note.encode(), mode=0o644)
            self._durable[log_id] = note
            return True

    def keep(self, log_id: str, introductions: Sequence[str]) -> None:
        """Writes the file unless it holds these already; see Place."""
        with self._locked():
            known = read_introductions(self._folder, log_id)
            if len(known) < len(introductions):
                data = "".join(f"{json.dumps(text, ensure_ascii=False)}\n" for text in introductions)
                write_durably(self._folder / f"{log_id}{INTRODUCTIONS}", data.encode(), mode=0o644)
            else:
                sync_folder(self._folder)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # gives the lock back

    def _path(self, log_id: str) -> Path:
        return self._folder / f"{log_id}.checkpoint"


def read_introductions(folder: Path, log_id: str) -> list[str]:
    """The introductions published in a folder, nothing verified; lines that are none are left out. Raises OSError."""
    try:
        with (folder / f"{log_id}{INTRODUCTIONS}").open("rb") as file:
            lines = file.read(_MAX_INTRODUCTIONS_BYTES).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return [text for text in found if type(text) is str]


def check_against(state: LogState, published: str | None, read_root: ReadRoot) -> Checkpoint | None:
    """The published head, when the log at `state` extends it; None when nothing was published.

    Raises CorruptLog: LOG_ROLLED_BACK (the database is behind), PUBLISHED_HEAD_DIFFERS (same size, other
    history), PUBLISHED_HEAD_UNREADABLE (not a checkpoint signed by this log's key).
    """
    terms = state.signing.chain.terms
    return check_head_against(
        state.row, terms, state.edge.size, published, lambda size: read_root(state, size)
    )


def check_head_against(
    row: LogRow,
    terms: Sequence[Term],
    size: int,
    published: str | None,
    root_at: Callable[[int], bytes],
) -> Checkpoint | None:
    """As `check_against`, for a log of `size` that is signed by keys of these `terms` and whose root at any earlier
    size `root_at` gives.
    """
    if published is None:
        return None
    log_id = row.log_id
    try:
        head = verify(published, terms)
    except VerificationError as err:
        raise CorruptLog(
            f"published head of log `{log_id}` is not one that this log signed",
            reason="PUBLISHED_HEAD_UNREADABLE",
            log_id=log_id,
        ) from err
    if head.size > size:
        raise CorruptLog(
            f"log `{log_id}` has {size} entries, {head.size} were published: the database is behind",
            reason=CorruptLog.ROLLBACK,
            log_id=log_id,
        )
    if root_at(head.size) != head.root:
        raise CorruptLog(
            f"log `{log_id}` contradicts the head published at size {head.size}",
            reason="PUBLISHED_HEAD_DIFFERS",
            log_id=log_id,
        )
    return head


def require_unpublished(log_id: str, published: str | None) -> None:
    """Returns when a log that the database does not have was never published with entries.

    Raises CorruptLog (LOG_ROLLED_BACK): the database has lost the log.
    """
    if published is None:
        return
    try:
        size = parse_checkpoint(published).size
    except VerificationError:
        size = -1
    if size != 0:
        raise CorruptLog(
            f"log `{log_id}` is not in the database, and a head of it was published: the database is behind",
            reason=CorruptLog.ROLLBACK,
            log_id=log_id,
        )


class Publisher:
    """The publication loop of one log: newest wins, at most one write an interval."""

    def __init__(
        self,
        log_id: str,
        place: Place,
        *,
        state: Callable[[], Awaitable[LogState]],
        read_root: ReadRoot,
        halt: Callable[[str], None],
        interval_seconds: float,
    ) -> None:
        """`state` gives the log's newest committed state, or raises: an older one would make what another process
        published look like a log that has gone back. `halt` stops the log with a reason.
        """
        self._log_id = log_id
        self._place = place
        self._state = state
        self._read_root = read_root
        self._halt = halt
        self._interval_seconds = interval_seconds
        self._task: asyncio.Task[None] | None = None
        self._busy = asyncio.Lock()
        self._ending = asyncio.Event()
        self._failures = 0  # in a row
        self._kept = 0  # introductions that are known to be outside
        self.published: str | None = None
        """The note that is known to be outside."""

    def start(self) -> None:
        """Starts the loop on the running event loop."""
        self._task = asyncio.create_task(self._run(), name=f"publish {self._log_id}")

    async def stop(self) -> None:
        """Ends the loop after a last publication."""
        self._ending.set()
        if self._task is not None:
            # Not cancelled: a write under way would go on in its thread, beside the last one.
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.publish()

    async def publish(self) -> str | None:
        """Publishes the newest head now; the note outside, None when that failed and will be tried again."""
        async with self._busy:
            try:
                for _ in range(_TRIES):  # another process may publish in between
                    # The state is asked for after the place is read, and brought up to what other processes
                    # appended: a head that was published is never newer.
                    outside = await asyncio.to_thread(self._place.read, self._log_id)
                    state = await self._state()
                    if outside == state.note == self.published or await asyncio.to_thread(
                        self._publish, outside, state
                    ):
                        self._failures = 0
                        return self.published
            except CorruptLog as err:
                self._failed(logging.ERROR, "ledger.publish_halted", reason=err.reason)
                self._halt(err.reason)
            except (OSError, LedgerError, StoreFault) as err:
                self._failed(logging.WARNING, "ledger.publish_failed", error_type=type(err).__name__)
            return None

    def _failed(self, level: int, event: str, **keys: str) -> None:
        """Logs the first failure in a row, the second, the fourth and so on: an outage is not a flood of lines."""
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:
            _log.log(level, event, extra={"log_id": self._log_id, "count": self._failures, **keys})

    def _publish(self, outside: str | None, state: LogState) -> bool:
        check_against(state, outside, self._read_root)
        introductions = state.signing.chain.introductions
        if len(introductions) != self._kept:
            self._place.keep(self._log_id, [item.text for item in introductions])
            self._kept = len(introductions)
        if outside != state.note and not self._place.write(self._log_id, state.note, outside):
            return False
        self.published = state.note
        return True

    async def _run(self) -> None:
        while not self._ending.is_set():
            await self.publish()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), self._interval_seconds)

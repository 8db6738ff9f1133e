"""Publication: signed heads put where the database cannot take them back.

Each log has a loop that writes its newest checkpoint to a place outside the database. What was published
bounds what an operator, a restored backup or a lost disk can silently undo: a database behind its published
head is refused at the start, one that contradicts it is halted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from attending.ledger.checkpoint import Checkpoint, verify
from attending.ledger.errors import CorruptLog, LedgerError, VerificationError
from attending.ledger.files import make_folder, sync_folder, write_durably
from attending.ledger.note import VerifierKey
from attending.ledger.store.port import StoreFault
from attending.ledger.submission import LogState

_log = logging.getLogger(__name__)

ReadRoot = Callable[[LogState, int], bytes]
"""(log state, size) -> root hash of the log at an earlier size."""


class Place(Protocol):
    """Where heads are published. Blocking; one publisher a log.

    `read` returns the note there, None when there is none. `write` replaces it, durable on return; it does
    nothing and returns False when the note there is no longer `expected`. Both raise OSError.
    """

    def read(self, log_id: str) -> str | None: ...
    def write(self, log_id: str, note: str, expected: str | None) -> bool: ...


class FolderPlace:
    """Checkpoints as files `<log_id>.checkpoint`. One process writes, as the ledger's lock sees to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # What is read counts as published: after a start or a failure its name may not be durable yet.
        self._unsure = True
        make_folder(folder)

    def read(self, log_id: str) -> str | None:
        """The file's text, durable. Bytes that are not UTF-8 are passed on, to fail as a note."""
        if self._unsure:
            self._unsure = False  # before: a write that fails meanwhile says so again
            try:
                sync_folder(self._folder)
            except OSError:
                self._unsure = True
                raise
        try:
            return self._path(log_id).read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return None

    def write(self, log_id: str, note: str, expected: str | None) -> bool:
        """Replaces the file atomically; see Place."""
        if self.read(log_id) != expected:
            return False
        try:
            write_durably(self._path(log_id), note.encode(), mode=0o644)
        except OSError:
            self._unsure = True
            raise
        return True

    def _path(self, log_id: str) -> Path:
        return self._folder / f"{log_id}.checkpoint"


def check_against(state: LogState, published: str | None, read_root: ReadRoot) -> Checkpoint | None:
    """The published head, when the log at `state` extends it; None when nothing was published.

    Raises CorruptLog: LOG_ROLLED_BACK (the database is behind), PUBLISHED_HEAD_DIFFERS (same size, other
    history), PUBLISHED_HEAD_UNREADABLE (not a checkpoint signed by this log's key).
    """
    if published is None:
        return None
    log_id = state.row.log_id
    try:
        head = verify(published, [VerifierKey.parse(state.row.verifier_key)])
    except VerificationError as err:
        raise CorruptLog(
            f"published head of log `{log_id}` is not one that this log signed",
            reason="PUBLISHED_HEAD_UNREADABLE",
        ) from err
    if head.size > state.edge.size:
        raise CorruptLog(
            f"log `{log_id}` has {state.edge.size} entries, {head.size} were published:"
            " the database is behind",
            reason=CorruptLog.ROLLBACK,
        )
    if read_root(state, head.size) != head.root:
        raise CorruptLog(
            f"log `{log_id}` contradicts the head published at size {head.size}",
            reason="PUBLISHED_HEAD_DIFFERS",
        )
    return head


class Publisher:
    """The publication loop of one log: newest wins, at most one write an interval."""

    def __init__(
        self,
        log_id: str,
        place: Place,
        *,
        state: Callable[[], LogState],
        read_root: ReadRoot,
        halt: Callable[[str], None],
        interval_seconds: float,
    ) -> None:
        """`state` gives the log's committed state, `halt` stops it with a reason."""
        self._log_id = log_id
        self._place = place
        self._state = state
        self._read_root = read_root
        self._halt = halt
        self._interval_seconds = interval_seconds
        self._task: asyncio.Task[None] | None = None
        self._busy = asyncio.Lock()
        self.published: str | None = None
        """The note that is known to be outside."""

    def start(self) -> None:
        """Starts the loop on the running event loop."""
        self._task = asyncio.create_task(self._run(), name=f"publish {self._log_id}")

    async def stop(self) -> None:
        """Ends the loop after a last publication."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.publish()

    async def publish(self) -> str | None:
        """Publishes the newest head now; the note outside, None when that failed and will be tried again."""
        async with self._busy:
            state = self._state()
            if self.published == state.note:
                return self.published
            try:
                return await asyncio.to_thread(self._publish)
            except CorruptLog as err:
                _log.error("ledger_publish_halted log=%s reason=%s", self._log_id, err.reason)
                self._halt(err.reason)
            except (OSError, LedgerError, StoreFault) as err:
                _log.warning("ledger_publish_failed log=%s error=%s", self._log_id, type(err).__name__)
            return None

    def _publish(self) -> str | None:
        outside = self._place.read(self._log_id)
        # Read after the place: a head that was published is never newer than this one.
        state = self._state()
        check_against(state, outside, self._read_root)
        if outside != state.note and not self._place.write(self._log_id, state.note, outside):
            return None
        self.published = state.note
        return self.published

    async def _run(self) -> None:
        while True:
            await self.publish()
            await asyncio.sleep(self._interval_seconds)

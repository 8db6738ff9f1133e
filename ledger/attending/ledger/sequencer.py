"""The sequencer: one writer thread that turns concurrent appends into group commits.

Order of a write, per group (design section 2):
  1. open a transaction that holds the write lock; admit each append (halt flag, stream versions, claim) or
     reject that one alone; give the admitted ones index, predecessor and time; hash
  2. write entries, payloads, tiles, projection rows and heads, and commit: durable when that returns
  3. sign each moved head
  4. answer every append of the group at once, with an integrated checkpoint
A crash before 2 ends leaves nothing; between 2 and 3 it leaves a committed head that the next start signs:
the same size and root, so no second story. Nobody has been answered in either case.

INVARIANT: a head is signed only after this process saw its commit succeed, or read it after a `recover`,
which makes all that is visible durable. A commit whose outcome is unknown is answered StoreUnavailable and
nothing is written until the state has been read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from attending.ledger.errors import LedgerError, NotFound, QueueFull, RowRejected, StoreUnavailable
from attending.ledger.group import Group
from attending.ledger.store.port import HeadRow, LogRow, RowRefused, Store, StoreFault
from attending.ledger.submission import LogState, Sequenced, Submission, sign_head

MAX_QUEUED_APPENDS: Final = 8_192
MAX_QUEUED_BYTES: Final = 64 * 1024 * 1024
MAX_GROUP_ENTRIES: Final = 1_024
MAX_GROUP_BYTES: Final = 16 * 1024 * 1024
_RETRY_AFTER_SECONDS: Final = 0.5
_CACHED_STREAMS: Final = 65_536

Outcome = tuple["asyncio.Future[Sequenced]", Sequenced | None, Exception | None]
LoadState = Callable[[LogRow, HeadRow], LogState]


class Sequencer:
    """Owns the writing side of a store. `submit` belongs to the event loop it was started on."""

    def __init__(
        self,
        store: Store,
        states: dict[str, LogState],
        load_state: LoadState,
        clock: Callable[[], datetime],
        *,
        max_queued_appends: int = MAX_QUEUED_APPENDS,
    ) -> None:
        """`states` are the logs as read at the start, `load_state` reads one again after a fault."""
        self._max_queued = max_queued_appends
        self._store = store
        self._states = states
        self._load_state = load_state
        self._clock = clock
        self._halted: dict[str, str] = {}
        self._versions: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._queue: deque[Submission] = deque()
        self._queued_bytes = 0
        self._wake = threading.Condition()
        self._closing = False
        self._unsure = False
        self._ready: list[Outcome] = []
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    # --- the event loop's side -------------------------------------------------------------------------

    def state(self, log_id: str) -> LogState:
        """The log's last committed state; NotFound."""
        try:
            return self._states[log_id]
        except KeyError:
            raise NotFound("no such log") from None

    def logs(self) -> list[str]:
        """Ids of every log, sorted."""
        return sorted(self._states)

    def halted(self, log_id: str) -> str | None:
        """Why the log takes no appends, None when it does."""
        return self._halted.get(log_id)

    def halt(self, log_id: str, why: str) -> None:
        """Refuses every append to the log from now on, also those that are queued."""
        self._halted.setdefault(log_id, why)

    def submit(self, submission: Submission) -> None:
        """Queues an append; its future is completed on the loop. Raises QueueFull, StoreUnavailable (closed)."""
        with self._wake:
            if self._closing:
                raise StoreUnavailable("ledger is closed")
            size = self._queued_bytes + submission.size_bytes
            if len(self._queue) >= self._max_queued or (self._queue and size > MAX_QUEUED_BYTES):
                raise QueueFull(_RETRY_AFTER_SECONDS)
            self._queue.append(submission)
            self._queued_bytes = size
            self._wake.notify()

    def close(self) -> None:
        """Writes what is queued, then ends the thread. Blocks; safe to call twice."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    # --- the writer thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        while group := self._next_group():
            outcomes: list[Outcome] = []
            try:
                self._write(group, outcomes)
            except Exception as err:
                self._unsure = True
                answered = {id(outcome[0]) for outcome in outcomes}
                rest = [submission for submission in group if id(submission.future) not in answered]
                outcomes += _unknown(rest, "sequencer failed, the outcome of the append is unknown", err)
            self._deliver()
            self._ready = outcomes
            if not self._queue:
                self._deliver()

    def _deliver(self) -> None:
        """Answers the group before. With another group waiting that happens when this one is about to commit:
        the event loop then works through the answers while the disk syncs and the interpreter lock is free,
        instead of holding up the sequencing of what already waits.
        """
        if self._ready:
            outcomes, self._ready = self._ready, []
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it those who waited
                self._loop.call_soon_threadsafe(_settle, outcomes)

    def _next_group(self) -> list[Submission]:
        with self._wake:
            while not self._queue:
                if self._closing:
                    return []
                self._wake.wait()
            queue, group, entries, size = self._queue, [], 0, 0
            while queue and entries < MAX_GROUP_ENTRIES and size < MAX_GROUP_BYTES:
                submission = queue.popleft()
                group.append(submission)
                entries += len(submission.entries)
                size += submission.size_bytes
            self._queued_bytes -= size
            return group

    def _write(self, group: Sequence[Submission], outcomes: list[Outcome]) -> None:
        """Steps 1 to 3 for a group. A row that breaks a constraint splits it, until that append is alone."""
        if self._unsure and not self._recover():
            outcomes += _unknown(group, "store is not usable, nothing was written")
            return
        rejected: list[Outcome] = []
        try:
            self._store.begin()  # 1
            work = Group(self._clock, self._states, self._halted)
            work.look_up(group, self._versions, self._store)
            for submission in group:
                try:
                    work.admit(submission)
                except LedgerError as err:
                    rejected.append((submission.future, None, err))
            if not work.admitted:
                self._store.rollback()
                outcomes += rejected
                return
            self._store.apply(work.batch())  # 2
            self._deliver()
            self._store.commit()
        except RowRefused as err:
            self._rollback()
            if len(group) == 1:
                failure_row = RowRejected("a row beside the entries breaks a constraint of its table")
                failure_row.__cause__ = err
                outcomes.append((group[0].future, None, failure_row))
                return
            half = len(group) // 2
            self._write(group[:half], outcomes)
            self._write(group[half:], outcomes)
            return
        except StoreFault as err:
            # The failure may have hit before or after the commit became durable: re-read before going on.
            self._unsure = True
            answered = {id(outcome[0]) for outcome in rejected}
            rest = [submission for submission in group if id(submission.future) not in answered]
            outcomes += rejected
            outcomes += _unknown(rest, "store failed, the outcome of the append is unknown", err)
            self._recover()
            return
        outcomes += rejected
        self._finish(work, outcomes)  # 3

    def _finish(self, work: Group, outcomes: list[Outcome]) -> None:
        for log_id, staged in work.staged.items():
            growth, state = staged.growth, staged.state
            if growth is not None:
                self._states[log_id] = replace(
                    state,
                    edge=growth.after,
                    root=growth.root,
                    last_leaf=staged.prev,
                    time=staged.time,
                    note=sign_head(state.row, growth.after.size, growth.root, state.keys),
                )
            elif log_id not in self._states:
                self._states[log_id] = state
        for key, version in work.versions.items():
            self._versions[key] = version
            self._versions.move_to_end(key)
        while len(self._versions) > _CACHED_STREAMS:
            self._versions.popitem(last=False)
        for submission, first, data in work.admitted:
            staged = work.staged[submission.log_id]
            note = self._states[submission.log_id].note
            result = Sequenced(first, staged.time, data, staged.growth, note)
            outcomes.append((submission.future, result, None))

    def _rollback(self) -> None:
        try:
            self._store.rollback()
        except StoreFault:
            self._unsure = True

    def _recover(self) -> bool:
        """Reads every log again after a fault; False while the store cannot be used."""
        try:
            self._store.recover()
            states = {log.log_id: self._load_state(log, head) for log, head in self._store.heads()}
        except StoreFault:
            return False
        except LedgerError as err:
            # What can be read does not add up: no more appends until someone has looked.
            for log_id in self._states:
                self.halt(log_id, err.reason)
            return True
        finally:
            self._versions.clear()
        for log_id, old in self._states.items():
            new = states.get(log_id)
            if new is None or new.edge.size < old.edge.size:
                # INVARIANT: what was acknowledged is there. If not, nothing may be signed over its absence.
                self.halt(log_id, "LOG_ROLLED_BACK")
                states[log_id] = old
        self._states.update(states)
        self._unsure = False
        return True


def _unknown(
    submissions: Sequence[Submission], message: str, cause: Exception | None = None
) -> list[Outcome]:
    """StoreUnavailable for each, an exception of its own: a shared one would gather every task's traceback."""
    outcomes: list[Outcome] = []
    for submission in submissions:
        failure = StoreUnavailable(message)
        failure.__cause__ = cause
        outcomes.append((submission.future, None, failure))
    return outcomes


def _settle(outcomes: list[Outcome]) -> None:
    """Completes the futures of a group on the loop; one that was cancelled stays so, its entry stands."""
    for future, result, error in outcomes:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
        elif result is not None:
            future.set_result(result)

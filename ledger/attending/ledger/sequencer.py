"""The sequencer: one writer thread that turns concurrent appends into group commits.

Order of a write, per group (design section 2):
  1. open a transaction that locks the heads of the group's logs; catch up with what other processes appended;
     admit each append (stops, stream versions, claim) or reject that one alone; give the admitted ones index,
     predecessor and time; hash
  2. write entries, payloads, tiles, projection rows and heads, and commit: durable when that returns
  3. sign each moved head; where its signing key was rotated, the introduction is stored before
  4. answer every append of the group at once, with an integrated checkpoint
A crash before 2 ends leaves nothing; between 2 and 3 it leaves a committed head that the next start signs:
the same size and root, so no second story. Nobody has been answered in either case.

INVARIANT: a head is signed only after this process saw its commit succeed, or read it after a `recover`,
which makes all that is visible durable. What another process committed is signed under the next commit of
this one, which comes after it in the database's own log. A commit whose outcome is unknown is answered
StoreUnavailable and nothing is written until the state has been read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from attending.ledger.errors import (
    CorruptLog,
    KeyStoreRefused,
    KeyStoreUnavailable,
    LedgerError,
    NotFound,
    QueueFull,
    RowRejected,
    StoreUnavailable,
)
from attending.ledger.group import Group, KeyMoved, OutOfStep
from attending.ledger.signing import Signing, introduce
from attending.ledger.store.port import RowRefused, Store, StoreFault
from attending.ledger.submission import GroupReceipts, LogState, Sequenced, Submission

MAX_QUEUED_APPENDS: Final = 8_192
MAX_QUEUED_BYTES: Final = 64 * 1024 * 1024
MAX_GROUP_ENTRIES: Final = 1_024
MAX_GROUP_BYTES: Final = 16 * 1024 * 1024
_RETRY_AFTER_SECONDS: Final = 0.5
_CACHED_STREAMS: Final = 65_536

Outcome = tuple["asyncio.Future[Sequenced]", Sequenced | None, Exception | None]
LoadStates = Callable[[], dict[str, LogState]]
ReadKeys = Callable[[LogState], Signing]
"""A log's keys as they are now; raises as `read_signing`."""


class Sequencer:
    """Owns the writing side of a store. `submit` belongs to the event loop it was started on."""

    def __init__(
        self,
        store: Store,
        states: dict[str, LogState],
        load_states: LoadStates,
        read_keys: ReadKeys,
        clock: Callable[[], datetime],
        *,
        max_queued_appends: int = MAX_QUEUED_APPENDS,
    ) -> None:
        """`states` are the logs as read at the start, `load_states` reads them again after a fault, and `read_keys` the
        keys of one when another process has rotated its signing key.
        """
        self._max_queued = max_queued_appends
        self._store = store
        self._states = states
        self._load_states = load_states
        self._read_keys = read_keys
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
        state = self._states.get(log_id)
        return self._halted.get(log_id) or (None if state is None else state.stopped)

    def adopt(self, state: LogState) -> None:
        """Takes in a log that another process created; one that is known stays as it is."""
        self._states.setdefault(state.row.log_id, state)

    def halt(self, log_id: str, why: str) -> None:
        """Refuses every append to the log from now on, also those that are queued."""
        self._halted.setdefault(log_id, why)

    def submit(self, submission: Submission) -> None:
        """Queues an append; its future is completed on the loop. Raises QueueFull, StoreUnavailable (closed)."""
        with self._wake:
            if self._closing:
                raise StoreUnavailable("ledger is closed")
            size = self._queued_bytes + submission.size_bytes
            full = len(self._queue) >= self._max_queued or (self._queue and size > MAX_QUEUED_BYTES)
            if submission.urgent:
                self._queue.appendleft(submission)
            elif full:
                raise QueueFull(_RETRY_AFTER_SECONDS)
            else:
                self._queue.append(submission)
            self._queued_bytes = size
            self._wake.notify()

    @property
    def unsure(self) -> bool:
        """Whether a fault left it unknown what was committed; the next write reads that again, or a refresh."""
        return self._unsure

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
            queue, entries, size = self._queue, 0, 0
            group: list[Submission] = []
            while queue and entries < MAX_GROUP_ENTRIES and size < MAX_GROUP_BYTES:
                # A rotation goes alone: the head right after its entry is the one that introduces the key.
                if group and queue[0].rotates is not None:
                    break
                submission = queue.popleft()
                group.append(submission)
                entries += len(submission.entries)
                size += submission.size_bytes
                if submission.rotates is not None:
                    break
            self._queued_bytes -= size
            return group

    def _write(
        self,
        group: Sequence[Submission],
        outcomes: list[Outcome],
        *,
        again: bool = True,
        read: frozenset[str] = frozenset(),
    ) -> None:
        """Steps 1 to 3 for a group. A row that breaks a constraint splits it, until that append is alone. `read` are
        logs whose keys were read again for it.
        """
        if self._unsure and not self._recover():
            outcomes += _unknown(group, "store is not usable, nothing was written")
            return
        rejected: list[Outcome] = []
        try:
            work = self._begin(group, again)  # 1
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
            signing = self._introduced(work)
        except (KeyMoved, OutOfStep, CorruptLog) as err:
            # Nothing was written. Reading all again brings this process into step, or halts the log at fault; where
            # only the keys of a log are others, reading these will do.
            self._rollback()
            if isinstance(err, KeyMoved) and err.log_id not in read:
                rest = self._with_keys(err.log_id, group, outcomes)
                if rest:
                    self._write(rest, outcomes, again=again, read=read | {err.log_id})
                return
            self._unsure = True
            if again and self._recover():
                self._write(group, outcomes, again=False)
            else:
                outcomes += _unknown(group, "log was read again, nothing was written", err)
            return
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
            # Told before the store is asked again: where a standby is missing, that can take until it is back.
            self._deliver()
            self._ready, outcomes[:] = outcomes[:], []
            self._deliver()
            self._recover()
            return
        outcomes += rejected
        self._finish(work, signing, outcomes)  # 3

    def _introduced(self, work: Group) -> dict[str, Signing]:
        """The keys of the group's logs, each with the introduction of its newest. Raises StoreFault: what the group
        wrote is committed all the same, and nothing is signed.
        """
        found = {}
        for log_id in work.staged:
            state = work.committed(log_id)
            found[log_id] = state.signing
            if state.signing.chain.pending is not None:
                try:
                    found[log_id] = introduce(self._store, state.row, state.edge, state.signing)
                except LedgerError as err:
                    raise StoreFault("introduction of a signing key could not be made") from err
        return found

    def _with_keys(
        self, log_id: str, group: Sequence[Submission], outcomes: list[Outcome]
    ) -> Sequence[Submission]:
        """Takes in a rotation by another process; the part of the group that can be written then. Where the key cannot
        be had, the appends to that log are refused, and the others go on.
        """
        try:
            state = self._states[log_id]
            self._states[log_id] = replace(state, signing=self._read_keys(state))
            return group
        except (LedgerError, StoreFault) as err:
            if isinstance(err, CorruptLog):
                self.halt(log_id, err.reason)
            refused = [submission for submission in group if submission.log_id == log_id]
            outcomes += _unknown(refused, "signing key of the log was rotated, and cannot be had here", err)
            return [submission for submission in group if submission.log_id != log_id]

    def _begin(self, group: Sequence[Submission], again: bool) -> Group:
        """The group's open transaction. A store that fails here was asked to write nothing: a connection that
        died while it was idle is made anew, once, and nobody need hear of it.
        """
        work = Group(self._clock, self._states, self._halted, self._versions)
        try:
            work.begin(group, self._store)
        except StoreFault:
            self._unsure = True
            if not again or not self._recover():
                raise
            work = Group(self._clock, self._states, self._halted, self._versions)
            work.begin(group, self._store)
        return work

    def _finish(self, work: Group, signing: Mapping[str, Signing], outcomes: list[Outcome]) -> None:
        for log_id in work.staged:
            state = work.committed(log_id)
            known = self._states.get(log_id)
            # Signing what is signed already would be the same note, and 50 microseconds.
            if known is None or known.edge.size != state.edge.size:
                note = signing[log_id].head(state.row.origin, state.edge.size, state.root)
                state = replace(state, note=note)
            self._states[log_id] = replace(state, signing=signing[log_id])
        for key, version in work.versions.items():
            self._versions[key] = version
            self._versions.move_to_end(key)
        while len(self._versions) > _CACHED_STREAMS:
            self._versions.popitem(last=False)
        receipts = {
            log_id: GroupReceipts(staged.growth, self._states[log_id].note)
            for log_id, staged in work.staged.items()
            if staged.growth is not None
        }
        for submission, first, data in work.admitted:
            log_id = submission.log_id
            result = Sequenced(first, work.staged[log_id].time, data, receipts.get(log_id))
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
            states = self._load_states()
        except (StoreFault, KeyStoreUnavailable, KeyStoreRefused):
            return False  # the latter when another process brought a key that this one cannot open yet
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

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
import hashlib
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from attending.ledger.checkpoint import sign_checkpoint
from attending.ledger.entry import PreparedEntry, format_time
from attending.ledger.errors import (
    ClaimConflict,
    DuplicateClaim,
    ExpectationFailed,
    Halted,
    LedgerError,
    NotFound,
    QueueFull,
    RowRejected,
    StoreUnavailable,
)
from attending.ledger.keys import LogKeys
from attending.ledger.projection import RowWrite, resolve
from attending.ledger.store.port import (
    Batch,
    ClaimRow,
    EntryRow,
    ErasureRow,
    HeadMove,
    HeadRow,
    LogRow,
    PayloadRow,
    RowRefused,
    Store,
    StoreFault,
    SubjectRow,
    TileRow,
)
from attending.ledger.tiles import EMPTY_EDGE, Edge, Growth, grow
from attending.ledger.vault import SealedPayload

MAX_QUEUED_APPENDS: Final = 8_192
MAX_QUEUED_BYTES: Final = 64 * 1024 * 1024
MAX_GROUP_ENTRIES: Final = 1_024
MAX_GROUP_BYTES: Final = 16 * 1024 * 1024
_RETRY_AFTER_SECONDS: Final = 0.5
_CACHED_STREAMS: Final = 65_536

_sha256 = hashlib.sha256


@dataclass(frozen=True, slots=True)
class Expectation:
    """`stream` must hold exactly `version` entries of this log (0: must not exist)."""

    stream: str
    version: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Claims an idempotency key for `stream`; `fingerprint` is a keyed digest of the request's body."""

    key: str
    fingerprint: bytes = field(repr=False)
    stream: str


@dataclass(frozen=True, slots=True)
class LogState:
    """A log at a committed size. Immutable: the sequencer swaps it for the next one."""

    row: LogRow
    keys: LogKeys = field(repr=False)
    edge: Edge = field(repr=False)
    root: bytes
    last_leaf: bytes
    time: str
    note: str
    """The signed checkpoint of this size: integrated, not yet published."""


@dataclass(frozen=True, slots=True)
class Sequenced:
    """Where an append went: its entries are `first_index` onwards, in the growth of its group."""

    first_index: int
    time: str
    data: tuple[bytes, ...] = field(repr=False)
    growth: Growth | None = field(repr=False)
    note: str = field(repr=False)


@dataclass(slots=True, eq=False)
class Submission:
    """One append on its way: everything that could be checked or encoded has been."""

    log_id: str
    entries: Sequence[PreparedEntry]
    future: asyncio.Future[Sequenced]
    payloads: Sequence[Sequence[SealedPayload]] = ()
    expect: Sequence[Expectation] = ()
    claim: Claim | None = None
    rows: Sequence[RowWrite] = ()
    new_log: tuple[LogRow, LogKeys] | None = None
    subject: SubjectRow | None = None
    erases: str | None = None
    expires_claims: str | None = None
    size_bytes: int = 0


class _Staged:
    """A log's part of a group that has not been committed."""

    __slots__ = ("data", "growth", "index", "leaves", "prev", "state", "time")

    def __init__(self, state: LogState, now: str) -> None:
        self.state = state
        self.index = state.edge.size
        self.prev = state.last_leaf
        self.time = max(state.time, now)
        self.leaves: list[bytes] = []
        self.growth: Growth | None = None


Outcome = tuple["asyncio.Future[Sequenced]", Sequenced | None, Exception | None]
LoadState = Callable[[LogRow, HeadRow], LogState]


class Sequencer:
    """Owns the writing side of a store. `submit` belongs to the event loop it was started on."""

    def __init__(
        self, store: Store, states: dict[str, LogState], load_state: LoadState, clock: Callable[[], datetime]
    ) -> None:
        """`states` are the logs as read at the start, `load_state` reads one again after a fault."""
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
            if len(self._queue) >= MAX_QUEUED_APPENDS or (self._queue and size > MAX_QUEUED_BYTES):
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
            work = _Work(self._clock, self._states, self._halted)
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

    def _finish(self, work: _Work, outcomes: list[Outcome]) -> None:
        for log_id, staged in work.staged.items():
            growth, state = staged.growth, staged.state
            if growth is not None:
                self._states[log_id] = replace(
                    state,
                    edge=growth.after,
                    root=growth.root,
                    last_leaf=staged.prev,
                    time=staged.time,
                    note=_sign(state.row, growth.after.size, growth.root, state.keys),
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


class _Work:
    """One group being sequenced, on copies: nothing outside changes until it is committed."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        states: dict[str, LogState],
        halted: dict[str, str],
    ) -> None:
        self._now = format_time(clock())
        self._states = states
        self._halted = halted
        self._batch = Batch()
        self._claims: dict[tuple[str, str], ClaimRow] = {}
        self.versions: dict[tuple[str, str], int] = {}
        self.staged: dict[str, _Staged] = {}
        self.admitted: list[tuple[Submission, int, tuple[bytes, ...]]] = []

    def look_up(
        self, group: Sequence[Submission], cached: Mapping[tuple[str, str], int], store: Store
    ) -> None:
        """Reads every stream version and claim that the group asks for, in a few statements a log.

        One statement each would be clearer and slower: every step of SQLite lets go of the interpreter lock,
        and the event loop, busy with the next group, is in no hurry to hand it back.
        """
        streams: dict[str, set[str]] = {}
        claims: dict[str, set[str]] = {}
        for submission in group:
            names = streams.setdefault(submission.log_id, set())
            names.update(entry.stream for entry in submission.entries)
            names.update(expectation.stream for expectation in submission.expect)
            if submission.claim is not None:
                claims.setdefault(submission.log_id, set()).add(submission.claim.key)
        for log_id, names in streams.items():
            unknown = []
            for name in names:
                version = cached.get((log_id, name))
                if version is None:
                    unknown.append(name)
                self.versions[log_id, name] = version or 0
            for name, version in store.stream_versions(log_id, unknown).items():
                self.versions[log_id, name] = version
        for log_id, keys in claims.items():
            for key, row in store.claims(log_id, keys).items():
                self._claims[log_id, key] = row

    def admit(self, submission: Submission) -> None:
        """Sequences one append or raises the LedgerError that rejects it, having changed nothing."""
        log_id, batch = submission.log_id, self._batch
        staged = self.staged.get(log_id)
        if staged is None:
            staged = self._stage(submission)
        if log_id in self._halted and submission.entries:
            raise Halted(f"log takes no entries: {self._halted[log_id]}")
        for expectation in submission.expect:
            actual = self.versions[log_id, expectation.stream]
            if actual != expectation.version:
                raise ExpectationFailed(expectation.stream, expectation.version, actual)
        claim = submission.claim
        if claim is not None:
            self._check_claim(log_id, claim)
        # From here on nothing is refused.
        first, prev, time = staged.index, staged.prev, staged.time
        versions, leaves, rows = self.versions, staged.leaves, batch.entries
        stored = []
        for index, entry in enumerate(submission.entries, first):
            data = entry.encode(index, prev, time)
            prev = _sha256(b"\x00" + data).digest()
            version = versions[log_id, entry.stream]
            versions[log_id, entry.stream] = version + 1
            rows.append(EntryRow(log_id, index, data, prev, entry.stream, version, entry.type))
            leaves.append(prev)
            stored.append(data)
        for index, payloads in enumerate(submission.payloads, first):
            for item in payloads:
                batch.payloads.append(
                    PayloadRow(
                        log_id, item.record, index, item.kind, item.subject, item.sealed, item.wrapped_key
                    )
                )
        if claim is not None:
            row = ClaimRow(log_id, claim.key, claim.fingerprint, claim.stream, time)
            self._claims[log_id, claim.key] = row
            batch.claims.append(row)
        if submission.subject is not None:
            batch.subjects.append(submission.subject)
        if submission.erases is not None:
            batch.erasures.append(ErasureRow(log_id, submission.erases, first))
        if submission.expires_claims is not None:
            batch.expired_claims.append((log_id, submission.expires_claims))
        for write in submission.rows:
            batch.rows.append(resolve(write, first, time))
        staged.prev, staged.index = prev, first + len(stored)
        self.staged[log_id] = staged
        self.admitted.append((submission, first, tuple(stored)))

    def batch(self) -> Batch:
        """The rows of everything admitted, with trees grown and heads moved."""
        for log_id, staged in self.staged.items():
            if not staged.leaves:
                continue
            growth = staged.growth = grow(staged.state.edge, staged.leaves)
            self._batch.tiles += [TileRow(log_id, *tile) for tile in growth.tiles]
            head = HeadRow(log_id, growth.after.size, growth.root, staged.prev, staged.time)
            self._batch.heads.append(HeadMove(growth.before.size, head))
        return self._batch

    def _stage(self, submission: Submission) -> _Staged:
        state = self._states.get(submission.log_id)
        if state is None:
            if submission.new_log is None:
                raise NotFound("no such log")
            row, keys = submission.new_log
            state = new_state(row, keys)
            self._batch.logs.append(row)
            head = HeadRow(row.log_id, 0, state.root, state.last_leaf, state.time)
            self._batch.heads.append(HeadMove(0, head))
        return _Staged(state, self._now)

    def _check_claim(self, log_id: str, claim: Claim) -> None:
        taken = self._claims.get((log_id, claim.key))
        if taken is None:
            return
        if taken.fingerprint == claim.fingerprint:
            raise DuplicateClaim(claim.key, taken.stream)
        raise ClaimConflict(claim.key)


def new_state(row: LogRow, keys: LogKeys) -> LogState:
    """The state of a log without entries."""
    root = EMPTY_EDGE.root
    return LogState(row, keys, EMPTY_EDGE, root, bytes(32), row.created_at, _sign(row, 0, root, keys))


def signed_state(row: LogRow, keys: LogKeys, edge: Edge, head: HeadRow) -> LogState:
    """The state of a log as read from its store; the caller has checked that `edge` and `head` agree."""
    note = _sign(row, head.size, head.root, keys)
    return LogState(row, keys, edge, head.root, head.last_leaf, head.time, note)


def _sign(row: LogRow, size: int, root: bytes, keys: LogKeys) -> str:
    return sign_checkpoint(row.origin, size, root, keys.signing)


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

"""One group of appends being sequenced: admitted or rejected one by one, given their places, made into rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from attending.ledger.entry import AFTER_SEAL, format_time
from attending.ledger.errors import (
    ClaimConflict,
    ClaimStale,
    CorruptLog,
    DuplicateClaim,
    ExpectationFailed,
    Halted,
    LogFrozen,
    NotFound,
    SubjectErased,
)
from attending.ledger.introduction import STREAM as KEY_STREAM
from attending.ledger.introduction import Rotation
from attending.ledger.keys import TENANT_SUBJECT
from attending.ledger.projection import resolve
from attending.ledger.signing import Chain
from attending.ledger.store.port import (
    Answer,
    Batch,
    ClaimRow,
    EntryRow,
    ErasureRow,
    HeadMove,
    HeadRow,
    Leaf,
    PayloadRow,
    Question,
    RemovalRow,
    StopRow,
    Store,
    TileRow,
)
from attending.ledger.store.schema import SEALED
from attending.ledger.submission import FROZEN, Claim, LogState, NewSigner, Submission, new_state
from attending.ledger.tiles import Growth, grow

_sha256 = hashlib.sha256


class Staged:
    """A log's part of a group that has not been committed."""

    __slots__ = ("data", "growth", "index", "leaves", "prev", "rotated", "state", "time")

    def __init__(self, state: LogState, now: str) -> None:
        self.state = state
        self.index = state.edge.size
        self.prev = state.last_leaf
        self.time = max(state.time, now)
        self.leaves: list[bytes] = []
        self.rotated: tuple[Rotation, NewSigner] | None = None
        self.growth: Growth | None = None


class OutOfStep(Exception):  # noqa: N818 - says what happened
    """Another process moved a log further than can be caught up with inside a transaction: read it again."""


class KeyMoved(Exception):  # noqa: N818 - says what happened
    """Another process rotated the signing key of the log `log_id`: nothing is signed before this one knows the key."""

    def __init__(self, log_id: str) -> None:
        super().__init__(log_id)
        self.log_id = log_id


class Group:
    """One group being sequenced, on copies: nothing outside changes until it is committed."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        states: Mapping[str, LogState],
        halted: Mapping[str, str],
        cached: Mapping[tuple[str, str], int],
    ) -> None:
        """`states` and stream versions (`cached`) as this process knows them, `halted` by its own decision."""
        self._now = format_time(clock())
        self._states = dict(states)
        self._halted = halted
        self._cached = cached
        self._batch = Batch()
        self._answer = Answer()
        self.versions: dict[tuple[str, str], int] = {}
        self.staged: dict[str, Staged] = {}
        self.admitted: list[tuple[Submission, int, tuple[bytes, ...]]] = []

    def begin(self, group: Sequence[Submission], store: Store) -> None:
        """Opens the transaction: asks all that the group needs at once, and catches up with other writers.

        One question each would be clearer and slower: every step of SQLite lets go of the interpreter lock,
        and the event loop, busy with the next group, is in no hurry to hand it back; with PostgreSQL each is
        a round trip. Raises StoreFault, OutOfStep, KeyMoved, CorruptLog (a head contradicts what this process knows).
        """
        question, cached = Question(), self._cached
        versions, claims, subjects = self.versions, question.claims, question.subjects
        for submission in group:
            log_id = submission.log_id
            state = self._states.get(log_id)
            if state is not None:
                question.sizes[log_id] = state.edge.size
            names = [entry.stream for entry in submission.entries]
            names += [expectation.stream for expectation in submission.expect]
            for name in names:
                key = (log_id, name)
                if key not in versions:
                    version = cached.get(key)
                    versions[key] = version or 0
                    if version is None:
                        question.streams.setdefault(log_id, set()).add(name)
            if submission.claim is not None:
                asked = claims.setdefault(log_id, set())
                asked.add(submission.claim.key)
                asked.update(key for key, _fingerprint in submission.claim.earlier)
            for payloads in submission.payloads:
                for payload in payloads:
                    if payload.subject != TENANT_SUBJECT:
                        subjects.setdefault(log_id, set()).add(payload.subject)
        answer = self._answer = store.begin(question)
        versions.update(answer.versions)
        for log_id in question.sizes.keys() - self._halted.keys():
            self._catch_up(log_id)

    def _catch_up(self, log_id: str) -> None:
        """Takes in what other processes appended since; the state stays unsigned until a commit covers it."""
        state, head = self._states[log_id], self._answer.heads.get(log_id)
        if head is None or head.size < state.edge.size:
            # INVARIANT: what was acknowledged is there. If not, nothing may be signed over its absence.
            raise CorruptLog(f"log `{log_id}` is behind what was acknowledged", reason=CorruptLog.ROLLBACK)
        if head.size == state.edge.size:
            if head.root != state.root:
                raise CorruptLog(
                    f"head of log `{log_id}` is not the one that was signed", reason="LOG_FORKED"
                )
            _require_keys(state, ())
            return
        leaves = self._answer.leaves.get(log_id, [])
        if len(leaves) != head.size - state.edge.size:
            raise OutOfStep
        _require_keys(state, leaves)
        growth = grow(state.edge, [leaf.leaf_hash for leaf in leaves])
        if growth.root != head.root or leaves[-1].leaf_hash != head.last_leaf:
            raise CorruptLog(f"head of log `{log_id}` is not that of its entries", reason="LOG_FORKED")
        for leaf in leaves:
            key = (log_id, leaf.stream)
            # The answer's own versions are already as of now.
            if key in self._cached and key not in self._answer.versions:
                self.versions[key] = leaf.stream_version + 1
        self._states[log_id] = replace(
            state, edge=growth.after, root=growth.root, last_leaf=head.last_leaf, time=head.time
        )

    def admit(self, submission: Submission) -> None:
        """Sequences one append or raises the LedgerError that rejects it, having changed nothing."""
        log_id, batch = submission.log_id, self._batch
        staged = self.staged.get(log_id)
        if staged is None:
            staged = self._stage(submission)
        if self._halted or self._answer.stops:
            self._check_open(submission)
        for expectation in submission.expect:
            actual = self.versions[log_id, expectation.stream]
            if actual != expectation.version:
                raise ExpectationFailed(expectation.stream, expectation.version, actual)
        for payloads in submission.payloads:
            for item in payloads:
                if (log_id, item.subject) in self._answer.erased:
                    raise SubjectErased("the subject's key has been destroyed")
        rotates = submission.rotates
        if rotates is not None:
            self._check_rotation(rotates, staged.state.signing.chain)
        claim = submission.claim
        if claim is not None:
            self._check_claim(log_id, claim, submission.claim_term, staged.time)
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
            row = ClaimRow(log_id, claim.key, claim.fingerprint, claim.stream, time, first, len(stored))
            self._answer.claims[log_id, claim.key] = row
            batch.claims.append(row)
        if submission.subject is not None:
            batch.subjects.append(submission.subject)
        for index, pseudonym in enumerate(submission.erases, first):
            batch.erasures.append(ErasureRow(log_id, pseudonym, index))
            self._answer.erased.add((log_id, pseudonym))
        for record, index, removed_by in submission.removes:
            by = first if removed_by is None else removed_by
            batch.removals.append(RemovalRow(log_id, record, index, by))
        if submission.expires_claims is not None:
            batch.expired_claims.append((log_id, submission.expires_claims))
        if submission.stop is not None:
            self._stop(log_id, submission.stop.reason)
        for write in submission.rows:
            batch.rows.append(resolve(write, first, time))
        if rotates is not None:
            rotation = Rotation(first + len(stored) - 1, rotates.generation, rotates.old, rotates.new)
            staged.rotated = rotation, rotates
        batch.epoch = batch.epoch or submission.refreshes
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

    def committed(self, log_id: str) -> LogState:
        """The log's state once this group is committed, its head not signed yet."""
        staged = self.staged[log_id]
        growth, stopped = staged.growth, self._answer.stops.get(log_id)
        if growth is None:
            return replace(staged.state, stopped=stopped)
        signing = staged.state.signing
        if staged.rotated is not None:
            rotation, signer = staged.rotated
            signing = signing.rotated(rotation, signer.private)
        return replace(
            staged.state,
            signing=signing,
            edge=growth.after,
            root=growth.root,
            last_leaf=staged.prev,
            time=staged.time,
            stopped=stopped,
        )

    def _stage(self, submission: Submission) -> Staged:
        state = self._states.get(submission.log_id)
        if state is None:
            if submission.new_log is None:
                raise NotFound("no such log")
            row, signing = submission.new_log
            state = new_state(row, signing)
            self._batch.logs.append(row)
            head = HeadRow(row.log_id, 0, state.root, state.last_leaf, state.time)
            self._batch.heads.append(HeadMove(0, head))
        return Staged(state, self._now)

    def _check_open(self, submission: Submission) -> None:
        """Refuses entries of a log that is stopped, unless they come with the change of that stop."""
        halted = self._halted.get(submission.log_id)
        if halted is not None and submission.entries:
            raise Halted(f"log takes no entries: {halted}")
        reason, stop = self._answer.stops.get(submission.log_id), submission.stop
        if reason is None or (stop is not None and stop.replaces == reason and reason != SEALED):
            return
        if reason == SEALED and stop is None and all(e.type in AFTER_SEAL for e in submission.entries):
            return
        if reason in FROZEN and (submission.entries or stop is not None):
            raise LogFrozen(f"log takes no entries: {reason}", reason=reason)
        if submission.entries:
            raise Halted(f"log takes no entries: {reason}")

    def _stop(self, log_id: str, reason: str | None) -> None:
        stops = self._answer.stops
        if log_id in stops:
            self._batch.stops.append(StopRow(log_id, None))
            del stops[log_id]
        if reason is not None:
            self._batch.stops.append(StopRow(log_id, reason))
            stops[log_id] = reason

    def _check_rotation(self, rotates: NewSigner, chain: Chain) -> None:
        if rotates.old != chain.current or rotates.generation != chain.generation + 1:
            # The stream says so as well: another rotation was first.
            raise ExpectationFailed(KEY_STREAM, rotates.generation - 2, len(chain.rotations))

    def _check_claim(self, log_id: str, claim: Claim, term: tuple[str | None, str | None], time: str) -> None:
        for key, fingerprint in ((claim.key, claim.fingerprint), *claim.earlier):
            taken = self._answer.claims.get((log_id, key))
            if taken is None:
                continue
            if taken.fingerprint == fingerprint:
                raise DuplicateClaim(claim.key, taken.stream)
            raise ClaimConflict(claim.key)
        # INVARIANT: times of a log do not go back, so no claim with the key before follows one with the key after. A
        # clock may go back, between the making of a claim and now.
        since, until = term
        if (since is not None and time < since) or (until is not None and time >= until):
            raise ClaimStale("the key that the claim was made with is not in force any more")


def _require_keys(state: LogState, leaves: Sequence[Leaf]) -> None:
    """INVARIANT: a head moves only from a size up to which this process knows every rotation of the signing key, and
    knows of none that is not there: so what it signs next is of its key's term.
    """
    size = state.edge.size
    seen = [size + number for number, leaf in enumerate(leaves) if leaf.stream == KEY_STREAM]
    known = [rotation.index for rotation in state.signing.chain.rotations if rotation.index >= size]
    if seen != known:
        raise KeyMoved(state.row.log_id)

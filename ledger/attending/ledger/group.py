"""One group of appends being sequenced: admitted or rejected one by one, given their places, made into rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from attending.ledger.entry import format_time
from attending.ledger.errors import ClaimConflict, DuplicateClaim, ExpectationFailed, Halted, NotFound
from attending.ledger.projection import resolve
from attending.ledger.store.port import (
    Batch,
    ClaimRow,
    EntryRow,
    ErasureRow,
    HeadMove,
    HeadRow,
    PayloadRow,
    RemovalRow,
    Store,
    TileRow,
)
from attending.ledger.submission import Claim, LogState, Submission, new_state
from attending.ledger.tiles import Growth, grow

_sha256 = hashlib.sha256


class Staged:
    """A log's part of a group that has not been committed."""

    __slots__ = ("data", "growth", "index", "leaves", "prev", "state", "time")

    def __init__(self, state: LogState, now: str) -> None:
        self.state = state
        self.index = state.edge.size
        self.prev = state.last_leaf
        self.time = max(state.time, now)
        self.leaves: list[bytes] = []
        self.growth: Growth | None = None


class Group:
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
        self.staged: dict[str, Staged] = {}
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
        for index, pseudonym in enumerate(submission.erases, first):
            batch.erasures.append(ErasureRow(log_id, pseudonym, index))
        for record, index, removed_by in submission.removes:
            by = first if removed_by is None else removed_by
            batch.removals.append(RemovalRow(log_id, record, index, by))
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

    def _stage(self, submission: Submission) -> Staged:
        state = self._states.get(submission.log_id)
        if state is None:
            if submission.new_log is None:
                raise NotFound("no such log")
            row, keys = submission.new_log
            state = new_state(row, keys)
            self._batch.logs.append(row)
            head = HeadRow(row.log_id, 0, state.root, state.last_leaf, state.time)
            self._batch.heads.append(HeadMove(0, head))
        return Staged(state, self._now)

    def _check_claim(self, log_id: str, claim: Claim) -> None:
        taken = self._claims.get((log_id, claim.key))
        if taken is None:
            return
        if taken.fingerprint == claim.fingerprint:
            raise DuplicateClaim(claim.key, taken.stream)
        raise ClaimConflict(claim.key)

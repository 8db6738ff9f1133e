"""The door of the ledger: append conditionally, read, prove, disclose and erase.

A `Ledger` owns one folder and belongs to one event loop of one process. Everything that waits for a disk runs
off the loop. Times are UTC, indices zero-based, sizes counts of entries, hashes 32 bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from attending.ledger.appended import Appended, StoredClaim
from attending.ledger.claim_keys import ClaimKeys, Rereader, claim_keys, term_of
from attending.ledger.counters import Counters
from attending.ledger.custody import tables
from attending.ledger.custody.door import Custodian
from attending.ledger.custody.prune import Pruner
from attending.ledger.custody.reads import Inside, Order
from attending.ledger.custody.state import RESERVED_TYPES, STREAM_PREFIX, ErasureReason
from attending.ledger.entry import Commitment, Entry, Payload, PendingEntry, format_time, prepare_entry
from attending.ledger.errors import (
    ExpectationFailed,
    LogFrozen,
    NotFound,
    QueueFull,
    RowRejected,
    SigningKeyRetired,
    StoreUnavailable,
)
from attending.ledger.introduction import STREAM as KEY_STREAM
from attending.ledger.keys import TENANT_SUBJECT, require_log_id
from attending.ledger.naming import Naming
from attending.ledger.note import SignerKey, sign_note
from attending.ledger.opening import LedgerConfig, Opened, early_state, load_states, open_folder, root_at
from attending.ledger.projection import EntryIndex, EntryTime, RecordId, RowWrite, check_rows
from attending.ledger.publish import Publisher, require_unpublished
from attending.ledger.reads import MAX_LIST, LedgerReads
from attending.ledger.rotation import Rotator
from attending.ledger.sequencer import Sequencer
from attending.ledger.signing import current_of, first_signing, read_signing
from attending.ledger.signing_rotation import SigningRotator
from attending.ledger.store.port import ClaimRow, LogRow, Store, SubjectRow, all_tables
from attending.ledger.store.schema import SEALED
from attending.ledger.submission import (
    AWAITS_PREDECESSOR,
    Claim,
    Expectation,
    LogState,
    NewSigner,
    Removal,
    Sequenced,
    Stop,
    Submission,
)
from attending.ledger.succession import STREAM, Succession, continuing_entry, sealed_for, sealing_entry
from attending.ledger.vault import SealedPayload, seal
from sqlalchemy import MetaData, Table

SYSTEM_LOG: Final = "system"
_ENTRY_OVERHEAD_BYTES: Final = 512
"""What an entry takes beside its actor, body and commitments, for the queue's bound."""
_SEAL_INLINE_BYTES: Final = 16_384
"""Above this a payload is sealed in a thread: about 10 microseconds of AES-GCM."""


Annotate = Callable[[PendingEntry], PendingEntry]


class Ledger(LedgerReads):
    """An open ledger folder; made by `open`, ended by `close`. Safe from many tasks of its event loop."""

    def __init__(
        self,
        config: LedgerConfig,
        opened: Opened,
        clock: Callable[[], datetime],
        tables: Mapping[str, Table],
        annotate: Annotate,
    ) -> None:
        """Use `open`."""
        sequencer = Sequencer(
            opened.store,
            opened.states,
            lambda: load_states(opened.store, opened.keys),
            lambda state: read_signing(opened.store, state.row, opened.keys),
            clock,
            max_queued_appends=config.max_queued_appends,
        )
        super().__init__(opened.store, opened.keys, sequencer, opened.erased)
        self._config = config
        self._lock = opened.lock
        self._place = opened.place
        self._clock = clock
        self._tables = tables
        self._annotate = annotate
        self._naming = Naming(opened.store, opened.keys, self._run, self._submit_subject)
        self._rereader = Rereader(opened.keys, self._run_aside)
        self._closed = False
        inside = Inside(
            opened.store,
            opened.keys,
            self._run,
            self._run_aside,
            self._write,
            lambda log_id: sequencer.state(log_id).edge.size,
            self._erased,
        )
        self.custody: Final = Custodian(inside)
        """Links, holds and erasures of subjects."""
        self.retention: Final = Pruner(inside, clock)
        """Pruning of payloads whose retention has ended."""
        self.rotation: Final = Rotator(inside, clock, config.claim_retention)
        """Rotation of the keys of logs and subjects."""
        self.signing: Final = SigningRotator(inside, lambda log_id: sequencer.state(log_id).signing)
        """Rotation of the signing keys of logs."""
        self.counters = Counters()
        """How the appends of this process ended."""

    # --- opening and closing ---------------------------------------------------------------------------

    @classmethod
    async def open(
        cls,
        folder: LedgerConfig | Path | str,
        *,
        metadata: Sequence[MetaData] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        store: Store | None = None,
        annotate: Annotate = lambda entry: entry,
    ) -> Self:
        """Opens a ledger folder, creating it when it is new, and checks it before anything is signed.

        1. The folder is local and its lock is free. 2. The database's settings and triggers are as they must
        be; projection tables of `metadata` are created; none of them waits for a rebuild. 3. Each log's key is
        the one that it names. 4. Each head is what its tiles and last entries give. 5. No head is behind, or
        contradicts, a published one. 6. Erasures on record are carried out again, in case a key backup was
        restored or a crash came between. 7. A succession that a crash cut in two is finished. 8. So is the rotation of
        a signing key: the one that was replaced is destroyed.

        `store` replaces the SQLite file. `annotate` is given every entry of an append, custody's too, in the context of
        whoever appends, and returns it with what it adds to the body: what holds of all entries is said in one place.
        Raises LedgerLocked, UnsafeSettings, CorruptLog, NotFound (a log's
        key is missing), ProjectionsIncomplete, StoreUnavailable; OSError when the folder itself cannot be made or
        locked.
        """
        config = folder if isinstance(folder, LedgerConfig) else LedgerConfig(Path(folder))
        metadata = (tables.metadata, *metadata)
        opened = await asyncio.to_thread(open_folder, config, metadata, store)
        ledger = cls(config, opened, clock, all_tables(metadata), annotate)
        try:
            await ledger._carry_out()  # 6
            for log_id in opened.states:
                ledger._start_publisher(log_id)
                with contextlib.suppress(StoreUnavailable):  # said by `attending doctor`, and tried again
                    await ledger.signing.finish(log_id)  # 8
            await ledger._finish_successions()
        except BaseException:
            await ledger.close()
            raise
        return ledger

    async def close(self) -> None:
        """Writes and publishes what is queued, then lets go of the folder. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if self._store.shared:
            # Publishing asks the sequencer for what other processes appended; they publish what comes later.
            await self._stop_publishers()
            await asyncio.to_thread(self._sequencer.close)
        else:
            await asyncio.to_thread(self._sequencer.close)
            await self._stop_publishers()
        self._threads.shutdown()
        # On another thread: what they wait for may need the loop.
        await asyncio.to_thread(self._aside.shutdown)
        await asyncio.to_thread(self._store.close)
        if self._lock is not None:
            self._lock.release()

    async def _stop_publishers(self) -> None:
        for publisher in self._publishers.values():
            await publisher.stop()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- logs ------------------------------------------------------------------------------------------

    async def create_log(self, log_id: str, origin: str, *, stop: Stop | None = None) -> None:
        """Creates a log with its keys; one that exists with the same origin is left as it is.

        `origin` names the log to the world (C2SP: a schema-less URL, such as `example.org/ledger/tenant`). With
        `stop`, a new log takes no entries yet.
        Raises ValueError when the log or the origin exists otherwise, NotFound for a malformed id, CorruptLog when
        the database has no such log although entries of it were published: begun anew, its key would sign a second
        history of it.
        """
        require_log_id(log_id)
        # Read before the log is looked for: another process that creates and publishes it does so in that order.
        published = await self._read_place(log_id)
        with contextlib.suppress(NotFound):
            if (await self._known(log_id)).row.origin != origin:
                raise ValueError(f"log `{log_id}` exists with another origin")
            # Also for a log whose creation was answered "unknown" and came to light when the store recovered.
            self._start_publisher(log_id)
            return
        require_unpublished(log_id, published)
        # Keys first: a crash here leaves keys without a log, which the next call takes up.
        keys = await self._run(self._keys.create_log, log_id)
        await self._run(self._keys.ensure, log_id, TENANT_SUBJECT)
        # The first of them: nothing has rotated the key of a log that does not exist.
        private = keys.signing[-1].private
        row = LogRow(log_id, origin, str(current_of(origin, private)), format_time(self._clock()))
        signing = first_signing(row, private)
        try:
            await self._submit(
                Submission(log_id, (), self._loop.create_future(), new_log=(row, signing), stop=stop)
            )
        except RowRejected as err:
            # Another process was first with this log, or the origin is another log's.
            with contextlib.suppress(NotFound):
                await self._known(log_id)
            if log_id not in self._sequencer.logs():
                raise ValueError(f"origin `{origin}` belongs to another log") from err
        if self._sequencer.state(log_id).row.origin != origin:
            raise ValueError(f"log `{log_id}` exists with another origin")
        self._start_publisher(log_id)

    async def _read_place(self, log_id: str) -> str | None:
        try:
            return await self._run(self._place.read, log_id)
        except OSError as err:
            raise StoreUnavailable("published heads cannot be read") from err

    def logs(self) -> list[str]:
        """Ids of every log."""
        return self._sequencer.logs()

    def origin(self, log_id: str) -> str:
        """The log's origin; NotFound."""
        return self._sequencer.state(log_id).row.origin

    def verifier_key(self, log_id: str, size: int | None = None) -> str:
        """The C2SP verifier key string of the log's checkpoints, of those of `size` or of the newest; NotFound."""
        chain = self._sequencer.state(log_id).signing.chain
        return str(chain.current if size is None else chain.at(size))

    def introductions(self, log_id: str, size: int | None = None) -> list[str]:
        """How the log's signing key was rotated, up to the tree of `size`: texts that lead whoever trusts an earlier
        verifier key to the one in use (`attending.ledger.introduction`); NotFound.
        """
        found = self._sequencer.state(log_id).signing.chain.introductions
        return [item.text for item in found if size is None or item.rotation.size <= size]

    def halted(self, log_id: str) -> str | None:
        """The reason (UPPER_SNAKE) why the log takes no appends, None when it does."""
        return self._sequencer.halted(log_id)

    def halt(self, log_id: str, why: str) -> None:
        """Refuses appends to the log from now on, also queued ones, until the ledger is opened again.

        `why` is a reason (UPPER_SNAKE). In memory only: record the halt in the system log first.
        """
        self._sequencer.state(log_id)
        self._sequencer.halt(log_id, why)

    async def stop_log(self, log_id: str, reason: str) -> None:
        """Refuses entries of the log durably, in every process, until `resume_log`; also those that are queued.

        `reason` (UPPER_SNAKE) is what callers are told. Raises NotFound, LogFrozen (sealed), StoreUnavailable.
        """
        await self._known(log_id)
        await self._submit(Submission(log_id, (), self._loop.create_future(), stop=Stop(reason)))

    async def resume_log(self, log_id: str) -> None:
        """Takes entries again after `stop_log`. Raises NotFound, LogFrozen (sealed), StoreUnavailable."""
        await self._known(log_id)
        await self._submit(Submission(log_id, (), self._loop.create_future(), stop=Stop(None)))

    async def seal_log(self, log_id: str, successor: str, successor_origin: str, *, actor: str) -> Succession:
        """Ends a log for good and starts its successor, each naming the other; see `attending.ledger.succession`.

        Safe to repeat with the same arguments, also after a crash. Raises NotFound, ValueError (the successor
        exists and is another log's or has entries), LogFrozen (sealed in favour of another), StoreUnavailable.
        """
        if log_id == successor:
            raise ValueError("a log cannot succeed itself")
        old = await self._newest(log_id)
        await self.create_log(successor, successor_origin, stop=Stop(AWAITS_PREDECESSOR))
        new = await self._newest(successor)
        if new.stopped != AWAITS_PREDECESSOR and old.stopped != SEALED:
            raise ValueError(f"log `{successor}` exists already, and does not wait for a predecessor")
        key = new.row.verifier_key
        if old.stopped != SEALED:
            entry = sealing_entry(actor, successor_origin, key)
            submission, commitments = await self._prepare(log_id, [entry], ())
            submission.stop = Stop(SEALED)
            await self._append(submission, commitments)
        seal = await self._seal_of(log_id)
        if seal is None or not sealed_for(seal, successor_origin, key):
            raise LogFrozen(f"log `{log_id}` is sealed in favour of another successor", reason=SEALED)
        return await self._continue(log_id, successor, seal, actor)

    async def _seal_of(self, log_id: str) -> Entry | None:
        """The log's `log.sealed`, None when it is not sealed."""
        entries = await self.stream_entries(log_id, STREAM)
        return next((entry for entry in entries if entry.type == "log.sealed"), None)

    async def _continue(self, log_id: str, successor: str, seal: Entry, actor: str) -> Succession:
        """Step 3, once."""
        old, size = await self._newest(log_id), seal.index + 1
        root = await self._run(root_at, self._store, old, size)
        if (await self._newest(successor)).stopped == AWAITS_PREDECESSOR:
            entry = continuing_entry(actor, old.row.origin, str(old.signing.chain.at(size)), size, root)
            submission, commitments = await self._prepare(successor, [entry], ())
            submission.expect = [Expectation(STREAM, 0)]
            submission.stop = Stop(None, replaces=AWAITS_PREDECESSOR)
            with contextlib.suppress(ExpectationFailed):  # another process was first
                await self._append(submission, commitments)
        return Succession(log_id, successor, size, root)

    async def _finish_successions(self) -> None:
        """What a crash between sealing and continuing left to do."""
        waiting = {
            self.origin(log_id): log_id
            for log_id in self.logs()
            if self._sequencer.state(log_id).stopped == AWAITS_PREDECESSOR
        }
        if not waiting:
            return
        for log_id in self.logs():
            if self._sequencer.state(log_id).stopped == SEALED and (seal := await self._seal_of(log_id)):
                successor = waiting.get(str(seal.body.get("successor")))
                if successor is not None:
                    await self._continue(log_id, successor, seal, seal.actor)

    def sign_note(self, log_id: str, text: str, size: int) -> str:
        """The note of `text` by the key in use at the tree size `size`, for the manifest of an export.

        Raises NotFound, SigningKeyRetired (that key was rotated since: take a newer head).
        """
        signing = self._sequencer.state(log_id).signing
        private = signing.private(size)
        if private is None:
            raise SigningKeyRetired(f"the key of log `{log_id}` for tree size {size} signs no more")
        return sign_note(text, [SignerKey(signing.chain.first.name, private)])

    # --- appending -------------------------------------------------------------------------------------

    async def append(
        self,
        log_id: str,
        entries: Sequence[PendingEntry],
        *,
        expect: Sequence[Expectation] = (),
        claim: Claim | None = None,
        rows: Sequence[RowWrite] = (),
        urgent: bool = False,
    ) -> Appended:
        """Appends `entries` with their payloads, `claim` and projection `rows`, all or nothing.

        When it returns, everything is on disk and the head over it is signed. `expect` holds before the
        append's own entries. A task that is cancelled while it waits leaves the append to go on. With `urgent` it goes
        before all that wait, and a full queue does not keep it out: for what stops the others, and nothing else.

        Raises, with nothing stored: NotFound, CanonicalError, VerificationError, EntryTooLarge, QueueFull,
        ExpectationFailed, DuplicateClaim, ClaimConflict, RowRejected, Halted, SubjectErased, ValueError (the
        programmer's). StoreUnavailable: the outcome is unknown; a claim tells on a retry.
        """
        if not entries:
            raise ValueError("append needs at least one entry")
        if any(entry.type in RESERVED_TYPES or entry.stream.startswith(STREAM_PREFIX) for entry in entries):
            raise ValueError("custody entries are appended by `custody` only, together with their effect")
        if any(entry.stream == KEY_STREAM for entry in entries):
            raise ValueError("the signing key is rotated by `signing` only, together with its effect")
        submission, commitments = await self._prepare(log_id, entries, rows)
        submission.expect = expect
        submission.claim = claim
        submission.urgent = urgent
        return await self._append(submission, commitments)

    async def seal(self, log_id: str, payload: Payload, subject: str | None = None) -> SealedPayload:
        """`payload` sealed ahead of its append, to learn the record id and commitment that a body or a
        signature names. It goes into `PendingEntry.payloads` of an entry with the same `subject`, once.

        Raises NotFound, SubjectErased, ValueError (too long).
        """
        state = await self._known(log_id)
        key = await self._subject_key(log_id, subject or TENANT_SUBJECT)
        if len(payload.content) <= _SEAL_INLINE_BYTES:
            return seal(state.row.origin, subject or TENANT_SUBJECT, payload, key)
        return await self._run(seal, state.row.origin, subject or TENANT_SUBJECT, payload, key)

    async def find_claim(self, log_id: str, key: str) -> StoredClaim | None:
        """The claim on an idempotency key, None when there is none."""
        await self._known(log_id)
        row: ClaimRow | None = await self._ask(self._store.read_claim, log_id, key)
        return None if row is None else StoredClaim(*row[1:])

    async def expire_claims(self, log_id: str) -> None:
        """Forgets the idempotency keys of the log that are older than the configured retention."""
        limit = format_time(self._clock() - self._config.claim_retention)
        await self._submit(Submission(log_id, (), self._loop.create_future(), expires_claims=limit))

    def created_at(self, log_id: str) -> str:
        """When the log was created (`format_time`); NotFound."""
        return self._sequencer.state(log_id).row.created_at

    async def claim_keys(self, log_id: str, *, urgent: bool = False) -> ClaimKeys:
        """The keys with which a claim is made now, those included that another process has added.

        With `urgent` those that are known here, without asking anybody. Raises NotFound, and KeyStoreUnavailable when
        another process has added one that this one cannot open.
        """
        self._sequencer.state(log_id)
        await self._look_for_keys(log_id, urgent)
        return claim_keys(self._keys.open_log(log_id).fingerprints, format_time(self._clock()))

    # --- payloads and subjects -------------------------------------------------------------------------

    async def pseudonym(self, log_id: str, identifier: str) -> str:
        """The random pseudonym of a person in this log; see `Naming.pseudonym`."""
        await self._known(log_id)
        return await self._naming.pseudonym(log_id, identifier)

    async def find_pseudonym(self, log_id: str, identifier: str) -> str | None:
        """The pseudonym that `pseudonym` made for this identifier, None when there is none; makes none."""
        self._sequencer.state(log_id)
        return await self._naming.find(log_id, identifier)

    async def erase_subject(
        self,
        log_id: str,
        pseudonym: str,
        *,
        actor: str = "system",
        reason: ErasureReason = ErasureReason.PATIENT_REQUEST,
    ) -> Appended | None:
        """Erases a subject and everything linked to it; see `Custodian.erase`."""
        return await self.custody.erase(log_id, pseudonym, reason, Order(actor))

    async def minimum(self, log_id: str) -> int:
        """The published minimum: no payload of an entry at or past it was ever pruned; NotFound."""
        return await self.retention.minimum(log_id)

    async def vacuum(self) -> None:
        """Removes what is left of erased payloads and rewrites the store, so that no byte of them stays.

        Appends wait meanwhile: it takes about as long as copying the database. Raises StoreUnavailable when it
        could not finish; nothing is lost then, and it can be asked for again.
        """
        for log_id in self.logs():
            await self.custody.sweep(log_id)
        await self._run(self._store.vacuum)

    # --- inside ----------------------------------------------------------------------------------------

    async def _prepare(
        self, log_id: str, entries: Sequence[PendingEntry], rows: Sequence[RowWrite]
    ) -> tuple[Submission, tuple[tuple[Commitment, ...], ...]]:
        origin = (await self._known(log_id)).row.origin
        sealed, prepared, size = [], [], 0
        for pending in map(self._annotate, entries):
            items = [await self._sealed(log_id, origin, item, pending.subject) for item in pending.payloads]
            sealed.append(items)
            entry = prepare_entry(origin, pending, [item.commitment for item in items])
            prepared.append(entry)
            size += len(entry.head) + _ENTRY_OVERHEAD_BYTES + sum(len(item.sealed) for item in items)
        commitments = tuple(tuple(item.commitment for item in items) for items in sealed)
        submission = Submission(
            log_id,
            prepared,
            self._loop.create_future(),
            payloads=sealed,
            rows=check_rows(self._tables, log_id, rows, commitments) if rows else (),
            size_bytes=size,
        )
        return submission, commitments

    async def _sealed(self, log_id: str, origin: str, item: Payload, subject: str | None) -> SealedPayload:
        if not isinstance(item, SealedPayload):
            return await self.seal(log_id, item, subject)
        if item.origin != origin or item.subject != (subject or TENANT_SUBJECT):
            raise ValueError("payload was sealed for another log or subject")
        return item

    async def _append(
        self, submission: Submission, commitments: tuple[tuple[Commitment, ...], ...]
    ) -> Appended:
        if submission.claim is not None and submission.claim.generation is not None:
            await self._look_for_keys(submission.log_id, submission.urgent)
            keys = self._keys.open_log(submission.log_id).fingerprints
            submission.claim_term = term_of(keys, submission.claim.generation)
        try:
            waiting = self._submit(submission)
        except QueueFull:
            self.counters.refused(submission.log_id)
            raise
        self.counters.follow(submission.log_id, submission.future)
        sequenced = await waiting
        if sequenced.receipts is None:
            raise AssertionError("sequencer lost the receipts of an append")
        return Appended(submission.log_id, sequenced, sequenced.receipts, commitments)

    async def _look_for_keys(self, log_id: str, urgent: bool) -> None:
        # What is urgent is done twice rather than kept waiting by a root that is away.
        if self._store.shared and not urgent:
            await self._rereader.look(log_id)

    def _submit(self, submission: Submission) -> Awaitable[Sequenced]:
        self._sequencer.submit(submission)
        return submission.future

    def _submit_subject(self, row: SubjectRow) -> Awaitable[Sequenced]:
        return self._submit(Submission(row.log_id, (), self._loop.create_future(), subject=row))

    async def _write(
        self,
        log_id: str,
        entries: Sequence[PendingEntry],
        *,
        expect: Sequence[Expectation] = (),
        claim: Claim | None = None,
        rows: Sequence[RowWrite] = (),
        erases: Sequence[str] = (),
        removes: Sequence[Removal] = (),
        rotates: NewSigner | None = None,
    ) -> Appended | None:
        """What custody and rotation append; without entries it only removes, and comes to None."""
        submission, commitments = await self._prepare(log_id, entries, rows)
        submission.expect, submission.claim = expect, claim
        submission.rotates = rotates
        submission.erases, submission.removes = erases, removes
        if entries:
            return await self._append(submission, commitments)
        await self._submit(submission)
        return None

    async def _carry_out(self) -> None:
        """Removes rows that an erasure left behind when a crash came between. Their keys are gone already, so a
        store that cannot be written now keeps nobody from reading the log: the next sweep takes them.
        """
        for log_id in self.logs():
            with contextlib.suppress(StoreUnavailable, RowRejected):
                await self.custody.sweep(log_id)

    async def _discover(self, log_id: str) -> None:
        """Takes in a log that another process created."""

        def load() -> LogState | None:
            for row, _ in self._store.heads():
                if row.log_id == log_id:
                    return early_state(self._store, row, self._keys)
            return None

        state = await self._run(load)
        if state is None:
            raise NotFound("no such log")
        self._sequencer.adopt(state)
        self._start_publisher(log_id)
        await self._newest(log_id)

    def _refresh(self, log_id: str) -> Awaitable[object]:
        submission = Submission(log_id, (), self._loop.create_future(), refreshes=True)
        # Whoever waits may have given up by the time it fails.
        submission.future.add_done_callback(lambda future: future.cancelled() or future.exception())
        return self._submit(submission)

    def _start_publisher(self, log_id: str) -> None:
        if log_id in self._publishers:
            return
        publisher = self._publishers[log_id] = Publisher(
            log_id,
            self._place,
            state=lambda: self._newest(log_id, certain=True),
            read_root=lambda state, size: root_at(self._store, state, size),
            halt=lambda why: self._sequencer.halt(log_id, why),
            interval_seconds=self._config.publish_interval_seconds,
        )
        publisher.start()


__all__ = [
    "MAX_LIST",
    "SYSTEM_LOG",
    "Appended",
    "Claim",
    "EntryIndex",
    "EntryTime",
    "Expectation",
    "Ledger",
    "LedgerConfig",
    "RecordId",
    "RowWrite",
    "SealedPayload",
    "StoredClaim",
]

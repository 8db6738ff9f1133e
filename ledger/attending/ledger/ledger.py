"""The door of the ledger: append conditionally, read, prove, disclose and erase.

A `Ledger` owns one folder and belongs to one event loop of one process. Everything that waits for a disk runs
off the loop. Times are UTC, indices zero-based, sizes counts of entries, hashes 32 bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from attending.ledger import merkle
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.ed25519 import public_bytes
from attending.ledger.entry import (
    Commitment,
    Entry,
    Payload,
    PendingEntry,
    format_time,
    parse_entry,
    prepare_entry,
)
from attending.ledger.errors import (
    CorruptLog,
    ExpectationFailed,
    NotFound,
    OutOfRange,
    RowRejected,
    StoreUnavailable,
    SubjectErased,
    VerificationError,
)
from attending.ledger.files import FolderLock, make_folder, require_local
from attending.ledger.keys import TENANT_SUBJECT, KeyFolder, LogKeys, lookup_of, require_log_id
from attending.ledger.note import ED25519, VerifierKey
from attending.ledger.opening import load_state, root_at, verify_stored
from attending.ledger.projection import EntryIndex, EntryTime, RecordId, RowWrite, check_rows
from attending.ledger.proof import format_receipt
from attending.ledger.publish import FolderPlace, Publisher, check_against
from attending.ledger.sequencer import Claim, Expectation, LogState, Sequenced, Sequencer, Submission
from attending.ledger.store.port import (
    ClaimRow,
    LogRow,
    PayloadRow,
    Store,
    StoreFault,
    SubjectRow,
    all_tables,
)
from attending.ledger.store.sqlite import SqliteStore
from attending.ledger.tiles import Growth, NodeReader
from attending.ledger.vault import SealedPayload, new_pseudonym, seal, unseal
from sqlalchemy import MetaData, Row, Select, Table

T = TypeVar("T")

SYSTEM_LOG: Final = "system"
MAX_LIST: Final = 1_000
"""Entries that one read returns at most."""
_READERS: Final = 4
_ENTRY_OVERHEAD_BYTES: Final = 512
"""What an entry takes beside its actor, body and commitments, for the queue's bound."""
_SEAL_INLINE_BYTES: Final = 16_384
"""Above this a payload is sealed in a thread: about 10 microseconds of AES-GCM."""


@dataclass(frozen=True, slots=True)
class LedgerConfig:
    """Where an embedded ledger lives. By default everything is inside `folder`; put keys and published heads
    on other disks, with other backups, for what they protect against to hold.
    """

    folder: Path
    keys_folder: Path | None = None
    publish_folder: Path | None = None
    publish_interval_seconds: float = 1.0
    claim_retention: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """An idempotency key that was claimed: the stream it began, and the body's fingerprint."""

    key: str
    fingerprint: bytes
    stream: str
    created_at: str


class Appended:
    """What an append came to: durable, and under the signed head `checkpoint`."""

    __slots__ = ("_entries", "_growth", "checkpoint", "commitments", "data", "first_index", "log_id", "time")

    def __init__(
        self,
        log_id: str,
        sequenced: Sequenced,
        growth: Growth,
        commitments: tuple[tuple[Commitment, ...], ...],
    ) -> None:
        self.log_id = log_id
        self.first_index = sequenced.first_index
        self.time = sequenced.time
        self.data = sequenced.data
        """Stored bytes of each entry."""
        self.commitments = commitments
        """Of each entry, one for each payload, in order."""
        self.checkpoint = sequenced.note
        """Signed note of the integrated head that covers the append."""
        self._growth = growth
        self._entries: tuple[Entry, ...] | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, in order."""
        if self._entries is None:
            self._entries = tuple(map(parse_entry, self.data))
        return self._entries

    def receipt(self, number: int = 0) -> str:
        """The receipt (C2SP tlog-proof text) of entry `number` of the append, under `checkpoint`."""
        if not 0 <= number < len(self.data):
            raise OutOfRange("append does not have that many entries")
        index = self.first_index + number
        return format_receipt(index, self._growth.inclusion_proof(index), self.checkpoint)


class Ledger:
    """An open ledger folder; made by `open`, ended by `close`. Safe from many tasks of its event loop."""

    def __init__(
        self,
        *,
        config: LedgerConfig,
        lock: FolderLock,
        store: Store,
        keys: KeyFolder,
        place: FolderPlace,
        clock: Callable[[], datetime],
        tables: Mapping[str, Table],
        states: dict[str, LogState],
        erased: dict[str, set[str]],
    ) -> None:
        """Use `open`."""
        self._config = config
        self._lock = lock
        self._store = store
        self._keys = keys
        self._place = place
        self._clock = clock
        self._tables = tables
        self._erased = erased
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-reader")
        self._sequencer = Sequencer(store, states, self._load_state, clock)
        self._publishers: dict[str, Publisher] = {}
        self._naming: dict[tuple[str, bytes], asyncio.Future[str]] = {}
        self._closed = False

    # --- opening and closing ---------------------------------------------------------------------------

    @classmethod
    async def open(
        cls,
        folder: LedgerConfig | Path | str,
        *,
        metadata: Sequence[MetaData] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        store: Store | None = None,
    ) -> Self:
        """Opens a ledger folder, creating it when it is new, and checks it before anything is signed.

        1. The folder is local and its lock is free. 2. The database's settings and triggers are as they must
        be; projection tables of `metadata` are created. 3. Each log's key is the one it began with. 4. Each
        head is what its tiles and last entries give. 5. No head is behind, or contradicts, a published one.
        6. Erasures on record are carried out again, in case a key backup was restored.

        `store` replaces the SQLite file. Raises LedgerLocked, UnsafeSettings, CorruptLog, NotFound (a log's
        key is missing), StoreUnavailable.
        """
        config = folder if isinstance(folder, LedgerConfig) else LedgerConfig(Path(folder))
        lock, ready, keys, place, states, erased = await asyncio.to_thread(_open, config, metadata, store)
        ledger = cls(
            config=config,
            lock=lock,
            store=ready,
            keys=keys,
            place=place,
            clock=clock,
            tables=all_tables(metadata),
            states=states,
            erased=erased,
        )
        for log_id in states:
            ledger._start_publisher(log_id)
        return ledger

    async def close(self) -> None:
        """Writes and publishes what is queued, then lets go of the folder. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._sequencer.close)
        for publisher in self._publishers.values():
            await publisher.stop()
        self._threads.shutdown()
        await asyncio.to_thread(self._store.close)
        self._lock.release()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- logs ------------------------------------------------------------------------------------------

    async def create_log(self, log_id: str, origin: str) -> None:
        """Creates a log with its keys; one that exists with the same origin is left as it is.

        `origin` names the log to the world (C2SP: a schema-less URL, such as `example.org/ledger/tenant`).
        Raises ValueError when the log or the origin exists otherwise, NotFound for a malformed id.
        """
        if require_log_id(log_id) in self._sequencer.logs():
            if self._sequencer.state(log_id).row.origin != origin:
                raise ValueError(f"log `{log_id}` exists with another origin")
            return
        # Keys first: a crash here leaves keys without a log, which the next call takes up.
        keys = await self._run(self._keys.create_log, log_id)
        await self._run(self._keys.ensure, log_id, TENANT_SUBJECT)
        row = LogRow(log_id, origin, _verifier_key(origin, keys), format_time(self._clock()))
        try:
            await self._submit(Submission(log_id, (), self._loop.create_future(), new_log=(row, keys)))
        except RowRejected as err:
            raise ValueError(f"origin `{origin}` belongs to another log") from err
        if self._sequencer.state(log_id).row.origin != origin:
            raise ValueError(f"log `{log_id}` exists with another origin")
        self._start_publisher(log_id)

    def logs(self) -> list[str]:
        """Ids of every log."""
        return self._sequencer.logs()

    def origin(self, log_id: str) -> str:
        """The log's origin; NotFound."""
        return self._sequencer.state(log_id).row.origin

    def verifier_key(self, log_id: str) -> str:
        """The C2SP verifier key string of the log's checkpoints; NotFound."""
        return self._sequencer.state(log_id).row.verifier_key

    def halted(self, log_id: str) -> str | None:
        """The reason (UPPER_SNAKE) why the log takes no appends, None when it does."""
        return self._sequencer.halted(log_id)

    def halt(self, log_id: str, why: str) -> None:
        """Refuses appends to the log from now on, also queued ones, until the ledger is opened again.

        `why` is a reason (UPPER_SNAKE). In memory only: record the halt in the system log first.
        """
        self._sequencer.state(log_id)
        self._sequencer.halt(log_id, why)

    def sign(self, log_id: str, message: bytes) -> bytes:
        """The log key's Ed25519 signature (64 bytes) over `message`, for the manifest of an export."""
        return self._sequencer.state(log_id).keys.signing.sign(message)

    # --- appending -------------------------------------------------------------------------------------

    async def append(
        self,
        log_id: str,
        entries: Sequence[PendingEntry],
        *,
        expect: Sequence[Expectation] = (),
        claim: Claim | None = None,
        rows: Sequence[RowWrite] = (),
    ) -> Appended:
        """Appends `entries` with their payloads, `claim` and projection `rows`, all or nothing.

        When it returns, everything is on disk and the head over it is signed. `expect` holds before the
        append's own entries. A task that is cancelled while it waits leaves the append to go on.

        Raises, with nothing stored: NotFound, CanonicalError, VerificationError, EntryTooLarge, QueueFull,
        ExpectationFailed, DuplicateClaim, ClaimConflict, RowRejected, Halted, SubjectErased, ValueError (the
        programmer's). StoreUnavailable: the outcome is unknown; a claim tells on a retry.
        """
        if not entries:
            raise ValueError("append needs at least one entry")
        submission, commitments = await self._prepare(log_id, entries, rows)
        submission.expect = expect
        submission.claim = claim
        return await self._append(submission, commitments)

    async def seal(self, log_id: str, payload: Payload, subject: str | None = None) -> SealedPayload:
        """`payload` sealed ahead of its append, to learn the record id and commitment that a body or a
        signature names. It goes into `PendingEntry.payloads` of an entry with the same `subject`, once.

        Raises NotFound, SubjectErased, ValueError (too long).
        """
        state = self._sequencer.state(log_id)
        key = self._subject_key(log_id, subject or TENANT_SUBJECT)
        if len(payload.content) <= _SEAL_INLINE_BYTES:
            return seal(state.row.origin, subject or TENANT_SUBJECT, payload, key)
        return await self._run(seal, state.row.origin, subject or TENANT_SUBJECT, payload, key)

    async def find_claim(self, log_id: str, key: str) -> StoredClaim | None:
        """The claim on an idempotency key, None when there is none."""
        self._sequencer.state(log_id)
        row: ClaimRow | None = await self._run(self._store.read_claim, log_id, key)
        return None if row is None else StoredClaim(row.key, row.fingerprint, row.stream, row.created_at)

    async def expire_claims(self, log_id: str) -> None:
        """Forgets the idempotency keys of the log that are older than the configured retention."""
        limit = format_time(self._clock() - self._config.claim_retention)
        await self._submit(Submission(log_id, (), self._loop.create_future(), expires_claims=limit))

    def fingerprint(self, log_id: str, content: bytes) -> bytes:
        """The keyed digest of a request's body, for `Claim`: guessing a short body from it needs the key."""
        return hmac.digest(self._sequencer.state(log_id).keys.fingerprint, content, "sha256")

    # --- reading ---------------------------------------------------------------------------------------

    async def head(self, log_id: str) -> tuple[int, bytes]:
        """(size, root hash) of the integrated head; NotFound."""
        state = self._sequencer.state(log_id)
        return state.edge.size, state.root

    async def get_entry(self, log_id: str, index: int) -> Entry:
        """Entry `index`. Raises NotFound (no such log), OutOfRange, CorruptLog (stored bytes do not parse)."""
        self._require_index(log_id, index)
        return (await self._entries(log_id, self._store.entries, log_id, index, 1))[0]

    async def list_entries(self, log_id: str, start: int = 0, limit: int = 100) -> list[Entry]:
        """Entries from `start`, in order, at most `limit` (1 to 1,000); empty past the end."""
        size = self._sequencer.state(log_id).edge.size
        if start < 0 or limit < 1:
            raise OutOfRange("start is negative or limit is not positive")
        limit = min(limit, MAX_LIST, size - start)
        return await self._entries(log_id, self._store.entries, log_id, start, limit) if limit > 0 else []

    async def stream_entries(
        self, log_id: str, stream: str, start: int = 0, limit: int = MAX_LIST
    ) -> list[Entry]:
        """The stream's entries from version `start`, in order, at most `limit` (1 to 1,000)."""
        self._sequencer.state(log_id)
        limit = min(limit, MAX_LIST)
        return await self._entries(log_id, self._store.stream_entries, log_id, stream, start, limit)

    async def stream_version(self, log_id: str, stream: str) -> int:
        """Number of entries of the stream."""
        self._sequencer.state(log_id)
        return await self._run(self._store.read_stream_version, log_id, stream)

    async def query(self, select: Select[Any]) -> Sequence[Row[Any]]:
        """Rows of a read-only SQLAlchemy Core select over projections, as committed."""
        return await self._run(self._store.query, select)

    # --- proofs ----------------------------------------------------------------------------------------

    async def checkpoint(self, log_id: str) -> str:
        """The signed note of the integrated head."""
        return self._sequencer.state(log_id).note

    async def published_checkpoint(self, log_id: str) -> str | None:
        """The newest note that is known to be outside the database, None when there is none yet."""
        self._sequencer.state(log_id)
        return self._publishers[log_id].published

    async def publish(self, log_id: str) -> str | None:
        """Publishes the newest head now; its note, None when the place could not be written."""
        self._sequencer.state(log_id)
        return await self._publishers[log_id].publish()

    async def receipt(self, log_id: str, index: int, *, published: bool = False) -> str:
        """The receipt of an entry under the integrated head, or under the published one.

        Raises NotFound (no such log, nothing published), OutOfRange (also: not yet published).
        """
        state = self._require_index(log_id, index)
        note, size = state.note, state.edge.size
        if published:
            outside = self._publishers[log_id].published
            if outside is None:
                raise NotFound("no head of this log is published yet")
            note, size = outside, parse_checkpoint(outside).size
            if index >= size:
                raise OutOfRange("entry is not under the published head yet")
        return format_receipt(index, await self._prove(merkle.inclusion_proof, state, index, size), note)

    async def inclusion_proof(self, log_id: str, index: int, size: int) -> list[bytes]:
        """The inclusion proof of entry `index` in the tree of `size`; OutOfRange unless index < size <= head."""
        state = self._require_index(log_id, index)
        if not index < size <= state.edge.size:
            raise OutOfRange("tree size is not above the index and at most the head's")
        return await self._prove(merkle.inclusion_proof, state, index, size)

    async def consistency_proof(self, log_id: str, size1: int, size2: int) -> list[bytes]:
        """The proof that the tree of `size1` is a prefix of that of `size2`; OutOfRange unless in order."""
        state = self._sequencer.state(log_id)
        if not 0 <= size1 <= size2 <= state.edge.size:
            raise OutOfRange("tree sizes are not in order up to the head's")
        return await self._prove(merkle.consistency_proof, state, size1, size2)

    async def range_frontier(self, log_id: str, size: int) -> list[bytes]:
        """The compact range [0, size): hashes of the complete subtrees that tile it, largest first."""
        state = self._sequencer.state(log_id)
        if not 0 <= size <= state.edge.size:
            raise OutOfRange("tree size is past the head's")
        return await self._prove(merkle.compact_range, state, size)

    async def verify(self, log_id: str) -> int:
        """Verifies every stored entry up to the integrated head and returns the number of entries.

        Raises CorruptLog naming the first bad entry. It does not open payloads.
        """
        state = self._sequencer.state(log_id)
        return await self._run(verify_stored, self._store, state)

    # --- payloads and subjects -------------------------------------------------------------------------

    async def open_payload(self, log_id: str, record: str) -> bytes:
        """The content of a vault record, checked against the commitment in its entry.

        Raises NotFound, SubjectErased, VerificationError (stored bytes were altered), CorruptLog (its key is
        missing although nothing erased it).
        """
        return (await self.disclose_payload(log_id, record))[1]

    async def disclose_payload(self, log_id: str, record: str) -> tuple[bytes, bytes]:
        """(salt, content) of a vault record, with which anyone can check the entry's commitment.

        Raises as `open_payload`.
        """
        state = self._sequencer.state(log_id)
        row: PayloadRow | None = await self._run(self._store.payload, log_id, record)
        if row is None:
            raise NotFound("no such vault record")
        entry = await self.get_entry(log_id, row.entry_index)
        commitment = next((item for item in entry.commitments if item.record == record), None)
        if commitment is None:
            raise VerificationError(
                "entry does not commit to the record", reason="PAYLOAD_COMMITMENT", index=row.entry_index
            )
        # The subject that counts is the entry's: the row's is only how to find it.
        subject = entry.subject or TENANT_SUBJECT
        key = self._subject_key(log_id, subject)
        return await self._run(_unseal, state.row.origin, subject, commitment, row, key)

    async def pseudonym(self, log_id: str, identifier: str) -> str:
        """The random pseudonym of a person in this log, made at the first call, its key durable.

        `identifier` (such as an MRN) is compared without case, width and extra space; the ledger keeps only
        its HMAC. Many callers at once get the same one. Raises NotFound, QueueFull, StoreUnavailable.
        """
        lookup = lookup_of(self._sequencer.state(log_id).keys.lookup, identifier)
        running = self._naming.get((log_id, lookup))
        if running is None:
            running = asyncio.ensure_future(self._name(log_id, lookup))
            self._naming[log_id, lookup] = running
            running.add_done_callback(lambda _: self._naming.pop((log_id, lookup), None))
        return await asyncio.shield(running)

    async def erase_subject(
        self, log_id: str, pseudonym: str, *, actor: str = "system", body: Mapping[str, Any] | None = None
    ) -> Appended | None:
        """Erases every payload of a subject by destroying its key, for good, wherever copies lie.

        Appends `subject.erased` (with `body`: coded reasons only) and forgets who the pseudonym was. None when
        it was erased before. Raises NotFound (no such subject), and as `append`.

        Order: the entry first, then the key. A crash between leaves a recorded erasure that the next start
        carries out; the other order could destroy without a record.
        """
        self._require_subject(log_id, pseudonym)
        stream = f"erasure:{pseudonym}"
        pending = PendingEntry("subject.erased", stream, actor, pseudonym, dict(body or {}))
        submission, commitments = await self._prepare(log_id, [pending], ())
        submission.expect = [Expectation(stream, 0)]
        submission.erases = pseudonym
        appended: Appended | None = None
        with contextlib.suppress(ExpectationFailed):
            appended = await self._append(submission, commitments)
        self._erased.setdefault(log_id, set()).add(pseudonym)
        await self._run(self._keys.destroy, log_id, pseudonym)
        return appended

    # --- inside ----------------------------------------------------------------------------------------

    async def _prepare(
        self, log_id: str, entries: Sequence[PendingEntry], rows: Sequence[RowWrite]
    ) -> tuple[Submission, tuple[tuple[Commitment, ...], ...]]:
        origin = self._sequencer.state(log_id).row.origin
        sealed, prepared, size = [], [], 0
        for pending in entries:
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
        sequenced = await self._submit(submission)
        if sequenced.growth is None:
            raise AssertionError("sequencer lost the growth of an append")
        return Appended(submission.log_id, sequenced, sequenced.growth, commitments)

    def _submit(self, submission: Submission) -> Awaitable[Sequenced]:
        self._sequencer.submit(submission)
        return submission.future

    async def _name(self, log_id: str, lookup: bytes) -> str:
        known: str | None = await self._run(self._store.pseudonym, log_id, lookup)
        if known is not None:
            return known
        pseudonym = new_pseudonym()
        # Key first: nothing may be sealed for a subject whose key could be lost.
        await self._run(self._keys.ensure, log_id, pseudonym)
        row = SubjectRow(log_id, lookup, pseudonym)
        await self._submit(Submission(log_id, (), self._loop.create_future(), subject=row))
        return pseudonym

    def _subject_key(self, log_id: str, subject: str) -> bytes:
        if subject in self._erased.get(log_id, ()):
            raise SubjectErased("the subject's key has been destroyed")
        try:
            return self._keys.get(log_id, subject)
        except SubjectErased as err:
            if subject in self._erased.get(log_id, ()):
                raise
            raise NotFound("key store holds no key of this subject, and no erasure is on record") from err

    def _require_subject(self, log_id: str, pseudonym: str) -> None:
        self._sequencer.state(log_id)
        if pseudonym not in self._erased.get(log_id, ()):
            self._subject_key(log_id, pseudonym)

    def _require_index(self, log_id: str, index: int) -> LogState:
        state = self._sequencer.state(log_id)
        if not 0 <= index < state.edge.size:
            raise OutOfRange("index is at or past the tree size")
        return state

    async def _entries(self, log_id: str, read: Callable[..., list[bytes]], *arguments: Any) -> list[Entry]:
        def load() -> list[Entry]:
            return [parse_entry(data) for data in read(*arguments)]

        try:
            return await self._run(load)
        except VerificationError as err:
            raise CorruptLog(f"a stored entry of log `{log_id}` does not parse", index=err.index) from err

    async def _prove(self, prove: Callable[..., list[bytes]], state: LogState, *sizes: int) -> list[bytes]:
        def load() -> list[bytes]:
            reader = NodeReader(state.edge, lambda level, i: self._store.tile(state.row.log_id, level, i))
            return prove(*sizes, reader.node)

        return await self._run(load)

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Runs a blocking call on the reader threads; a failing store becomes StoreUnavailable."""
        try:
            return await self._loop.run_in_executor(self._threads, function, *arguments)
        except StoreFault as err:
            raise StoreUnavailable("store cannot be read") from err

    def _load_state(self, row: LogRow, head: Any) -> LogState:
        return load_state(self._store, row, head, self._keys.open_log(row.log_id))

    def _start_publisher(self, log_id: str) -> None:
        if log_id in self._publishers:
            return
        publisher = self._publishers[log_id] = Publisher(
            log_id,
            self._place,
            state=lambda: self._sequencer.state(log_id),
            read_root=lambda state, size: root_at(self._store, state, size),
            halt=lambda why: self._sequencer.halt(log_id, why),
            interval_seconds=self._config.publish_interval_seconds,
        )
        publisher.start()


def _open(
    config: LedgerConfig, metadata: Sequence[MetaData], given: Store | None
) -> tuple[FolderLock, Store, KeyFolder, FolderPlace, dict[str, LogState], dict[str, set[str]]]:
    """The blocking part of `Ledger.open`; its numbered steps."""
    make_folder(config.folder)
    require_local(config.folder)
    lock = FolderLock(config.folder).acquire()  # 1
    store = given
    try:
        store = store or SqliteStore(config.folder / "ledger.db")
        store.recover()
        store.create_tables(metadata)  # 2
        keys = KeyFolder(config.keys_folder or config.folder / "keys")
        place = FolderPlace(config.publish_folder or config.folder / "published")
        states: dict[str, LogState] = {}
        erased: dict[str, set[str]] = {}
        ready = store
        for row, head in store.heads():
            log_keys = keys.open_log(row.log_id)
            if _verifier_key(row.origin, log_keys) != row.verifier_key:  # 3
                raise CorruptLog(
                    f"signing key of log `{row.log_id}` is not the one it began with", reason="KEY_MISMATCH"
                )
            state = states[row.log_id] = load_state(store, row, head, log_keys)  # 4
            check_against(state, place.read(row.log_id), lambda s, size: root_at(ready, s, size))  # 5
            erased[row.log_id] = {erasure.pseudonym for erasure in store.erasures(row.log_id)}
            for pseudonym in erased[row.log_id]:
                keys.destroy(row.log_id, pseudonym)  # 6
        return lock, store, keys, place, states, erased
    except BaseException as err:
        if store is not None:
            store.close()
        lock.release()
        if isinstance(err, StoreFault):
            raise StoreUnavailable("store cannot be read") from err
        raise


def _verifier_key(origin: str, keys: LogKeys) -> str:
    return str(VerifierKey(origin, ED25519, public_bytes(keys.signing)))


def _unseal(
    origin: str, subject: str, commitment: Commitment, row: PayloadRow, key: bytes
) -> tuple[bytes, bytes]:
    return unseal(
        origin=origin,
        subject=subject,
        commitment=commitment,
        sealed=row.sealed,
        wrapped_key=row.wrapped_key,
        subject_key=key,
    )


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

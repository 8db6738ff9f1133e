"""The reading half of the door: entries, streams, projections, proofs and payloads of committed logs.

Reads run on threads of their own, beside the writer, against an immutable state of the log: what a caller is
told about a size stays true while the log grows.
"""

from __future__ import annotations

import asyncio
import errno
import hmac
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from attending.ledger import merkle
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.entry import Commitment, Entry, parse_entry
from attending.ledger.errors import (
    CorruptLog,
    LedgerError,
    NotFound,
    OutOfRange,
    PayloadPruned,
    QueueFull,
    StoreUnavailable,
    SubjectErased,
    VerificationError,
)
from attending.ledger.keys import TENANT_SUBJECT, KeyFolder
from attending.ledger.opening import verify_stored
from attending.ledger.proof import format_receipt
from attending.ledger.publish import Publisher
from attending.ledger.sequencer import Sequencer
from attending.ledger.static.paths import TilePath
from attending.ledger.static.stored import stored_bundle
from attending.ledger.store.port import PayloadRow, RemovalRow, Store, StoreFault
from attending.ledger.submission import LogState
from attending.ledger.tiles import NodeReader, TileCache
from attending.ledger.vault import unseal_under
from sqlalchemy import Row, Select

T = TypeVar("T")

MAX_LIST: Final = 1_000
"""Entries that one read returns at most."""
_READERS: Final = 4
_KEEPERS: Final = 3
"""Threads for what waits for a lock of the key folder or for a root: rotation uses one at a time."""
_ANSWER_SECONDS: Final = 30.0
"""Time that a short read may take; a database that is frozen or cut off answers never, and raises nothing."""
_REFRESH_SECONDS: Final = 5.0

_DIGEST_TAG: Final = b"attending-keyed-digest/1\n"


class LedgerReads:
    """What a `Ledger` can be asked. Safe from many tasks of its event loop."""

    def __init__(
        self, store: Store, keys: KeyFolder, sequencer: Sequencer, erased: dict[str, set[str]]
    ) -> None:
        """`erased` holds the pseudonyms of each log whose keys were destroyed."""
        self._store = store
        self._keys = keys
        self._sequencer = sequencer
        self._erased = erased
        self._publishers: dict[str, Publisher] = {}
        self._tiles = TileCache()
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="ledger-reader")
        self._aside = ThreadPoolExecutor(_KEEPERS, thread_name_prefix="ledger-keeper")

    # --- reading ---------------------------------------------------------------------------------------

    async def head(self, log_id: str) -> tuple[int, bytes]:
        """(size, root hash) of the integrated head; NotFound."""
        state = await self._newest(log_id)
        return state.edge.size, state.root

    async def get_entry(self, log_id: str, index: int) -> Entry:
        """Entry `index`. Raises NotFound (no such log), OutOfRange, CorruptLog (stored bytes do not parse)."""
        await self._require_index(log_id, index)
        return (await self._entries(log_id, self._store.entries, log_id, index, 1))[0]

    async def list_entries(self, log_id: str, start: int = 0, limit: int = 100) -> list[Entry]:
        """Entries from `start`, in order, at most `limit` (1 to 1,000); empty past the end."""
        size = (await self._newest(log_id)).edge.size
        if start < 0 or limit < 1:
            raise OutOfRange("start is negative or limit is not positive")
        limit = min(limit, MAX_LIST, size - start)
        return await self._entries(log_id, self._store.entries, log_id, start, limit) if limit > 0 else []

    async def stream_entries(
        self, log_id: str, stream: str, start: int = 0, limit: int = MAX_LIST
    ) -> list[Entry]:
        """The stream's entries from version `start`, in order, at most `limit` (1 to 1,000)."""
        await self._known(log_id)
        limit = min(limit, MAX_LIST)
        return await self._entries(log_id, self._store.stream_entries, log_id, stream, start, limit)

    async def whole_stream(self, log_id: str, stream: str) -> list[Entry]:
        """All of the stream's entries, in order; for streams that stay short."""
        found: list[Entry] = []
        while True:
            page = await self.stream_entries(log_id, stream, len(found))
            found += page
            if len(page) < MAX_LIST:
                return found

    async def stream_version(self, log_id: str, stream: str) -> int:
        """Number of entries of the stream."""
        await self._known(log_id)
        return await self._ask(self._store.read_stream_version, log_id, stream)

    async def stream_versions(self, log_id: str, streams: Collection[str]) -> dict[str, int]:
        """Number of entries of each stream, asked for at once; 0 for one without."""
        await self._known(log_id)
        found = await self._ask(self._store.read_stream_versions, log_id, streams)
        return {stream: found.get(stream, 0) for stream in streams}

    # --- who else writes -------------------------------------------------------------------------------

    @property
    def shared(self) -> bool:
        """Whether other processes may write to the same logs, beside this one."""
        return self._store.shared

    async def beat(self, owner: str, seconds: float) -> None:
        """Says that the process `owner` is alive for the next `seconds`, by the store's clock; 0 says that it ends.

        Raises StoreUnavailable. Nothing where nobody else writes.
        """
        await self._ask(self._store.beat, owner, seconds)

    async def live_owners(self) -> set[str]:
        """Owners whose last beat still holds; empty where nobody else writes. Raises StoreUnavailable."""
        return await self._ask(self._store.live_owners)

    async def query(self, select: Select[Any]) -> Sequence[Row[Any]]:
        """Rows of a read-only SQLAlchemy Core select over projections, as committed."""
        return await self._ask(self._store.query, select)

    # --- proofs ----------------------------------------------------------------------------------------

    async def checkpoint(self, log_id: str) -> str:
        """The signed note of the integrated head."""
        return (await self._newest(log_id)).note

    async def published_checkpoint(self, log_id: str) -> str | None:
        """The newest note that is known to be outside the database, None when there is none yet."""
        await self._known(log_id)
        return self._publisher(log_id).published

    async def publish(self, log_id: str) -> str | None:
        """Publishes the newest head now; its note, None when the place could not be written."""
        await self._known(log_id)
        return await self._publisher(log_id).publish()

    async def receipt(self, log_id: str, index: int, *, published: bool = False) -> str:
        """The receipt of an entry under the integrated head, or under the published one.

        Raises NotFound (no such log, nothing published), OutOfRange (also: not yet published).
        """
        state = await self._require_index(log_id, index)
        note, size = state.note, state.edge.size
        if published:
            outside = self._publisher(log_id).published
            if outside is None:
                raise NotFound("no head of this log is published yet")
            note, size = outside, parse_checkpoint(outside).size
            if index >= size:
                raise OutOfRange("entry is not under the published head yet")
        return format_receipt(index, await self._prove(merkle.inclusion_proof, state, index, size), note)

    async def inclusion_proof(self, log_id: str, index: int, size: int) -> list[bytes]:
        """The inclusion proof of entry `index` in the tree of `size`; OutOfRange unless index < size <= head."""
        state = await self._require_index(log_id, index)
        if not index < size <= state.edge.size:
            raise OutOfRange("tree size is not above the index and at most the head's")
        return await self._prove(merkle.inclusion_proof, state, index, size)

    async def consistency_proof(self, log_id: str, size1: int, size2: int) -> list[bytes]:
        """The proof that the tree of `size1` is a prefix of that of `size2`; OutOfRange unless in order."""
        state = await self._newest(log_id)
        if not 0 <= size1 <= size2 <= state.edge.size:
            raise OutOfRange("tree sizes are not in order up to the head's")
        return await self._prove(merkle.consistency_proof, state, size1, size2)

    async def range_frontier(self, log_id: str, size: int) -> list[bytes]:
        """The compact range [0, size): hashes of the complete subtrees that tile it, largest first."""
        state = await self._newest(log_id)
        if not 0 <= size <= state.edge.size:
            raise OutOfRange("tree size is past the head's")
        return await self._prove(merkle.compact_range, state, size)

    async def published_resource(self, log_id: str, path: TilePath) -> bytes:
        """The bytes of a tile or an entry bundle (c2sp.org/tlog-tiles) of the published tree or an earlier one.

        Partial ones are computed. The entries of a bundle are compared with their leaf hashes. Raises NotFound
        (no such log), OutOfRange (the published tree does not have it), CorruptLog.
        """
        state = await self._known(log_id)
        outside = self._publisher(log_id).published
        if outside is None or path.needs > parse_checkpoint(outside).size:
            raise OutOfRange("the published tree does not have it")
        return await self._run(self._resource, state, path)

    async def verify(self, log_id: str) -> int:
        """Verifies every stored entry up to the integrated head and returns the number of entries.

        Raises CorruptLog naming the first bad entry. It does not open payloads.
        """
        state = await self._newest(log_id)
        return await self._run(verify_stored, self._store, state)

    # --- payloads ---------------------------------------------------------------------------------------

    async def open_payload(self, log_id: str, record: str) -> bytes:
        """The content of a vault record, checked against the commitment in its entry.

        Raises NotFound, SubjectErased, PayloadPruned, VerificationError (stored bytes were altered), CorruptLog
        (its key is missing although nothing erased it).
        """
        return (await self.disclose_payload(log_id, record))[1]

    async def disclose_payload(self, log_id: str, record: str) -> tuple[bytes, bytes]:
        """(salt, content) of a vault record, with which anyone can check the entry's commitment.

        Raises as `open_payload`.
        """
        state = await self._known(log_id)
        row: PayloadRow | None = await self._run(self._store.payload, log_id, record)
        if row is None:
            raise await self._gone(log_id, record)
        entry = await self.get_entry(log_id, row.entry_index)
        commitment = next((item for item in entry.commitments if item.record == record), None)
        if commitment is None:
            raise VerificationError(
                "entry does not commit to the record", reason="PAYLOAD_COMMITMENT", index=row.entry_index
            )
        # The subject that counts is the entry's: the row's is only how to find it.
        subject = entry.subject or TENANT_SUBJECT
        await self._subject_key(log_id, subject)
        return await self._run(self._unseal, log_id, state.row.origin, subject, commitment, row)

    async def keyed_digest(self, log_id: str, subject: str, content: bytes) -> bytes:
        """32 bytes that are the same for the same `content` about the same subject, and tell nothing of it.

        HMAC-SHA-256 under a key that is made from the subject's: once that is destroyed nobody can tell, from any copy,
        what it was of. Another key of the subject gives another digest. Raises NotFound, SubjectErased.
        """
        await self._known(log_id)
        key = hmac.digest(await self._subject_key(log_id, subject), _DIGEST_TAG, "sha256")
        return hmac.digest(key, content, "sha256")

    async def certificate(self, log_id: str, record: str) -> int | None:
        """Index of the entry that says why a vault record is gone; None when it is there, or was never."""
        await self._known(log_id)
        removal: RemovalRow | None = await self._run(self._store.removal, log_id, record)
        return None if removal is None else removal.removed_by

    async def _gone(self, log_id: str, record: str) -> LedgerError:
        """Why a vault record is not there."""
        removal: RemovalRow | None = await self._run(self._store.removal, log_id, record)
        if removal is None:
            return NotFound("no such vault record")
        certificate = await self.get_entry(log_id, removal.removed_by)
        if certificate.type == "payload.pruned":
            return PayloadPruned("the payload's retention has ended")
        return SubjectErased("the subject's key has been destroyed")

    # --- inside ----------------------------------------------------------------------------------------

    async def _known(self, log_id: str) -> LogState:
        """The log's state as this process knows it; NotFound. A log that another process created is looked up."""
        try:
            return self._sequencer.state(log_id)
        except NotFound:
            if not self._store.shared:
                raise
        await self._discover(log_id)
        return self._sequencer.state(log_id)

    async def _newest(self, log_id: str, *, certain: bool = False) -> LogState:
        """The log's state, brought up to what other processes appended before the call, and to what this process
        appended without learning that it had; NotFound.

        What is visible may not be replicated yet; until this process may sign it, the head that it knows is the
        newest that it can answer for. With `certain` that is not good enough, for whoever concludes from it that a
        log has gone back: raises TimeoutError, StoreUnavailable or QueueFull instead.
        """
        # Asked before the state is read: once it is sure again, the state is the one that it read.
        unsure = self._sequencer.unsure
        state = await self._known(log_id)
        if self._store.shared or unsure:
            try:
                size = await self._ask(self._store.head_size, log_id)
            except StoreUnavailable:
                if self._store.shared:
                    raise
                size = None  # nobody else writes: what was acknowledged is known here
            if size is not None and size > state.edge.size:
                try:
                    async with asyncio.timeout(_REFRESH_SECONDS):
                        await asyncio.shield(self._refresh(log_id))
                except (TimeoutError, StoreUnavailable, QueueFull):
                    if certain:
                        raise
                state = self._sequencer.state(log_id)
        return state

    async def _discover(self, log_id: str) -> None:
        raise NotImplementedError

    def _refresh(self, log_id: str) -> Awaitable[object]:
        raise NotImplementedError

    async def _subject_key(self, log_id: str, subject: str) -> bytes:
        erased = self._erased.setdefault(log_id, set())
        if (
            self._store.shared
            and subject not in erased
            and subject != TENANT_SUBJECT
            and await self._run(self._store.is_erased, log_id, subject)
        ):
            # Another process erased it: what this one still holds of the key goes, too.
            erased.add(subject)
            await self._run(self._keys.destroy, log_id, subject)
        if subject in erased:
            raise SubjectErased("the subject's key has been destroyed")
        try:
            # Not on another thread unless it has to be: appends keep the order in which they were asked for.
            found = self._keys.at_hand(log_id, subject, shared=self._store.shared)
            return found if found is not None else await self._run(self._keys.get, log_id, subject)
        except OSError as err:
            raise StoreUnavailable(f"key store cannot be read: {_errno_name(err)}") from None
        except SubjectErased as err:
            if subject in self._erased.get(log_id, ()):
                raise
            raise NotFound("key store holds no key of this subject, and no erasure is on record") from err

    def _unseal(
        self, log_id: str, origin: str, subject: str, commitment: Commitment, row: PayloadRow
    ) -> tuple[bytes, bytes]:
        """(salt, content) under whichever of the subject's keys it is sealed, also one that another process made."""
        keys = (
            key for fresh in (False, True) for key in self._keys.generations(log_id, subject, fresh=fresh)
        )
        return unseal_under(
            keys,
            origin=origin,
            subject=subject,
            commitment=commitment,
            sealed=row.sealed,
            wrapped_key=row.wrapped_key,
        )

    def _publisher(self, log_id: str) -> Publisher:
        publisher = self._publishers.get(log_id)
        if publisher is None:
            raise StoreUnavailable("creation of the log is not confirmed yet, create it again")
        return publisher

    async def _require_index(self, log_id: str, index: int) -> LogState:
        state = await self._known(log_id)
        if index >= state.edge.size:
            state = await self._newest(log_id)
        if not 0 <= index < state.edge.size:
            raise OutOfRange("index is at or past the tree size")
        return state

    async def _entries(self, log_id: str, read: Callable[..., list[bytes]], *arguments: Any) -> list[Entry]:
        def load() -> list[Entry]:
            found = []
            for offset, data in enumerate(read(*arguments)):
                try:
                    found.append(parse_entry(data))
                except VerificationError as err:
                    # By index, its place is known; of a stream, only that it is one of those.
                    index = arguments[1] + offset if type(arguments[1]) is int else None
                    raise CorruptLog("stored bytes do not parse", index=index, log_id=log_id) from err
            return found

        return await self._run(load)

    async def _prove(self, prove: Callable[..., list[bytes]], state: LogState, *sizes: int) -> list[bytes]:
        def load() -> list[bytes]:
            return prove(*sizes, self._reader(state).node)

        return await self._run(load)

    async def _ask(self, function: Callable[..., T], *arguments: Any) -> T:
        """As `_run` for a read that takes a moment: one without an answer in time is StoreUnavailable, so that no
        caller waits for ever. Its thread does, until the store lets go of it.
        """
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._run(function, *arguments)
        except TimeoutError as err:
            raise StoreUnavailable("store does not answer") from err

    def _resource(self, state: LogState, path: TilePath) -> bytes:
        reader = self._reader(state)
        if path.level is not None:
            return reader.tile(path.level, path.index, path.width)
        return stored_bundle(self._store, state.row.log_id, path, reader.tile(0, path.index, path.width))

    def _reader(self, state: LogState) -> NodeReader:
        log_id = state.row.log_id
        return NodeReader(
            state.edge,
            lambda level, index: self._store.tile(log_id, level, index),
            cache=self._tiles,
            log_id=log_id,
        )

    async def _run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Runs a blocking call on the reader threads; a failing store or key store becomes StoreUnavailable."""
        return await self._run_on(self._threads, function, *arguments)

    async def _run_aside(self, function: Callable[..., T], *arguments: Any) -> T:
        """As `_run`, on threads that no reader needs: for what may wait long, and for whom a reader would wait."""
        return await self._run_on(self._aside, function, *arguments)

    async def _run_on(self, threads: ThreadPoolExecutor, function: Callable[..., T], *arguments: Any) -> T:
        try:
            return await self._loop.run_in_executor(threads, function, *arguments)
        except StoreFault as err:
            raise StoreUnavailable("store cannot be read") from err
        except OSError as err:
            # `from None`: the system's message names the file, and so the subject.
            raise StoreUnavailable(f"key store cannot be read or written: {_errno_name(err)}") from None


def _errno_name(err: OSError) -> str:
    """`ENOSPC` and the like; the system's own message can name a file."""
    return errno.errorcode.get(err.errno or 0, "unknown error")

"""Reading a log's state from its store, and the checks that come before its head may be signed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from attending.ledger.entry import GENESIS_PREV, parse_entry
from attending.ledger.errors import CorruptLog, ProjectionsIncomplete, StoreUnavailable, VerificationError
from attending.ledger.files import FolderLock, make_folder, require_local
from attending.ledger.keys import KeyFolder
from attending.ledger.merkle import MAX_TREE_SIZE
from attending.ledger.publish import FolderPlace, check_against
from attending.ledger.roots import root_of
from attending.ledger.signing import check_chain, first_signing, introduce, read_signing
from attending.ledger.store.damage import DAMAGE, is_damage
from attending.ledger.store.port import Batch, HeadRow, LogRow, Question, Store, StoreFault
from attending.ledger.store.sqlite import SqliteStore
from attending.ledger.submission import LogState, new_state, signed_state
from attending.ledger.tiles import TILE_WIDTH, Edge, load_edge
from attending.ledger.verify.parts import StoredRow
from attending.ledger.verify.stored import StoredHead, verify_stored_log
from attending.ledger.wrapping import PLAIN, Root
from sqlalchemy import MetaData


@dataclass(frozen=True, slots=True)
class LedgerConfig:
    """Where a ledger lives. By default everything is inside `folder`; put keys and published heads on other
    disks, with other backups, for what they protect against to hold.

    `database` is a PostgreSQL connection string (libpq keywords or URI) for logs, payloads and projections;
    then several processes may open the same ledger, each with the same keys and published heads.
    `require_replication` refuses a database that does not wait for a standby.
    """

    folder: Path
    keys_folder: Path | None = None
    publish_folder: Path | None = None
    publish_interval_seconds: float = 1.0
    claim_retention: timedelta = timedelta(days=7)
    database: str | None = field(default=None, repr=False)
    database_now: Callable[[], str | None] = field(default=lambda: None, repr=False)
    """Asked before each new connection: what `database` is by now, None when it is as it was."""
    require_replication: bool = False
    key_root: Root = PLAIN
    """What the keys of logs are sealed under; in the clear, private to their owner, unless a root is given."""
    max_queued_appends: int = 8_192
    """Appends that wait for the writer at most; the next one is refused with QueueFull."""


class Opened(NamedTuple):
    """A ledger that passed every check of the start; an embedded one's folder lock is held."""

    lock: FolderLock | None
    store: Store
    keys: KeyFolder
    place: FolderPlace
    states: dict[str, LogState]
    erased: dict[str, set[str]]
    """Pseudonyms, by log, whose keys were destroyed."""


class Reads(Protocol):
    """What the checks of a head read of a `Store`."""

    def entries(self, log_id: str, start: int, limit: int) -> list[bytes]: ...
    def leaf_hashes(self, log_id: str, start: int, limit: int) -> list[bytes]: ...
    def tile(self, log_id: str, level: int, index: int) -> bytes | None: ...


_TAIL: Final = 2 * TILE_WIDTH
"""Entries at the end that every start reads in full: at least the last full tile and what follows it."""


def load_states(store: Store, keys: KeyFolder) -> dict[str, LogState]:
    """Every log, read when nobody can append to it and signed when what was read is durable.

    Where several processes write, the heads are locked while tiles and entries are read, and the transaction
    ends by raising the epoch: its commit comes after all that could be seen, so that a head may be signed once
    it has succeeded (what is visible need not be replicated yet). Call after `Store.recover`.

    A rotation of a signing key whose introduction is not stored yet gets it before the log's head is given to anybody.

    Raises CorruptLog, NotFound (a key is missing), StoreFault, and as `KeyFolder.open_log`.
    """
    states = _read_states(store, keys)
    for log_id, state in states.items():
        if state.signing.chain.pending is not None:
            states[log_id] = replace(state, signing=introduce(store, state.row, state.edge, state.signing))
    return states


def _read_states(store: Store, keys: KeyFolder) -> dict[str, LogState]:
    if not store.shared:
        stops = store.stops()
        return {
            row.log_id: load_state(store, row, head, keys, stops.get(row.log_id))
            for row, head in store.heads()
        }
    rows = {row.log_id: row for row, _ in store.heads()}
    try:
        answer = store.begin(Question(sizes=dict.fromkeys(rows, MAX_TREE_SIZE)))
        states = {
            log_id: load_state(store, rows[log_id], head, keys, answer.stops.get(log_id))
            for log_id, head in answer.heads.items()
        }
        store.apply(Batch(epoch=True))
        store.commit()
    except BaseException:
        with contextlib.suppress(StoreFault):
            store.rollback()
        raise
    return states


def load_state(
    store: Store, row: LogRow, head: HeadRow, keys: KeyFolder, stopped: str | None = None
) -> LogState:
    """The signed state of a log whose head `check_head` found to agree with what it is over, and its keys with it."""
    edge, signing = check_head(store, row, head), read_signing(store, row, keys)
    check_chain(store, row.log_id, edge, signing.chain)
    return signed_state(row, signing, edge, head, stopped)


def early_state(store: Store, row: LogRow, keys: KeyFolder) -> LogState:
    """A state of a log that another process created and appends to, from which this one can be brought up to it: empty,
    or where the key in use was introduced, because the keys before sign nothing any more.

    Raises as `load_state`.
    """
    signing = read_signing(store, row, keys)
    done = signing.chain.introductions
    if not done:
        return new_state(row, first_signing(row, signing.keys[signing.chain.first]))
    size = done[-1].rotation.size
    start = size >> 8 << 8
    edge = load_edge(
        size,
        store.leaf_hashes(row.log_id, start, size - start),
        lambda level, index: store.tile(row.log_id, level, index),
    )
    check_chain(
        store, row.log_id, edge, replace(signing.chain, rotations=signing.chain.rotations[: len(done)])
    )
    last = parse_entry(store.entries(row.log_id, size - 1, 1)[0])
    head = HeadRow(row.log_id, size, edge.root, last.leaf_hash, last.time)
    return signed_state(row, signing, edge, head, None)


def check_head(store: Reads, row: LogRow, head: HeadRow) -> Edge:
    """The edge of a log whose head agrees with its tiles and its last entries; needs no key.

    1. The last entries (up to 512) parse, name their index and origin and link to each other; their leaf
    hashes are those stored. 2. No entry lies past the head. 3. The root over tiles and leaf hashes, and the
    last leaf and time, are the head's.

    Raises CorruptLog, naming the log and the first bad entry of those read. Entries before them are covered by
    tiles only, and of the tiles those on the right edge are read: an altered old entry, or a tile under a full one,
    goes unnoticed here. The full verification (`attending ledger verify`, every backup) reads them all.
    """
    try:
        return _check_head(store, row, head)
    except CorruptLog as err:
        if err.log_id is not None:
            raise
        raise CorruptLog(err.detail, index=err.index, reason=err.reason, log_id=row.log_id) from err


def _check_head(store: Reads, row: LogRow, head: HeadRow) -> Edge:
    start = max(0, head.size - _TAIL)
    data = store.entries(row.log_id, start, _TAIL + 1)
    stored = store.leaf_hashes(row.log_id, start, _TAIL + 1)
    if len(data) > head.size - start:  # 2
        raise CorruptLog(f"log `{row.log_id}` holds entries past its head", index=head.size)
    if len(data) < head.size - start or len(stored) != len(data):
        raise CorruptLog(f"log `{row.log_id}` lacks entries under its head", index=start + len(data))
    prev: bytes | None = GENESIS_PREV if start == 0 else None
    time = row.created_at
    for index, (raw, leaf) in enumerate(zip(data, stored, strict=True), start):  # 1
        try:
            entry = parse_entry(raw)
        except VerificationError as err:
            raise CorruptLog("stored bytes do not parse", index=index) from err
        if entry.index != index or entry.origin != row.origin:
            raise CorruptLog("stored bytes belong to another place", index=index)
        if prev is not None and entry.prev != prev:
            raise CorruptLog("predecessor is not the one it names", index=max(index - 1, 0))
        if entry.leaf_hash != leaf:
            raise CorruptLog("stored bytes do not have their leaf hash", index=index)
        prev, time = leaf, entry.time
    leaves = stored[(head.size >> 8 << 8) - start :] if head.size else []
    edge = load_edge(head.size, leaves, lambda level, index: store.tile(row.log_id, level, index))
    last = stored[-1] if stored else GENESIS_PREV
    if edge.root != head.root or last != head.last_leaf or time != head.time:  # 3
        raise CorruptLog(f"head of log `{row.log_id}` is not that of its entries")
    return edge


@dataclass(frozen=True, slots=True)
class _StoreLog:
    """Reads a log through its store, in this process."""

    store: Store
    log_id: str

    def __call__(self) -> _StoreLog:
        return self

    def rows(self, begin: int, end: int) -> Sequence[StoredRow]:
        data = self.store.entries(self.log_id, begin, end - begin)
        leaves = self.store.leaf_hashes(self.log_id, begin, end - begin)
        # A store counts rows: after one that is missing, the next stands in its place and says so itself.
        pairs = zip_longest(range(begin, begin + len(data)), data, leaves[: len(data)])
        return [(index, raw, leaf, None, None) for index, raw, leaf in pairs]

    def tile(self, level: int, index: int) -> bytes | None:
        return self.store.tile(self.log_id, level, index)

    def close(self) -> None:
        """The store is its owner's to close."""


def verify_stored(store: Store, state: LogState) -> int:
    """Reads and verifies every entry of `state`, and the tiles; its size. Raises CorruptLog, naming the first
    bad entry.
    """
    head = StoredHead(state.row.origin, state.edge.size, state.root)
    outcome = verify_stored_log(_StoreLog(store, state.row.log_id), head)
    if outcome.problems:
        first = outcome.problems[0]
        raise CorruptLog(first.detail, index=first.index, reason=first.reason, log_id=state.row.log_id)
    return head.size


def root_at(store: Store, state: LogState, size: int) -> bytes:
    """The root hash of the log at `size`, at most that of `state`."""
    return state.root if size == state.edge.size else root_of(store, state.row.log_id, state.edge, size)


def open_folder(
    config: LedgerConfig, metadata: Sequence[MetaData], given: Store | None, *, to_rebuild: bool = False
) -> Opened:
    """The blocking part of `Ledger.open`; its numbered steps. `to_rebuild` opens an unfinished rebuild too."""
    make_folder(config.folder)
    lock = None
    if config.database is None:  # 1
        require_local(config.folder)
        lock = FolderLock(config.folder).acquire()
    store = given
    try:
        store = store or open_store(config)
        store.recover()
        store.create_tables(metadata)  # 2
        keys = KeyFolder(config.keys_folder or config.folder / "keys", config.key_root)
        place = FolderPlace(config.publish_folder or config.folder / "published")
        for row, _ in store.heads():
            read_signing(store, row, keys)  # 3
        # Read before the states: another process may publish while they are read, never the other way round.
        published = {row.log_id: place.read(row.log_id) for row, _ in store.heads()}
        states = load_states(store, keys)  # 4
        erased: dict[str, set[str]] = {}
        ready = store
        for log_id, state in states.items():
            check_against(state, published.get(log_id), lambda s, size: root_at(ready, s, size))  # 5
            erased[log_id] = {erasure.pseudonym for erasure in store.erasures(log_id)}
            keys.destroy_again(log_id, erased[log_id])  # 6
        # Last: evidence that does not hold is the graver news, and a rebuild would not get past it.
        if store.rebuilding() and not to_rebuild:
            raise ProjectionsIncomplete("projections are not complete: a rebuild has to come to its end")
        return Opened(lock, store, keys, place, states, erased)
    except BaseException as err:
        if store is not None:
            store.close()
        if lock is not None:
            lock.release()
        if isinstance(err, StoreFault | UnicodeDecodeError):
            # The latter when the driver cannot read SQLite's own message, which quotes the damaged page.
            if is_damage(err) or isinstance(err, UnicodeDecodeError):
                raise CorruptLog(DAMAGE, reason=CorruptLog.DAMAGED) from err
            raise StoreUnavailable("store cannot be read") from err
        raise


def open_store(config: LedgerConfig) -> Store:
    """The store that the configuration names: a PostgreSQL database, or the folder's own SQLite file."""
    if config.database is None:
        return SqliteStore(config.folder / "ledger.db")
    from attending.ledger.store.postgres import PostgresStore

    return PostgresStore(
        config.database,
        require_replication=config.require_replication,
        conninfo_now=config.database_now,
    )

"""Reading a log's state from its store, and the checks that come before its head may be signed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from attending.ledger.ed25519 import public_bytes
from attending.ledger.entry import GENESIS_PREV, parse_entry
from attending.ledger.errors import CorruptLog, ProjectionsIncomplete, StoreUnavailable, VerificationError
from attending.ledger.files import FolderLock, make_folder, require_local
from attending.ledger.keys import KeyFolder, LogKeys
from attending.ledger.merkle import compact_range, root_from_hashes
from attending.ledger.note import ED25519, VerifierKey
from attending.ledger.publish import FolderPlace, check_against
from attending.ledger.store.port import HeadRow, LogRow, Store, StoreFault
from attending.ledger.store.sqlite import SqliteStore
from attending.ledger.submission import LogState, signed_state
from attending.ledger.tiles import TILE_WIDTH, NodeReader, load_edge
from attending.ledger.verify.segments import verify_chain
from sqlalchemy import MetaData


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


class Opened(NamedTuple):
    """A ledger folder that passed every check of the start; the lock is held."""

    lock: FolderLock
    store: Store
    keys: KeyFolder
    place: FolderPlace
    states: dict[str, LogState]
    erased: dict[str, set[str]]
    """Pseudonyms, by log, whose keys were destroyed."""


_TAIL: Final = 2 * TILE_WIDTH
"""Entries at the end that every start reads in full: at least the last full tile and what follows it."""


def load_state(store: Store, row: LogRow, head: HeadRow, keys: LogKeys) -> LogState:
    """The signed state of a log whose head agrees with its tiles and its last entries.

    1. The last entries (up to 512) parse, name their index and origin and link to each other; their leaf
    hashes are those stored. 2. No entry lies past the head. 3. The root over tiles and leaf hashes, and the
    last leaf and time, are the head's.

    Raises CorruptLog, naming the first bad entry of those read. Entries before them are covered by tiles
    only: the full verification reads them.
    """
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
    return signed_state(row, keys, edge, head)


def verify_stored(store: Store, state: LogState) -> int:
    """Reads and verifies every entry of `state`; its size. Raises CorruptLog, naming the first bad entry."""

    def stored() -> Iterator[bytes]:
        for start in range(0, state.edge.size, _TAIL):
            yield from store.entries(state.row.log_id, start, min(_TAIL, state.edge.size - start))

    try:
        frontier = verify_chain(stored(), state.row.origin)
    except VerificationError as err:
        raise CorruptLog(err.detail, index=err.index, reason=err.reason) from err
    if frontier.size != state.edge.size or frontier.root() != state.root:
        raise CorruptLog("entries do not lead to the head", index=max(frontier.size - 1, 0))
    return frontier.size


def root_at(store: Store, state: LogState, size: int) -> bytes:
    """The root hash of the log at `size`, at most that of `state`."""
    if size == state.edge.size:
        return state.root
    reader = NodeReader(state.edge, lambda level, index: store.tile(state.row.log_id, level, index))
    return root_from_hashes(compact_range(size, reader.node))


def open_folder(
    config: LedgerConfig, metadata: Sequence[MetaData], given: Store | None, *, to_rebuild: bool = False
) -> Opened:
    """The blocking part of `Ledger.open`; its numbered steps. `to_rebuild` opens an unfinished rebuild too."""
    make_folder(config.folder)
    require_local(config.folder)
    lock = FolderLock(config.folder).acquire()  # 1
    store = given
    try:
        store = store or SqliteStore(config.folder / "ledger.db")
        store.recover()
        store.create_tables(metadata)  # 2
        if store.rebuilding() and not to_rebuild:
            raise ProjectionsIncomplete("projections are not complete: a rebuild has to come to its end")
        keys = KeyFolder(config.keys_folder or config.folder / "keys")
        place = FolderPlace(config.publish_folder or config.folder / "published")
        states: dict[str, LogState] = {}
        erased: dict[str, set[str]] = {}
        ready = store
        for row, head in store.heads():
            log_keys = keys.open_log(row.log_id)
            if verifier_key(row.origin, log_keys) != row.verifier_key:  # 3
                raise CorruptLog(
                    f"signing key of log `{row.log_id}` is not the one it began with", reason="KEY_MISMATCH"
                )
            state = states[row.log_id] = load_state(store, row, head, log_keys)  # 4
            check_against(state, place.read(row.log_id), lambda s, size: root_at(ready, s, size))  # 5
            erased[row.log_id] = {erasure.pseudonym for erasure in store.erasures(row.log_id)}
            for pseudonym in erased[row.log_id]:
                keys.destroy(row.log_id, pseudonym)  # 6
        return Opened(lock, store, keys, place, states, erased)
    except BaseException as err:
        if store is not None:
            store.close()
        lock.release()
        if isinstance(err, StoreFault):
            raise StoreUnavailable("store cannot be read") from err
        raise


def verifier_key(origin: str, keys: LogKeys) -> str:
    """The C2SP verifier key string of a log's checkpoints."""
    return str(VerifierKey(origin, ED25519, public_bytes(keys.signing)))

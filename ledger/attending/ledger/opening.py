"""Reading a log's state from its store, and the checks that come before its head may be signed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attending.ledger.entry import GENESIS_PREV, parse_entry
from attending.ledger.errors import CorruptLog, VerificationError
from attending.ledger.keys import LogKeys
from attending.ledger.merkle import compact_range, root_from_hashes
from attending.ledger.sequencer import LogState, signed_state
from attending.ledger.store.port import HeadRow, LogRow, Store
from attending.ledger.tiles import TILE_WIDTH, NodeReader, load_edge
from attending.ledger.verify.segments import verify_chain

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

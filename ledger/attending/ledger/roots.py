"""The root hash of a stored log at any size up to the one that is known, from its tiles."""

from __future__ import annotations

from typing import Protocol

from attending.ledger.merkle import compact_range, root_from_hashes
from attending.ledger.tiles import Edge, NodeReader


class Tiles(Protocol):
    """What this reads of a `Store`."""

    def tile(self, log_id: str, level: int, index: int) -> bytes | None: ...


def root_of(store: Tiles, log_id: str, edge: Edge, size: int) -> bytes:
    """The root hash at `size`, at most that of `edge`."""
    if size == edge.size:
        return edge.root
    reader = NodeReader(edge, lambda level, index: store.tile(log_id, level, index))
    return root_from_hashes(compact_range(size, reader.node))

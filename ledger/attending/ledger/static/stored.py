"""Static resources of a stored log, computed from what a store holds; also beside the process that writes it.

`StoredLog` reads a log up to its head as it was when it was opened: the log may grow meanwhile, the view does
not, and nothing that it read can change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attending.ledger.errors import CorruptLog, NotFound, OutOfRange, VerificationError
from attending.ledger.merkle import HASH_SIZE, leaf_hash
from attending.ledger.static.bundles import encode_bundle
from attending.ledger.static.paths import CHECKPOINT, TilePath, parse_introduction, parse_path
from attending.ledger.tiles import TILE_WIDTH, NodeReader, load_edge

if TYPE_CHECKING:
    from attending.ledger.store.port import IntroductionRow


class TileSource(Protocol):
    """The part of the store port that static resources are made of; see `store.port.Store`."""

    def entries(self, log_id: str, start: int, limit: int) -> list[bytes]: ...
    def leaf_hashes(self, log_id: str, start: int, limit: int) -> list[bytes]: ...
    def tile(self, log_id: str, level: int, index: int) -> bytes | None: ...
    def introductions(self, log_id: str) -> list[IntroductionRow]: ...


class EntrySource(Protocol):
    """Reads stored bytes; see `store.port.Store`."""

    def entries(self, log_id: str, start: int, limit: int) -> list[bytes]: ...


def stored_bundle(source: EntrySource, log_id: str, path: TilePath, hashes: bytes) -> bytes:
    """The entry bundle `path`, its entries compared with `hashes`, those of the level 0 tile of the same place.

    Raises CorruptLog naming the first entry that is missing or altered: such bytes are not served.
    """
    first = path.index * TILE_WIDTH
    entries = source.entries(log_id, first, path.width)
    for offset in range(path.width):
        if offset >= len(entries):
            raise CorruptLog(f"log `{log_id}` lacks an entry", index=first + offset)
        entry, expected = entries[offset], hashes[offset * HASH_SIZE : (offset + 1) * HASH_SIZE]
        # SQLite gives back what was put in, of whatever type.
        if type(entry) is not bytes or leaf_hash(entry) != expected:
            raise CorruptLog("stored bytes do not have their leaf hash", index=first + offset)
    return encode_bundle(entries)


class StoredLog:
    """A log in a store at one size, as static resources: `fetch` is what the reading client asks for.

    For one thread.
    """

    def __init__(self, source: TileSource, log_id: str, size: int, checkpoint: str) -> None:
        """`checkpoint` is the published note, `size` its tree size, at most that of the stored head.

        Raises CorruptLog when a tile is missing.
        """
        self._source = source
        self._log_id = log_id
        self._size = size
        self._checkpoint = checkpoint
        start = size // TILE_WIDTH * TILE_WIDTH
        leaves = source.leaf_hashes(log_id, start, size - start) if size > start else []
        edge = load_edge(size, leaves, self._read_tile)
        self._reader = NodeReader(edge, self._read_tile)

    def fetch(self, path: str) -> bytes:
        """The resource at `path`; NotFound when the tree of this size does not have it."""
        if path == CHECKPOINT:
            return self._checkpoint.encode()
        if (generation := parse_introduction(path)) is not None:
            return self._introduction(generation)
        try:
            tile = parse_path(path)
            hashes = self._reader.tile(tile.level or 0, tile.index, tile.width)
        except (VerificationError, OutOfRange):
            raise NotFound("the log has no such resource") from None
        if tile.level is not None:
            return hashes
        return stored_bundle(self._source, self._log_id, tile, hashes)

    def _introduction(self, generation: int) -> bytes:
        rows = self._source.introductions(self._log_id)
        if generation - 2 >= len(rows) or rows[generation - 2].entry_index >= self._size:
            raise NotFound("the log has no such resource")
        return rows[generation - 2].data

    def _read_tile(self, level: int, index: int) -> bytes | None:
        return self._source.tile(self._log_id, level, index)

"""The growing edge of a log's Merkle tree, and reading any of its nodes from tiles.

A tile holds 256 consecutive hashes of tree level 8 * tile level (c2sp.org/tlog-tiles). Full tiles are stored
once; the hashes past the last full tile of each level, at most 255 a level, are held in memory and can be
computed again from entries and tiles.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from attending.ledger.errors import CorruptLog, OutOfRange
from attending.ledger.merkle import HASH_SIZE, empty_root, node_hash, right_edge, root_from_hashes

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
TREE_BYTES: Final = (2 * TILE_WIDTH - 1) * HASH_SIZE
"""What a cached tile takes: its 256 hashes and the 255 nodes above them, 16,352 bytes."""
CACHED_TILES: Final = 1024
"""Full tiles that an open ledger keeps for all its logs: 16 MiB."""
_OWN_CACHED_TILES: Final = 64

_sha256 = hashlib.sha256

ReadTile = Callable[[int, int], bytes | None]
"""(tile level, tile index) -> the hashes of a full tile, or None when it is not stored."""


class Tile(NamedTuple):
    """A full tile: 256 hashes, 8,192 bytes."""

    level: int
    position: int
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Edge:
    """An immutable snapshot of the right edge.

    `partial[k]` are the hashes past the last full tile of level k. `frontier[l]` is the root of the complete
    subtree of 2**l leaves in the right edge where bit l of `size` is set, None where it is not.
    """

    size: int
    partial: tuple[tuple[bytes, ...], ...]
    frontier: tuple[bytes | None, ...]

    @property
    def root(self) -> bytes:
        """The root hash."""
        return root_from_hashes(node for node in reversed(self.frontier) if node is not None)


EMPTY_EDGE: Final = Edge(0, (), ())


@dataclass(frozen=True, slots=True)
class Growth:
    """What appending leaves to an edge made: the new edge, the tiles it filled, and every node it completed.

    `levels[l]` are the hashes of the nodes (l, starts[l]) onwards. Together with the old frontier they hold
    every node that an inclusion proof of a new leaf can need.
    """

    before: Edge
    after: Edge
    root: bytes
    tiles: tuple[Tile, ...]
    starts: tuple[int, ...]
    levels: tuple[list[bytes], ...]
    rests: tuple[bytes | None, ...]
    """`rests[l]`: root over the leaves past the last complete node of level l, None when there are none."""

    def inclusion_proof(self, index: int) -> list[bytes]:
        """The proof of leaf `index`, one of the new ones, in the tree of the new size, leaf side first.

        Equal to `merkle.inclusion_proof`, from memory and in one pass. Source: RFC 6962 section 2.1.1.
        """
        return self.own_proof(index) + self.shared_proof()

    def own_proof(self, index: int) -> list[bytes]:
        """The hashes of the proof of leaf `index` up to where the paths of all new leaves meet."""
        if not self.before.size <= index < self.after.size:
            raise OutOfRange("leaf is not one of this batch")
        return self._siblings(index, 0, self._meeting())

    def shared_proof(self) -> list[bytes]:
        """The rest of the proof, which is one and the same for every new leaf."""
        return self._siblings(self.before.size, self._meeting(), (self.after.size - 1).bit_length())

    def _meeting(self) -> int:
        """The lowest level at which all new leaves lie under one node."""
        return (self.before.size ^ (self.after.size - 1)).bit_length()

    def _siblings(self, index: int, begin: int, end: int) -> list[bytes]:
        proof, size, old = [], self.after.size, self.before.frontier
        for level in range(begin, end):
            sibling = index >> level ^ 1
            complete = size >> level
            if sibling < complete:
                offset = sibling - self.starts[level]
                node = self.levels[level][offset] if offset >= 0 else old[level]
                proof.append(_known(node))
            elif sibling == complete:
                rest = self.rests[level]
                if rest is not None:
                    proof.append(rest)
        return proof


def grow(edge: Edge, leaves: Sequence[bytes]) -> Growth:
    """The growth of `edge` by `leaves` (at least one leaf hash of 32 bytes)."""
    size = edge.size + len(leaves)
    starts: list[int] = []
    levels: list[list[bytes]] = []
    frontier: list[bytes | None] = []
    rests: list[bytes | None] = []
    run, start, rest = list(leaves), edge.size, None
    for level in range(size.bit_length()):
        starts.append(start)
        levels.append(run)
        rests.append(rest)
        old = edge.frontier[level] if level < len(edge.frontier) else None
        last = (run[-1] if run else old) if size >> level & 1 else None
        frontier.append(last)
        if last is not None:
            rest = last if rest is None else node_hash(last, rest)
        if start & 1:  # the first new node is a right child; its left one is in the old frontier
            run = [_known(old), *run] if run else run
        run = [_sha256(b"\x01" + run[i] + run[i + 1]).digest() for i in range(0, len(run) - 1, 2)]
        start >>= 1
    partial, tiles = _fill_tiles(edge, starts, levels)
    after = Edge(size, partial, tuple(frontier))
    return Growth(edge, after, rest or empty_root(), tiles, tuple(starts), tuple(levels), tuple(rests))


def _fill_tiles(
    edge: Edge, starts: Sequence[int], levels: Sequence[list[bytes]]
) -> tuple[tuple[tuple[bytes, ...], ...], tuple[Tile, ...]]:
    partial: list[tuple[bytes, ...]] = []
    tiles: list[Tile] = []
    for tile_level, level in enumerate(range(0, len(levels), TILE_HEIGHT)):
        held = edge.partial[tile_level] if tile_level < len(edge.partial) else ()
        hashes = (*held, *levels[level])
        index = starts[level] >> TILE_HEIGHT
        while len(hashes) >= TILE_WIDTH:
            tiles.append(Tile(tile_level, index, b"".join(hashes[:TILE_WIDTH])))
            hashes, index = hashes[TILE_WIDTH:], index + 1
        partial.append(hashes)
    return tuple(partial), tuple(tiles)


def load_edge(size: int, leaves: Sequence[bytes], read_tile: ReadTile) -> Edge:
    """The edge of the tree of `size` from its full tiles and its last `size % 256` leaf hashes.

    Raises CorruptLog when a tile is missing or not 8,192 bytes. It does not look behind the tiles: whether
    they match the entries is for full verification to say.
    """
    partial: list[tuple[bytes, ...]] = []
    for tile_level in range((max(size.bit_length() - 1, 0)) // TILE_HEIGHT + 1 if size else 0):
        count = size >> TILE_HEIGHT * tile_level
        first = count >> TILE_HEIGHT << TILE_HEIGHT
        if tile_level == 0:
            hashes = tuple(leaves)
        else:
            hashes = tuple(
                _subtree(_split(_full_tile(read_tile, tile_level - 1, index)))
                for index in range(first, count)
            )
        if len(hashes) != count - first:
            raise CorruptLog("number of leaf hashes does not fit the size", index=first)
        partial.append(hashes)
    frontier: list[bytes | None] = [None] * size.bit_length()
    edge = Edge(size, tuple(partial), ())
    reader = NodeReader(edge, read_tile)
    for level, index in right_edge(size):
        frontier[level] = reader.node(level, index)
    return Edge(size, tuple(partial), tuple(frontier))


class TileTree:
    """The subtree of height 8 over the hashes of a tile: all nodes that need no other tile. Immutable.

    A partial tile has the nodes that are complete. Built with at most 255 hashes, after which every node is a
    slice.
    """

    __slots__ = ("_rows",)

    def __init__(self, hashes: bytes) -> None:
        """`hashes` are 1 to 256 hashes of 32 bytes, joined."""
        rows = [hashes]
        while len(rows[-1]) >= 2 * HASH_SIZE:
            row = rows[-1]
            rows.append(
                b"".join(
                    _sha256(b"\x01" + row[i : i + 2 * HASH_SIZE]).digest()
                    for i in range(0, len(row) - 2 * HASH_SIZE + 1, 2 * HASH_SIZE)
                )
            )
        self._rows = tuple(rows)

    @property
    def hashes(self) -> bytes:
        """The hashes of the tile itself, joined."""
        return self._rows[0]

    def node(self, height: int, index: int) -> bytes:
        """The root over the hashes [index << height, (index + 1) << height); empty when not all are there."""
        if height >= len(self._rows):
            return b""
        return self._rows[height][index * HASH_SIZE : (index + 1) * HASH_SIZE]


class TileCache:
    """Full tiles, the ones used last, at most `tiles` of them. Safe from any thread.

    A full tile never changes, so nothing is ever invalidated. Memory: TREE_BYTES and about 700 bytes of
    objects a tile.
    """

    def __init__(self, tiles: int = CACHED_TILES) -> None:
        self._tiles = tiles
        self._trees: OrderedDict[tuple[str, int, int], TileTree] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._trees)

    def get(self, log_id: str, level: int, index: int, load: Callable[[], bytes]) -> TileTree:
        """The tile, by `load` when it is not here; what `load` raises. Two threads may load one at once."""
        key = (log_id, level, index)
        with self._lock:
            tree = self._trees.get(key)
            if tree is not None:
                self._trees.move_to_end(key)
                return tree
        tree = TileTree(load())
        with self._lock:
            self._trees[key] = tree
            if len(self._trees) > self._tiles:
                self._trees.popitem(last=False)
        return tree


class NodeReader:
    """Reads any complete node of a tree through its tiles.

    `cache` is shared between readers, of any size, of the log `log_id`; without one a reader keeps some tiles
    to itself. Not for concurrent use; the cache is.
    """

    def __init__(
        self, edge: Edge, read_tile: ReadTile, *, cache: TileCache | None = None, log_id: str = ""
    ) -> None:
        self._edge = edge
        self._read_tile = read_tile
        self._cache = TileCache(_OWN_CACHED_TILES) if cache is None else cache
        self._log_id = log_id
        self._partial: dict[int, TileTree] = {}

    def node(self, level: int, index: int) -> bytes:
        """The hash of node (level, index).

        Raises OutOfRange when its leaves are not all in the tree, CorruptLog when its tile is missing.
        """
        if level < 0 or index < 0 or (index + 1) << level > self._edge.size:
            raise OutOfRange("node is not complete at this tree size")
        tile_level, height = divmod(level, TILE_HEIGHT)
        tile = self._tile(tile_level, index >> TILE_HEIGHT - height)
        node = tile.node(height, index & ((TILE_WIDTH >> height) - 1))
        if len(node) != HASH_SIZE:
            raise CorruptLog("tile does not hold the node", index=index << level)
        return node

    def tile(self, level: int, index: int, width: int) -> bytes:
        """The first `width` (1 to 256) hashes of a tile, joined; the rightmost tiles are computed, not stored.

        Raises OutOfRange when the tree does not have them, CorruptLog when the tile is missing.
        """
        if level < 0 or index < 0 or index * TILE_WIDTH + width > self._edge.size >> TILE_HEIGHT * level:
            raise OutOfRange("tile is not in the tree of this size")
        hashes = self._tile(level, index).hashes
        if len(hashes) < width * HASH_SIZE:
            raise CorruptLog("tile is short", index=index << TILE_HEIGHT * (level + 1))
        return hashes[: width * HASH_SIZE]

    def _tile(self, level: int, index: int) -> TileTree:
        count = self._edge.size >> TILE_HEIGHT * level
        if index == count >> TILE_HEIGHT:
            tree = self._partial.get(level)
            if tree is None:
                tree = self._partial[level] = TileTree(b"".join(self._edge.partial[level]))
            return tree
        return self._cache.get(self._log_id, level, index, lambda: _full_tile(self._read_tile, level, index))


def _full_tile(read_tile: ReadTile, level: int, index: int) -> bytes:
    data = read_tile(level, index)
    if data is None or len(data) != TILE_WIDTH * HASH_SIZE:
        raise CorruptLog(
            f"tile {index} of level {level} is missing or short", index=index << TILE_HEIGHT * (level + 1)
        )
    return data


def _split(data: bytes) -> list[bytes]:
    return [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)]


def _subtree(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of hashes."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def _known(node: bytes | None) -> bytes:
    if node is None:  # INVARIANT: a left sibling before the batch is always in the old frontier
        raise AssertionError("frontier of the tree has lost a node")
    return node

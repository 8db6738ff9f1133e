"""The growing edge against the reference tree, at every size and grouping."""

from __future__ import annotations

import hashlib

import pytest
from attending.ledger import merkle
from attending.ledger.errors import CorruptLog, OutOfRange
from attending.ledger.tiles import EMPTY_EDGE, TILE_WIDTH, Edge, NodeReader, Tile, TileCache, grow, load_edge
from hypothesis import given, settings
from hypothesis import strategies as st


def leaf(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8, "big")).digest()


class Tree:
    """An edge with the tiles that its growth filled, beside the reference frontier."""

    def __init__(self) -> None:
        self.edge: Edge = EMPTY_EDGE
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.reference = merkle.Frontier()

    def add(self, count: int) -> None:
        begin = self.edge.size
        leaves = [leaf(number) for number in range(begin, begin + count)]
        growth = grow(self.edge, leaves)
        for item in leaves:
            self.reference.append(item)
        assert growth.before is self.edge
        self.edge = growth.after
        for tile in growth.tiles:
            self.store(tile)
        assert growth.root == self.edge.root == self.reference.root()
        reader = self.reader()
        size = self.edge.size
        for index in {begin, begin + count // 2, size - 1}:
            proof = growth.inclusion_proof(index)
            assert proof == merkle.inclusion_proof(index, size, reader.node)
            merkle.verify_inclusion(leaf(index), index, size, proof, growth.root)
        for outside in (begin - 1, size):
            with pytest.raises(OutOfRange):
                growth.inclusion_proof(outside)

    def store(self, tile: Tile) -> None:
        assert len(tile.hashes) == TILE_WIDTH * 32
        assert (tile.level, tile.position) not in self.tiles
        self.tiles[tile.level, tile.position] = tile.hashes

    def reader(self) -> NodeReader:
        return NodeReader(self.edge, lambda level, index: self.tiles.get((level, index)))

    def loaded(self) -> Edge:
        size = self.edge.size
        rest = [leaf(number) for number in range(size - size % TILE_WIDTH, size)]
        return load_edge(size, rest, lambda level, index: self.tiles.get((level, index)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.integers(1, 9), st.integers(250, 262), st.just(1024)), min_size=1, max_size=25))
def test_any_grouping_gives_the_reference_tree(counts: list[int]) -> None:
    tree = Tree()
    for count in counts:
        tree.add(count)
    assert tree.loaded() == tree.edge
    assert len([key for key in tree.tiles if key[0] == 0]) == tree.edge.size // TILE_WIDTH


def test_two_levels_of_tiles() -> None:
    tree = Tree()
    for count in (65_000, 535, 1, 1, 300):  # 65,536 leaves fill the first tile of level 1
        tree.add(count)
        assert tree.loaded() == tree.edge
    assert (1, 0) in tree.tiles
    for size in (1, 255, 65_535, 65_536, 65_537, tree.edge.size):
        frontier = merkle.Frontier()
        for number in range(size):
            frontier.append(leaf(number))
        assert merkle.compact_range(size, tree.reader().node) == list(frontier.hashes)


def test_nodes_that_are_not_there() -> None:
    tree = Tree()
    tree.add(700)
    for level, index in ((0, 700), (1, 350), (9, 1), (10, 0), (-1, 0), (0, -1), (64, 0)):
        with pytest.raises(OutOfRange):
            tree.reader().node(level, index)
    tree.tiles[0, 1] = tree.tiles[0, 1][:-32]
    with pytest.raises(CorruptLog):
        tree.reader().node(0, 511)
    del tree.tiles[0, 0]
    with pytest.raises(CorruptLog):
        tree.reader().node(0, 3)
    with pytest.raises(CorruptLog):
        tree.loaded()


def test_readers_of_several_sizes_share_one_bounded_cache() -> None:
    tree = Tree()
    cache = TileCache(2)
    reads: list[tuple[int, int]] = []

    def read(level: int, index: int) -> bytes | None:
        reads.append((level, index))
        return tree.tiles.get((level, index))

    for count in (300, 300, 300):
        tree.add(count)
        reader = NodeReader(tree.edge, read, cache=cache, log_id="one")
        for index in range(tree.edge.size):
            assert reader.node(0, index) == leaf(index)
        assert len(cache) <= 2
    assert reads == [(0, 0), (0, 1), (0, 2)]  # none is read again while it is kept
    NodeReader(tree.edge, read, cache=cache, log_id="one").node(0, 0)
    assert reads[3:] == [(0, 0)]  # it had to make room
    other = NodeReader(tree.edge, read, cache=cache, log_id="other")
    other.node(0, 0)
    assert reads[4:] == [(0, 0)]  # another log's tile is another tile


def test_tiles_of_every_width_are_those_of_the_tree() -> None:
    tree = Tree()
    tree.add(65_536 + 600)
    reader = tree.reader()
    for level, index, width in (
        (0, 0, 256),
        (0, 258, 88),
        (0, 258, 1),
        (0, 7, 9),
        (1, 0, 256),
        (1, 1, 2),
        (2, 0, 1),
    ):
        hashes = reader.tile(level, index, width)
        expected = b"".join(reader.node(8 * level, 256 * index + i) for i in range(width))
        assert hashes == expected
        assert len(hashes) == 32 * width
    for level, index, width in (
        (0, 258, 89),
        (1, 1, 3),
        (2, 0, 2),
        (3, 0, 1),
        (9, 0, 1),
        (0, 259, 1),
        (-1, 0, 1),
    ):
        with pytest.raises(OutOfRange):
            reader.tile(level, index, width)

"""RFC 6962: published cases, every small tree, and arbitrary evidence."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import (
    Frontier,
    compact_range,
    consistency_proof,
    empty_root,
    inclusion_proof,
    leaf_hash,
    node_hash,
    right_edge,
    root_from_hashes,
    verify_consistency,
    verify_inclusion,
)
from hypothesis import given
from hypothesis import strategies as st

VECTORS = Path(__file__).parents[3] / "shared/vectors/merkle-rfc6962"
needs_vectors = pytest.mark.skipif(not VECTORS.is_dir(), reason="RFC 6962 vectors are not on this machine")


def _cases(kind: str) -> list[Any]:
    paths = sorted((VECTORS / kind).rglob("*.json"))
    return [pytest.param(path, id=str(path.relative_to(VECTORS))) for path in paths]


def _bytes(value: str | None) -> bytes:
    return base64.b64decode(value or "")


@needs_vectors
@pytest.mark.parametrize("path", _cases("inclusion"))
def test_published_inclusion_case(path: Path) -> None:
    case = json.loads(path.read_text())
    proof = [_bytes(item) for item in case["proof"] or []]

    def verify() -> None:
        verify_inclusion(
            _bytes(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, _bytes(case["root"])
        )

    _expect(case["wantErr"], verify)


@needs_vectors
@pytest.mark.parametrize("path", _cases("consistency"))
def test_published_consistency_case(path: Path) -> None:
    case = json.loads(path.read_text())
    proof = [_bytes(item) for item in case["proof"] or []]

    def verify() -> None:
        verify_consistency(case["size1"], case["size2"], _bytes(case["root1"]), _bytes(case["root2"]), proof)

    _expect(case["wantErr"], verify)


def _expect(error: bool, verify: Callable[[], None]) -> None:
    if error:
        with pytest.raises(VerificationError):
            verify()
    else:
        verify()


@needs_vectors
def test_published_tree() -> None:
    constants = json.loads((VECTORS / "constants.json").read_text())
    levels = [[leaf_hash(bytes.fromhex(item)) for item in constants["leaf_inputs"]]]
    while len(levels[-1]) > 1:
        row = levels[-1]
        levels.append([node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)])
    assert [[item.hex() for item in row] for row in levels] == constants["node_hashes_by_level"]
    frontier, roots = Frontier(), []
    for item in levels[0]:
        frontier.append(item)
        roots.append(frontier.root().hex())
    assert [*roots, empty_root().hex()] == constants["root_hashes_by_size"]


SIZE = 70
LEAVES = [leaf_hash(str(index).encode()) for index in range(SIZE)]


def node(level: int, index: int) -> bytes:
    return (
        LEAVES[index] if level == 0 else node_hash(node(level - 1, 2 * index), node(level - 1, 2 * index + 1))
    )


def rfc_root(leaves: list[bytes]) -> bytes:
    """Merkle tree hash as RFC 6962 section 2.1 writes it, by recursion: an independent second opinion."""
    if not leaves:
        return empty_root()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(rfc_root(leaves[:split]), rfc_root(leaves[split:]))


ROOTS = [rfc_root(LEAVES[:size]) for size in range(SIZE + 1)]


def test_frontier_has_the_root_of_the_definition_at_every_size() -> None:
    frontier = Frontier()
    for size in range(SIZE + 1):
        assert frontier.size == size
        assert frontier.root() == ROOTS[size] == Frontier(size, compact_range(size, node)).root()
        assert frontier.hashes == tuple(compact_range(size, node))
        if size < SIZE:
            frontier.append(LEAVES[size])


def test_every_inclusion_proof_of_small_trees() -> None:
    for size in range(1, SIZE + 1):
        for index in range(size):
            proof = inclusion_proof(index, size, node)
            verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])


def test_every_consistency_proof_of_small_trees() -> None:
    for size2 in range(SIZE + 1):
        for size1 in range(size2 + 1):
            proof = consistency_proof(size1, size2, node)
            verify_consistency(size1, size2, ROOTS[size1], ROOTS[size2], proof)


positions = st.integers(1, SIZE).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size)))


@given(positions, st.data())
def test_a_flipped_bit_or_another_place_fails_inclusion(
    position: tuple[int, int], data: st.DataObject
) -> None:
    index, size = position
    proof = inclusion_proof(index, size, node)
    hashes = [LEAVES[index], ROOTS[size], *proof]
    chosen = data.draw(st.integers(0, len(hashes) - 1))
    bit = data.draw(st.integers(0, 255))
    hashes[chosen] = (int.from_bytes(hashes[chosen], "big") ^ 1 << bit).to_bytes(32, "big")
    with pytest.raises(VerificationError):
        verify_inclusion(hashes[0], index, size, hashes[2:], hashes[1])
    other = data.draw(
        st.integers(0, size - 1).filter(lambda value: value != index) if size > 1 else st.just(1)
    )
    with pytest.raises(VerificationError):
        verify_inclusion(LEAVES[index], other, size, proof, ROOTS[size])


@given(st.integers(1, SIZE), st.integers(1, SIZE), st.data())
def test_a_flipped_bit_fails_consistency(first: int, second: int, data: st.DataObject) -> None:
    size1, size2 = sorted((first, second))
    hashes = [ROOTS[size1], ROOTS[size2], *consistency_proof(size1, size2, node)]
    chosen, bit = data.draw(st.integers(0, len(hashes) - 1)), data.draw(st.integers(0, 255))
    hashes[chosen] = (int.from_bytes(hashes[chosen], "big") ^ 1 << bit).to_bytes(32, "big")
    with pytest.raises(VerificationError):
        verify_consistency(size1, size2, hashes[0], hashes[1], hashes[2:])


junk = (
    st.none() | st.integers() | st.integers(0, 2**70) | st.binary(max_size=40) | st.text(max_size=3) | st.floats()
    | st.booleans() | st.lists(st.binary(min_size=32, max_size=32) | st.integers(), max_size=70)
)  # fmt: skip
hashes32 = st.binary(min_size=32, max_size=32)


@given(junk | hashes32, junk, junk, junk, junk | hashes32)
def test_any_input_is_refused_as_verification_error(
    leaf: Any, index: Any, size: Any, proof: Any, root: Any
) -> None:
    for verify, arguments in (
        (verify_inclusion, (leaf, index, size, proof, root)),
        (verify_consistency, (index, size, leaf, root, proof)),
    ):
        try:
            verify(*arguments)
        except VerificationError:
            continue
        # What passed by chance can only be a tree of one leaf, or one tree twice.
        assert proof in ([], ())
        assert leaf == root


@pytest.mark.parametrize("size", [2**63 - 1, 2**62, 2**63, 2**64, 10**30, -1])
def test_huge_and_negative_sizes_terminate(size: int) -> None:
    proof, zero = [b"\x01" * 32] * 100, bytes(32)
    for index, tree_size in ((0, size), (size, 5)):
        with pytest.raises(VerificationError):
            verify_inclusion(zero, index, tree_size, proof, zero)
    for size1, size2 in ((1, size), (size, 1)):
        with pytest.raises(VerificationError):
            verify_consistency(size1, size2, zero, zero, proof)


def test_empty_tree_is_a_prefix_of_every_tree_and_contains_nothing() -> None:
    verify_consistency(0, 0, empty_root(), empty_root(), [])
    verify_consistency(0, 5, empty_root(), ROOTS[5], [])
    for arguments in (
        (0, 5, ROOTS[1], ROOTS[5], []),
        (0, 5, empty_root(), ROOTS[5], [ROOTS[1]]),
        (0, 0, empty_root(), ROOTS[1], []),
        (5, 5, ROOTS[5], ROOTS[4], []),
        (5, 5, ROOTS[5], ROOTS[5], [ROOTS[5]]),
    ):
        with pytest.raises(VerificationError):
            verify_consistency(*arguments)
    with pytest.raises(VerificationError):
        verify_inclusion(LEAVES[0], 0, 0, [], empty_root())


def test_proof_builders_read_complete_subtrees_of_the_tree_only() -> None:
    for size in range(1, SIZE + 1):
        for index in range(size):
            seen: list[tuple[int, int]] = []

            def read(level: int, position: int, seen: list[tuple[int, int]] = seen) -> bytes:
                seen.append((level, position))
                return node(level, position)

            inclusion_proof(index, size, read)
            assert all((position + 1) << level <= size for level, position in seen)
            assert len(seen) <= 2 * size.bit_length()


@pytest.mark.parametrize("arguments", [(5, 5), (-1, 5), (0, 0)])
def test_inclusion_proof_of_no_leaf_is_the_programmers_error(arguments: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not below"):
        inclusion_proof(*arguments, node)


def test_frontier_grows_by_aligned_subtrees_and_refuses_others() -> None:
    frontier = Frontier()
    frontier.append_subtree(3, node(3, 0))
    frontier.append_subtree(1, node(1, 4))
    assert frontier.root() == ROOTS[10]
    twin = frontier.copy()
    twin.append(LEAVES[10])
    assert (frontier.root(), twin.root()) == (ROOTS[10], ROOTS[11])
    with pytest.raises(ValueError, match="align"):
        frontier.append_subtree(2, node(2, 0))
    for size, hashes in ((3, [LEAVES[0]]), (1, [b"short"]), (-1, []), (2**64, [LEAVES[0]])):
        with pytest.raises(ValueError, match="hashes"):
            Frontier(size, hashes)


def test_right_edge_tiles_the_tree() -> None:
    for size in range(SIZE + 1):
        edge = right_edge(size)
        covered = [leaf for level, index in edge for leaf in range(index << level, (index + 1) << level)]
        assert covered == list(range(size))
        assert root_from_hashes(node(level, index) for level, index in edge) == ROOTS[size]

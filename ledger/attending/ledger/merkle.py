"""RFC 6962 Merkle trees: hashes, proofs, their verification, and the right edge of a growing tree.

Hashes are 32 bytes. A node (level, index) is the root of the complete subtree over the leaves
[index << level, (index + 1) << level); level 0 is the leaf hashes.

The verifiers take evidence from the world: whatever ints, bytes or other objects they are given, they
return None or raise VerificationError, nothing else. The builders take trusted state: a wrong argument
there is the programmer's ValueError.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from attending.ledger.errors import VerificationError

HASH_SIZE: Final = 32
MAX_TREE_SIZE: Final = 2**63 - 1
"""Tree sizes past this are refused: no store and no wire format of ours can hold them."""

_sha256 = hashlib.sha256
_EMPTY_ROOT: Final = hashlib.sha256(b"").digest()

GetNode = Callable[[int, int], bytes]
"""(level, index) -> hash of a complete subtree."""


def empty_root() -> bytes:
    """The root hash of the tree of size 0: SHA-256 of nothing (RFC 6962 section 2.1)."""
    return _EMPTY_ROOT


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data): the leaf hash of an entry's stored bytes (RFC 6962 section 2.1)."""
    return _sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right): an inner node (RFC 6962 section 2.1)."""
    return _sha256(b"\x01" + left + right).digest()


def verify_inclusion(
    leaf_hash: bytes, index: int, tree_size: int, proof: Sequence[bytes], root_hash: bytes
) -> None:
    """Returns when `proof` shows that `leaf_hash` is leaf `index` of the tree of `tree_size` and
    `root_hash`.

    `index` is zero-based and below `tree_size`; `proof` is a list or tuple of 32-byte hashes, leaf side
    first. Raises VerificationError (reason INCLUSION_PROOF) otherwise. It does not say that the root is
    anyone's: check the checkpoint. Source: RFC 6962 section 2.1.1, RFC 9162 section 2.1.3.2.
    """
    reason = "INCLUSION_PROOF"
    _require_sizes(reason, index, tree_size)
    _require_hashes(reason, leaf_hash, root_hash)
    _require_proof(reason, proof)
    if index >= tree_size:
        raise VerificationError("leaf index is not below the tree size", reason=reason)
    node, last = index, tree_size - 1
    computed = leaf_hash
    for sibling in proof:
        if last == 0:
            raise VerificationError("proof is too long", reason=reason)
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            computed = node_hash(computed, sibling)
        node >>= 1
        last >>= 1
    if last != 0:
        raise VerificationError("proof is too short", reason=reason)
    if computed != root_hash:
        raise VerificationError("proof leads to another root hash", reason=reason)


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Returns when `proof` shows that the tree (size1, root1) is a prefix of the tree (size2, root2).

    Equal sizes need equal roots and an empty proof; the empty tree needs the empty root and an empty proof.
    Raises VerificationError (reason CONSISTENCY_PROOF) otherwise. Source: RFC 6962 section 2.1.2, RFC 9162
    section 2.1.4.2.
    """
    reason = "CONSISTENCY_PROOF"
    _require_sizes(reason, size1, size2)
    _require_hashes(reason, root1, root2)
    _require_proof(reason, proof)
    if size1 > size2:
        raise VerificationError("first tree is larger than the second", reason=reason)
    for size, root in ((size1, root1), (size2, root2)):
        if size == 0 and root != _EMPTY_ROOT:
            raise VerificationError("root hash of an empty tree is wrong", reason=reason)
    if size1 in (0, size2):
        if len(proof) != 0:
            raise VerificationError("proof is too long", reason=reason)
        if size1 == size2 and root1 != root2:
            raise VerificationError("two root hashes for one tree size", reason=reason)
        return
    # A first tree that is complete is itself a node of the second: its root opens the proof.
    path = list(proof) if size1 & (size1 - 1) else [root1, *proof]
    if not path:
        raise VerificationError("proof is too short", reason=reason)
    node, last = size1 - 1, size2 - 1
    while node & 1:
        node >>= 1
        last >>= 1
    computed1 = computed2 = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise VerificationError("proof is too long", reason=reason)
        if node & 1 or node == last:
            computed1 = node_hash(sibling, computed1)
            computed2 = node_hash(sibling, computed2)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            computed2 = node_hash(computed2, sibling)
        node >>= 1
        last >>= 1
    if last != 0:
        raise VerificationError("proof is too short", reason=reason)
    if computed1 != root1 or computed2 != root2:
        raise VerificationError("proof leads to other root hashes", reason=reason)


def root_from_hashes(hashes: Iterable[bytes]) -> bytes:
    """The root over a right edge (largest subtree first), folded from the right; the empty root for none."""
    root = b""
    for subtree in reversed(list(hashes)):
        root = node_hash(subtree, root) if root else subtree
    return root or _EMPTY_ROOT


def right_edge(size: int) -> list[tuple[int, int]]:
    """The nodes (level, index) of the complete subtrees that tile [0, size), largest first."""
    nodes, begin = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            nodes.append((level, begin >> level))
            begin += 1 << level
    return nodes


class Frontier:
    """The right edge of a growing tree: the roots of the complete subtrees that tile [0, size).

    This is the compact range [0, size): about log2(size) hashes, enough to go on appending and to know the
    root. Mutable, not for concurrent use; `copy` is cheap.
    """

    __slots__ = ("_hashes", "_size")

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """`hashes` are 32 bytes each, largest subtree first, one per set bit of `size`; ValueError
        otherwise.
        """
        if type(size) is not int or not 0 <= size <= MAX_TREE_SIZE or size.bit_count() != len(hashes):
            raise ValueError("number of hashes does not fit the size")
        if any(type(value) is not bytes or len(value) != HASH_SIZE for value in hashes):
            raise ValueError("hashes are 32 bytes each")
        self._size = size
        self._hashes = list(hashes)

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The right-edge hashes, largest subtree first."""
        return tuple(self._hashes)

    def append(self, leaf_hash: bytes) -> None:
        """Adds one leaf hash; amortised O(1)."""
        hashes, size = self._hashes, self._size
        while size & 1:
            leaf_hash = _sha256(b"\x01" + hashes.pop() + leaf_hash).digest()
            size >>= 1
        hashes.append(leaf_hash)
        self._size += 1

    def append_subtree(self, level: int, subtree: bytes) -> None:
        """Adds a complete subtree of 2**level leaves; ValueError unless the size is a multiple of that."""
        if self._size & ((1 << level) - 1):
            raise ValueError("subtree does not align with the size")
        width = self._size >> level
        while width & 1:
            subtree = node_hash(self._hashes.pop(), subtree)
            width >>= 1
        self._hashes.append(subtree)
        self._size += 1 << level

    def root(self) -> bytes:
        """The root hash of the tree of `size` leaves."""
        return root_from_hashes(self._hashes)

    def copy(self) -> Frontier:
        """An independent copy."""
        twin = Frontier.__new__(Frontier)
        twin._size, twin._hashes = self._size, self._hashes.copy()
        return twin


def inclusion_proof(index: int, size: int, get_node: GetNode) -> list[bytes]:
    """The proof that leaf `index` is in the tree of `size`, leaf side first.

    `get_node(level, index)` reads complete subtrees only, at most about 2 * log2(size) of them. ValueError
    unless 0 <= index < size. Source: RFC 6962 section 2.1.1.
    """
    if not 0 <= index < size:
        raise ValueError("leaf index is not below the tree size")
    proof: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            proof.append(_range_root(middle, end, get_node))
            end = middle
        else:
            proof.append(_range_root(begin, middle, get_node))
            begin = middle
    proof.reverse()
    return proof


def consistency_proof(size1: int, size2: int, get_node: GetNode) -> list[bytes]:
    """The proof that the tree of `size1` is a prefix of the tree of `size2`; empty when size1 is 0 or
    size2.

    ValueError unless 0 <= size1 <= size2. Source: RFC 6962 section 2.1.2.
    """
    if not 0 <= size1 <= size2:
        raise ValueError("sizes are not in order")
    if size1 in (0, size2):
        return []
    proof: list[bytes] = []
    begin, end = 0, size2
    while end != size1:
        middle = begin + _split(end - begin)
        if size1 <= middle:
            proof.append(_range_root(middle, end, get_node))
            end = middle
        else:
            proof.append(_range_root(begin, middle, get_node))
            begin = middle
    if begin:  # otherwise the first tree is complete and the verifier holds its root already
        proof.append(_range_root(begin, end, get_node))
    proof.reverse()
    return proof


def compact_range(size: int, get_node: GetNode) -> list[bytes]:
    """The right-edge hashes of [0, size): what a bundle of the range [size, b) needs to reach the root."""
    return [get_node(level, index) for level, index in right_edge(size)]


def _split(width: int) -> int:
    """The largest power of two below `width` (at least 2)."""
    return 1 << ((width - 1).bit_length() - 1)


def _range_root(begin: int, end: int, get_node: GetNode) -> bytes:
    """The hash over leaves [begin, end), where `begin` is aligned as RFC 6962 splits guarantee."""
    return root_from_hashes(
        get_node(level, (begin >> level) + index) for level, index in right_edge(end - begin)
    )


def _require_sizes(reason: str, *sizes: object) -> None:
    for size in sizes:
        if type(size) is not int or not 0 <= size <= MAX_TREE_SIZE:
            raise VerificationError("index or tree size out of bounds", reason=reason)


def _require_hashes(reason: str, *hashes: object) -> None:
    for value in hashes:
        if type(value) is not bytes or len(value) != HASH_SIZE:
            raise VerificationError("hash is not 32 bytes", reason=reason)


def _require_proof(reason: str, proof: object) -> None:
    if not isinstance(proof, list | tuple):
        raise VerificationError("proof is not a list of hashes", reason=reason)
    _require_hashes(reason, *proof)

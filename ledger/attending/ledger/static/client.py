"""A tlog-tiles client: verifies a log from its static resources alone, whoever serves them.

    log = TiledLog.open(fetch, [vkey])
    for entry in log.entries(0, log.size): ...
    receipt = format_receipt(index, log.inclusion_proof(index), log.checkpoint)

Nothing that is returned has not been verified against the signed root: the rightmost tiles lead to the root,
every other tile hashes to its place in the tile above it, every entry to its place in a tile of level 0. Needs
the standard library and `cryptography` only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final, Self

from attending.ledger import checkpoint as checkpoints
from attending.ledger import merkle
from attending.ledger.checkpoint import Checkpoint, Term, Verifier
from attending.ledger.errors import NotFound, OutOfRange, VerificationError
from attending.ledger.introduction import MAX_INTRODUCTIONS, Introduction, follow, learned, terms
from attending.ledger.merkle import HASH_SIZE, leaf_hash, root_from_hashes
from attending.ledger.note import VerifierKey
from attending.ledger.static.bundles import parse_bundle, parse_tile
from attending.ledger.static.paths import (
    CHECKPOINT,
    TilePath,
    introduction_path,
    partial_tiles_of,
    width_at,
)
from attending.ledger.tiles import TILE_HEIGHT, TILE_WIDTH, TileTree

Fetch = Callable[[str], bytes]
"""Path to the bytes there. Raises NotFound when there is nothing; what else it raises goes to the caller."""

_CACHED_TILES: Final = 512


class TiledLog:
    """One verified checkpoint of a log and whatever lies under it. For one thread.

    `tile` and `bundle` return bytes exactly as they were fetched, once they are verified.
    """

    def __init__(self, fetch: Fetch, head: Checkpoint, checkpoint: str) -> None:
        """Use `open`."""
        self._fetch = fetch
        self.head: Final = head
        self.checkpoint: Final = checkpoint
        """The checkpoint's note as fetched."""
        self._right: dict[tuple[int, int], TileTree] = {}
        self._cache: OrderedDict[tuple[int, int], TileTree] = OrderedDict()

    @classmethod
    def open(
        cls,
        fetch: Fetch,
        verifiers: Iterable[Verifier | str],
        *,
        older: str | None = None,
        witnesses: Collection[VerifierKey] = (),
        quorum: int = 0,
    ) -> Self:
        """The log under its current checkpoint.

        1. The checkpoint is signed by one of `verifiers` (keys or verifier key strings), or by one that the log's
        introductions lead to from there, and cosigned by `quorum` of `witnesses`. 2. The rightmost tiles lead to its
        root hash, and the tree extends that of each introduction used. 3. With `older`, a checkpoint seen before: it is
        signed by the same keys and its tree is a prefix of this one, proved from tiles.

        Raises VerificationError: what `checkpoint.verify` and `introduction.follow` raise; TILE_MISSING, TILE_FORMAT,
        TILE_MISMATCH (the detail names the tile); CHECKPOINT_ROLLED_BACK (the log is behind `older`),
        CONSISTENCY_PROOF (it is another history, or was introduced as one), CHECKPOINT_ORIGIN (they are of two logs).
        """
        keys = [VerifierKey.parse(key) if isinstance(key, str) else key for key in verifiers]
        data = _required(fetch, CHECKPOINT)
        chain: tuple[Introduction, ...] = ()
        try:
            head = checkpoints.verify(data, keys, witnesses=witnesses, quorum=quorum)  # 1
        except VerificationError as err:
            if err.reason != "UNKNOWN_KEY" or not (chain := _introductions(fetch, data)):
                raise
            known = learned(keys, [item.text for item in chain])
            head = checkpoints.verify(data, known, witnesses=witnesses, quorum=quorum)
        log = cls(fetch, head, data.decode())
        log._load_right_edge()  # 2
        log._require_introduced(chain)
        if older is not None:
            log.require_extends(older, keys)  # 3
        return log

    def require_extends(self, older: str, verifiers: Iterable[Verifier | str]) -> None:
        """Returns when `older`, a checkpoint seen before, is of a tree that this one extends, and is signed by one of
        `verifiers`, a key introduced from there or one that led to it. Raises VerificationError as `open`.
        """
        keys = [VerifierKey.parse(key) if isinstance(key, str) else key for key in verifiers]
        try:
            head = checkpoints.verify(older, keys)
        except VerificationError as err:
            if err.reason != "UNKNOWN_KEY" or not (chain := self.introductions()):
                raise
            # Also a key from before the one that was given: what it signed is compared with the tree.
            plain = [key.key if isinstance(key, Term) else key for key in keys]
            head = checkpoints.verify(older, terms(plain, chain, before=True))
        self._require_extends(head)

    def introductions(self) -> tuple[Introduction, ...]:
        """How the log's signing key was rotated up to this checkpoint, from the first key on, as the log tells; each is
        true in itself and of a tree that this one extends. Raises VerificationError as `open`.
        """
        chain = _introductions(self._fetch, self.checkpoint)
        self._require_introduced(chain)
        return chain

    @property
    def size(self) -> int:
        """Tree size of the checkpoint."""
        return self.head.size

    def root(self, size: int) -> bytes:
        """The root hash of the tree of `size`, at most that of the checkpoint; OutOfRange."""
        if not 0 <= size <= self.size:
            raise OutOfRange("tree size is past the checkpoint's")
        return root_from_hashes(merkle.compact_range(size, self.node))

    def inclusion_proof(self, index: int, size: int | None = None) -> list[bytes]:
        """The proof of entry `index` in the tree of `size`, by default the checkpoint's; OutOfRange."""
        tree_size = self.size if size is None else size
        if not 0 <= index < tree_size <= self.size:
            raise OutOfRange("index is not below the tree size, or that is past the checkpoint's")
        return merkle.inclusion_proof(index, tree_size, self.node)

    def consistency_proof(self, size1: int, size2: int | None = None) -> list[bytes]:
        """The proof that the tree of `size1` is a prefix of that of `size2`; OutOfRange unless in order."""
        tree_size = self.size if size2 is None else size2
        if not 0 <= size1 <= tree_size <= self.size:
            raise OutOfRange("tree sizes are not in order up to the checkpoint's")
        return merkle.consistency_proof(size1, tree_size, self.node)

    def node(self, level: int, index: int) -> bytes:
        """The verified hash of the complete subtree (level, index); OutOfRange when the tree lacks it."""
        if level < 0 or index < 0 or (index + 1) << level > self.size:
            raise OutOfRange("node is not complete at this tree size")
        tile_level, height = divmod(level, TILE_HEIGHT)
        tree = self._tile(tile_level, index >> TILE_HEIGHT - height)
        return tree.node(height, index & ((TILE_WIDTH >> height) - 1))

    def tile(self, path: TilePath) -> bytes:
        """The verified hashes of a tile; a narrower one than the tree has is the beginning of that.

        Raises OutOfRange when the tree does not have it, VerificationError as `open`.
        """
        if path.level is None or path.needs > self.size:
            raise OutOfRange("tile is not in the tree of this size")
        return self._tile(path.level, path.index).hashes[: path.width * HASH_SIZE]

    def bundle(self, index: int) -> list[bytes]:
        """The verified entries of bundle `index`: 256, or what there are in the last one.

        Raises OutOfRange; VerificationError: TILE_MISSING, BUNDLE_FORMAT (with the bundle's first index),
        BUNDLE_MISMATCH (an entry is not that of the tile; with its index), and for its tile as `open`.
        """
        width = width_at(self.size, 0, index)
        if index < 0 or not width:
            raise OutOfRange("bundle is not in the tree of this size")
        hashes = self._tile(0, index).hashes
        data, have = self._either(TilePath(None, index, width))
        first = index * TILE_WIDTH
        try:
            entries = parse_bundle(data, have)[:width]
        except VerificationError as err:
            raise VerificationError(err.detail, reason=err.reason, index=first) from None
        for offset, entry in enumerate(entries):
            if leaf_hash(entry) != hashes[offset * HASH_SIZE : (offset + 1) * HASH_SIZE]:
                detail = "entry of a bundle is not the one that the tile commits to"
                raise VerificationError(detail, reason="BUNDLE_MISMATCH", index=first + offset)
        return entries

    def entry(self, index: int) -> bytes:
        """The verified stored bytes of entry `index`; as `bundle`."""
        if not 0 <= index < self.size:
            raise OutOfRange("index is at or past the tree size")
        return self.bundle(index // TILE_WIDTH)[index % TILE_WIDTH]

    def entries(self, begin: int, end: int) -> Iterator[bytes]:
        """The verified stored bytes of the entries [begin, end), a bundle at a time; as `bundle`."""
        if not 0 <= begin <= end <= self.size:
            raise OutOfRange("range is past the tree size")
        index = begin
        while index < end:
            first = index // TILE_WIDTH * TILE_WIDTH
            part = self.bundle(index // TILE_WIDTH)[index - first : end - first]
            yield from part
            index += len(part)

    # --- inside ----------------------------------------------------------------------------------------

    def _tile(self, level: int, index: int) -> TileTree:
        """The verified tile as wide as the tree has it. INVARIANT: what is kept was verified."""
        tree = self._right.get((level, index)) or self._cache.get((level, index))
        if tree is not None:
            return tree
        # Each tile above covers 256 of these, so the recursion is at most 8 deep and ends at the right edge.
        above = self._tile(level + 1, index // TILE_WIDTH)
        path = TilePath(level, index)
        tree = TileTree(self._parsed(path, _required(self._fetch, str(path))))
        if tree.node(TILE_HEIGHT, 0) != above.node(0, index % TILE_WIDTH):
            raise _mismatch(path, "does not hash to its place in the tile above it")
        self._cache[level, index] = tree
        if len(self._cache) > _CACHED_TILES:
            self._cache.popitem(last=False)
        return tree

    def _load_right_edge(self) -> None:
        """Reads the partial tiles, in which the whole right edge of the tree lies, and checks the root."""
        roots: list[bytes] = []
        paths = partial_tiles_of(self.size)
        for path in paths:
            data, have = self._either(path)
            hashes = self._parsed(path, data, have)[: path.width * HASH_SIZE]
            tree = self._right[path.level or 0, path.index] = TileTree(hashes)
            position = 0
            subtrees = []
            for height in range(TILE_HEIGHT - 1, -1, -1):
                if path.width >> height & 1:
                    subtrees.append(tree.node(height, position >> height))
                    position += 1 << height
            roots = subtrees + roots
        if root_from_hashes(roots) != self.head.root:
            names = ", ".join(f"`{path}`" for path in paths)
            detail = f"tiles {names} do not lead to the root hash of the checkpoint"
            raise VerificationError(detail, reason="TILE_MISMATCH")

    def _either(self, path: TilePath) -> tuple[bytes, int]:
        """(bytes, width) of `path`, or of the full one once the partial one is gone, as a log may let it."""
        if path.width < TILE_WIDTH:
            try:
                return self._fetch(str(path)), path.width
            except NotFound:
                try:
                    return self._fetch(str(path.full)), TILE_WIDTH
                except NotFound:
                    pass
        return _required(self._fetch, str(path)), path.width

    @staticmethod
    def _parsed(path: TilePath, data: bytes, width: int | None = None) -> bytes:
        try:
            return parse_tile(data, path.width if width is None else width)
        except VerificationError as err:
            raise VerificationError(f"`{path}`: {err.detail}", reason=err.reason) from None

    def _require_introduced(self, chain: Sequence[Introduction]) -> None:
        for item in chain:
            size = item.rotation.size
            if size > self.size or self.root(size) != item.root:
                detail = f"log is not the one in which its key was introduced at size {size}"
                raise VerificationError(detail, reason="CONSISTENCY_PROOF", index=item.rotation.index)

    def _require_extends(self, older: Checkpoint) -> None:
        if older.origin != self.head.origin:
            raise VerificationError("the two checkpoints are of two logs", reason="CHECKPOINT_ORIGIN")
        if older.size > self.size:
            raise VerificationError(
                f"checkpoint of {self.size} entries is behind the older one of {older.size}",
                reason="CHECKPOINT_ROLLED_BACK",
            )
        proof = self.consistency_proof(older.size)
        merkle.verify_consistency(older.size, self.size, older.root, self.head.root, proof)


def _introductions(fetch: Fetch, note: str | bytes) -> tuple[Introduction, ...]:
    """The introductions that the log serves up to its checkpoint `note`, which nobody need have verified."""
    claim = checkpoints.parse_checkpoint(note)
    texts: list[bytes] = []
    while len(texts) < MAX_INTRODUCTIONS:
        try:
            texts.append(fetch(introduction_path(len(texts) + 2)))
        except NotFound:
            break
    return tuple(item for item in follow(texts, claim.origin) if item.rotation.size <= claim.size)


def _required(fetch: Fetch, path: str) -> bytes:
    try:
        return fetch(path)
    except NotFound:
        raise VerificationError(f"`{path}` is missing", reason="TILE_MISSING") from None


def _mismatch(path: TilePath, detail: str) -> VerificationError:
    first = path.index << TILE_HEIGHT * ((path.level or 0) + 1)
    return VerificationError(f"tile `{path}` {detail}", reason="TILE_MISMATCH", index=first)

"""Verification of a whole stored log: entries, rows, tiles and head, in one or several processes.

Needs the standard library only; how the log is read comes from an `Opener`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from attending.ledger.merkle import HASH_SIZE, Frontier, empty_root, leaf_hash
from attending.ledger.verify.parts import Opener, Reader, Scope, compare_tile
from attending.ledger.verify.segments import SEGMENT_SIZE, Chain, Mode, Problem
from attending.ledger.verify.workers import verified_parts

Progress = Callable[[int, int], None]
"""(entries verified, entries in the log)."""

_ALTERED: Final = "its bytes are not those that the log committed to"


@dataclass(frozen=True, slots=True)
class StoredHead:
    """A head as a store states it: what the entries must lead to. `last_leaf` and `time` are those of the last
    entry; None when they are not to be compared.
    """

    origin: str
    size: int
    root: bytes
    last_leaf: bytes | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verification came to. It verified exactly when `problems` is empty.

    `problems` are sorted by index, one for each bad entry, at most some thousands; `uncounted` more were
    dropped. `roots` are the root hashes at the `sizes` asked for.
    """

    head: StoredHead
    mode: Mode
    problems: tuple[Problem, ...]
    uncounted: int
    roots: dict[int, bytes]


def verify_stored_log(
    opener: Opener,
    head: StoredHead,
    *,
    mode: Mode = Mode.COMPLETE,
    processes: int = 1,
    tiles: bool = True,
    sizes: Collection[int] = (),
    progress: Progress | None = None,
) -> Outcome:
    """Reads every entry below `head.size` and compares all with all.

    1. Each entry by itself, its row, its place, time and links, as `mode` says. 2. Full tiles, of every level,
    are those of the entries. 3. The entries lead to the head's root, last leaf and time. 4. Where the root
    does not come out, the altered entries are named by the links around them. 5. The root at each of `sizes`,
    at most that of the head, is given for comparison with other heads.

    What is wrong is in the outcome. Raises VerificationIncomplete, or what the reader raises, when not all
    could be read: then nothing is verified. It says nothing about who vouches for the head: compare it with a
    signed checkpoint. Memory is bounded: parts under way, and what is wrong.
    """
    chain, roots = Chain(), {size: empty_root() for size in sizes if size == 0}
    parts = verified_parts(opener, Scope(head.origin, head.size, mode, tiles), processes)
    reader = opener()
    higher = _HigherTiles(reader)
    try:
        for part in parts:
            for size in sizes:  # 5
                if part.segment.begin < size <= part.segment.end:
                    roots[size] = _root_at(reader, chain.frontier, size)
            chain.fold(part.segment)  # 1
            higher.add(part.roots)  # 2
            if progress is not None:
                progress(chain.size, head.size)
    finally:
        parts.close()  # ends the workers
        reader.close()
    problems = _by_index(chain, head, [*chain.problems, *higher.problems])
    return Outcome(head, mode, problems, chain.uncounted, roots)


def _by_index(chain: Chain, head: StoredHead, found: list[Problem]) -> tuple[Problem, ...]:
    bad: dict[int, Problem] = {}

    def add(index: int, reason: str, detail: str) -> None:
        bad.setdefault(index, Problem(index, reason, detail))

    last = max(head.size - 1, 0)
    if chain.root() == head.root:  # 3
        for link in chain.broken:
            add(link.index, "LINK", "`prev` is not the leaf hash of the entry before")
    else:
        named = chain.altered(lambda root: root == head.root)  # 4
        for index in named:
            add(index, "LEAF_HASH", _ALTERED)
        if not named and not chain.astray:
            # All links hold: the last entry, for which no successor vouches, or the head.
            add(last, "ROOT", "entries do not lead to the head: it, or the last entry, was altered")
    for problem in found:
        add(problem.index, problem.reason, problem.detail)
    last_leaf = chain.last_leaf
    if head.last_leaf is not None and head.last_leaf != last_leaf:
        add(last, "HEAD", "last leaf hash of the head is not that of the last entry")
    if head.time is not None and chain.last_time is not None and head.time != chain.last_time:
        add(last, "HEAD", "time of the head is not that of the last entry")
    return tuple(bad[index] for index in sorted(bad))


def _root_at(reader: Reader, frontier: Frontier, size: int) -> bytes:
    for row in reader.rows(frontier.size, size):
        frontier.append(leaf_hash(row[1]) if type(row[1]) is bytes else bytes(HASH_SIZE))
    return frontier.root()


class _HigherTiles:
    """Compares stored tiles of level 1 and above with the roots of the full tiles below, as they come."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._pending: list[list[bytes]] = []
        self._filled: list[int] = []
        self.problems: list[Problem] = []

    def add(self, roots: tuple[bytes, ...]) -> None:
        for root in roots:
            self._push(0, root)

    def _push(self, above: int, root: bytes) -> None:
        if above == len(self._pending):
            self._pending.append([])
            self._filled.append(0)
        row = self._pending[above]
        row.append(root)
        if len(row) < SEGMENT_SIZE:
            return
        self.problems += compare_tile(self._reader, above + 1, self._filled[above], row)
        self._filled[above] += 1
        self._pending[above] = []
        frontier = Frontier()
        for item in row:
            frontier.append(item)
        self._push(above + 1, frontier.root())

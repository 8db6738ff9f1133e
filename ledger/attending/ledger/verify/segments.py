"""Verification of a contiguous run of entries: form, place, links and root, naming the first bad index.

Entries are read in segments that end at multiples of 256. A segment needs nothing from outside, so segments
may be verified in any order or process; `Chain` folds them: it checks that each begins where the last ended
and gathers the frontier.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from attending.ledger.entry import GENESIS_PREV, Entry, parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import HASH_SIZE, Frontier, leaf_hash, node_hash

SEGMENT_SIZE: Final = 256
MAX_PROBLEMS: Final = 1000
"""Problems kept; what is past that is counted only."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at a position of the log; `reason` as in VerificationError."""

    index: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """Entry `index` states `stated` as the leaf hash of its predecessor, which has another one."""

    index: int
    stated: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """The verified contents of positions [begin, end).

    `entries` has None where the bytes are not an entry. `first_prev` and `first_time` are the first
    entry's, None when it is unreadable; `last_time` is the last readable entry's. `subtrees` are the
    (level, hash) of the complete subtrees that tile the segment, left to right.
    """

    begin: int
    end: int
    entries: tuple[Entry | None, ...]
    leaves: tuple[bytes, ...]
    first_prev: bytes | None
    first_time: str | None
    last_time: str | None
    subtrees: tuple[tuple[int, bytes], ...]
    problems: tuple[Problem, ...]
    broken: tuple[BrokenLink, ...]


def verify_segment(begin: int, stored: Sequence[bytes], origin: str) -> Segment:
    """Checks the stored bytes of the entries at [begin, begin + len(stored)).

    1. Canonical and of the schema. 2. The index and origin are those of the position. 3. `prev` is the leaf
    hash of the entry before, within the segment. 4. The time does not go back. Nothing is raised: see
    `problems` and `broken`.
    """
    entries: list[Entry | None] = []
    problems: list[Problem] = []
    broken: list[BrokenLink] = []
    leaves = [leaf_hash(data) for data in stored]
    times: list[str] = []
    for offset, data in enumerate(stored):
        index = begin + offset
        try:
            entry = parse_entry(data)  # 1
        except VerificationError as err:
            problems.append(Problem(index, err.reason, err.detail))
            entries.append(None)
            continue
        entries.append(entry)
        if entry.index != index:  # 2
            detail = f"found entry {entry.index} in its place: missing, duplicated or out of order"
            problems.append(Problem(index, "INDEX", detail))
        if entry.origin != origin:
            problems.append(Problem(index, "ORIGIN", "entry is of another log"))
        if offset and entry.prev != leaves[offset - 1]:  # 3
            broken.append(BrokenLink(index, entry.prev))
        if times and entry.time < times[-1]:  # 4
            problems.append(Problem(index, "TIME", "time is before that of the entry before"))
        times.append(entry.time)
    first = entries[0] if entries else None
    return Segment(
        begin=begin,
        end=begin + len(stored),
        entries=tuple(entries),
        leaves=tuple(leaves),
        first_prev=None if first is None else first.prev,
        first_time=None if first is None else first.time,
        last_time=times[-1] if times else None,
        subtrees=tuple(_tile(begin, leaves)),
        problems=tuple(problems),
        broken=tuple(broken),
    )


def cut(begin: int, stored: Iterable[bytes], cuts: Iterable[int] = ()) -> Iterator[tuple[int, list[bytes]]]:
    """Cuts a run of entries into (begin, stored bytes) that end at multiples of 256 and at each of `cuts`."""
    stops = sorted(size for size in set(cuts) if size > begin)
    source = iter(stored)
    while True:
        end = (begin // SEGMENT_SIZE + 1) * SEGMENT_SIZE
        while stops and stops[0] <= begin:
            stops.pop(0)
        if stops:
            end = min(end, stops[0])
        part = list(itertools.islice(source, end - begin))
        if not part:
            return
        yield begin, part
        begin += len(part)


class Chain:
    """The fold of segments from `begin` on, over the frontier of [0, begin)."""

    def __init__(self, begin: int = 0, frontier: Frontier | None = None) -> None:
        """ValueError when the frontier's size is not `begin`."""
        self._frontier = Frontier() if frontier is None else frontier.copy()
        if self._frontier.size != begin:
            raise ValueError("frontier does not end where the chain begins")
        self._start = self._frontier.copy()
        self._leaves = bytearray()
        self._time: str | None = None
        self.problems: list[Problem] = []
        self.broken: list[BrokenLink] = []
        self.uncounted = 0

    @property
    def size(self) -> int:
        """Where the next segment must begin."""
        return self._frontier.size

    @property
    def frontier(self) -> Frontier:
        """A copy of the frontier of [0, size)."""
        return self._frontier.copy()

    def root(self) -> bytes:
        """The root hash of the tree up to `size`."""
        return self._frontier.root()

    def fold(self, segment: Segment) -> None:
        """Adds the next segment: checks its first link and time against the last one."""
        if segment.begin != self.size:
            raise ValueError("segments are folded in order")
        before = self._last_leaf()
        if segment.first_prev is not None and before is not None and segment.first_prev != before:
            self._keep(self.broken, BrokenLink(segment.begin, segment.first_prev))
        if self._time is not None and segment.first_time is not None and segment.first_time < self._time:
            detail = "time is before that of the entry before"
            self._keep(self.problems, Problem(segment.begin, "TIME", detail))
        for problem in segment.problems:
            self._keep(self.problems, problem)
        for link in segment.broken:
            self._keep(self.broken, link)
        for level, subtree in segment.subtrees:
            self._frontier.append_subtree(level, subtree)
        self._leaves += b"".join(segment.leaves)
        self._time = segment.last_time or self._time

    @property
    def astray(self) -> set[int]:
        """Positions whose bytes are not an entry, or are the entry of another position."""
        return {problem.index for problem in self.problems if problem.reason not in ("ORIGIN", "TIME")}

    def altered(self, accepts: Callable[[bytes], bool] | None = None) -> list[int]:
        """The readable entries in their place whose bytes are not those that were committed to.

        A link that breaks at k means that entry k-1 was altered, or entry k itself in its `prev`. Where the
        next link holds, entry k is vouched for and it was k-1; where it breaks too, entry k was altered,
        and perhaps k-1. What stays open is settled by the signed root where there is one: putting the leaf
        hashes that successors state in the place of the found ones must lead to a root that `accepts` takes.
        """
        # A link next to an unreadable or misplaced entry breaks for that reason, which is reported by
        # itself.
        astray = self.astray
        stated = {link.index - 1: link.stated for link in self.broken}
        runs = _runs([link.index for link in self.broken if not astray & {link.index - 1, link.index}])
        if not runs:
            return []
        begin, last = self._start.size, self.size - 1
        likely = [range(first, end) if end > first else range(first - 1, first) for first, end in runs]
        wider = [range(first - 1, max(end, first)) for first, end in runs]
        for reading in (likely, wider):
            # The first entry of a range has no predecessor in it to blame.
            named = [index for run in reading for index in run if index >= begin]
            if accepts is not None and accepts(self._root_with(stated, astray | set(named))):
                return named
        if accepts is not None and runs[-1] == (last, last):
            # The entry before it is not the reason, or the root would have come out: it is the last one
            # itself.
            likely[-1] = range(last, last + 1)
        return [index for run in likely for index in run if index >= begin]

    def _root_with(self, stated: dict[int, bytes], replaced: set[int]) -> bytes:
        """The root with the leaf hashes of `replaced` entries as their successors state them."""
        frontier = self._start.copy()
        begin = frontier.size
        for index in range(begin, self.size):
            offset = (index - begin) * HASH_SIZE
            leaf = bytes(self._leaves[offset : offset + HASH_SIZE])
            frontier.append(stated.get(index, leaf) if index in replaced else leaf)
        return frontier.root()

    def _last_leaf(self) -> bytes | None:
        if self._leaves:
            return bytes(self._leaves[-HASH_SIZE:])
        if self.size == 0:
            return GENESIS_PREV
        # An odd size ends in a subtree of one leaf: the frontier holds that leaf's hash.
        return self._start.hashes[-1] if self.size & 1 else None

    def _keep(self, items: list[_T], item: _T) -> None:
        if len(items) < MAX_PROBLEMS:
            items.append(item)
        else:
            self.uncounted += 1


def verify_chain(
    stored: Iterable[bytes], origin: str, *, begin: int = 0, frontier: Frontier | None = None
) -> Frontier:
    """The frontier after a run of entries that verifies; VerificationError naming the first bad entry
    otherwise.

    For a log at hand (start-up, tests): compare the frontier's size and root with a checkpoint.
    """
    chain = Chain(begin, frontier)
    for position, part in cut(begin, stored):
        chain.fold(verify_segment(position, part, origin))
    altered = "its bytes are not those that its successor commits to"
    bad = dict.fromkeys(chain.altered(), ("LEAF_HASH", altered))
    for problem in reversed(chain.problems):
        bad[problem.index] = (problem.reason, problem.detail)
    if bad:
        index = min(bad)
        reason, detail = bad[index]
        raise VerificationError(detail, reason=reason, index=index)
    return chain.frontier


def _runs(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of consecutive numbers as (first, last)."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _tile(begin: int, leaves: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """The complete subtrees that tile [begin, begin + len(leaves)), largest possible first from the left."""
    offset = 0
    while offset < len(leaves):
        position, left = begin + offset, len(leaves) - offset
        level = left.bit_length() - 1
        if position:
            level = min(level, (position & -position).bit_length() - 1)
        row = list(leaves[offset : offset + (1 << level)])
        while len(row) > 1:
            row = [node_hash(row[i], row[i + 1]) for i in range(0, len(row), 2)]
        yield level, row[0]
        offset += 1 << level

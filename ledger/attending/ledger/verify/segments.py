"""Verification of a contiguous run of entries: form, place, links and root, naming the first bad index.

Entries are read in segments that end at multiples of 256. A segment needs nothing from outside, so segments
may be verified in any order or process; `Chain` folds them: it checks that each begins where the last ended
and gathers the tree. Memory is bounded, whatever the number of entries: of the tree only the subtrees
around the entries whose links are broken are kept, at most `MAX_PROBLEMS` of these.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from attending.ledger.entry import GENESIS_PREV
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import Frontier, node_hash
from attending.ledger.verify.segment import BrokenLink, Mode, Problem, Segment, verify_segment

SEGMENT_SIZE: Final = 256
MAX_PROBLEMS: Final = 1000
"""Problems kept; what is past that is counted only."""
_READABLE: Final = frozenset({"ORIGIN", "TIME", "STORED_LEAF_HASH", "STORED_COLUMNS", "TILE", "STRAY_ROW"})
"""Problems of an entry whose bytes are one, in its place."""
_T = TypeVar("_T")


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
    """The fold of segments from `begin` on, over the frontier of [0, begin).

    It keeps the tree as `_pieces`, (level, hash, pinned) of the subtrees that tile [begin, size - 1), left to
    right: neighbours are merged as in a frontier, but a leaf that its successor disputes is pinned, so that
    the root can be computed with another leaf in its place.
    """

    def __init__(self, begin: int = 0, frontier: Frontier | None = None) -> None:
        """ValueError when the frontier's size is not `begin`."""
        self._start = Frontier() if frontier is None else frontier.copy()
        if self._start.size != begin:
            raise ValueError("frontier does not end where the chain begins")
        # An odd size ends in a subtree of one leaf: the frontier holds that leaf's hash.
        odd = self._start.hashes[-1] if begin & 1 else None
        self._reset(begin, odd if begin else GENESIS_PREV)

    @classmethod
    def part(cls, begin: int) -> Chain:
        """A fold of [begin, ...) apart from what comes before, for `joined`; it has no root or frontier
        unless `begin` is 0. Its first link is left to whoever folds the joined segment.
        """
        chain = cls()
        chain._reset(begin, None)
        return chain

    def _reset(self, begin: int, before: bytes | None) -> None:
        self._begin = self._end = begin
        self._before = before
        self._pieces: list[tuple[int, bytes, bool]] = []
        self._tiled = begin
        self._open: bytes | None = None
        self._first_prev: bytes | None = None
        self._first_time: str | None = None
        self._time: str | None = None
        self.problems: list[Problem] = []
        self.broken: list[BrokenLink] = []
        self.uncounted = 0

    @property
    def size(self) -> int:
        """Where the next segment must begin."""
        return self._end

    @property
    def last_leaf(self) -> bytes | None:
        """Leaf hash of the last entry; before the first fold of the one before `begin`, None if unknown."""
        return self._before if self._open is None else self._open

    @property
    def last_time(self) -> str | None:
        """Time of the last readable entry."""
        return self._time

    @property
    def frontier(self) -> Frontier:
        """The frontier of [0, size)."""
        return self._grown({})

    def root(self) -> bytes:
        """The root hash of the tree up to `size`."""
        return self.frontier.root()

    def fold(self, segment: Segment) -> None:
        """Adds the next segment: checks its first link and time against the last one."""
        if segment.begin != self.size:
            raise ValueError("segments are folded in order")
        if segment.last_leaf is None:
            return
        if self._open is None:
            self._first_prev, self._first_time = segment.first_prev, segment.first_time
        disputed: set[int] = set()
        before = self.last_leaf
        if segment.first_prev is not None and before is not None and segment.first_prev != before:
            self._keep_link(BrokenLink(segment.begin, segment.first_prev), disputed)
        if self._time is not None and segment.first_time is not None and segment.first_time < self._time:
            detail = "time is before that of the entry before"
            self._keep(self.problems, Problem(segment.begin, "TIME", detail))
        for problem in segment.problems:
            self._keep(self.problems, problem)
        for link in segment.broken:
            self._keep_link(link, disputed)
        self.uncounted += segment.uncounted
        if self._open is not None:
            self._add(0, self._open, disputed)
        for level, subtree in segment.subtrees:
            self._add(level, subtree, disputed)
        self._open, self._end = segment.last_leaf, segment.end
        self._time = segment.last_time or self._time

    def joined(self) -> Segment:
        """Everything folded so far as one segment, to be folded by another chain."""
        return Segment(
            begin=self._begin,
            end=self._end,
            entries=(),
            labels=(),
            leaves=(),
            first_prev=self._first_prev,
            first_time=self._first_time,
            last_time=self._time,
            subtrees=tuple((level, subtree) for level, subtree, _ in self._pieces),
            last_leaf=self._open,
            problems=tuple(self.problems),
            broken=tuple(self.broken),
            uncounted=self.uncounted,
        )

    @property
    def astray(self) -> set[int]:
        """Positions whose bytes are not an entry, or are the entry of another position."""
        return {problem.index for problem in self.problems if problem.reason not in _READABLE}

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
        return self._grown({index: stated[index] for index in replaced & stated.keys()}).root()

    def _grown(self, instead: dict[int, bytes]) -> Frontier:
        """The frontier of [0, size), with `instead` in the place of pinned leaves."""
        frontier = self._start.copy()
        for level, subtree, pinned in self._pieces:
            frontier.append_subtree(level, instead.get(frontier.size, subtree) if pinned else subtree)
        if self._open is not None:
            frontier.append(self._open)
        return frontier

    def _add(self, level: int, subtree: bytes, disputed: set[int]) -> None:
        """Adds the next subtree, merged with those before it where both halves are there."""
        pieces, end = self._pieces, self._tiled
        self._tiled = end + (1 << level)
        # INVARIANT: only links that were kept pin a leaf, so the number of pieces is bounded.
        if level == 0 and end in disputed:
            pieces.append((0, subtree, True))
            return
        while pieces:
            before, left, pinned = pieces[-1]
            begin = end - (1 << before)
            if pinned or before != level or begin & ((2 << level) - 1):
                break
            pieces.pop()
            subtree, level, end = node_hash(left, subtree), level + 1, begin
        pieces.append((level, subtree, False))

    def _keep_link(self, link: BrokenLink, disputed: set[int]) -> None:
        if self._keep(self.broken, link):
            disputed.add(link.index - 1)

    def _keep(self, items: list[_T], item: _T) -> bool:
        if len(items) < MAX_PROBLEMS:
            items.append(item)
            return True
        self.uncounted += 1
        return False


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


__all__ = [
    "MAX_PROBLEMS",
    "SEGMENT_SIZE",
    "BrokenLink",
    "Chain",
    "Mode",
    "Problem",
    "Segment",
    "cut",
    "verify_chain",
    "verify_segment",
]

"""Verification of a contiguous run of entries: form, place, links and root, naming the first bad index.

Entries are read in segments that end at multiples of 256. A segment needs nothing from outside, so segments
may be verified in any order or process; `Chain` folds them: it checks that each begins where the last ended
and gathers the tree. Memory is bounded, whatever the number of entries: of the tree only the subtrees
around the entries whose links are broken are kept, at most `MAX_PROBLEMS` of these.
"""

from __future__ import annotations

import hashlib
import itertools
from binascii import unhexlify
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple, TypeVar

from attending.ledger.entry import GENESIS_PREV, Entry, parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import HASH_SIZE, Frontier, node_hash
from attending.ledger.scan import scan_place

SEGMENT_SIZE: Final = 256
MAX_PROBLEMS: Final = 1000
"""Problems kept; what is past that is counted only."""
_PREV: Final = b'"prev":"'
_PREV_CHARS: Final = 2 * HASH_SIZE
_NO_LEAF: Final = bytes(HASH_SIZE)
_READABLE: Final = frozenset({"ORIGIN", "TIME", "STORED_LEAF_HASH", "STORED_COLUMNS", "TILE"})
"""Problems of an entry whose bytes are one, in its place."""
_T = TypeVar("_T")
_sha256 = hashlib.sha256


class Mode(Enum):
    """How much of each entry is looked at.

    COMPLETE: every byte of every entry: canonical form, schema, index, origin, time order, link, tree.

    TREE: the leaf hash of the stored bytes, the link to the entry before, the tree. When the root is a
    signed one, this proves that the bytes are the very bytes that the log committed to, in their order,
    none missing, added or changed. It does not prove that what was committed to is well formed: an entry
    that is no JSON, names another index or origin, or goes back in time is found by COMPLETE only. Use it to
    look for decay and tampering after the commitment, not to judge the one who wrote the log.
    """

    COMPLETE = "complete"
    TREE = "tree"


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

    `entries` are kept on demand, with None where the bytes are not an entry; `labels` are the (stream, type)
    of each, none in Mode.TREE. `first_prev` and `first_time`
    are the first entry's, None when it is unreadable; `last_time` is the last readable entry's. `subtrees`
    are the (level, hash) of the complete subtrees that tile [begin, end - 1), left to right, in which each
    leaf that its successor disputes stands by itself; `last_leaf` is the leaf hash of end - 1. `leaves` are
    all leaf hashes of one segment; like `labels` they are empty for several joined (`Chain.joined`).
    `uncounted` problems and links were dropped.
    """

    begin: int
    end: int
    entries: tuple[Entry | None, ...]
    labels: tuple[tuple[bytes, bytes] | None, ...]
    leaves: tuple[bytes, ...]
    first_prev: bytes | None
    first_time: str | None
    last_time: str | None
    subtrees: tuple[tuple[int, bytes], ...]
    last_leaf: bytes | None
    problems: tuple[Problem, ...]
    broken: tuple[BrokenLink, ...]
    uncounted: int = 0

    def with_problems(self, more: Iterable[Problem]) -> Segment:
        """The segment with further problems."""
        return replace(self, problems=(*self.problems, *more))

    def root(self) -> bytes:
        """The root hash over the segment's own leaves, for one that begins at a multiple of 256."""
        frontier = Frontier()
        for level, subtree in self.subtrees:
            frontier.append_subtree(level, subtree)
        if self.last_leaf is not None:
            frontier.append(self.last_leaf)
        return frontier.root()


class _Facts(NamedTuple):
    """What of a segment's entries the fold needs."""

    entries: tuple[Entry | None, ...]
    labels: tuple[tuple[bytes, bytes] | None, ...]
    first_prev: bytes | None
    first_time: str | None
    last_time: str | None
    problems: tuple[Problem, ...] = ()
    broken: tuple[BrokenLink, ...] = ()


def verify_segment(
    begin: int, stored: Sequence[bytes | None], origin: str, *, mode: Mode = Mode.COMPLETE, keep: bool = False
) -> Segment:
    """Checks the stored bytes of the entries at [begin, begin + len(stored)), None for one that is not there.

    1. Canonical and of the schema. 2. The index and origin are those of the position. 3. `prev` is the leaf
    hash of the entry before, within the segment. 4. The time does not go back. `Mode.TREE` does 3 only.
    Nothing is raised: see `problems` and `broken`. `keep` returns the entries too (of Mode.COMPLETE).
    """
    try:
        leaves = [_sha256(b"\x00" + data).digest() for data in stored]  # type: ignore[operator]
    except TypeError:
        leaves = [_sha256(b"\x00" + data).digest() if type(data) is bytes else _NO_LEAF for data in stored]
        facts = None
    else:
        if mode is Mode.TREE:
            facts = _linked(stored, leaves)
        elif keep:
            facts = None
        else:
            facts = _sound(begin, stored, leaves, origin)
    if facts is None:
        examine = _examine_links if mode is Mode.TREE else _examine
        facts = examine(begin, stored, leaves, origin)
    disputed = {link.index - 1 for link in facts.broken}
    return Segment(
        begin=begin,
        end=begin + len(leaves),
        entries=facts.entries if keep else (),
        labels=facts.labels,
        leaves=tuple(leaves),
        first_prev=facts.first_prev,
        first_time=facts.first_time,
        last_time=facts.last_time,
        subtrees=tuple(_tile(begin, leaves[:-1], disputed)),
        last_leaf=leaves[-1] if leaves else None,
        problems=facts.problems,
        broken=facts.broken,
    )


def _sound(begin: int, stored: Sequence[bytes | None], leaves: Sequence[bytes], origin: str) -> _Facts | None:
    """The facts of a segment in which nothing is wrong; None when `_examine` must say what is.

    The same checks as there, made over the whole segment at once.
    """
    places: list[tuple[bytes, ...]] = []
    for data in stored:
        place = scan_place(data)  # type: ignore[arg-type]  # the caller has hashed them: bytes
        if place is not None:
            places.append(place)
            continue
        try:
            entry = parse_entry(data)  # type: ignore[arg-type]
        except VerificationError:
            return None
        texts = (str(entry.index), entry.origin, entry.prev.hex(), entry.stream, entry.time, entry.type)
        places.append(tuple(text.encode("ascii") for text in texts))
    if not places:
        return _Facts((), (), None, None, None)
    indices, origins, prevs, streams, times, kinds = zip(*places, strict=True)
    if indices != tuple(map(b"%d".__mod__, range(begin, begin + len(places)))):
        return None
    if origins.count(origin.encode("utf-8", "surrogatepass")) != len(origins):
        return None
    if b"".join(prevs[1:]) != b"".join(leaves[:-1]).hex().encode():
        return None
    if sorted(times) != list(times):
        return None
    labels = tuple(zip(streams, kinds, strict=True))
    return _Facts((), labels, unhexlify(prevs[0]), times[0].decode(), times[-1].decode())


def _examine(begin: int, stored: Sequence[bytes | None], leaves: Sequence[bytes], origin: str) -> _Facts:
    """The facts of any segment, entry by entry."""
    entries: list[Entry | None] = []
    problems: list[Problem] = []
    broken: list[BrokenLink] = []
    times: list[str] = []
    for offset, data in enumerate(stored):
        index = begin + offset
        try:
            if data is None:
                raise VerificationError("no readable row of it is stored", reason="MISSING")
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
    return _Facts(
        tuple(entries),
        tuple(None if entry is None else _label(entry) for entry in entries),
        None if first is None else first.prev,
        None if first is None else first.time,
        times[-1] if times else None,
        tuple(problems),
        tuple(broken),
    )


def _label(entry: Entry) -> tuple[bytes, bytes]:
    return entry.stream.encode("ascii"), entry.type.encode("ascii")


def _linked(stored: Sequence[bytes | None], leaves: Sequence[bytes]) -> _Facts | None:
    """The facts of a segment whose links hold; None when `_examine_links` must say which does not."""
    prevs: list[bytes] = []
    for data in stored:
        assert data is not None
        # A key cannot stand inside a string, where its quotes would be escaped; none after `prev` is so named.
        at = data.rfind(_PREV)
        prevs.append(data[at + 8 : at + 72] if at >= 0 else b"")
    if b"".join(prevs[1:]) != b"".join(leaves[:-1]).hex().encode():
        return None
    first = _stated(stored[0]) if stored else None
    return None if stored and first is None else _Facts((), (), first, None, None)


def _examine_links(
    begin: int, stored: Sequence[bytes | None], leaves: Sequence[bytes], _origin: str
) -> _Facts:
    problems: list[Problem] = []
    broken: list[BrokenLink] = []
    for offset, data in enumerate(stored):
        stated = _stated(data)
        if data is None:
            problems.append(Problem(begin + offset, "MISSING", "no readable row of it is stored"))
        elif stated is None:
            problems.append(Problem(begin + offset, "ENTRY_SCHEMA", "`prev` is not 64 hex digits"))
        elif offset and stated != leaves[offset - 1]:
            broken.append(BrokenLink(begin + offset, stated))
    first = _stated(stored[0]) if stored else None
    return _Facts((), (), first, None, None, tuple(problems), tuple(broken))


def _stated(data: bytes | None) -> bytes | None:
    """The leaf hash that stored bytes state for their predecessor, None when there is none to be read."""
    at = data.rfind(_PREV) if type(data) is bytes else -1
    if data is None or at < 0:
        return None
    text = data[at + len(_PREV) : at + len(_PREV) + _PREV_CHARS]
    if len(text) != _PREV_CHARS or text != text.lower():
        return None
    try:
        return unhexlify(text)
    except ValueError:
        return None


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


def _tile(begin: int, leaves: Sequence[bytes], disputed: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """The complete subtrees that tile [begin, begin + len(leaves)), largest possible first from the left;
    leaves at `disputed` positions by themselves.
    """
    stops = sorted(index - begin for index in disputed if begin <= index < begin + len(leaves))
    offset = 0
    for stop in [*stops, len(leaves)]:
        while offset < stop:
            position, left = begin + offset, stop - offset
            level = left.bit_length() - 1
            if position:
                level = min(level, (position & -position).bit_length() - 1)
            row = list(leaves[offset : offset + (1 << level)])
            while len(row) > 1:
                row = [_sha256(b"\x01" + row[i] + row[i + 1]).digest() for i in range(0, len(row), 2)]
            yield level, row[0]
            offset += 1 << level
        if stop < len(leaves):
            yield 0, leaves[stop]
            offset += 1

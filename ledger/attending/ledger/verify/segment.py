"""One segment of a log, a run of entries verified by itself: form, place and links, and the hashes that come of it."""

from __future__ import annotations

import hashlib
from binascii import unhexlify
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple

from attending.ledger.entry import Entry, parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.merkle import HASH_SIZE, Frontier
from attending.ledger.scan import scan_place

_PREV: Final = b'"prev":"'
_PREV_CHARS: Final = 2 * HASH_SIZE
_NO_LEAF: Final = bytes(HASH_SIZE)
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

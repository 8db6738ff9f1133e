"""Parts of a stored log: what is read from it, and what one reader can say about a run of positions by itself.

A part is a multiple of 256 entries that begins at a multiple of 256. Its reader needs no other part, so that
parts may be read in any order and by any process (`attending.ledger.verify.workers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from attending.ledger.merkle import HASH_SIZE
from attending.ledger.verify.segments import (
    SEGMENT_SIZE,
    Chain,
    Mode,
    Problem,
    Segment,
    verify_segment,
)

PART_SIZE: Final = 64 * SEGMENT_SIZE
"""Entries a part: 16 MB of entries of 1 KB pass through, 2 KB of hashes and what is wrong come out."""


StoredRow = tuple[int, object, object, object, object]
"""(index, stored bytes, leaf hash, stream, type) of one entry as it is stored, all of them bytes. The last three
repeat what follows from the first; None where the reader does not know them. A tampered store may hold any
type anywhere.
"""


class Reader(Protocol):
    """Reads one log, in one thread. May raise whatever its store raises: nothing is then verified.

    Rows and tiles below the size that is verified never change; a reader need not hold a snapshot.
    """

    def rows(self, begin: int, end: int) -> Sequence[StoredRow]:
        """The rows of the entries stored at [begin, end), by index; those that are missing or cannot be read
        are left out.
        """

    def tile(self, level: int, index: int) -> bytes | None:
        """The hashes of a full tile as stored, None when it is missing or cannot be read."""

    def close(self) -> None:
        """Gives back what it holds."""


class Opener(Protocol):
    """Opens the log: called once in each process, so it must survive pickling (a frozen dataclass of a path
    or a connection string, say, not an open connection).
    """

    def __call__(self) -> Reader:
        """A reader of its own for this process."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is read and how: `tiles` and row columns are compared with the entries as well."""

    origin: str
    size: int
    mode: Mode = Mode.COMPLETE
    tiles: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """What a part came to: its entries joined, and the root of each of its full segments, in order."""

    segment: Segment
    roots: tuple[bytes, ...]


def part_ranges(size: int) -> Iterator[tuple[int, int]]:
    """The (begin, end) of the parts of a log of `size`."""
    for begin in range(0, size, PART_SIZE):
        yield begin, min(begin + PART_SIZE, size)


def verify_part(reader: Reader, begin: int, end: int, scope: Scope) -> Part:
    """The part [begin, end).

    1. Each entry, as `verify_segment`. 2. Its row says the same leaf hash, stream and type as its bytes. 3.
    Each full tile of leaf hashes is that of the entries.
    """
    chain, roots = Chain.part(begin), []
    for first in range(begin, end, SEGMENT_SIZE):
        last = min(first + SEGMENT_SIZE, end)
        found = reader.rows(first, last)
        rows = _placed(found, first, last)
        stored = [data if type(data) is bytes else None for _, data, _, _, _ in rows]
        segment = verify_segment(first, stored, scope.origin, mode=scope.mode)  # 1
        extra = _compare_rows(rows, segment)  # 2
        if len(found) > last - first:
            extra.append(
                Problem(first, "STRAY_ROW", "more rows are stored from here on than there are places")
            )
        if scope.tiles and last - first == SEGMENT_SIZE:  # 3
            extra += compare_tile(reader, 0, first // SEGMENT_SIZE, segment.leaves)
            roots.append(segment.root())
        chain.fold(segment.with_problems(extra) if extra else segment)
    return Part(chain.joined(), tuple(roots))


def compare_tile(reader: Reader, level: int, index: int, hashes: Sequence[bytes]) -> list[Problem]:
    """What is wrong with a stored full tile that should hold `hashes`; indices are of the first entry under a
    wrong hash.
    """
    stored, expected = reader.tile(level, index), b"".join(hashes)
    if stored == expected:
        return []
    width = SEGMENT_SIZE**level
    start = index * SEGMENT_SIZE * width
    if stored is None:
        return [Problem(start, "TILE", f"tile {index} of level {level} is missing or cannot be read")]
    if len(stored) != len(expected):
        return [Problem(start, "TILE", f"tile {index} of level {level} is not 256 hashes long")]
    pairs = (slice(at, at + HASH_SIZE) for at in range(0, len(expected), HASH_SIZE))
    wrong = next(number for number, at in enumerate(pairs) if stored[at] != expected[at])
    detail = f"tile {index} of level {level} holds another hash than the entries give"
    return [Problem(start + wrong * width, "TILE", detail)]


def _placed(rows: Sequence[StoredRow], begin: int, end: int) -> Sequence[StoredRow]:
    """One row for each position, an empty one where none is stored."""
    if [row[0] for row in rows] == list(range(begin, end)):
        return rows
    found = {row[0]: row for row in rows}
    return [found.get(index, (index, None, None, None, None)) for index in range(begin, end)]


def _compare_rows(rows: Sequence[StoredRow], segment: Segment) -> list[Problem]:
    problems = []
    if [row[2] for row in rows] != list(segment.leaves):
        detail = "leaf hash stored beside it is not that of its bytes"
        for (index, data, stored, _, _), leaf in zip(rows, segment.leaves, strict=True):
            if type(data) is bytes and stored is not None and stored != leaf:
                problems.append(Problem(index, "STORED_LEAF_HASH", detail))
    if segment.labels and [row[3:] for row in rows] != list(segment.labels):
        detail = "stream or type stored beside it is not that of its bytes"
        for (index, _, _, stream, kind), label in zip(rows, segment.labels, strict=True):
            if label is not None and (stream, kind) not in (label, (None, None)):
                problems.append(Problem(index, "STORED_COLUMNS", detail))
    return problems

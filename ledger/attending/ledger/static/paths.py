"""Names of a log's static resources, each with exactly one spelling (c2sp.org/tlog-tiles).

    checkpoint
    introduction/<G>              by which the log's signing key of generation G took over; of this project, from 2 on
    tile/<L>/<N>[.p/<W>]          L is the tile level, N the tile's index, W a partial tile's width
    tile/entries/<N>[.p/<W>]      the entries under the level 0 tile of the same name

N is written in groups of three digits, all but the last after an `x`: 1234067 is `x001/x234/067`. What a tree
of some size consists of is computed here; nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from attending.ledger.errors import VerificationError
from attending.ledger.introduction import MAX_INTRODUCTIONS
from attending.ledger.merkle import MAX_TREE_SIZE
from attending.ledger.tiles import TILE_HEIGHT, TILE_WIDTH

MAX_LEVEL: Final = 63
CHECKPOINT: Final = "checkpoint"
MAX_PATH_CHARS: Final = 64
"""More than the longest path of a tree of 2**63 - 1 entries."""

_INTRODUCTION: Final = re.compile(r"introduction/([2-9]|[1-9][0-9]{1,3})", re.ASCII)
_PATH: Final = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class TilePath:
    """A tile (`level` 0 to 63) or an entry bundle (`level` None): `index` from zero, `width` 1 to 256.

    Width 256 is a full one. Making one checks nothing beyond that; whether it exists depends on a tree size.
    """

    level: int | None
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        """ValueError outside the bounds: this is made from numbers of ours, `parse_path` from the world's."""
        if self.level is not None and not 0 <= self.level <= MAX_LEVEL:
            raise ValueError("tile level is not 0 to 63")
        if self.index < 0 or not 1 <= self.width <= TILE_WIDTH:
            raise ValueError("tile index is negative or width is not 1 to 256")

    def __str__(self) -> str:
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{encode_index(self.index)}{partial}"

    @property
    def full(self) -> TilePath:
        """The full tile or bundle of the same place."""
        return TilePath(self.level, self.index)

    @property
    def needs(self) -> int:
        """The smallest tree size in which it exists."""
        return (self.index * TILE_WIDTH + self.width) << TILE_HEIGHT * (self.level or 0)


def encode_index(index: int) -> str:
    """`index` in groups of three digits, all but the last after an `x`."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def parse_path(path: str) -> TilePath:
    """The tile or bundle that `path` names.

    Raises VerificationError (TILE_PATH) for everything but the one spelling: leading zeros, an empty leading
    group, a width of 0 or 256 and more, a level past 63, a tile that no tree of 2**63 - 1 entries has.
    """
    match = _PATH.fullmatch(path) if type(path) is str and len(path) <= MAX_PATH_CHARS else None
    if match is None:
        raise _path_error()
    level = None if match["level"] == "entries" else int(match["level"])
    index = int(match["index"].replace("x", "").replace("/", ""))
    width = TILE_WIDTH if match["width"] is None else int(match["width"])
    if (level or 0) > MAX_LEVEL or (match["width"] is not None and width >= TILE_WIDTH):
        raise _path_error()
    found = TilePath(level, index, width)
    if found.needs > MAX_TREE_SIZE or encode_index(index) != match["index"]:
        raise _path_error()
    return found


def introduction_path(generation: int) -> str:
    """The path of the introduction of a signing key; generations begin at 2."""
    return f"introduction/{generation}"


def parse_introduction(path: str) -> int | None:
    """The generation whose introduction `path` names; None when it names none."""
    match = _INTRODUCTION.fullmatch(path) if type(path) is str else None
    generation = 0 if match is None else int(match[1])
    return generation if 2 <= generation <= MAX_INTRODUCTIONS + 1 else None


def width_at(size: int, level: int, index: int) -> int:
    """How many hashes (or entries, at level 0) tile `index` of `level` has in a tree of `size`; 0 to 256."""
    count = size >> TILE_HEIGHT * level
    return max(0, min(TILE_WIDTH, count - index * TILE_WIDTH))


def tiles_of(size: int) -> Iterator[TilePath]:
    """Every tile of a tree of `size`, partial ones where they are, level by level from 0."""
    level = 0
    while size >> TILE_HEIGHT * level:
        yield from _row(size >> TILE_HEIGHT * level, level)
        level += 1


def bundles_of(size: int) -> Iterator[TilePath]:
    """Every entry bundle of a tree of `size`."""
    yield from _row(size, None)


def partial_tiles_of(size: int) -> list[TilePath]:
    """The partial tiles of a tree of `size`, which hold its whole right edge, by level from 0."""
    found, level = [], 0
    while count := size >> TILE_HEIGHT * level:
        if width := count % TILE_WIDTH:
            found.append(TilePath(level, count // TILE_WIDTH, width))
        level += 1
    return found


def _row(count: int, level: int | None) -> Iterator[TilePath]:
    for index in range(count // TILE_WIDTH):
        yield TilePath(level, index)
    if width := count % TILE_WIDTH:
        yield TilePath(level, count // TILE_WIDTH, width)


def _path_error() -> VerificationError:
    return VerificationError("not the path of a tile or an entry bundle", reason="TILE_PATH")

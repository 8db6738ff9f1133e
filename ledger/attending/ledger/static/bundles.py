"""Entry bundles and tiles as bytes (c2sp.org/tlog-tiles).

A bundle is each entry after its length as a big-endian uint16; a tile is its hashes one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attending.ledger.errors import VerificationError
from attending.ledger.merkle import HASH_SIZE

MAX_ENTRY_BYTES: Final = 65_535
"""What a uint16 can say; also the limit of an entry."""
MAX_BUNDLE_BYTES: Final = 256 * (2 + MAX_ENTRY_BYTES)


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """The bundle of `entries`, at most 65,535 bytes each; OverflowError for a longer one."""
    parts: list[bytes] = []
    for entry in entries:
        parts += (len(entry).to_bytes(2, "big"), entry)
    return b"".join(parts)


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """The `width` entries of a bundle, not compared with any hash.

    Raises VerificationError (BUNDLE_FORMAT) when it ends within an entry, or holds fewer or more.
    """
    entries: list[bytes] = []
    position, end = 0, len(data)
    while position < end:
        if len(entries) == width:
            raise _bundle_error(f"entry bundle holds more than {width} entries")
        start = position + 2
        position = start + int.from_bytes(data[position:start], "big")
        if start > end or position > end:
            raise _bundle_error(f"entry bundle ends within entry {len(entries)} of it")
        entries.append(data[start:position])
    if len(entries) != width:
        raise _bundle_error(f"entry bundle holds {len(entries)} entries, expected {width}")
    return entries


def parse_tile(data: bytes, width: int) -> bytes:
    """The hashes of a tile, `width` times 32 bytes; VerificationError (TILE_FORMAT) for another length."""
    if type(data) is not bytes or len(data) != width * HASH_SIZE:
        raise VerificationError(f"tile is not {width} hashes of 32 bytes", reason="TILE_FORMAT")
    return data


def _bundle_error(detail: str) -> VerificationError:
    return VerificationError(detail, reason="BUNDLE_FORMAT")

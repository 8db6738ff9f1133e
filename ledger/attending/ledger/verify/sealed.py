"""Stored payloads against the entries that name them: sealed bytes, kind, and whether they are there at all.

Nothing is decrypted: an entry holds the hash of the ciphertext, and so integrity can be checked by whoever may
not read the content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from attending.ledger.entry import Commitment, Entry, parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.verify.parts import Reader
from attending.ledger.verify.segments import MAX_PROBLEMS, SEGMENT_SIZE, Problem

_NONE: Final = b'"commitments":[],'


class PayloadReader(Reader, Protocol):
    """A reader that sees the payloads of its log too."""

    def payloads(self, records: list[str]) -> dict[str, tuple[str, bytes]]:
        """Record to (kind, sealed bytes) of those of `records` that are stored."""

    def payload_count(self, size: int) -> int:
        """Number of stored payloads that belong to entries below `size`."""

    def removed(self, records: list[str]) -> set[str]:
        """Those of `records` that are gone with an erasure or a prune on record."""

    def erased(self) -> set[str]:
        """Pseudonyms of the erased subjects, as of now."""


@dataclass(frozen=True, slots=True)
class PayloadOutcome:
    """`present` payloads are stored; `erased` are gone with their subject's erasure, `pruned` with the end of their
    retention; `missing` are gone without either, the first of them named by entry `first_missing`. `unnamed` are
    stored and no entry names them. `problems` name what is stored and is not what was committed to.
    """

    present: int
    erased: int
    pruned: int
    missing: int
    first_missing: int | None
    unnamed: int
    problems: tuple[Problem, ...]


def verify_payloads(reader: PayloadReader, size: int) -> PayloadOutcome:
    """Compares every payload that an entry below `size` names with what is stored.

    The entries themselves are taken as they are: verify them first. Of entries that do not parse no payload is
    known. Memory grows with the number of missing payloads' subjects only.
    """
    present = unnamed = 0
    gone: dict[str | None, int] = {}
    problems: list[Problem] = []
    absent: dict[str | None, tuple[int, int]] = {}
    for named in _named(reader, size):
        stored = reader.payloads([item.record for _, item in named])
        # Asked second: what is removed in between is then seen as removed.
        removed = reader.removed([item.record for _, item in named if item.record not in stored])
        for entry, item in named:
            found = stored.get(item.record)
            if found is None and item.record in removed:
                gone[entry.subject] = gone.get(entry.subject, 0) + 1
                continue
            if found is None:
                first, count = absent.get(entry.subject, (entry.index, 0))
                absent[entry.subject] = first, count + 1
                continue
            present += 1
            kind, sealed = found
            if kind != item.kind or hashlib.sha256(sealed).hexdigest() != item.ciphertext:
                detail = f"stored payload of kind `{item.kind}` is not the one that the entry names"
                problems = [*problems, Problem(entry.index, "PAYLOAD", detail)][:MAX_PROBLEMS]
    unnamed = max(0, reader.payload_count(size) - present)
    # Last of all: a subject that is erased meanwhile must not look like a loss.
    erased = reader.erased()
    missing = [value for subject, value in absent.items() if subject not in erased]
    return PayloadOutcome(
        present=present,
        erased=sum(count for subject, (_, count) in absent.items() if subject in erased)
        + sum(count for subject, count in gone.items() if subject in erased),
        pruned=sum(count for subject, count in gone.items() if subject not in erased),
        missing=sum(count for _, count in missing),
        first_missing=min((first for first, _ in missing), default=None),
        unnamed=unnamed,
        problems=tuple(problems),
    )


def _named(reader: PayloadReader, size: int) -> Iterator[list[tuple[Entry, Commitment]]]:
    """The payloads that entries name, a segment at a time."""
    for begin in range(0, size, SEGMENT_SIZE):
        named = []
        for row in reader.rows(begin, min(begin + SEGMENT_SIZE, size)):
            data = row[1]
            if type(data) is not bytes or _NONE in data:
                continue
            try:
                entry = parse_entry(data)
            except VerificationError:
                continue
            named += [(entry, item) for item in entry.commitments]
        # SQLite binds at least 999 parameters.
        for at in range(0, len(named), SEGMENT_SIZE):
            yield named[at : at + SEGMENT_SIZE]

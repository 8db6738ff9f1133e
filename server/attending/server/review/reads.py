"""Blinded reads: two people decide by themselves before either sees the other's word, a third where they disagree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

BLINDED_READS = 2


@dataclass(frozen=True, slots=True)
class Read:
    """One reader's work: what they disposed of, and what they signed.

    `meaning` is that of the signed statement, `record` the vault record of the text that it names; both are None until
    they have decided. `disposed` is ordinal of the finding to disposition.
    """

    reader: str
    disposed: Mapping[int, str] = field(default_factory=dict)
    meaning: str | None = None
    record: str | None = None

    @property
    def decided(self) -> bool:
        return self.meaning is not None

    @property
    def word(self) -> str | None:
        """What two readers have to agree about: the exact text that may be released, or that none may."""
        return self.record if self.meaning != "rejected" else "rejected"

    def to_json(self) -> dict[str, Any]:
        """In this order: the queue finds who has decided by the beginning of it."""
        return {
            "reader": self.reader,
            "meaning": self.meaning,
            "record": self.record,
            "disposed": {str(number): made for number, made in sorted(self.disposed.items())},
        }


def parse_reads(text: str) -> tuple[Read, ...]:
    return tuple(
        Read(
            one["reader"],
            {int(number): made for number, made in one["disposed"].items()},
            one["meaning"],
            one["record"],
        )
        for one in json.loads(text)
    )


def dump_reads(reads: Iterable[Read]) -> str:
    return json.dumps([read.to_json() for read in reads])


def read_of(reads: Iterable[Read], reader: str) -> Read:
    """That of one reader; a blank one where they have not begun."""
    return next((read for read in reads if read.reader == reader), Read(reader))


def with_read(reads: Iterable[Read], read: Read) -> tuple[Read, ...]:
    """`reads` with this reader's replaced; a new one goes to the end."""
    known = list(reads)
    at = next((n for n, one in enumerate(known) if one.reader == read.reader), len(known))
    known[at : at + 1] = [read]
    return tuple(known)


def decisions(reads: Iterable[Read]) -> tuple[Read, ...]:
    return tuple(read for read in reads if read.decided)


def agree(decided: Iterable[Read]) -> bool:
    return len({read.word for read in decided}) == 1

"""Rows of emitters and their events: as an append writes them, and as the entries alone lead to them.

An append folds its events into one row; `counted` goes entry by entry, for a rebuild. A test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from attending.ledger.projection import EntryIndex, EntryTime, RowWrite
from attending.ledger.verify.emitters import CLOSING_TYPE, Sequences
from attending.server import projections
from sqlalchemy import Table

_EMITTER, _EVENT = projections.emitter, projections.emitter_event

RowReader = Callable[[Table, Mapping[str, Any]], Mapping[str, Any] | None]


class Told(Protocol):
    """What is needed of an entry, pending or stored."""

    @property
    def type(self) -> str: ...

    @property
    def actor(self) -> str: ...

    @property
    def body(self) -> Mapping[str, Any]: ...

    @property
    def index(self) -> Any: ...

    @property
    def time(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What a log has of one emitter. `version` is that of its stream; `sequences` is never changed in place."""

    version: int
    sequences: Sequences
    issued: int | None
    closed_index: int | None
    first_time: str | None = None
    last_time: str | None = None

    @property
    def expected(self) -> int:
        """The last sequence that must have arrived: the declared one, or the highest seen."""
        return max(self.issued or 0, self.sequences.highest)


NOTHING: Final = Known(0, Sequences(), None, None)


def known_of(row: Any) -> Known:
    """What a row of `emitter` says."""
    return Known(
        version=row["version"],
        sequences=Sequences(json.loads(row["ranges"])),
        issued=row["issued"],
        closed_index=row["closed_index"],
        first_time=row["first_time"],
        last_time=row["last_time"],
    )


def emitter_row(
    actor: str,
    emitter: str,
    known: Known,
    after: Sequences,
    *,
    version: int,
    closed: Mapping[str, Any] | None = None,
    time: Any = EntryTime(),  # noqa: B008 - a frozen placeholder
) -> RowWrite:
    """The row of an emitter that was `known` so, once its stream is at `version` and has the sequences `after`.

    `closed` are `issued` and `closed_index` when its end is declared by this append.
    """
    values: dict[str, Any] = {
        "version": version,
        "received": after.count,
        "highest": after.highest,
        "ranges": json.dumps(after.ranges(), separators=(",", ":")),
        "last_time": time,
    }
    if known.version == 0:
        values |= {"first_time": time, "issued": None, "closed_index": None}
    return RowWrite(_EMITTER, {"actor": actor, "emitter": emitter}, {**values, **(closed or {})})


def event_row(actor: str, emitter: str, sequence: int, index: Any) -> RowWrite:
    """Where the entry of a sequence lies."""
    key = {"actor": actor, "emitter": emitter, "sequence": sequence}
    return RowWrite(_EVENT, key, {"entry_index": index})


def event_rows(actor: str, emitter: str, sequences: Sequence[int]) -> list[RowWrite]:
    """The same for the entries of one append, in its order."""
    return [event_row(actor, emitter, one, EntryIndex(number)) for number, one in enumerate(sequences)]


def counted(entry: Told, read: RowReader) -> list[RowWrite]:
    """The rows that one entry leads to, on top of those of the entries before it; none for one without a counter."""
    told = entry.body.get("emitter")
    if told is None:
        return []
    actor, emitter = entry.actor, told["id"]
    row = read(_EMITTER, {"actor": actor, "emitter": emitter})
    known = NOTHING if row is None else known_of(row)
    version = known.version + 1
    if entry.type == CLOSING_TYPE:
        closed = {"issued": entry.body["issued"], "closed_index": entry.index}
        return [
            emitter_row(
                actor, emitter, known, known.sequences, version=version, closed=closed, time=entry.time
            )
        ]
    after = known.sequences.copy()
    after.add(told["sequence"])
    return [
        emitter_row(actor, emitter, known, after, version=version, time=entry.time),
        event_row(actor, emitter, told["sequence"], entry.index),
    ]

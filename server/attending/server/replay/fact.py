"""What a reducer is told of one entry, whether it is about to be appended or was read from the log.

Everything a projection holds comes from here: from the entry, and from the rows that earlier entries of the same log
led to. Payloads are not read: what erasure takes away never was in a projection, so a rebuild after an erasure
gives the same rows as one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.projection import EntryIndex, EntryTime, RecordId, RowReader, RowWrite
from attending.ledger.vault import SealedPayload


@dataclass(frozen=True, slots=True)
class Fact:
    """One entry. Of a pending one, `index`, `time` and some `records` are placeholders that the sequencer fills in:
    a reducer passes them on and never looks into them. `records` are by the kind of payload.
    """

    type: str
    stream: str
    actor: str
    subject: str | None
    body: Mapping[str, Any] = field(repr=False)
    index: int | EntryIndex
    time: str | EntryTime
    records: Mapping[str, str | RecordId]


Reducer = Callable[[Fact, RowReader], Sequence[RowWrite]]
"""The rows that one entry writes: pure, and the same for the same entry and rows."""


def pending_fact(number: int, entry: PendingEntry) -> Fact:
    """Entry `number` (zero-based) of an append."""
    records: dict[str, str | RecordId] = {}
    for position, payload in enumerate(entry.payloads):
        if isinstance(payload, SealedPayload):
            records[payload.kind] = payload.record
        else:
            records[payload.kind] = RecordId(number, position)
    return Fact(
        type=entry.type,
        stream=entry.stream,
        actor=entry.actor,
        subject=entry.subject,
        body=entry.body,
        index=EntryIndex(number),
        time=EntryTime(),
        records=records,
    )


def stored_fact(entry: Entry) -> Fact:
    """An entry as it stands in the log."""
    return Fact(
        type=entry.type,
        stream=entry.stream,
        actor=entry.actor,
        subject=entry.subject,
        body=entry.body,
        index=entry.index,
        time=entry.time,
        records={item.kind: item.record for item in entry.commitments},
    )

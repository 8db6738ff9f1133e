"""Derived tables of custody: who is linked with whom, and which holds cover whom. They hold no truth.

`custody_hold` has one row for each subject that a hold covers, so that the database itself can refuse to let
go of a payload on hold without following links. Both tables are what `rows_of` makes of the custody streams.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attending.ledger.custody.state import Custody, Hold, advance, closure_over, stream_of
from attending.ledger.entry import Entry
from attending.ledger.projection import EntryIndex, EntryTime, RowWrite
from sqlalchemy import BigInteger, Column, MetaData, String, Table

metadata = MetaData(
    naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(table_name)s_%(column_0_N_name)s"}
)

link = Table(
    "custody_link",
    metadata,
    Column("log_id", String(63), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("other", String(64), primary_key=True),
    Column("entry_index", BigInteger, nullable=False),
)

hold = Table(
    "custody_hold",
    metadata,
    Column("log_id", String(63), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("hold_id", String(64), primary_key=True),
    Column("placed_on", String(64), nullable=False),
    Column("ground", String(32), nullable=False),
    Column("entry_index", BigInteger, nullable=False),
    Column("placed_at", String(27), nullable=False),
)


def link_row(subject: str, other: str, index: int | EntryIndex) -> RowWrite:
    """The row of one direction of a link, made by entry `index`."""
    return RowWrite(link, {"subject": subject, "other": other}, {"entry_index": index})


def link_gone(subject: str, other: str) -> RowWrite:
    """Takes one direction of a link away."""
    return RowWrite(link, {"subject": subject, "other": other}, None)


def placed_rows(hold_id: str, placed_on: str, ground: str, covered: Iterable[str]) -> list[RowWrite]:
    """The rows of a hold that the append's first entry places."""
    return [
        RowWrite(
            hold,
            {"subject": subject, "hold_id": hold_id},
            {
                "placed_on": placed_on,
                "ground": ground,
                "entry_index": EntryIndex(0),
                "placed_at": EntryTime(),
            },
        )
        for subject in covered
    ]


def cover_rows(item: Hold, covered: Iterable[str]) -> list[RowWrite]:
    """The rows by which a hold that stands covers more subjects."""
    return [
        RowWrite(
            hold,
            {"subject": subject, "hold_id": item.hold_id},
            {
                "placed_on": item.subject,
                "ground": item.ground,
                "entry_index": item.index,
                "placed_at": item.time,
            },
        )
        for subject in covered
    ]


def lifted_rows(hold_id: str, covered: Iterable[str]) -> list[RowWrite]:
    """Takes a hold off everything that it covered."""
    return [RowWrite(hold, {"subject": subject, "hold_id": hold_id}, None) for subject in covered]


class Replay:
    """Both tables made anew from a log's entries, visited in log order.

    Write what `rows` gives while nothing is pruned: between empty and full the database does not know of any hold,
    and only the ledger's own reading of the streams keeps what is on hold.
    """

    def __init__(self) -> None:
        self._states: dict[str, Custody] = {}
        self._linked_at: dict[tuple[str, str], int] = {}

    def visit(self, entry: Entry) -> None:
        """Takes note of an entry of a custody stream. Raises VerificationError as `custody_of`."""
        subject = entry.subject
        if subject is None or entry.stream != stream_of(subject):
            return
        before = self._states.get(subject, Custody(subject))
        self._states[subject] = after = advance(before, entry)
        self._linked_at.update({(subject, other): entry.index for other in after.links - before.links})

    def rows(self) -> list[RowWrite]:
        """What a rebuild writes into the empty tables."""
        return rows_of(self._states, self._linked_at)


def rows_of(states: Mapping[str, Custody], linked_at: Mapping[tuple[str, str], int]) -> list[RowWrite]:
    """Both tables from the custody of every subject of a log.

    `linked_at` gives the index of the `subject.linked` entry in force of each (subject, other). A hold covers
    the closure of its subject as it is now: nothing is unlinked under a hold, so it never covered more.
    """
    rows = []
    for subject, state in sorted(states.items()):
        rows += [link_row(subject, other, linked_at[subject, other]) for other in sorted(state.links)]
        covered = closure_over(subject, lambda name: states[name].links if name in states else ())
        for item in state.holds:
            rows += cover_rows(item, sorted(covered))
    return rows

"""Records and calls side by side, in a database in a temporary file: memory holds no more than calls that are near each
other in time and alike, however many there are.

A record is a call of the log by its id; failing that, by model, tokens and time, each record one call; failing that, it
may be of a call to which no answer came. What is left went past the gate.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from attending.server.clock import parse
from attending.server.errors import FailedPrecondition
from attending.server.usage.calls import Call, Forgotten

MOST_RECORDS: Final = 5_000_000
MOST_SHOWN: Final = 500
"""Differences of each kind that are listed."""
SKEW: Final = timedelta(seconds=120)
"""How far apart the clocks of log and provider may be."""
PATIENCE: Final = timedelta(seconds=600)
"""How long a provider may work on a call whose caller has given up."""
_SKEW, _PATIENCE = SKEW // timedelta(microseconds=1), PATIENCE // timedelta(microseconds=1)
_TABLES: Final = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
CREATE TABLE record (row INTEGER PRIMARY KEY, model TEXT, at INTEGER, input INTEGER, output INTEGER, call INTEGER);
CREATE TABLE record_id (id TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID;
CREATE TABLE call (
    number INTEGER PRIMARY KEY, inference TEXT, asked TEXT, model TEXT, input INTEGER, output INTEGER,
    begun INTEGER, ended INTEGER, answered INTEGER, row INTEGER
);
CREATE INDEX call_inference ON call (inference);
CREATE TABLE call_id (id TEXT, number INTEGER);
"""
_INDEXES: Final = """
CREATE INDEX record_tokens ON record (model, input, output, at, row);
CREATE INDEX record_model ON record (model, at, row);
CREATE INDEX record_id_row ON record_id (row);
CREATE INDEX call_id_id ON call_id (id);
CREATE INDEX call_model ON call (answered, model, input, output, begun);
CREATE INDEX call_asked ON call (answered, asked, input, output, begun);
CREATE INDEX call_asked_begun ON call (answered, asked, begun);
"""
_PAGE: Final = 5_000
_EPOCH: Final = parse("1970-01-01T00:00:00.000000Z")


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """A call, as the provider's records have it; `row` from 1, ascending."""

    row: int
    ids: tuple[str, ...]
    model: str
    time: datetime
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """`bypassed`: the log does not have it; `missing`: the file does not; `tokens`: both do, with other numbers."""

    kind: str
    row: int
    inference: str
    model: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """records = outside_period + matched + matched_by_tokens + unanswered + bypassed."""

    records: int
    outside_period: int
    matched: int
    matched_by_tokens: int
    unanswered: int
    bypassed: int
    differing: int
    calls: int
    missing: int

    def body(self) -> dict[str, int]:
        """For the entry."""
        return asdict(self)


class Comparison:
    """One comparison. Belongs to one thread at a time. Raises sqlite3.Error where the disk has no room."""

    def __init__(self, path: Path, since: datetime, until: datetime) -> None:
        """`path` is a new file of the caller's; the records hold every call from `since` on and before `until`."""
        self._since, self._until = _micros(since), _micros(until)
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")
        self._records = self._outside = 0
        self._stopped = False

    def close(self) -> None:
        """Not while another thread is in it."""
        self._db.close()

    def stop(self) -> None:
        """Ends what another thread does in it, which then raises sqlite3.Error. From any thread, and more than once."""
        self._stopped = True
        self._db.interrupt()

    def add_records(self, records: Iterable[UsageRecord]) -> None:
        """Raises FailedPrecondition: TOO_MANY_RECORDS, or USAGE_ID_REPEATED with both rows: no call counts twice."""
        for one in records:
            self._records += 1
            if self._records > MOST_RECORDS:
                raise FailedPrecondition("TOO_MANY_RECORDS", metadata={"most": str(MOST_RECORDS)})
            for name in one.ids:
                try:
                    self._db.execute("INSERT INTO record_id VALUES (?, ?)", (name, one.row))
                except sqlite3.IntegrityError:
                    raise self._repeated(name, one.row) from None
            at = _micros(one.time)
            if not self._since <= at < self._until:
                self._outside += 1
                continue
            values = (one.row, one.model, at, one.input_tokens, one.output_tokens)
            self._db.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, NULL)", values)

    def add_calls(self, found: Iterable[Call | Forgotten]) -> None:
        for one in found:
            if isinstance(one, Forgotten):
                self._db.execute("DELETE FROM call WHERE inference = ?", (one.inference,))
                continue
            begun, ended = _micros(parse(one.begun)), _micros(parse(one.ended))
            counts = (one.input_tokens, one.output_tokens)
            cursor = self._db.execute(
                "INSERT INTO call VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (one.inference, one.asked, one.model, *counts, begun, ended, one.answered),
            )
            for name in dict.fromkeys(one.ids):
                self._db.execute("INSERT INTO call_id VALUES (?, ?)", (name, cursor.lastrowid))

    def match(self) -> Counts:
        """Pairs them; once, after the last of both."""
        self._db.execute("DELETE FROM call_id WHERE number NOT IN (SELECT number FROM call)")
        self._db.execute("COMMIT")
        self._db.executescript(_INDEXES)
        self._db.execute("BEGIN")
        matched = self._by_id()
        tokens = ("input", "output")
        by_tokens = self._alike("answered = 1", "model", tokens, _SKEW)
        by_tokens += self._alike("answered = 1", "asked", tokens, _SKEW)
        unanswered = self._alike("answered = 0", "asked", (), _PATIENCE)
        in_period = "FROM call WHERE answered AND begun >= ? AND ended < ?"
        bounds = (self._since, self._until)
        return Counts(
            records=self._records,
            outside_period=self._outside,
            matched=matched,
            matched_by_tokens=by_tokens,
            unanswered=unanswered,
            bypassed=self._count("SELECT count(*) FROM record WHERE call IS NULL"),
            differing=self._count(f"SELECT count(*) {_DIFFERING}"),
            calls=self._count(f"SELECT count(*) {in_period}", bounds),
            missing=self._count(f"SELECT count(*) {in_period} AND row IS NULL", bounds),
        )

    def differences(self) -> list[Difference]:
        """The first of each kind, at most MOST_SHOWN; those past the gate first."""
        queries: tuple[tuple[str, str, tuple[int, ...]], ...] = (
            ("bypassed", "SELECT row, '', model, at FROM record WHERE call IS NULL ORDER BY row", ()),
            (
                "tokens",
                f"SELECT record.row, inference, record.model, at {_DIFFERING} ORDER BY record.row",
                (),
            ),
            (
                "missing",
                "SELECT 0, inference, model, ended FROM call"
                " WHERE answered AND begun >= ? AND ended < ? AND row IS NULL ORDER BY number",
                (self._since, self._until),
            ),
        )
        return [
            Difference(kind, row, inference, model, _EPOCH + timedelta(microseconds=at))
            for kind, query, bounds in queries
            for row, inference, model, at in self._db.execute(f"{query} LIMIT {MOST_SHOWN}", bounds)
        ]

    def _by_id(self) -> int:
        found = 0
        for _key, row, _at in self._left(("model",)):
            number = self._db.execute(
                "SELECT call.number FROM record_id JOIN call_id ON call_id.id = record_id.id"
                " JOIN call ON call.number = call_id.number WHERE record_id.row = ? AND call.row IS NULL"
                " ORDER BY call.number LIMIT 1",
                (row,),
            ).fetchone()
            if number is not None:
                self._pair(row, number[0])
                found += 1
        return found

    def _alike(self, which: str, name: str, same: tuple[str, ...], wait: int) -> int:
        """Pairs records with such calls of the same model, by that name of it, and the same values in those columns. A
        call may begin until _SKEW after its record, and end from `wait` before it; of several the one that ended first
        is taken, so that the others may be of later records.

        Both are gone through once, in the order of time: work grows with their number, also where all are alike.
        """
        found = 0
        query = (
            f"SELECT begun, ended, number FROM call WHERE {which} AND {name} = ?"  # noqa: S608 - our own words
            f"{''.join(f' AND {column} = ?' for column in same)} AND row IS NULL ORDER BY begun, number"
        )
        for key, records in groupby(self._left(("model", *same)), key=itemgetter(0)):
            calls = self._db.execute(query, key)
            ahead: tuple[int, int, int] | None = calls.fetchone()
            begun: list[tuple[int, int]] = []
            for _key, row, at in records:
                while ahead is not None and ahead[0] <= at + _SKEW:
                    heappush(begun, (ahead[1], ahead[2]))
                    ahead = calls.fetchone()
                while begun and begun[0][0] < at - wait:
                    heappop(begun)
                if begun:
                    self._pair(row, heappop(begun)[1])
                    found += 1
        return found

    def _left(self, by: tuple[str, ...]) -> Iterator[tuple[tuple[Any, ...], int, int]]:
        """(values of these columns, row, time) of the records without a call, by these columns and then by time, some
        at once: pairing writes to what is read. A record that has no value of one of them is left out.
        """
        columns = ", ".join((*by, "at", "row"))
        query = (
            f"SELECT {columns} FROM record WHERE call IS NULL"  # noqa: S608 - our own words
            f" AND ({columns}) > ({', '.join('?' * (len(by) + 2))})"
            f"{''.join(f' AND {name} IS NOT NULL' for name in by)} ORDER BY {columns} LIMIT {_PAGE}"
        )
        last: tuple[Any, ...] = (*("", -1, -1)[: len(by)], -(1 << 62), 0)
        while rows := self._db.execute(query, last).fetchall():
            last = rows[-1]
            for one in rows:
                if self._stopped:
                    raise sqlite3.OperationalError("stopped")
                yield one[:-2], one[-1], one[-2]

    def _pair(self, row: int, number: int) -> None:
        """The call is this record's from now on."""
        self._db.execute("UPDATE call SET row = ? WHERE number = ?", (row, number))
        self._db.execute("UPDATE record SET call = ? WHERE row = ?", (number, row))

    def _repeated(self, name: str, row: int) -> FailedPrecondition:
        [first] = self._db.execute("SELECT row FROM record_id WHERE id = ?", (name,)).fetchone()
        return FailedPrecondition("USAGE_ID_REPEATED", metadata={"row": str(row), "first_row": str(first)})

    def _count(self, query: str, bounds: tuple[int, ...] = ()) -> int:
        return int(self._db.execute(query, bounds).fetchone()[0])


_DIFFERING: Final = (
    "FROM record JOIN call ON call.number = record.call WHERE answered"
    " AND (record.input <> call.input OR record.output <> call.output)"
)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)

"""The store in memory: for tests of what rests on a store, with faults at the moments where real ones hit.

It keeps the port's whole contract except durability. A fault callback is asked at every call; what it answers
decides whether the call fails and whether it took effect all the same: at a commit, the two cases that a caller
cannot tell apart and has to survive.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from attending.ledger.store import schema
from attending.ledger.store.port import (
    MAX_LEAVES,
    Answer,
    Batch,
    ClaimRow,
    EntryRow,
    ErasureRow,
    HeadRow,
    IntroductionRow,
    Leaf,
    LogRow,
    PayloadRow,
    Question,
    RemovalRow,
    RowRefused,
    StoreFault,
)
from attending.ledger.store.rows import ProjectionWriter
from sqlalchemy import MetaData, Row, Select, StaticPool, Table, create_engine
from sqlalchemy.exc import DBAPIError

P = ParamSpec("P")
R = TypeVar("R")

READS: Final = frozenset(
    {"heads", "head_size", "stops", "entries", "leaf_hashes", "tile", "stream_entries"}
    | {
        "read_stream_version",
        "read_stream_versions",
        "payload",
        "read_claim",
        "pseudonym",
        "is_erased",
        "erasures",
        "rebuilding",
    }
    | {"erased_records", "payload_counts", "present_records", "removal", "introductions", "query"}
)
"""The calls that read what is committed."""


class Fault(Enum):
    """What a call does: succeed, fail with nothing done, or fail although all of it was done."""

    NONE = "none"
    LOST = "lost"
    KEPT = "kept"


def _asked(
    method: Callable[Concatenate[MemoryStore, P], R],
) -> Callable[Concatenate[MemoryStore, P], R]:
    """A call of the port that asks the store's fault callback first."""
    name = method.__name__

    @wraps(method)
    def call(self: MemoryStore, /, *args: P.args, **kwargs: P.kwargs) -> R:
        answer = self.fault(name)
        if answer is Fault.LOST:
            raise StoreFault(f"fault at {name}")
        result = method(self, *args, **kwargs)
        if answer is Fault.KEPT:
            raise StoreFault(f"fault after {name}")
        return result

    return call


@dataclass(slots=True)
class _Data:
    logs: dict[str, LogRow] = field(default_factory=dict)
    heads: dict[str, HeadRow] = field(default_factory=dict)
    entries: dict[tuple[str, int], EntryRow] = field(default_factory=dict)
    stops: dict[str, str] = field(default_factory=dict)
    streams: dict[tuple[str, str, int], int] = field(default_factory=dict)
    tiles: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    payloads: dict[tuple[str, str], PayloadRow] = field(default_factory=dict)
    claims: dict[tuple[str, str], ClaimRow] = field(default_factory=dict)
    subjects: dict[tuple[str, bytes], str] = field(default_factory=dict)
    erasures: dict[tuple[str, str], ErasureRow] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    removals: dict[tuple[str, str], RemovalRow] = field(default_factory=dict)
    introductions: dict[tuple[str, int], IntroductionRow] = field(default_factory=dict)

    def copy(self) -> _Data:
        return _Data(**{name: dict(getattr(self, name)) for name in self.__slots__})

    def version(self, log_id: str, stream: str) -> int:
        version = 0
        while (log_id, stream, version) in self.streams:
            version += 1
        return version


class MemoryStore:
    """Implements `Store`. `fault(name)` is asked before every call of the port but `close`, by its name."""

    shared = False

    def __init__(self, fault: Callable[[str], Fault] = lambda _: Fault.NONE) -> None:
        self.fault = fault
        self._committed = _Data()
        self._staged: _Data | None = None
        self._lock = threading.RLock()
        self._rows = ProjectionWriter()
        self._rows_changed = False
        # Projections need SQL to be queried: a writing database, and a copy of it as last committed.
        self._writer = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._snapshot = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._engine = create_engine("sqlite://", creator=lambda: self._snapshot, poolclass=StaticPool)

    # --- writing ---------------------------------------------------------------------------------------

    @_asked
    def create_tables(self, metadata: Collection[MetaData]) -> None:
        with self._lock:
            known = {row[0] for row in self._writer.execute("SELECT name FROM sqlite_master")}
            tables = [table for item in metadata for table in item.sorted_tables]
            if clash := {table.name for table in tables} & set(schema.metadata.tables):
                raise ValueError(f"projection tables take names of the ledger: {sorted(clash)}")
            for name, statement in schema.sqlite_objects(tables).items():
                if name not in known:
                    self._writer.execute(statement)
            if self._committed.entries and any(table.name not in known for table in tables):
                self._committed.marks["rebuilding"] = 1
            self._show_rows()

    @_asked
    def begin(self, question: Question) -> Answer:
        with self._lock:
            self._staged = self._committed.copy()
            self._writer.execute("BEGIN")
        data, answer = self._staged, Answer()
        for log_id, size in question.sizes.items():
            head = data.heads.get(log_id)
            if head is None:
                continue
            answer.heads[log_id] = head
            if log_id in data.stops:
                answer.stops[log_id] = data.stops[log_id]
            rows = [data.entries[log_id, index] for index in range(size, min(head.size, size + MAX_LEAVES))]
            answer.leaves[log_id] = [Leaf(row.leaf_hash, row.stream, row.stream_version) for row in rows]
        for log_id, streams in question.streams.items():
            found = {stream: data.version(log_id, stream) for stream in streams}
            answer.versions.update({(log_id, stream): n for stream, n in found.items() if n})
        for log_id, keys in question.claims.items():
            answer.claims.update(
                {(log_id, key): data.claims[log_id, key] for key in keys if (log_id, key) in data.claims}
            )
        for log_id, names in question.subjects.items():
            answer.erased.update((log_id, name) for name in names if (log_id, name) in data.erasures)
        return answer

    @_asked
    def apply(self, batch: Batch) -> None:
        data = self._open()
        for log in batch.logs:
            if log.log_id in data.logs or log.origin in {other.origin for other in data.logs.values()}:
                raise RowRefused("log")
            data.logs[log.log_id] = log
        for old_size, head in batch.heads:
            held = data.heads.get(head.log_id)
            if held is not None and (
                held.size != old_size or head.size <= held.size or head.time < held.time
            ):
                raise StoreFault("stored head is not the one that the sequencer holds")
            data.heads[head.log_id] = head
        for entry in batch.entries:
            place = (entry.log_id, entry.stream, entry.stream_version)
            if entry[:2] in data.entries or place in data.streams:
                raise StoreFault("entry")
            data.entries[entry.log_id, entry.entry_index] = entry
            data.streams[place] = entry.entry_index
        for tile in batch.tiles:
            if tile[:3] in data.tiles:
                raise StoreFault("tile")
            data.tiles[tile.log_id, tile.level, tile.tile_index] = tile.hashes
        for log_id, reason in batch.stops:
            if reason is not None and log_id in data.stops:
                raise StoreFault("log_stop")
            if reason is None and data.stops.get(log_id) == schema.SEALED:
                raise StoreFault("log_stop")
            if reason is None:
                data.stops.pop(log_id, None)
            else:
                data.stops[log_id] = reason
        for introduction in batch.introductions:
            if introduction[:2] in data.introductions:
                raise RowRefused("introduction")
            data.introductions[introduction.log_id, introduction.entry_index] = introduction
        for payload in batch.payloads:
            if payload[:2] in data.payloads:
                raise RowRefused("payload")
            data.payloads[payload.log_id, payload.record] = payload
        for log_id, time in batch.expired_claims:
            for key, claim in list(data.claims.items()):
                if key[0] == log_id and claim.created_at < time:
                    del data.claims[key]
        for claim in batch.claims:
            if claim[:2] in data.claims:
                raise RowRefused("claim")
            data.claims[claim.log_id, claim.key] = claim
        for subject in batch.subjects:
            names = {name for (log_id, _), name in data.subjects.items() if log_id == subject.log_id}
            if subject[:2] in data.subjects or subject.pseudonym in names:
                raise RowRefused("subject")
            data.subjects[subject.log_id, subject.lookup] = subject.pseudonym
        for erasure in batch.erasures:
            if erasure[:2] in data.erasures:
                raise RowRefused("erasure")
            data.erasures[erasure.log_id, erasure.pseudonym] = erasure
            for link, name in list(data.subjects.items()):
                if (link[0], name) == erasure[:2]:
                    del data.subjects[link]
        for removal in batch.removals:
            self._remove(data, removal)
        try:
            for row in batch.rows:
                self._rows.write(self._writer, row)
                self._rows_changed = True
        except (sqlite3.Error, TypeError, ValueError, OverflowError) as err:
            raise RowRefused(type(err).__name__) from None

    @_asked
    def clear_rows(self, log_id: str, tables: Collection[Table]) -> None:
        self._open()
        for table in tables:
            self._rows.clear(self._writer, table, log_id)
        self._rows_changed = True

    @_asked
    def mark_rebuilding(self, unfinished: bool) -> None:
        marks = self._open().marks
        marks.pop("rebuilding", None)
        if unfinished:
            marks["rebuilding"] = 1

    @_asked
    def commit(self) -> None:
        staged = self._open()
        with self._lock:
            self._writer.execute("COMMIT")
            self._committed, self._staged = staged, None
            if self._rows_changed:
                self._show_rows()
                self._rows_changed = False

    @_asked
    def rollback(self) -> None:
        self._drop()

    @_asked
    def recover(self) -> None:
        self._drop()

    def close(self) -> None:
        """Rolls back; what was committed stays, so that the store can be opened again as a file can."""
        self._drop()

    def snapshot(self) -> object:
        """What is committed, as a backup would hold it (projections aside)."""
        with self._lock:
            return self._committed.copy()

    def restore(self, snapshot: object) -> None:
        """Puts a snapshot back, as restoring an old backup under a running server would."""
        if not isinstance(snapshot, _Data):
            raise TypeError("not a snapshot of this store")
        with self._lock:
            self._committed = snapshot.copy()

    # --- reading ---------------------------------------------------------------------------------------

    @_asked
    def heads(self) -> list[tuple[LogRow, HeadRow]]:
        data = self._committed
        return [(data.logs[log_id], data.heads[log_id]) for log_id in sorted(data.logs)]

    @_asked
    def head_size(self, log_id: str) -> int | None:
        head = self._committed.heads.get(log_id)
        return None if head is None else head.size

    @_asked
    def stops(self) -> dict[str, str]:
        return dict(self._committed.stops)

    @_asked
    def entries(self, log_id: str, start: int, limit: int) -> list[bytes]:
        return [row.data for row in self._entry_rows(log_id, start, limit)]

    @_asked
    def leaf_hashes(self, log_id: str, start: int, limit: int) -> list[bytes]:
        return [row.leaf_hash for row in self._entry_rows(log_id, start, limit)]

    @_asked
    def tile(self, log_id: str, level: int, index: int) -> bytes | None:
        return self._committed.tiles.get((log_id, level, index))

    @_asked
    def stream_entries(self, log_id: str, stream: str, start: int, limit: int) -> list[bytes]:
        data = self._committed
        found = []
        for version in range(start, start + limit):
            index = data.streams.get((log_id, stream, version))
            if index is None:
                break
            found.append(data.entries[log_id, index].data)
        return found

    @_asked
    def read_stream_version(self, log_id: str, stream: str) -> int:
        return self._committed.version(log_id, stream)

    @_asked
    def read_stream_versions(self, log_id: str, streams: Collection[str]) -> dict[str, int]:
        found = {stream: self._committed.version(log_id, stream) for stream in streams}
        return {stream: version for stream, version in found.items() if version}

    @_asked
    def payload(self, log_id: str, record: str) -> PayloadRow | None:
        return self._committed.payloads.get((log_id, record))

    @_asked
    def read_claim(self, log_id: str, key: str) -> ClaimRow | None:
        return self._committed.claims.get((log_id, key))

    @_asked
    def pseudonym(self, log_id: str, lookup: bytes) -> str | None:
        return self._committed.subjects.get((log_id, lookup))

    @_asked
    def is_erased(self, log_id: str, pseudonym: str) -> bool:
        return (log_id, pseudonym) in self._committed.erasures

    @_asked
    def erasures(self, log_id: str) -> list[ErasureRow]:
        rows = [row for row in self._committed.erasures.values() if row.log_id == log_id]
        return sorted(rows, key=lambda row: row.entry_index)

    @_asked
    def introductions(self, log_id: str) -> list[IntroductionRow]:
        rows = [row for row in self._committed.introductions.values() if row.log_id == log_id]
        return sorted(rows, key=lambda row: row.entry_index)

    @_asked
    def rebuilding(self) -> bool:
        return "rebuilding" in self._committed.marks

    @_asked
    def beat(self, owner: str, seconds: float) -> None:
        """Nothing: one process has it."""

    @_asked
    def live_owners(self) -> set[str]:
        return set()

    @_asked
    def erased_records(self, log_id: str, limit: int) -> list[RemovalRow]:
        data = self._committed
        found = []
        for row in data.payloads.values():
            erasure = data.erasures.get((row.log_id, row.subject))
            if row.log_id == log_id and erasure is not None:
                found.append(RemovalRow(log_id, row.record, row.entry_index, erasure.entry_index))
        return found[:limit]

    @_asked
    def payload_counts(self, log_id: str, subject: str, below: int) -> dict[str, int]:
        rows = self._committed.payloads.values()
        mine = [r.kind for r in rows if (r.log_id, r.subject) == (log_id, subject) and r.entry_index < below]
        return dict(Counter(mine))

    @_asked
    def present_records(self, log_id: str, records: Collection[str]) -> set[str]:
        payloads = self._committed.payloads
        return {record for record in records if (log_id, record) in payloads}

    @_asked
    def removal(self, log_id: str, record: str) -> RemovalRow | None:
        return self._committed.removals.get((log_id, record))

    @_asked
    def vacuum(self) -> None:
        """Nothing to do: what is deleted here is garbage."""

    @_asked
    def query(self, select: Select[Any]) -> Sequence[Row[Any]]:
        try:
            with self._lock, self._engine.connect() as connection:
                return connection.execute(select).all()
        except DBAPIError as err:
            raise StoreFault(type(err).__name__) from None

    # --- inside ----------------------------------------------------------------------------------------

    def _open(self) -> _Data:
        if self._staged is None:
            raise StoreFault("no transaction is open")
        return self._staged

    def _remove(self, data: _Data, removal: RemovalRow) -> None:
        """What the triggers of a database ask for: a certificate, and no hold unless the subject is erased."""
        row = data.payloads.get(removal[:2])
        if row is None or row.entry_index != removal.entry_index or removal[:2] in data.removals:
            raise RowRefused("removal")
        erasure = data.erasures.get((row.log_id, row.subject))
        if erasure is None or erasure.entry_index != removal.removed_by:
            certificate = data.entries.get((removal.log_id, removal.removed_by))
            if certificate is None or certificate.type != "payload.pruned" or self._held(row):
                raise RowRefused("removal")
        data.removals[removal[:2]] = removal
        del data.payloads[removal[:2]]

    def _held(self, row: PayloadRow) -> bool:
        try:
            found = self._writer.execute(
                "SELECT 1 FROM custody_hold WHERE log_id = ? AND subject = ?", (row.log_id, row.subject)
            )
            return found.fetchone() is not None
        except sqlite3.Error:
            # Without the table nobody can say that it is not held.
            return True

    def _entry_rows(self, log_id: str, start: int, limit: int) -> list[EntryRow]:
        data = self._committed
        found: list[EntryRow] = []
        while len(found) < limit and (log_id, start + len(found)) in data.entries:
            found.append(data.entries[log_id, start + len(found)])
        return found

    def _show_rows(self) -> None:
        self._snapshot.execute("PRAGMA query_only = OFF")
        self._writer.backup(self._snapshot)
        self._snapshot.execute("PRAGMA query_only = ON")

    def _drop(self) -> None:
        with self._lock:
            self._staged = None
            self._rows_changed = False
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")

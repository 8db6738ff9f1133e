"""The complete check of a stored log: everything that start-up takes on trust because it would cost too much.

Start-up reads the last entries and the tree's right edge. Here every entry is read: its bytes, its place and link, the
columns that repeat it, every tile, the head, a published head, and that each sealed payload is the one its entry
commits to (which needs no key).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from attending.ledger.checkpoint import Checkpoint, parse_checkpoint
from attending.ledger.entry import GENESIS_PREV, Entry, parse_entry
from attending.ledger.errors import CorruptLog, UnsafeSettings, VerificationError
from attending.ledger.introduction import REASON
from attending.ledger.keys import TENANT_SUBJECT
from attending.ledger.merkle import Frontier, leaf_hash, root_from_hashes
from attending.ledger.publish import check_head_against
from attending.ledger.signing import read_chain
from attending.ledger.store import schema
from attending.ledger.store.port import HeadRow, LogRow
from attending.ledger.store.read_only import ReadOnlySqlite, ReadOnlyStore
from attending.ledger.tiles import TILE_WIDTH

Progress = Callable[[str, int, int], None]
"""(what is done, units done, units in all): called often, from the calling thread."""

_MAX_MARKS: Final = 500


@dataclass(frozen=True, slots=True)
class CheckedLog:
    """A log that holds together from its first entry to its head."""

    row: LogRow
    size: int
    root: bytes
    published: Checkpoint | None
    """The largest of the published heads it was compared with; this log extends it."""
    payloads: int
    """Sealed payloads that are there, each the one that its entry commits to."""
    missing_payloads: int
    """Commitments whose payload is not there: pruned, or gone with an erased subject."""


def check_log(
    store: ReadOnlyStore,
    row: LogRow,
    head: HeadRow,
    published: Sequence[str] = (),
    progress: Progress | None = None,
) -> CheckedLog:
    """What stands in the log, when all of it holds. Call within a snapshot.

    1. Entries 0 to size-1 are there and no other. Each is canonical, of its place and origin, links to the one
    before, and time does not go back. 2. Leaf hash, stream and type beside it are its own; the versions of a stream
    are 0 and up, in order. 3. Every full tile is there, with the hashes that the entries have. 4. The head is that
    of the entries. 5. Each published head is signed by the log's key of its size and is the log's own; so is the head
    under each introduction of a key, and none is missing. 6. Each payload names an entry that commits to it, and is the
    sealed text that was committed to.

    Raises CorruptLog naming the log and the first bad entry, with the reasons of `check_against` for a published
    head; StoreFault. It does not open payloads.
    """
    run = _Run(store, row, head)
    # The root at each size that a note claims: needed when the note turns out to be genuine.
    chain = read_chain(store, row)
    wanted = {size for note in published if (size := claimed_size(note)) is not None}
    wanted |= {item.rotation.size for item in chain.introductions}
    marks: dict[int, bytes] = {}
    for start in range(0, head.size + 1, TILE_WIDTH):
        run.page(start, wanted, marks)
        if progress is not None:
            progress(row.log_id, min(start + TILE_WIDTH, head.size), head.size)
    run.finish()

    def root_at(size: int) -> bytes:
        return marks[size]

    for item in chain.introductions:  # 5
        if marks.get(item.rotation.size) != item.root:
            detail = f"log `{row.log_id}` is not the one in which its key was introduced"
            raise CorruptLog(detail, index=item.rotation.index, reason=REASON, log_id=row.log_id)
    if chain.pending is not None:
        # Restored after the old key is gone, nothing could introduce the new one.
        detail = f"a rotation of the signing key of log `{row.log_id}` is under way, or was cut short"
        raise CorruptLog(detail, index=chain.pending.index, reason="INTRODUCTION_PENDING", log_id=row.log_id)
    heads = [check_head_against(row, chain.terms, head.size, note, root_at) for note in published]
    newest = max((found for found in heads if found is not None), key=lambda found: found.size, default=None)
    return CheckedLog(row, head.size, head.root, newest, run.payloads, run.missing)


def check_objects(store: ReadOnlySqlite) -> None:
    """Raises UnsafeSettings unless a file's tables, indexes and triggers are the ledger's, and no trigger or view is
    added: one of those could act, or lie, once a server writes to it.
    """
    expected = schema.sqlite_objects(schema.metadata.sorted_tables) | dict(schema.SQLITE_TRIGGERS)
    stored = {
        str(name): (str(kind), str(sql).strip())
        for name, kind, sql in store.rows("SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL")
    }
    for name, statement in expected.items():
        if name not in stored or stored[name][1] != statement:
            raise UnsafeSettings(f"`{name}` of the database is lost, or not as the ledger made it")
    for name, (kind, _sql) in stored.items():
        if kind in ("trigger", "view") and name not in expected:
            raise UnsafeSettings(f"the database has a {kind} that is not the ledger's")


class _Run:
    def __init__(self, store: ReadOnlyStore, row: LogRow, head: HeadRow) -> None:
        self._store, self._row, self._head = store, row, head
        self._frontier = Frontier()
        self._prev = GENESIS_PREV
        self._time = row.created_at
        self._levels: list[list[bytes]] = [[]]
        self._tiles: list[int] = [0]
        self.payloads = self.missing = 0

    def page(self, start: int, wanted: Collection[int], marks: dict[int, bytes]) -> None:
        """Reads the entries of one tile's width, and notes the roots at the sizes `wanted` that it passes."""
        found = self._store.rows(
            "SELECT entry_index, data, leaf_hash, stream, stream_version, type FROM entry"
            " WHERE log_id = ? AND entry_index >= ? ORDER BY entry_index LIMIT ?",
            self._row.log_id,
            start,
            TILE_WIDTH,
        )
        if self._frontier.size in wanted:
            marks[self._frontier.size] = self._frontier.root()
        entries = []
        for index, row in enumerate(found, start):
            if index >= self._head.size:
                raise self._bad("log holds entries past its head", self._head.size)
            entries.append(self._entry(index, row))
            if self._frontier.size in wanted:
                marks[self._frontier.size] = self._frontier.root()
        if len(found) < min(TILE_WIDTH, self._head.size - start):
            raise self._bad("log lacks entries under its head", start + len(found))
        self._payloads(entries)

    def finish(self) -> None:
        """What can be said only of the whole."""
        head, log_id = self._head, self._row.log_id
        if self._frontier.root() != head.root or self._prev != head.last_leaf or self._time != head.time:  # 4
            raise self._bad("head is not that of the entries", None)
        # Tiles past those that the entries fill would be read by nobody until they are in the way.
        counts = self._store.rows(
            "SELECT level, COUNT(*) FROM tile WHERE log_id = ? GROUP BY level ORDER BY level", log_id
        )
        if [tuple(row) for row in counts] != [(level, n) for level, n in enumerate(self._tiles) if n]:  # 3
            raise self._bad("log holds tiles that its entries do not fill", None)
        gap = self._store.rows(
            "SELECT stream, MAX(entry_index) FROM entry WHERE log_id = ? GROUP BY stream"
            " HAVING MIN(stream_version) <> 0 OR MAX(stream_version) + 1 <> COUNT(*) LIMIT 1",
            log_id,
        ) or self._store.rows(
            "SELECT a.stream, b.entry_index FROM entry AS a JOIN entry AS b ON b.log_id = a.log_id"
            " AND b.stream = a.stream AND b.stream_version = a.stream_version + 1"
            " WHERE a.log_id = ? AND b.entry_index <= a.entry_index LIMIT 1",
            log_id,
        )
        if gap:  # 2
            raise self._bad("versions of the entry's stream are not in order", int(gap[0][1]))
        stored = self._store.rows("SELECT COUNT(*) FROM payload WHERE log_id = ?", log_id)[0][0]
        if stored != self.payloads:  # 6
            raise self._bad(f"{stored - self.payloads} payloads belong to no entry", None)

    def _entry(self, index: int, row: tuple[Any, ...]) -> Entry:
        place, data, leaf, stream, version, kind = row
        if place != index:
            raise self._bad("log lacks entries under its head", index)
        try:
            entry = parse_entry(data)
        except VerificationError as err:
            raise self._bad("stored bytes do not parse", index) from err
        if entry.index != index or entry.origin != self._row.origin:  # 1
            raise self._bad("stored bytes belong to another place", index)
        if entry.leaf_hash != leaf:  # 2
            raise self._bad("stored bytes do not have their leaf hash", index)
        if entry.prev != self._prev:
            raise self._bad("predecessor is not the one it names", max(index - 1, 0))
        if entry.time < self._time:
            raise self._bad("time is before that of the entry before", index)
        if (entry.stream, entry.type) != (stream, kind) or type(version) is not int:
            raise self._bad("columns beside the entry are not its own", index)
        self._prev, self._time = leaf_hash(data), entry.time
        self._frontier.append(self._prev)
        self._grow(self._prev, index)
        return entry

    def _grow(self, leaf: bytes, index: int) -> None:
        """Adds a hash to its tile; a full tile is compared with the stored one and its root goes a level up."""
        level, value = 0, leaf
        while True:
            hashes = self._levels[level]
            hashes.append(value)
            if len(hashes) < TILE_WIDTH:
                return
            position = self._tiles[level]
            if self._store.tile(self._row.log_id, level, position) != b"".join(hashes):  # 3
                raise self._bad(f"tile {position} of level {level} is not that of its entries", index)
            value = _root(hashes)
            self._tiles[level] = position + 1
            hashes.clear()
            level += 1
            if level == len(self._levels):
                self._levels.append([])
                self._tiles.append(0)

    def _payloads(self, entries: list[Entry]) -> None:
        named = {item.record: (entry, item) for entry in entries for item in entry.commitments}
        records = list(named)
        for start in range(0, len(records), _MAX_MARKS):
            part = records[start : start + _MAX_MARKS]
            marks = ", ".join("?" * len(part))
            found = self._store.rows(
                "SELECT record, entry_index, kind, subject, sealed FROM payload"  # noqa: S608 - marks only
                f" WHERE log_id = ? AND record IN ({marks})",
                self._row.log_id,
                *part,
            )
            for record, index, kind, subject, sealed in found:
                if record not in named:
                    raise self._bad("a payload is found under a name that is not its own", None)
                entry, item = named[record]
                same = (entry.index, item.kind, entry.subject or TENANT_SUBJECT) == (index, kind, subject)
                if not same or hashlib.sha256(sealed).hexdigest() != item.ciphertext:  # 6
                    raise self._bad(f"payload `{record}` is not the one that was sealed", entry.index)
            self.payloads += len(found)
            self.missing += len(part) - len(found)

    def _bad(self, detail: str, index: int | None) -> CorruptLog:
        where = detail if index is not None else f"log `{self._row.log_id}`: {detail}"
        return CorruptLog(where, index=index, log_id=self._row.log_id)


def claimed_size(note: str) -> int | None:
    """The size that a note claims, nothing verified; None when it is no checkpoint."""
    try:
        return parse_checkpoint(note).size
    except VerificationError:
        return None


def _root(hashes: list[bytes]) -> bytes:
    """The root over a full tile's hashes."""
    frontier = Frontier()
    for value in hashes:
        frontier.append(value)
    return root_from_hashes(frontier.hashes)

"""Reading a log from the file of the embedded store, read-only, beside a running server or without one.

Standard library only. Nothing is trusted: a file may hold other types than its schema says, and pages that
cannot be read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from attending.ledger.errors import NotFound, VerificationIncomplete
from attending.ledger.introduction import MAX_INTRODUCTIONS, STREAM
from attending.ledger.verify.parts import StoredRow
from attending.ledger.verify.stored import StoredHead

_BUSY_SECONDS: Final = 10.0
_MEMORY_PAGES: Final = -4096
"""4 MiB of pages a process, so that memory does not grow with the file."""
_BAD_FILE: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR")


class LogInFile(NamedTuple):
    """A log as the file names it: `surplus` entries lie past its head, and no entry at `end` or after. `verifier_key`
    is the one that it began with, `introductions` the texts that lead from there, `rotations` the entries of their
    stream.
    """

    log_id: str
    verifier_key: str
    head: StoredHead
    surplus: int
    end: int
    introductions: tuple[bytes, ...] = ()
    rotations: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class SqliteLog:
    """Opens one log of the database file `path`: an `Opener`."""

    path: Path
    log_id: str

    def __call__(self) -> SqliteReader:
        return SqliteReader(connect(self.path), self.log_id)


class SqliteReader:
    """Implements `attending.ledger.verify.parts.Reader`. Rows of pages that cannot be read are left out."""

    def __init__(self, connection: sqlite3.Connection, log_id: str) -> None:
        self._connection = connection
        self._log_id = log_id

    def rows(self, begin: int, end: int) -> list[StoredRow]:
        try:
            return self._rows(begin, end)
        except sqlite3.DatabaseError as err:
            _require_bad_file(err)
        return [row for index in range(begin, end) for row in self._row(index)]

    def tile(self, level: int, index: int) -> bytes | None:
        sql = "SELECT hashes FROM tile WHERE log_id = ? AND level = ? AND tile_index = ?"
        try:
            row = self._connection.execute(sql, (self._log_id, level, index)).fetchone()
        except sqlite3.DatabaseError as err:
            _require_bad_file(err)
            return None
        return row[0] if row is not None and type(row[0]) is bytes else None

    def payloads(self, records: list[str]) -> dict[str, tuple[str, bytes]]:
        """Record to (kind, sealed bytes) of the stored payloads among `records`."""
        marks = ",".join("?" * len(records))
        sql = f"SELECT record, kind, sealed FROM payload WHERE log_id = ? AND record IN ({marks})"  # noqa: S608 - marks only
        with _reading():
            found = self._connection.execute(sql, (self._log_id, *records)).fetchall()
        return {
            _word(record): (_word(kind), sealed if type(sealed) is bytes else b"")
            for record, kind, sealed in found
        }

    def payload_count(self, size: int) -> int:
        """Number of stored payloads that belong to entries below `size`."""
        sql = "SELECT COUNT(*) FROM payload WHERE log_id = ? AND entry_index < ?"
        with _reading():
            return int(self._connection.execute(sql, (self._log_id, size)).fetchone()[0])

    def removed(self, records: list[str]) -> set[str]:
        """Those of `records` that are gone with an erasure or a prune on record."""
        marks = ",".join("?" * len(records))
        sql = f"SELECT record FROM removal WHERE log_id = ? AND record IN ({marks})"  # noqa: S608 - marks only
        with _reading():
            return {_word(row[0]) for row in self._connection.execute(sql, (self._log_id, *records))}

    def erased(self) -> set[str]:
        """Pseudonyms of the log's erased subjects."""
        with _reading():
            rows = self._connection.execute("SELECT pseudonym FROM erasure WHERE log_id = ?", (self._log_id,))
            return {_word(row[0]) for row in rows}

    def close(self) -> None:
        self._connection.close()

    def _rows(self, begin: int, end: int) -> list[StoredRow]:
        return self._connection.execute(
            "SELECT entry_index, data, leaf_hash, stream, type FROM entry"
            " WHERE log_id = ? AND entry_index >= ? AND entry_index < ? ORDER BY entry_index",
            (self._log_id, begin, end),
        ).fetchall()

    def _row(self, index: int) -> list[StoredRow]:
        try:
            return self._rows(index, index + 1)
        except sqlite3.DatabaseError as err:
            _require_bad_file(err)
            return []


def connect(path: Path) -> sqlite3.Connection:
    """A read-only connection. Raises VerificationIncomplete when the file cannot be opened as a database."""
    with _reading():
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
        )
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute(f"PRAGMA cache_size = {_MEMORY_PAGES}")
        # Texts come as bytes: one that is no UTF-8 is evidence too, not an exception.
        connection.text_factory = bytes
        return connection


def logs_in(path: Path) -> list[LogInFile]:
    """The logs of a database file with their heads, by log id, as of one moment.

    Raises VerificationIncomplete when they cannot be read.
    """
    connection = connect(path)
    try:
        with _reading():
            connection.execute("BEGIN")
            rows = connection.execute(
                "SELECT log_id, verifier_key, origin, size, root, last_leaf, time,"
                " (SELECT COUNT(*) FROM entry AS e WHERE e.log_id = h.log_id AND e.entry_index >= h.size),"
                " (SELECT MAX(entry_index) + 1 FROM entry AS e WHERE e.log_id = h.log_id)"
                " FROM log JOIN log_head AS h USING (log_id) ORDER BY log_id"
            ).fetchall()
            return [_log(row, *_keys(connection, row[0])) for row in rows]
    except (AttributeError, TypeError, ValueError, OverflowError) as err:
        raise VerificationIncomplete("heads of the database are not readable") from err
    finally:
        connection.close()


def log_in(path: Path, log_id: str) -> LogInFile:
    """One of `logs_in`; NotFound when the file has no such log."""
    for item in logs_in(path):
        if item.log_id == log_id:
            return item
    raise NotFound("database has no such log")


def _keys(connection: sqlite3.Connection, log_id: bytes) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """(introductions, rotations) of a log; a file of an earlier release has none."""
    limit = MAX_INTRODUCTIONS + 1
    rotations = connection.execute(
        "SELECT data FROM entry WHERE log_id = CAST(? AS TEXT) AND stream = ? ORDER BY stream_version LIMIT ?",
        (log_id, STREAM, limit),
    ).fetchall()
    found: list[tuple[Any, ...]] = []
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'introduction'").fetchone():
        found = connection.execute(
            "SELECT data FROM introduction WHERE log_id = CAST(? AS TEXT) ORDER BY entry_index LIMIT ?",
            (log_id, limit),
        ).fetchall()
    return tuple(_bytes(row[0]) for row in found), tuple(_bytes(row[0]) for row in rotations)


def _bytes(value: object) -> bytes:
    return value if type(value) is bytes else b""


def _log(row: tuple[Any, ...], introductions: tuple[bytes, ...], rotations: tuple[bytes, ...]) -> LogInFile:
    log_id, key, origin, size, root, leaf, time, surplus, end = row
    head = StoredHead(origin.decode("utf-8"), int(size), root, leaf, time.decode("utf-8"))
    name, began = log_id.decode("utf-8"), key.decode("utf-8")
    return LogInFile(name, began, head, surplus, int(end or 0), introductions, rotations)


def _word(value: object) -> str:
    """A text as stored; of what is none, words that no entry holds."""
    return value.decode("utf-8", "replace") if type(value) is bytes else ""


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as err:
        raise VerificationIncomplete(f"database cannot be read: {_name(err)}") from err


def _require_bad_file(err: sqlite3.DatabaseError) -> None:
    """Returns when the file is to blame for the error; anything else (busy, closed) leaves the check open."""
    if not _name(err).startswith(_BAD_FILE):
        raise VerificationIncomplete(f"database cannot be read: {_name(err)}") from err


def _name(err: sqlite3.Error) -> str:
    """The kind of error only: SQLite's messages can quote values."""
    return str(getattr(err, "sqlite_errorname", type(err).__name__))

"""Tables of the ledger and, for SQLite, the triggers that make its log insert-only.

Entries and tiles are never updated, deleted or replaced; a head only grows; payload bytes never change and
go only when their removal is on record, which asks for the subject's erasure, or for a `payload.pruned` entry and
no hold; pseudonyms, erasures, removals and introductions stay what they are. Triggers stop
accidents and careless tools. Against someone who can write the file they are no protection: the chain, the signed
heads and the places outside the database are. Start-up compares every table's and trigger's stored text
with what stands here, so that a dropped or edited one is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.schema import CreateIndex, CreateTable

SCHEMA_VERSION: Final = 5
SEALED: Final = "LOG_SEALED"
"""`log_stop.reason` of a log that has ended for good."""

NOT_BACKED_UP: Final = frozenset({"owner_beat"})
"""Tables that say how things are now, and nothing of a log."""

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _key(*names: str) -> PrimaryKeyConstraint:
    return PrimaryKeyConstraint(*names)


def _string(length: int) -> String:
    """Text ordered by its bytes: log ids are locked in one order by every process, whatever its locale."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _log_id() -> Column[str]:
    return Column("log_id", _string(63), nullable=False)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _text(name: str, length: int) -> Column[str]:
    return Column(name, _string(length), nullable=False)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


# `epoch` rises, durably, before heads are read at a start or after an unknown outcome; `rebuilding` is there
# while projections are being made again.
ledger = Table("ledger", metadata, _text("name", 32), _count("value"), _key("name"))

log = Table(
    "log",
    metadata,
    _log_id(),
    _text("origin", 255),
    _text("verifier_key", 512),
    _text("created_at", 27),
    _key("log_id"),
    UniqueConstraint("origin"),
)

# The stored bytes are the truth; the other columns repeat what is needed to find and to prove an entry.
# A rowid table on purpose: 1 KB rows in a WITHOUT ROWID tree spill to overflow pages and split in halves
# (measured: 27 to 45 % fewer rows a second).
entry = Table(
    "entry",
    metadata,
    _log_id(),
    _count("entry_index"),
    _bytes("data"),
    _bytes("leaf_hash"),
    _text("stream", 255),
    _count("stream_version"),
    _text("type", 129),
    _key("log_id", "entry_index"),
    # A stream's version is what the state machines rest on: two entries can never hold the same one.
    Index("uq_entry_log_id_stream_stream_version", "log_id", "stream", "stream_version", unique=True),
)

# Full tiles of 256 hashes (c2sp.org/tlog-tiles); partial ones are computed.
tile = Table(
    "tile",
    metadata,
    _log_id(),
    _count("level"),
    _count("tile_index"),
    _bytes("hashes"),
    _key("log_id", "level", "tile_index"),
)

log_head = Table(
    "log_head",
    metadata,
    _log_id(),
    _count("size"),
    _bytes("root"),
    _bytes("last_leaf"),
    _text("time", 27),
    _key("log_id"),
    sqlite_with_rowid=False,
)

# Why a log takes no entries. A seal stays for good.
log_stop = Table(
    "log_stop",
    metadata,
    _log_id(),
    _text("reason", 64),
    _key("log_id"),
    sqlite_with_rowid=False,
)

idempotency = Table(
    "idempotency",
    metadata,
    _log_id(),
    _text("key", 255),
    _bytes("fingerprint"),
    _text("stream", 255),
    _text("created_at", 27),
    _count("first_index"),
    _count("entries"),
    _key("log_id", "key"),
    Index(None, "created_at"),
    sqlite_with_rowid=False,
)

payload = Table(
    "payload",
    metadata,
    _log_id(),
    _text("record", 64),
    _count("entry_index"),
    _text("kind", 64),
    _text("subject", 64),
    _bytes("sealed"),
    _bytes("wrapped_key"),
    _key("log_id", "record"),
    Index(None, "log_id", "subject"),
)

# Identifier (as HMAC) to random pseudonym. A row goes when its subject is erased: the link is personal data.
subject_map = Table(
    "subject_map",
    metadata,
    _log_id(),
    Column("lookup", LargeBinary(32), nullable=False),
    _text("pseudonym", 64),
    _key("log_id", "lookup"),
    UniqueConstraint("log_id", "pseudonym"),
    sqlite_with_rowid=False,
)

erasure = Table(
    "erasure",
    metadata,
    _log_id(),
    _text("pseudonym", 64),
    _count("entry_index"),
    _key("log_id", "pseudonym"),
    sqlite_with_rowid=False,
)

# Which server processes are alive, where several may write. `expires_at` is in microseconds since 1970 by the
# database's own clock. No part of the log: a row lives as long as its process beats. Empty on SQLite, where the
# folder's lock says that nobody else is.
owner_beat = Table(
    "owner_beat",
    metadata,
    _text("owner", 64),
    _count("expires_at"),
    _key("owner"),
    sqlite_with_rowid=False,
)


# What is left of a payload that was erased or pruned: which entry named it, and which entry says that it is gone.
removal = Table(
    "removal",
    metadata,
    _log_id(),
    _text("record", 64),
    _count("entry_index"),
    _count("removed_by"),
    _key("log_id", "record"),
    sqlite_with_rowid=False,
)


# By which a log's signing key handed over to the next: the text that is given out (`attending.ledger.introduction`), of
# the rotation at `entry_index`. The key that signed it is destroyed once it is here.
introduction = Table(
    "introduction",
    metadata,
    _log_id(),
    _count("entry_index"),
    _bytes("data"),
    _key("log_id", "entry_index"),
    sqlite_with_rowid=False,
)


def _refuse(table: str, event: str, message: str, when: str = "", name: str = "") -> tuple[str, str]:
    kind = event.split(" ", maxsplit=1)[0].lower()
    name = name or f"{table}_refuse_{'replace' if kind == 'insert' else kind}"
    condition = f" WHEN {when}" if when else ""
    body = f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
    return name, f"CREATE TRIGGER {name} BEFORE {event} ON {table}{condition} {body}"


def _exists(table: str, condition: str) -> str:
    return f"EXISTS (SELECT 1 FROM {table} WHERE {condition})"  # noqa: S608 - names of this module only


def _same(*columns: str) -> str:
    return " AND ".join(f"{name} = NEW.{name}" for name in columns)


def _guard(table: str, *keys: tuple[str, ...], delete: str | None = "") -> Iterable[tuple[str, str]]:
    """Triggers for an insert-only table; `delete` is the condition for refusing a DELETE, None for never.

    REPLACE deletes the old row without firing a delete trigger unless the connection set
    `recursive_triggers` (sqlite.org/lang_createtrigger.html), so an insert over an existing key is refused
    by itself, for every unique key and for the rowid.
    """
    taken = " OR ".join(_exists(table, _same(*key)) for key in keys)
    yield _refuse(table, "INSERT", f"{table} is insert-only", taken)
    yield _refuse(table, "UPDATE", f"{table} is insert-only")
    if delete is not None:
        yield _refuse(table, "DELETE", f"{table} is insert-only", delete)


def _unless_erased(column: str) -> str:
    return "NOT " + _exists("erasure AS e", f"e.log_id = OLD.log_id AND e.pseudonym = OLD.{column}")


_NOT_REMOVED: Final = "NOT " + _exists("removal AS r", "r.log_id = OLD.log_id AND r.record = OLD.record")
_ERASED: Final = _exists(
    "erasure AS e", "e.log_id = p.log_id AND e.pseudonym = p.subject AND e.entry_index = NEW.removed_by"
)
_PRUNED: Final = _exists(
    "entry AS n",
    "n.log_id = p.log_id AND n.entry_index = NEW.removed_by AND n.type = 'payload.pruned'",
)
# `custody_hold` is a table of `attending.ledger.custody.tables`; without it the statement fails, and nothing goes.
_HELD: Final = _exists("custody_hold AS h", "h.log_id = p.log_id AND h.subject = p.subject")
_REMOVABLE: Final = _exists(
    "payload AS p",
    "p.log_id = NEW.log_id AND p.record = NEW.record AND p.entry_index = NEW.entry_index"
    f" AND ({_ERASED} OR ({_PRUNED} AND NOT {_HELD}))",
)
# What a restore puts back: the payload is gone, and its certificate is on record.
_RESTORABLE: Final = "(NOT {} AND {})".format(
    _exists("payload AS p", "p.log_id = NEW.log_id AND p.record = NEW.record"),
    _exists(
        "entry AS n",
        "n.log_id = NEW.log_id AND n.entry_index = NEW.removed_by"
        " AND n.type IN ('payload.pruned', 'subject.erased')",
    ),
)

SQLITE_TRIGGERS: Final[Mapping[str, str]] = dict(
    [
        *_guard("log", ("log_id",), ("origin",), ("rowid",)),
        *_guard("entry", ("log_id", "entry_index"), ("log_id", "stream", "stream_version"), ("rowid",)),
        *_guard("tile", ("log_id", "level", "tile_index"), ("rowid",)),
        _refuse("log_head", "INSERT", "log_head exists", _exists("log_head", _same("log_id"))),
        _refuse(
            "log_head",
            "UPDATE",
            "log_head may only grow",
            "NEW.log_id <> OLD.log_id OR NEW.size <= OLD.size OR NEW.time < OLD.time",
        ),
        _refuse("log_head", "DELETE", "log_head may only grow"),
        *_guard("log_stop", ("log_id",), delete=f"OLD.reason = '{SEALED}'"),
        # A claim expires, so its row may be deleted; it never changes.
        *_guard("idempotency", ("log_id", "key"), delete=None),
        *_guard("payload", ("log_id", "record"), ("rowid",), delete=_NOT_REMOVED),
        *_guard(
            "subject_map", ("log_id", "lookup"), ("log_id", "pseudonym"), delete=_unless_erased("pseudonym")
        ),
        *_guard("erasure", ("log_id", "pseudonym")),
        *_guard("removal", ("log_id", "record")),
        *_guard("introduction", ("log_id", "entry_index")),
        _refuse(
            "removal",
            "INSERT",
            "payload is neither erased nor pruned, or is on hold",
            f"NOT ({_REMOVABLE} OR {_RESTORABLE})",
            "removal_refuse_without_certificate",
        ),
    ]
)
"""Trigger name to the exact statement that creates it."""


def sqlite_objects(tables: Iterable[Table]) -> dict[str, str]:
    """Name to CREATE statement, as SQLite stores it, of `tables` with their indexes."""
    dialect = SQLiteDialect()
    statements = {}
    for table in tables:
        statements[table.name] = str(CreateTable(table).compile(dialect=dialect)).strip()
        for index in table.indexes:
            statements[str(index.name)] = str(CreateIndex(index).compile(dialect=dialect)).strip()
    return statements

"""What the database itself refuses, to someone with the file and no pragma set; and what start-up notices."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable

import pytest
from attending.ledger.custody.reads import Order
from attending.ledger.custody.state import HoldGround
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import CorruptLog, UnsafeSettings
from attending.ledger.ledger import Claim, Ledger
from attending.ledger.store import schema

LOG = "clinic"
Make = Callable[..., PendingEntry]
OpenLedger = Callable[..., Awaitable[Ledger]]
Database = Callable[[], sqlite3.Connection]
TABLES = ["log", "entry", "tile", "log_head", "idempotency", "payload", "subject_map", "erasure", "removal"]


@pytest.fixture
async def filled(open_ledger: OpenLedger, pending: Make, database: Database) -> sqlite3.Connection:
    """A database with a row in every table, its ledger closed."""
    ledger = await open_ledger()
    subject = await ledger.pseudonym(LOG, "MRN 1")
    other = await ledger.pseudonym(LOG, "MRN 2")
    await ledger.append(LOG, [pending(None, b"gone", subject=other)])
    for _ in range(3):
        await ledger.append(LOG, [pending(None, b"text", subject=subject) for _ in range(100)])
    await ledger.append(LOG, [pending()], claim=Claim("k", b"f", "s"))
    await ledger.custody.hold(LOG, subject, HoldGround.LITIGATION, Order())
    await ledger.erase_subject(LOG, other)
    await ledger.close()
    connection = database()
    for table in TABLES:
        assert connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0], table
    return connection


def dump(connection: sqlite3.Connection) -> list[str]:
    return list(connection.iterdump())


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
async def test_nothing_is_updated_deleted_or_replaced(
    filled: sqlite3.Connection, table: str, recursive: str
) -> None:
    filled.execute(f"PRAGMA recursive_triggers = {recursive}")
    before = dump(filled)
    columns = [row[1] for row in filled.execute(f"PRAGMA table_info({table})")]
    keys = [row[1] for row in filled.execute(f"PRAGMA table_info({table})") if row[5]]
    names = ", ".join(columns)
    others = [name for name in columns if name not in keys] or [keys[-1]]
    statements = [f"UPDATE {table} SET {name} = {name}" for name in columns]
    statements += [f"UPDATE OR REPLACE {table} SET {name} = {name}" for name in others]
    statements += [
        f"INSERT OR REPLACE INTO {table} ({names}) SELECT {names} FROM {table}",
        f"REPLACE INTO {table} ({names}) SELECT {names} FROM {table} LIMIT 1",
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {table} WHERE true"
        f" ON CONFLICT DO UPDATE SET {others[0]} = excluded.{others[0]}",
    ]
    if table != "idempotency":  # claims expire
        statements += [f"DELETE FROM {table}", f"DELETE FROM {table} WHERE log_id = '{LOG}'"]
    for statement in statements:
        with pytest.raises(sqlite3.IntegrityError):
            filled.execute(statement)
    assert dump(filled) == before


async def test_replace_cannot_evict_an_entry_by_another_key(filled: sqlite3.Connection) -> None:
    before = dump(filled)
    filled.execute("PRAGMA recursive_triggers = OFF")
    new = "'clinic', 9999, x'00', x'00', 'zz', 0, 'inference.requested'"
    columns = "log_id, entry_index, data, leaf_hash, stream, stream_version, type"
    for statement in (
        f"INSERT OR REPLACE INTO entry (rowid, {columns}) VALUES (5, {new})",
        f"INSERT OR REPLACE INTO entry ({columns}) SELECT 'clinic', 9999, x'00', x'00', stream,"
        " stream_version, type FROM entry WHERE entry_index = 5",
        "INSERT OR REPLACE INTO tile (rowid, log_id, level, tile_index, hashes)"
        " VALUES (1, 'clinic', 0, 99, x'00')",
        "INSERT OR REPLACE INTO subject_map (log_id, lookup, pseudonym)"
        " SELECT log_id, x'00', pseudonym FROM subject_map LIMIT 1",
        "INSERT OR REPLACE INTO log (rowid, log_id, origin, verifier_key, created_at)"
        " VALUES (1, 'x', 'y', 'z', 't')",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            filled.execute(statement)
    assert dump(filled) == before


async def test_a_head_only_grows(filled: sqlite3.Connection) -> None:
    for change in ("size = size - 1", "size = 0", "time = '2000-01-01T00:00:00.000000Z', size = size + 1"):
        with pytest.raises(sqlite3.IntegrityError):
            filled.execute(f"UPDATE log_head SET {change}")


def remove(connection: sqlite3.Connection, removed_by: int) -> None:
    """What the ledger does to let one payload go."""
    connection.execute("BEGIN")
    try:
        columns = "log_id, record, entry_index"
        connection.execute(
            f"INSERT INTO removal SELECT {columns}, {removed_by} FROM payload ORDER BY record LIMIT 1"
        )
        connection.execute("DELETE FROM payload WHERE record IN (SELECT record FROM removal)")
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise


async def test_payloads_go_only_with_a_certificate(filled: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        filled.execute("DELETE FROM payload")
    # Neither an entry of another type, nor one that is not there, lets a payload go.
    for index in (0, 303, 99_999):
        with pytest.raises(sqlite3.IntegrityError):
            remove(filled, index)
    pruned = "'clinic', 9999, x'00', x'00', 'retention', 0, 'payload.pruned'"
    filled.execute(f"INSERT INTO entry VALUES ({pruned})")
    with pytest.raises(sqlite3.IntegrityError):  # on hold
        remove(filled, 9999)
    filled.execute("DELETE FROM custody_hold")
    with pytest.raises(sqlite3.IntegrityError):  # of another entry than the payload's
        filled.execute(
            "INSERT INTO removal SELECT log_id, record, entry_index + 1, 9999 FROM payload LIMIT 1"
        )
    remove(filled, 9999)
    subject = filled.execute("SELECT subject FROM payload LIMIT 1").fetchone()[0]
    filled.execute("INSERT INTO erasure VALUES (?, ?, 7)", (LOG, subject))
    with pytest.raises(sqlite3.IntegrityError):
        remove(filled, 8)
    remove(filled, 7)


async def test_without_the_table_of_holds_nothing_goes(filled: sqlite3.Connection) -> None:
    filled.execute("INSERT INTO entry VALUES ('clinic', 9999, x'00', x'00', 'r', 0, 'payload.pruned')")
    filled.execute("DROP TABLE custody_hold")
    with pytest.raises(sqlite3.Error):
        remove(filled, 9999)


@pytest.mark.parametrize("name", sorted(schema.SQLITE_TRIGGERS))
async def test_a_dropped_trigger_is_noticed(
    filled: sqlite3.Connection, open_ledger: OpenLedger, name: str
) -> None:
    filled.execute(f"DROP TRIGGER {name}")
    filled.close()
    with pytest.raises(UnsafeSettings):
        await open_ledger()


@pytest.mark.parametrize(
    "script",
    [
        # the trigger is there, and does nothing
        "DROP TRIGGER entry_refuse_update; CREATE TRIGGER entry_refuse_update BEFORE UPDATE ON entry"
        " WHEN 0 BEGIN SELECT RAISE(ABORT, 'entry is insert-only'); END",
        # edited in place, past the SQL interface
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'BEFORE DELETE ON entry',"
        " 'BEFORE DELETE ON entry WHEN 0') WHERE name = 'entry_refuse_delete'",
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE name = 'entry_refuse_replace'",
        # a table without its keys
        "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '')"
        " WHERE name = 'entry'",
        # one more trigger, which rewrites what is appended
        "CREATE TRIGGER helper AFTER INSERT ON payload BEGIN DELETE FROM idempotency; END",
        "DROP INDEX uq_entry_log_id_stream_stream_version",
        "UPDATE ledger SET value = 99 WHERE name = 'schema'",
    ],
)
async def test_an_altered_schema_is_noticed(
    filled: sqlite3.Connection, open_ledger: OpenLedger, script: str
) -> None:
    filled.executescript(script)
    filled.close()
    with pytest.raises((UnsafeSettings, CorruptLog)):
        await open_ledger()


async def test_an_untouched_database_opens_again(filled: sqlite3.Connection, open_ledger: OpenLedger) -> None:
    filled.close()
    ledger = await open_ledger()
    assert await ledger.verify(LOG) == 304

"""A stored log read from its database file beside the process that writes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attending.ledger import merkle
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.errors import CorruptLog, NotFound, VerificationError
from attending.ledger.note import VerifierKey
from attending.ledger.static.client import TiledLog
from attending.ledger.static.export import export_log
from attending.ledger.static.stored import StoredLog
from attending.ledger.store.read_only import ReadOnlySqlite

from tests.ledger.engine.conftest import LOG, OpenLedger


async def test_read_while_it_grows(
    open_ledger: OpenLedger, pending: Callable[..., Any], tmp_path: Path
) -> None:
    ledger = await open_ledger()
    for _ in range(3):
        await ledger.append(LOG, [pending() for _ in range(200)])
    note = await ledger.publish(LOG)
    assert note is not None
    entries = [entry.data for entry in await ledger.list_entries(LOG, 0, 1000)]
    with closing(ReadOnlySqlite(tmp_path / "ledger" / "ledger.db")) as source:
        stored = StoredLog(source, LOG, parse_checkpoint(note).size, note)
        await ledger.append(LOG, [pending() for _ in range(200)])
        log = TiledLog.open(stored.fetch, [ledger.verifier_key(LOG)])
        assert list(log.entries(0, 600)) == entries
        for path in ("tile/0/002.p/89", "tile/entries/003.p/1", "tile/0/2", "nonsense", "tile/9/000"):
            with pytest.raises(NotFound):
                stored.fetch(path)
        assert source.head_size(LOG) == 800
        key = VerifierKey.parse(ledger.verifier_key(LOG))
        assert export_log(stored.fetch, key, tmp_path / "out").size == 600
        newer = await ledger.publish(LOG)
        assert newer is not None
        later = StoredLog(source, LOG, 800, newer)
        done = export_log(later.fetch, key, tmp_path / "out")
        assert (done.size_before, done.size, done.kept) == (600, 800, 4)


async def test_an_entry_altered_in_the_file_is_named(
    open_ledger: OpenLedger,
    pending: Callable[..., Any],
    tmp_path: Path,
    database: Callable[[], sqlite3.Connection],
) -> None:
    ledger = await open_ledger()
    await ledger.append(LOG, [pending() for _ in range(600)])
    note, key = await ledger.publish(LOG) or "", ledger.verifier_key(LOG)
    await ledger.close()
    with database() as connection:
        connection.execute("DROP TRIGGER entry_refuse_update")
        connection.execute("DROP TRIGGER tile_refuse_update")
        [data] = connection.execute("SELECT data FROM entry WHERE entry_index = 300").fetchone()
        connection.execute(
            "UPDATE entry SET data = ? WHERE entry_index = 300", (data.replace(b"app", b"apq"),)
        )
    path = tmp_path / "ledger" / "ledger.db"
    with closing(ReadOnlySqlite(path)) as source:
        log = TiledLog.open(StoredLog(source, LOG, 600, note).fetch, [key])
        with pytest.raises(CorruptLog) as corrupt:
            list(log.entries(0, 600))
        assert corrupt.value.index == 300
        # The tile brought into line with it: the tree above does not agree.
        altered = merkle.leaf_hash(data.replace(b"app", b"apq"))
        with database() as connection:
            [tile] = connection.execute("SELECT hashes FROM tile WHERE tile_index = 1").fetchone()
            at = 32 * (300 - 256)
            tile = tile[:at] + altered + tile[at + 32 :]
            connection.execute("UPDATE tile SET hashes = ? WHERE tile_index = 1", (tile,))
        with pytest.raises(VerificationError) as caught:
            TiledLog.open(StoredLog(source, LOG, 600, note).fetch, [key]).tile
        assert caught.value.reason == "TILE_MISMATCH"


def test_what_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        ReadOnlySqlite(tmp_path / "none.db")
    (tmp_path / "text.db").write_text("no database" * 100)
    with pytest.raises(CorruptLog) as caught:
        ReadOnlySqlite(tmp_path / "text.db")
    assert caught.value.reason == "DATABASE_DAMAGED"

"""A folder of the first schema version opens, verifies and goes on; a crash in between leaves it as it was."""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path

import pytest
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import DuplicateClaim, SubjectErased, UnsafeSettings
from attending.ledger.ledger import Claim, Ledger, LedgerConfig
from attending.ledger.store import schema
from attending.ledger.store.migrations import VERSIONS
from attending.ledger.store.sqlite import SqliteStore

LOG = "clinic"
OLD = json.loads((Path(__file__).parents[2] / "vectors" / "ledger-schema-1.json").read_text())


@pytest.fixture
def old_folder(tmp_path: Path) -> Path:
    """The folder as version 1 left it."""
    folder = tmp_path / "ledger"
    for name, data in OLD["files"].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(base64.b64decode(data))
        path.chmod(0o600)
    connection = sqlite3.connect(folder / "ledger.db")
    connection.executescript("\n".join(OLD["sql"]))
    connection.close()
    return folder


def dump(folder: Path) -> list[str]:
    connection = sqlite3.connect(folder / "ledger.db")
    lines = list(connection.iterdump())
    connection.close()
    return [line for line in lines if "'epoch'" not in line]  # every opening raises it


async def test_an_old_folder_opens_and_goes_on(old_folder: Path) -> None:
    before = {line for line in dump(old_folder) if line.startswith('INSERT INTO "entry"')}
    async with await Ledger.open(LedgerConfig(old_folder)) as ledger:
        assert await ledger.verify(LOG) == 10
        for number in range(6):
            claim = await ledger.find_claim(LOG, f"key-{number}")
            assert claim is not None
            assert (claim.first_index, claim.entries) == (number, 1)
            with pytest.raises(DuplicateClaim):
                await ledger.append(
                    LOG,
                    [PendingEntry("inference.requested", "x", "app:new", None, {})],
                    claim=Claim(f"key-{number}", b"f" * 32, "x"),
                )
        two = await ledger.find_claim(LOG, "key-two")
        assert two is not None
        assert (two.first_index, two.entries) == (6, 2)
        first = await ledger.get_entry(LOG, 0)
        assert await ledger.open_payload(LOG, first.commitments[0].record) == b"text 0"
        with pytest.raises(SubjectErased):
            await ledger.open_payload(LOG, (await ledger.get_entry(LOG, 8)).commitments[0].record)
        await ledger.append(LOG, [PendingEntry("inference.requested", "new", "app:new", None, {})])
    assert before <= set(dump(old_folder))


async def test_a_crash_in_a_migration_leaves_the_folder_as_it_was(
    old_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dump(old_folder)

    def die(*_: object) -> None:
        raise RuntimeError("process died here")

    monkeypatch.setattr("attending.ledger.store.migrations.run._finish", die)
    with pytest.raises(RuntimeError):
        await Ledger.open(LedgerConfig(old_folder))
    assert dump(old_folder) == before
    monkeypatch.undo()
    async with await Ledger.open(LedgerConfig(old_folder)) as ledger:
        assert await ledger.verify(LOG) == 10


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "ledger.db")
    store.create_tables([])
    store.close()
    connection = sqlite3.connect(tmp_path / "ledger.db")
    connection.execute("UPDATE ledger SET value = 99 WHERE name = 'schema'")
    connection.commit()
    connection.close()
    store = SqliteStore(tmp_path / "ledger.db")
    with pytest.raises(UnsafeSettings):
        store.create_tables([])
    store.close()


def test_the_last_version_is_the_one_of_the_tables() -> None:
    assert max(VERSIONS.values()) == schema.SCHEMA_VERSION

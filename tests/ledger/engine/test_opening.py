"""What start-up refuses: a second process, unsafe settings, altered or missing rows, a database behind."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NoReturn

import pytest
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import CorruptLog, LedgerLocked, NotFound, SubjectErased, UnsafeSettings
from attending.ledger.files import require_local
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.store.sqlite import SqliteStore

LOG = "clinic"
Make = Callable[..., PendingEntry]
OpenLedger = Callable[..., Awaitable[Ledger]]
Database = Callable[[], sqlite3.Connection]


async def fill(open_ledger: OpenLedger, pending: Make, entries: int) -> None:
    ledger = await open_ledger()
    for start in range(0, entries, 50):
        await ledger.append(LOG, [pending() for _ in range(min(50, entries - start))])
    await ledger.close()


def without_triggers(connection: sqlite3.Connection, script: str) -> None:
    """Changes the file as someone would who then covers the tracks."""
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.executescript(script)
    for _, sql in triggers:
        connection.execute(sql)
    connection.close()


async def test_a_log_opens_as_it_was(open_ledger: OpenLedger, pending: Make) -> None:
    ledger = await open_ledger()
    for entries in (1, 254, 1, 1, 300, 600):
        await ledger.append(LOG, [pending() for _ in range(entries)])
        head, note = await ledger.head(LOG), await ledger.checkpoint(LOG)
        await ledger.close()
        ledger = await open_ledger()
        assert (await ledger.head(LOG), await ledger.checkpoint(LOG)) == (head, note)
        assert await ledger.published_checkpoint(LOG) in (None, note)
        assert await ledger.publish(LOG) == note


async def test_a_second_process_is_refused_and_told_why(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    await open_ledger()
    with pytest.raises(LedgerLocked) as caught:
        await Ledger.open(tmp_path / "ledger")
    assert caught.value.reason == "LEDGER_LOCKED"
    script = (
        "import asyncio, sys\n"
        "from attending.ledger.errors import LedgerLocked\n"
        "from attending.ledger.ledger import Ledger\n"
        "try:\n    asyncio.run(Ledger.open(sys.argv[1]))\n"
        "except LedgerLocked as err:\n    print(err)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "ledger")], capture_output=True, text=True, check=True
    )
    assert f"process {os.getpid()}" in done.stdout


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_less_than_full_synchronisation_is_refused(tmp_path: Path, synchronous: str) -> None:
    with pytest.raises(UnsafeSettings):
        SqliteStore(tmp_path / "ledger.db", synchronous=synchronous)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"not a database, and long enough to be taken for one" * 50)
    with pytest.raises(CorruptLog):
        SqliteStore(tmp_path / "ledger.db")


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "glusterfs"])
def test_network_file_systems_are_refused(tmp_path: Path, kind: str) -> None:
    mounts = f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\n"
    with pytest.raises(UnsafeSettings):
        require_local(tmp_path / "ledger", mounts)
    require_local(tmp_path.parent, mounts)
    require_local(Path(f"{tmp_path}-other"), mounts)  # a name that only begins the same
    require_local(tmp_path, f"{mounts}/dev/vdb {tmp_path} ext4 rw 0 0\n")  # mounted over


def test_a_mount_point_with_a_space_is_found(tmp_path: Path) -> None:
    point = str(tmp_path / "with space").replace(" ", "\\040")
    with pytest.raises(UnsafeSettings):
        require_local(tmp_path / "with space" / "ledger", f"server:/x {point} nfs rw 0 0\n")


@pytest.mark.parametrize("index", [0, 100, 299])
async def test_an_altered_entry_is_named(
    open_ledger: OpenLedger, pending: Make, database: Database, index: int
) -> None:
    await fill(open_ledger, pending, 300)
    without_triggers(
        database(),
        "UPDATE entry SET data = CAST(replace(CAST(data AS TEXT), 'app:test', 'app:tesu') AS BLOB)"
        f" WHERE entry_index = {index}",
    )
    with pytest.raises(CorruptLog) as caught:
        await open_ledger()
    assert caught.value.index == index


async def test_an_old_altered_entry_is_named_by_verify(
    open_ledger: OpenLedger, pending: Make, database: Database
) -> None:
    await fill(open_ledger, pending, 1100)
    without_triggers(
        database(),
        "UPDATE entry SET data = CAST(replace(CAST(data AS TEXT), 'app:test', 'app:tesu') AS BLOB)"
        " WHERE entry_index = 3",
    )
    ledger = await open_ledger()  # start-up reads the last 512 in full
    with pytest.raises(CorruptLog) as caught:
        await ledger.verify(LOG)
    assert caught.value.index == 3
    await ledger.close()


@pytest.mark.parametrize(
    "script",
    [
        "DELETE FROM entry WHERE entry_index = 1099",
        "DELETE FROM entry WHERE entry_index = 700",
        "DELETE FROM tile WHERE tile_index = 0",
        "UPDATE tile SET hashes = CAST(substr(hashes, 33) || substr(hashes, 1, 32) AS BLOB) WHERE tile_index = 1",
        "UPDATE tile SET hashes = substr(hashes, 33) WHERE tile_index = 1",
        "UPDATE entry SET leaf_hash = zeroblob(32) WHERE entry_index = 1099",
        "UPDATE log_head SET size = 1099",
        "UPDATE log_head SET size = 1101",
        "UPDATE log_head SET root = zeroblob(32)",
        "UPDATE log_head SET last_leaf = zeroblob(32)",
        "UPDATE log_head SET time = '2030-01-01T00:00:00.000000Z'",
    ],
)
async def test_a_state_that_does_not_add_up_is_refused(
    open_ledger: OpenLedger, pending: Make, database: Database, script: str
) -> None:
    await fill(open_ledger, pending, 1100)
    without_triggers(database(), script)
    with pytest.raises(CorruptLog):
        await open_ledger()


async def test_a_restored_old_database_is_refused(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    await fill(open_ledger, pending, 40)
    shutil.copytree(tmp_path / "ledger", tmp_path / "backup")
    await fill(open_ledger, pending, 10)
    for file in (tmp_path / "ledger").glob("ledger.db*"):
        file.unlink()
    shutil.copy(tmp_path / "backup" / "ledger.db", tmp_path / "ledger" / "ledger.db")
    with pytest.raises(CorruptLog) as caught:
        await open_ledger()
    assert caught.value.reason == CorruptLog.ROLLBACK


async def test_a_database_that_has_lost_a_published_log_does_not_begin_it_anew(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    """The keys are still there: a new log under them would be a second history by the same key."""
    ledger = await open_ledger()
    await ledger.close()
    (tmp_path / "ledger" / "ledger.db").unlink()
    await fill(open_ledger, pending, 3)  # only a head of size 0 was published: the same log again
    (tmp_path / "ledger" / "ledger.db").unlink()
    keys = sorted(path.name for path in (tmp_path / "ledger" / "keys").rglob("*"))
    for note in (None, "no note"):
        if note is not None:
            (tmp_path / "ledger" / "published" / f"{LOG}.checkpoint").write_text(note)
        async with await Ledger.open(LedgerConfig(tmp_path / "ledger")) as empty:
            with pytest.raises(CorruptLog) as caught:
                await empty.create_log(LOG, "attending.test/clinic")
            assert empty.logs() == []
        assert (caught.value.reason, caught.value.log_id) == (CorruptLog.ROLLBACK, LOG)
    assert sorted(path.name for path in (tmp_path / "ledger" / "keys").rglob("*")) == keys


async def test_a_contradicting_or_forged_published_head_is_refused(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    await fill(open_ledger, pending, 40)
    shutil.copytree(tmp_path / "ledger", tmp_path / "fork")
    await fill(open_ledger, pending, 1)  # one history; what the fork gets is another
    shutil.copytree(tmp_path / "ledger", tmp_path / "first")
    shutil.rmtree(tmp_path / "ledger")
    shutil.copytree(tmp_path / "fork", tmp_path / "ledger")
    await fill(open_ledger, pending, 1)
    head = Path("published") / f"{LOG}.checkpoint"
    ours = (tmp_path / "ledger" / head).read_bytes()
    (tmp_path / "ledger" / head).write_bytes((tmp_path / "first" / head).read_bytes())
    with pytest.raises(CorruptLog) as caught:
        await open_ledger()
    assert caught.value.reason == "PUBLISHED_HEAD_DIFFERS"
    for forged in (b"", b"\xff\xfe", ours.replace(b"\n41\n", b"\n40\n"), ours[:-20]):
        (tmp_path / "ledger" / head).write_bytes(forged)
        with pytest.raises(CorruptLog) as caught:
            await open_ledger()
        assert caught.value.reason == "PUBLISHED_HEAD_UNREADABLE"
    (tmp_path / "ledger" / head).write_bytes(ours)
    await open_ledger()


async def test_another_signing_key_is_refused(open_ledger: OpenLedger, pending: Make, tmp_path: Path) -> None:
    ledger = await open_ledger()
    await ledger.create_log("other", "attending.test/other")
    await ledger.close()
    keys = tmp_path / "ledger" / "keys"
    shutil.copy(keys / LOG / "signing.pem", tmp_path / "kept.pem")
    shutil.copy(keys / "other" / "signing.pem", keys / LOG / "signing.pem")
    with pytest.raises(CorruptLog) as caught:
        await open_ledger()
    assert caught.value.reason == "KEY_MISMATCH"
    (keys / LOG / "signing.pem").unlink()
    with pytest.raises(NotFound):
        await open_ledger()
    shutil.copy(tmp_path / "kept.pem", keys / LOG / "signing.pem")
    (keys / LOG / "signing.pem").chmod(0o640)
    with pytest.raises(UnsafeSettings):
        await open_ledger()
    (keys / LOG / "signing.pem").chmod(0o600)
    await open_ledger()


async def test_restored_subject_keys_are_destroyed_again(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    ledger = await open_ledger()
    subject = await ledger.pseudonym(LOG, "MRN 1")
    appended = await ledger.append(LOG, [pending("s", b"secret", subject=subject)])
    shutil.copytree(tmp_path / "ledger" / "keys", tmp_path / "key-backup")
    await ledger.erase_subject(LOG, subject)
    await ledger.close()
    shutil.rmtree(tmp_path / "ledger" / "keys")
    shutil.copytree(tmp_path / "key-backup", tmp_path / "ledger" / "keys")
    ledger = await open_ledger()
    with pytest.raises(SubjectErased):
        await ledger.open_payload(LOG, appended.commitments[0][0].record)
    assert not list((tmp_path / "ledger" / "keys" / LOG / "subjects").rglob(subject))


@pytest.mark.parametrize("failure", [asyncio.CancelledError, CorruptLog])
async def test_what_fails_late_in_opening_lets_go_of_the_folder(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path, failure: type[BaseException]
) -> None:
    await fill(open_ledger, pending, 1)

    class Failing(SqliteStore):
        def erased_records(self, log_id: str, limit: int) -> NoReturn:
            raise failure("while what is erased is swept")

    with pytest.raises(failure):
        await open_ledger(Failing(tmp_path / "ledger" / "ledger.db"))
    assert "ledger-writer" not in {thread.name for thread in threading.enumerate()}
    await open_ledger()

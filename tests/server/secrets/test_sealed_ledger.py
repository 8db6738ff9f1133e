"""A ledger whose keys are sealed: opened, used, backed up and restored, moved from root to root, and cut short."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attending.ledger import files
from attending.ledger.backup.published import read_published
from attending.ledger.backup.restore import inspect_backup, restore_sqlite
from attending.ledger.backup.take import take_backup
from attending.ledger.custody.reads import Order
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import KeysNotOpen, KeyStoreRefused, KeyStoreUnavailable
from attending.ledger.keys import KeyFolder
from attending.ledger.ledger import Ledger
from attending.ledger.opening import LedgerConfig
from attending.ledger.passphrase import PassphraseWrapper
from attending.ledger.store.read_only import ReadOnlySqlite
from attending.ledger.wrapping import PLAIN, Root
from attending.server.secrets.vault_transit import VaultTransitWrapper

from tests.server.secrets.conftest import CHEAP, World
from tests.server.secrets.vault_server import VaultServer

LOG = "clinic"
NAMES = ("signing.pem", "kek", "lookup", "fingerprint")
TEXT = b"held potassium, K 6.1"


def config(folder: Path, root: Root) -> LedgerConfig:
    return LedgerConfig(
        folder / "ledger",
        keys_folder=folder / "keys",
        publish_folder=folder / "published",
        publish_interval_seconds=3600,
        key_root=root,
    )


def passphrase(text: str = "correct horse battery staple") -> Root:
    return Root(PassphraseWrapper(text.encode, cost=CHEAP))


async def written(place: LedgerConfig, person: str = "mrn:1") -> str:
    """Appends a text about a person; its vault record."""
    async with await Ledger.open(place) as ledger:
        await ledger.create_log(LOG, "clinic.example/log")
        subject = await ledger.pseudonym(LOG, person)
        entry = PendingEntry("feedback.recorded", "f/1", "app:a", subject, {}, (Payload("note", TEXT),))
        done = await ledger.append(LOG, [entry])
        return done.commitments[0][0].record


async def read(place: LedgerConfig, record: str) -> bytes:
    async with await Ledger.open(place) as ledger:
        assert await ledger.find_pseudonym(LOG, "mrn:1") is not None
        return await ledger.open_payload(LOG, record)


def secrets_of(folder: Path, root: Root) -> list[bytes]:
    """The keys of the log as they are in the clear, and what else would give one away."""
    keys = KeyFolder(folder / "keys", root).open_log(LOG)
    return [
        keys.kek,
        keys.lookup,
        keys.fingerprint,
        keys.signing[0].private.private_bytes_raw(),
        b"BEGIN PRIVATE KEY",
    ]


def leaks(folder: Path, secrets: list[bytes]) -> list[str]:
    """Files of the folder that hold one of the secrets."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and any(secret in path.read_bytes() for secret in secrets):
            found.append(path.name)
    return found


async def test_a_sealed_ledger_works_and_its_folder_holds_no_key(world: World, tmp_path: Path) -> None:
    place = config(tmp_path / "l", Root(world.wrapper))
    record = await written(place)
    again = config(tmp_path / "l", Root(world.again()))
    assert await read(again, record) == TEXT
    assert leaks(tmp_path / "l", secrets_of(tmp_path / "l", again.key_root)) == []


async def test_plain_keys_are_moved_and_no_plain_key_stays(world: World, tmp_path: Path) -> None:
    record = await written(config(tmp_path / "l", PLAIN))
    clear = secrets_of(tmp_path / "l", PLAIN)
    assert set(leaks(tmp_path / "l", clear)) == set(NAMES)
    strict = config(tmp_path / "l", Root(world.wrapper))
    with pytest.raises(KeysNotOpen) as caught:
        await Ledger.open(strict)
    assert caught.value.reason == "KEY_NOT_SEALED"
    moving = config(tmp_path / "l", Root(world.wrapper, plain_before=True))
    async with await Ledger.open(moving) as ledger:
        moved = await ledger.rotation.reseal(LOG, Order("operator:t"))
        assert moved.generation == len(NAMES)
        entry = await ledger.get_entry(LOG, moved.indexes[0])
        assert (entry.type, entry.body["root"], entry.body["files"]) == (
            "key.rotated",
            world.section["kind"],
            4,
        )
        if world.section["kind"] != "aws_kms":
            assert (await ledger.rotation.reseal(LOG, Order("operator:t"))).indexes == ()
    assert leaks(tmp_path / "l", clear) == []
    assert await read(strict, record) == TEXT


async def test_keys_move_from_one_root_to_another_and_back_to_plain(world: World, tmp_path: Path) -> None:
    before = passphrase("the passphrase of last year")
    record = await written(config(tmp_path / "l", before))
    for root in (Root(world.wrapper, before.current), Root(None, world.wrapper)):
        async with await Ledger.open(config(tmp_path / "l", root)) as ledger:
            assert (await ledger.rotation.reseal(LOG, Order("operator:t"))).generation == len(NAMES)
        assert await read(config(tmp_path / "l", Root(root.current)), record) == TEXT


async def test_a_backup_is_restored_beside_the_sealed_keys(world: World, tmp_path: Path) -> None:
    record = await written(config(tmp_path / "l", Root(world.wrapper)))
    backup = tmp_path / "monday.backup"
    published = read_published(tmp_path / "l" / "published")
    with closing(ReadOnlySqlite(tmp_path / "l" / "ledger" / "ledger.db")) as store:
        take_backup(store, backup, published, now=lambda: datetime.now(UTC), program="tests")
    data = backup.read_bytes()
    assert all(secret not in data for secret in secrets_of(tmp_path / "l", Root(world.wrapper)))
    restore_sqlite(inspect_backup(backup, published), tmp_path / "r" / "ledger")
    for name in ("keys", "published"):
        shutil.copytree(tmp_path / "l" / name, tmp_path / "r" / name)
    assert await read(config(tmp_path / "r", Root(world.again())), record) == TEXT
    with pytest.raises((KeysNotOpen, KeyStoreRefused)):
        await Ledger.open(config(tmp_path / "r", Root(world.other())))


async def test_files_swapped_between_logs_do_not_open(world: World, tmp_path: Path) -> None:
    place = config(tmp_path / "l", Root(world.wrapper))
    await written(place)
    async with await Ledger.open(place) as ledger:
        await ledger.create_log("other", "clinic.example/other")
    keys = tmp_path / "l" / "keys"
    for name in NAMES:
        kept = (keys / LOG / name).read_bytes()
        (keys / LOG / name).write_bytes((keys / "other" / name).read_bytes())
        with pytest.raises(KeysNotOpen) as caught:
            await Ledger.open(config(tmp_path / "l", Root(world.again())))
        assert caught.value.reason == "KEY_ALTERED"
        (keys / LOG / name).write_bytes(kept)
    async with await Ledger.open(config(tmp_path / "l", Root(world.again()))):
        pass


@pytest.fixture
def gone(vault: VaultServer, token_file: Path) -> tuple[VaultServer, Root]:
    return vault, Root(VaultTransitWrapper(vault.url, "attending", token_file, timeout_seconds=1))


@pytest.mark.parametrize("fault", ["slow", "500", "garbage", "truncated", "hang-up"])
async def test_a_store_that_is_away_at_the_start_refuses_and_makes_nothing(
    gone: tuple[VaultServer, Root], tmp_path: Path, fault: str
) -> None:
    vault, root = gone
    place = config(tmp_path / "l", root)
    vault.fault = fault
    with pytest.raises(KeyStoreUnavailable):
        await written(place)
    assert [path for name in NAMES for path in (tmp_path / "l" / "keys").rglob(name)] == []
    vault.fault = None
    await written(place)
    before = {path: path.read_bytes() for path in (tmp_path / "l" / "keys").rglob("*") if path.is_file()}
    vault.fault = fault
    fresh = config(tmp_path / "l", Root(root.current))
    with pytest.raises(KeyStoreUnavailable):
        await Ledger.open(fresh)
    after = {path: path.read_bytes() for path in (tmp_path / "l" / "keys").rglob("*") if path.is_file()}
    assert after == before


async def test_keys_that_are_open_go_on_working_and_new_ones_fail_closed(
    gone: tuple[VaultServer, Root], tmp_path: Path
) -> None:
    vault, root = gone
    place = config(tmp_path / "l", root)
    record = await written(place)
    async with await Ledger.open(place) as ledger:
        vault.fault = "500"
        assert await ledger.open_payload(LOG, record) == TEXT
        subject = await ledger.pseudonym(LOG, "mrn:new")  # sealed by an open key, not by Vault
        await ledger.append(
            LOG, [PendingEntry("feedback.recorded", "f/2", "app:a", subject, {}, (Payload("note", b"x"),))]
        )
        with pytest.raises(KeyStoreUnavailable):
            await ledger.create_log("later", "clinic.example/later")
        assert not list((tmp_path / "l" / "keys" / "later").glob("[kls]*e[ky]*"))
        with pytest.raises(KeyStoreUnavailable):
            await ledger.rotation.rotate(LOG, "kek", Order("operator:t"))
        assert await ledger.open_payload(LOG, record) == TEXT
        vault.fault = None
        done = await ledger.rotation.rotate(LOG, "kek", Order("operator:t"))  # takes up what was begun
        assert done.generation == 2
        assert await ledger.open_payload(LOG, record) == TEXT
    assert await read(place, record) == TEXT


_KILLED = """
import os, signal, sys
from pathlib import Path
from attending.ledger import files
from attending.ledger.keys import KeyFolder
from attending.ledger.passphrase import PassphraseWrapper
from attending.ledger.wrapping import Root

left = int(sys.argv[2])

def counted(function):
    def call(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call

root = Root(PassphraseWrapper(lambda: b"correct horse battery staple", cost=(10, 8, 1)), plain_before=True)
keys = KeyFolder(Path(sys.argv[1]), root)
os.fsync, os.write = counted(os.fsync), counted(os.write)
for name in ("rename", "replace", "unlink", "hardlink_to"):
    setattr(Path, name, counted(getattr(Path, name)))
keys.reseal("clinic")
"""


async def test_moving_keys_survives_a_kill_at_every_step(tmp_path: Path) -> None:
    """Whatever step it is killed at, every key opens, and the next call leaves none in the clear."""
    record = await written(config(tmp_path / "l", PLAIN))
    clear = secrets_of(tmp_path / "l", PLAIN)
    moving = Root(passphrase().current, plain_before=True)
    for step in range(0, 200, 3):
        image = tmp_path / f"at-{step}"
        shutil.copytree(tmp_path / "l", image)
        ran = subprocess.run(
            [sys.executable, "-c", _KILLED, str(image / "keys"), str(step)], check=False, timeout=60
        )
        keys = KeyFolder(image / "keys", moving)
        found = keys.open_log(LOG)
        assert [found.kek, found.lookup, found.fingerprint] == clear[:3]
        assert found.signing[0].private.private_bytes_raw() == clear[3]
        keys.reseal(LOG)
        assert leaks(image, clear) == []
        assert await read(config(image, passphrase()), record) == TEXT
        if ran.returncode == 0:
            break
        assert ran.returncode == -9
    else:
        raise AssertionError("the move has more steps than this test looks at")


def test_a_file_that_is_replaced_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    files.write_durably(path, b"the old key")
    kept = os.open(path, os.O_RDONLY)  # the blocks, under no name
    files.replace_and_shred(path, b"the new key")
    assert path.read_bytes() == b"the new key"
    assert os.pread(kept, 100, 0) != b"the old key"
    os.close(kept)
    assert [item.name for item in tmp_path.iterdir()] == ["key"]

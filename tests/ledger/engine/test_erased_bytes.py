"""After erasure and vacuum nothing is left in any file that could open a payload; nor in a restored backup."""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attending.ledger import vault
from attending.ledger.custody.reads import Order
from attending.ledger.custody.state import ErasureReason
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import CorruptLog, NotFound, StoreUnavailable, SubjectErased
from attending.ledger.ledger import Ledger
from attending.ledger.store.memory import Fault, MemoryStore
from attending.ledger.store.port import Question
from attending.ledger.store.sqlite import SqliteStore
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LOG = "clinic"
LONG = b"the patient said that " * 2000
OpenLedger = Callable[..., Awaitable[Ledger]]


class Spy:
    """Stands for the module `secrets` in the vault, and remembers what sealing drew."""

    def __init__(self) -> None:
        self.salts: list[bytes] = []
        self.data_keys: list[bytes] = []

    def token_bytes(self, size: int) -> bytes:
        drawn = secrets.token_bytes(size)
        if size > 16:
            self.salts.append(drawn[:32])
            self.data_keys.append(drawn[32:64])
        return drawn


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    spy = Spy()
    monkeypatch.setattr(vault, "secrets", spy)
    return spy


def chunks(data: bytes, size: int = 16) -> list[bytes]:
    """Pieces of `data`, since a database may lay a long value over several pages."""
    return [data[at : at + size] for at in range(0, len(data) - size + 1, 101)]


def forms(secret: bytes) -> Iterator[bytes]:
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield base64.b64encode(secret)[: len(secret) * 4 // 3]


def holders(folder: Path, secret: bytes) -> list[str]:
    """Files under `folder` that hold the bytes, raw, as hex or as base64."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found += [path.name for form in forms(secret) if form in data]
    return found


def traces(folder: Path, parts: dict[str, list[bytes]]) -> dict[str, list[str]]:
    """Kind of secret to the files that hold one; only kinds that are found."""
    return {
        kind: names
        for kind, values in parts.items()
        if (names := [name for value in values for name in holders(folder, value)])
    }


async def test_no_byte_that_opens_anything_is_left(open_ledger: OpenLedger, tmp_path: Path, spy: Spy) -> None:
    folder = tmp_path / "ledger"
    ledger = await open_ledger()
    one, two, other = [await ledger.pseudonym(LOG, f"MRN {number}") for number in range(3)]
    await ledger.custody.link(LOG, one, two, Order())
    parts: dict[str, list[bytes]] = {"sealed": [], "wrapped key": [], "key file": [], "subject key": []}
    for name in (one, two):
        for number, text in enumerate((b"short text", LONG)):
            payload = await ledger.seal(LOG, Payload("prompt", text), name)
            await ledger.append(
                LOG, [PendingEntry("inference.requested", f"{name}-{number}", "a", name, {}, (payload,))]
            )
            parts["sealed"] += chunks(payload.sealed)
            parts["wrapped key"] += [payload.wrapped_key]
        parts["subject key"].append(ledger._keys.get(LOG, name))
        [path] = (folder / "keys").rglob(name)
        parts["key file"].append(path.read_bytes())
    parts["salt"], parts["data key"] = list(spy.salts), list(spy.data_keys)
    assert len(parts["salt"]) == len(parts["data key"]) == 4
    kept = await ledger.append(
        LOG, [PendingEntry("inference.requested", "kept", "a", other, {}, (Payload("prompt", b"kept"),))]
    )
    # What is searched for can be found: the rows and key files are there; no secret ever is in clear.
    assert traces(folder, parts).keys() == {"sealed", "wrapped key", "key file"}
    await ledger.custody.erase(LOG, one, ErasureReason.GDPR_17, Order())
    await ledger.vacuum()
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {"ledger.db", "ledger.db-wal", "ledger.db-shm", "kek"} <= names
    assert traces(folder, parts) == {}
    # The log goes on, and also what it writes when it ends brings nothing back.
    await ledger.append(LOG, [PendingEntry("inference.requested", "after", "a", other, {})])
    assert await ledger.open_payload(LOG, kept.commitments[0][0].record) == b"kept"
    await ledger.close()
    assert traces(folder, parts) == {}
    ledger = await open_ledger()
    assert await ledger.verify(LOG) == 10
    assert traces(folder, parts) == {}


async def test_rows_are_gone_and_zeroed_even_before_a_vacuum(
    open_ledger: OpenLedger, tmp_path: Path, database: Callable[[], sqlite3.Connection]
) -> None:
    ledger = await open_ledger()
    name = await ledger.pseudonym(LOG, "MRN 1")
    payload = await ledger.seal(LOG, Payload("prompt", b"text"), name)
    await ledger.append(LOG, [PendingEntry("inference.requested", "s", "a", name, {}, (payload,))])
    await ledger.custody.erase(LOG, name, ErasureReason.GDPR_17, Order())
    assert database().execute("SELECT COUNT(*) FROM payload").fetchone() == (0,)
    database().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert holders(tmp_path / "ledger", payload.sealed) == []


async def test_a_restored_database_cannot_decrypt(open_ledger: OpenLedger, tmp_path: Path) -> None:
    folder, restored = tmp_path / "ledger", tmp_path / "restored"
    ledger = await open_ledger()
    one, two = await ledger.pseudonym(LOG, "MRN 1"), await ledger.pseudonym(LOG, "MRN 2")
    await ledger.custody.link(LOG, one, two, Order())
    records = []
    for name in (one, two):
        pending = PendingEntry("inference.requested", name, "a", name, {}, (Payload("prompt", b"text"),))
        records.append((await ledger.append(LOG, [pending])).commitments[0][0].record)
    origin = ledger.origin(LOG)
    await ledger.publish(LOG)
    with (
        closing(sqlite3.connect(folder / "ledger.db")) as source,
        closing(sqlite3.connect(tmp_path / "backup.db")) as target,
    ):
        source.backup(target)
    await ledger.custody.erase(LOG, one, ErasureReason.GDPR_17, Order())
    await ledger.publish(LOG)
    await ledger.close()
    # 1. In place: the published head knows of more, and nothing is served.
    shutil.copytree(folder, restored)
    shutil.copy(tmp_path / "backup.db", restored / "ledger.db")
    with pytest.raises(CorruptLog) as caught:
        await Ledger.open(restored)
    assert caught.value.reason == "LOG_ROLLED_BACK"
    # 2. Somewhere else, without published heads: it opens, and no payload does.
    shutil.rmtree(restored / "published")
    async with await Ledger.open(restored) as copy:
        assert await copy.verify(LOG) == 4
        for record in records:
            with pytest.raises(NotFound):
                await copy.open_payload(LOG, record)
    # 3. By hand, with every key that is left, of every file.
    keys = [path.read_bytes() for path in (restored / "keys").rglob("*") if path.is_file()]
    keys = [key[start : start + 32] for key in keys for start in range(0, max(1, len(key) - 31), 4)]
    rows = sqlite3.connect(restored / "ledger.db").execute(
        "SELECT record, kind, subject, wrapped_key, sealed FROM payload"
    )
    tried = 0
    for record, kind, subject, wrapped, sealed in rows:
        aad = vault._aad(origin, record, kind, subject)
        for key in (key for key in keys if len(key) == 32):
            for box in (wrapped, sealed):
                tried += 1
                with pytest.raises(InvalidTag):
                    AESGCM(key).decrypt(box[:12], box[12:], aad)
    assert tried >= 20


async def test_database_and_keys_from_before_are_refused_and_keys_alone_are_destroyed_again(
    open_ledger: OpenLedger, tmp_path: Path
) -> None:
    folder = tmp_path / "ledger"
    ledger = await open_ledger()
    one, two = await ledger.pseudonym(LOG, "MRN 1"), await ledger.pseudonym(LOG, "MRN 2")
    await ledger.custody.link(LOG, one, two, Order())
    await ledger.publish(LOG)
    await ledger.close()
    shutil.copytree(folder, tmp_path / "backup")
    ledger = await open_ledger()
    await ledger.custody.erase(LOG, two, ErasureReason.GDPR_17, Order())
    await ledger.publish(LOG)
    await ledger.close()
    shutil.rmtree(folder / "keys")
    shutil.copytree(tmp_path / "backup" / "keys", folder / "keys")
    ledger = await open_ledger()
    assert not [path for path in (folder / "keys").rglob("sub_*") if path.name in (one, two)]
    for name in (one, two):
        with pytest.raises(SubjectErased):
            await ledger.seal(LOG, Payload("prompt", b"x"), name)
    await ledger.close()
    for part in ("keys", "ledger.db"):
        target = folder / part
        shutil.rmtree(target) if target.is_dir() else target.unlink()
        source = tmp_path / "backup" / part
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    with pytest.raises(CorruptLog) as caught:
        await open_ledger()
    assert caught.value.reason == "LOG_ROLLED_BACK"


# --- vacuum ---------------------------------------------------------------------------------------------


async def test_appends_go_on_around_a_vacuum(
    open_ledger: OpenLedger, gather: Callable[..., Awaitable[list[Any]]]
) -> None:
    ledger = await open_ledger()

    async def write(number: int) -> None:
        payloads = (Payload("prompt", os.urandom(2000)),)
        await ledger.append(LOG, [PendingEntry("inference.requested", f"s{number}", "a", None, {}, payloads)])

    outcomes = await gather(
        *(write(n) for n in range(200)),
        ledger.vacuum(),
        ledger.vacuum(),
        *(write(n) for n in range(200, 400)),
    )
    assert [outcome for outcome in outcomes if outcome is not None] == []
    assert await ledger.verify(LOG) == 400


async def test_a_reader_that_stays_makes_a_vacuum_say_so(
    open_ledger: OpenLedger, database: Callable[[], sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attending.ledger.store.sqlite._BUSY_SECONDS", 0.05)
    ledger = await open_ledger()
    await ledger.append(LOG, [PendingEntry("inference.requested", "s", "a", None, {})])
    reader = database()
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM entry").fetchone()
    with pytest.raises(StoreUnavailable):
        await ledger.vacuum()
    await ledger.append(LOG, [PendingEntry("inference.requested", "t", "a", None, {})])
    reader.close()
    await ledger.vacuum()
    assert await ledger.verify(LOG) == 2


async def test_a_store_that_cannot_be_vacuumed_goes_on(open_ledger: OpenLedger) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    store.fault = lambda step: Fault.LOST if step == "vacuum" else Fault.NONE
    with pytest.raises(StoreUnavailable):
        await ledger.vacuum()
    store.fault = lambda _: Fault.NONE
    await ledger.append(LOG, [PendingEntry("inference.requested", "s", "a", None, {})])


def vacuum_and_say(store: SqliteStore, done: threading.Event) -> None:
    store.vacuum()
    done.set()


def test_a_vacuum_waits_for_the_transaction_under_way(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "ledger.db")
    store.recover()
    store.create_tables([])
    for end in (store.commit, store.rollback, store.recover) * 10:
        store.begin(Question())
        done = threading.Event()
        thread = threading.Thread(target=vacuum_and_say, args=(store, done))
        thread.start()
        assert not done.wait(0.01)
        end()
        assert done.wait(10)
        thread.join()
    store.close()

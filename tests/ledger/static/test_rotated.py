"""Static resources of a log whose signing key was rotated: whoever has an earlier key reads on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.custody.reads import Order
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import FolderRefused, NotFound, VerificationError
from attending.ledger.ledger import Ledger
from attending.ledger.note import VerifierKey
from attending.ledger.static.client import Fetch, TiledLog
from attending.ledger.static.export import export_log, folder_fetch
from attending.ledger.static.paths import parse_introduction
from attending.ledger.static.stored import StoredLog
from attending.ledger.store.memory import MemoryStore

LOG = "clinic"
ORIGIN = "log.example/clinic"


class Rotated:
    """Three keys of one log, and its resources after each rotation and some entries."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.notes: list[str] = []
        self.store = MemoryStore()

    def fetch(self, number: int) -> Fetch:
        note = self.notes[number]
        return StoredLog(self.store, LOG, parse_checkpoint(note).size, note).fetch


@pytest.fixture
async def rotated(tmp_path: Path) -> Rotated:
    found = Rotated()
    async with await Ledger.open(tmp_path / "ledger", store=found.store) as ledger:
        await ledger.create_log(LOG, ORIGIN)
        for number in range(3):
            if number:
                await ledger.signing.rotate(LOG, Order("human:o"))
            entry = PendingEntry("system.started", "system", "system", None, {"number": number})
            appended = await ledger.append(LOG, [entry] * (100 * number + 3))
            found.keys.append(ledger.verifier_key(LOG))
            found.notes.append(appended.checkpoint)
    return found


async def test_the_client_follows_the_introductions(rotated: Rotated) -> None:
    for number, key in enumerate(rotated.keys):
        for at in range(number, 3):
            log = TiledLog.open(rotated.fetch(at), [key], older=rotated.notes[0])
            assert (log.checkpoint, len(log.introductions())) == (rotated.notes[at], at)
            assert len(list(log.entries(0, log.size))) == log.size
        for at in range(number):
            with pytest.raises(VerificationError) as caught:
                TiledLog.open(rotated.fetch(at), [key])
            assert caught.value.reason == "UNKNOWN_KEY"
    with pytest.raises(NotFound):
        rotated.fetch(0)("introduction/2")


async def test_what_is_served_in_an_introductions_place_is_refused(rotated: Rotated) -> None:
    honest = rotated.fetch(2)
    first, second = honest("introduction/2"), honest("introduction/3")

    def served(two: bytes | None, three: bytes | None) -> Fetch:
        lies = {"introduction/2": two, "introduction/3": three}

        def fetch(path: str) -> bytes:
            found = lies.get(path, b"") if path in lies else honest(path)
            if found is None:
                raise NotFound(path)
            return found

        return fetch

    cases: list[tuple[str, bytes | None, bytes | None]] = [
        ("UNKNOWN_KEY", None, None),
        ("UNKNOWN_KEY", first, None),
        ("INTRODUCTION", second, first),
        ("INTRODUCTION", first, first),
        ("UNKNOWN_KEY", second, None),  # leads from a key that was not given
        ("RECEIPT_FORMAT", first, b"x"),
    ]
    for reason, two, three in cases:
        with pytest.raises(VerificationError) as caught:
            TiledLog.open(served(two, three), [rotated.keys[0]])
        assert caught.value.reason == reason, (reason, two, three)


async def test_an_export_goes_on_and_can_be_read_with_any_of_the_keys(
    rotated: Rotated, tmp_path: Path
) -> None:
    folder = tmp_path / "static"
    keys = [VerifierKey.parse(key) for key in rotated.keys]
    export_log(rotated.fetch(0), keys[0], folder)
    export_log(rotated.fetch(1), keys[1], folder)
    done = export_log(rotated.fetch(2), keys[0], folder)
    assert done.size_before == parse_checkpoint(rotated.notes[1]).size
    assert sorted(path.name for path in (folder / "introduction").iterdir()) == ["2", "3"]
    for key in rotated.keys:
        assert TiledLog.open(folder_fetch(folder), [key]).checkpoint == rotated.notes[2]
    stranger = VerifierKey(ORIGIN, 1, VerifierKey.parse(rotated.keys[1]).public_key[::-1])
    with pytest.raises((VerificationError, FolderRefused)):
        export_log(rotated.fetch(2), stranger, folder)


@pytest.mark.parametrize("read", [parse_introduction])
def test_one_spelling(read: Callable[[str], int | None]) -> None:
    assert read("introduction/2") == 2
    assert read("introduction/1001") == 1001
    for name in ("1", "02", "1002", "", "2/", "2.p/1", "+2"):
        assert read(f"introduction/{name}") is None
    assert read("Introduction/2") is None

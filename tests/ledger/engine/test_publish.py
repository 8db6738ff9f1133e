"""Publication: newest wins, the place outside decides, and a place that fails is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from attending.ledger import checkpoint
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import Halted, NotFound, OutOfRange
from attending.ledger.ledger import Ledger
from attending.ledger.note import VerifierKey
from attending.ledger.proof import verify_receipt
from attending.ledger.publish import FolderPlace
from attending.ledger.store.memory import READS, Fault, MemoryStore
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LOG = "clinic"
Make = Callable[..., PendingEntry]
OpenLedger = Callable[..., Awaitable[Ledger]]


def published_size(path: Path, ledger: Ledger) -> int:
    return checkpoint.verify(path.read_text(), [VerifierKey.parse(ledger.verifier_key(LOG))]).size


def signing_key(ledger: Ledger) -> Ed25519PrivateKey:
    key = ledger._sequencer.state(LOG).signing.private(1)
    assert key is not None
    return key


async def test_the_loop_publishes_the_newest_head(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    ledger = await open_ledger(publish_folder=outside, publish_interval_seconds=0.01)
    for size in (1, 2, 3):
        appended = await ledger.append(LOG, [pending()])
        async with asyncio.timeout(30):
            while await ledger.published_checkpoint(LOG) != appended.checkpoint:
                await asyncio.sleep(0.005)
        assert published_size(outside / f"{LOG}.checkpoint", ledger) == size
    assert {path.name for path in outside.iterdir()} == {f"{LOG}.checkpoint", ".lock"}


async def test_published_receipts_come_after_publication(ledger: Ledger, pending: Make) -> None:
    await ledger.publish(LOG)  # the loop's first turn may already have
    first = await ledger.append(LOG, [pending()])
    with pytest.raises(OutOfRange):
        await ledger.receipt(LOG, 0, published=True)
    note = await ledger.publish(LOG)
    assert note == first.checkpoint
    await ledger.append(LOG, [pending()])
    receipt = await ledger.receipt(LOG, 0, published=True)
    assert verify_receipt(receipt, first.data[0], [ledger.verifier_key(LOG)]).size == 1
    with pytest.raises(OutOfRange):
        await ledger.receipt(LOG, 1, published=True)
    with pytest.raises(NotFound):
        await ledger.published_checkpoint("none")


async def test_closing_publishes(open_ledger: OpenLedger, pending: Make, tmp_path: Path) -> None:
    ledger = await open_ledger()
    await ledger.append(LOG, [pending() for _ in range(7)])
    await ledger.close()
    assert published_size(tmp_path / "ledger" / "published" / f"{LOG}.checkpoint", ledger) == 7


async def test_a_contradicting_head_halts_the_log(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    """Someone else signs with this log's key: a copied server, a restored twin."""
    ledger = await open_ledger()
    await ledger.append(LOG, [pending(), pending()])
    await ledger.publish(LOG)  # after it the loop sleeps for the rest of the test
    path = tmp_path / "ledger" / "published" / f"{LOG}.checkpoint"
    key = signing_key(ledger)
    path.write_text(checkpoint.sign_checkpoint(ledger.origin(LOG), 1, b"x" * 32, key))
    await ledger.append(LOG, [pending()])
    assert await ledger.publish(LOG) is None
    assert ledger.halted(LOG) == "PUBLISHED_HEAD_DIFFERS"
    with pytest.raises(Halted):
        await ledger.append(LOG, [pending()])
    assert published_size(path, ledger) == 1  # the evidence is left alone


async def test_a_larger_head_than_ours_halts_the_log(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = await open_ledger()
    await ledger.append(LOG, [pending()])
    await ledger.publish(LOG)
    path = tmp_path / "ledger" / "published" / f"{LOG}.checkpoint"
    key = signing_key(ledger)
    path.write_text(checkpoint.sign_checkpoint(ledger.origin(LOG), 9, b"x" * 32, key))
    await ledger.append(LOG, [pending()])
    with caplog.at_level("WARNING", "attending"):
        assert await ledger.publish(LOG) is None
    assert ledger.halted(LOG) == "LOG_ROLLED_BACK"
    [record] = caplog.records
    assert record.getMessage() == "ledger.publish_halted"
    assert vars(record).items() >= {("log_id", LOG), ("reason", "LOG_ROLLED_BACK")}


async def test_a_place_that_cannot_be_written_is_tried_again(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outside = tmp_path / "outside"
    ledger = await open_ledger(publish_folder=outside)
    await ledger.publish(LOG)
    appended = await ledger.append(LOG, [pending()])
    outside.rename(tmp_path / "gone")
    outside.write_text("a file where the folder was")
    with caplog.at_level("WARNING", "attending"):
        for _ in range(9):
            assert await ledger.publish(LOG) is None
    assert ledger.halted(LOG) is None
    assert [vars(record)["count"] for record in caplog.records] == [1, 2, 4, 8]
    outside.unlink()
    (tmp_path / "gone").rename(outside)
    assert await ledger.publish(LOG) == appended.checkpoint


async def test_a_store_that_fails_while_publishing_is_tried_again(
    open_ledger: OpenLedger, pending: Make
) -> None:
    store = MemoryStore()
    ledger = await open_ledger(store)
    await ledger.append(LOG, [pending() for _ in range(100)])
    await ledger.publish(LOG)
    appended = await ledger.append(LOG, [pending() for _ in range(200)])  # the old head now takes a tile
    store.fault = lambda step: Fault.LOST if step in READS else Fault.NONE
    assert await ledger.publish(LOG) is None
    assert ledger.halted(LOG) is None
    store.fault = lambda _: Fault.NONE
    assert await ledger.publish(LOG) == appended.checkpoint


def test_a_place_changes_only_from_what_was_expected(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path / "outside")
    assert place.read(LOG) is None
    assert place.write(LOG, "one", "something") is False
    assert place.write(LOG, "one", None) is True
    assert place.write(LOG, "two", None) is False
    assert place.write(LOG, "two", "one") is True
    assert place.read(LOG) == "two"


async def test_an_older_head_that_somebody_else_published_meanwhile_is_replaced(
    open_ledger: OpenLedger, pending: Make, tmp_path: Path
) -> None:
    """Another process of the same log was a little behind; or a call of this one was cancelled, its thread not."""
    ledger = await open_ledger()
    await ledger.publish(LOG)
    older = (await ledger.append(LOG, [pending()])).checkpoint
    newest = (await ledger.append(LOG, [pending()])).checkpoint

    class Contended(FolderPlace):
        races = 3

        def write(self, log_id: str, note: str, expected: str | None) -> bool:
            if self.races:
                self.races -= 1
                super().write(log_id, older if expected != older else str(first), expected)
            return super().write(log_id, note, expected)

    place = Contended(tmp_path / "ledger" / "published")
    first = place.read(LOG)
    assert first is not None
    ledger._publishers[LOG]._place = place
    assert await ledger.publish(LOG) == newest
    # The loop's own first turn may come late and run one of the races, and win after it.
    assert place.races < 3
    assert place.read(LOG) == newest

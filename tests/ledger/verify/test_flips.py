"""A small bundle, the bytes of its entries, checkpoint and manifest changed one by one: found, and the entry named.

Of the entries each third byte is taken, because all of them (6,600) take longer than a test should; the stored
log's test takes every one. To run them all: ATTENDING_EVERY_BYTE=1.
"""

from __future__ import annotations

import os
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attending.ledger.verify import Report, Status, verify_bundle

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

STEP = 1 if os.environ.get("ATTENDING_EVERY_BYTE") else 3
Failed = Callable[[Report], dict[str, set[int | None]]]


@pytest.fixture
def unpacked(log: LogBuilder, tmp_path: Path) -> Path:
    """A bundle of twelve entries of different kinds, as a folder."""
    doctor = log.enrol("dr-rivera")
    log.append("system.started", "system", {"mode": "embedded", "text": 'caf\u00e9 "quoted" \\ \n'})
    held = log.hold("inf_1")
    log.append("review.claimed", "inf_1", {})
    log.sign("inf_1", doctor, held)
    log.release("inf_1", held)
    log.append("inference.withdrawn", "inf_1", {})
    log.request("inf_2")
    log.append("inference.blocked", "inf_2", {})
    log.append("budget.changed", "budget", {"flags": [True, False, None, -7, 2**53 - 1]})
    assert len(log.entries) == 12
    with zipfile.ZipFile(log.full(tmp_path / "a.attending")) as archive:
        archive.extractall(tmp_path / "bundle")
    assert log.verify(tmp_path / "bundle").verdict is Status.PASSED
    return tmp_path / "bundle"


def flips(path: Path, step: int = 1) -> Iterator[int]:
    """Changes the bytes of a file one after the other, each to a value of its own, and puts it back."""
    whole, numbers = path.read_bytes(), random.Random(path.name)
    try:
        for at in range(0, len(whole), step):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ numbers.randrange(1, 256)]) + whole[at + 1 :])
            yield at
    finally:
        path.write_bytes(whole)


def test_flipped_bytes_of_the_entries_are_found_and_the_record_named(
    log: LogBuilder, unpacked: Path, failed: Failed
) -> None:
    path = unpacked / "entries.jsonl"
    whole = path.read_bytes()
    for at in flips(path, STEP):
        found = failed(verify_bundle(unpacked, log.anchors()))
        assert "V1" in found, at
        indices = {index for places in found.values() for index in places if index is not None}
        # The newline is the end of its record; what follows the last is none.
        assert min(indices) == min(whole[:at].count(b"\n"), 11), at


@pytest.mark.parametrize("name", ["checkpoint", "manifest.json", "manifest.sig"])
def test_every_flipped_byte_of_the_signed_files_is_found(log: LogBuilder, unpacked: Path, name: str) -> None:
    for at in flips(unpacked / name):
        assert verify_bundle(unpacked, log.anchors()).verdict is not Status.PASSED, at

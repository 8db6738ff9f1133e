"""A bundle of format version 1, kept: what it verified to must never change, and nor may what we write."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from attending.ledger.verify import Status
from attending.ledger.verify.__main__ import main

if TYPE_CHECKING:
    from tests.ledger.verify.conftest import LogBuilder

VECTORS = Path(__file__).parents[2] / "vectors"
ROOT = "VvwCUiP0LeDbPfiLpQl+pq88Tm47fQgMIH6Y5H2hgMI="


def test_kept_bundle_verifies() -> None:
    assert main([str(VECTORS / "bundle-v1"), "--key", str(VECTORS / "bundle-v1.vkey")]) == 0
    assert (VECTORS / "bundle-v1/checkpoint").read_text().splitlines()[:3] == [
        "log.example/clinic",
        "30",
        ROOT,
    ]


def test_the_same_day_is_written_to_the_same_bytes(day: LogBuilder, tmp_path: Path) -> None:
    payloads = list(day.openings.values())[:2]
    path = day.full(tmp_path / "a.attending", payloads=payloads, verifier_keys=[str(day.vkey)])
    with zipfile.ZipFile(path) as archive:
        written = {name: archive.read(name) for name in archive.namelist()}
    kept = {item.name: item.read_bytes() for item in (VECTORS / "bundle-v1").iterdir()}
    assert written == kept
    assert day.verify(path).verdict is Status.PASSED

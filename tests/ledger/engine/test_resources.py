"""Static resources of a live ledger: published trees only, partial tiles of every size, altered bytes not served."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from attending.ledger import merkle
from attending.ledger.errors import CorruptLog, NotFound, OutOfRange
from attending.ledger.ledger import Ledger
from attending.ledger.static.bundles import parse_bundle
from attending.ledger.static.paths import TilePath, bundles_of, tiles_of

from tests.ledger.engine.conftest import LOG


async def fill(ledger: Ledger, pending: Callable[..., Any], count: int) -> None:
    for start in range(0, count, 200):
        await ledger.append(LOG, [pending() for _ in range(min(200, count - start))])


async def test_every_resource_of_the_published_tree(ledger: Ledger, pending: Callable[..., Any]) -> None:
    await fill(ledger, pending, 600)
    assert await ledger.publish(LOG)
    await fill(ledger, pending, 250)  # integrated, not published
    entries = [entry.data for entry in await ledger.list_entries(LOG, 0, 1000)]
    leaves = [merkle.leaf_hash(data) for data in entries]
    for size in (1, 255, 256, 257, 511, 512, 513, 600):
        for path in tiles_of(size):
            hashes = await ledger.published_resource(LOG, path)
            assert len(hashes) == 32 * path.width
            if path.level == 0:
                assert hashes == b"".join(leaves[256 * path.index : 256 * path.index + path.width])
        read: list[bytes] = []
        for path in bundles_of(size):
            read += parse_bundle(await ledger.published_resource(LOG, path), path.width)
        assert read == entries[:size]


@pytest.mark.parametrize(
    "path",
    [
        TilePath(0, 2, 89),
        TilePath(0, 2),
        TilePath(0, 3, 1),
        TilePath(1, 0, 3),
        TilePath(2, 0, 1),
        TilePath(None, 2, 89),
        TilePath(7, 0, 1),
    ],
)
async def test_what_is_not_published_is_not_there(
    ledger: Ledger, pending: Callable[..., Any], path: TilePath
) -> None:
    with pytest.raises(OutOfRange):
        await ledger.published_resource(LOG, TilePath(0, 0, 1))  # nothing is published yet
    await fill(ledger, pending, 600)
    await ledger.publish(LOG)
    await fill(ledger, pending, 400)
    with pytest.raises(OutOfRange):
        await ledger.published_resource(LOG, path)
    with pytest.raises(NotFound):
        await ledger.published_resource("other", path)


async def test_altered_bytes_are_named_and_not_served(
    open_ledger: Any, pending: Callable[..., Any], database: Callable[[], sqlite3.Connection]
) -> None:
    ledger = await open_ledger()
    await fill(ledger, pending, 300)
    await ledger.publish(LOG)
    for altered in ("CAST(replace(data, '\"n\":7', '\"n\":8') AS BLOB)", "CAST(data AS TEXT)"):
        with database() as connection:
            connection.execute("DROP TRIGGER IF EXISTS entry_refuse_update")
            [kept] = connection.execute("SELECT data FROM entry WHERE entry_index = 7").fetchone()
            connection.execute(f"UPDATE entry SET data = {altered} WHERE entry_index = 7")
        with pytest.raises(CorruptLog) as caught:
            await ledger.published_resource(LOG, TilePath(None, 0))
        assert caught.value.index == 7
        assert parse_bundle(await ledger.published_resource(LOG, TilePath(None, 1, 44)), 44)
        with database() as connection:
            connection.execute("UPDATE entry SET data = ? WHERE entry_index = 7", (kept,))


async def test_many_readers_while_the_log_grows(ledger: Ledger, pending: Callable[..., Any]) -> None:
    await fill(ledger, pending, 520)
    await ledger.publish(LOG)
    size, root = await ledger.head(LOG)

    async def prove(index: int) -> None:
        proof = await ledger.inclusion_proof(LOG, index, size)
        entry = await ledger.get_entry(LOG, index)
        merkle.verify_inclusion(entry.leaf_hash, index, size, proof, root)

    await asyncio.gather(fill(ledger, pending, 600), *(prove(index) for index in range(0, 520, 7)))

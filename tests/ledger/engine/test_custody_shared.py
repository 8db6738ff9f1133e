"""Custody from two server processes over one PostgreSQL: one winner, no half of a person, no key that lives on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.appended import Appended
from attending.ledger.custody.prune import Pruned
from attending.ledger.custody.reads import Order
from attending.ledger.custody.retention import Rule, Rules
from attending.ledger.custody.state import ErasureReason, HoldGround
from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.errors import PayloadPruned, StoreUnavailable, SubjectErased, SubjectHeld

from tests.ledger.engine.test_postgres import LOG, opened
from tests.postgres_cluster import Cluster

Make = Callable[..., PendingEntry]
Gather = Callable[..., Awaitable[list[Any]]]
ORDER = Order("human:officer")


@pytest.mark.parametrize("turn", range(4))
async def test_of_a_hold_here_and_an_erasure_there_exactly_one_wins(
    cluster: Cluster, postgres_database: str, tmp_path: Path, pending: Make, gather: Gather, turn: int
) -> None:
    folder = tmp_path / "ledger"
    async with (
        opened(cluster, postgres_database, folder) as one,
        opened(cluster, postgres_database, folder) as two,
    ):
        for number in range(5):
            names = [await one.pseudonym(LOG, f"MRN {number}-{n}") for n in range(2)]
            await one.custody.link(LOG, names[0], names[1], ORDER)
            record = (await two.append(LOG, [pending(None, b"x", subject=names[0])])).commitments[0][0].record
            held, erased = await gather(
                (one, two)[turn % 2].custody.hold(LOG, names[1], HoldGround.LITIGATION, ORDER),
                (two, one)[turn % 2].custody.erase(LOG, names[0], ErasureReason.GDPR_17, ORDER),
            )
            if isinstance(held, Appended):
                assert isinstance(erased, SubjectHeld), erased
                assert [await side.open_payload(LOG, record) for side in (one, two)] == [b"x", b"x"]
                continue
            assert isinstance(held, SubjectErased), held
            assert isinstance(erased, Appended), erased
            for side in (one, two):
                with pytest.raises(SubjectErased):
                    await side.open_payload(LOG, record)
                assert (await side.custody.closure(LOG, names[1])).holds == ()
                assert await side.custody.erase(LOG, names[1], ErasureReason.GDPR_17, ORDER) is None
            assert not [path for path in folder.rglob("sub_*") if path.name in names]


async def test_two_processes_prune_each_payload_once(
    cluster: Cluster, postgres_database: str, tmp_path: Path, pending: Make, gather: Gather
) -> None:
    folder = tmp_path / "ledger"
    rules = Rules((Rule("inference.*", 365),))
    async with (
        opened(cluster, postgres_database, folder) as one,
        opened(cluster, postgres_database, folder) as two,
    ):
        written = await one.append(LOG, [pending(None, b"x") for _ in range(100)])
        await two.head(LOG)
        for side in (one, two):
            side.retention._now = lambda: datetime.now(UTC) + timedelta(days=400)
        done = await gather(*(side.retention.prune(LOG, rules, ORDER) for side in (one, two, one, two)))
        assert all(isinstance(item, Pruned) for item in done), done
        assert [sum(item.records.values()) for item in done if item.appended] == [100]
        for side in (one, two):
            assert await side.minimum(LOG) == 100
            with pytest.raises(PayloadPruned):
                await side.open_payload(LOG, written.commitments[0][0].record)


async def test_a_server_that_may_not_vacuum_says_so(
    cluster: Cluster, postgres_database: str, tmp_path: Path, pending: Make
) -> None:
    """Its role does not own the tables: an administrator vacuums, or grants it (PostgreSQL 17: MAINTAIN)."""
    async with opened(cluster, postgres_database, tmp_path / "ledger") as ledger:
        subject = await ledger.pseudonym(LOG, "MRN 1")
        payload = await ledger.seal(LOG, Payload("prompt", b"text"), subject)
        entry = PendingEntry("inference.requested", "s", "app:x", subject, {}, (payload,))
        await ledger.append(LOG, [entry])
        await ledger.erase_subject(LOG, subject)
        with pytest.raises(StoreUnavailable):
            await ledger.vacuum()
        await ledger.append(LOG, [pending()])
        count = "SELECT count(*) FROM attending.payload"
        assert cluster.execute(count, database=postgres_database) == [(0,)]
        path = cluster.execute("SELECT pg_relation_filepath('attending.payload')", database=postgres_database)
        cluster.execute("VACUUM (FULL) attending.payload", "CHECKPOINT", database=postgres_database)
        after = cluster.execute(
            "SELECT pg_relation_filepath('attending.payload')", database=postgres_database
        )
        assert path != after  # a new file; the old one is gone, with what was in it

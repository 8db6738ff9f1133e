"""Two server processes' gates on one PostgreSQL database and one key folder, in one event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from attending.guardrails.policy.load import PolicySet
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.server import projections
from attending.server.inference.owners import Owners
from attending.server.inference.pipeline import Pipeline
from attending.server.inference.watch import Changes

from tests.ledger.engine.postgres import LOGIN
from tests.postgres_cluster import Cluster
from tests.server.inference.conftest import (
    TENANT,
    Clock,
    FakeChecker,
    ScriptedProvider,
    failed_checks,
    make_pipeline,
)

LEASE = 1000.0


class Seconds:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Twin:
    """One of the two."""

    ledger: Ledger
    pipeline: Pipeline
    owners: Owners
    provider: ScriptedProvider
    checker: FakeChecker
    seconds: Seconds
    clock: Clock

    async def types(self, inference_id: str) -> list[str]:
        return [entry.type for entry in await self.ledger.stream_entries(TENANT, inference_id)]


@dataclass
class Twins:
    """Both, and the database between them."""

    a: Twin
    b: Twin
    cluster: Cluster
    database: str

    def pass_database_time(self, seconds: float) -> None:
        """Lets the database's clock go on, by moving every beat into its past."""
        self.cluster.execute(
            f"UPDATE attending.owner_beat SET expires_at = expires_at - {round(seconds * 1_000_000)}",
            database=self.database,
        )


@asynccontextmanager
async def twins_on(
    cluster: Cluster, database: str, folder: Path, policies: PolicySet
) -> AsyncIterator[Twins]:
    """Both opened and alive; at the end the auditor's checks over the whole log pass."""
    clock = Clock()
    made = []
    for name in ("srv-a", "srv-b"):
        config = LedgerConfig(
            folder, database=cluster.conninfo(database, LOGIN), publish_interval_seconds=3600
        )
        ledger = await Ledger.open(config, metadata=[projections.metadata], clock=clock)
        await ledger.create_log(TENANT, "test.example/clinic")
        checker, provider, seconds = FakeChecker(policies), ScriptedProvider(), Seconds()
        owners = Owners(ledger, name, lease_seconds=LEASE, monotonic=seconds)
        pipeline, _prompts = make_pipeline(
            ledger, checker, provider, policies, Changes(), clock, owners=owners
        )
        await owners.start()
        made.append(Twin(ledger, pipeline, owners, provider, checker, seconds, clock))
    yield Twins(made[0], made[1], cluster, database)
    for twin in made:
        await twin.pipeline.drain()
        await twin.owners.close()
    failed = await failed_checks(made[0].ledger)
    await made[0].ledger.verify(TENANT)
    for twin in made:
        await twin.ledger.close()
    assert not failed, "the independent verifier refuses what this test left in the log"

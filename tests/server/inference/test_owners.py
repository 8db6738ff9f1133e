"""Several server processes on one database: who is dead, whose calls are abandoned, and what a call in another
process is answered. Real PostgreSQL; both clocks are moved by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.ledger.ed25519 import key_id
from attending.ledger.errors import StoreUnavailable
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.errors import AlreadyExists, Unavailable
from attending.server.inference.active import record_active
from attending.server.inference.outcome import Outcome
from attending.server.inference.owners import Owners
from attending.server.inference.recovery import abandon_orphans
from attending.server.inference.states import State
from attending.server.review.enrolment import enrol_keys, key_stream
from sqlalchemy import func, select

from tests.ledger.engine.postgres import fresh_database, prepared_cluster
from tests.postgres_cluster import Cluster
from tests.server.inference.conftest import CALLER, TENANT, infer_call, key, make_registry
from tests.server.inference.twins import LEASE, Twin, Twins, twins_on


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    yield from prepared_cluster(projections.metadata)


@pytest.fixture
async def twins(cluster: Cluster, tmp_path: Path, policies: PolicySet) -> AsyncIterator[Twins]:
    async with twins_on(cluster, fresh_database(cluster), tmp_path / "state", policies) as made:
        yield made


async def look(twin: Twin, *owners: str, after: float = 0.0) -> set[str]:
    twin.seconds.now += after
    return await twin.owners.gone(owners)


async def watch_for_a_lease(twin: Twin, *owners: str) -> set[str]:
    """What the last of looks over a whole lease says."""
    found: set[str] = set()
    for _ in range(6):
        found = await look(twin, *owners, after=LEASE / 5)
    return found


async def test_where_one_process_has_the_ledger_every_other_owner_is_gone(tmp_path: Path) -> None:
    async with await Ledger.open(tmp_path / "ledger", metadata=[projections.metadata]) as ledger:
        owners = Owners(ledger, "srv-a")
        await owners.start()
        await owners.require_alive()
        assert await owners.gone(["srv-a", "srv-b"]) == {"srv-b"}
        await owners.close()


async def test_a_silent_owner_is_gone_after_a_lease_and_a_lease_of_looks(twins: Twins) -> None:
    assert await watch_for_a_lease(twins.b, "srv-a", "srv-b", "srv-never") == {"srv-never"}
    twins.pass_database_time(LEASE + 1)
    await twins.b.owners._beat()
    assert await look(twins.b, "srv-a", after=LEASE / 5) == set()
    assert await watch_for_a_lease(twins.b, "srv-a", "srv-b") == {"srv-a"}
    # It comes back.
    await twins.a.owners._beat()
    assert await watch_for_a_lease(twins.b, "srv-a") == set()


async def test_after_an_outage_everybody_gets_the_time_to_beat_again(twins: Twins) -> None:
    assert await look(twins.b, "srv-a") == set()
    # Nobody could beat, nobody could look; then the first look finds every lease run out.
    twins.pass_database_time(10 * LEASE)
    assert await look(twins.b, "srv-a", after=10 * LEASE) == set()
    assert await look(twins.b, "srv-a", after=LEASE / 5) == set()
    # A second outage at once: what was seen before it does not count.
    assert await look(twins.b, "srv-a", after=10 * LEASE) == set()
    await twins.a.owners._beat()
    assert await watch_for_a_lease(twins.b, "srv-a") == set()


async def test_a_process_that_ends_in_order_is_gone_without_its_lease(twins: Twins) -> None:
    await twins.a.owners.close()
    assert await twins.a.ledger.live_owners() == {"srv-b"}
    assert await watch_for_a_lease(twins.b, "srv-a") == {"srv-a"}


async def test_nothing_is_begun_by_a_process_that_cannot_say_that_it_is_alive(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins.a.seconds.now += LEASE

    async def fails(_owner: str, _seconds: float) -> None:
        raise StoreUnavailable("down")

    with monkeypatch.context() as broken:
        broken.setattr(twins.a.ledger, "beat", fails)
        with pytest.raises(StoreUnavailable):
            await twins.a.pipeline.infer(CALLER, infer_call(), key())
    assert twins.a.provider.seen == []
    assert await twins.a.ledger.find_claim(TENANT, key().key) is None
    # Its lease has run out; the next call says first that it is back.
    twins.pass_database_time(LEASE + 1)
    outcome = await twins.a.pipeline.infer(CALLER, infer_call(), key())
    assert outcome.state is State.RELEASED
    assert "srv-a" in await twins.b.ledger.live_owners()


async def test_a_database_that_never_answers_is_not_waited_for(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attending.ledger.reads._ANSWER_SECONDS", 0.2)
    with pytest.raises(StoreUnavailable) as silent:
        await twins.a.ledger.query(select(func.pg_sleep(5)))
    assert silent.value.retry_after_seconds
    monkeypatch.undo()
    assert (await twins.a.ledger.query(select(func.count(projections.inference.c.log_id))))[0][0] == 0


async def begun(twin: Twin, *, delay_seconds: float, name: str = "k") -> tuple[asyncio.Task[Outcome], str]:
    """A call whose model takes its time, and its inference, once the intent is durable."""
    twin.provider.delay_seconds = delay_seconds
    task = asyncio.create_task(twin.pipeline.infer(CALLER, infer_call(), key(name)))
    async with asyncio.timeout(30):
        while (
            claim := await twin.ledger.find_claim(TENANT, key(name).key)
        ) is None or not twin.provider.seen:
            await asyncio.sleep(0.01)
    return task, claim.stream


async def sweep(twin: Twin, *, times: int = 6) -> int:
    count = 0
    for _ in range(times):
        twin.seconds.now += LEASE / 5
        count += await abandon_orphans(twin.ledger, [TENANT], twin.owners, twin.clock)
    return count


async def test_a_living_process_keeps_its_calls(twins: Twins) -> None:
    task, inference_id = await begun(twins.a, delay_seconds=0.5)
    assert await sweep(twins.b) == 0
    await task
    assert (await twins.b.pipeline.get(TENANT, inference_id)).state is State.RELEASED


async def test_a_dead_process_s_calls_are_abandoned_once_and_its_late_text_is_not_released(
    twins: Twins,
) -> None:
    task, inference_id = await begun(twins.a, delay_seconds=3.0)
    twins.pass_database_time(LEASE + 1)
    await twins.b.owners._beat()
    # Two sweeps at once, as of two processes: one of them says it.
    third = Owners(twins.b.ledger, "srv-c", lease_seconds=LEASE, monotonic=twins.b.seconds)
    counts = [0, 0]
    for _ in range(7):
        twins.b.seconds.now += LEASE / 5
        found = await asyncio.gather(
            *(
                abandon_orphans(twins.b.ledger, [TENANT], owners, twins.b.clock)
                for owners in (twins.b.owners, third)
            )
        )
        counts = [before + now for before, now in zip(counts, found, strict=True)]
    assert sum(counts) == 1
    # The process was only frozen: its verdict comes, and loses.
    outcome = await task
    assert (outcome.state, outcome.output) == (State.ABANDONED, None)
    for twin in (twins.a, twins.b):
        assert await twin.types(inference_id) == [
            "inference.requested",
            "inference.abandoned",
            "inference.late",
        ]
        assert (await twin.pipeline.get(TENANT, inference_id)).output is None


async def test_the_same_key_in_both_at_once_runs_once(twins: Twins) -> None:
    for twin in (twins.a, twins.b):
        twin.provider.delay_seconds = 0.3
    first, second = await asyncio.gather(
        twins.a.pipeline.infer(CALLER, infer_call(), key()),
        twins.b.pipeline.infer(CALLER, infer_call(), key()),
    )
    # One of them is answered from the record, which is an access of its own.
    assert {first.repeated, second.repeated} == {True, False}
    assert replace(first, repeated=True) == replace(second, repeated=True)
    assert first.state is State.RELEASED
    assert len(twins.a.provider.seen) + len(twins.b.provider.seen) == 1
    with pytest.raises(AlreadyExists):
        await twins.b.pipeline.infer(CALLER, infer_call(), key(body="other"))


async def test_a_call_that_goes_on_elsewhere_is_unavailable_in_the_end_with_a_time_to_retry(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attending.server.inference.exactly_once.ELSEWHERE_SECONDS", 0.3)
    task, inference_id = await begun(twins.a, delay_seconds=2.0)
    with pytest.raises(Unavailable) as running:
        await twins.b.pipeline.infer(CALLER, infer_call(), key())
    assert running.value.reason == "RUNNING_ELSEWHERE"
    assert running.value.retry_after_seconds
    assert running.value.metadata == {"inference_id": inference_id}
    await task
    again = await twins.b.pipeline.infer(CALLER, infer_call(), key())
    assert (again.inference_id, again.state) == (inference_id, State.RELEASED)
    assert twins.b.provider.seen == []


async def test_both_start_at_once_and_say_each_thing_once(twins: Twins, policies: PolicySet) -> None:
    public = bytes(range(32))
    person = Principal(
        "dr-a", TENANT, "human", frozenset({"clinician"}), "Dr A", "token", signing_public_key=public
    )
    for people in ([person], []):
        await asyncio.gather(
            *(
                work
                for twin, owner in ((twins.a, "srv-a"), (twins.b, "srv-b"))
                for work in (
                    enrol_keys(twin.ledger, [TENANT], people, owner, twin.clock),
                    record_active(make_registry(twin.ledger, policies, twin.clock), [TENANT], owner, "test"),
                )
            )
        )
    assert await twins.a.types(key_stream(key_id(public))) == ["key.enrolled", "key.revoked"]
    assert await twins.a.types("knowledge") == ["knowledge.activated"]
    for policy in policies.values():
        assert await twins.b.types(f"policy:{policy.name}") == ["policy.activated"]
    assert await twins.b.types("policies") == ["policy.version"]

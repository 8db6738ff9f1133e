"""Of two processes on one PostgreSQL one sends; when it dies, or its beat does not hold, the other goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.server import projections
from attending.server.config import WebhookSection
from attending.server.inference.watch import Changes
from attending.server.notices.component import Turn
from attending.server.notices.outbox import Outbox
from attending.server.notices.webhook import Webhook

from tests.ledger.engine.postgres import fresh_database, prepared_cluster
from tests.postgres_cluster import Cluster
from tests.server.inference.conftest import CALLER, TENANT, infer_call, key
from tests.server.inference.twins import LEASE, Twin, Twins, twins_on
from tests.server.notices.conftest import Receiver, secret_file, sending


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    yield from prepared_cluster(projections.metadata)


@pytest.fixture
async def twins(cluster: Cluster, tmp_path: Path, policies: PolicySet) -> AsyncIterator[Twins]:
    async with twins_on(cluster, fresh_database(cluster), tmp_path / "state", policies) as made:
        yield made


def turn(twin: Twin) -> Turn:
    # Asked anew each time: nothing is remembered here.
    return Turn(twin.ledger, twin.owners.owner, lease_seconds=0.0)


def box(twin: Twin, receiver: Receiver, folder: Path) -> Outbox:
    section = WebhookSection(
        name="pager", url=receiver.url, secret_file=secret_file(folder), allow_private=True
    )
    return Outbox(
        ledger=twin.ledger,
        tenant=TENANT,
        delivery=Webhook(section, None, twin.clock),
        changes=Changes(),
        owner=twin.owners.owner,
        now=twin.clock,
        turn=turn(twin),
        give_up=timedelta(hours=24),
        poll_seconds=0.05,
    )


async def hold(twin: Twin, number: int) -> str:
    twin.provider.text = f"HOLD {number}"
    call = infer_call(policy="patient-message")
    outcome = await twin.pipeline.infer(CALLER, call, key(f"hold-{twin.owners.owner}-{number}"))
    assert outcome.ticket is not None
    return outcome.ticket.ticket_id


async def test_the_first_of_those_that_live_is_on_turn(twins: Twins) -> None:
    assert (await turn(twins.a)(), await turn(twins.b)()) == (True, False)
    twins.pass_database_time(LEASE + 1)
    # Nobody's beat holds: nobody sends.
    assert (await turn(twins.a)(), await turn(twins.b)()) == (False, False)
    await twins.b.owners._beat()
    assert (await turn(twins.a)(), await turn(twins.b)()) == (False, True)
    await twins.a.owners._beat()
    assert (await turn(twins.a)(), await turn(twins.b)()) == (True, False)


async def test_what_it_knows_is_asked_for_again_after_a_part_of_a_lease(twins: Twins) -> None:
    moment = 0.0
    mine = Turn(twins.a.ledger, "srv-a", lease_seconds=10.0, monotonic=lambda: moment)
    assert await mine()
    twins.pass_database_time(LEASE + 1)
    assert await mine()
    moment = 1.0
    assert not await mine()


async def test_one_sends_and_the_other_goes_on_where_it_died(
    twins: Twins, receiver: Receiver, tmp_path: Path
) -> None:
    def tickets() -> list[str]:
        return [body["data"]["ticket"] for body in receiver.bodies]

    first, second = box(twins.a, receiver, tmp_path), box(twins.b, receiver, tmp_path)
    async with sending(second):
        async with sending(first):
            # Held by either process, told by the one whose turn it is.
            made = [await hold(twins.a, 1), await hold(twins.b, 2)]
            await receiver.until(lambda: set(made) <= set(tickets()))
            assert second.waiting == 0
        assert sorted(tickets()) == sorted(made), "each once"
        made.append(await hold(twins.b, 3))
        await asyncio.sleep(0.3)
        assert made[2] not in tickets(), "the other still holds its turn"
        twins.pass_database_time(LEASE + 1)
        await twins.b.owners._beat()
        await receiver.until(lambda: made[2] in tickets())

"""On PostgreSQL, where several processes share the desk: one item a newcomer, one debrief, and the figures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.server import projections
from attending.server.app import authorization_folder
from attending.server.auth.attempts import Attempts
from attending.server.auth.authorize import Authorizer
from attending.server.auth.authorize import PolicySet as Authorization
from attending.server.halt.switch import Switch
from attending.server.hazards import LiveHazards
from attending.server.inference.watch import Changes
from attending.server.oversight.figures import Oversight, Share
from attending.server.phi.access import PhiAccess
from attending.server.practice.newcomers import Newcomers
from attending.server.practice.opening import Openings
from attending.server.practice.seeding import Seeding
from attending.server.review.desk import Desk
from attending.server.shipped import package_policies

from tests.ledger.engine.postgres import fresh_database, prepared_cluster
from tests.postgres_cluster import Cluster
from tests.server.inference.conftest import CALLER, TENANT, context, infer_call, key, policies
from tests.server.inference.twins import Twin, Twins, twins_on
from tests.server.practice.conftest import CATALOGUE, POLICY
from tests.server.practice.test_seeding import LEAST, Sure, planting
from tests.server.review.conftest import person
from tests.server.review.test_desk import fresh

__all__ = ["policies"]

PEOPLE = [person(f"clinician-{n}", "clinician") for n in range(5)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    yield from prepared_cluster(projections.metadata)


@pytest.fixture
async def twins(cluster: Cluster, tmp_path: Path, policies: PolicySet) -> AsyncIterator[Twins]:
    async with twins_on(cluster, fresh_database(cluster), tmp_path / "state", policies) as made:
        yield made


def openings(twin: Twin) -> Openings:
    switch = Switch(twin.ledger, twin.clock)
    return Openings(twin.ledger, switch, Changes(), twin.checker, CATALOGUE, "srv-test", twin.clock)


def desk(twin: Twin, known: PolicySet) -> Desk:
    authorizer = Authorizer(
        Authorization.load(authorization_folder()), Attempts(twin.ledger.append, "srv").denied, twin.clock
    )
    return Desk(
        ledger=twin.ledger,
        guard=twin.checker,
        policies=known,
        changes=Changes(),
        switch=Switch(twin.ledger, twin.clock),
        phi=PhiAccess(twin.ledger, authorizer, twin.clock),
        lease_seconds=900,
        preparation_seconds=600,
        assignment_seconds=300,
        people=lambda: [one.principal for one in PEOPLE],
        now=twin.clock,
        catalogue=CATALOGUE,
    )


async def mine() -> bool:
    return True


async def test_two_processes_make_one_item_and_read_the_same_figures(
    twins: Twins, policies: PolicySet
) -> None:
    a, b = twins.a, twins.b
    newcomers = [Newcomers(one.ledger, openings(one), policies, one.clock) for one in (a, b)]
    who = PEOPLE[0]
    first, second = await asyncio.gather(*(one.offer(who.principal) for one in newcomers))
    assert first == second
    assert first is not None
    desks = [desk(one, policies) for one in (a, b)]
    item, _version, _index = await desks[0].claim(who.principal, first, fresh())  # type: ignore[arg-type]
    assert item.lease_id is not None
    await desks[1].reject(who.principal, first, item.lease_id, "unsafe", "", fresh())  # type: ignore[arg-type]
    assert await newcomers[1].offer(who.principal) is None
    # Planted by one of them, decided on by way of the other.
    a.provider.text = "HOLD this text"
    for number in range(LEAST):
        call = infer_call(policy=POLICY, context=context(POLICY))
        await a.pipeline.infer(CALLER, call, key(f"held-{number}"))
    seeding = Seeding(
        a.ledger,
        desks[0],
        openings(a),
        planting(policies),
        lambda: [one.principal for one in PEOPLE],
        mine,
        a.clock,
        Sure(7),
    )
    assert await seeding.sweep(TENANT) == 1
    [(inference, ticket)] = (await desks[1].marks.waiting(TENANT)).items()
    reader = PEOPLE[1].principal
    item, _version, _index = await desks[1].claim(reader, ticket, fresh())  # type: ignore[arg-type]
    assert item.lease_id is not None
    await desks[1].reject(reader, ticket, item.lease_id, "unsafe", "", fresh())  # type: ignore[arg-type]
    assert (await b.types(inference))[-1] == "oversight.debriefed"
    assert await seeding.sweep(TENANT) == 0
    oversight = Oversight(b.ledger, b.clock)
    assert (await oversight.summary(TENANT, 30)).planted == 1
    [one] = await oversight.people(TENANT, 30)
    assert Share(one.found, one.planted) in (Share(1, 1), Share(0, 0))
    begin = b.clock() - timedelta(days=1)
    live = await LiveHazards(b.ledger, package_policies()).of(TENANT, POLICY, begin, b.clock())
    assert live.outputs == LEAST

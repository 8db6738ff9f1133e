"""Who has never signed is given one marked item, once; who cannot be given one goes on without."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from attending.guardrails.pool import GuardOverloaded
from attending.server.auth.principal import Principal
from attending.server.halt.switch import Order
from attending.server.practice.newcomers import Newcomers

from tests.server.inference.conftest import TENANT, key
from tests.server.practice.conftest import Room
from tests.server.review.conftest import person
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of


@pytest.fixture
def newcomers(room: Room) -> Newcomers:
    gate = room.ward.gate
    return Newcomers(gate.ledger, room.openings, gate.policies, gate.clock)


async def test_one_marked_item_and_no_second(room: Room, newcomers: Newcomers) -> None:
    rivera, gate = room.ward.rivera, room.ward.gate
    ticket = await newcomers.offer(rivera.principal)
    assert ticket is not None
    assert await newcomers.offer(rivera.principal) == ticket
    item, _version = await room.desk.item(TENANT, ticket)
    assert (item.practice_for, item.state, item.escalates_at) == ("rivera", "held", None)
    [requested, *_rest] = await gate.ledger.stream_entries(TENANT, item.inference_id)
    assert requested.body["practice"] == {"item": "wrong", "for": "rivera", "ticket": ticket}
    lease = await claim(room.ward, ticket, rivera)
    await room.desk.reject(rivera.principal, ticket, lease, "unsafe", "", fresh())  # type: ignore[arg-type]
    assert await newcomers.offer(rivera.principal) is None
    # A restart knows it from the rows.
    again = Newcomers(gate.ledger, room.openings, gate.policies, gate.clock)
    assert await again.offer(rivera.principal) is None
    assert await again.offer(room.ward.chen.principal) is not None


async def test_two_looks_at_once_make_one(room: Room, newcomers: Newcomers) -> None:
    gate, who = room.ward.gate, room.ward.rivera.principal
    other = Newcomers(gate.ledger, room.openings, gate.policies, gate.clock)
    one, two, three = await asyncio.gather(newcomers.offer(who), other.offer(who), newcomers.offer(who))
    assert one == two == three
    assert one is not None


async def test_one_that_another_window_makes_between_two_looks_is_the_same(room: Room) -> None:
    gate, who = room.ward.gate, room.ward.rivera.principal
    other = Newcomers(gate.ledger, room.openings, gate.policies, gate.clock)

    class Slow(Newcomers):
        """Another window is quicker, after this one saw that nothing waits."""

        async def _experienced(self, who: Principal) -> bool:
            assert await other.offer(who) is not None
            return await super()._experienced(who)

    ticket = await Slow(gate.ledger, room.openings, gate.policies, gate.clock).offer(who)
    assert ticket == await other.offer(who)
    lease = await claim(room.ward, str(ticket), room.ward.rivera)
    await room.desk.reject(who, str(ticket), lease, "unsafe", "", fresh())  # type: ignore[arg-type]
    assert await other.offer(who) is None


async def test_who_has_signed_is_no_newcomer(room: Room, newcomers: Newcomers) -> None:
    rivera = room.ward.rivera
    ticket = ticket_of(await held(room.ward))
    lease = await claim(room.ward, ticket, rivera)
    await dispose_all(room.ward, ticket, lease, rivera)
    prepared = await room.desk.prepare(rivera.permit, ticket, lease, None, rivera.key_id)
    await sign(room.ward, ticket, lease, rivera, prepared)
    assert await newcomers.offer(rivera.principal) is None


async def test_one_that_ran_out_unread_is_followed_by_another(room: Room, newcomers: Newcomers) -> None:
    who = room.ward.rivera.principal
    first = await newcomers.offer(who)
    room.ward.gate.clock.advance(days=31)
    assert await room.desk.expire_due(TENANT, "srv-test") == 1
    second = await newcomers.offer(who)
    assert second not in (None, first)


@pytest.mark.parametrize("why", ["application", "auditor", "licence", "no item", "no policy"])
async def test_for_some_there_is_none(room: Room, why: str) -> None:
    gate, who = room.ward.gate, room.ward.rivera.principal
    policies: Any = gate.policies
    if why == "application":
        who = person("app-2", "app", kind="app").principal
    elif why == "auditor":
        who = room.ward.auditor.principal
    elif why == "licence":
        who = replace(who, licence_expires=gate.clock() - timedelta(days=1))
    elif why == "no item":
        who = person("pat", "pharmacist").principal
        policies = {"other": gate.policies["discharge-plan"]}
    else:
        policies = {}
    newcomers = Newcomers(gate.ledger, room.openings, policies, gate.clock)
    assert await newcomers.offer(who) is None


async def test_checks_that_are_down_and_a_halt_keep_nobody_from_their_queue(
    room: Room, newcomers: Newcomers
) -> None:
    gate, who = room.ward.gate, room.ward.rivera.principal

    def overloaded() -> None:
        raise GuardOverloaded(1.0)

    gate.checker.fail_output = overloaded
    assert await newcomers.offer(who) is None
    gate.checker.fail_output = lambda: None
    order = Order("human:op", "drill", gate.clock())
    await gate.switch.halt(TENANT, None, order, key("halt"), 0)
    assert await newcomers.offer(who) is None
    await gate.switch.resume(TENANT, None, order, key("resume"))
    assert await newcomers.offer(who) is not None


async def test_a_text_that_the_policy_would_not_hold_is_no_item(room: Room, newcomers: Newcomers) -> None:
    gate = room.ward.gate
    item = room.openings.catalogue["wrong"]
    blocked = item.model_copy(update={"output": "BLOCK this. " + str(item.planted)})
    room.openings.catalogue.__dict__.pop("_by_id", None)
    changed = replace(room.openings.catalogue, items_in_order=(blocked,))
    room.openings.catalogue = changed
    assert await newcomers.offer(room.ward.rivera.principal) is None
    # Known from then on: no look at the queue runs the checks again.
    assert len(gate.checker.outputs) == 1
    for who in (room.ward.rivera, room.ward.chen):
        assert await newcomers.offer(who.principal) is None
    assert len(gate.checker.outputs) == 1
    size, _root = await gate.ledger.head(TENANT)
    entries = await gate.ledger.list_entries(TENANT, 0, size)
    assert not [entry for entry in entries if entry.stream.startswith("inf_")]

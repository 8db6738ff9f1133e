"""Whom an item is handed to: who can sign it and has least to do; fifty people who hand on at once lose nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from attending.server.errors import Aborted, AttendingError
from attending.server.review.queue import Wanted

from tests.server.inference.conftest import TENANT, key
from tests.server.review.conftest import LEASE_SECONDS, Person, Ward, person, revise
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of

POLICY = "discharge-plan"


def staff(ward: Ward, *people: Person) -> None:
    principals = [one.principal for one in (ward.rivera, ward.chen, ward.auditor, *people)]
    ward.desk._people = lambda: principals


async def named(ward: Ward, ticket: str, who: Person) -> list[tuple[str, int, int]]:
    item, _version = await ward.desk.item(TENANT, ticket)
    found = await ward.desk.colleagues(who.principal, item)
    return [(one.name, one.held, one.signed_lately) for one in found]


async def signed(ward: Ward, who: Person) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, who)
    await dispose_all(ward, ticket, lease, who)
    prepared = await ward.desk.prepare(who.permit, ticket, lease, None, who.key_id)
    await sign(ward, ticket, lease, who, prepared)


async def hand(ward: Ward, ticket: str, lease: str, who: Person, to: str | None = None) -> str:
    item, _v, _i = await ward.desk.reassign(who.principal, ticket, lease, to, "workload", "", fresh())  # type: ignore[arg-type]
    assert item.assigned_to is not None
    return item.assigned_to


async def test_who_has_least_to_do_comes_first(ward: Ward) -> None:
    busy, idle = person("busy", "clinician"), person("idle", "clinician")
    staff(ward, busy, idle)
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    assert {name for name, *_load in await named(ward, ticket, ward.rivera)} == {"chen", "busy", "idle"}
    await signed(ward, ward.chen)
    held_by_busy = ticket_of(await held(ward))
    await claim(ward, held_by_busy, busy)
    assert await named(ward, ticket, ward.rivera) == [("idle", 0, 0), ("chen", 0, 1), ("busy", 1, 0)]
    # What is kept for somebody counts as theirs, too.
    assert await hand(ward, ticket_of(await held(ward)), "", ward.rivera, "idle") == "idle"
    assert (await named(ward, ticket, ward.rivera))[0] == ("chen", 0, 1)
    assert await hand(ward, ticket, lease, ward.rivera) == "chen"
    # A lease that ran out and yesterday's signatures are nobody's work.
    ward.gate.clock.advance(hours=24, seconds=LEASE_SECONDS)
    later = ticket_of(await held(ward))
    assert {(held_, signed_) for _name, held_, signed_ in await named(ward, later, ward.rivera)} == {(0, 0)}


async def test_only_who_could_sign_it_is_named(ward: Ward) -> None:
    moment = ward.gate.clock.moment
    people = [person(name, "clinician") for name in ("author", "signer", "lapsed", "untrained", "operator")]
    author, signer, lapsed, untrained, other = people
    pharmacist, bot = person("pharmacist", "pharmacist"), person("bot", "clinician", kind="app")
    lapsed.principal = replace(lapsed.principal, licence_expires=moment - timedelta(days=1))
    untrained.principal = replace(untrained.principal, competency_expires=moment - timedelta(days=1))
    foreign = person("foreign", "clinician")
    foreign.principal = replace(foreign.principal, tenant="elsewhere")
    staff(ward, author, signer, lapsed, untrained, pharmacist, bot, foreign, other)
    sign_offs = ward.gate.policies[POLICY].sign_offs.model_dump()
    revise(ward, POLICY, sign_offs={**sign_offs, "author_may_sign": False})
    ticket = ticket_of(await held(ward, on_behalf_of="author"))
    names = {name for name, *_load in await named(ward, ticket, ward.rivera)}
    assert names == {"chen", "signer", "operator", "pharmacist"}
    # Nor whoever may not hand it on is told anybody.
    assert await named(ward, ticket, ward.auditor) == []
    await claim(ward, ticket, ward.chen)
    assert await named(ward, ticket, ward.rivera) == []
    # A finding that wants a pharmacist wants nobody else.
    skills = [{"findings": "interactions", "roles": "pharmacist"}]
    revise(ward, POLICY, sign_offs={**sign_offs, "skills": skills})
    wanting = ticket_of(await held(ward))
    assert [name for name, *_load in await named(ward, wanting, ward.rivera)] == ["pharmacist"]


async def test_where_there_is_nobody_it_stays_where_it_is(ward: Ward) -> None:
    ward.desk._people = lambda: [ward.rivera.principal]
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    with pytest.raises(AttendingError) as caught:
        await hand(ward, ticket, lease, ward.rivera)
    assert caught.value.reason == "NOBODY_TO_HAND_TO"
    assert (await ward.desk.item(TENANT, ticket))[0].claimed_by == "rivera"


async def test_a_retry_names_the_same_colleague(ward: Ward) -> None:
    staff(ward, *(person(f"reviewer-{n}", "clinician") for n in range(5)))
    ticket = ticket_of(await held(ward))
    once = key("hand-once")
    args = (ward.rivera.principal, ticket, "", None, "workload", "", once)
    first, _version, index = await ward.desk.reassign(*args)
    await hand(ward, ticket_of(await held(ward)), "", ward.rivera, first.assigned_to)
    again, _version, same = await ward.desk.reassign(*args)
    assert (again.assigned_to, same) == (first.assigned_to, index)


async def test_fifty_who_take_and_hand_on_at_once_lose_nothing(ward: Ward) -> None:
    people = [person(f"reviewer-{n:02}", "clinician") for n in range(50)]
    staff(ward, *people)
    tickets = {ticket_of(await held(ward)) for _n in range(50)}

    async def take(who: Person) -> tuple[str, str]:
        while True:
            try:
                item, _v, _i = await ward.desk.claim_next(who.principal, fresh())  # type: ignore[arg-type]
                return item.ticket_id, str(item.lease_id)
            except Aborted:
                continue

    taken = await asyncio.gather(*(take(who) for who in people))
    assert {ticket for ticket, _lease in taken} == tickets
    # Half of them hand theirs on at the same moment, and whoever is kept something for takes it.
    handing = list(zip(people, taken, strict=True))[::2]
    to = await asyncio.gather(*(hand(ward, ticket, lease, who) for who, (ticket, lease) in handing))
    by_name = {one.principal.name: one for one in (*people, ward.rivera, ward.chen)}
    # Two hold nothing yet; whoever hands on later may also find one who has handed on before.
    assert set(to) >= {"rivera", "chen"}
    assert all(name != who.principal.name for (who, _held), name in zip(handing, to, strict=True))
    wants: list[Any] = [
        claim(ward, ticket, by_name[name]) for (_who, (ticket, _l)), name in zip(handing, to, strict=True)
    ]
    await asyncio.gather(*wants)
    items = [(await ward.desk.item(TENANT, ticket))[0] for ticket in sorted(tickets)]
    assert all(item.claimed_by is not None for item in items)
    assert len({item.lease_id for item in items}) == 50
    kept = {ticket: name for (_who, (ticket, _lease)), name in zip(handing, to, strict=True)}
    assert {item.ticket_id: item.claimed_by for item in items if item.ticket_id in kept} == kept
    mine = [
        await ward.desk.queue(TENANT, Wanted(mine=True, who=one.principal), 50) for one in by_name.values()
    ]
    assert sum(len(page.items) for page in mine) == 50

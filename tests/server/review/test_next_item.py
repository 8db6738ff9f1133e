"""Taking the next item: the most urgent first, nobody the same, nobody what they may not sign, nobody too many."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.server.activation.serving import Generation
from attending.server.errors import AttendingError, NotFound
from attending.server.review.queue import Wanted

from tests.server.inference.conftest import TENANT, key
from tests.server.review.conftest import LEASE_SECONDS, Person, Ward, person
from tests.server.review.test_desk import claim, fresh, held, ticket_of

POLICY = "discharge-plan"


async def take(ward: Ward, who: Person, **wanted: Any) -> str:
    item, _version, _index = await ward.desk.claim_next(who.principal, fresh(), **wanted)  # type: ignore[arg-type]
    assert item.claimed_by == who.principal.name
    return item.ticket_id


async def reason(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


def limit(ward: Ward, most: int) -> None:
    """From now on the policy lets nobody be given more than `most` of its items at once."""
    known = {name: ward.gate.policies.loaded(name) for name in ward.gate.policies}
    policy = known[POLICY].policy
    sign_offs = policy.sign_offs.model_copy(update={"max_held": most})
    changed = known | {
        POLICY: replace(known[POLICY], policy=policy.model_copy(update={"sign_offs": sign_offs}))
    }
    ward.gate.pipeline._serving.replace(Generation(PolicySet(changed), ward.gate.checker))
    ward.desk._policies = ward.gate.pipeline._serving.policies


async def test_the_most_urgent_comes_first_and_then_nothing_waits(ward: Ward) -> None:
    calm, grave = ticket_of(await held(ward, "As before.")), ticket_of(await held(ward))
    assert await take(ward, ward.rivera) == grave
    assert await take(ward, ward.chen) == calm
    # What somebody holds is nobody's next item, nor their own.
    assert await reason(take(ward, ward.chen)) == "NOTHING_WAITS"
    third = ticket_of(await held(ward, "As before."))
    assert await reason(take(ward, ward.chen, least_severity=2)) == "NOTHING_WAITS"
    assert await take(ward, ward.chen) == third
    with pytest.raises(NotFound) as caught:
        await ward.desk.claim_next(ward.chen.principal, fresh(), policy="patient-message")  # type: ignore[arg-type]
    assert caught.value.reason == "NOTHING_WAITS"


async def test_callers_at_once_get_different_items(ward: Ward) -> None:
    tickets = {ticket_of(await held(ward)) for _n in range(6)}
    people = [person(f"reviewer-{n}", "clinician") for n in range(6)]
    taken = await asyncio.gather(*(take(ward, who) for who in people))
    assert set(taken) == tickets
    assert await reason(take(ward, person("late", "clinician"))) == "NOTHING_WAITS"


async def test_a_retry_is_given_the_same_item(ward: Ward) -> None:
    for _n in range(3):
        await held(ward)
    once = key("next-once")
    item, _version, index = await ward.desk.claim_next(ward.rivera.principal, once)
    again, _version, same = await ward.desk.claim_next(ward.rivera.principal, once)
    assert (again.ticket_id, same) == (item.ticket_id, index)
    # Also where both calls of one key run at once.
    twice = key("next-twice")
    both = await asyncio.gather(*(ward.desk.claim_next(ward.chen.principal, twice) for _n in range(2)))
    assert len({(one[0].ticket_id, one[2]) for one in both}) == 1


async def test_nobody_is_given_what_they_may_not_sign(ward: Ward) -> None:
    own = ticket_of(await held(ward, on_behalf_of="RIVERA"))
    other = ticket_of(await held(ward, "As before."))
    assert await take(ward, ward.rivera) == other
    assert await take(ward, ward.chen) == own
    lapsed = replace(ward.chen.principal, licence_expires=ward.gate.clock.moment - timedelta(days=1))
    await held(ward)
    assert await reason(ward.desk.claim_next(lapsed, key("lapsed"))) == "LICENCE_EXPIRED"
    for nobody in (ward.auditor.principal, person("bot", "clinician", kind="app").principal):
        assert await reason(ward.desk.claim_next(nobody, fresh())) in (  # type: ignore[arg-type]
            "NOTHING_WAITS",
            "ROLE_NOT_PERMITTED",
        )


async def test_who_holds_enough_is_told_so_and_others_are_given_the_rest(ward: Ward) -> None:
    limit(ward, 2)
    first = [ticket_of(await held(ward)) for _n in range(4)]
    mine = {await take(ward, ward.rivera), await take(ward, ward.rivera)}
    assert len(mine) == 2
    assert await reason(take(ward, ward.rivera)) == "HELD_ENOUGH"
    assert await take(ward, ward.chen) in set(first) - mine
    # By its ticket one takes it all the same; and a lease that ran out counts no more.
    [free] = {
        item.ticket_id
        for item, _version in (
            await ward.desk.queue(TENANT, Wanted(claimable=True, who=ward.chen.principal), 9)
        ).items
        if item.claimed_by is None
    }
    await claim(ward, free, ward.rivera)
    ward.gate.clock.advance(seconds=LEASE_SECONDS + 1)
    assert {await take(ward, ward.rivera), await take(ward, ward.rivera)} < set(first)
    assert await reason(take(ward, ward.rivera)) == "HELD_ENOUGH"


async def test_only_what_waits_makes_enough(ward: Ward) -> None:
    limit(ward, 1)
    await held(ward)
    await take(ward, ward.rivera)
    # Nothing else waits, so that there is nothing to be kept from.
    assert await reason(take(ward, ward.rivera)) == "NOTHING_WAITS"

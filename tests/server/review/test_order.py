"""What is looked at first, page by page; what the server does by itself when an item has waited too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from attending.guardrails.finding import Severity
from attending.server.clock import parse, stamp
from attending.server.errors import InvalidRequest
from attending.server.inference.states import State
from attending.server.review import queue
from attending.server.review.order import LONGEST_HEAD_START, priority
from attending.server.review.queue import Wanted
from hypothesis import given
from hypothesis import strategies as st

from tests.server.inference.conftest import CALLER, TENANT, context, infer_call, key
from tests.server.review.conftest import LEASE_SECONDS, Person, Ward, revise
from tests.server.review.test_desk import claim, fresh, held, sign, ticket_of

DUE = "2026-11-23T13:00:00.000000Z"
RANKS = st.integers(0, 4)
URGENCIES = st.sampled_from(["routine", "urgent", "emergency"])


@given(RANKS, URGENCIES, st.booleans(), RANKS, URGENCIES, st.booleans(), st.integers(1, 10**6))
def test_worse_comes_sooner_and_nothing_starves(
    rank: int, urgency: str, raised: bool, other: int, its: str, others: bool, microseconds: int
) -> None:
    mine = priority(DUE, rank, urgency, escalated=raised)
    for worse in range(rank, 5):
        assert priority(DUE, worse, urgency, escalated=raised) <= mine
    assert priority(DUE, rank, "emergency", escalated=True) <= mine
    # Promised so much earlier, an item comes first, whatever the other is.
    later = stamp(parse(DUE) + LONGEST_HEAD_START + timedelta(microseconds=microseconds))
    assert mine < priority(later, other, its, escalated=others)


async def shown(ward: Ward, **wanted: object) -> list[str]:
    page = await ward.desk.queue(TENANT, Wanted(**wanted), 50)  # type: ignore[arg-type]
    assert page.total == len(page.items)
    return [item.ticket_id for item, _version in page.items]


async def test_pages_follow_each_other_while_items_come_and_go(ward: Ward) -> None:
    tickets = [ticket_of(await held(ward, "HOLD it" if n % 2 else "As before.")) for n in range(5)]
    whole = await shown(ward)
    assert whole == [tickets[1], tickets[3], tickets[0], tickets[2], tickets[4]]
    first = await ward.desk.queue(TENANT, Wanted(), 2)
    assert [item.ticket_id for item, _v in first.items] == whole[:2]
    # One of those shown is decided on and a graver one comes: what follows neither shifts nor repeats.
    lease = await claim(ward, whole[0], ward.rivera)
    await ward.desk.reject(ward.rivera.principal, whole[0], lease, "wrong", "", fresh())  # type: ignore[arg-type]
    await held(ward)
    seen, after = [], first.following
    while after:
        page = await ward.desk.queue(TENANT, Wanted(), 2, after)
        seen += [item.ticket_id for item, _v in page.items]
        after = page.following
    assert [ticket for ticket in seen if ticket in whole] == whole[2:]
    assert len(seen) == len(set(seen))
    for forged in ("1", f"{DUE}~tkt_1' OR 1=1", f"{DUE}~{'a' * 41}", "~", "x" * 10_000):
        with pytest.raises(InvalidRequest):
            await ward.desk.queue(TENANT, Wanted(), 2, forged)


async def test_a_long_queue_is_counted_so_far_and_says_so(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "COUNTED", 2)
    for n in range(3):
        page = await ward.desk.queue(TENANT, Wanted(), 1)
        assert (page.total, page.more) == (n, False)
        await held(ward)
    page = await ward.desk.queue(TENANT, Wanted(), 2)
    assert (page.total, page.more, len(page.items)) == (2, True, 2)
    # Each page says it, and a filter is counted by itself.
    rest = await ward.desk.queue(TENANT, Wanted(), 2, page.following)
    assert (rest.total, rest.more, len(rest.items)) == (2, True, 1)
    mine = await ward.desk.queue(TENANT, Wanted(mine=True, who=ward.rivera.principal), 2)
    assert (mine.total, mine.more) == (0, False)


async def test_two_states_are_one_order(ward: Ward) -> None:
    for n in range(3):
        await held(ward)
        ward.gate.provider.text = "BLOCK this"
        await ward.gate.pipeline.infer(
            CALLER, infer_call(policy="discharge-plan", context=context("discharge-plan")), key(f"b{n}")
        )
    both = Wanted(states=("held", "blocked"))
    page = await ward.desk.queue(TENANT, both, 4)
    rest = await ward.desk.queue(TENANT, both, 4, page.following)
    items = [item for item, _v in (*page.items, *rest.items)]
    assert (len(page.items), page.total, rest.following) == (4, 6, "")
    assert {item.state for item in items} == {"held", "blocked"}
    assert all(a.priority <= b.priority for a, b in pairwise(items))


async def test_each_filter_shows_what_it_says(ward: Ward) -> None:
    grave, plain, chens = [ticket_of(await held(ward, text)) for text in ("HOLD", "As before.", "As ever.")]
    rivera, chen = ward.rivera.principal, ward.chen.principal
    assert await shown(ward, least_severity=Severity.MAJOR.rank) == [grave]
    assert await shown(ward, policy="patient-message") == []
    await claim(ward, chens, ward.chen)
    assert await shown(ward, who=rivera, mine=True) == []
    assert await shown(ward, who=chen, mine=True) == [chens]
    assert await shown(ward, who=rivera, claimable=True) == [grave, plain]
    assert await shown(ward, who=chen, claimable=True) == [grave, plain, chens]
    assert await shown(ward, who=ward.auditor.principal, claimable=True) == []
    lease = await claim(ward, plain, ward.rivera)
    handed = (rivera, plain, lease, "chen", "handover", "")
    await ward.desk.reassign(*handed, fresh())  # type: ignore[arg-type]
    assert await shown(ward, who=rivera, claimable=True) == [grave]
    assert await shown(ward, who=chen, mine=True) == [plain, chens]
    ward.gate.clock.advance(seconds=LEASE_SECONDS + 1)
    assert await shown(ward, who=rivera, claimable=True) == [grave, plain, chens]
    assert await shown(ward, overdue=True) == []
    lease = await claim(ward, grave, ward.rivera)
    await ward.desk.escalate(rivera, grave, lease, "other", "", fresh())  # type: ignore[arg-type]
    assert await shown(ward, escalated=True) == [grave]
    assert await shown(ward, who=rivera, claimable=True) == [plain, chens]
    ward.gate.clock.advance(minutes=60)
    assert set(await shown(ward, overdue=True)) == {grave, plain, chens}


async def escalated_by(ward: Ward, inference_id: str) -> list[tuple[str, object]]:
    entries = await ward.gate.ledger.stream_entries(TENANT, inference_id)
    return [(entry.actor, entry.body["to_roles"]) for entry in entries if entry.type == "review.escalated"]


async def test_what_nobody_decides_on_is_escalated_once_and_comes_first(ward: Ward) -> None:
    plain = await held(ward, "As before.")
    ticket = ticket_of(plain)
    lease = await claim(ward, ticket, ward.rivera)
    ward.gate.clock.advance(minutes=119)
    assert await ward.desk.escalate_due(TENANT, "srv-test") == 0
    ward.gate.clock.advance(minutes=2)
    later = await held(ward)  # graver, and promised two hours later
    assert await shown(ward) == [ticket_of(later), ticket]
    lease = await claim(ward, ticket, ward.rivera)
    assert await ward.desk.escalate_due(TENANT, "srv-test") == 1
    assert await ward.desk.escalate_due(TENANT, "srv-test") == 0
    assert await shown(ward) == [ticket, ticket_of(later)]
    item, _version = await ward.desk.item(TENANT, ticket)
    assert item.escalated_to == ("clinician", "safety_officer")
    assert await escalated_by(ward, plain.inference_id) == [
        ("system:srv-test", ["clinician", "safety_officer"])
    ]
    # Whoever works on it goes on.
    await signed_as_it_is(ward, ticket, lease, ward.rivera)
    assert (await ward.gate.pipeline.get(TENANT, plain.inference_id)).state is State.RELEASED


async def test_out_of_hours_it_is_escalated_sooner_and_to_others(ward: Ward) -> None:
    night = {
        "time_zone": "America/New_York",
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "begins": "08:00",
        "ends": "18:00",
        "after_minutes": 15,
        "to_roles": ["safety_officer"],
    }
    revise(
        ward,
        "discharge-plan",
        escalation={"after_minutes": 120, "to_roles": ["pharmacist"], "outside_hours": night},
    )
    # Wednesday in New York: half past five in the afternoon.
    ward.gate.clock.moment = datetime(2026, 11, 25, 22, 30, tzinfo=UTC)
    late = await held(ward)
    [entry] = [
        one
        for one in await ward.gate.ledger.stream_entries(TENANT, late.inference_id)
        if one.type == "inference.held"
    ]
    assert entry.body["escalation"] == {
        "at": stamp(datetime(2026, 11, 25, 23, 15, tzinfo=UTC)),
        "to_roles": ["safety_officer"],
    }
    # By a person it goes to those who are asked at the hour.
    other = ticket_of(await held(ward))
    lease = await claim(ward, other, ward.rivera)
    await ward.desk.escalate(ward.rivera.principal, other, lease, "other", "", fresh())  # type: ignore[arg-type]
    assert (await ward.desk.item(TENANT, other))[0].escalated_to == ("pharmacist",)
    # What the policy says by then changes nothing.
    revise(ward, "discharge-plan", escalation=None)
    ward.gate.clock.advance(minutes=44)
    assert await ward.desk.escalate_due(TENANT, "srv-test") == 0
    ward.gate.clock.advance(minutes=1)
    assert await ward.desk.escalate_due(TENANT, "srv-test") == 1
    assert await escalated_by(ward, late.inference_id) == [("system:srv-test", ["safety_officer"])]


async def test_what_was_decided_or_passed_on_by_a_person_is_not_escalated_by_time(ward: Ward) -> None:
    done, passed = await held(ward, "As before."), await held(ward, "As ever.")
    lease = await claim(ward, ticket_of(done), ward.rivera)
    await signed_as_it_is(ward, ticket_of(done), lease, ward.rivera)
    lease = await claim(ward, ticket_of(passed), ward.rivera)
    args = (ward.rivera.principal, ticket_of(passed), lease, "beyond_competence", "")
    await ward.desk.escalate(*args, fresh())  # type: ignore[arg-type]
    ward.gate.clock.advance(minutes=121)
    assert await ward.desk.escalate_due(TENANT, "srv-test") == 0
    assert [actor for actor, _roles in await escalated_by(ward, passed.inference_id)] == ["human:rivera"]


async def signed_as_it_is(ward: Ward, ticket: str, lease: str, who: Person) -> None:
    prepared = await ward.desk.prepare(who.permit, ticket, lease, None, who.key_id)
    await sign(ward, ticket, lease, who, prepared)

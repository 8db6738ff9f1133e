"""Break-glass: by the policy's leave, of the text as it was held, never of a blocked one, and reviewed by another."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import BreakGlass
from attending.server.activation.serving import Generation
from attending.server.errors import AttendingError
from attending.server.halt.switch import Order
from attending.server.inference.states import State

from tests.server.inference.conftest import CALLER, TENANT, context, failed_checks, infer_call, key
from tests.server.review.conftest import Ward, person, revise
from tests.server.review.test_desk import claim, dispose_all, held, sign, ticket_of

POLICY = "discharge-plan"
OFFICER = person("olufsen", "safety_officer").principal


def permit(ward: Ward) -> None:
    """From now on the policy lets clinicians break glass."""
    known = {name: ward.gate.policies.loaded(name) for name in ward.gate.policies}
    terms = BreakGlass(roles=("clinician",), review_within_hours=24)
    policy = known[POLICY].policy.model_copy(update={"break_glass": terms})
    changed = PolicySet({**known, POLICY: replace(known[POLICY], policy=policy)})
    ward.gate.pipeline._serving.replace(Generation(changed, ward.gate.checker))


async def reason(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def test_it_releases_what_was_held_and_is_reviewed_by_another(ward: Ward) -> None:
    permit(ward)
    outcome = await held(ward)
    ticket, one, desk = ticket_of(outcome), outcome.inference_id, ward.desk
    await claim(ward, ticket, ward.chen)  # whose lease does not stand in the way
    rivera, once = ward.rivera.principal, key("glass")
    use, indexes = await desk.break_glass(rivera, ticket, "patient_in_danger", "He is bleeding.", once)
    assert (await desk.break_glass(rivera, ticket, "patient_in_danger", "He is bleeding.", once))[
        1
    ] == indexes
    released = await ward.gate.pipeline.get(TENANT, one)
    assert (released.state, released.output) == (State.RELEASED, "HOLD this text")
    assert (await ward.gate.types(one))[-2:] == ["break_glass.used", "inference.released"]
    used = await ward.gate.ledger.get_entry(TENANT, indexes[0])
    assert [payload.kind for payload in used.commitments] == ["note"]
    assert not await failed_checks(ward.gate.ledger)
    # The review: by somebody else, once.
    assert [one.user for one in await desk.uses(TENANT, only_open=True, limit=9, offset=0)] == ["rivera"]
    assert await reason(desk.review_break_glass(rivera, one, "justified", "", key("own"))) == (
        "SECOND_PERSON_REQUIRED"
    )
    use, _index = await desk.review_break_glass(OFFICER, one, "justified", "A note.", key("review"))
    assert (use.reviewed_by, use.outcome) == ("olufsen", "justified")
    again = desk.review_break_glass(OFFICER, one, "misuse", "", key("again"))
    assert await reason(again) == "BREAK_GLASS_REVIEWED"
    assert await desk.uses(TENANT, only_open=True, limit=9, offset=0) == []
    assert await desk.uses("other", only_open=False, limit=9, offset=0) == []


async def test_who_and_what_is_refused(ward: Ward) -> None:
    await ward.gate.ledger.create_log("other", "test.example/other")
    before = ticket_of(await held(ward))  # by the policy that permits nobody
    permit(ward)
    ticket, desk = ticket_of(await held(ward)), ward.desk

    def use(who: Any, which: str = ticket) -> Any:
        return desk.break_glass(who, which, "cover", "A note.", key(f"{who.name}-{which}"))

    assert await reason(use(ward.rivera.principal, before)) == "BREAK_GLASS_NOT_PERMITTED"
    assert await reason(use(person("phil", "pharmacist").principal)) == "ROLE_NOT_PERMITTED"
    assert await reason(use(person("robot", "clinician", kind="app").principal)) == "ROLE_NOT_PERMITTED"
    over = replace(ward.rivera.principal, licence_expires=ward.gate.clock())
    assert await reason(use(over)) == "LICENCE_EXPIRED"
    assert await reason(use(replace(ward.rivera.principal, tenant="other"))) == "UNKNOWN_TICKET"
    # What goes to a patient waits, and what is blocked is never released.
    for_patient = ticket_of(await held(ward, recipient="patient"))
    assert await reason(use(ward.rivera.principal, for_patient)) == "BREAK_GLASS_NOT_PERMITTED"
    ward.gate.provider.text = "BLOCK this"
    call = infer_call(policy=POLICY, context=context(POLICY))
    blocked = await ward.gate.pipeline.infer(CALLER, call, key("blocked"))
    [entry] = [
        entry
        for entry in await ward.gate.ledger.stream_entries(TENANT, blocked.inference_id)
        if entry.type == "inference.blocked"
    ]
    assert await reason(use(ward.rivera.principal, entry.body["ticket"])) == "ILLEGAL_TRANSITION"
    # A reviewer who found it needs an edit has the last word; so has a halt.
    lease = await claim(ward, ticket, ward.chen)
    await dispose_all(ward, ticket, lease, ward.chen, "fixed")
    assert await reason(use(ward.rivera.principal)) == "DISPOSITION_NEEDS_EDIT"
    other = ticket_of(await held(ward))
    order = Order("human:rivera", "drill", ward.gate.clock())
    await ward.gate.switch.halt(TENANT, None, order, key("halt"), 0)
    assert await reason(use(ward.rivera.principal, other)) == "SYSTEM_HALTED"


async def test_it_is_offered_where_it_would_be_taken(ward: Ward) -> None:
    two = ward.gate.policies[POLICY].sign_offs.model_dump() | {"count": 2}
    glass = {"roles": ["clinician"], "review_within_hours": 24}
    revise(ward, POLICY, sign_offs=two, break_glass=glass)
    rivera, desk = ward.rivera.principal, ward.desk

    async def offered(ticket: str) -> bool:
        item, _version = await desk.item(TENANT, ticket)
        may = await desk.may_break_glass(rivera, item)
        if not may:
            with pytest.raises(AttendingError):
                await desk.break_glass(rivera, ticket, "patient_in_danger", "Now.", key(f"glass-{ticket}"))
        return may

    fixed, signed, left = [ticket_of(await held(ward)) for _ in range(3)]
    lease = await claim(ward, fixed, ward.chen)
    assert await offered(fixed)
    await dispose_all(ward, fixed, lease, ward.chen, "fixed")
    assert not await offered(fixed)
    # The first of two signatures is over another text: this one must not go out as it was held.
    lease = await claim(ward, signed, ward.chen)
    await dispose_all(ward, signed, lease, ward.chen)
    assert await offered(signed)
    prepared = await desk.prepare(ward.chen.permit, signed, lease, "Another text", ward.chen.key_id)
    await sign(ward, signed, lease, ward.chen, prepared)
    assert not await offered(signed)
    assert await offered(left)
    order = Order("human:rivera", "drill", ward.gate.clock())
    await ward.gate.switch.halt(TENANT, None, order, key("halt"), 0)
    assert not await offered(left)


async def test_of_a_signature_and_a_break_glass_at_once_one_releases(ward: Ward) -> None:
    permit(ward)
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.chen)
    await dispose_all(ward, ticket, lease, ward.chen)
    prepared = await ward.desk.prepare(ward.chen.permit, ticket, lease, None, ward.chen.key_id)
    results = await asyncio.gather(
        sign(ward, ticket, lease, ward.chen, prepared),
        ward.desk.break_glass(ward.rivera.principal, ticket, "cover", "A note.", key("glass")),
        return_exceptions=True,
    )
    refused = [result.reason for result in results if isinstance(result, AttendingError)]
    assert len(refused) == 1
    assert refused[0] in ("ITEM_CHANGED", "ILLEGAL_TRANSITION", "LEASE_NOT_HELD")
    assert (await ward.gate.types(outcome.inference_id)).count("inference.released") == 1

"""An item that somebody else is to decide: given back, handed over, escalated; and who may then take it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from attending.server.errors import AttendingError, FailedPrecondition, InvalidRequest, NotFound
from attending.server.inference.states import State

from tests.server.inference.conftest import TENANT, key
from tests.server.review.conftest import ASSIGNMENT_SECONDS, LEASE_SECONDS, Ward, person
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of


async def reason(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def test_a_lease_given_back_is_free_at_once_and_keeps_what_was_disposed(ward: Ward) -> None:
    ticket, desk = ticket_of(await held(ward)), ward.desk
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    once = key("back")
    item, _version, index = await desk.release_lease(ward.rivera.principal, ticket, lease, once)
    assert (item.claimed_by, item.lease_id, item.open_findings) == (None, None, 0)
    assert await reason(dispose_all(ward, ticket, lease, ward.rivera)) == "LEASE_NOT_HELD"
    chens = await claim(ward, ticket, ward.chen)
    # A retry of what was done finds it done, and takes nothing from whoever claimed meanwhile.
    assert (await desk.release_lease(ward.rivera.principal, ticket, lease, once))[2] == index
    assert (await desk.item(TENANT, ticket))[0].lease_id == chens
    # Nobody gives back what is another's.
    for stolen in (lease, chens, ""):
        call = desk.release_lease(ward.rivera.principal, ticket, stolen, fresh())  # type: ignore[arg-type]
        assert await reason(call) == "LEASE_NOT_HELD"


async def test_handed_over_it_is_kept_for_the_colleague_and_then_free(ward: Ward) -> None:
    ticket, desk = ticket_of(await held(ward)), ward.desk
    lease = await claim(ward, ticket, ward.rivera)
    rivera, chen = ward.rivera.principal, ward.chen.principal
    handover = (rivera, ticket, lease, "chen", "handover", "knows the patient")
    item, _version, _index = await desk.reassign(*handover, fresh())  # type: ignore[arg-type]
    assert (item.assigned_to, item.claimed_by) == ("chen", None)
    assert await reason(desk.claim(rivera, ticket, fresh())) == "RESERVED"  # type: ignore[arg-type]
    # Nor can it be taken by handing it on.
    assert await reason(desk.reassign(rivera, ticket, "", "chen", "other", "", fresh())) == "RESERVED"  # type: ignore[arg-type]
    await claim(ward, ticket, ward.chen)
    assert (await desk.item(TENANT, ticket))[0].assigned_to is None
    ward.gate.clock.advance(seconds=LEASE_SECONDS + 1)
    await desk.reassign(rivera, ticket, "", "chen", "workload", "", fresh())  # type: ignore[arg-type]
    ward.gate.clock.advance(seconds=ASSIGNMENT_SECONDS + 1)
    await claim(ward, ticket, ward.rivera)
    assert await reason(desk.claim(chen, ticket, fresh())) == "ALREADY_CLAIMED"  # type: ignore[arg-type]
    # The note is a payload, and the entry names colleague and code only.
    entries = await ward.gate.ledger.stream_entries(TENANT, item.inference_id)
    moved = next(entry for entry in entries if entry.type == "review.reassigned")
    assert {**moved.body, "until": ""} == {
        "ticket": ticket,
        "to": "chen",
        "until": "",
        "reason_code": "handover",
    }
    assert [payload.kind for payload in moved.commitments] == ["note"]


async def test_nobody_is_handed_what_they_cannot_sign(ward: Ward) -> None:
    ticket, desk = ticket_of(await held(ward)), ward.desk
    lease = await claim(ward, ticket, ward.rivera)
    fit = ward.chen.principal
    over = ward.gate.clock()
    known = [ward.rivera.principal]
    desk._people = lambda: known
    for colleague, because in (
        (ward.auditor.principal, "ROLE_NOT_PERMITTED"),
        (person("chen", "clinician", kind="app").principal, "ROLE_NOT_PERMITTED"),
        (replace(fit, licence_expires=over), "LICENCE_EXPIRED"),
        (replace(fit, competency_expires=over), "COMPETENCY_EXPIRED"),
    ):
        known[:] = [colleague]
        args = (ward.rivera.principal, ticket, lease, colleague.name, "handover", "")
        with pytest.raises(FailedPrecondition) as refused:
            await desk.reassign(*args, fresh())  # type: ignore[arg-type]
        assert (refused.value.reason, refused.value.metadata["because"]) == ("REVIEWER_CANNOT_SIGN", because)
    # Somebody of that name elsewhere is nobody here.
    known[:] = [replace(fit, tenant="other")]
    with pytest.raises(NotFound) as unknown:
        await desk.reassign(ward.rivera.principal, ticket, lease, "chen", "handover", "", fresh())  # type: ignore[arg-type]
    assert unknown.value.reason == "UNKNOWN_REVIEWER"
    for to, code, note in (
        ("rivera", "handover", ""),
        ("", "handover", ""),
        ("chen", "bored", ""),
        ("chen", "other", "x" * 2001),
    ):
        with pytest.raises(InvalidRequest):
            await desk.reassign(ward.rivera.principal, ticket, lease, to, code, note, fresh())  # type: ignore[arg-type]
    assert (await desk.item(TENANT, ticket))[0].lease_id == lease


async def test_who_escalated_does_not_take_it_back_unless_it_is_handed_to_them(ward: Ward) -> None:
    outcome = await held(ward)
    ticket, desk = ticket_of(outcome), ward.desk
    lease = await claim(ward, ticket, ward.rivera)
    args = (ward.rivera.principal, ticket, lease, "beyond_competence", "")
    item, _version, _index = await desk.escalate(*args, fresh())  # type: ignore[arg-type]
    assert item.escalated_to == ("clinician", "safety_officer"), "as the policy says"
    assert (item.claimed_by, item.escalated_by) == (None, ("rivera",))
    assert await reason(desk.claim(ward.rivera.principal, ticket, fresh())) == "ESCALATED_BY_YOU"  # type: ignore[arg-type]
    lease = await claim(ward, ticket, ward.chen)
    await desk.reassign(ward.chen.principal, ticket, lease, "rivera", "other", "", fresh())  # type: ignore[arg-type]
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).state is State.RELEASED
    done = desk.escalate(ward.rivera.principal, ticket, lease, "other", "", fresh())  # type: ignore[arg-type]
    assert await reason(done) == "ILLEGAL_TRANSITION"


async def test_a_statement_prepared_before_a_handover_signs_nothing_after_it(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    results = await asyncio.gather(
        ward.desk.escalate(ward.rivera.principal, ticket, lease, "other", "", fresh()),  # type: ignore[arg-type]
        sign(ward, ticket, lease, ward.rivera, prepared),
        return_exceptions=True,
    )
    refused = [one for one in results if isinstance(one, AttendingError)]
    assert len(refused) == 1, "one of the two came first"
    types = await ward.gate.types(outcome.inference_id)
    assert ("review.escalated" in types) != ("review.signed" in types)

"""What a client says that it saw: a decision is over the findings that were shown, a signature over all that was."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.patient import PatientContext
from attending.server.errors import AttendingError

from tests.server.inference.conftest import TENANT, finding
from tests.server.review.conftest import Person, Ward, opened_ward
from tests.server.review.test_desk import claim, fresh, held, sign, ticket_of

WEIGHT = PatientContext(weight_kg=Decimal(80))
FIRST = replace(
    finding(Code.RENAL, Severity.MAJOR), rule_id="test:first", message="before the weight is known"
)
SECOND = replace(finding(Code.ALLERGY, Severity.MAJOR), rule_id="test:second", message="once it is known")


def of_patient(patient: PatientContext) -> tuple[Finding, ...]:
    """Another finding stands at the same number once a weight is there."""
    return (FIRST,) if patient.weight_kg is None else (SECOND,)


@pytest.fixture
async def ward(gate: Any) -> Ward:
    gate.checker.of_patient = of_patient
    return await opened_ward(gate)


async def seen(ward: Ward, ticket: str, who: Person) -> str:
    return (await ward.desk.view(who.permit, ticket)).item.seen


async def dispose(ward: Ward, ticket: str, lease: str, who: Person, number: int, said: str | None) -> str:
    _item, _version, _index, now_seen = await ward.desk.dispose(
        who.principal,
        ticket,
        lease,
        number,
        "accepted_risk",
        "monitored",
        "",
        fresh(),  # type: ignore[arg-type]
        seen=said,
    )
    return now_seen


async def reason(call: Any) -> str:
    with pytest.raises(AttendingError) as caught:
        await call
    return caught.value.reason


async def test_a_disposition_is_of_the_finding_that_was_shown(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    before = await seen(ward, ticket, ward.rivera)
    chens = await claim(ward, ticket, ward.chen)
    await ward.desk.add_facts(ward.chen.principal, ticket, chens, WEIGHT, fresh())  # type: ignore[arg-type]
    await ward.desk.release_lease(ward.chen.principal, ticket, chens, fresh())  # type: ignore[arg-type]
    lease = await claim(ward, ticket, ward.rivera)
    assert await reason(dispose(ward, ticket, lease, ward.rivera, 1, before)) == "ITEM_CHANGED"
    # Who says nothing may have seen anything.
    assert await reason(dispose(ward, ticket, lease, ward.rivera, 1, "")) == "FINDINGS_UNSEEN"
    item, _version = await ward.desk.item(TENANT, ticket)
    assert item.disposed == {}
    after = await seen(ward, ticket, ward.rivera)
    last = await dispose(ward, ticket, lease, ward.rivera, 1, after)
    # One's own decision is in what the step answers, and the findings are those of before.
    assert last != after
    assert last.partition(".")[0] == after.partition(".")[0]


async def test_a_text_that_was_judged_once_needs_no_word_of_what_was_seen(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    for number in (0, 1):
        await dispose(ward, ticket, lease, ward.rivera, number, "")
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id, seen="")
    await sign(ward, ticket, lease, ward.rivera, prepared)


async def test_nobody_signs_over_a_decision_of_another_that_they_have_not_seen(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    chens = await claim(ward, ticket, ward.chen)
    await dispose(ward, ticket, chens, ward.chen, 0, None)
    shown = await seen(ward, ticket, ward.rivera)
    await dispose(ward, ticket, chens, ward.chen, 1, None)
    await ward.desk.release_lease(ward.chen.principal, ticket, chens, fresh())  # type: ignore[arg-type]
    lease = await claim(ward, ticket, ward.rivera)

    def prepare(said: str) -> Any:
        return ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id, seen=said)

    assert await reason(prepare(shown)) == "ITEM_CHANGED"
    assert await reason(prepare("held.0000000000000000")) == "ITEM_CHANGED"
    assert await reason(prepare("rec_other")) == "ITEM_CHANGED"
    # A claim, a renewal and a lease given back are nothing that was shown.
    prepared = await prepare(await seen(ward, ticket, ward.rivera))
    await sign(ward, ticket, lease, ward.rivera, prepared)


async def test_ones_own_decision_shows_nobody_what_another_decided(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    shown = await seen(ward, ticket, ward.rivera)
    chens = await claim(ward, ticket, ward.chen)
    await dispose(ward, ticket, chens, ward.chen, 0, None)
    await ward.desk.release_lease(ward.chen.principal, ticket, chens, fresh())  # type: ignore[arg-type]
    lease = await claim(ward, ticket, ward.rivera)
    # The finding is the one that they saw; what was made of the other one they have not seen.
    assert await dispose(ward, ticket, lease, ward.rivera, 1, shown) == ""
    prepare = ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id, seen=shown)
    assert await reason(prepare) == "ITEM_CHANGED"
    now = await seen(ward, ticket, ward.rivera)
    assert await dispose(ward, ticket, lease, ward.rivera, 1, "held") == ""
    assert await dispose(ward, ticket, lease, ward.rivera, 1, now) == now


async def test_another_signature_is_something_to_see(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    before = await seen(ward, ticket, ward.chen)
    lease = await claim(ward, ticket, ward.rivera)
    for number in (0, 1):
        await dispose(ward, ticket, lease, ward.rivera, number, None)
    last = await seen(ward, ticket, ward.chen)
    assert before.partition(".")[0] == last.partition(".")[0]
    prepared = await ward.desk.prepare(
        ward.rivera.permit, ticket, lease, "Changed by hand", ward.rivera.key_id
    )
    await sign(ward, ticket, lease, ward.rivera, prepared)
    assert await seen(ward, ticket, ward.chen) != last

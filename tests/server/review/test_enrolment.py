"""Enrolled keys follow the configuration, and the log alone tells an auditor that a signature counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from attending.server.clock import stamp
from attending.server.review.enrolment import enrol_keys, key_stream

from tests.server.inference.conftest import TENANT, failed_checks
from tests.server.review.conftest import Person, Ward
from tests.server.review.test_desk import claim, dispose_all, held, sign, ticket_of


async def signs(ward: Ward, who: Person) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, who)
    await dispose_all(ward, ticket, lease, who)
    prepared = await ward.desk.prepare(who.permit, ticket, lease, None, who.key_id)
    await sign(ward, ticket, lease, who, prepared)


async def test_a_renewed_licence_and_a_new_role_are_enrolled_again(ward: Ward) -> None:
    gate = ward.gate
    rivera = replace(ward.rivera.principal, licence_expires=gate.clock() + timedelta(days=1))
    others = [ward.chen.principal, ward.auditor.principal]
    await enrol_keys(gate.ledger, [TENANT], [rivera, *others], "srv-test", gate.clock)
    gate.clock.advance(days=2)
    renewed = replace(rivera, licence_expires=gate.clock() + timedelta(days=365))
    await enrol_keys(gate.ledger, [TENANT], [renewed, *others], "srv-test", gate.clock)
    await signs(ward, Person(renewed, ward.rivera.key))
    # The auditor becomes a clinician.
    clinician = replace(ward.auditor.principal, roles=frozenset({"auditor", "clinician"}))
    people = [renewed, ward.chen.principal, clinician]
    await enrol_keys(gate.ledger, [TENANT], people, "srv-test", gate.clock)
    await signs(ward, Person(clinician, ward.auditor.key))
    assert await failed_checks(gate.ledger) == []


async def test_a_key_is_enrolled_until_licence_or_competency_runs_out(ward: Ward) -> None:
    """The offline verifier refuses (V12) what is signed after `not_after`, whatever the desk believed."""
    gate = ward.gate
    near, far = gate.clock() + timedelta(days=1), gate.clock() + timedelta(days=365)
    written = []
    for licence, competency in ((far, near), (near, far), (None, near), (None, None)):
        rivera = replace(ward.rivera.principal, licence_expires=licence, competency_expires=competency)
        await enrol_keys(gate.ledger, [TENANT], [rivera, ward.chen.principal], "srv-test", gate.clock)
        last = (await gate.ledger.stream_entries(TENANT, key_stream(ward.rivera.key_id)))[-1]
        written.append(last.body["not_after"])
    assert written == [stamp(near), stamp(near), stamp(near), None]


async def test_an_unchanged_configuration_says_nothing_again_and_a_key_changed_twice_can_be_revoked(
    ward: Ward,
) -> None:
    gate, stream = ward.gate, key_stream(ward.rivera.key_id)
    await ward.enrol()
    assert await gate.ledger.stream_version(TENANT, stream) == 1
    more = replace(ward.rivera.principal, roles=frozenset({"clinician", "pharmacist"}))
    others = [ward.chen.principal, ward.auditor.principal]
    await enrol_keys(gate.ledger, [TENANT], [more, *others], "srv-test", gate.clock)
    await enrol_keys(gate.ledger, [TENANT], others, "srv-test", gate.clock)
    types = [entry.type for entry in await gate.ledger.stream_entries(TENANT, stream)]
    assert types == ["key.enrolled", "key.enrolled", "key.revoked"]

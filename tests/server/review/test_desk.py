"""The desk: leases, dispositions and signatures on a real ledger; what must not be possible is tried."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from attending.ledger.review_signature import sign_statement
from attending.server.errors import (
    Aborted,
    AlreadyExists,
    AttendingError,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    PermissionDenied,
)
from attending.server.inference.outcome import Outcome
from attending.server.inference.states import State
from attending.server.review.preparation import Preparation
from attending.server.review.queue import QueuePage, Wanted

from tests.server.inference.conftest import CALLER, TENANT, context, infer_call, key
from tests.server.review.conftest import LEASE_SECONDS, Person, Ward, permit, person

_keys = iter(range(1_000_000))


def fresh() -> object:
    return key(f"step-{next(_keys)}")


async def held(ward: Ward, text: str = "HOLD this text", **changes: object) -> Outcome:
    ward.gate.provider.text = text
    outcome = await ward.gate.pipeline.infer(
        CALLER,
        infer_call(policy="discharge-plan", context=context("discharge-plan", **changes)),
        key(f"infer-{next(_keys)}"),
    )
    assert outcome.state is State.HELD
    return outcome


def ticket_of(outcome: Outcome) -> str:
    assert outcome.ticket is not None
    return outcome.ticket.ticket_id


async def claim(ward: Ward, ticket: str, who: Person) -> str:
    item, _version, _index = await ward.desk.claim(who.principal, ticket, fresh())  # type: ignore[arg-type]
    assert item.lease_id is not None
    return item.lease_id


async def dispose_all(
    ward: Ward, ticket: str, lease: str, who: Person, disposition: str = "accepted_risk"
) -> None:
    item, _version = await ward.desk.item(TENANT, ticket)
    reason = "" if disposition == "fixed" else "monitored"
    for ordinal in item.to_dispose:
        await ward.desk.dispose(
            who.principal,
            ticket,
            lease,
            ordinal,
            disposition,
            reason,
            "",
            fresh(),  # type: ignore[arg-type]
        )


async def sign(ward: Ward, ticket: str, lease: str, who: Person, prepared: Preparation) -> tuple[int, ...]:
    signature = sign_statement(prepared.statement, who.key)
    _item, _version, indexes = await ward.desk.sign(
        who.principal,
        ticket,
        lease,
        prepared.preparation_id,
        signature,
        fresh(),  # type: ignore[arg-type]
    )
    return indexes


async def test_the_whole_way_with_an_edit(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera, "fixed")
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, "A safe text", ward.rivera.key_id)
    indexes = await sign(ward, ticket, lease, ward.rivera, prepared)
    released = await ward.gate.pipeline.get(TENANT, outcome.inference_id)
    assert released.state is State.RELEASED
    assert released.output == "A safe text"
    assert released.decided_index == indexes[-1]
    assert await ward.gate.types(outcome.inference_id) == [
        "inference.requested",
        "inference.generated",
        "inference.held",
        "review.claimed",
        "review.disposed",
        "review.signed",
        "inference.released",
    ]
    # The original stays on record.
    generated = (await ward.gate.ledger.stream_entries(TENANT, outcome.inference_id))[1]
    original = await ward.gate.ledger.open_payload(TENANT, generated.body["text_record"])
    assert original == b"HOLD this text"


async def test_an_unchanged_text_can_be_signed_after_accepting_the_risk(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    assert prepared.statement.meaning == "approved"
    await sign(ward, ticket, lease, ward.rivera, prepared)
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).output == "HOLD this text"


async def test_two_claim_at_once_and_one_gets_it(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    results = await asyncio.gather(
        ward.desk.claim(ward.rivera.principal, ticket, fresh()),  # type: ignore[arg-type]
        ward.desk.claim(ward.chen.principal, ticket, fresh()),  # type: ignore[arg-type]
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, AttendingError)]
    assert len(refused) == 1
    assert refused[0].reason in {"ITEM_CHANGED", "ALREADY_CLAIMED"}


async def test_a_lease_that_ran_out_is_free_for_another(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    old = await claim(ward, ticket, ward.rivera)
    ward.gate.clock.advance(seconds=LEASE_SECONDS + 1)
    await claim(ward, ticket, ward.chen)
    with pytest.raises(FailedPrecondition) as caught:
        await dispose_all(ward, ticket, old, ward.rivera)
    assert caught.value.reason == "LEASE_NOT_HELD"


async def test_nobody_signs_over_an_open_finding(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    with pytest.raises(FailedPrecondition) as caught:
        await ward.desk.prepare(ward.rivera.permit, ticket, lease, "A safe text", ward.rivera.key_id)
    assert caught.value.reason == "FINDINGS_UNDISPOSED"


async def test_fixed_without_an_edit_is_refused_and_so_is_an_edit_that_does_not_fix(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera, "fixed")
    for text, reason in (
        (None, "DISPOSITION_NEEDS_EDIT"),
        ("HOLD it still", "EDIT_NOT_CLEAN"),
        ("BLOCK it now", "EDIT_NOT_CLEAN"),
    ):
        with pytest.raises(FailedPrecondition) as caught:
            await ward.desk.prepare(ward.rivera.permit, ticket, lease, text, ward.rivera.key_id)
        assert caught.value.reason == reason


async def test_a_signature_over_anything_else_is_refused(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    forged = [
        sign_statement(replace(prepared.statement, text_commitment="0" * 64), ward.rivera.key),
        sign_statement(prepared.statement, ward.chen.key),
        b"\x00" * 64,
        b"short",
    ]
    for signature in forged:
        with pytest.raises((FailedPrecondition, InvalidRequest)):
            await ward.desk.sign(
                ward.rivera.principal,
                ticket,
                lease,
                prepared.preparation_id,
                signature,
                fresh(),  # type: ignore[arg-type]
            )
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).state is State.HELD


async def test_a_preparation_is_void_after_another_disposition_and_good_once(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await dispose_all(ward, ticket, lease, ward.rivera, "false_alarm")
    with pytest.raises(Aborted):
        await sign(ward, ticket, lease, ward.rivera, prepared)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    with pytest.raises((NotFound, FailedPrecondition)):
        await sign(ward, ticket, lease, ward.rivera, prepared)


async def test_signing_twice_with_one_key_releases_once(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    signature = sign_statement(prepared.statement, ward.rivera.key)
    call = key("sign-once")
    args = (ward.rivera.principal, ticket, lease, prepared.preparation_id, signature)
    first = await ward.desk.sign(*args, call)
    again = await ward.desk.sign(*args, call)
    assert first[2] == again[2]
    assert (await ward.gate.types(outcome.inference_id)).count("inference.released") == 1
    with pytest.raises(AlreadyExists):
        await ward.desk.sign(*args, key("sign-once", "other body"))


async def test_an_app_an_auditor_an_expired_licence_and_a_foreign_key_cannot_sign(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    for who in (ward.auditor, person("robot", "app", kind="app")):
        with pytest.raises(PermissionDenied):
            await ward.desk.claim(who.principal, ticket, fresh())  # type: ignore[arg-type]
    expired = replace(ward.rivera.principal, licence_expires=ward.gate.clock())
    with pytest.raises(PermissionDenied) as caught:
        await ward.desk.claim(expired, ticket, fresh())  # type: ignore[arg-type]
    assert caught.value.reason == "LICENCE_EXPIRED"
    untrained = replace(ward.rivera.principal, competency_expires=ward.gate.clock())
    with pytest.raises(PermissionDenied) as caught:
        await ward.desk.claim(untrained, ticket, fresh())  # type: ignore[arg-type]
    assert caught.value.reason == "COMPETENCY_EXPIRED"
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    for key_id in (ward.chen.key_id, "0" * 16):
        with pytest.raises(FailedPrecondition) as refused:
            await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, key_id)
        assert refused.value.reason == "KEY_UNKNOWN"


async def test_the_author_does_not_sign_a_serious_finding(ward: Ward) -> None:
    ticket = ticket_of(await held(ward, on_behalf_of="rivera"))
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    with pytest.raises(PermissionDenied) as caught:
        await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    assert caught.value.reason == "SIGNER_IS_AUTHOR"


async def test_rejected_is_final(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await ward.desk.reject(ward.rivera.principal, ticket, lease, "unsafe", "note", fresh())  # type: ignore[arg-type]
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).state is State.REJECTED
    with pytest.raises(FailedPrecondition) as caught:
        await ward.desk.claim(ward.chen.principal, ticket, fresh())  # type: ignore[arg-type]
    assert caught.value.metadata["actual"] == "rejected"


async def test_what_nobody_reviews_expires_and_is_refused_by_time_even_before_the_sweep(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    ward.gate.clock.advance(days=90)
    with pytest.raises(FailedPrecondition) as caught:
        await ward.desk.claim(ward.rivera.principal, ticket, fresh())  # type: ignore[arg-type]
    assert caught.value.reason == "REVIEW_EXPIRED"
    assert await ward.desk.expire_due(TENANT, "srv-test") == 1
    assert await ward.desk.expire_due(TENANT, "srv-test") == 0
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).state is State.EXPIRED


async def test_the_queue_is_most_severe_first_and_of_one_tenant(ward: Ward) -> None:
    plain = await held(ward, "Continue as before.")
    serious = await held(ward)
    page = await ward.desk.queue(TENANT, Wanted(), 10)
    assert [item.inference_id for item, _v in page.items] == [serious.inference_id, plain.inference_id]
    assert (page.total, page.following) == (2, "")
    await ward.gate.ledger.create_log("other", "test.example/other")
    assert await ward.desk.queue("other", Wanted(), 10) == QueuePage((), 0, False, "")
    with pytest.raises(NotFound):
        await ward.desk.view(permit(replace(ward.rivera.principal, tenant="other")), ticket_of(serious))


async def test_a_look_is_an_entry(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    case = await ward.desk.view(ward.rivera.permit, ticket)
    assert case.output == "HOLD this text"
    looks = await ward.gate.ledger.stream_entries(TENANT, "access/rivera")
    assert [(look.type, look.actor, look.body["ticket"]) for look in looks] == [
        ("access.viewed", "human:rivera", ticket)
    ]


async def test_a_key_removed_from_the_configuration_is_revoked_and_never_comes_back(ward: Ward) -> None:
    from attending.server.errors import ConfigurationError
    from attending.server.review.enrolment import enrol_keys

    people = [ward.chen.principal, ward.auditor.principal]
    await enrol_keys(ward.gate.ledger, [TENANT], people, "srv-test", ward.gate.clock)
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    with pytest.raises(FailedPrecondition) as caught:
        await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id)
    assert caught.value.reason == "KEY_UNKNOWN"
    with pytest.raises(ConfigurationError):
        await ward.enrol()


async def test_a_released_edit_comes_with_its_own_findings_and_never_quotes_what_was_held(ward: Ward) -> None:
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera, "fixed")
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, "A safe text", ward.rivera.key_id)
    await sign(ward, ticket, lease, ward.rivera, prepared)
    released = await ward.gate.pipeline.get(TENANT, outcome.inference_id)
    assert released.result is not None
    assert released.result.findings == ()
    # The reviewer still sees the text as it was held, with the findings that were disposed of.
    case = await ward.desk.view(ward.rivera.permit, ticket)
    assert case.output == "HOLD this text"
    assert [finding.text for finding in case.result.findings] == ["SECRET-SPAN"]
    assert set(case.item.disposed.values()) == {"fixed"}


@pytest.mark.parametrize("text", ["a\x00b", "   ", "x" * 65_537])
async def test_an_edit_that_is_no_text_is_refused_as_such(ward: Ward, text: str) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    with pytest.raises(InvalidRequest):
        await ward.desk.prepare(ward.rivera.permit, ticket, lease, text, ward.rivera.key_id)


async def test_preparing_again_replaces_what_was_prepared_under_the_lease(ward: Ward) -> None:
    ticket = ticket_of(await held(ward))
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    first, second = [
        await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, ward.rivera.key_id) for _ in range(2)
    ]
    with pytest.raises(NotFound):
        await sign(ward, ticket, lease, ward.rivera, first)
    await sign(ward, ticket, lease, ward.rivera, second)

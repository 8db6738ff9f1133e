"""Passkeys: made by who has both halves of a code and nobody else, and good for signing in where they were made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest
from attending.server.console.sessions import Sessions
from attending.server.errors import AttendingError, PermissionDenied
from attending.server.passkeys.keys import passkeys_of
from attending.server.review.enrolment import enrol_keys, key_stream

from tests.authenticator import PRESENT, SYNCABLE, VERIFIED, Browser
from tests.server.passkeys.conftest import MINUTES, PARTY, Desk, build
from tests.server.people.conftest import TENANT, Office, fresh, order, person


async def refusal(awaitable: Awaitable[object]) -> str:
    with pytest.raises(AttendingError) as caught:
        await awaitable
    return caught.value.reason


async def test_a_person_makes_a_passkey_with_both_halves_and_signs_in(desk: Desk) -> None:
    bound = await desk.enrol("amara")
    assert (bound.tenant, bound.user) == (TENANT, "amara")
    entry = await desk.office.ledger.get_entry(TENANT, bound.index)
    assert (entry.type, entry.actor) == ("key.enrolled", "human:amara")
    assert entry.body["issued_by"] == "olga"
    assert entry.body["proofed_by"] == "saida"
    assert entry.body["roles"] == ["clinician"]
    begun = desk.passkeys.begin_sign_in()
    signed_in = await desk.passkeys.finish_sign_in(begun.ceremony_id, desk.browser.get(begun.options))
    assert signed_in.principal.name == "amara"
    assert signed_in.principal.credential == "passkey"
    assert signed_in.principal.roles == {"clinician"}
    assert [one.key_id for one in await desk.passkeys.of(signed_in.principal)] == [signed_in.key_id]


async def test_people_of_the_configuration_have_passkeys_too(desk: Desk) -> None:
    assert await refusal(desk.invitations.issue(desk.office.olga, "olga", fresh())) == "PERMISSION_DENIED"
    # Through another operator.
    issued = await desk.invitations.issue(person("oskar", "operator"), "olga", fresh())
    name = issued.invitation.invitation
    confirmed = await desk.invitations.confirm(desk.office.saida, "olga", name, "video", fresh())
    begun = await desk.passkeys.begin_registration(issued.code, confirmed.code)
    made = desk.browser.create(begun.options)
    bound = await desk.passkeys.finish_registration(begun.ceremony_id, made)
    # The next start leaves it alone: the configuration has no say in it.
    await enrol_keys(desk.office.ledger, [TENANT], [desk.office.olga], "srv-2", desk.office.clock)
    assert [one.key_id for one in await passkeys_of(desk.office.ledger, TENANT, "olga")] == [bound.key_id]


async def test_a_passkey_that_was_not_made_here_by_a_verified_person_is_refused(desk: Desk) -> None:
    issued, confirmed = await desk.invite("amara")
    wrong: list[dict[str, Any]] = [
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"origin": "http://localhost:9999"},
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"type_": "webauthn.get"},
        {"challenge": "AAAA"},
        {"tail": b""},
        {"tail": b"\xff" * 40},
    ]
    for faults in wrong:
        begun = await desk.passkeys.begin_registration(issued.code, confirmed.code)
        made = desk.browser.create(begun.options, **faults)
        finished = desk.passkeys.finish_registration(begun.ceremony_id, made)
        assert await refusal(finished) == "PASSKEY_REFUSED", faults
    assert await passkeys_of(desk.office.ledger, TENANT, "amara") == []


async def test_a_sign_in_elsewhere_or_without_the_person_is_refused(desk: Desk) -> None:
    await desk.enrol("amara")
    wrong: list[dict[str, Any]] = [
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"origin": "http://localhost:9999"},
        {"rp_id": "evil.example"},
        {"challenge": "AAAA"},
        {"type_": "webauthn.create"},
        {"crossOrigin": True},
        {"topOrigin": "https://ehr.example"},
    ]
    for faults in wrong:
        begun = desk.passkeys.begin_sign_in()
        answer = desk.browser.get(begun.options, **faults)
        finished = desk.passkeys.finish_sign_in(begun.ceremony_id, answer)
        assert await refusal(finished) == "INVALID_CREDENTIAL", faults


async def test_a_challenge_is_answered_once_and_in_its_time(desk: Desk) -> None:
    await desk.enrol("amara")
    begun = desk.passkeys.begin_sign_in()
    answer = desk.browser.get(begun.options)
    await desk.passkeys.finish_sign_in(begun.ceremony_id, answer)
    assert await refusal(desk.passkeys.finish_sign_in(begun.ceremony_id, answer)) == "CEREMONY_OVER"
    late = desk.passkeys.begin_sign_in()
    desk.office.clock.advance(seconds=301)
    answer = desk.browser.get(late.options)
    assert await refusal(desk.passkeys.finish_sign_in(late.ceremony_id, answer)) == "CEREMONY_OVER"


async def test_a_swapped_assertion_signs_nobody_in(desk: Desk) -> None:
    await desk.enrol("amara")
    await desk.person("bilal")
    await desk.enrol("bilal")
    begun = desk.passkeys.begin_sign_in()
    answer = desk.browser.get(begun.options)  # bilal's
    names = [one.key.credential_id for one in await passkeys_of(desk.office.ledger, TENANT, "amara")]
    swapped = {**answer, "id": names[0], "rawId": names[0]}
    assert await refusal(desk.passkeys.finish_sign_in(begun.ceremony_id, swapped)) == "INVALID_CREDENTIAL"


async def test_one_half_or_another_code_opens_nothing(desk: Desk) -> None:
    issued = await desk.invitations.issue(desk.office.olga, "amara", fresh())
    name = issued.invitation.invitation
    other = issued.code[:10] + (
        "0000-0000-0000-0000" if not issued.code.endswith("0000") else "1111-1111-1111-1111"
    )
    begin = desk.passkeys.begin_registration
    # The administrator alone: with their half twice, or with a guess.
    assert await refusal(begin(issued.code, issued.code)) == "CODE_NOT_CONFIRMED"
    confirmed = await desk.invitations.confirm(desk.office.saida, "amara", name, "video", fresh())
    for halves in [(issued.code, issued.code), (confirmed.code, confirmed.code), (issued.code, other)]:
        assert await refusal(begin(*halves)) == "CODE_WRONG"
    assert await refusal(begin(confirmed.code, issued.code)) == "CODE_WRONG"
    assert await refusal(begin("short", confirmed.code)) == "INVALID_REQUEST"
    # As a person types it.
    typed = issued.code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert (await begin(typed, confirmed.code)).options["user"]["name"] == "amara"


async def test_it_takes_two_besides_the_person(desk: Desk) -> None:
    both = replace(desk.office.olga, roles=frozenset({"operator", "safety_officer"}))
    issued = await desk.invitations.issue(both, "amara", fresh())
    name = issued.invitation.invitation
    confirm = desk.invitations.confirm
    with pytest.raises(PermissionDenied):
        await confirm(both, "amara", name, "in_person", fresh())
    with pytest.raises(PermissionDenied):
        await confirm(person("amara", "safety_officer"), "amara", name, "in_person", fresh())
    assert (
        await refusal(confirm(desk.office.saida, "olga", name, "in_person", fresh())) == "UNKNOWN_INVITATION"
    )
    await confirm(desk.office.saida, "amara", name, "in_person", fresh())
    again = confirm(desk.office.priya, "amara", name, "in_person", fresh())
    assert await refusal(again) == "INVITATION_CONFIRMED"


async def test_a_code_is_used_once_and_in_its_time(desk: Desk) -> None:
    issued, confirmed = await desk.invite("amara")
    # Two browsers have begun with the same code; one of them is first.
    begun = [await desk.passkeys.begin_registration(issued.code, confirmed.code) for _ in range(2)]
    answers = [(one.ceremony_id, Browser().create(one.options)) for one in begun]
    outcomes = await asyncio.gather(
        *(desk.passkeys.finish_registration(*one) for one in answers), return_exceptions=True
    )
    reasons = [one.reason for one in outcomes if isinstance(one, AttendingError)]
    assert reasons == ["CODE_OVER"]
    assert await refusal(desk.passkeys.begin_registration(issued.code, confirmed.code)) == "CODE_OVER"
    late = await desk.invite("amara")
    desk.office.clock.advance(minutes=MINUTES)
    assert await refusal(desk.passkeys.begin_registration(late[0].code, late[1].code)) == "CODE_EXPIRED"


async def test_a_repeated_request_shows_no_code(desk: Desk) -> None:
    once = fresh()
    first = await desk.invitations.issue(desk.office.olga, "amara", once)
    second = await desk.invitations.issue(desk.office.olga, "amara", once)
    assert second.invitation == first.invitation
    assert (bool(first.code), second.code) == (True, "")


async def test_who_is_revoked_meanwhile_binds_nothing_and_signs_in_no_more(desk: Desk) -> None:
    await desk.enrol("amara")
    issued, confirmed = await desk.invite("amara")
    begun = await desk.passkeys.begin_registration(issued.code, confirmed.code)
    sign_in = desk.passkeys.begin_sign_in()
    answer = desk.browser.get(sign_in.options)
    await desk.office.registry.revoke(desk.office.saida, "amara", "left", fresh())
    made = desk.browser.create(begun.options)
    assert await refusal(desk.passkeys.finish_registration(begun.ceremony_id, made)) == "USER_REVOKED"
    # Her key ended with her.
    assert await refusal(desk.passkeys.finish_sign_in(sign_in.ceremony_id, answer)) == "INVALID_CREDENTIAL"
    assert await refusal(desk.invitations.issue(desk.office.olga, "amara", fresh())) == "USER_REVOKED"


async def test_a_credential_id_that_somebody_has_is_taken_by_nobody_else(desk: Desk) -> None:
    await desk.enrol("amara")
    await desk.person("bilal")
    issued, confirmed = await desk.invite("bilal")
    begun = await desk.passkeys.begin_registration(issued.code, confirmed.code)
    # An authenticator of bilal's own that gives amara's credential id with his key.
    hers = desk.browser.credentials[-1].credential_id
    forging = Browser()
    made = forging.create(begun.options, credential_id=hers)
    assert await refusal(desk.passkeys.finish_registration(begun.ceremony_id, made)) == "CREDENTIAL_TAKEN"


async def test_passkeys_follow_roles_and_the_site(desk: Desk, office: Office) -> None:
    bound = await desk.enrol("amara", flags=PRESENT | VERIFIED | SYNCABLE)
    stream = key_stream(bound.key_id)
    # A new licence, proofed by an officer: the passkey is enrolled under it in the same step.
    account = await office.registry.get(TENANT, "amara")
    changed = order(
        "amara",
        "clinician",
        "pharmacist",
        expected_version=account.version,
        licence_expires="2028-01-01T00:00:00.000000Z",
    )
    done = await office.registry.enrol(office.olga, changed, fresh())
    await office.registry.proof(office.saida, "amara", done.account.version, "in_person", fresh())
    last = (await office.ledger.stream_entries(TENANT, stream))[-1]
    assert (last.body["roles"], last.body["not_after"]) == (
        ["clinician", "pharmacist"],
        "2028-01-01T00:00:00.000000Z",
    )
    assert last.body["synced"] is True
    # The console listens somewhere else after a start; nothing more is written when nothing changed.
    moved = "http://localhost:8800"
    started = build(office, replace(PARTY, origins=()))
    for _ in range(2):
        await started.passkeys.serve_on([moved])
    entries = await office.ledger.stream_entries(TENANT, stream)
    assert [entry.type for entry in entries] == ["key.enrolled"] * 3
    assert entries[-1].body["origins"] == [moved]
    assert "top_origins" not in entries[-1].body
    # A record system may show the console in a frame, and then no more: a key follows, and signs nobody in there.
    page = "https://ehr.example"
    framed = build(office, replace(PARTY, origins=(moved,), top_origins=(page,)))
    for _ in range(2):
        await framed.passkeys.settle()
    entries = await office.ledger.stream_entries(TENANT, stream)
    assert (len(entries), entries[-1].body["top_origins"]) == (4, [page])
    desk.browser.origin = moved
    begun = framed.passkeys.begin_sign_in()
    answer = desk.browser.get(begun.options, crossOrigin=True, topOrigin=page)
    assert await refusal(framed.passkeys.finish_sign_in(begun.ceremony_id, answer)) == "INVALID_CREDENTIAL"
    await started.passkeys.settle()
    entries = await office.ledger.stream_entries(TENANT, stream)
    assert (len(entries), "top_origins" in entries[-1].body) == (5, False)
    desk.browser.origin = moved
    begun = started.passkeys.begin_sign_in()
    answer = desk.browser.get(begun.options)
    assert (await started.passkeys.finish_sign_in(begun.ceremony_id, answer)).key_id == bound.key_id


async def test_one_passkey_is_revoked_and_the_other_stays(desk: Desk, office: Office) -> None:
    lost, kept = await desk.enrol("amara"), await desk.enrol("amara")
    sessions = Sessions(office.ledger, idle_seconds=600, longest_seconds=3600, now=office.clock)
    amara = office.directory.named(TENANT, "amara", "passkey")
    of_lost, of_kept = [(await sessions.begin(amara, one.key_id))[0] for one in (lost, kept)]
    await sessions.require_key(of_lost)
    revoke = office.registry.revoke_key
    unknown = revoke(office.saida, "amara", "0" * 16, "credential_lost", fresh())
    assert await refusal(unknown) == "UNKNOWN_CREDENTIAL"
    # Nor under another person's name.
    elsewhere = revoke(office.saida, "olga", lost.key_id, "credential_lost", fresh())
    assert await refusal(elsewhere) == "UNKNOWN_CREDENTIAL"
    once = fresh()
    done = await revoke(office.saida, "amara", lost.key_id, "credential_lost", once)
    entry = await office.ledger.get_entry(TENANT, done.indexes[0])
    assert (entry.type, entry.body["key_id"]) == ("key.revoked", lost.key_id)
    assert (await revoke(office.saida, "amara", lost.key_id, "credential_lost", once)).indexes == done.indexes
    left = await office.registry.passkeys(TENANT, "amara")
    assert [one.key_id for one in left] == [kept.key_id]
    browser = Browser(credentials=desk.browser.credentials[:1])
    begun = desk.passkeys.begin_sign_in()
    signed_in = desk.passkeys.finish_sign_in(begun.ceremony_id, browser.get(begun.options))
    assert await refusal(signed_in) == "INVALID_CREDENTIAL"
    assert await refusal(sessions.require_key(of_lost)) == "SESSION_ENDED"
    await sessions.require_key(of_kept)

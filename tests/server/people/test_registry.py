"""The life of an identity: nothing counts before a second person has proofed it, and what ended never comes back."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from attending.ledger.custody.reads import Order
from attending.ledger.custody.state import ErasureReason
from attending.ledger.ed25519 import key_id, public_bytes
from attending.ledger.errors import StoreUnavailable, SubjectErased
from attending.server.auth.principal import Principal
from attending.server.auth.service_key import matches
from attending.server.errors import (
    AttendingError,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from attending.server.people.account import CredentialKind, State
from attending.server.people.registry import MAX_CREDENTIALS, credential_stream, user_stream
from attending.server.review.enrolment import enrol_keys, key_stream
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.server.people.conftest import TENANT, Office, fresh, order, person

URI = "spiffe://test/ward/amara"


async def enrolled(office: Office, name: str = "amara", *roles: str, **more: object) -> int:
    """Enrols somebody with a certificate and returns their version."""
    more.setdefault("uris", [f"spiffe://test/ward/{name}"])
    done = await office.registry.enrol(
        office.olga,
        order(name, *(roles or ("clinician",)), **more),  # type: ignore[arg-type]
        fresh(),
    )
    return done.account.version


async def proofed(office: Office, name: str = "amara", by: Principal | None = None) -> None:
    version = (await office.registry.get(TENANT, name)).version
    await office.registry.proof(by or office.saida, name, version, "in_person", fresh())


async def refusal(awaitable: object) -> str:
    with pytest.raises(AttendingError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.reason


async def test_from_enrolment_over_proofing_to_revocation(office: Office) -> None:
    version = await enrolled(
        office,
        display_name="Dr Amara Okafor",
        licence_expires="2027-01-01T00:00:00.000000Z",
        competency_expires="2026-12-24T00:00:00.000000Z",
    )
    account = await office.registry.get(TENANT, "amara")
    assert (account.state, account.in_force, version) == (State.ENROLLED, None, 1)
    assert await office.enter("amara") is None
    await proofed(office)
    account = await office.registry.get(TENANT, "amara")
    assert account.state is State.ACTIVE
    assert account.in_force is not None
    assert (account.in_force.enrolled_by, account.in_force.proofed_by) == ("olga", "saida")
    amara = await office.enter("amara")
    assert amara is not None
    assert (amara.roles, amara.display_name) == (frozenset({"clinician"}), "Dr Amara Okafor")
    assert amara.licence_expires is not None
    # The earlier of both ends the signing.
    assert amara.signs_until == amara.competency_expires
    await office.registry.revoke(office.priya, "amara", "left", fresh())
    assert await office.enter("amara") is None
    assert (await office.registry.get(TENANT, "amara")).state is State.REVOKED
    assert await office.types(user_stream("amara")) == ["user.enrolled", "user.proofed", "user.revoked"]
    for entry in await office.ledger.stream_entries(TENANT, user_stream("amara")):
        assert b"Okafor" not in entry.data


async def test_a_name_and_a_credential_are_never_used_again(office: Office) -> None:
    await enrolled(office)
    assert await refusal(enrolled(office)) == "NAME_TAKEN"
    assert await refusal(enrolled(office, "olga")) in ("CONFIGURED_IDENTITY", "PERMISSION_DENIED")
    assert await refusal(enrolled(office, "portal", "app")) == "CONFIGURED_IDENTITY"
    assert await refusal(enrolled(office, "other", uris=[URI])) == "CREDENTIAL_TAKEN"
    assert await refusal(enrolled(office, "other", uris=["spiffe://test/portal"])) == "CREDENTIAL_TAKEN"
    await office.registry.revoke(office.olga, "amara", "left", fresh())
    assert await refusal(enrolled(office, expected_version=2)) == "NAME_SPENT"
    assert await refusal(enrolled(office, "other", uris=[URI])) == "CREDENTIAL_TAKEN"
    assert await refusal(proofed(office)) == "USER_REVOKED"
    issue = office.registry.issue_key(office.olga, "amara", office.clock.moment, fresh())
    assert await refusal(issue) == "USER_REVOKED"


async def test_nobody_proofs_what_they_made_or_themself_whatever_their_roles(office: Office) -> None:
    both = person("olga", "operator", "safety_officer", "privacy_officer")
    await enrolled(office)
    assert await refusal(proofed(office, by=both)) == "PERMISSION_DENIED"
    assert await refusal(proofed(office, by=person("amara", "safety_officer"))) == "PERMISSION_DENIED"
    with pytest.raises(PermissionDenied):
        await office.registry.enrol(both, order("olga", "safety_officer"), fresh())
    # Another credential of the same person is still the same person.
    token = Principal("olga", TENANT, "human", frozenset({"safety_officer"}), "Olga", "token")
    assert await refusal(proofed(office, by=token)) == "PERMISSION_DENIED"
    assert (await office.registry.get(TENANT, "amara")).state is State.ENROLLED
    denied = await office.ledger.stream_entries(TENANT, "access/olga")
    assert {"author-never-proofs", "nobody-enrols-or-proofs-themself"} <= {
        policy for entry in denied for policy in entry.body["policy_ids"]
    }


async def test_who_issued_a_key_does_not_proof_it_and_it_opens_nothing_before(office: Office) -> None:
    await enrolled(office)
    await proofed(office)
    both = person("priya", "operator", "privacy_officer")
    expires = office.clock.moment + timedelta(days=30)
    done, token, credential = await office.registry.issue_key(both, "amara", expires, fresh())
    [own] = [one for one in office.present.current().all if one.name == "amara"]
    assert own.service_keys == []
    assert await refusal(proofed(office, by=both)) == "PERMISSION_DENIED"
    # The one who enrolled made nothing of what is pending now, and may not act as an officer all the same.
    assert await refusal(proofed(office, by=office.olga)) == "PERMISSION_DENIED"
    await proofed(office)
    [own] = [one for one in office.present.current().all if one.name == "amara"]
    [key] = own.service_keys
    assert matches(token, key.hash)
    assert key.expires == expires
    for entry in await office.ledger.stream_entries(TENANT, user_stream("amara")):
        assert b"argon2" not in entry.data
        assert token.rpartition("_")[2].encode() not in entry.data
    assert done.account.credential(credential) is not None
    await office.registry.revoke_key(office.saida, "amara", credential, "credential_lost", fresh())
    [own] = [one for one in office.present.current().all if one.name == "amara"]
    assert own.service_keys == []
    assert await office.enter("amara") is not None


async def test_what_is_changed_counts_only_once_it_is_proofed_and_only_as_it_was_shown(
    office: Office,
) -> None:
    await enrolled(office)
    await proofed(office)
    version = await enrolled(office, "amara", "clinician", "safety_officer", expected_version=2)
    amara = await office.enter("amara")
    assert amara is not None
    assert amara.roles == {"clinician"}
    again = await enrolled(office, "amara", "auditor", expected_version=version)
    stale = office.registry.proof(office.saida, "amara", version, "in_person", fresh())
    assert await refusal(stale) == "USER_CHANGED"
    await office.registry.proof(office.saida, "amara", again, "employer_record", fresh())
    amara = await office.enter("amara")
    assert amara is not None
    assert amara.roles == {"auditor"}
    assert await refusal(proofed(office)) == "NOTHING_TO_PROOF"
    assert await refusal(enrolled(office, "amara", expected_version=1)) == "USER_CHANGED"
    assert await refusal(enrolled(office, "amara", "app", expected_version=again + 1)) == "KIND_FIXED"


async def test_a_signing_key_lives_as_long_as_its_person(office: Office) -> None:
    key = Ed25519PrivateKey.generate()
    await enrolled(office, signing_public_key=public_bytes(key))
    second = await enrolled(office, "bola", signing_public_key=public_bytes(key))
    assert second == 1
    await proofed(office)
    assert await refusal(proofed(office, "bola")) == "CREDENTIAL_TAKEN"
    [one] = (await office.registry.get(TENANT, "amara")).signing_keys()
    assert (one.kind, one.proofed) == (CredentialKind.SIGNING_KEY, True)

    stream = key_stream(key_id(public_bytes(key)))
    assert await office.types(stream) == ["key.enrolled"]
    # A start of the server leaves it alone, although no file names it.
    await enrol_keys(office.ledger, [TENANT], office.directory.principals(), "srv-next", office.clock)
    assert await office.types(stream) == ["key.enrolled"]
    version = await enrolled(office, "amara", "clinician", "pharmacist", expected_version=2)
    await office.registry.proof(office.priya, "amara", version, "video", fresh())
    enrolments = await office.ledger.stream_entries(TENANT, stream)
    assert [entry.body["roles"] for entry in enrolments] == [["clinician"], ["clinician", "pharmacist"]]
    await office.registry.revoke(office.saida, "amara", "misuse", fresh())
    assert (await office.types(stream))[-1] == "key.revoked"
    assert (
        await refusal(enrolled(office, "chidi", signing_public_key=public_bytes(key))) == "CREDENTIAL_TAKEN"
    )


async def test_two_who_enrol_one_name_or_one_credential_at_once(office: Office) -> None:
    results = await asyncio.gather(
        *(enrolled(office, "amara", uris=[f"spiffe://test/ward/{n}"]) for n in range(4)),
        return_exceptions=True,
    )
    assert [r for r in results if r == 1] == [1]
    assert {r.reason for r in results if isinstance(r, AttendingError)} <= {"USER_CHANGED", "NAME_TAKEN"}
    results = await asyncio.gather(
        *(enrolled(office, f"user-{n}", uris=["spiffe://test/ward/shared"]) for n in range(4)),
        return_exceptions=True,
    )
    assert [r for r in results if r == 1] == [1]
    stream = credential_stream(CredentialKind.CERTIFICATE_URI, "spiffe://test/ward/shared")
    assert await office.types(stream) == ["credential.bound"]


async def test_a_proofing_and_a_revocation_at_once_leave_nobody_in(office: Office) -> None:
    await enrolled(office)
    await asyncio.gather(
        proofed(office),
        office.registry.revoke(office.priya, "amara", "misuse", fresh()),
        return_exceptions=True,
    )
    account = await office.registry.get(TENANT, "amara")
    if account.state is not State.REVOKED:
        # The proofing came first, and the revocation was told to look again.
        await office.registry.revoke(office.priya, "amara", "misuse", fresh())
    assert await office.enter("amara") is None


async def test_a_repeated_request_is_done_once_and_shows_no_token_twice(office: Office) -> None:
    once = fresh()
    first = await office.registry.enrol(office.olga, order("amara", "clinician", uris=[URI]), once)
    again = await office.registry.enrol(office.olga, order("amara", "clinician", uris=[URI]), once)
    assert again.indexes == first.indexes
    await proofed(office)
    once, expires = fresh(), office.clock.moment + timedelta(days=1)
    _done, token, credential = await office.registry.issue_key(office.olga, "amara", expires, once)
    _done, nothing, same = await office.registry.issue_key(office.olga, "amara", expires, once)
    assert token
    assert (nothing, same) == ("", credential)
    once = fresh()
    one = await office.registry.revoke(office.saida, "amara", "left", once)
    two = await office.registry.revoke(office.saida, "amara", "left", once)
    assert one.indexes == two.indexes


async def test_one_identity_has_only_so_many_credentials_of_a_kind(office: Office) -> None:
    """As many as the directory can hold: one more, once proofed, would keep every identity from being read."""
    uris = [f"spiffe://test/ward/{number}" for number in range(MAX_CREDENTIALS)]
    too_many = [*uris, URI]
    assert await refusal(enrolled(office, uris=too_many)) == "TOO_MANY_CREDENTIALS"
    version = await enrolled(office, uris=uris)
    assert await refusal(enrolled(office, uris=too_many, expected_version=version)) == "TOO_MANY_CREDENTIALS"
    await proofed(office)
    assert await office.enter("amara") is not None
    # One that has ended takes no place, and another kind has places of its own.
    account = await office.registry.get(TENANT, "amara")
    first = account.credentials[0].credential_id
    await office.registry.revoke_key(office.saida, "amara", first, "credential_lost", fresh())
    version = (await office.registry.get(TENANT, "amara")).version
    await enrolled(office, uris=[*uris[1:], URI], expected_version=version)
    expires = office.clock.moment + timedelta(days=1)
    _done, token, _credential = await office.registry.issue_key(office.olga, "amara", expires, fresh())
    assert token


async def test_another_tenant_s_user_is_nobody(office: Office) -> None:
    await enrolled(office)
    await office.ledger.create_log("south", "test.example/south")
    foreign = person("saida", "safety_officer", "operator", tenant="south")
    assert await refusal(office.registry.get("south", "amara")) == "UNKNOWN_USER"
    assert await refusal(office.registry.revoke(foreign, "amara", "left", fresh())) == "UNKNOWN_USER"
    assert await refusal(office.registry.proof(foreign, "amara", 1, "video", fresh())) == "UNKNOWN_USER"
    with pytest.raises(NotFound):
        await office.registry.revoke_key(foreign, "amara", "crd_x", "left", fresh())


async def test_an_application_needs_a_second_person_too(office: Office) -> None:
    await enrolled(office, "robot", "app")
    assert await office.enter("robot") is None
    await office.registry.proof(office.saida, "robot", 1, "system_owner", fresh())
    robot = await office.enter("robot")
    assert robot is not None
    assert robot.kind == "app"


async def test_a_printed_name_is_erased_with_its_person(office: Office) -> None:
    await enrolled(office, display_name="Dr Amara Okafor")
    await proofed(office)
    account = await office.registry.get(TENANT, "amara")
    assert account.subject is not None
    assert account.in_force is not None
    record = account.in_force.display_record
    assert record is not None
    await office.ledger.custody.erase(TENANT, account.subject, ErasureReason.GDPR_17, Order("human:priya"))
    with pytest.raises(SubjectErased):
        await office.ledger.open_payload(TENANT, record)
    # A process that starts after it knows the person by the name of their identity.
    amara = await office.enter("amara")
    assert amara is not None
    office.present._sections.clear()
    await office.present.refresh(TENANT)
    amara = await office.enter("amara")
    assert amara is not None
    assert amara.display_name == "amara"


async def test_a_revocation_whose_outcome_is_unknown_lets_nobody_in_until_it_is_known(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enrolled(office)
    await proofed(office)
    once, append = fresh(), type(office.ledger).append

    async def lost(*arguments: object, **more: object) -> None:
        await append(*arguments, **more)  # type: ignore[arg-type]
        raise StoreUnavailable("the answer was lost")

    monkeypatch.setattr(type(office.ledger), "append", lost)
    with pytest.raises(StoreUnavailable):
        await office.registry.revoke(office.saida, "amara", "misuse", once)
    monkeypatch.undo()
    with pytest.raises(Unavailable) as caught:
        office.present.current()
    assert caught.value.reason == "IDENTITIES_STALE"
    await office.present.poll()
    assert await office.enter("amara") is None
    assert (
        await office.registry.revoke(office.saida, "amara", "misuse", once)
    ).account.state is State.REVOKED


async def test_a_caller_who_hangs_up_does_not_keep_a_revocation_from_taking_effect(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enrolled(office)
    await proofed(office)
    append, begun = type(office.ledger).append, asyncio.Event()

    async def noted(*arguments: object, **more: object) -> object:
        begun.set()
        await asyncio.sleep(0.01)
        return await append(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(type(office.ledger), "append", noted)
    running = asyncio.create_task(office.registry.revoke(office.saida, "amara", "misuse", fresh()))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for _ in range(500):
        if await office.enter("amara") is None:
            assert (await office.registry.get(TENANT, "amara")).state is State.REVOKED
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a revoked person is still let in")


async def test_who_may_do_what(office: Office) -> None:
    await enrolled(office)
    nobody = [person("app", "auditor"), person("dr", "clinician"), person("ph", "pharmacist")]
    for who in nobody:
        for step in (
            office.registry.enrol(who, order("x", "clinician"), fresh()),
            office.registry.proof(who, "amara", 1, "video", fresh()),
            office.registry.revoke(who, "amara", "left", fresh()),
            office.registry.issue_key(who, "amara", office.clock.moment, fresh()),
        ):
            assert await refusal(step) == "PERMISSION_DENIED"
    for officer in (office.saida, office.priya):
        assert (
            await refusal(office.registry.enrol(officer, order("x", "clinician"), fresh()))
            == "PERMISSION_DENIED"
        )
    assert await refusal(proofed(office, by=office.olga)) == "PERMISSION_DENIED"


async def test_lists_by_state_and_by_what_waits(office: Office) -> None:
    for name in ("amara", "bola", "chidi"):
        await enrolled(office, name)
    await proofed(office, "bola")
    await office.registry.revoke(office.olga, "chidi", "left", fresh())

    async def names(state: str | None = None, *, awaiting: bool = False) -> list[str]:
        page = await office.registry.page(TENANT, state=state, awaiting=awaiting, limit=50, offset=0)
        return [account.name for account in page]

    assert await names("enrolled") == ["amara"]
    assert await names("revoked") == ["chidi"]
    assert await names(awaiting=True) == ["amara"]
    assert set(await names("active")) == {"bola", "olga", "priya", "saida", "portal"}
    await office.registry.issue_key(office.olga, "bola", office.clock.moment + timedelta(days=1), fresh())
    assert await names(awaiting=True) == ["amara", "bola"]

"""Signing with a passkey and with a P-256 key at the desk: what the verifier would refuse later is refused now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from attending.client.review import key_id
from attending.ledger.entry import PendingEntry
from attending.ledger.reviewer_key import Proof
from attending.ledger.webauthn import Assertion
from attending.server.errors import FailedPrecondition, NotFound
from attending.server.passkeys.responses import read_assertion, signing_options
from attending.server.replay.reducers import rows_of_append
from attending.server.review.enrolment import enrol_keys, key_stream
from attending.server.review.preparation import Preparation
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.authenticator import PRESENT, VERIFIED, Browser, Credential
from tests.server.inference.conftest import TENANT, failed_checks
from tests.server.review.conftest import Person, Ward
from tests.server.review.test_desk import claim, dispose_all, fresh, held, sign, ticket_of


async def enrol(ward: Ward, who: Person, passkey: Credential) -> None:
    """As an invitation and its person would: the entries that come of it."""
    name, user = f"inv_{who.principal.name}", who.principal.name
    half = {"user": user, "credential": name, "kind": "passkey", "expires": "2027-01-01T00:00:00.000000Z"}
    enrolled = {
        **passkey.enrolled.to_json(),
        "user": user,
        "roles": ["clinician"],
        "not_after": None,
        "invitation": name,
        "issued_by": "olga",
        "proofed_by": "saida",
        "aaguid": "0",
        "synced": False,
    }
    stream = f"invitation:{name}"
    pending = [
        PendingEntry("credential.issued", stream, "human:olga", None, {**half, "half": "administrator"}),
        PendingEntry("credential.issued", stream, "human:saida", None, {**half, "half": "officer"}),
        PendingEntry("key.enrolled", key_stream(passkey.enrolled.key_id), f"human:{user}", None, enrolled),
    ]
    await ward.gate.ledger.append(TENANT, pending, rows=rows_of_append(pending))


async def give(ward: Ward, who: Person, prepared: Preparation, proof: Proof) -> None:
    await ward.desk.sign(
        who.principal,
        prepared.ticket_id,
        prepared.lease_id,
        prepared.preparation_id,
        proof.signature,
        fresh(),  # type: ignore[arg-type]
        proof.assertion,
    )


async def test_only_the_verified_person_s_answer_to_this_very_statement_releases_the_text(ward: Ward) -> None:
    browser = Browser()
    passkey, other = Credential.new(), Credential.new()
    browser.credentials += [passkey, other]
    await enrol(ward, ward.rivera, passkey)
    await enrol(ward, ward.chen, other)
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    key_id = passkey.enrolled.key_id

    async def prepare(name: str = key_id) -> Preparation:
        return await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, name)

    earlier, prepared = await prepare(), await prepare()
    assert earlier.statement.nonce != prepared.statement.nonce
    challenge = prepared.statement.challenge()
    good = passkey.prove(challenge)
    assert good.assertion is not None
    wrong: list[tuple[str, Proof]] = [
        ("another statement's", passkey.prove(earlier.statement.challenge())),
        ("cleared verification", passkey.prove(challenge, flags=PRESENT)),
        ("nobody there", passkey.prove(challenge, flags=VERIFIED)),
        ("another origin", passkey.prove(challenge, origin="http://localhost:9000")),
        ("another site", passkey.prove(challenge, rp_id="evil.example")),
        ("in a frame", passkey.prove(challenge, crossOrigin=True)),
        ("a registration", passkey.prove(challenge, type_="webauthn.create")),
        ("another person's passkey", other.prove(challenge)),
        ("documents of another", replace(good, assertion=other.prove(challenge, flags=0x1D).assertion)),
        ("no documents", Proof(good.signature)),
        ("the key as a file's", Proof(passkey.sign(prepared.statement.message()))),
        ("nothing", Proof(b"", Assertion(b"", b""))),
    ]
    for why, proof in wrong:
        with pytest.raises(FailedPrecondition) as caught:
            await give(ward, ward.rivera, prepared, proof)
        assert caught.value.reason == "SIGNATURE_INVALID", why
    # Each is on record: the first five of a kind singly.
    denials = await ward.gate.ledger.stream_entries(TENANT, "access/rivera")
    told = [entry.body["refused"] for entry in denials if entry.type == "access.denied"]
    assert {one: told.count(one) for one in told} == {"ASSERTION": 5, "SIGNATURE": 2}
    # Somebody else's passkey cannot even be asked for, nor a name that is no key's.
    for name in (other.enrolled.key_id, "../keys", ""):
        with pytest.raises(FailedPrecondition) as caught:
            await prepare(name)
        assert caught.value.reason == "KEY_UNKNOWN"
    # What the page does: the options of the statement to the browser, and its answer back.
    answer = read_assertion(browser.get(signing_options(prepared.key, challenge)))
    assert answer.credential_id == passkey.enrolled.credential_id
    await give(ward, ward.rivera, prepared, answer.proof)
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).output == "HOLD this text"
    with pytest.raises(NotFound) as gone:
        await give(ward, ward.rivera, prepared, answer.proof)
    assert gone.value.reason == "UNKNOWN_PREPARATION"
    assert not await failed_checks(ward.gate.ledger)


async def test_a_passkey_that_was_revoked_while_its_person_signed_releases_nothing(ward: Ward) -> None:
    passkey = Credential.new()
    await enrol(ward, ward.rivera, passkey)
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, ward.rivera)
    await dispose_all(ward, ticket, lease, ward.rivera)
    key_id = passkey.enrolled.key_id
    prepared = await ward.desk.prepare(ward.rivera.permit, ticket, lease, None, key_id)
    body = {"key_id": key_id, "reason": "CREDENTIAL_LOST"}
    revoked = [PendingEntry("key.revoked", key_stream(key_id), "human:saida", None, body)]
    await ward.gate.ledger.append(TENANT, revoked, rows=rows_of_append(revoked))
    with pytest.raises(FailedPrecondition) as caught:
        await give(ward, ward.rivera, prepared, passkey.prove(prepared.statement.challenge()))
    assert caught.value.reason == "KEY_UNKNOWN"


async def test_a_p256_key_of_the_configuration_signs(ward: Ward) -> None:
    private: Any = generate_private_key(SECP256R1())
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    person = Person(replace(ward.rivera.principal, signing_public_key=public), private)
    await enrol_keys(ward.gate.ledger, [TENANT], [person.principal], "srv-2", ward.gate.clock)
    outcome = await held(ward)
    ticket = ticket_of(outcome)
    lease = await claim(ward, ticket, person)
    await dispose_all(ward, ticket, lease, person, "fixed")
    prepared = await ward.desk.prepare(person.permit, ticket, lease, "A safe text", key_id(private))
    await sign(ward, ticket, lease, person, prepared)
    assert (await ward.gate.pipeline.get(TENANT, outcome.inference_id)).output == "A safe text"
    entries = await ward.gate.ledger.stream_entries(TENANT, outcome.inference_id)
    assert [entry.body.get("algorithm") for entry in entries if entry.type == "review.signed"] == ["es256"]
    assert not await failed_checks(ward.gate.ledger)

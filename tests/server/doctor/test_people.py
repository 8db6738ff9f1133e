"""Who is there, as the log says: enrolled, proofed, revoked, and emergency access that nobody reviewed."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from attending.server import clock
from attending.server.app import authorization_folder
from attending.server.auth.attempts import Attempts
from attending.server.auth.authorize import Authorizer, PolicySet
from attending.server.config import EmergencySection
from attending.server.doctor.check import Site, State
from attending.server.emergency.desk import EmergencyDesk
from attending.server.emergency.open import OpenAccesses
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.server.doctor.sites import look, reasons, site
from tests.server.passkeys.conftest import build
from tests.server.people.conftest import TENANT, Office, fresh, office, order, person

__all__ = ["office"]

WARNING = State.WARNING
ROLES = {"olga": "operator", "saida": "safety_officer", "priya": "privacy_officer", "portal": "app"}


def beside(tmp_path: Path, office: Office) -> Site:
    """The office's ledger and configuration, as the doctor is given them."""
    people = [
        {
            "name": name,
            "tenant": TENANT,
            "kind": "app" if role == "app" else "human",
            "roles": [role],
            "certificate_uri": [f"spiffe://test/{name}"],
        }
        for name, role in ROLES.items()
    ]
    made = site(
        tmp_path,
        storage={"folder": "ledger", "keys_folder": None, "published_folder": None},
        tenants=[{"name": TENANT, "origin": "test.example/clinic"}],
        identities=people,
    )
    return replace(made, now=office.clock)


async def enrolled(office: Office, name: str, *, proofed: bool = True, **terms: Any) -> None:
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert len(base64.b64encode(public)) == 44
    wanted = order(name, "clinician", signing_public_key=public, **terms)
    await office.registry.enrol(office.olga, wanted, fresh())
    if proofed:
        account = await office.registry.get(TENANT, name)
        await office.registry.proof(office.saida, name, account.version, "in_person", fresh())


async def test_who_was_enrolled_counts_once_proofed(tmp_path: Path, office: Office) -> None:
    at = beside(tmp_path, office)
    assert reasons("people:awaiting", at) == {}
    assert reasons("identities:signers", at) == {"NO_SIGNER": State.RED}
    await enrolled(office, "amara", proofed=False)
    assert reasons("people:awaiting", at) == {"AWAITING_PROOF": WARNING}
    assert reasons("identities:signers", at) == {"NO_SIGNER": State.RED}
    await office.registry.proof(office.saida, "amara", 1, "in_person", fresh())
    await enrolled(office, "bruno")
    assert reasons("people:awaiting", at) == {}
    assert reasons("identities:signers", at) == {}
    # What is enrolled anew waits for its proofing; what was in force stays.
    account = await office.registry.get(TENANT, "amara")
    changed = order("amara", "clinician", "auditor", expected_version=account.version)
    await office.registry.enrol(office.olga, changed, fresh())
    assert reasons("people:awaiting", at) == {"AWAITING_PROOF": WARNING}
    assert reasons("identities:signers", at) == {}
    await office.registry.revoke(office.priya, "bruno", "left", fresh())
    assert reasons("identities:signers", at) == {"NO_SECOND_SIGNER": WARNING}


async def test_who_signs_with_a_passkey_alone_counts(tmp_path: Path, office: Office) -> None:
    at = beside(tmp_path, office)
    with_passkeys = build(office)
    await with_passkeys.person("amara")
    assert reasons("identities:signers", at) == {"NO_SIGNER": State.RED}
    bound = await with_passkeys.enrol("amara")
    assert reasons("identities:signers", at) == {"NO_SECOND_SIGNER": WARNING}
    await office.registry.revoke_key(office.priya, "amara", bound.key_id, "credential_lost", fresh())
    assert reasons("identities:signers", at) == {"NO_SIGNER": State.RED}


async def test_what_runs_out_of_those_who_were_enrolled(tmp_path: Path, office: Office) -> None:
    at = beside(tmp_path, office)
    soon = clock.stamp(office.clock() + timedelta(days=3))
    await enrolled(office, "amara", licence_expires=soon)
    assert reasons("identities:expiry", at) == {"LICENCE_EXPIRES": WARNING}
    later = replace(at, now=lambda: office.clock() + timedelta(days=4))
    assert reasons("identities:expiry", later) == {"LICENCE_EXPIRED": WARNING}
    assert reasons("identities:signers", later) == {"NO_SIGNER": State.RED}


async def test_whom_the_configuration_names_although_revoked(tmp_path: Path, office: Office) -> None:
    at = beside(tmp_path, office)
    assert reasons("people:revoked", at) == {}
    await office.registry.revoke(office.saida, "priya", "left", fresh())
    assert reasons("people:revoked", at) == {"IDENTITY_REVOKED": WARNING}
    assert any("`privacy_officer`" in one.detail for one in look("identities:duties", at))


async def test_emergencies(tmp_path: Path, office: Office) -> None:
    at = beside(tmp_path, office)
    assert reasons("people:emergencies", at) == {}
    authorizer = Authorizer(
        PolicySet.load(authorization_folder()),
        Attempts(office.ledger.append, "srv-test").denied,
        office.clock,
    )
    opened = OpenAccesses(office.clock)
    desk = EmergencyDesk(office.ledger, authorizer, opened, EmergencySection(), office.clock)
    await opened.start(office.ledger, [TENANT])
    access, _index = await desk.begin(person("ruth", "clinician"), "patient_in_danger", 30, fresh())
    assert reasons("people:emergencies", at) == {"EMERGENCY_OPEN": WARNING}
    over = replace(at, now=lambda: office.clock() + timedelta(hours=1))
    assert reasons("people:emergencies", over) == {}
    late = replace(at, now=lambda: office.clock() + timedelta(days=30))
    assert reasons("people:emergencies", late) == {"EMERGENCY_REVIEW_OVERDUE": WARNING}
    office.clock.advance(hours=1)
    await desk.review(office.priya, access.access_id, "justified", "", fresh())
    assert reasons("people:emergencies", late) == {}
    await opened.close()


def test_one_person_for_both_halves_of_an_enrolment(tmp_path: Path) -> None:
    def one(*roles: str) -> dict[str, Any]:
        return {
            "name": "-".join(role.replace("_", "-") for role in roles),
            "tenant": "st-mary",
            "kind": "human",
            "roles": list(roles),
            "certificate_uri": [f"spiffe://test/{'-'.join(roles)}"],
        }

    alone = site(tmp_path, identities=[one("operator", "safety_officer")])
    assert reasons("identities:duties", alone)["TWO_PEOPLE_IMPOSSIBLE"] is WARNING
    two = site(tmp_path, identities=[one("operator"), one("safety_officer")])
    assert "TWO_PEOPLE_IMPOSSIBLE" not in reasons("identities:duties", two)

"""Every way that an identity and an emergency access can go, for the rebuild of their rows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from attending.ledger.ed25519 import public_bytes
from attending.ledger.ledger import Ledger
from attending.server.config import EmergencySection
from attending.server.emergency.desk import EmergencyDesk
from attending.server.emergency.open import OpenAccesses
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.server.inference.conftest import Clock
from tests.server.people.conftest import TENANT, fresh, open_office, order, person


async def lives(ledger: Ledger, clock: Clock, folder: Path) -> None:
    """Enrolled, proofed, changed, waiting and revoked; keys issued, proofed, revoked; emergencies in every state."""
    office = await open_office(folder, ledger, clock)
    registry = office.registry
    signing = public_bytes(Ed25519PrivateKey.generate())
    for name, more in (
        ("amara", {"display_name": "Dr Amara Okafor", "signing_public_key": signing}),
        ("bola", {}),
        ("chidi", {}),
    ):
        wanted = order(name, "clinician", uris=[f"spiffe://test/ward/{name}"], **more)  # type: ignore[arg-type]
        await registry.enrol(office.olga, wanted, fresh())
    await registry.proof(office.saida, "amara", 1, "in_person", fresh())
    await registry.proof(office.priya, "bola", 1, "video", fresh())
    expires = clock.moment + timedelta(days=400)
    _done, _token, credential = await registry.issue_key(office.olga, "amara", expires, fresh())
    await registry.issue_key(office.olga, "bola", expires, fresh())
    await registry.proof(office.saida, "amara", 3, "employer_record", fresh())
    await registry.revoke_key(office.saida, "amara", credential, "replaced", fresh())
    wanted = order("amara", "clinician", "auditor", expected_version=5, display_name="Dr A. Okafor")
    await registry.enrol(office.olga, wanted, fresh())
    await registry.revoke(office.saida, "bola", "left", fresh())
    await registry.revoke(office.saida, "portal", "misuse", fresh())
    await office.present.close()

    opened = OpenAccesses(clock)
    await opened.start(ledger, [TENANT])
    desk = EmergencyDesk(ledger, registry._authorizer, opened, EmergencySection(), clock)
    ruth = person("ruth", "clinician")
    for step in ("reviewed", "ended", "open"):
        access, _index = await desk.begin(ruth, "cover", 5, fresh())
        if step != "open":
            await desk.end(ruth, access.access_id, fresh())
        if step == "reviewed":
            await desk.review(office.saida, access.access_id, "justified", "A note.", fresh())
    await opened.close()

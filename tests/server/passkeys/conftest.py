"""The office of tests/server/people with passkeys: `olga` issues, `saida` confirms, `amara` has a browser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from attending.server.app import authorization_folder
from attending.server.auth.attempts import Attempts
from attending.server.auth.authorize import Authorizer, PolicySet
from attending.server.passkeys.door import Bound, Passkeys
from attending.server.passkeys.invitations import Half, Invitations
from attending.server.passkeys.responses import Party

from tests.authenticator import ORIGIN, RP_ID, Browser
from tests.server.people.conftest import TENANT, Office, fresh, office, order

__all__ = ["office"]

PARTY = Party(RP_ID, "Attending", (ORIGIN,))
MINUTES = 60


@dataclass
class Desk:
    office: Office
    invitations: Invitations
    passkeys: Passkeys
    browser: Browser = field(default_factory=Browser)

    async def person(self, name: str, *roles: str) -> None:
        """Enrols and proofs somebody who has no other way in than the passkey to come."""
        done = await self.office.registry.enrol(
            self.office.olga, order(name, *(roles or ("clinician",)), display_name=name.title()), fresh()
        )
        await self.office.registry.proof(self.office.saida, name, done.account.version, "in_person", fresh())

    async def invite(self, name: str) -> tuple[Half, Half]:
        """Both halves of a code, as two people hand them out."""
        issued = await self.invitations.issue(self.office.olga, name, fresh())
        confirmed = await self.invitations.confirm(
            self.office.saida, name, issued.invitation.invitation, "in_person", fresh()
        )
        return issued, confirmed

    async def enrol(self, name: str, **faults: Any) -> Bound:
        """A passkey of that person, in their browser."""
        issued, confirmed = await self.invite(name)
        begun = await self.passkeys.begin_registration(issued.code, confirmed.code)
        return await self.passkeys.finish_registration(
            begun.ceremony_id, self.browser.create(begun.options, **faults)
        )


def build(office: Office, party: Party = PARTY) -> Desk:
    """As one process of the server has it."""
    authorizer = Authorizer(
        PolicySet.load(authorization_folder()),
        Attempts(office.ledger.append, "srv-test").denied,
        office.clock,
    )
    invitations = Invitations(office.ledger, authorizer, office.clock, MINUTES)
    passkeys = Passkeys(
        office.ledger,
        office.directory,
        invitations,
        [TENANT],
        party,
        "srv-test",
        office.clock,
        ceremony_seconds=300,
    )
    return Desk(office, invitations, passkeys)


@pytest.fixture
async def desk(office: Office) -> Desk:
    made = build(office)
    await made.person("amara")
    return made

"""What the console asks of passkeys: to make one, to sign in with one, and what a signature by one needs.

Nothing here knows of sessions or pages. Errors carry reasons; what a person reads of them is the page's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from attending.ledger.errors import ExpectationFailed, VerificationError
from attending.ledger.ledger import Ledger
from attending.ledger.webauthn import encode_base64url
from attending.server.auth.authenticate import Directory
from attending.server.auth.principal import Principal
from attending.server.errors import Aborted, FailedPrecondition, InvalidRequest, Unauthenticated
from attending.server.passkeys.ceremonies import Ceremonies, Ceremony, Purpose
from attending.server.passkeys.code import read_half
from attending.server.passkeys.invitations import Invitation, Invitations, read_invitation, require_person
from attending.server.passkeys.keys import Passkey, passkeys_named, passkeys_of
from attending.server.passkeys.responses import (
    ALGORITHMS,
    Party,
    read_assertion,
    read_registration,
    request_options,
)
from attending.server.passkeys.settle import settle
from attending.server.people.registry import read_account
from attending.server.replay.reducers import rows_of_append

log = structlog.get_logger()

MAX_PASSKEYS = 8
"""In force, of one person."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A passkey that was just bound: whose it is, and the index of `key.enrolled`."""

    tenant: str
    user: str
    key_id: str
    index: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in, as of now, and with which key."""

    principal: Principal
    key_id: str


class Passkeys:
    """Shared by all requests of one server process. Belongs to one event loop."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        invitations: Invitations,
        tenants: Sequence[str],
        party: Party,
        owner: str,
        now: Callable[[], datetime],
        *,
        ceremony_seconds: float,
    ) -> None:
        """`owner` names this process in entries that no person asked for."""
        self._ledger = ledger
        self._directory = directory
        self._invitations = invitations
        self._tenants = tuple(tenants)
        self._party = party
        self._owner = owner
        self._now = now
        self._seconds = ceremony_seconds
        self._ceremonies = Ceremonies(now, ceremony_seconds)

    @property
    def party(self) -> Party:
        return self._party

    async def serve_on(self, origins: Sequence[str]) -> None:
        """From now on the site is visited there, for a console whose port is known once it listens. Passkeys that were
        made before count there, too, once this returns.
        """
        self._party = replace(self._party, origins=tuple(origins))
        await self.settle()

    async def settle(self) -> None:
        """`keys.settle`, once it is known where the site is visited."""
        if self._party.origins:
            await settle(self._ledger, self._tenants, self._party, self._owner, self._now)

    # -- making one

    async def begin_registration(self, administrator_code: str, officer_code: str) -> Ceremony:
        """Options for `navigator.credentials.create`, for who has both halves of a code.

        Raises InvalidRequest (not a code), Unauthenticated (CODE_WRONG) and FailedPrecondition (CODE_OVER,
        CODE_EXPIRED, CODE_NOT_CONFIRMED, TOO_MANY_PASSKEYS, or the person is not in force any more).
        """
        name, administrator = read_half(administrator_code, "administrator_code")
        other, officer = read_half(officer_code, "officer_code")
        if name != other:
            raise InvalidRequest([("officer_code", "must be of the same invitation as the administrator's")])
        found = await self._invitations.opened(self._tenants, name, administrator, officer)
        account = await read_account(self._ledger, found.tenant, found.user)
        if account is None:
            raise FailedPrecondition("USER_REVOKED")
        require_person(account)
        have = await passkeys_of(self._ledger, found.tenant, found.user)
        if len(have) >= MAX_PASSKEYS:
            raise FailedPrecondition("TOO_MANY_PASSKEYS")
        ceremony, challenge = self._ceremonies.begin(Purpose.REGISTER, found)
        printed = self._directory.named(found.tenant, found.user, "passkey").display_name
        return Ceremony(ceremony, self._creation_options(found, printed, have, challenge))

    async def finish_registration(self, ceremony_id: str, response: Mapping[str, Any]) -> Bound:
        """Binds the passkey in the browser's answer: durable when it returns, and in force.

        Raises FailedPrecondition: CEREMONY_OVER, PASSKEY_REFUSED (not made for this challenge, site or by a verified
        person), CREDENTIAL_TAKEN, CODE_OVER, CODE_EXPIRED; Aborted (USER_CHANGED) when the identity changed meanwhile.
        """
        challenge, found = self._ceremonies.take(Purpose.REGISTER, ceremony_id)
        made = read_registration(response, challenge, self._party)
        self._invitations.require_open(found)
        account = await read_account(self._ledger, found.tenant, found.user)
        if account is None:
            raise FailedPrecondition("USER_REVOKED")
        require_person(account)
        assert account.in_force is not None
        assert made.key.credential_id is not None
        if await passkeys_named(self._ledger, self._tenants, made.key.credential_id):
            raise FailedPrecondition("CREDENTIAL_TAKEN", metadata={"kind": "passkey"})
        pending, expect = self._invitations.binding(
            found,
            account,
            account.in_force.terms,
            made.key,
            {"aaguid": made.aaguid, "synced": made.synced},
        )
        try:
            appended = await self._ledger.append(
                found.tenant, pending, expect=expect, rows=rows_of_append(pending)
            )
        except ExpectationFailed:
            await self._explain(found)
            raise Aborted("USER_CHANGED") from None
        log.info("passkey.bound", tenant=found.tenant, index=appended.first_index)
        return Bound(found.tenant, found.user, made.key.key_id, appended.first_index + 1)

    # -- signing in

    def begin_sign_in(self) -> Ceremony:
        """Options for `navigator.credentials.get`; the device offers what it has for this site."""
        ceremony, challenge = self._ceremonies.begin(Purpose.SIGN_IN)
        return Ceremony(ceremony, request_options(self._party.rp_id, challenge, (), self._seconds))

    async def finish_sign_in(self, ceremony_id: str, response: Mapping[str, Any]) -> SignedIn:
        """Who answered; Unauthenticated (INVALID_CREDENTIAL, CREDENTIAL_EXPIRED) when it is nobody who may sign in now,
        FailedPrecondition (CEREMONY_OVER) when the challenge is not waiting. What was wrong is in the operator's log.
        """
        challenge, _about = self._ceremonies.take(Purpose.SIGN_IN, ceremony_id)
        assertion = read_assertion(response)
        for one in await passkeys_named(self._ledger, self._tenants, assertion.credential_id):
            try:
                # The site as it is now and the site that the key is enrolled for: both must be the one signed for.
                # Nobody signs in within a frame.
                key = replace(one.key, rp_id=self._party.rp_id, origins=self._party.origins, top_origins=())
                key.verify_challenge(challenge, assertion.proof)
            except VerificationError as err:
                log.warning("auth.passkey_refused", tenant=one.tenant, reason=err.reason)
                continue
            return SignedIn(self._directory.named(one.tenant, one.user, "passkey"), one.key_id)
        raise Unauthenticated("INVALID_CREDENTIAL")

    # -- signing reviews

    async def of(self, principal: Principal) -> list[Passkey]:
        """The passkeys with which somebody may sign here, oldest first."""
        have = await passkeys_of(self._ledger, principal.tenant, principal.name)
        return [one for one in have if one.key.rp_id == self._party.rp_id]

    # -- inside

    def _creation_options(
        self, found: Invitation, printed: str, have: Sequence[Passkey], challenge: bytes
    ) -> dict[str, Any]:
        """`PublicKeyCredentialCreationOptions` as JSON: a passkey that stays with the device or its account and
        verifies the person each time. No attestation is asked for; see docs/passkeys.md.
        """
        return {
            "rp": {"id": self._party.rp_id, "name": self._party.name},
            "user": {
                "id": encode_base64url(user_handle(found.tenant, found.user)),
                "name": found.user,
                "displayName": printed,
            },
            "challenge": encode_base64url(challenge),
            "pubKeyCredParams": [{"type": "public-key", "alg": int(one)} for one in ALGORITHMS],
            "timeout": round(self._seconds * 1000),
            "excludeCredentials": [{"type": "public-key", "id": one.key.credential_id} for one in have],
            "authenticatorSelection": {
                "residentKey": "required",
                "requireResidentKey": True,
                "userVerification": "required",
            },
            "attestation": "none",
        }

    async def _explain(self, found: Invitation) -> None:
        """Says so when somebody else was faster with the same code."""
        now = await read_invitation(self._ledger, found.tenant, found.invitation)
        assert now is not None
        self._invitations.require_open(now)


def user_handle(tenant: str, name: str) -> bytes:
    """What an authenticator knows the person by: 32 bytes that do not show the name."""
    return hashlib.sha256(f"attending-user/1\n{tenant}\n{name}".encode()).digest()

"""Invitations to make a passkey: an administrator's half, an officer's half, and the person who has both.

    none --issued (administrator)--> ISSUED --issued (officer)--> CONFIRMED --bound (the person)--> used

Until it is used or its time is over; nobody can call one back, but whoever is revoked binds nothing any more.

Each step is one conditional append on the stream `invitation:<id>`, so a code is used once, by whoever is first. It
takes two people to let anybody bind a passkey under a name, and neither has both halves (21 CFR 11.200(a)(3)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.ledger import Ledger
from attending.ledger.reviewer_key import ReviewerKey
from attending.ledger.submission import Expectation
from attending.ledger.verify.passkeys import ADMINISTRATOR, OFFICER, PASSKEY
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied, Unauthenticated
from attending.server.idempotency import Once, answered, index_of
from attending.server.passkeys.code import commitment, new_half, new_invitation
from attending.server.people.account import Account, State, Terms
from attending.server.people.registry import read_account, user_stream
from attending.server.replay.reducers import rows_of_append
from attending.server.review.enrolment import key_stream

HALVES: Final = (ADMINISTRATOR, OFFICER)


def invitation_stream(invitation: str) -> str:
    """The stream of an invitation's life."""
    return f"invitation:{invitation}"


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation after `version` entries. `commitments` are those of the halves that were given out."""

    invitation: str
    tenant: str
    user: str
    version: int
    expires: str
    issued_by: str
    commitments: tuple[str, ...]
    confirmed_by: str | None = None
    over: bool = False
    """True once it was used."""


@dataclass(frozen=True, slots=True)
class Half:
    """Half a code. `code` is empty when the same request is answered again: it is kept nowhere."""

    invitation: Invitation
    code: str
    index: int


async def read_invitation(ledger: Ledger, tenant: str, invitation: str) -> Invitation | None:
    """The invitation as its entries tell it; None for one that the tenant never had."""
    return _fold(tenant, invitation, await ledger.whole_stream(tenant, invitation_stream(invitation)))


class Invitations:
    """Shared by all calls of one server process. Who may do what is Cedar's; that they are two is asked here again."""

    def __init__(
        self, ledger: Ledger, authorizer: Authorizer, now: Callable[[], datetime], minutes: float
    ) -> None:
        self._ledger = ledger
        self._authorizer = authorizer
        self._now = now
        self._time = timedelta(minutes=minutes)

    async def issue(self, principal: Principal, name: str, once: Once) -> Half:
        """The administrator's half of a new invitation for somebody whose identity is proofed."""
        tenant = principal.tenant
        await self._permit(principal, "issuePasskeyCode", name)
        if (done := await self._answered(tenant, once)) is not None:
            return done
        account = await self._person(tenant, name)
        if principal.name == name:
            raise PermissionDenied("SECOND_PERSON_REQUIRED")
        invitation = new_invitation()
        code = new_half(invitation)
        body = {
            "user": name,
            "credential": invitation,
            "kind": PASSKEY,
            "half": ADMINISTRATOR,
            "commitment": commitment(tenant, ADMINISTRATOR, code),
            "expires": stamp(self._now() + self._time),
        }
        expect = [
            Expectation(invitation_stream(invitation), 0),
            Expectation(user_stream(name), account.version),
        ]
        return await self._append(principal, invitation, body, expect, once, code)

    async def confirm(
        self, principal: Principal, name: str, invitation: str, method: str, once: Once
    ) -> Half:
        """The officer's half: says that the person is who the invitation names, by `method`."""
        tenant = principal.tenant
        found = await read_invitation(self._ledger, tenant, invitation)
        authors = () if found is None else (found.issued_by,)
        await self._permit(principal, "confirmPasskeyCode", name, authors)
        if (done := await self._answered(tenant, once)) is not None:
            return done
        if found is None or found.user != name:
            raise NotFound("UNKNOWN_INVITATION")
        account = await self._person(tenant, name)
        if principal.name in (name, found.issued_by):
            # Cedar says so too; a site's own policies cannot take it away.
            raise PermissionDenied("SECOND_PERSON_REQUIRED")
        if found.confirmed_by is not None:
            raise FailedPrecondition("INVITATION_CONFIRMED")
        self.require_open(found)
        code = new_half(invitation)
        body = {
            "user": name,
            "credential": invitation,
            "kind": PASSKEY,
            "half": OFFICER,
            "commitment": commitment(tenant, OFFICER, code),
            "method": method,
        }
        expect = [
            Expectation(invitation_stream(invitation), found.version),
            Expectation(user_stream(name), account.version),
        ]
        return await self._append(principal, invitation, body, expect, once, code)

    async def opened(
        self, tenants: Iterable[str], invitation: str, administrator: str, officer: str
    ) -> Invitation:
        """The invitation that both halves open; Unauthenticated (CODE_WRONG) for any others, whatever is wrong.

        FailedPrecondition: CODE_OVER, CODE_EXPIRED, CODE_NOT_CONFIRMED, told only to whoever has what was given out.
        """
        for tenant in tenants:
            found = await read_invitation(self._ledger, tenant, invitation)
            if found is None:
                continue
            given = [
                commitment(tenant, half, code)
                for half, code in zip(HALVES, (administrator, officer), strict=True)
            ]
            if [*found.commitments] != given[: len(found.commitments)]:
                break
            self.require_open(found)
            if found.confirmed_by is None:
                raise FailedPrecondition("CODE_NOT_CONFIRMED")
            return found
        raise Unauthenticated("CODE_WRONG")

    def require_open(self, found: Invitation) -> None:
        if found.over:
            raise FailedPrecondition("CODE_OVER")
        if found.expires <= stamp(self._now()):
            raise FailedPrecondition("CODE_EXPIRED")

    def binding(
        self, found: Invitation, account: Account, terms: Terms, key: ReviewerKey, more: dict[str, Any]
    ) -> tuple[list[PendingEntry], list[Expectation]]:
        """The entries by which the person binds the key, and what must hold: nobody was faster, nobody has that key,
        and the identity is as it was.
        """
        actor, moment = f"human:{found.user}", self._now()
        enrolled = {
            **key.to_json(),
            "user": found.user,
            "roles": sorted(terms.roles),
            "not_after": terms.signs_until,
            "proofed_by": found.confirmed_by,
            "issued_by": found.issued_by,
            "invitation": found.invitation,
            **more,
        }
        bound = {
            "user": found.user,
            "credential": found.invitation,
            "kind": PASSKEY,
            "key_id": key.key_id,
        }
        own = invitation_stream(found.invitation)
        pending = [
            PendingEntry("credential.bound", own, actor, None, bound, occurred_at=moment),
            PendingEntry("key.enrolled", key_stream(key.key_id), actor, None, enrolled, occurred_at=moment),
        ]
        expect = [
            Expectation(own, found.version),
            Expectation(key_stream(key.key_id), 0),
            Expectation(user_stream(found.user), account.version),
        ]
        return pending, expect

    # -- inside

    async def _permit(
        self, principal: Principal, action: str, name: str, authors: Sequence[str] = ()
    ) -> None:
        resource = Resource.user(name, tenant=principal.tenant, authors=authors)
        await self._authorizer.require(action, resource, principal)

    async def _person(self, tenant: str, name: str) -> Account:
        """Somebody whose identity is in force; only people have passkeys."""
        account = await read_account(self._ledger, tenant, name)
        if account is None:
            raise NotFound("UNKNOWN_USER")
        require_person(account)
        return account

    async def _append(
        self,
        principal: Principal,
        invitation: str,
        body: dict[str, Any],
        expect: Sequence[Expectation],
        once: Once,
        code: str,
    ) -> Half:
        tenant, stream = principal.tenant, invitation_stream(invitation)
        entry = PendingEntry(
            "credential.issued", stream, principal.actor, None, body, occurred_at=self._now()
        )
        append = self._ledger.append(
            tenant, [entry], expect=expect, claim=once.claim(stream), rows=rows_of_append([entry])
        )
        index = await index_of(self._ledger, tenant, once, append, Aborted("USER_CHANGED"))
        stored = await self._ledger.get_entry(tenant, index)
        # The same request at the same moment: only the code of the one that was recorded opens anything.
        ours = stored.body["commitment"] == body["commitment"]
        return await self._half(tenant, stored, code if ours else "")

    async def _answered(self, tenant: str, once: Once) -> Half | None:
        indexes = await answered(self._ledger, tenant, once)
        if indexes is None:
            return None
        return await self._half(tenant, await self._ledger.get_entry(tenant, indexes[0]), "")

    async def _half(self, tenant: str, entry: Entry, code: str) -> Half:
        found = await read_invitation(self._ledger, tenant, str(entry.body["credential"]))
        assert found is not None
        return Half(found, code, entry.index)


def require_person(account: Account) -> None:
    """Raises FailedPrecondition unless the account is a person's and in force."""
    if account.state is State.REVOKED:
        raise FailedPrecondition("USER_REVOKED")
    if account.kind != "human":
        raise FailedPrecondition("NOT_A_PERSON")
    if account.in_force is None:
        raise FailedPrecondition("USER_NOT_PROOFED")


def _fold(tenant: str, invitation: str, entries: Iterable[Entry]) -> Invitation | None:
    found: Invitation | None = None
    for version, entry in enumerate(entries, 1):
        body, who = entry.body, entry.actor.partition(":")[2]
        if entry.type == "credential.issued" and body["half"] == ADMINISTRATOR:
            found = Invitation(
                invitation,
                tenant,
                user=str(body["user"]),
                version=version,
                expires=str(body["expires"]),
                issued_by=who,
                commitments=(str(body["commitment"]),),
            )
            continue
        assert found is not None
        confirmed, halves, over = found.confirmed_by, found.commitments, True
        if entry.type == "credential.issued":
            confirmed, halves, over = who, (*halves, str(body["commitment"])), found.over
        found = Invitation(
            invitation, tenant, found.user, version, found.expires, found.issued_by, halves, confirmed, over
        )
    return found

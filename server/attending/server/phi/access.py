"""Access to personal content as entries of the tenant's log: what was given to whom, for which purpose, about whom.

Every call that gives personal content first gets a `Permit` (a purpose that the policies allow the caller), then
appends its entry, and only then gives the content: where the entry cannot be made durable, nothing is given. No
setting, header or field turns that off. A crash after the entry leaves an access on record of what nobody received.

An entry names the person by the pseudonym of its log, so that an accounting for one patient is a walk over entries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from attending.ledger.entry import PendingEntry
from attending.ledger.ledger import Ledger
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.context import current_decision, current_principal
from attending.server.auth.principal import Principal
from attending.server.errors import InvalidRequest
from attending.server.phi.purpose import BY_NUMBER, Purpose

Kind = Literal["access.viewed", "access.searched", "access.revealed", "access.exported"]
"""viewed: content was shown. searched: a person was looked for, found or not. revealed: content was given with the salt
that opens its commitment, so that its holder can prove it to others. exported: content left in a file."""

PURPOSE_FIELD: Final = "purpose_of_use"


@dataclass(frozen=True, slots=True)
class Permit:
    """Who may be given personal content by the running call, and for which purpose."""

    principal: Principal
    action: str
    purpose: Purpose


class PhiAccess:
    """The one place where accesses are permitted and recorded. Holds no state; one a component is as good as one."""

    def __init__(self, ledger: Ledger, authorizer: Authorizer, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._authorizer = authorizer
        self._now = now

    async def misused(self, principal: Principal, action: str, reason: str) -> None:
        """`Authorizer.misused`, for whoever gives personal content against a proof."""
        await self._authorizer.misused(principal, action, reason)

    async def permit(self, requested: int, field: str = PURPOSE_FIELD) -> Permit:
        """The permit of the running call for the purpose that it asks with, by its number on the wire.

        An application that names none asks with the purpose that its configuration declares; a person names one.
        Raises InvalidRequest (none, or an unknown one), PermissionDenied (not a purpose of the caller's roles).
        """
        principal = current_principal()
        purpose = BY_NUMBER.get(requested)
        if purpose is None and not requested and principal.default_purpose is not None:
            purpose = Purpose(principal.default_purpose)
        if purpose is None:
            known = ", ".join(f"PURPOSE_OF_USE_{known.name}" for known in Purpose)
            raise InvalidRequest([(field, f"is required, and one of {known}")])
        return await self.permit_for(purpose)

    async def permit_for(self, purpose: Purpose) -> Permit:
        """The permit of the running call for `purpose`, where the call itself says why. Raises PermissionDenied."""
        principal, action = current_principal(), current_decision().action
        await self._authorizer.require(
            action, Resource.log(principal.tenant), principal, purpose=purpose.value
        )
        return Permit(principal, action, purpose)

    async def record(
        self, permit: Permit, kind: Kind, what: str, *, subject: str | None, about: Mapping[str, Any]
    ) -> None:
        """Returns when the access is durable; content may be given only then. Raises the ledger's errors.

        `what` is the kind of thing that is given, `about` ids and counts that say which one; `subject` the pseudonym of
        the person whom it is about, None when it is about nobody that the log knows.
        """
        entry = self.entry(permit, kind, what, subject=subject, about=about)
        await self._ledger.append(permit.principal.tenant, [entry])

    def entry(
        self, permit: Permit, kind: Kind, what: str, *, subject: str | None, about: Mapping[str, Any]
    ) -> PendingEntry:
        """The entry of an access, for a caller that appends it together with a claim."""
        return PendingEntry(
            type=kind,
            stream=stream_of(permit.principal),
            actor=permit.principal.actor,
            subject=subject,
            body={
                "what": what,
                "action": permit.action,
                PURPOSE_FIELD: permit.purpose.value,
                **about,
            },
            occurred_at=self._now(),
        )


def stream_of(principal: Principal) -> str:
    """The stream of everything that one principal looked at; denials stand in it too."""
    return f"access/{principal.name}"

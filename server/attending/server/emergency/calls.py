"""Every call of somebody who has emergency access, as an entry before the call is let in."""

from __future__ import annotations

from attending.ledger.entry import PendingEntry
from attending.ledger.ledger import Ledger
from attending.server.auth.context import AccessDecision
from attending.server.auth.principal import Principal
from attending.server.phi.purpose import Purpose


class LedgerEmergencies:
    """Appends `access.viewed` for a call that was let in; durable when it returns, raises the ledger's errors.

    Its stream is the access, so that who reviews it finds every call in one place. What the call gives of personal
    content is recorded besides, with the same id.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def __call__(self, principal: Principal, decision: AccessDecision) -> None:
        entry = PendingEntry(
            type="access.viewed",
            stream=f"access/{principal.emergency}",
            actor=principal.actor,
            subject=None,
            body={
                "what": "call",
                "action": decision.action,
                "purpose_of_use": Purpose.EMERGENCY_TREATMENT.value,
                "emergency": principal.emergency,
                "policy_ids": list(decision.policy_ids),
            },
        )
        await self._ledger.append(principal.tenant, [entry])

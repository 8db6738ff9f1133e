"""Denied calls as entries of the tenant's log: who asked for what, and which policies said no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attending.ledger.entry import PendingEntry
from attending.server.auth.context import AccessDecision
from attending.server.auth.principal import Principal

if TYPE_CHECKING:
    from attending.ledger.ledger import Ledger


class LedgerDenials:
    """Appends `access.denied`; durable when the call returns, raises the ledger's errors."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def __call__(self, principal: Principal, decision: AccessDecision) -> None:
        entry = PendingEntry(
            type="access.denied",
            stream=f"access/{principal.name}",
            actor=principal.actor,
            subject=None,
            body={
                "action": decision.action,
                "principal": principal.name,
                "roles": sorted(principal.roles),
                "credential": principal.credential,
                "policy_ids": list(decision.policy_ids),
                "evaluation_errors": decision.errors,
            }
            | ({} if decision.purpose is None else {"purpose_of_use": decision.purpose}),
        )
        await self._ledger.append(principal.tenant, [entry])

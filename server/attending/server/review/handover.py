"""Giving an item to others: back to the queue, to a colleague, or up to those whom the policy names."""

from __future__ import annotations

from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import InvalidRequest
from attending.server.idempotency import Once
from attending.server.review import machine
from attending.server.review.item import ESCALATE_CODES, HANDOVER_CODES, Item
from attending.server.review.load import Load
from attending.server.review.note import note_payload, note_violations

DEFAULT_ESCALATION = ("safety_officer",)
"""Who is asked where the policy names nobody, or is not loaded any more."""


class Handover(Load):
    """Every step here ends the caller's lease. What was disposed of stays disposed of."""

    async def release_lease(
        self, principal: Principal, ticket_id: str, lease_id: str, once: Once
    ) -> tuple[Item, int, int]:
        """The item is free again; returns it, its version and the entry's index."""
        if (index := await self._done(principal, once)) is not None:
            return await self._answer(principal, ticket_id, index)
        item, version = await self.item(principal.tenant, ticket_id)
        machine.release_lease(item, principal, lease_id, self._now())
        entry = self._entry(principal, "review.reassigned", item, {"to": None, "reason_code": "returned"})
        return await self._step(principal, item, version, [entry], once)

    async def reassign(
        self,
        principal: Principal,
        ticket_id: str,
        lease_id: str,
        to: str | None,
        reason_code: str,
        note: str,
        once: Once,
    ) -> tuple[Item, int, int]:
        """Reserves the item for `to` for the configured time; after it anybody may claim it. None for the colleague who
        has least to do (`load.Load.least_loaded`).

        `lease_id` is the caller's lease, empty when nobody has claimed it. NotFound (UNKNOWN_REVIEWER);
        FailedPrecondition (REVIEWER_CANNOT_SIGN) when role, licence, competency or an earlier signature stands in
        their way.
        """
        violations = _coded(reason_code, HANDOVER_CODES) + note_violations(note)
        if to is not None and to in ("", principal.name):
            violations.append(("to", "must name somebody else"))
        if violations:
            raise InvalidRequest(violations)
        now = self._now()
        if (index := await self._done(principal, once)) is not None:
            return await self._answer(principal, ticket_id, index)
        item, version = await self.item(principal.tenant, ticket_id)
        if to is None:
            # Asked for again where the item has changed meanwhile; who else hands on at the moment may name the same.
            to = await self.least_loaded(principal, item)
        machine.reassign(item, principal, lease_id, self._person(principal.tenant, to), now)
        body = {"to": to, "until": stamp(now + self._assignment), "reason_code": reason_code}
        entry = self._entry(principal, "review.reassigned", item, body, *note_payload(note))
        return await self._step(principal, item, version, [entry], once)

    async def escalate(
        self,
        principal: Principal,
        ticket_id: str,
        lease_id: str,
        reason_code: str,
        note: str,
        once: Once,
    ) -> tuple[Item, int, int]:
        """Passes the item on to the roles that the policy names for it. Somebody else who may sign decides then; the
        caller only when it is reassigned to them.
        """
        if violations := _coded(reason_code, ESCALATE_CODES) + note_violations(note):
            raise InvalidRequest(violations)
        if (index := await self._done(principal, once)) is not None:
            return await self._answer(principal, ticket_id, index)
        item, version = await self.item(principal.tenant, ticket_id)
        now = self._now()
        machine.escalate(item, principal, lease_id, now)
        policy = self._policies.get(item.policy)
        escalation = None if policy is None else policy.escalation
        roles = DEFAULT_ESCALATION if escalation is None else escalation.roles_at(now)
        body = {"to_roles": list(roles), "reason_code": reason_code}
        entry = self._entry(principal, "review.escalated", item, body, *note_payload(note))
        return await self._step(principal, item, version, [entry], once)

    def _person(self, tenant: str, name: str) -> Principal | None:
        return next((one for one in self._people() if one.tenant == tenant and one.name == name), None)


def _coded(reason_code: str, codes: frozenset[str]) -> list[tuple[str, str]]:
    return [] if reason_code in codes else [("reason_code", "must be one of " + ", ".join(sorted(codes)))]

"""How a reviewer ends an item without a signature."""

from __future__ import annotations

from attending.server.auth.principal import Principal
from attending.server.errors import InvalidRequest
from attending.server.idempotency import Once
from attending.server.inference.states import State, require
from attending.server.review import machine
from attending.server.review.item import Item
from attending.server.review.note import note_payload, rejection_violations
from attending.server.review.record import Record


class Endings(Record):
    """Rejecting an item."""

    async def reject(
        self,
        principal: Principal,
        ticket_id: str,
        lease_id: str,
        reason_code: str,
        note: str,
        once: Once,
    ) -> tuple[Item, int, int]:
        if violations := rejection_violations(reason_code, note):
            raise InvalidRequest(violations)
        if (index := await self._done(principal, once)) is not None:
            return await self._answer(principal, ticket_id, index)
        item, version = await self.item(principal.tenant, ticket_id)
        machine.reject(item, principal, lease_id, self._now())
        require(State.HELD, "review.rejected")
        noted = note_payload(note)
        entry = self._entry(principal, "review.rejected", item, {"reason_code": reason_code}, *noted)
        if (mark := await self._mark(principal.tenant, item)) is not None:
            entry = self._debrief(
                item, mark, principal.actor, "rejected", reason_code=reason_code, note=noted
            )
        return await self._step(principal, item, version, [entry], once)

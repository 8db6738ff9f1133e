"""How an item ends without a signature: rejected by a reviewer, or expired."""

from __future__ import annotations

from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import InvalidRequest
from attending.server.idempotency import Once
from attending.server.inference.states import State, require
from attending.server.replay.reducers import rows_of_append
from attending.server.review import machine
from attending.server.review.item import REJECT_CODES, Item
from attending.server.review.note import note_payload, note_violations
from attending.server.review.record import Record
from sqlalchemy import select

_ITEMS = projections.review_item


class Endings(Record):
    """Rejecting an item, and closing those whose time is over."""

    async def reject(
        self,
        principal: Principal,
        ticket_id: str,
        lease_id: str,
        reason_code: str,
        note: str,
        once: Once,
    ) -> tuple[Item, int, int]:
        if reason_code not in REJECT_CODES:
            raise InvalidRequest([("reason_code", "must be one of " + ", ".join(sorted(REJECT_CODES)))])
        if violations := note_violations(note):
            raise InvalidRequest(violations)
        if (index := await self._done(principal, once)) is not None:
            return (*await self.item(principal.tenant, ticket_id), index)
        item, version = await self.item(principal.tenant, ticket_id)
        machine.reject(item, principal, lease_id, self._now())
        require(State.HELD, "review.rejected")
        entry = self._entry(
            principal, "review.rejected", item, {"reason_code": reason_code}, *note_payload(note)
        )
        return await self._step(principal, item, version, [entry], once)

    async def expire_due(self, tenant: str, owner: str) -> int:
        """Expires every item whose time is over; returns how many. A signature that came first wins."""
        now = stamp(self._now())
        rows = await self._ledger.query(
            select(_ITEMS.c.ticket_id).where(
                _ITEMS.c.log_id == tenant, _ITEMS.c.state == "held", _ITEMS.c.expires_at <= now
            )
        )
        expired = 0
        for row in rows:
            # Read again with its version: it may have been signed since the list was made.
            item, version = await self.item(tenant, row[0])
            if item.state != "held":
                continue
            require(State.HELD, "review.expired")
            entry = PendingEntry(
                type="review.expired",
                stream=item.inference_id,
                actor=f"system:{owner}",
                subject=None,
                body={"ticket": item.ticket_id},
                occurred_at=self._now(),
            )
            try:
                await self._ledger.append(
                    tenant,
                    [entry],
                    expect=[Expectation(item.inference_id, version)],
                    rows=rows_of_append([entry]),
                )
            except ExpectationFailed:
                continue
            self._changes.announce(tenant, item.inference_id)
            expired += 1
        return expired

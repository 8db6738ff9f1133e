"""What the server does by itself once an item's time has come, at any hour: it escalates, and at last closes.

Both moments stand in the entry that held the text, so they are those that were promised, whatever policy is in force by
then, and a server that was down does at its start what fell due meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from attending.ledger.entry import PendingEntry
from attending.server import projections
from attending.server.clock import stamp
from attending.server.inference.states import State, require
from attending.server.review.item import Item
from attending.server.review.record import Record
from sqlalchemy import ColumnElement, select

_ITEMS = projections.review_item
MOST_AT_ONCE: Final = 500
"""Items of one tenant in one sweep: the next sweep takes the rest, and other tenants are not kept waiting."""
TOO_LONG: Final = "sla"
"""The reason code of an escalation by the server."""


class Due(Record):
    """The sweeps; safe beside others and beside people: each step is conditional, and who came first wins."""

    async def expire_due(self, tenant: str, owner: str) -> int:
        """Expires items whose time is over; returns how many. A signature that came first wins."""
        require(State.HELD, "review.expired")
        return await self._each(
            tenant, owner, _ITEMS.c.expires_at <= stamp(self._now()), "review.expired", lambda _item: {}
        )

    async def escalate_due(self, tenant: str, owner: str) -> int:
        """Escalates items that nobody has decided on after their policy's `escalation.after_minutes`, once each;
        returns how many. Whoever holds the lease keeps it.
        """
        now = stamp(self._now())
        return await self._each(
            tenant,
            owner,
            (_ITEMS.c.escalates_at <= now) & (_ITEMS.c.expires_at > now),
            "review.escalated",
            lambda item: {"to_roles": list(item.escalates_to), "reason_code": TOO_LONG},
        )

    async def _each(
        self,
        tenant: str,
        owner: str,
        due: ColumnElement[bool],
        kind: str,
        body: Callable[[Item], Mapping[str, Any]],
    ) -> int:
        rows = await self._ledger.query(
            select(_ITEMS.c.ticket_id)
            .where(_ITEMS.c.log_id == tenant, _ITEMS.c.state == "held", due)
            .order_by(_ITEMS.c.priority)
            .limit(MOST_AT_ONCE)
        )
        done = 0
        for row in rows:
            # Read again with its version: it may have been signed, or escalated elsewhere, since the list was made.
            item, version = await self.item(tenant, row[0])
            if item.state != "held" or (kind == "review.escalated" and item.escalates_at is None):
                continue
            if (mark := await self._mark(tenant, item)) is not None:
                # Nobody is called to a text that nobody waits for, and at its end it is opened like any other.
                if kind == "review.expired":
                    done += await self._end_practice(tenant, item, version, mark, "not_read")
                continue
            entry = PendingEntry(
                type=kind,
                stream=item.inference_id,
                actor=f"system:{owner}",
                subject=None,
                body={"ticket": item.ticket_id, **body(item)},
                occurred_at=self._now(),
            )
            done += await self._unless_moved(tenant, item, version, entry)
        return done

    async def take_back(self, tenant: str, ticket_id: str) -> bool:
        """Ends a practice item that nobody works on, undecided; whether it did. Anything else is left alone."""
        item, version = await self.item(tenant, ticket_id)
        mark = await self._mark(tenant, item)
        if mark is None or item.state != "held" or item.leased(stamp(self._now())):
            return False
        return await self._end_practice(tenant, item, version, mark, "not_read")

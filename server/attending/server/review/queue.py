"""What waits, and looking into it."""

from __future__ import annotations

from attending.server import projections
from attending.server.clock import stamp
from attending.server.phi.access import Permit
from attending.server.review.case import Case
from attending.server.review.item import Item
from attending.server.review.record import Record
from sqlalchemy import func, select

_ITEMS = projections.review_item


class Queue(Record):
    """The reading half of the desk."""

    async def queue(
        self, tenant: str, policy: str | None, states: tuple[str, ...], limit: int, offset: int
    ) -> tuple[list[tuple[Item, int]], int]:
        """Waiting items with their versions, most severe and most urgent first, and how many there are."""
        where = [
            _ITEMS.c.log_id == tenant,
            _ITEMS.c.state.in_(states),
            _ITEMS.c.expires_at > stamp(self._now()),
        ]
        if policy:
            where.append(_ITEMS.c.policy == policy)
        rows = await self._ledger.query(
            select(_ITEMS)
            .where(*where)
            .order_by(_ITEMS.c.severity_rank.desc(), _ITEMS.c.due_at, _ITEMS.c.ticket_id)
            .limit(limit)
            .offset(offset)
        )
        total = await self._ledger.query(select(func.count()).select_from(_ITEMS).where(*where))
        items = [Item.from_row(row._mapping) for row in rows]
        versions = [await self._ledger.stream_version(tenant, item.inference_id) for item in items]
        return list(zip(items, versions, strict=True)), int(total[0][0]) if total else 0

    async def view(self, permit: Permit, ticket_id: str) -> Case:
        """The whole case. The look is an entry before anything is shown."""
        case = await self._case(permit.principal.tenant, ticket_id)
        await self._phi.record(permit, "access.viewed", "case", subject=case.row["subject"], about=case.about)
        return case

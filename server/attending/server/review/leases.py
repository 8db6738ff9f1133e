"""Leases: who works on an item, and until when."""

from __future__ import annotations

import secrets
from datetime import datetime

from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import Aborted, FailedPrecondition
from attending.server.idempotency import Once
from attending.server.review import machine
from attending.server.review.item import Item
from attending.server.review.record import Record
from sqlalchemy import select

_PRACTICE = projections.practice_item


class Leases(Record):
    """Claiming an item and keeping it."""

    async def claim(self, principal: Principal, ticket_id: str, once: Once) -> tuple[Item, int, int]:
        """Leases the item; returns it, its version and the entry's index. FailedPrecondition while leased."""
        now = self._now()
        if (index := await self._done(principal, once)) is not None:
            return await self._leased(principal, ticket_id, index)
        item, version = await self.item(principal.tenant, ticket_id)
        machine.claim(item, principal, now)
        await self._require_new_practice(principal, item, version)
        return await self._lease_step(principal, item, version, now, f"lse_{secrets.token_hex(16)}", once)

    async def renew(
        self, principal: Principal, ticket_id: str, lease_id: str, once: Once
    ) -> tuple[Item, int, int]:
        now = self._now()
        if (index := await self._done(principal, once)) is not None:
            return await self._leased(principal, ticket_id, index)
        item, version = await self.item(principal.tenant, ticket_id)
        machine.require_lease(item, principal, lease_id, now)
        return await self._lease_step(principal, item, version, now, lease_id, once)

    async def _lease_step(
        self,
        principal: Principal,
        item: Item,
        version: int,
        now: datetime,
        lease_id: str,
        once: Once,
    ) -> tuple[Item, int, int]:
        until = stamp(now + self._lease)
        entry = self._entry(
            principal,
            "review.claimed",
            item,
            {"lease": lease_id, "lease_expires_at": until, "renewed": item.lease_id == lease_id},
        )
        return await self._step(principal, item, version, [entry], once)

    async def _require_new_practice(self, principal: Principal, item: Item, version: int) -> None:
        """Takes a seeded item back that the caller has met before, so that nobody is tried with one twice; Aborted
        (ITEM_CHANGED), as when somebody else had been quicker.
        """
        mark = await self._mark(principal.tenant, item)
        if mark is None or not mark.seeded or not await self._has_met(principal, mark.item):
            return
        await self._end_practice(principal.tenant, item, version, mark, "not_read")
        raise Aborted("ITEM_CHANGED")

    async def _has_met(self, principal: Principal, name: str) -> bool:
        rows = await self._ledger.query(
            select(_PRACTICE.c.inference_id)
            .where(
                _PRACTICE.c.log_id == principal.tenant,
                _PRACTICE.c.reader == principal.name,
                _PRACTICE.c.item == name,
            )
            .limit(1)
        )
        return bool(rows)

    async def _leased(self, principal: Principal, ticket_id: str, index: int) -> tuple[Item, int, int]:
        """The answer to a repeated claim or renewal, as long as the lease is still the caller's."""
        item, version = await self.item(principal.tenant, ticket_id)
        if item.claimed_by != principal.name:
            raise FailedPrecondition("LEASE_NOT_HELD")
        return item.seen_by(principal.name), version, index

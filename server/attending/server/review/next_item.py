"""The next item for somebody: the most urgent one that they may sign, leased to them and to nobody else."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied
from attending.server.idempotency import Once
from attending.server.review import machine
from attending.server.review.item import Item
from attending.server.review.leases import Leases
from attending.server.review.queue import Queue, Wanted
from sqlalchemy import func, select

_ITEMS, _INFERENCES = projections.review_item, projections.inference
_CANDIDATES: Final = 20
"""Items looked at in one go; whoever loses a race for one tries the one after it."""
_LOST: Final = frozenset({"ITEM_CHANGED", "ALREADY_CLAIMED", "RESERVED"})
"""Somebody else was there first."""
_PASSED_OVER: Final = _LOST | {
    "ILLEGAL_TRANSITION",
    "REVIEW_EXPIRED",
    "ESCALATED_BY_YOU",
    "READ_BEFORE",
    "SKILL_WANTED",
}
_ROUNDS: Final = 10
"""Goes, after which somebody who lost every race is told to ask again."""


class NextItem(Queue, Leases):
    """Taking work from the top, so that nobody chooses the easy ones and two never take the same."""

    async def claim_next(
        self, principal: Principal, once: Once, *, policy: str | None = None, least_severity: int = 0
    ) -> tuple[Item, int, int]:
        """Leases the first item in the order of the queue that `principal` could claim and sign, of one policy and from
        one severity where given; returns it, its version and the entry's index.

        NotFound (NOTHING_WAITS). FailedPrecondition (HELD_ENOUGH): something waits, but of its policies the caller
        holds `sign_offs.max_held` items already. That bounds what one call after the other may take, to leave the rest
        for others; calls of one person at the same moment may go past it by one each. Aborted (ITEM_CHANGED).
        """
        if (index := await self._done(principal, once)) is None:
            now = self._now()
            wanted = Wanted(
                policy=policy, least_severity=least_severity, claimable=True, free=True, who=principal
            )
            full = await self._full(principal, now)
            index = await self._first_of(principal, replace(wanted, without=full), once)
            if index is None and full and (await self._signable(principal, wanted, "")) != ([], ""):
                raise FailedPrecondition("HELD_ENOUGH", metadata={"policies": ",".join(full)})
            if index is None:
                raise NotFound("NOTHING_WAITS")
        # The entry says which item it was: a call with the same key at the same time may have taken it.
        [entry] = await self._ledger.list_entries(principal.tenant, index, 1)
        return await self._leased(principal, str(entry.body["ticket"]), index)

    async def _first_of(self, principal: Principal, wanted: Wanted, once: Once) -> int | None:
        """Index of the entry that leases the first item that nobody else takes meanwhile, None when there is none."""
        after, lost = "", False
        for _round in range(_ROUNDS):
            items, following = await self._signable(principal, wanted, after)
            for item in items:
                try:
                    return await self._lease_one(principal, item.ticket_id, once)
                except (Aborted, FailedPrecondition) as err:
                    if err.reason not in _PASSED_OVER:
                        raise
                    lost = lost or err.reason in _LOST
            if not following and not lost:
                return None
            # From the top again once a race was lost: what stood there may be free again.
            after, lost = ("" if lost else following), False
        raise Aborted("ITEM_CHANGED")

    async def _lease_one(self, principal: Principal, ticket_id: str, once: Once) -> int:
        """Index of the entry of a new lease; that of the same call's, of whichever item, where it was carried out
        meanwhile.
        """
        if (index := await self._done(principal, once)) is not None:
            return index
        now = self._now()
        item, version = await self.item(principal.tenant, ticket_id)
        machine.claim(item, principal, now)
        await self._require_new_practice(principal, item, version)
        lease = f"lse_{secrets.token_hex(16)}"
        return (await self._lease_step(principal, item, version, now, lease, once))[2]

    async def _signable(self, principal: Principal, wanted: Wanted, after: str) -> tuple[list[Item], str]:
        """Of the next candidates those that the caller may sign, and where to go on; PermissionDenied when their
        licence or competency is over.
        """
        page = await self.queue(principal.tenant, wanted, _CANDIDATES, after)
        items = [item for item, _version in page.items]
        rows = await self._ledger.query(
            select(_INFERENCES.c.inference_id, _INFERENCES.c.on_behalf_of).where(
                _INFERENCES.c.log_id == principal.tenant,
                _INFERENCES.c.inference_id.in_([item.inference_id for item in items]),
            )
        )
        authors = {row._mapping["inference_id"]: row._mapping["on_behalf_of"] for row in rows}
        for item in items:
            machine.require_reviewer(item, principal, self._now())
        return [item for item in items if not _wrote(item, principal, authors)], page.following

    async def _full(self, principal: Principal, now: datetime) -> tuple[str, ...]:
        """Policies of whose items the caller holds as many as they say that one person should."""
        rows = await self._ledger.query(
            select(_ITEMS.c.policy, func.count().label("held"))
            .where(
                _ITEMS.c.log_id == principal.tenant,
                _ITEMS.c.claimed_by == principal.name,
                _ITEMS.c.lease_expires_at > stamp(now),
                _ITEMS.c.state == "held",
            )
            .group_by(_ITEMS.c.policy)
        )
        held = {str(row._mapping["policy"]): row._mapping["held"] for row in rows}
        return tuple(sorted(name for name, count in held.items() if count >= self._most(name)))

    def _most(self, name: str) -> float:
        policy = self._policies.get(name)
        most = None if policy is None else policy.sign_offs.max_held
        return float("inf") if most is None else most


def _wrote(item: Item, principal: Principal, authors: Mapping[str, str | None]) -> bool:
    try:
        machine.require_not_author(
            item, principal, authors.get(item.inference_id), author_may_sign=item.author_may_sign
        )
    except PermissionDenied:
        return True
    return False

"""Who has how much to do: the colleagues to whom an item may be handed, the least loaded first.

Work is taken, not dealt out: `ClaimNext` gives to whoever asks, and a policy's `max_held` bounds what one person holds.
What is handed on is dealt out, so the desk says who has least. Nobody's shift is known here: whom the list names may
not be there, and the reservation ends by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import AttendingError, FailedPrecondition
from attending.server.review import machine
from attending.server.review.item import Item
from attending.server.review.record import Record
from sqlalchemy import Select, func, select

_ITEMS, _INFERENCES = projections.review_item, projections.inference
_SIGNATURES = projections.review_signature
LATELY: Final = timedelta(hours=24)
MOST_NAMED: Final = 200
"""Colleagues in an answer; who has more to do than so many others is not the one to ask."""
_PART: Final = 500
"""Names in one statement."""


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody to whom an item may be handed. `held` are items that they hold or that are kept for them now,
    `signed_lately` their signatures of the last 24 hours.
    """

    name: str
    display_name: str
    held: int
    signed_lately: int


class Load(Record):
    """Reading how much people have to do."""

    async def colleagues(self, principal: Principal, item: Item) -> list[Colleague]:
        """Those to whom `principal` may hand the item, the least loaded first, MOST_NAMED at most; nobody where they
        may not hand it on, and while it is read blind.

        Of equals another one comes first for each item: people who hand on several at once hand them to several.
        """
        now, tenant = self._now(), principal.tenant
        author = await self._author(tenant, item)
        able = [
            one
            for one in self._people()
            if (one.tenant, one.kind) == (tenant, "human")
            and one.name != principal.name
            and self._may_be_handed(principal, item, one, author)
        ]
        held, signed = await asyncio.gather(
            self._held([one.name for one in able], tenant, stamp(now)),
            self._signed([one.name for one in able], tenant, stamp(now - LATELY)),
        )
        found = [
            Colleague(one.name, one.display_name, held.get(one.name, 0), signed.get(one.name, 0))
            for one in able
        ]
        found.sort(key=lambda one: (one.held, one.signed_lately, _lot(item.ticket_id, one.name)))
        return found[:MOST_NAMED]

    async def least_loaded(self, principal: Principal, item: Item) -> str:
        """The first of them. FailedPrecondition (NOBODY_TO_HAND_TO)."""
        found = await self.colleagues(principal, item)
        if not found:
            raise FailedPrecondition("NOBODY_TO_HAND_TO")
        return found[0].name

    def _may_be_handed(self, by: Principal, item: Item, to: Principal, author: str | None) -> bool:
        try:
            # Under the lease that there is, if it is theirs; the step itself asks again.
            machine.reassign(item, by, item.lease_id or "", to, self._now())
            machine.require_not_author(item, to, author, author_may_sign=item.author_may_sign)
        except AttendingError:
            return False
        return True

    async def _author(self, tenant: str, item: Item) -> str | None:
        rows = await self._ledger.query(
            select(_INFERENCES.c.on_behalf_of).where(
                _INFERENCES.c.log_id == tenant, _INFERENCES.c.inference_id == item.inference_id
            )
        )
        return rows[0]._mapping["on_behalf_of"] if rows else None

    async def _held(self, names: list[str], tenant: str, now: str) -> dict[str, int]:
        """Items by who holds them or for whom they are kept; one that is both is one person's."""
        of_tenant = (_ITEMS.c.log_id == tenant, _ITEMS.c.state == "held")
        held = select(_ITEMS.c.claimed_by.label("name"), func.count().label("number")).where(
            *of_tenant, _ITEMS.c.lease_expires_at > now
        )
        kept = select(_ITEMS.c.assigned_to.label("name"), func.count().label("number")).where(
            *of_tenant, _ITEMS.c.assigned_until > now
        )
        found: dict[str, int] = {}
        for start in range(0, len(names), _PART):
            part = names[start : start + _PART]
            for half, who in ((held, _ITEMS.c.claimed_by), (kept, _ITEMS.c.assigned_to)):
                await self._add(found, half.where(who.in_(part)).group_by(who))
        return found

    async def _signed(self, names: list[str], tenant: str, since: str) -> dict[str, int]:
        found: dict[str, int] = {}
        for start in range(0, len(names), _PART):
            counted = (
                select(_SIGNATURES.c.signer.label("name"), func.count().label("number"))
                .where(
                    _SIGNATURES.c.log_id == tenant,
                    _SIGNATURES.c.signer.in_(names[start : start + _PART]),
                    _SIGNATURES.c.signed_at > since,
                )
                .group_by(_SIGNATURES.c.signer)
            )
            await self._add(found, counted)
        return found

    async def _add(self, found: dict[str, int], counted: Select[Any]) -> None:
        for row in await self._ledger.query(counted):
            name = str(row._mapping["name"])
            found[name] = found.get(name, 0) + int(row._mapping["number"])


def _lot(ticket_id: str, name: str) -> bytes:
    return hashlib.sha256(f"{ticket_id}/{name}".encode()).digest()

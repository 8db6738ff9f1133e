"""The first item of somebody who has never signed: one text of a made-up patient, marked openly, for them alone.

Offered once they look at their queue. Its id follows from who it is for and how many they were offered before, so that
of two looks at once one makes it; one that ran out unread is followed by another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import structlog
from attending.guardrails.policy.schema import Policy
from attending.guardrails.pool import GuardError
from attending.ledger.errors import LedgerError
from attending.ledger.ledger import Ledger
from attending.ledger.practice import OPEN
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.errors import AttendingError
from attending.server.inference.call import new_id
from attending.server.practice.catalogue import PracticeItem
from attending.server.practice.mark import Mark
from attending.server.practice.opening import Openings
from sqlalchemy import func, select

log = structlog.get_logger()

_ITEMS, _PRACTICE, _SIGNATURES = (
    projections.review_item,
    projections.practice_item,
    projections.review_signature,
)
_REVIEWERS: Final = frozenset({"clinician", "pharmacist"})
_TAG: Final = b"attending-newcomer/1\n"


class Newcomers:
    """One instance a server process."""

    def __init__(
        self,
        ledger: Ledger,
        openings: Openings,
        policies: Mapping[str, Policy],
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._openings = openings
        self._policies = policies
        self._now = now
        self._settled: set[tuple[str, str]] = set()
        """Who is no newcomer any more: a signature and a debrief stay."""

    async def offer(self, who: Principal) -> str | None:
        """The ticket of the practice item that waits for `who`, made now where they never signed and have had none;
        None where there is none for them. That it cannot be made keeps nobody from their work, and is logged.
        """
        slot = (who.tenant, who.name)
        if slot in self._settled or who.kind != "human" or not who.roles & _REVIEWERS:
            return None
        if not (who.licence_valid(self._now()) and who.competency_valid(self._now())):
            return None
        # INVARIANT: how many they were given is read before what waits is. An item that is made in between, by another
        # window or process, is either seen to wait or has the id of the one that is made here.
        given = await self._given(who)
        waiting = await self._waiting(who)
        if waiting is not None:
            return waiting
        if await self._experienced(who):
            self._settled.add(slot)
            return None
        try:
            for item in self._fitting(who):
                if await self._open(who, item, given):
                    break
        except (AttendingError, GuardError, LedgerError) as err:
            log.warning("practice.not_offered", reason=getattr(err, "reason", type(err).__name__))
        return await self._waiting(who)

    async def _waiting(self, who: Principal) -> str | None:
        rows = await self._ledger.query(
            select(_ITEMS.c.ticket_id)
            .select_from(
                _PRACTICE.join(
                    _ITEMS,
                    (_ITEMS.c.log_id == _PRACTICE.c.log_id) & (_ITEMS.c.ticket_id == _PRACTICE.c.ticket_id),
                )
            )
            .where(
                _PRACTICE.c.log_id == who.tenant,
                _PRACTICE.c.offered_to == who.name,
                _ITEMS.c.state == "held",
            )
            .limit(1)
        )
        return str(rows[0][0]) if rows else None

    async def _experienced(self, who: Principal) -> bool:
        """Whether they have signed, or decided on a practice item before."""
        signed = select(_SIGNATURES.c.nonce).where(
            _SIGNATURES.c.log_id == who.tenant, _SIGNATURES.c.signer == who.name
        )
        practised = select(_PRACTICE.c.inference_id).where(
            _PRACTICE.c.log_id == who.tenant, _PRACTICE.c.reader == who.name
        )
        return any([await self._ledger.query(query.limit(1)) for query in (signed, practised)])

    def _fitting(self, who: Principal) -> list[PracticeItem]:
        """Items that people begin with, of use cases that are served and that `who` may sign."""
        return [
            item
            for item in self._openings.catalogue.items_in_order
            if item.newcomer
            and (policy := self._policies.get(item.policy)) is not None
            and who.roles & set(policy.sign_offs.roles)
        ]

    async def _given(self, who: Principal) -> int:
        """How many practice items they were given."""
        rows = await self._ledger.query(
            select(func.count())
            .select_from(_PRACTICE)
            .where(_PRACTICE.c.log_id == who.tenant, _PRACTICE.c.offered_to == who.name)
        )
        return int(rows[0][0]) if rows else 0

    async def _open(self, who: Principal, item: PracticeItem, given: int) -> bool:
        name = f"{who.tenant}\n{who.name}\n{given}".encode()
        return await self._openings.open(
            who.tenant,
            self._policies[item.policy],
            item,
            inference_id="inf_" + hashlib.sha256(_TAG + name).digest()[:16].hex(),
            ticket=new_id("tkt"),
            mark=Mark(OPEN, item.id, self._openings.catalogue.hash),
            reader=who,
        )

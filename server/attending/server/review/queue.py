"""What waits, and looking into it."""

from __future__ import annotations

import asyncio
import heapq
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import attrgetter
from typing import Final

from attending.ledger.entry import Entry
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.errors import InvalidRequest
from attending.server.phi.access import Permit
from attending.server.review import machine
from attending.server.review.case import Case
from attending.server.review.item import Item
from attending.server.review.opinion import Opinions
from attending.server.review.order import LONGEST_HEAD_START
from attending.server.review.signatures import Signature, printed_names, signatures_in
from sqlalchemy import ColumnElement, and_, func, literal, not_, or_, select, tuple_

_ITEMS = projections.review_item
_LONGEST_LIFE: Final = timedelta(days=90)
"""The most that a policy may say as `expiry_minutes`."""
COUNTED: Final = 1_000
"""How far the items on all pages are counted: a longer queue is counted by nobody, and costs a page as much as all else
together.
"""
_MOST_MINE: Final = 2_000
"""More than one person ever holds; what a statement takes as values has an end."""
_TOKEN: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)~([a-z0-9_]{1,40})")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items: every condition that is given must hold.

    `mine` are those that `who` holds or that are kept for them, `claimable` those that they could claim now; `overdue`
    are past the policy's promise. `least_severity` is a rank of `Severity`, `free` are those
    that nobody holds, `without` names policies left out; `subjects` are those whom it may be about; `practice` is
    whether one's own practice item is among them.
    """

    states: tuple[str, ...] = ("held",)
    policy: str | None = None
    least_severity: int = 0
    escalated: bool = False
    overdue: bool = False
    mine: bool = False
    claimable: bool = False
    free: bool = False
    practice: bool = True
    without: tuple[str, ...] = ()
    subjects: frozenset[str] | None = None
    who: Principal | None = None


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Items with the versions of their streams, how many there are on all pages, and what the next page is asked for
    by: empty on the last.

    `total` is exact up to COUNTED; with `more` it is COUNTED, and there are more.
    """

    items: tuple[tuple[Item, int], ...]
    total: int
    more: bool
    following: str


class Queue(Opinions):
    """The reading half of the desk."""

    async def queue(self, tenant: str, wanted: Wanted, limit: int, after: str = "") -> QueuePage:
        """Waiting items, those to be looked at soonest first. `after` is the `following` of the page before.

        A page costs the same wherever it lies: it is found by its place in the order, not counted from the top. An item
        that is added or leaves meanwhile neither shifts nor repeats another.
        """
        now = self._now()
        where = [
            _ITEMS.c.log_id == tenant,
            _ITEMS.c.expires_at > stamp(now),
            # Follows from the line above; keeps what expired long ago out of the scan.
            _ITEMS.c.priority > stamp(now - _LONGEST_LIFE - LONGEST_HEAD_START),
            *_conditions(wanted, stamp(now)),
            _of(wanted.who if wanted.practice else None),
        ]
        if wanted.mine and wanted.who is not None:
            where.append(_ITEMS.c.ticket_id.in_(await self._tickets(tenant, wanted.who.name, stamp(now))))
        place = [] if not after else [tuple_(_ITEMS.c.priority, _ITEMS.c.ticket_id) > _place(after)]
        found = await asyncio.gather(
            *(self._first(_state(wanted) == state, [*where, *place], limit + 1) for state in wanted.states)
        )
        items = list(heapq.merge(*found, key=attrgetter("priority", "ticket_id")))
        shown = items[:limit]
        counted = await self._count([*where, _state(wanted).in_(wanted.states)])
        versions = await self._ledger.stream_versions(tenant, [item.inference_id for item in shown])
        last = shown[-1] if len(items) > limit else None
        viewer = None if wanted.who is None else wanted.who.name
        return QueuePage(
            items=tuple((item.seen_by(viewer), versions[item.inference_id]) for item in shown),
            total=min(counted, COUNTED),
            more=counted > COUNTED,
            following="" if last is None else f"{last.priority}~{last.ticket_id}",
        )

    async def _first(
        self, state: ColumnElement[bool], where: Sequence[ColumnElement[bool]], limit: int
    ) -> list[Item]:
        # A state at a time: within one, the index has the order.
        rows = await self._ledger.query(
            select(_ITEMS).where(state, *where).order_by(_ITEMS.c.priority, _ITEMS.c.ticket_id).limit(limit)
        )
        return [Item.from_row(row._mapping) for row in rows]

    async def _tickets(self, tenant: str, name: str, now: str) -> list[str]:
        """What somebody holds or what is kept for them, each half by its index: few rows of a long queue. As values
        they are found by the key; as a subquery either database walks the whole queue while it has no statistics.
        """
        of_tenant = select(_ITEMS.c.ticket_id).where(_ITEMS.c.log_id == tenant)
        held = of_tenant.where(_ITEMS.c.claimed_by == name, _ITEMS.c.lease_expires_at > now)
        kept = of_tenant.where(_ITEMS.c.assigned_to == name, _ITEMS.c.assigned_until > now)
        rows = await asyncio.gather(*(self._ledger.query(half.limit(_MOST_MINE)) for half in (held, kept)))
        return [str(row[0]) for half in rows for row in half]

    async def _count(self, where: Sequence[ColumnElement[bool]]) -> int:
        """How many there are, at most one more than COUNTED."""
        few = select(_ITEMS.c.ticket_id).where(*where).limit(COUNTED + 1)
        counted = await self._ledger.query(select(func.count()).select_from(few.subquery()))
        # No row comes back where the store refuses a name that nothing can have.
        return int(counted[0][0]) if counted else 0

    async def tickets(self, tenant: str, inference_ids: Sequence[str]) -> dict[str, str]:
        """Ticket of each inference that has an item; what policy released has none."""
        if not inference_ids:
            return {}
        rows = await self._ledger.query(
            select(_ITEMS.c.inference_id, _ITEMS.c.ticket_id).where(
                _ITEMS.c.log_id == tenant, _ITEMS.c.inference_id.in_(inference_ids)
            )
        )
        return {row._mapping["inference_id"]: row._mapping["ticket_id"] for row in rows}

    async def subject_of(self, tenant: str, ticket_id: str) -> str | None:
        """The pseudonym of the person whom an item is about; None for nobody, and for no such ticket."""
        rows = await self._ledger.query(
            select(_ITEMS.c.subject).where(_ITEMS.c.log_id == tenant, _ITEMS.c.ticket_id == ticket_id)
        )
        return rows[0]._mapping["subject"] if rows else None

    async def view(self, permit: Permit, ticket_id: str) -> Case:
        """The whole case; of one that is read blind without what another reader made of it. The look is an entry before
        anything is shown.
        """
        case = await self._case(permit.principal.tenant, ticket_id)
        machine.require_own_practice(case.item, permit.principal)
        await self._phi.record(permit, "access.viewed", "case", subject=case.row["subject"], about=case.about)
        seen = replace(case, item=case.item.seen_by(permit.principal.name))
        return await self._revealed(permit.principal, seen)

    async def history(self, who: Principal, item: Item, *, withheld: bool = False) -> list[Entry]:
        """The entries about the item, as `who` may see them: while it is read blind, and while findings are `withheld`
        from them, of its review their own only.
        """
        entries = await self._ledger.whole_stream(who.tenant, item.inference_id)
        if not (item.reading or withheld):
            return entries
        return [one for one in entries if not one.type.startswith("review.") or one.actor == who.actor]

    async def signatures(self, who: Principal, case: Case) -> list[Signature]:
        """Signatures on the text of a case that `who` may see."""
        history = await self.history(who, case.item, withheld=case.withheld)
        return signatures_in(history, printed_names(self._people(), who.tenant))


def _state(wanted: Wanted) -> ColumnElement[str]:
    """The column; for `mine` as an expression that no index has, since SQLite would walk the whole order for a few rows
    that it finds at once by who holds them.
    """
    return _ITEMS.c.state + literal("") if wanted.mine else _ITEMS.c.state


def _of(who: Principal | None) -> ColumnElement[bool]:
    """Practice items are in the queue of whom they are for, and in no other."""
    nobodys = _ITEMS.c.practice_for.is_(None)
    return nobodys if who is None else or_(nobodys, _ITEMS.c.practice_for == who.name)


def _conditions(wanted: Wanted, now: str) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if wanted.policy:
        where.append(_ITEMS.c.policy == wanted.policy)
    if wanted.free:
        where.append(or_(_ITEMS.c.lease_expires_at.is_(None), _ITEMS.c.lease_expires_at <= now))
    if wanted.without:
        where.append(_ITEMS.c.policy.not_in(wanted.without))
    if wanted.subjects is not None:
        where.append(_ITEMS.c.subject.in_(sorted(wanted.subjects)))
    if wanted.least_severity:
        where.append(_ITEMS.c.severity_rank >= wanted.least_severity)
    if wanted.escalated:
        where.append(_ITEMS.c.escalated_at.is_not(None))
    if wanted.overdue:
        where.append(_ITEMS.c.due_at <= now)
    if wanted.claimable and wanted.who is not None:
        where.append(_claimable(wanted.who, now))
    return where


def _claimable(who: Principal, now: str) -> ColumnElement[bool]:
    """The row's half of `machine.claim`, which decides; a licence or competency that is over shows nothing less."""
    free = or_(
        _ITEMS.c.lease_expires_at.is_(None),
        _ITEMS.c.lease_expires_at <= now,
        _ITEMS.c.claimed_by == who.name,
    )
    open_to = or_(
        _ITEMS.c.assigned_until.is_(None),
        _ITEMS.c.assigned_until <= now,
        _ITEMS.c.assigned_to == who.name,
    )
    decided = f'"reader": {json.dumps(who.name)}, "meaning": "'
    return and_(
        free,
        open_to,
        or_(*(_names(_ITEMS.c.open_to, role) for role in sorted(who.roles)), literal(False)),
        not_(_names(_ITEMS.c.escalated_by, who.name)),
        not_(_ITEMS.c.signed_by.contains(f'"signer": {json.dumps(who.name)}', autoescape=True)),
        not_(and_(_ITEMS.c.adjudicated_by.is_(None), _ITEMS.c.reads.contains(decided, autoescape=True))),
    )


def _names(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether a column of names with commas between holds this one."""
    return (literal(",") + column + literal(",")).contains(f",{name},", autoescape=True)


def _place(token: str) -> tuple[str, str]:
    found = _TOKEN.fullmatch(token) if len(token) <= 80 else None
    if found is None:
        raise InvalidRequest([("page_token", "is not from a previous answer")])
    return found[1], found[2]

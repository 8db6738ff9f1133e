"""What falls due by itself is put on record, once each, and told like anything else that is on record.

Each has a stream of its own that takes one entry, so that of several processes one writes it, and none writes it again.
A server that was down puts on record at its start what fell due meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.clock import parse, stamp
from attending.server.config import NoticesSection
from attending.server.practice.mark import Marks
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import ColumnElement, Table, and_, select

MOST_AT_ONCE: Final = 500
_ITEMS, _DUE = projections.review_item, projections.notice_due
_RELEASES, _ACCESSES = projections.break_glass_release, projections.emergency_access


class DueDates:
    """Looks at one tenant after the other. One instance a server process."""

    def __init__(
        self,
        ledger: Ledger,
        section: NoticesSection,
        owner: str,
        now: Callable[[], datetime],
        marks: Marks | None = None,
    ) -> None:
        self._ledger = ledger
        self._marks = marks or Marks(ledger)
        self._near = timedelta(minutes=section.near_minutes)
        self._review_near = timedelta(hours=section.review_near_hours)
        self._owner = owner
        self._now = now

    async def sweep(self, tenant: str) -> int:
        """Puts on record what is due of the tenant; returns how much that was. Raises the ledger's errors."""
        now, done = self._now(), 0
        held = (_ITEMS.c.state == "held") & _ITEMS.c.practice_for.is_(None)
        items = (_ITEMS, _ITEMS.c.ticket_id, _ITEMS.c.due_at)
        for row in await self._open(tenant, "sla_near", *items, held, now + self._near):
            if self._is_near(row, now) and not await self._practice(tenant, row["ref"]):
                done += await self._record(tenant, "sla_near", row)
        for row in await self._open(tenant, "sla_over", *items, held, now):
            if not await self._practice(tenant, row["ref"]):
                done += await self._record(tenant, "sla_over", row)
        for table, ref in ((_RELEASES, _RELEASES.c.inference_id), (_ACCESSES, _ACCESSES.c.access_id)):
            reviews = (table, ref, table.c.review_due, table.c.reviewed_at.is_(None))
            for about, until in (("review_near", now + self._review_near), ("review_over", now)):
                for row in await self._open(tenant, about, *reviews, until):
                    done += await self._record(tenant, about, row)
        return done

    async def _practice(self, tenant: str, ticket: str) -> bool:
        """Whether it is a planted item, which no promise was made about. Of what can be opened no more people are
        told; an outage is raised, and the next sweep asks again.
        """
        rows = await self._ledger.query(
            select(_ITEMS.c.inference_id).where(_ITEMS.c.log_id == tenant, _ITEMS.c.ticket_id == ticket)
        )
        return await self._marks.where_open(tenant, str(rows[0][0])) is not None

    def _is_near(self, row: Any, now: datetime) -> bool:
        """Not before half of its time is over: of an urgent item everything would be near from the start."""
        held_at, due_at = parse(row["begun"]), parse(row["due_at"])
        return now >= max(due_at - self._near, held_at + (due_at - held_at) / 2)

    async def _open(
        self,
        tenant: str,
        about: str,
        table: Table,
        ref: ColumnElement[str],
        due_at: ColumnElement[str],
        waits: ColumnElement[bool],
        until: datetime,
    ) -> Iterator[Any]:
        """Rows due by `until` that wait and were not told so, the longest due first."""
        begun = table.c.held_at if table is _ITEMS else due_at
        query = (
            select(ref.label("ref"), due_at.label("due_at"), begun.label("begun"))
            .select_from(
                table.outerjoin(
                    _DUE,
                    and_(_DUE.c.log_id == table.c.log_id, _DUE.c.about == about, _DUE.c.ref == ref),
                )
            )
            .where(table.c.log_id == tenant, waits, due_at <= stamp(until), _DUE.c.ref.is_(None))
            .order_by(due_at)
            .limit(MOST_AT_ONCE)
        )
        return iter([row._mapping for row in await self._ledger.query(query)])

    async def _record(self, tenant: str, about: str, row: Any) -> int:
        entry = PendingEntry(
            type="notice.due",
            stream=f"due/{about}/{row['ref']}",
            actor=f"system:{self._owner}",
            subject=None,
            body={"about": about, "ref": row["ref"], "due_at": row["due_at"]},
            occurred_at=self._now(),
        )
        try:
            await self._ledger.append(
                tenant, [entry], expect=[Expectation(entry.stream, 0)], rows=rows_of_append([entry])
            )
        except ExpectationFailed:
            return 0
        return 1

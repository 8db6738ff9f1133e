"""What people do about notices: look how far each target is, have a dead letter sent again, have a test sent.

Both acts are an entry on the target's stream, and whoever sends finds them there like anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attending.ledger.entry import PendingEntry
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.config import NoticesSection
from attending.server.errors import Aborted, NotFound
from attending.server.idempotency import Once, answered, index_of
from attending.server.notices.outbox import Outbox, target_stream
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import RowMapping, select

_TARGETS, _DEAD = projections.notice_target, projections.notice_dead


@dataclass(frozen=True, slots=True)
class TargetState:
    """One target of one tenant. `row` is None before its first look at the log."""

    name: str
    kind: str
    events: tuple[str, ...]
    row: RowMapping | None
    waiting: int
    problem: str | None


class NoticeDesk:
    """Shared by all calls of one server process."""

    def __init__(
        self,
        ledger: Ledger,
        section: NoticesSection,
        outboxes: Sequence[Outbox],
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._events = {target.name: tuple(target.events) for target in section.targets}
        self._outboxes = {(outbox.tenant, outbox.delivery.name): outbox for outbox in outboxes}
        self._now = now

    async def targets(self, tenant: str, only: str | None) -> list[TargetState]:
        """The tenant's targets in the order of the configuration."""
        rows = await self._ledger.query(select(_TARGETS).where(_TARGETS.c.log_id == tenant))
        known = {row._mapping["target"]: row._mapping for row in rows}
        return [
            TargetState(
                name,
                outbox.delivery.kind,
                self._events.get(name, ()),
                known.get(name),
                outbox.waiting,
                outbox.problem,
            )
            for (owner, name), outbox in self._outboxes.items()
            if owner == tenant and only in (None, name)
        ]

    async def dead(self, tenant: str, only: str | None, *, limit: int, offset: int) -> list[RowMapping]:
        """Notices of the tenant that were given up, newest first; also of targets that are not configured any more."""
        where = [_DEAD.c.log_id == tenant]
        if only is not None:
            where.append(_DEAD.c.target == only)
        rows = await self._ledger.query(
            select(_DEAD)
            .where(*where)
            .order_by(_DEAD.c.failed_at.desc(), _DEAD.c.target, _DEAD.c.notice)
            .limit(limit)
            .offset(offset)
        )
        return [row._mapping for row in rows]

    async def retry(self, principal: Principal, target: str, notice: str, once: Once) -> int:
        """Index of `notice.retried`. NotFound (UNKNOWN_TARGET, UNKNOWN_NOTICE: no dead letter of it)."""
        tenant = principal.tenant
        version = await self._begin(tenant, target)
        if (done := await answered(self._ledger, tenant, once)) is not None:
            return done[0]
        rows = await self._ledger.query(
            select(_DEAD).where(_DEAD.c.log_id == tenant, _DEAD.c.target == target, _DEAD.c.notice == notice)
        )
        if not rows:
            raise NotFound("UNKNOWN_NOTICE")
        body = {"target": target, "notice": notice, "about": rows[0]._mapping["about_index"]}
        return await self._append(principal, "notice.retried", target, version, body, once)

    async def test(self, principal: Principal, target: str, once: Once) -> int:
        """Index of `notice.tested`. NotFound (UNKNOWN_TARGET)."""
        tenant = principal.tenant
        version = await self._begin(tenant, target)
        if (done := await answered(self._ledger, tenant, once)) is not None:
            return done[0]
        return await self._append(principal, "notice.tested", target, version, {"target": target}, once)

    async def _begin(self, tenant: str, target: str) -> int:
        if (tenant, target) not in self._outboxes:
            raise NotFound("UNKNOWN_TARGET")
        return await self._ledger.stream_version(tenant, target_stream(target))

    async def _append(
        self, principal: Principal, kind: str, target: str, version: int, body: Mapping[str, Any], once: Once
    ) -> int:
        stream = target_stream(target)
        entry = PendingEntry(
            type=kind,
            stream=stream,
            actor=principal.actor,
            subject=None,
            body=body,
            occurred_at=self._now(),
        )
        append = self._ledger.append(
            principal.tenant,
            [entry],
            expect=[Expectation(stream, version)],
            claim=once.claim(stream),
            rows=rows_of_append([entry]),
        )
        return await index_of(self._ledger, principal.tenant, once, append, Aborted("LOST_RACE"))

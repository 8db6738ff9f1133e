"""What the log has of a report: its row, the entries of its stream, and the one way to append to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.ledger import Ledger
from attending.ledger.report_signature import ISSUED, SIGNED_OFF, report_stream
from attending.ledger.submission import Expectation
from attending.ledger.vault import SealedPayload
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.errors import Aborted, FailedPrecondition, NotFound
from attending.server.idempotency import Once, index_of
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import ColumnElement, RowMapping, select

_REPORTS = projections.report


@dataclass(frozen=True, slots=True)
class Record:
    """Of all reports; holds no state."""

    ledger: Ledger
    now: Callable[[], datetime]

    async def row(self, tenant: str, report_id: str) -> RowMapping:
        """Its row. Raises NotFound (UNKNOWN_REPORT)."""
        rows = await self.ledger.query(
            select(_REPORTS).where(_REPORTS.c.log_id == tenant, _REPORTS.c.report_id == report_id)
        )
        if not rows:
            raise NotFound("UNKNOWN_REPORT")
        return rows[0]._mapping

    async def ids(self, tenant: str, *conditions: ColumnElement[bool]) -> list[str]:
        """Of the tenant's reports whose rows are so, in the order in which they were asked for."""
        query = select(_REPORTS.c.report_id).where(_REPORTS.c.log_id == tenant, *conditions)
        return [row[0] for row in await self.ledger.query(query.order_by(_REPORTS.c.requested_index))]

    async def in_state(self, tenant: str, report_id: str, *states: str) -> RowMapping:
        """Its row, where it is in one of the states. Raises NotFound, and FailedPrecondition with what it is in."""
        row = await self.row(tenant, report_id)
        if row["state"] in states:
            return row
        match row["state"]:
            case "requested":
                raise FailedPrecondition("REPORT_NOT_SIGNED_OFF")
            case "signed_off":
                raise FailedPrecondition("REPORT_SIGNED_OFF")
            case "discarded":
                raise FailedPrecondition("REPORT_DISCARDED")
            case _:
                raise FailedPrecondition("REPORT_ISSUED")

    async def requested(self, tenant: str, report_id: str) -> Entry:
        return (await self.ledger.stream_entries(tenant, report_stream(report_id), 0, 1))[0]

    async def signed_off(self, tenant: str, report_id: str) -> Entry:
        return await self._of_type(tenant, report_id, SIGNED_OFF)

    async def issued(self, tenant: str, report_id: str) -> Entry:
        return await self._of_type(tenant, report_id, ISSUED)

    async def issued_digest(self, tenant: str, report_id: str) -> str:
        return str((await self.issued(tenant, report_id)).body["pdf"])

    async def _of_type(self, tenant: str, report_id: str, kind: str) -> Entry:
        stream = await self.ledger.whole_stream(tenant, report_stream(report_id))
        return next(entry for entry in stream if entry.type == kind)

    async def append(
        self,
        principal: Principal,
        kind: str,
        report_id: str,
        body: dict[str, Any],
        version: int,
        once: Once,
        *more: Expectation,
        sealed: Sequence[SealedPayload] = (),
    ) -> Entry:
        """The entry, once it is durable; on condition that the stream has not moved. Raises Aborted (REPORT_MOVED)."""
        tenant, pending = principal.tenant, self.entry(principal.actor, kind, report_id, body, sealed)
        appending = self.ledger.append(
            tenant,
            [pending],
            expect=[Expectation(pending.stream, version), *more],
            claim=once.claim(pending.stream),
            rows=rows_of_append([pending]),
        )
        index = await index_of(self.ledger, tenant, once, appending, Aborted("REPORT_MOVED"))
        return await self.ledger.get_entry(tenant, index)

    def entry(
        self,
        actor: str,
        kind: str,
        report_id: str,
        body: dict[str, Any],
        sealed: Sequence[SealedPayload] = (),
    ) -> PendingEntry:
        return PendingEntry(
            type=kind,
            stream=report_stream(report_id),
            actor=actor,
            subject=None,
            body=body,
            payloads=tuple(sealed),
            occurred_at=self.now(),
        )

"""The end of a report that is not issued: somebody does not want it any more, or nobody signs it off in time.

That it is discarded is on record before its files go. A crash in between leaves files, which `tidy` finds, as it finds
those of a process that was making the report meanwhile.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.report_signature import DISCARDED, report_stream
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import stamp
from attending.server.idempotency import Once, answered
from attending.server.replay.reducers import rows_of_append
from attending.server.reports.record import Record
from attending.server.reports.workshop import Workshop

_WAITING: Final = ("requested", "signed_off")
"""States of a report that is not issued yet, and may be."""
_REPORTS = projections.report


@dataclass(frozen=True, slots=True)
class Discards:
    """Of all reports; holds no state."""

    record: Record
    workshop: Workshop

    async def discard(self, principal: Principal, report_id: str, once: Once) -> Entry:
        """Puts on record that the report is not wanted any more, and removes its files; the entry.

        Raises NotFound, FailedPrecondition (REPORT_ISSUED, REPORT_DISCARDED), Aborted (REPORT_MOVED).
        """
        tenant, ledger = principal.tenant, self.record.ledger
        if (done := await answered(ledger, tenant, once)) is not None:
            entry = await ledger.get_entry(tenant, done[0])
        else:
            version = await ledger.stream_version(tenant, report_stream(report_id))
            await self.record.in_state(tenant, report_id, *_WAITING)
            body = {"report": report_id, "reason": "not_wanted"}
            entry = await self.record.append(principal, DISCARDED, report_id, body, version, once)
        await self.workshop.discard(tenant, report_id)
        return entry

    async def expire(self, tenant: str, actor: str, before: datetime) -> int:
        """Discards what was asked for before that time and nobody has signed off; how many reports that were. Of
        several processes one does, and of an expiry and a signature at once one is on record. Raises the ledger's
        errors.
        """
        ledger, done = self.record.ledger, 0
        late = (_REPORTS.c.state == "requested", _REPORTS.c.requested_at < stamp(before))
        for report_id in await self.record.ids(tenant, *late):
            version = await ledger.stream_version(tenant, report_stream(report_id))
            if (await self.record.row(tenant, report_id))["state"] != "requested":
                continue
            body = {"report": report_id, "reason": "not_signed"}
            entry = self.record.entry(actor, DISCARDED, report_id, body)
            with suppress(ExpectationFailed):
                expected = [Expectation(entry.stream, version)]
                await ledger.append(tenant, [entry], expect=expected, rows=rows_of_append([entry]))
                done += 1
        return done

    async def tidy(self, tenant: str) -> None:
        """Removes what is left of the files of discarded reports."""
        for report_id in await self.record.ids(tenant, _REPORTS.c.state == "discarded"):
            if self.workshop.place(tenant, report_id).exists():
                await self.workshop.discard(tenant, report_id)

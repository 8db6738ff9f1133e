"""What is known of one report beyond its row: its entries, and what its files say of the evidence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.report_signature import DISCLOSED, report_stream
from attending.server.auth.principal import Principal
from attending.server.reports.record import Record
from attending.server.reports.source import statistics_in
from attending.server.reports.verdict import VERDICT, Verdict, read_verdict
from attending.server.reports.workshop import BUNDLE, Workshop


@dataclass(frozen=True, slots=True)
class Look:
    """`stream` is the whole life of the report, oldest first. Verdict and statistics are None where their file is not
    there: not made yet, or gone to make room.
    """

    stream: Sequence[Entry]
    verdict: Verdict | None
    statistics: Mapping[str, Any] | None

    @property
    def requested(self) -> Entry:
        """The entry that asked for it."""
        return self.stream[0]


def drafts_given(stream: Iterable[Entry], principal: Principal) -> frozenset[str]:
    """Hex SHA-256 of each draft of a report that its entries say this person was given."""
    return frozenset(
        entry.body["sha256"]
        for entry in stream
        if entry.type == DISCLOSED and entry.actor == principal.actor and entry.body["what"] == "draft"
    )


async def look_at(record: Record, workshop: Workshop, tenant: str, report_id: str) -> Look:
    """A report that is on record. Makes nothing."""
    stream = await record.ledger.whole_stream(tenant, report_stream(report_id))
    place = workshop.place(tenant, report_id)
    verdict = await asyncio.to_thread(read_verdict, place / VERDICT)
    return Look(stream, verdict, await asyncio.to_thread(_statistics, place / BUNDLE))


def _statistics(path: Path) -> Mapping[str, Any] | None:
    try:
        found = json.loads(statistics_in(path))
    except (OSError, ValueError, VerificationError):
        return None
    return found if isinstance(found, dict) else None

"""Closes what a dead server left open: every inference without a verdict becomes ABANDONED, by conditional append.

On SQLite one process owns the folder by an operating-system lock, so at start every open inference belongs to an
owner that is no more. An entry that the dead owner managed to append makes the condition fail, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.inference.states import State, require
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import select

log = structlog.get_logger()


async def abandon_orphans(
    ledger: Ledger, tenants: Sequence[str], owner: str, now: Callable[[], datetime]
) -> int:
    """Abandons each open inference of another owner; returns how many. Run before the server answers calls."""
    table = projections.inference
    abandoned = 0
    for tenant in tenants:
        rows = await ledger.query(
            select(table).where(
                table.c.log_id == tenant, table.c.state == State.RECEIVED.value, table.c.owner != owner
            )
        )
        for row in rows:
            found = row._mapping
            inference_id = found["inference_id"]
            entry = PendingEntry(
                type="inference.abandoned",
                stream=inference_id,
                actor=f"system:{owner}",
                subject=found["subject"],
                body={"reason": "OWNER_GONE", "former_owner": found["owner"]},
                occurred_at=now(),
            )
            require(State.RECEIVED, entry.type)
            # The version first, the state second: what is appended after the first read fails the condition.
            version = await ledger.stream_version(tenant, inference_id)
            if not await still_open(ledger, tenant, inference_id):
                continue
            try:
                await ledger.append(
                    tenant,
                    [entry],
                    expect=[Expectation(inference_id, version)],
                    rows=rows_of_append([entry]),
                )
            except ExpectationFailed:
                continue
            abandoned += 1
    if abandoned:
        log.warning("recovery.abandoned", count=abandoned)
    return abandoned


async def still_open(ledger: Ledger, tenant: str, inference_id: str) -> bool:
    """Whether the inference is on record and has no verdict and no closing entry yet."""
    table = projections.inference
    rows = await ledger.query(
        select(table.c.state).where(table.c.log_id == tenant, table.c.inference_id == inference_id)
    )
    return bool(rows) and rows[0][0] == State.RECEIVED.value

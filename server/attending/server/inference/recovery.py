"""Closes what a dead server left open: every inference without a verdict becomes ABANDONED, by conditional append.

Whether an owner is dead is for `owners` to say. The stream's version decides between its last words and this: exactly
one of a verdict and an abandonment is appended, and a verdict that comes later goes on record as `inference.late`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.inference.owners import Owners
from attending.server.inference.states import State, require
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import RowMapping, select

log = structlog.get_logger()


async def abandon_orphans(
    ledger: Ledger, tenants: Sequence[str], owners: Owners, now: Callable[[], datetime]
) -> int:
    """Abandons each open inference of an owner that is gone; returns how many.

    Run at start, and again and again where several processes share the ledger. Safe to run in all of them at once.
    Raises the ledger's errors; what was abandoned by then stays so.
    """
    table = projections.inference
    found: list[RowMapping] = []
    for tenant in tenants:
        rows = await ledger.query(
            select(table).where(
                table.c.log_id == tenant, table.c.state == State.RECEIVED.value, table.c.owner != owners.owner
            )
        )
        found += [row._mapping for row in rows]
    if not found:
        return 0
    # INVARIANT: asked after the rows were read. An owner that comes back beats before it begins anything, so that no
    # row of its new life is among those of an owner found gone.
    gone = await owners.gone({row["owner"] for row in found})
    abandoned: Counter[str] = Counter()
    try:
        for row in found:
            if row["owner"] in gone and await _abandon(ledger, row, owners.owner, now):
                abandoned[row["owner"]] += 1
    finally:
        for former, count in abandoned.items():
            log.warning("recovery.abandoned", owner=former, count=count)
    return abandoned.total()


async def _abandon(ledger: Ledger, row: RowMapping, owner: str, now: Callable[[], datetime]) -> bool:
    tenant, inference_id = row["log_id"], row["inference_id"]
    entry = PendingEntry(
        type="inference.abandoned",
        stream=inference_id,
        actor=f"system:{owner}",
        subject=row["subject"],
        body={"reason": "OWNER_GONE", "former_owner": row["owner"]},
        occurred_at=now(),
    )
    require(State.RECEIVED, entry.type)
    # The version first, the state second: what is appended after the first read fails the condition.
    version = await ledger.stream_version(tenant, inference_id)
    if not await still_open(ledger, tenant, inference_id):
        return False
    try:
        await ledger.append(
            tenant, [entry], expect=[Expectation(inference_id, version)], rows=rows_of_append([entry])
        )
    except ExpectationFailed:
        return False
    return True


async def still_open(ledger: Ledger, tenant: str, inference_id: str) -> bool:
    """Whether the inference is on record and has no verdict and no closing entry yet."""
    table = projections.inference
    rows = await ledger.query(
        select(table.c.state).where(table.c.log_id == tenant, table.c.inference_id == inference_id)
    )
    return bool(rows) and rows[0][0] == State.RECEIVED.value

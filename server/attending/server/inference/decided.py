"""Decisions of reviewers that still stand: found by the digest of their finding, and asked for again by their entry.

A decision stands while the text that it was made over is released on its signatures and was not taken back, nobody who
read it again said otherwise, and nobody has said since of the same finding that it is to be fixed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.clock import stamp
from sqlalchemy import ColumnElement, RowMapping, and_, exists, select

_DECIDED, _ITEMS = projections.decided_finding, projections.review_item
_GLASS, _READS = projections.break_glass_release, projections.second_read
KEEPS: Final = frozenset({"accepted_risk", "false_alarm"})
"""Dispositions with a reason that leave the text as it is; what is fixed is gone from it."""
LONGEST: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Decision:
    """One that stands: the entry that made it, and the inference it was about."""

    digest: str
    inference: str
    entry: int
    severity: str
    made_at: str


class Decisions:
    """Looks at what reviewers of one log decided; safe from any task."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def find(
        self, tenant: str, digests: Collection[str], now: datetime, days: int
    ) -> tuple[dict[str, Decision], tuple[Expectation, ...]]:
        """The newest decision that stands for each digest and is at most so many days old, and what an append has to
        expect that rests on them: that nothing has happened to their inferences since.
        """
        oldest = stamp(now - min(timedelta(days=days), LONGEST))
        where = and_(_DECIDED.c.digest.in_(sorted(digests)), _DECIDED.c.made_at > oldest)
        found, expect = await self._standing(tenant, where)
        # In the order in which they were made: the newest of each stays.
        return {one.digest: one for one in found}, expect

    async def standing(
        self, tenant: str, entries: Collection[int]
    ) -> tuple[frozenset[int], tuple[Expectation, ...]]:
        """Which of the decisions made by these entries stand, and what an append has to expect that rests on them."""
        found, expect = await self._standing(tenant, _DECIDED.c.entry_index.in_(sorted(entries)))
        return frozenset(one.entry for one in found), expect

    async def _standing(
        self, tenant: str, where: ColumnElement[bool]
    ) -> tuple[list[Decision], tuple[Expectation, ...]]:
        first = await self._query(tenant, where)
        if not first:
            return [], ()
        # INVARIANT: what is answered was read after the versions that an append expects: whatever happens to a decision
        # from then on makes the append fail.
        versions = await self._ledger.stream_versions(tenant, {one.inference for one in first})
        found = [one for one in await self._query(tenant, where) if one.inference in versions]
        streams = sorted({one.inference for one in found})
        return found, tuple(Expectation(stream, versions[stream]) for stream in streams)

    async def _query(self, tenant: str, where: ColumnElement[bool]) -> list[Decision]:
        glass = exists().where(
            _GLASS.c.log_id == _DECIDED.c.log_id, _GLASS.c.inference_id == _DECIDED.c.inference_id
        )
        doubted = exists().where(
            _READS.c.log_id == _DECIDED.c.log_id,
            _READS.c.inference_id == _DECIDED.c.inference_id,
            _READS.c.answer.is_not(None),
            _READS.c.answer != "approved",
        )
        later = _DECIDED.alias("later")
        # Whether or not their text went out: they did not share the decision.
        overruled = exists().where(
            later.c.log_id == _DECIDED.c.log_id,
            later.c.digest == _DECIDED.c.digest,
            later.c.entry_index > _DECIDED.c.entry_index,
            later.c.disposition.not_in(sorted(KEEPS)),
        )
        rows = await self._ledger.query(
            select(_DECIDED)
            .join(
                _ITEMS,
                and_(_ITEMS.c.log_id == _DECIDED.c.log_id, _ITEMS.c.ticket_id == _DECIDED.c.ticket_id),
            )
            .where(
                _DECIDED.c.log_id == tenant,
                where,
                _DECIDED.c.disposition.in_(sorted(KEEPS)),
                _ITEMS.c.state == "released",
                # Facts that a reviewer added are no part of what a later call is judged by.
                _ITEMS.c.facts_record.is_(None),
                ~glass,
                ~doubted,
                ~overruled,
            )
            .order_by(_DECIDED.c.made_at, _DECIDED.c.entry_index)
        )
        return [_decision(row._mapping) for row in rows]


def _decision(row: RowMapping) -> Decision:
    return Decision(
        digest=row["digest"],
        inference=row["inference_id"],
        entry=row["entry_index"],
        severity=row["severity"],
        made_at=row["made_at"],
    )

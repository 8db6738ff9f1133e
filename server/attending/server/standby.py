"""What a policy in mode observe or advise would have held or blocked, and released: counts, reviewer hours, ids.

The verdict on record is that of the findings, before the mode; what was released against it says `not_enforced`. Counts
are read from the entries, so they need no table of their own, and are bounded: the newest of a period are looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.clock import stamp
from attending.server.simulation.period import Period
from attending.server.simulation.recorded import minutes_of, worst_of
from attending.server.simulation.tally import LEAST_REVIEWS
from sqlalchemy import ColumnElement, func, select

_INFERENCE, _ITEM = projections.inference, projections.review_item
MOST: Final = 1_000
"""Released texts of a period whose entries are read, the newest; what there are more is counted and no more."""
MOST_REVIEWS: Final = 100
LISTED: Final = 200
_STREAM: Final = 1_000


@dataclass(frozen=True, slots=True)
class Standby:
    """A period of one policy. `outputs` are its calls that were decided, `passed` those of them released against the
    verdict; `looked_at` of `passed` are in the counts. `hours_a_day` is what reading those that would have been held
    costs, None where the time of a review is not known. `ids` are the newest, (inference, verdict).
    """

    outputs: int
    passed: int
    looked_at: int
    held: int
    blocked: int
    codes: Counter[str]
    severities: Counter[str]
    minutes: float | None
    reviews: int
    hours_a_day: float | None
    ids: tuple[tuple[str, str], ...] = field(default=())


class StandbyFigures:
    """One a server process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def of(self, tenant: str, policy: str, over: Period, minutes: float | None) -> Standby:
        """The figures over calls that began in the period. `minutes` of a review, the median on record when None."""
        chosen = [
            _INFERENCE.c.log_id == tenant,
            _INFERENCE.c.policy == policy,
            _INFERENCE.c.requested_at >= stamp(over.since),
            _INFERENCE.c.requested_at < stamp(over.until),
            _INFERENCE.c.result_record.is_not(None),
        ]
        passed = [*chosen, _INFERENCE.c.not_enforced.is_(True)]
        rows = await self._ledger.query(
            select(_INFERENCE.c.inference_id)
            .where(*passed)
            .order_by(_INFERENCE.c.requested_index.desc())
            .limit(MOST)
        )
        would: Counter[str] = Counter()
        codes: Counter[str] = Counter()
        severities: Counter[str] = Counter()
        ids: list[tuple[str, str]] = []
        for row in rows:
            generated = await self._generated(tenant, str(row[0]))
            if generated is None:
                continue
            verdict = would_be(generated)
            would[verdict] += 1
            codes.update(generated.body["findings"]["by_code"].keys())
            worst = worst_of(generated.body["findings"]["by_severity"])
            severities["none" if worst is None else worst.value] += 1
            if len(ids) < LISTED:
                ids.append((str(row[0]), verdict))
        count, reviews = await self._count(passed), await self._reviews(tenant, policy)
        if minutes is None and len(reviews) >= LEAST_REVIEWS:
            minutes = median(reviews)
        hours = None
        if minutes is not None and would.total() == count:
            hours = round(would["hold"] * minutes / 60 / over.days, 2)
        return Standby(
            outputs=await self._count(chosen),
            passed=count,
            looked_at=would.total(),
            held=would["hold"],
            blocked=would["block"],
            codes=codes,
            severities=severities,
            minutes=minutes,
            reviews=len(reviews),
            hours_a_day=hours,
            ids=tuple(ids),
        )

    async def _generated(self, tenant: str, inference: str) -> Entry | None:
        entries = await self._ledger.stream_entries(tenant, inference, 0, _STREAM)
        return next((entry for entry in entries if entry.type == "inference.generated"), None)

    async def _count(self, chosen: Sequence[ColumnElement[bool]]) -> int:
        rows = await self._ledger.query(select(func.count()).select_from(_INFERENCE).where(*chosen))
        return int(rows[0][0])

    async def _reviews(self, tenant: str, policy: str) -> list[float]:
        """Minutes of the newest reviews of this policy's texts: those that a mode does not release are held."""
        rows = await self._ledger.query(
            select(_ITEM.c.inference_id)
            .where(
                _ITEM.c.log_id == tenant,
                _ITEM.c.policy == policy,
                _ITEM.c.state.in_(("released", "rejected")),
            )
            .order_by(_ITEM.c.held_at.desc())
            .limit(MOST_REVIEWS)
        )
        found = []
        for row in rows:
            entries = await self._ledger.stream_entries(tenant, str(row[0]), 0, _STREAM)
            took = minutes_of(entries)
            if took is not None:
                found.append(took)
        return found


def would_be(generated: Entry) -> str:
    """`hold` or `block`: what enforcing would have made of a text that was released against its verdict."""
    return "block" if generated.body["verdict"] == "block" else "hold"

"""A policy's hazards with what was seen of each in a period: how often, and how often it reached nobody unreviewed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from attending.guardrails.evaluation.wilson import Proportion
from attending.guardrails.policy.hazards import Hazard, load_hazards
from attending.guardrails.policy.problem import PolicyError
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.clock import stamp
from attending.server.errors import NotFound
from attending.server.practice.mark import Marks
from sqlalchemy import ColumnElement, and_, func, or_, select

_INFERENCE = projections.inference
_CODE = projections.reported_code
_ITEM = projections.review_item


@dataclass(frozen=True, slots=True)
class Seen:
    """One hazard. `reported` are calls in which one of its codes was reported, of all that were decided; `stopped` are
    those of them whose text was held or blocked. What no rail reported is in neither: only cases tell what rails miss.
    """

    hazard: Hazard
    reported: Proportion
    stopped: Proportion


@dataclass(frozen=True, slots=True)
class Hazards:
    """`outputs` are the policy's calls of the period that were decided, `recalled` those of them taken back since."""

    outputs: int
    recalled: int
    seen: tuple[Seen, ...]


class LiveHazards:
    """One a server process."""

    def __init__(self, ledger: Ledger, folder: Path, marks: Marks | None = None) -> None:
        """`folder` is where the policies lie."""
        self._ledger = ledger
        self._folder = folder
        self._marks = marks or Marks(ledger)

    async def of(self, tenant: str, policy: str, since: datetime, until: datetime) -> Hazards:
        """The hazards of a policy over calls that began in the period, `until` not in it. NotFound (UNKNOWN_POLICY)."""
        try:
            log = await asyncio.to_thread(load_hazards, self._folder / policy)
        except PolicyError:
            raise NotFound("UNKNOWN_POLICY") from None
        chosen = [
            _INFERENCE.c.log_id == tenant,
            _INFERENCE.c.policy == policy,
            _INFERENCE.c.requested_at >= stamp(since),
            _INFERENCE.c.requested_at < stamp(until),
            _INFERENCE.c.result_record.is_not(None),
            # What was read for practice says nothing of what the model writes.
            _INFERENCE.c.state != "debriefed",
            _INFERENCE.c.entry_point != "practice",
            _INFERENCE.c.inference_id.not_in(list(await self._marks.waiting(tenant, policy))),
        ]
        outputs = await self._count(chosen)
        recalled = await self._count([*chosen, _INFERENCE.c.state == "withdrawn"])
        seen = []
        for hazard in log:
            reported, stopped = await self._reported(chosen, [code.value for code in hazard.codes])
            seen.append(Seen(hazard, Proportion(reported, outputs), Proportion(stopped, reported)))
        return Hazards(outputs, recalled, tuple(seen))

    async def _count(self, chosen: Iterable[ColumnElement[bool]]) -> int:
        rows = await self._ledger.query(select(func.count()).select_from(_INFERENCE).where(*chosen))
        return int(rows[0][0])

    async def _reported(self, chosen: Iterable[ColumnElement[bool]], codes: list[str]) -> tuple[int, int]:
        of_code = and_(
            _CODE.c.log_id == _INFERENCE.c.log_id,
            _CODE.c.inference_id == _INFERENCE.c.inference_id,
            _CODE.c.code.in_(codes),
        )
        one = select(_CODE.c.code).where(of_code).exists()
        held = select(_ITEM.c.ticket_id).where(
            _ITEM.c.log_id == _INFERENCE.c.log_id, _ITEM.c.inference_id == _INFERENCE.c.inference_id
        )
        stopped = or_(_INFERENCE.c.state == "blocked", held.exists())
        return await self._count([*chosen, one]), await self._count([*chosen, one, stopped])

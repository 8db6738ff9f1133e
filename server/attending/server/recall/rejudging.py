"""Released texts judged again under the drug knowledge that people put in force: who would not be released is proposed
for recall, one entry each, and one at the end says how far it came.

Nothing is kept beside the log. What is due is read from it: an activation by two people, of another pack than the one
before, without its `knowledge.rejudged`. A crash leaves some of the proposals; the next run begins again and passes
over what it finds proposed. An activation that comes meanwhile makes the run's end fail, and is due itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Policy
from attending.guardrails.pool import GuardError, GuardPool
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.errors import ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.ledger.verify.activations import KNOWLEDGE, version_of
from attending.server import projections
from attending.server.content_hash import digits
from attending.server.inference.states import State
from attending.server.inference.watch import Changes
from attending.server.recall.worklist import OPEN, REJUDGED
from attending.server.replay.reducers import rows_of_append
from attending.server.simulation.period import Period
from attending.server.simulation.recorded import LedgerRecord, Recording
from attending.server.simulation.replay import Recall, replay
from attending.server.simulation.tally import Tally
from sqlalchemy import func, select

log = structlog.get_logger()

_INFERENCES, _CANDIDATES = projections.inference, projections.recall_candidate
NICENESS: Final = 10
"""Of the one check process: calls go first."""
TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Due:
    """An activation whose released texts are to be judged again. `moves` is the length of the stream it stands in."""

    activation: Entry
    moves: int

    @property
    def knowledge_hash(self) -> str:
        return version_of(self.activation) or ""


class Rejudging:
    """One a server process. Belongs to one event loop; one run at a time."""

    def __init__(
        self,
        ledger: Ledger,
        changes: Changes,
        served: Callable[[], Mapping[str, Policy]],
        pool: Callable[[], GuardPool],
        policies: Callable[[], PolicySet],
        owner: str,
        days: int,
        now: Callable[[], datetime],
    ) -> None:
        """`pool` and `policies` are of what lies in the server's folders, `served` the policies that it serves."""
        self._ledger = ledger
        self._changes = changes
        self._served = served
        self._pool = pool
        self._policies = policies
        self._owner = owner
        self._days = days
        self._now = now
        # Length of the stream of activations up to which nothing is due.
        self._settled: dict[str, int] = {}

    async def due(self, tenant: str) -> Due | None:
        """The activation that waits for its run, None where none does."""
        moves = await self._ledger.stream_version(tenant, KNOWLEDGE)
        if self._settled.get(tenant) == moves or not self._days:
            return None
        entries = await self._ledger.whole_stream(tenant, KNOWLEDGE)
        found = [entry for entry in entries if entry.type == "knowledge.activated"]
        # What two people only confirmed is in force since another entry: judged is what that one replaced.
        while len(found) > 1 and version_of(found[-1]) == version_of(found[-2]):
            found.pop()
        # What a first start put there replaces nothing that texts were released under.
        replaces = len(found) > 1 and found[-1].body.get("by") == "two_people"
        if replaces and found[-1].index not in await self._ended(tenant):
            return Due(found[-1], len(entries))
        self._settled[tenant] = len(entries)
        return None

    async def run(self, tenant: str, due: Due) -> Tally | None:
        """Judges again what was released before; None where it cannot be now: calls from before the activation are
        still under way, or another pack lies in the folder.

        Raises PolicyError, PackError, GuardError, OSError and the ledger's errors.
        """
        if await self._under_way(tenant, due):
            return None
        now, tally = self._now(), Tally()
        over = Period(now - timedelta(days=self._days), now)
        served, lying = self._served(), await asyncio.to_thread(self._policies)
        # A policy that lies there and is not served would judge by what nobody put in force.
        alike = {
            name: lying.loaded(name)
            for name, policy in lying.items()
            if name in served and served[name].hash == policy.hash
        }

        async def propose(recall: Recall) -> None:
            if digits(recall.knowledge_hash) != due.knowledge_hash:
                # A check process that was replaced has loaded what lies in the folder by now.
                raise GuardError("the knowledge changed on disk")
            await self._propose(tenant, due, recall)

        async with await asyncio.to_thread(self._pool) as pool:
            if digits(pool.knowledge_hash) != due.knowledge_hash:
                log.warning("recall.another_pack_in_folder", tenant=tenant)
                return None
            outputs = Recording(LedgerRecord(self._ledger, tenant, only_released=True)).outputs(over)
            await replay(
                pool, PolicySet(alike), outputs, tally, on_recall=propose, on_done=lambda _done: None
            )
            if digits(pool.knowledge_hash) != due.knowledge_hash:
                raise GuardError("the knowledge changed on disk")
        await self._end(tenant, due, over, tally)
        return tally

    async def _under_way(self, tenant: str, due: Due) -> bool:
        """Whether a call that began before the activation may still release something judged by the pack before."""
        rows = await self._ledger.query(
            select(func.count()).where(
                _INFERENCES.c.log_id == tenant,
                _INFERENCES.c.state == State.RECEIVED.value,
                _INFERENCES.c.requested_index < due.activation.index,
            )
        )
        return bool(rows[0][0])

    async def _propose(self, tenant: str, due: Due, recall: Recall) -> None:
        """One entry, on condition that the text is still released and was not proposed by this activation."""
        stream = recall.inference_id
        while True:
            # INVARIANT: the version is not newer than what is read after it.
            version = await self._ledger.stream_version(tenant, stream)
            if not await self._wanted(tenant, due, stream):
                return
            entry = PendingEntry(
                type="recall.proposed",
                stream=stream,
                actor=f"system:{self._owner}",
                subject=recall.subject,
                body={
                    "policy": recall.policy,
                    "released_by": recall.released_by,
                    "now": recall.now,
                    "codes": list(recall.codes),
                    "deliveries": recall.deliveries,
                    "activation": due.activation.index,
                    "knowledge_hash": due.knowledge_hash,
                },
                occurred_at=self._now(),
            )
            try:
                await self._ledger.append(
                    tenant, [entry], expect=[Expectation(stream, version)], rows=rows_of_append([entry])
                )
            except ExpectationFailed:
                continue
            self._changes.announce(tenant, stream)
            return

    async def _wanted(self, tenant: str, due: Due, stream: str) -> bool:
        rows = await self._ledger.query(
            select(_INFERENCES.c.state, _CANDIDATES.c.activation, _CANDIDATES.c.state.label("listed"))
            .select_from(
                _INFERENCES.outerjoin(
                    _CANDIDATES,
                    (_CANDIDATES.c.log_id == _INFERENCES.c.log_id)
                    & (_CANDIDATES.c.inference_id == _INFERENCES.c.inference_id),
                )
            )
            .where(_INFERENCES.c.log_id == tenant, _INFERENCES.c.inference_id == stream)
        )
        row = rows[0]._mapping
        if row["state"] != State.RELEASED.value:
            return False
        # One that waits is not put there twice; one that was closed under a pack before is looked at again.
        return bool(row["listed"] != OPEN and row["activation"] != due.activation.index)

    async def _ended(self, tenant: str) -> set[int]:
        """Activations whose run came to its end."""
        return {entry.body["activation"] for entry in await self._ledger.whole_stream(tenant, REJUDGED)}

    async def _end(self, tenant: str, due: Due, over: Period, tally: Tally) -> None:
        # INVARIANT: the version is not newer than what is read after it. Another process may have come here first.
        version = await self._ledger.stream_version(tenant, REJUDGED)
        if due.activation.index in await self._ended(tenant):
            return
        entry = PendingEntry(
            type="knowledge.rejudged",
            stream=REJUDGED,
            actor=f"system:{self._owner}",
            subject=None,
            body={
                "activation": due.activation.index,
                "knowledge_hash": due.knowledge_hash,
                "days": self._days,
                "judged": tally.judged,
                "skipped": dict(sorted(tally.skipped.items())),
                "proposed": tally.recalls,
            },
            occurred_at=self._now(),
        )
        try:
            await self._ledger.append(
                tenant,
                [entry],
                expect=[Expectation(REJUDGED, version), Expectation(KNOWLEDGE, due.moves)],
            )
        except ExpectationFailed:
            # Another activation is due, or another process was quicker.
            return
        log.info("recall.rejudged", tenant=tenant, count=tally.recalls)

"""Judging recorded outputs again under other policies or another pack, and lines of a file under two of them.

Nothing is written to the ledger. A few outputs are under way at a time, so memory does not grow with the record; what
is given out are ids, decisions and codes, never a word of a text.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from attending.guardrails.finding import Code, Severity
from attending.guardrails.guard import OutputDecision
from attending.guardrails.patient import Judged
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Audience
from attending.guardrails.pool import GuardOverloaded, GuardPool
from attending.server.inference.disposition import effective_audience
from attending.server.simulation.recorded import Recorded, Skipped
from attending.server.simulation.tally import RANK, Tally

WINDOW: Final = 4
"""Outputs under way for each check process."""

Item = TypeVar("Item")
T = TypeVar("T")
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Recall:
    """A released output that would not be released now: a line of the worklist."""

    inference_id: str
    index: int
    policy: str
    released_by: str
    now: str
    codes: tuple[str, ...]
    """Codes of severity minor or worse that are reported now."""
    subject: str | None = None
    deliveries: int = 0
    knowledge_hash: str = ""
    """Of the pack that it was judged under now."""

    def to_json(self) -> dict[str, Any]:
        return {
            "inference_id": self.inference_id,
            "entry_index": self.index,
            "policy": self.policy,
            "released_by": self.released_by,
            "now": self.now,
            "codes": list(self.codes),
        }


async def replay(
    pool: GuardPool,
    policies: PolicySet,
    recorded: AsyncIterable[Recorded | Skipped],
    tally: Tally,
    *,
    on_recall: Callable[[Recall], Awaitable[None]],
    on_done: Progress,
) -> None:
    """Judges each of `recorded` under `policies`, which are those of `pool`, and counts into `tally`, in order.

    `on_recall` is awaited for each released output that would not be released now; of one that was signed only where it
    would be blocked, because a person answered for what is merely held. `on_done` comes after each inference.
    """

    async def judge(
        one: Recorded | Skipped,
    ) -> tuple[Recorded | Skipped, OutputDecision | None, OutputDecision | None]:
        if isinstance(one, Skipped) or one.policy not in policies:
            return one, None, None
        audience = effective_audience(policies[one.policy], one.recipient)
        first = await _checked(pool, one.policy, one.judged, audience)
        again = None
        if one.edited is not None:
            again = await _checked(pool, one.policy, one.edited, audience)
        return one, first, again

    async for one, decision, edited in _in_order(pool, recorded, judge):
        if isinstance(one, Skipped):
            tally.skipped[one.reason] += 1
        elif decision is None:
            tally.skipped["NO_SUCH_POLICY"] += 1
        elif _failed(decision):
            tally.skipped["NOT_JUDGED"] += 1
        else:
            worst = (one.worst, _worst(decision))
            tally.add(one.inference_id, one.was, decision.disposition, one.codes, _codes(decision), worst)
            tally.reviewed(one.review_minutes)
            recall = _recall(one, edited or decision)
            if recall is not None:
                await on_recall(recall)
                tally.recalls += 1
        tally.last = one.index
        on_done(tally.judged)


async def compare(
    before: GuardPool,
    after: GuardPool,
    policy: str,
    lines: AsyncIterable[tuple[str, Judged] | str],
    tally: Tally,
    *,
    on_done: Progress,
) -> None:
    """Judges each line under `policy` of both pools; a string in `lines` is the reason why one cannot be judged."""

    async def judge(line: tuple[str, Judged] | str) -> tuple[str, list[OutputDecision]]:
        if isinstance(line, str):
            return line, []
        id_, judged = line
        return id_, [await _checked(pool, policy, judged, None) for pool in (before, after)]

    async for id_, decisions in _in_order(after, lines, judge):
        if not decisions:
            tally.skipped[id_] += 1
        elif any(_failed(decision) for decision in decisions):
            tally.skipped["NOT_JUDGED"] += 1
        else:
            old, new = decisions
            worst = (_worst(old), _worst(new))
            tally.add(id_, old.disposition, new.disposition, _codes(old), _codes(new), worst)
        on_done(tally.judged)


def _recall(one: Recorded, decision: OutputDecision) -> Recall | None:
    if one.released is None:
        return None
    least = "hold" if one.released == "policy" else "block"
    if RANK[decision.disposition] < RANK[least]:
        return None
    found = {f.code.value for f in decision.findings if f.severity is not Severity.INFO}
    return Recall(
        inference_id=one.inference_id,
        index=one.index,
        policy=one.policy,
        released_by=one.released,
        now=decision.disposition,
        codes=tuple(sorted(found)),
        subject=one.subject,
        deliveries=one.deliveries,
        knowledge_hash=decision.knowledge_hash,
    )


def _codes(decision: OutputDecision) -> set[str]:
    return {finding.code.value for finding in decision.findings}


def _worst(decision: OutputDecision) -> Severity | None:
    return max((one.severity for one in decision.findings), key=lambda one: one.rank, default=None)


def _failed(decision: OutputDecision) -> bool:
    """Whether a rail did not judge: what holds for that says nothing of the policy or pack that is tried."""
    return any(finding.code is Code.RAIL_FAILURE for finding in decision.findings)


async def _checked(pool: GuardPool, policy: str, judged: Judged, audience: Audience | None) -> OutputDecision:
    while True:
        try:
            return await pool.check_record(policy, judged, audience=audience)
        except GuardOverloaded as err:
            # The window is far below the queue's bound; this happens only while processes restart.
            await asyncio.sleep(min(err.retry_after_seconds, 1.0))


async def _in_order(
    pool: GuardPool, items: AsyncIterable[Item], work: Callable[[Item], Awaitable[T]]
) -> AsyncIterator[T]:
    window = WINDOW * pool.health().workers
    under_way: deque[asyncio.Task[T]] = deque()
    try:
        async for item in items:
            under_way.append(asyncio.ensure_future(work(item)))
            if len(under_way) >= window:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()

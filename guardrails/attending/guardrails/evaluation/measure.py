"""Runs a labelled set through the same guard processes that serve, and pairs of drugs through the same checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from attending.guardrails.evaluation.labelled import Case
from attending.guardrails.evaluation.scoring import Outcome, Scores
from attending.guardrails.pool import GuardOverloaded, GuardPool

Progress = Callable[[int, int], None]
"""Called with cases done and cases in all."""


def run_guard(
    policy: str,
    cases: Sequence[Case],
    *,
    policies_path: Path | str,
    knowledge_path: Path | str | None = None,
    workers: int = 1,
    timeout_seconds: float = 30.0,
    progress: Progress | None = None,
) -> tuple[Scores, str, str]:
    """Scores, policy hash and knowledge hash. Raises as `offline.run_check` does."""
    pool = GuardPool(
        policies_path=policies_path,
        knowledge_path=knowledge_path,
        workers=workers,
        timeout_seconds=timeout_seconds,
    )
    pool.require_policy(policy)
    return asyncio.run(_run(pool, policy, cases, progress))


async def _run(
    pool: GuardPool, policy: str, cases: Sequence[Case], progress: Progress | None
) -> tuple[Scores, str, str]:
    await pool.start()
    done = 0
    policy_hash = ""
    turn = asyncio.Semaphore(4 * pool.health().workers)

    async def one(case: Case) -> Outcome:
        nonlocal done, policy_hash
        async with turn:
            while True:
                try:
                    decision = await pool.check_record(policy, case.judged, audience=case.audience)
                    break
                except GuardOverloaded as err:
                    await asyncio.sleep(min(err.retry_after_seconds, 1.0))
        done += 1
        policy_hash = decision.policy_hash
        if progress is not None:
            progress(done, len(cases))
        return Outcome(case, decision.verdict, decision.findings, decision.elapsed_ms)

    try:
        outcomes = await asyncio.gather(*(one(case) for case in cases))
        return Scores(tuple(outcomes)), policy_hash, pool.knowledge_hash
    finally:
        await pool.close()

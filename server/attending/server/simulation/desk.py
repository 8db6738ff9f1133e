"""Simulations that the server runs for people: one a tenant at a time, one in a process, and nothing left of it.

A simulation is no entry and nothing is kept of it beside the memory of this process: a kill ends it, and with it its
check process; its figures are those of the newest one until another begins. Texts are opened to be judged, and nothing
of them is in what it says.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

import structlog
from attending.guardrails.policy.load import PolicyError, PolicySet
from attending.guardrails.policy.problem import Problem
from attending.guardrails.pool import GuardError, GuardPool
from attending.ledger.errors import LedgerError
from attending.ledger.ledger import Ledger
from attending.server import projections
from attending.server.activation.standing import KNOWLEDGE
from attending.server.clock import stamp
from attending.server.content_hash import digits
from attending.server.errors import FailedPrecondition
from attending.server.inference.watch import Changes
from attending.server.simulation.draft import problems, put_draft
from attending.server.simulation.period import Period
from attending.server.simulation.recorded import LedgerRecord, Recorded, Recording, Skipped
from attending.server.simulation.replay import Recall, replay
from attending.server.simulation.tally import Tally
from sqlalchemy import func, select

log = structlog.get_logger()

_INFERENCES: Final = projections.inference
NICENESS: Final = 10
PREFIX: Final = "attending-whatif-"
TIMEOUT_SECONDS: Final = 30.0
MAX_OUTPUTS: Final = 20_000
MAX_SECONDS: Final = 3600.0
TELL_SECONDS: Final = 2.0
"""Between two words about how far it came."""

State = Literal["waiting", "running", "done", "cancelled", "stopped", "failed"]
"""stopped: at a bound, with the figures up to there."""


@dataclass(slots=True)
class Simulation:
    """One run. `policy` is the name of the tried policy, empty for the drug knowledge; `drafted` says that its
    policy.yaml was sent; `of` is how many inferences the period has.
    """

    id: str
    policy: str
    drafted: bool
    over: Period
    minutes_per_review: float | None
    started_by: str
    started_at: datetime
    of: int = 0
    state: State = "waiting"
    reason: str = ""
    seen: int = 0
    policy_hash: str = ""
    knowledge_hash: str = ""
    tally: Tally = field(default_factory=Tally)

    @property
    def over_with(self) -> bool:
        return self.state not in ("waiting", "running")


class Simulations:
    """One a server process. Belongs to one event loop."""

    def __init__(
        self,
        ledger: Ledger,
        changes: Changes,
        folder: Path,
        knowledge_folder: Path | None,
        max_memory_mb: int,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        make_pool: Callable[..., GuardPool] = GuardPool,
    ) -> None:
        self._ledger = ledger
        self._changes = changes
        self._folder = folder
        self._knowledge_folder = knowledge_folder
        self._max_memory_mb = max_memory_mb
        self._now = now
        self._monotonic = monotonic
        self._make_pool = make_pool
        self._newest: dict[str, Simulation] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._beginning: set[str] = set()
        self._turn = asyncio.Lock()

    def of(self, tenant: str) -> Simulation | None:
        """The newest simulation of a tenant in this process, under way or over."""
        return self._newest.get(tenant)

    async def start(
        self,
        tenant: str,
        who: str,
        policy: str,
        text: str | None,
        over: Period,
        minutes_per_review: float | None,
    ) -> tuple[Simulation | None, list[Problem]]:
        """Begins one, or says what is wrong with the draft. `policy` is KNOWLEDGE for the pack in the server's folder.

        Raises NotFound (UNKNOWN_POLICY), FailedPrecondition (SIMULATION_RUNNING).
        """
        running = self._newest.get(tenant)
        if tenant in self._beginning or (running is not None and not running.over_with):
            raise FailedPrecondition("SIMULATION_RUNNING")
        self._beginning.add(tenant)
        place = tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", ignore_cleanup_errors=True)
        try:
            into, found = Path(place.name), list[Problem]()
            if policy != KNOWLEDGE:
                draft = await asyncio.to_thread(put_draft, self._folder, policy, text, into)
                found = await problems(draft, self._folder / policy)
            else:
                into = self._folder
            if any(problem.weight == "error" for problem in found):
                place.cleanup()
                return None, found
            made = Simulation(
                id=f"sim_{secrets.token_hex(8)}",
                policy=policy,
                drafted=text is not None,
                over=over,
                minutes_per_review=minutes_per_review,
                started_by=who,
                started_at=self._now(),
                of=await self._count(tenant, policy, over),
            )
        except BaseException:
            place.cleanup()
            raise
        finally:
            self._beginning.discard(tenant)
        self._newest[tenant] = made
        self._tasks[tenant] = asyncio.create_task(
            self._run(tenant, made, into, place), name="what-if simulation"
        )
        return made, found

    async def cancel(self, tenant: str) -> Simulation | None:
        """Ends the one that runs; returns when its check process is gone."""
        task = self._tasks.get(tenant)
        if task is not None and not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        found = self._newest.get(tenant)
        if found is not None and not found.over_with:
            # It had not begun.
            found.state = "cancelled"
        return found

    def forget_the_dead(self) -> None:
        """Removes the drafts of processes that were killed; what another user owns stays theirs."""
        for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            pid = left.name.removeprefix(PREFIX).partition("-")[0]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                shutil.rmtree(left, ignore_errors=True)

    async def close(self) -> None:
        for tenant in list(self._tasks):
            await self.cancel(tenant)

    async def _run(
        self, tenant: str, made: Simulation, into: Path, place: tempfile.TemporaryDirectory[str]
    ) -> None:
        try:
            async with self._turn:
                made.state = "running"
                self._tell(tenant)
                made.state, made.reason = await self._judge(tenant, made, into)
        except asyncio.CancelledError:
            made.state = "cancelled"
            raise
        except (PolicyError, GuardError, LedgerError) as err:
            made.state, made.reason = "failed", err.reason
            log.warning("simulation.failed", tenant=tenant, reason=err.reason)
        except Exception as err:
            made.state, made.reason = "failed", "INTERNAL"
            log.error("simulation.failed", tenant=tenant, error_type=type(err).__name__)
        finally:
            place.cleanup()
            self._tell(tenant)

    async def _judge(self, tenant: str, made: Simulation, into: Path) -> tuple[State, str]:
        policies = await asyncio.to_thread(PolicySet.load, into, include_drafts=made.policy != KNOWLEDGE)
        if made.policy != KNOWLEDGE:
            made.policy_hash = digits(policies[made.policy].hash)
        until, told, bound = self._monotonic() + MAX_SECONDS, self._monotonic(), ""

        def make() -> GuardPool:
            return self._make_pool(
                workers=1,
                policies_path=into,
                knowledge_path=self._knowledge_folder,
                timeout_seconds=TIMEOUT_SECONDS,
                max_memory_mb=self._max_memory_mb,
                include_drafts=made.policy != KNOWLEDGE,
                niceness=NICENESS,
            )

        async def bounded() -> AsyncIterator[Recorded | Skipped]:
            nonlocal bound
            given = 0
            recording = Recording(LedgerRecord(self._ledger, tenant, policy=made.policy or None))
            async for one in recording.outputs(made.over):
                if given >= MAX_OUTPUTS or self._monotonic() > until:
                    bound = "MOST_OUTPUTS" if given >= MAX_OUTPUTS else "LONGEST_TIME"
                    return
                given += 1
                yield one

        def done(_judged: int) -> None:
            nonlocal told
            made.seen += 1
            if self._monotonic() - told >= TELL_SECONDS:
                told = self._monotonic()
                self._tell(tenant)

        async def recall(_recall: Recall) -> None:
            """Counted, and no more."""

        async with await asyncio.to_thread(make) as pool:
            made.knowledge_hash = digits(pool.knowledge_hash)
            await replay(pool, policies, bounded(), made.tally, on_recall=recall, on_done=done)
        return ("stopped", bound) if bound else ("done", "")

    async def _count(self, tenant: str, policy: str, over: Period) -> int:
        chosen = [
            _INFERENCES.c.log_id == tenant,
            _INFERENCES.c.requested_at >= stamp(over.since),
            _INFERENCES.c.requested_at < stamp(over.until),
        ]
        if policy != KNOWLEDGE:
            chosen.append(_INFERENCES.c.policy == policy)
        rows = await self._ledger.query(select(func.count()).select_from(_INFERENCES).where(*chosen))
        return int(rows[0][0])

    def _tell(self, tenant: str) -> None:
        # Of no inference: pages that are open look again.
        self._changes.hear(tenant, "simulation")

"""Attempts that were refused, as entries: the first ones of a kind singly, what goes on after them as counts.

A denial (a known caller, a call they may not make) is an `access.denied` entry of the caller's tenant log before it is
answered. After SINGLY of one kind - caller, action, deciding policies - further ones are counted, and an entry a minute
says how many: a flood cannot fill the log, and no denial is missing from the sum. QUIET_SECONDS without one, and they
are single again. A refused credential belongs to no tenant: it is counted by reason and transport alone, in the system
log, the first one at once and the rest a minute. What was presented is nowhere (45 CFR 164.312(b); 21 CFR 11.300(d)).

Counts are kept until they are written: a store that is away delays them, a stop writes them. A kill loses what was
counted since the last entry, a minute at most; that counting had begun is in the last single entry.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import structlog
from attending.ledger.entry import PendingEntry
from attending.ledger.ledger import SYSTEM_LOG
from attending.server.auth.context import AccessDecision
from attending.server.auth.principal import Principal

log = structlog.get_logger()

SINGLY: Final = 5
"""Denials of one kind that get an entry each."""
COUNT_SECONDS: Final = 60.0
QUIET_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 5.0
"""Until a count that could not be written is tried again."""
_TICK_SECONDS: Final = 1.0

Append = Callable[[str, Sequence[PendingEntry]], Awaitable[object]]


class _Kind(NamedTuple):
    """What refused attempts have in common; `body` is canonical JSON."""

    log_id: str
    stream: str
    actor: str
    body: str

    def entry(self, more: Mapping[str, Any]) -> PendingEntry:
        body = {**json.loads(self.body), **more}
        return PendingEntry("access.denied", self.stream, self.actor, None, body)


@dataclass(slots=True)
class _Tally:
    """`count` are those that no entry tells of yet, since `since`; they are written when `due`."""

    last: float
    since: float = 0.0
    due: float = float("-inf")
    singly: int = 0
    count: int = 0
    writing: bool = False


class Attempts:
    """The refused attempts of one server process. Belongs to one event loop."""

    def __init__(self, append: Append, owner: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`append` is the ledger's; `owner` names this process, the actor of what has no caller."""
        self._append = append
        self._owner = owner
        self._monotonic = monotonic
        self._tallies: dict[_Kind, _Tally] = {}
        self._woken = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._stopping = False

    async def denied(self, principal: Principal, decision: AccessDecision, ended: str | None = None) -> None:
        """Records a denial: durable or counted when it returns. The ledger's errors are raised, the denial counted.

        `ended` is the reason when what is denied is the rest of a call that ran.
        """
        body: dict[str, Any] = {
            "action": decision.action,
            "principal": principal.name,
            "roles": sorted(principal.roles),
            "credential": principal.credential,
            "policy_ids": list(decision.policy_ids),
            "evaluation_errors": decision.errors,
        }
        if decision.purpose is not None:
            body["purpose_of_use"] = decision.purpose
        if decision.refused is not None:
            body["refused"] = decision.refused
        if principal.emergency is not None:
            body["emergency"] = principal.emergency
        if ended is not None:
            body["ended"] = ended
        kind = _kind(principal.tenant, f"access/{principal.name}", principal.actor, body)
        tally = self._tally(kind)
        if tally.singly >= SINGLY:
            self._count(tally, COUNT_SECONDS)
            return
        tally.singly += 1
        more = {"further": "counted"} if tally.singly == SINGLY else {}
        try:
            await self._append(kind.log_id, [kind.entry(more)])
        except Exception:
            # Where the outcome is unknown it may be told twice: more than there were, and never fewer.
            self._count(tally, RETRY_SECONDS)
            raise

    def refused(self, transport: str, reason: str) -> None:
        """Counts a credential that names nobody; `reason` is an UPPER_SNAKE reason, `transport` grpc or http."""
        body = {"reason": reason, "transport": transport}
        kind = _kind(SYSTEM_LOG, "access/unauthenticated", f"system:{self._owner}", body)
        self._count(self._tally(kind), 0.0)
        self._woken.set()

    def start(self) -> None:
        """Writes counts from now on."""
        self._running = asyncio.create_task(self._run(), name="refused attempts")

    async def stop(self) -> None:
        """Writes every count, due or not. Safe to call twice."""
        if self._running is not None:
            # Not cancelled: what it is writing is waited for.
            self._stopping = True
            self._woken.set()
            await self._running
            self._running = None
        await self.write(everything=True)

    async def write(self, *, everything: bool = False) -> None:
        """Appends the counts that are due, and forgets kinds that have been quiet."""
        now = self._monotonic()
        for kind, tally in list(self._tallies.items()):
            if tally.writing:
                continue
            if tally.count and (everything or now >= tally.due):
                await self._write(kind, tally, now)
            elif not tally.count and now - tally.last >= QUIET_SECONDS:
                del self._tallies[kind]

    # --- inside ----------------------------------------------------------------------------------------

    def _tally(self, kind: _Kind) -> _Tally:
        tally = self._tallies.setdefault(kind, _Tally(0.0))
        tally.last = self._monotonic()
        return tally

    def _count(self, tally: _Tally, seconds: float) -> None:
        """One more; the first of a count makes it due in `seconds`, and not before a minute after the last count."""
        if tally.count == 0:
            tally.since = tally.last
            tally.due = max(tally.due, tally.last + seconds)
        tally.count += 1

    async def _write(self, kind: _Kind, tally: _Tally, now: float) -> None:
        count = tally.count
        seconds = max(0, round(now - tally.since))
        tally.count, tally.writing = 0, True
        try:
            await self._append(kind.log_id, [kind.entry({"count": count, "seconds": seconds})])
        except Exception as err:
            # Nothing may end this task: what could not be written is tried again.
            tally.count += count
            tally.due = now + RETRY_SECONDS
            log.error(
                "auth.attempts_not_recorded", tenant=kind.log_id, count=count, error_type=type(err).__name__
            )
        else:
            tally.due = now + COUNT_SECONDS
        finally:
            tally.writing = False

    async def _run(self) -> None:
        while not self._stopping:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), _TICK_SECONDS)
            self._woken.clear()
            await self.write()


def _kind(log_id: str, stream: str, actor: str, body: Mapping[str, Any]) -> _Kind:
    return _Kind(log_id, stream, actor, json.dumps(body, sort_keys=True))

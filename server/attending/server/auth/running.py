"""Calls that run, asked again: a caller who is revoked, or may no longer do it, loses what they have under way.

Every CHECK_SECONDS each call that is older than that is asked about by the function of its start,
`Directory.standing`, and by the policies when what they decided on has changed. So a call ends within twice that time
of the moment from which a new one would be refused, with the same reason: nothing more is sent, the denial is put on
record, and then the status is given. What the call had begun is carried through as when its caller hangs up.

Where it cannot be known whether the caller still may, running calls end when that has lasted UNKNOWN_SECONDS: a store
that fails over, or a process that was stopped for a while, cuts nobody off.

A shorter call is let be: it was decided on just now, and it may be the one by which a caller ends their own access.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import structlog
from attending.server.auth.authenticate import Shown
from attending.server.auth.authorize import Authorizer, Resource
from attending.server.auth.context import AccessDecision
from attending.server.auth.principal import Principal
from attending.server.errors import AttendingError, PermissionDenied, Unauthenticated, Unavailable

log = structlog.get_logger()

ENDED_WITHIN_SECONDS: Final = 1.0
"""Of the moment from which a new call would be refused. A busy event loop adds its own delay."""
CHECK_SECONDS: Final = ENDED_WITHIN_SECONDS / 2
UNKNOWN_SECONDS: Final = 5.0
_AT_ONCE: Final = 100
"""Calls that are asked about before others of the event loop have their turn."""

Ended = Callable[[Principal, AccessDecision, str], Awaitable[None]]
"""Puts on record that a running call of that principal was ended, by which decision and for what reason."""


@dataclass(eq=False, slots=True)
class _Call:
    """`basis` is what the last decision was made on; since `unknown` (monotonic seconds) nobody can say; `lost` is why
    the call is over, by `decision`.
    """

    principal: Principal
    shown: Shown
    action: str
    timer: asyncio.Timeout
    basis: object
    seen: bool = False
    unknown: float | None = None
    lost: AttendingError | None = None
    decision: AccessDecision | None = None


class RunningCalls:
    """Those of one server process. Belongs to one event loop."""

    def __init__(
        self,
        standing: Callable[[Shown], Principal],
        authorizer: Authorizer,
        ended: Ended,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._standing = standing
        self._authorizer = authorizer
        self._ended = ended
        self._now = now
        self._monotonic = monotonic
        self._calls: set[_Call] = set()
        self._sweeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Asks from now on."""
        self._sweeping = asyncio.create_task(self._sweep(), name="running calls")

    async def stop(self) -> None:
        """Asks no more. Safe to call twice."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping
            self._sweeping = None

    @asynccontextmanager
    async def watched(self, principal: Principal, shown: Shown, action: str) -> AsyncIterator[None]:
        """Around a call that was let in: ends it once a new one would not be. Raises Unauthenticated, PermissionDenied
        and Unavailable, with the reasons of a start.
        """
        call = _Call(principal, shown, action, asyncio.timeout(None), self._basis(principal))
        self._calls.add(call)
        try:
            async with call.timer:
                yield
        except TimeoutError:
            if call.lost is None:
                raise
            # Nothing is sent any more: from here on it may take as long as the store does.
            await self._record(call, call.lost)
            raise call.lost from None
        finally:
            self._calls.discard(call)

    async def sweep(self) -> None:
        """Asks about every call that was there at the last sweep, too."""
        for number, call in enumerate(list(self._calls), 1):
            if not call.seen:
                call.seen = True
            elif call.lost is None and call in self._calls:
                self._ask(call)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    # --- inside ----------------------------------------------------------------------------------------

    def _ask(self, call: _Call) -> None:
        try:
            self._require(call)
            call.unknown = None
        except Unavailable as err:
            moment = self._monotonic()
            call.unknown = moment if call.unknown is None else call.unknown
            call.lost = err if moment - call.unknown >= UNKNOWN_SECONDS else None
        except AttendingError as err:
            call.lost = err
        except Exception as err:
            # Fails closed: whether the call may go on is not known.
            log.error("auth.check_failed", action=call.action, error_type=type(err).__name__)
            call.lost = Unavailable("CALL_INTERRUPTED")
        if call.lost is not None:
            call.timer.reschedule(asyncio.get_running_loop().time())

    def _require(self, call: _Call) -> None:
        """Returns while a new call like this one would be let in; raises otherwise, with the decision noted."""
        then, now = call.principal, self._standing(call.shown)
        if (now.tenant, now.name, now.kind) != (then.tenant, then.name, then.kind):
            raise Unauthenticated("INVALID_CREDENTIAL")
        basis = self._basis(now)
        if basis == call.basis:
            return
        # An emergency that began since is not what this call was let in by, and its use is not on record for it.
        as_then = now if now.emergency == then.emergency else replace(now, emergency=None)
        decision = self._authorizer.authorize(as_then, call.action, Resource.log(now.tenant))
        # The call has decided more inside, on the roles and the emergency that it came with.
        if not decision.allowed:
            call.decision = decision
        elif then.roles - now.roles or (then.emergency is not None and as_then.emergency is None):
            call.decision = AccessDecision(False, call.action)
        if call.decision is not None:
            raise PermissionDenied(metadata={"action": call.action})
        call.basis = basis

    def _basis(self, principal: Principal) -> tuple[Any, ...]:
        """All that a decision on one action rests on."""
        moment = self._now()
        return principal, principal.licence_valid(moment), principal.competency_valid(moment)

    async def _record(self, call: _Call, lost: AttendingError) -> None:
        who = call.principal
        log.warning(
            "auth.call_ended", action=call.action, principal=who.name, tenant=who.tenant, reason=lost.reason
        )
        if not isinstance(lost, Unauthenticated | PermissionDenied):
            # Nobody was denied anything: whether they may is what is not known.
            return
        decision = call.decision or AccessDecision(False, call.action)
        try:
            # Shielded: hanging up does not keep a denial out of the log.
            await asyncio.shield(asyncio.ensure_future(self._ended(who, decision, lost.reason)))
        except Exception as err:
            log.error("auth.denial_not_recorded", action=call.action, error_type=type(err).__name__)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                await self.sweep()
            except Exception as err:
                # Nothing may end this task: without it no running call would ever be ended.
                log.error("auth.sweep_failed", error_type=type(err).__name__)

"""One run a (tenant, key): a running call is joined, a finished one answered from the record.

The work runs in a task of the server, not of the call: a client that goes away changes nothing in the record.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from attending.ledger.errors import DuplicateClaim
from attending.ledger.ledger import Ledger
from attending.server.errors import Unavailable
from attending.server.idempotency import Once, claimed, require_same
from attending.server.inference.background import Background
from attending.server.inference.call import failure
from attending.server.inference.outcome import Outcome, read_outcome, read_standing
from attending.server.inference.states import State

DEFAULT_MAX_OPEN = 1_024
BUSY_RETRY_SECONDS = 1.0
# A call that runs in another process is followed there by its row, for so long.
ELSEWHERE_POLL_SECONDS = 0.25
ELSEWHERE_SECONDS = 60.0

Run = Callable[[], Coroutine[Any, Any, Outcome]]


class ExactlyOnce:
    """The calls that are being carried through in this process. Belongs to one event loop."""

    def __init__(
        self, ledger: Ledger, owner: str, background: Background, *, max_open: int = DEFAULT_MAX_OPEN
    ) -> None:
        """`max_open` bounds them, with those of callers who hung up and the work in `background`."""
        self.max_open = max_open
        self._ledger = ledger
        self._owner = owner
        self._background = background
        self._running: dict[tuple[str, str], tuple[bytes, asyncio.Task[Outcome]]] = {}

    def running(self, tenant: str) -> int:
        return sum(owner == tenant for owner, _key in self._running)

    def tasks(self) -> list[asyncio.Task[Outcome]]:
        return [task for _fingerprint, task in self._running.values()]

    async def run(self, tenant: str, once: Once, start: Run) -> Outcome:
        """The outcome of the key's one run, which `start` carries out where this is the first call of it.

        Raises AlreadyExists (same key, other body), Unavailable (too many open, or still running in another process),
        the error that the first call ended in, and as `start`.
        """
        slot = (tenant, once.key)
        running = self._running.get(slot)
        if running is None:
            # A call outlives its caller, so a bound on rpcs alone would bound nothing.
            if len(self._running) + len(self._background) >= self.max_open:
                raise Unavailable("SERVER_BUSY", retry_after_seconds=BUSY_RETRY_SECONDS)
            task = asyncio.create_task(self._first(tenant, once, start))
            self._running[slot] = (once.fingerprint, task)
            task.add_done_callback(lambda _done: self._running.pop(slot, None))
        else:
            require_same(running[0], once)
            task = running[1]
        # The caller may go away; the inference is carried through all the same.
        return await asyncio.shield(task)

    async def _first(self, tenant: str, once: Once, start: Run) -> Outcome:
        earlier = await claimed(self._ledger, tenant, once)
        if earlier is None:
            try:
                return await start()
            except DuplicateClaim as err:
                earlier = err.stream
        return replace(await self._again(tenant, earlier), repeated=True)

    async def _again(self, tenant: str, inference_id: str) -> Outcome:
        await self._followed(tenant, inference_id)
        outcome = await read_outcome(self._ledger, tenant, inference_id)
        if outcome.state is State.FAILED:
            raise failure(outcome.reason or "INTERNAL", inference_id)
        return outcome

    async def _followed(self, tenant: str, inference_id: str) -> None:
        """Returns when the call does not run in another process any more; Unavailable while it still does."""
        until = time.monotonic() + ELSEWHERE_SECONDS
        while True:
            state, owner = await read_standing(self._ledger, tenant, inference_id)
            if state is not State.RECEIVED or owner == self._owner:
                return
            if self._background.ending.is_set() or time.monotonic() > until:
                raise Unavailable(
                    "RUNNING_ELSEWHERE",
                    retry_after_seconds=BUSY_RETRY_SECONDS,
                    metadata={"inference_id": inference_id},
                )
            await asyncio.sleep(ELSEWHERE_POLL_SECONDS)

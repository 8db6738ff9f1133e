"""Server-sent events: a page learns at once that something changed, and that its session is over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from attending.server.console.gate import Visit
from attending.server.console.sessions import Session, Sessions
from attending.server.errors import ResourceExhausted
from attending.server.inference.watch import ANY, Changes
from starlette.responses import Response, StreamingResponse

BEAT_SECONDS: Final = 15.0
"""Between two signs of life, so that neither a proxy nor a browser takes the connection for dead. What another process
on the same database changed is told by then, too."""
QUIET_SECONDS: Final = 0.5
"""Of changes that come one after the other one is told."""
MAX_OF_ONE_PERSON: Final = 16


class Live:
    """One instance a server. No event carries content: a page asks for what it may see."""

    def __init__(self, changes: Changes, sessions: Sessions) -> None:
        self._changes = changes
        self._sessions = sessions
        self._stopping = asyncio.Event()
        self._open: Counter[str] = Counter()

    def stop(self) -> None:
        """Ends every stream: the server stops."""
        self._stopping.set()

    async def __call__(self, visit: Visit) -> Response:
        key = visit.principal.key
        if self._open[key] >= MAX_OF_ONE_PERSON:
            raise ResourceExhausted("CALLER_RATE", retry_after_seconds=BEAT_SECONDS)
        return StreamingResponse(
            self._events(key, visit.session),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _events(self, key: str, session: Session) -> AsyncIterator[str]:
        self._open[key] += 1
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            yield "retry: 3000\nevent: hello\ndata: \n\n"
            with self._changes.subscribe(session.tenant, ANY) as changed:
                while not stopping.done():
                    waiting = asyncio.create_task(changed.wait())
                    await asyncio.wait(
                        {waiting, stopping}, timeout=BEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                    waiting.cancel()
                    if not self._sessions.alive(session):
                        yield "event: ended\ndata: \n\n"
                        return
                    changed.clear()
                    yield "event: changed\ndata: \n\n"
                    await asyncio.sleep(QUIET_SECONDS)
        finally:
            stopping.cancel()
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

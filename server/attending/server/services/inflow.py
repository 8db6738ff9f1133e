"""Messages of a client's stream, read ahead only so far: beyond that the transport's own flow control holds it back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

M = TypeVar("M")


class Inflow(Generic[M]):
    """Reads `messages` in a task of its own while less than `limit` units and `limit_bytes` wait.

    `size` gives units and bytes of a message. A single one may be larger than both. Use as an async context
    manager; leaving it ends the reading.
    """

    def __init__(
        self,
        messages: AsyncIterator[M],
        size: Callable[[M], tuple[int, int]],
        *,
        limit: int,
        limit_bytes: int,
    ) -> None:
        self._messages = messages
        self._size = size
        self._limit, self._limit_bytes = limit, limit_bytes
        self._waiting: deque[M] = deque()
        self._units = self._bytes = 0
        self._ended = False
        self._error: Exception | None = None
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Inflow[M]:
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def end(self, error: Exception | None) -> None:
        """Reads no further; `take` gives what waits, and then raises `error` or tells the end."""
        async with self._changed:
            if not self._ended:
                self._ended, self._error = True, error
            self._changed.notify_all()

    async def take(self, limit: int) -> list[M]:
        """The next messages, at least one, and more that wait already up to `limit` units together.

        Empty at the end of the stream. Raises what reading raised, after everything that came before it.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting or self._ended)
            if not self._waiting:
                if self._error is not None:
                    raise self._error
                return []
            taken: list[M] = []
            units = 0
            while self._waiting:
                more, size = self._size(self._waiting[0])
                if taken and units + more > limit:
                    break
                taken.append(self._waiting.popleft())
                units += more
                self._units -= more
                self._bytes -= size
            self._changed.notify_all()
            return taken

    async def _read(self) -> None:
        error: Exception | None = None
        try:
            async for message in self._messages:
                units, size = self._size(message)
                async with self._changed:
                    await self._changed.wait_for(
                        lambda: self._ended or (self._units < self._limit and self._bytes < self._limit_bytes)
                    )
                    if self._ended:
                        return
                    self._waiting.append(message)
                    self._units += units
                    self._bytes += size
                    self._changed.notify_all()
        except asyncio.CancelledError:
            raise
        except Exception as err:
            error = err
        await self.end(error)

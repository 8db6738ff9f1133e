"""Work that goes on after its call was answered, until it is done or the server ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """One a server process. Belongs to one event loop."""

    def __init__(self) -> None:
        self.ending = asyncio.Event()
        """Set when the server is told to stop."""
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def tasks(self) -> list[asyncio.Task[Any]]:
        return list(self._tasks)

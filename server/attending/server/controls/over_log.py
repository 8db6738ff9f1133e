"""The control matrix over a log that is served: the entries of a period, and all before them as what they rest on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.ledger import Ledger
from attending.server.controls.evaluation import Evaluated, Evaluation
from attending.server.controls.matrix import FOLDER, Matrix, load_matrix
from attending.server.errors import FailedPrecondition
from attending.server.shipped import package_policies

BLOCK: Final = 512
MOST_KEPT: Final = 2_000_000
"""Keys that the rules may remember of one log, at some 150 bytes each: those of about a million inferences."""


@cache
def shipped_matrix() -> Matrix:
    """The matrix that comes with the package, read once."""
    return load_matrix(package_policies() / FOLDER)


class LogControls:
    """Evaluates for one server process, one log at a time: nobody takes all of its processors by asking often."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._turn = asyncio.Semaphore(1)

    async def evaluate(
        self, tenant: str, begin: int, end: int
    ) -> AsyncIterator[tuple[int, int] | tuple[Evaluated, ...]]:
        """How many of how many entries were looked at, again and again, and at last the results over [begin, end).

        Nothing of the log is held but a block of entries, and what the rules remember. The ledger's errors, and
        FailedPrecondition (TOO_MUCH_TO_EVALUATE) where that is more than `MOST_KEPT` keys.
        """
        async with self._turn:
            evaluation = Evaluation(await asyncio.to_thread(shipped_matrix))
            for start in range(0, end, BLOCK):
                entries = await self._ledger.list_entries(tenant, start, min(BLOCK, end - start))
                # In a thread: other calls are answered meanwhile.
                await asyncio.to_thread(_show, evaluation, entries, begin)
                if evaluation.kept > MOST_KEPT:
                    raise FailedPrecondition("TOO_MUCH_TO_EVALUATE", metadata={"most_kept": str(MOST_KEPT)})
                yield start + len(entries), end
            yield evaluation.result()


def _show(evaluation: Evaluation, entries: list[Entry], begin: int) -> None:
    for entry in entries:
        (evaluation.visit if entry.index >= begin else evaluation.context)(entry)

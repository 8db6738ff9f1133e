"""Reads the ledger for the writer of a bundle, which runs in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, Final, TypeVar

from attending.ledger.entry import Entry
from attending.ledger.errors import PayloadPruned, SubjectErased
from attending.ledger.ledger import Ledger
from attending.ledger.verify.checks import Scope
from attending.ledger.verify.payloads import Disclosed, Erased, Pruned
from attending.server.reports.plan import Plan, Progress
from attending.server.reports.undisclosed import UNDISCLOSED

BLOCK: Final = 1_000
"""Entries that are read at once."""

T = TypeVar("T")


class LedgerSource:
    """Entries and payloads of a plan, each read when the writer asks for it."""

    def __init__(
        self,
        ledger: Ledger,
        loop: asyncio.AbstractEventLoop,
        tenant: str,
        plan: Plan,
        progress: Progress,
    ) -> None:
        self._ledger = ledger
        self._loop = loop
        self._tenant = tenant
        self._plan = plan
        self._progress = progress

    def entries(self) -> Iterator[bytes]:
        """Stored bytes in log order."""
        for done, entry in enumerate(self._parsed(), 1):
            yield entry.data
            if done % BLOCK == 0 or done == self._plan.total:
                self._progress(done, self._plan.total)

    def payloads(self) -> Iterator[Disclosed | Erased | Pruned]:
        """The opened payloads of the entries; those that were erased or pruned as such. Secrets are left out."""
        for entry in self._parsed():
            for item in entry.commitments:
                if item.kind in UNDISCLOSED:
                    continue
                try:
                    salt, content = self._wait(self._ledger.disclose_payload(self._tenant, item.record))
                except SubjectErased:
                    yield Erased(item.record, item.kind)
                except PayloadPruned:
                    yield Pruned(item.record, item.kind)
                else:
                    yield Disclosed(item.record, item.kind, salt, content)

    def _parsed(self) -> Iterator[Entry]:
        if self._plan.scope is Scope.SUBSET:
            for index in self._plan.indexes:
                yield self._wait(self._ledger.get_entry(self._tenant, index))
            return
        for start in range(self._plan.begin, self._plan.end, BLOCK):
            limit = min(BLOCK, self._plan.end - start)
            yield from self._wait(self._ledger.list_entries(self._tenant, start, limit))

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

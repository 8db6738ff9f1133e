"""What of each tenant's log is an exception, read as the log grows and kept in memory: it is worked out, never stored.

The first question after a start reads the entries since the last signed examination; each one after that what is new.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

from attending.ledger.examination import Sign, sign_of
from attending.ledger.ledger import Ledger
from attending.server import projections
from sqlalchemy import Table, or_, select

PAGE = 1_000


@dataclass(slots=True)
class _Read:
    """Entries [begin, end) of one log were read; `last` is the time of the last one."""

    begin: int = 0
    end: int = 0
    last: str = ""
    signs: list[Sign] = field(default_factory=list)


class Watch:
    """One a server process; safe for many tasks of one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._read: dict[str, _Read] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def signs(self, tenant: str, first: int) -> tuple[list[Sign], int, str]:
        """Signs from entry `first` on, the size of the log that they are of, and the time of its last entry."""
        async with self._locks[tenant]:
            read = self._read.get(tenant)
            if read is None or first < read.begin:
                # A later `first` reads nothing anew; an earlier one is another office's first question.
                read = self._read[tenant] = _Read(begin=first, end=first)
            while page := await self._ledger.list_entries(tenant, read.end, PAGE):
                read.signs += [sign for sign in map(sign_of, page) if sign is not None]
                read.end, read.last = page[-1].index + 1, page[-1].time
            return [sign for sign in read.signs if sign.index >= first], read.end, read.last

    def forget(self, tenant: str) -> None:
        """A period was closed: the next question reads from its end, and what is kept does not grow for ever."""
        self._read.pop(tenant, None)

    async def uses_before(self, tenant: str, first: int, since_time: str) -> list[Sign]:
        """Uses before entry `first` whose review falls due after `since_time` and was not made by then."""
        found = []
        glass, access = projections.break_glass_release, projections.emergency_access
        for table, index in ((glass, glass.c.used_index), (access, access.c.began_index)):
            found += await self._indexes(table, index.name, tenant, first, since_time)
        signs = [sign_of(await self._ledger.get_entry(tenant, index)) for index in found]
        return [sign for sign in signs if sign is not None]

    async def _indexes(self, table: Table, index: str, tenant: str, first: int, since: str) -> list[int]:
        rows = await self._ledger.query(
            select(table.c[index]).where(
                table.c.log_id == tenant,
                table.c[index] < first,
                table.c.review_due > since,
                or_(table.c.reviewed_at.is_(None), table.c.reviewed_at > since),
            )
        )
        return [int(row[0]) for row in rows]

"""Sends one target of one tenant what the log holds for it, at least once each, and puts on record how far it is.

The log itself is the outbox. `notice.settled` says up to which entry everything is dealt with, and what beyond it: so a
kill at any moment loses nothing, and what was sent and not yet settled is sent again under the same id. Nothing is sent
before its entry is committed, because it is read from there. Notices are sent side by side, at most WINDOW of them, so
that one that its receiver does not take keeps back no other; a receiver that takes none at all keeps back its own only.

One process at a time sends: see `turn`. Two at once, for the moment in which one takes over, send twice; both settle on
condition of the stream, so that the record has each once.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.errors import ExpectationFailed, LedgerError
from attending.ledger.ledger import Ledger
from attending.ledger.projection import RowWrite
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.clock import parse
from attending.server.inference.watch import ANY, Changes
from attending.server.notices.backoff import is_over, pause_seconds
from attending.server.notices.delivery import TIMEOUT, Delivery, NotDelivered
from attending.server.notices.notice import Notice, ticket_of
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import select

log = structlog.get_logger()

WINDOW: Final = 64
"""Notices of one target that are under way at once."""
PAGE: Final = 500
QUIET_ENTRIES: Final = 5_000
"""Entries of no concern after which the place is settled all the same: what a restart reads again at most."""
ATTEMPT_SECONDS: Final = 150.0
"""No attempt lasts longer, whatever the target says of itself."""
FAULT_SECONDS: Final = 5.0
"""Between looks at a log that cannot be read, or takes no entry."""
FOR_ONE_TARGET: Final = ("notice.tested", "notice.retried")
_TARGETS, _ITEMS = projections.notice_target, projections.review_item


def target_stream(name: str) -> str:
    """The stream of what is put on record about a target."""
    return f"notices/{name}"


@dataclass(slots=True)
class _Job:
    """One entry to tell the target of. `index` is where it was asked for, `notice.index` what it is about."""

    index: int
    notice: Notice
    began: datetime
    attempts: int = 0
    reason: str | None = None
    """Of the newest attempt that failed; with `over` it is given up."""
    over: bool = False
    delivered: bool = False
    task: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _Place:
    """How far the target is, as on record: `version` of its stream, `through`, and indexes `ahead` of it."""

    version: int
    row: dict[str, Any] | None
    through: int = 0
    ahead: set[int] = field(default_factory=set)

    def moved(self, rows: Sequence[RowWrite], done: Sequence[_Job], through: int) -> None:
        """Our entry is on record, on condition of `version`: nothing else was, so nothing is read again."""
        [written] = [row.values for row in rows if row.table is _TARGETS and row.values is not None]
        self.version += 1
        self.row = {**(self.row or {}), **written}
        if through != self.through:
            self.through = through
            self.ahead = {index for index in self.ahead if index >= through}
        self.ahead.update(job.index for job in done if job.index >= through)


class Outbox:
    """Belongs to one event loop. `run` goes on until cancelled."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        tenant: str,
        delivery: Delivery,
        changes: Changes,
        owner: str,
        now: Callable[[], datetime],
        turn: Callable[[], Awaitable[bool]],
        give_up: timedelta,
        poll_seconds: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`turn` says whether this process is the one to send now."""
        self.tenant = tenant
        self.delivery = delivery
        self._ledger = ledger
        self._changes = changes
        self._owner = owner
        self._now = now
        self._turn = turn
        self._give_up = give_up
        self._poll_seconds = poll_seconds
        self._sleep = sleep
        self._chance = chance
        self._place: _Place | None = None
        self._read_to = 0
        self._jobs: dict[int, _Job] = {}
        self._moved = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Notices that were read from the log and not taken yet, by this process."""
        return sum(not job.delivered for job in self._jobs.values())

    @property
    def problem(self) -> str | None:
        """Why the newest attempt of a notice that still waits failed."""
        waiting = [job for job in self._jobs.values() if job.reason is not None and not job.delivered]
        return waiting[-1].reason if waiting else None

    async def run(self) -> None:
        """Sends for ever; no error ends it. A cancel settles what is done, and leaves the rest as a kill does."""
        failed: str | None = None
        with self._changes.subscribe(self.tenant, ANY) as changed:
            try:
                while True:
                    changed.clear()
                    self._moved.clear()
                    more, fault = False, None
                    try:
                        more = await self.step()
                    except LedgerError as err:
                        fault = err.reason
                    except Exception as err:
                        fault = type(err).__name__
                    if fault not in (None, failed):
                        # Once: a log that takes no entries may stay so for long.
                        log.warning(
                            "notices.step_failed", target=self.delivery.name, tenant=self.tenant, reason=fault
                        )
                    failed = fault
                    if fault is not None:
                        await asyncio.sleep(self._poll_seconds + FAULT_SECONDS)
                    elif not more:
                        await self._wait(changed)
            finally:
                with suppress(LedgerError):
                    if self._place is not None:
                        await self._settle()
                await self.stop()

    async def step(self) -> bool:
        """Settles what is done, reads on, and begins what is new; whether there is more to read at once."""
        if not await self._turn():
            await self.stop()
            return False
        if self._place is None:
            await self._take_over()
        assert self._place is not None
        await self._settle()
        if len(self._jobs) >= WINDOW:
            return False
        entries = await self._ledger.list_entries(self.tenant, self._read_to, PAGE)
        for entry in entries:
            if len(self._jobs) >= WINDOW:
                return False
            if entry.index not in self._place.ahead and (found := await self._job(entry)) is not None:
                self._jobs[entry.index] = found
                found.task = asyncio.create_task(self._carry(found), name=f"notice to {self.delivery.name}")
            self._read_to = entry.index + 1
        if not self._jobs and self._read_to - self._place.through >= QUIET_ENTRIES:
            await self._record([], self._read_to)
        return len(entries) == PAGE

    async def stop(self) -> None:
        """Ends what is under way, and forgets it: the record says what is to be done."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._jobs.clear()
        self._place = None

    # --- inside ----------------------------------------------------------------------------------------

    async def _wait(self, changed: asyncio.Event) -> None:
        """Until something of the tenant changed here, a notice was settled, or it is time to look."""
        waits = [asyncio.ensure_future(event.wait()) for event in (changed, self._moved)]
        try:
            await asyncio.wait(waits, timeout=self._poll_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _take_over(self) -> None:
        """Finds its place; of a target that is new, the log's end: nobody is told of what was before them."""
        place = await self._read_place()
        if place.row is None:
            size, _root = await self._ledger.head(self.tenant)
            self._place = place
            await self._record([], size)
            return
        self._place, self._read_to = place, place.through

    async def _read_place(self) -> _Place:
        stream = target_stream(self.delivery.name)
        # INVARIANT: the version is not newer than the row, so that a place that moved in between is never settled.
        version = await self._ledger.stream_version(self.tenant, stream)
        rows = await self._ledger.query(
            select(_TARGETS).where(_TARGETS.c.log_id == self.tenant, _TARGETS.c.target == self.delivery.name)
        )
        if not rows:
            return _Place(version, None)
        row = dict(rows[0]._mapping)
        return _Place(version, row, row["through"], set(json.loads(row["ahead"])))

    async def _job(self, entry: Entry) -> _Job | None:
        """What the target is to be told of an entry; None for one of no concern to it."""
        about = entry
        if entry.type in FOR_ONE_TARGET:
            if entry.body["target"] != self.delivery.name:
                return None
            if entry.type == "notice.retried":
                about = await self._ledger.get_entry(self.tenant, entry.body["about"])
        try:
            ticket = ticket_of(about)
            item = None if ticket is None else await self._item(ticket)
            notice = self.delivery.read(about, self.tenant, item)
        except (KeyError, TypeError, ValueError) as err:
            # Written by another version, in another form: to stop here would keep back all that follows.
            log.error("notices.entry_not_understood", index=about.index, error_type=type(err).__name__)
            return None
        if notice is None or not (entry.type in FOR_ONE_TARGET or self.delivery.wants(notice)):
            return None
        return _Job(entry.index, notice, parse(entry.time))

    async def _item(self, ticket: str) -> Mapping[str, Any] | None:
        rows = await self._ledger.query(
            select(_ITEMS).where(_ITEMS.c.log_id == self.tenant, _ITEMS.c.ticket_id == ticket)
        )
        return dict(rows[0]._mapping) if rows else None

    async def _carry(self, job: _Job) -> None:
        """Sends one until it is taken or given up."""
        while True:
            job.attempts += 1
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    await self.delivery.send(job.notice)
            except TimeoutError:
                failed = NotDelivered(TIMEOUT)
            except NotDelivered as err:
                failed = err
            except Exception as err:
                # A fault of ours must not end the notice: it is tried again, and given up like any other.
                log.error("notices.send_failed", target=self.delivery.name, error_type=type(err).__name__)
                failed = NotDelivered("INTERNAL")
            else:
                job.delivered = True
                self._moved.set()
                return
            job.reason = failed.reason
            log.warning(
                "notices.not_delivered",
                target=self.delivery.name,
                tenant=self.tenant,
                index=job.notice.index,
                reason=failed.reason,
                count=job.attempts,
            )
            if is_over(job.began, self._now(), self._give_up, permanent=failed.permanent):
                job.over = True
                self._moved.set()
                return
            await self._sleep(max(failed.after_seconds, pause_seconds(job.attempts, self._chance())))

    async def _settle(self) -> None:
        done = [job for job in self._jobs.values() if job.delivered or job.over]
        if not done:
            return
        open_ = [job.index for job in self._jobs.values() if job not in done]
        await self._record(done, min(open_, default=self._read_to))
        for job in done:
            self._jobs.pop(job.index, None)

    async def _record(self, done: list[_Job], through: int) -> None:
        """Puts on record what is done. When another process was faster, what it settled is not settled again."""
        assert self._place is not None
        while True:
            place = self._place
            new = [job for job in done if job.index >= place.through and job.index not in place.ahead]
            through = max(through, place.through)
            if place.row is not None and not new and through == place.through:
                return
            entry = PendingEntry(
                type="notice.settled",
                stream=target_stream(self.delivery.name),
                actor=f"system:{self._owner}",
                subject=None,
                body={
                    "target": self.delivery.name,
                    "kind": self.delivery.kind,
                    "through": through,
                    "delivered": sorted(job.index for job in new if job.delivered),
                    "dead": [_dead(job) for job in new if not job.delivered],
                },
                occurred_at=self._now(),
            )
            known = (
                [] if place.row is None else [RowWrite(_TARGETS, {"target": self.delivery.name}, place.row)]
            )
            rows = rows_of_append([entry], known)
            try:
                await self._ledger.append(
                    self.tenant, [entry], expect=[Expectation(entry.stream, place.version)], rows=rows
                )
            except ExpectationFailed:
                self._place = await self._read_place()
                if place.row is None and self._place.row is not None:
                    # Another process began it: from where it said, or what came in between were told to nobody.
                    self._read_to = self._place.through
                    return
                continue
            place.moved(rows, new, through)
            self._read_to = max(self._read_to, through)
            return


def _dead(job: _Job) -> dict[str, Any]:
    return {
        "index": job.index,
        "notice": job.notice.id,
        "about": job.notice.index,
        "event": job.notice.event,
        "reason": job.reason or "UNKNOWN",
        "attempts": job.attempts,
    }

"""Asks for the reports of schedules when they are due, once each, whatever was down meanwhile; and lets go of reports
that nobody signs off in time, which would take the place of others.

Each has an id that follows from its schedule and period, and an entry on condition that there is none of it yet: of
several processes one asks, and none asks again. Nothing is issued by itself: a named person signs each off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from attending.ledger.errors import ExpectationFailed, LedgerError
from attending.ledger.ledger import Ledger
from attending.ledger.report_signature import report_stream
from attending.server.config.reports import ScheduleSection
from attending.server.errors import AttendingError, NotFound
from attending.server.reports.choose import Choice
from attending.server.reports.desk import ReportDesk
from attending.server.reports.particulars import Kind
from attending.server.reports.schedule import Period, periods, report_id

log = structlog.get_logger()

SWEEP_SECONDS: Final = 600.0


class Scheduler:
    """One of a server process."""

    def __init__(
        self,
        ledger: Ledger,
        desk: ReportDesk,
        schedules: Sequence[ScheduleSection],
        tenants: Sequence[str],
        owner: str,
        now: Callable[[], datetime],
        sign_within: timedelta,
    ) -> None:
        """`sign_within` is how long a report waits for its signature."""
        self._ledger = ledger
        self._desk = desk
        self._schedules = schedules
        self._tenants = tenants
        self._owner = owner
        self._now = now
        self._sign_within = sign_within
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="report schedules")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def sweep(self) -> int:
        """Asks for what is due; how many reports that were. Before that, what waited too long is discarded."""
        for tenant in self._tenants:
            await self._expire(tenant)
        asked = 0
        for section in self._schedules:
            for tenant in section.tenants or self._tenants:
                for period in periods(section, self._now()):
                    asked += await self._ask(tenant, section, period)
        return asked

    async def _run(self) -> None:
        while True:
            try:
                await self.sweep()
            except (LedgerError, AttendingError) as err:
                log.warning("reports.schedule_failed", reason=err.reason)
            except Exception as err:
                log.error("reports.schedule_failed", error_type=type(err).__name__)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _expire(self, tenant: str) -> None:
        try:
            count = await self._desk.expire(tenant, f"system:{self._owner}", self._now() - self._sign_within)
        except (AttendingError, LedgerError) as err:  # such as a log that is frozen: the others go on
            log.warning("reports.not_expired", tenant=tenant, reason=err.reason)
            return
        if count:
            log.info("reports.expired", tenant=tenant, count=count)

    async def _ask(self, tenant: str, section: ScheduleSection, period: Period) -> bool:
        name = report_id(tenant, section, period)
        choice = Choice(period.since, period.until, policy=section.policy)
        try:
            if await self._ledger.stream_version(tenant, report_stream(name)):
                return False
            await self._desk.ask(
                tenant, f"system:{self._owner}", name, Kind(section.kind), choice, schedule=section.name
            )
        except NotFound:  # nothing is on record of that time, and nothing will be
            return False
        except ExpectationFailed:  # another process was first
            return False
        except (AttendingError, LedgerError) as err:  # such as a log that is frozen: the others go on
            log.warning("report.not_scheduled", tenant=tenant, schedule=section.name, reason=err.reason)
            return False
        log.info("report.scheduled", tenant=tenant, report=name, schedule=section.name)
        return True

"""Reports that are asked for by the calendar: which periods a schedule has, and when each is due.

A period begins at midnight, in the schedule's time zone, of the first day of a month or quarter, and ends where the
next begins: nothing falls between two of them, also where a clock is changed at that midnight.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from attending.ledger.canonical import encode
from attending.server.clock import stamp
from attending.server.config.reports import ScheduleSection

MONTHS: Final = {"monthly": 1, "quarterly": 3}
MOST_PERIODS: Final = 240
"""Of one schedule that are looked at, the newest: more than that are nobody's backlog."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` on and before `until`; its report is asked for from `due` on."""

    since: datetime
    until: datetime
    due: datetime


def periods(section: ScheduleSection, now: datetime) -> list[Period]:
    """Those that are due at `now`, oldest first."""
    found = []
    for one in _all(section):
        if one.due > now:
            break
        found.append(one)
    return found[-MOST_PERIODS:]


def next_period(section: ScheduleSection, now: datetime) -> Period:
    """The first that is not due yet at `now`."""
    return next(one for one in _all(section) if one.due > now)


def report_id(tenant: str, section: ScheduleSection, period: Period) -> str:
    """The id of a period's report: the same in every process, so that it is on record once."""
    said = [tenant, section.name, stamp(period.since), stamp(period.until)]
    return "rpt_" + hashlib.sha256(b"attending-schedule/1\n" + encode(said)).hexdigest()[:32]


def _all(section: ScheduleSection) -> Iterator[Period]:
    day, months = date.fromisoformat(section.first), MONTHS[section.every]
    zone, wait = ZoneInfo(section.time_zone), timedelta(days=section.after_days)
    while True:
        end = _later(day, months)
        until = _midnight(end, zone)
        yield Period(_midnight(day, zone), until, until + wait)
        day = end


def _later(day: date, months: int) -> date:
    month = day.month - 1 + months
    return date(day.year + month // 12, month % 12 + 1, 1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day: where its midnight is skipped, the moment at which the clock is changed."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)

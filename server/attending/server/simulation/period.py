"""The period that a simulation goes over, as people write it: `30d`, `24h`, `2026-11-01..2026-11-30`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

_LAST: Final = re.compile(r"([1-9][0-9]{0,3})([hd])")


@dataclass(frozen=True, slots=True)
class Period:
    """`since` is in it, `until` is not; both aware."""

    since: datetime
    until: datetime

    @property
    def days(self) -> float:
        return (self.until - self.since) / timedelta(days=1)


def period(text: str, now: datetime) -> Period:
    """The period that `text` names; of two days both are in it, in UTC. Raises ValueError."""
    if last := _LAST.fullmatch(text):
        number = int(last[1])
        return Period(now - (timedelta(hours=number) if last[2] == "h" else timedelta(days=number)), now)
    first, dots, final = text.partition("..")
    if not dots:
        final = first
    since, until = (_midnight(date.fromisoformat(day)) for day in (first, final))
    if until < since:
        raise ValueError("ends before it begins")
    return Period(since, until + timedelta(days=1))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)

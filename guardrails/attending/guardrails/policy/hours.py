"""Hours of work: when people are there, in the clock of a place, and when an item is escalated for their absence.

Everything here is asked once, when a text is held: the moment that it comes to stands in the entry, so that nobody who
checks the log later needs a calendar or a version of the time zone database.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MIDNIGHT: Final = "24:00"
_Clock = Annotated[str, StringConstraints(pattern=r"^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$")]


class Hours(BaseModel):
    """The hours in which people are there: on `days` from `begins` until `ends`, except on `holidays`.

    `time_zone` is a name of the IANA time zone database. `ends` may be 24:00; hours that go past midnight are those of
    two days. Where the clocks are changed and a time comes twice or not at all, the hours are the shorter for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    time_zone: str = Field(min_length=1, max_length=64)
    days: tuple[Day, ...] = Field(min_length=1, max_length=7)
    begins: _Clock
    ends: _Clock
    holidays: tuple[date, ...] = Field(default=(), max_length=400)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ValueError, OSError, LookupError):
            raise ValueError(
                f"`{value}` is no name of the time zone database, such as America/New_York"
            ) from None
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.begins >= self.ends:
            raise ValueError("`ends` must be after `begins`, and 24:00 at the latest")
        if len(set(self.days)) != len(self.days):
            raise ValueError("`days` names a day twice")
        return self

    def covers(self, moment: datetime) -> bool:
        """Whether `moment` (aware) lies in them; the end does not."""
        today = moment.astimezone(ZoneInfo(self.time_zone)).date()
        return any(begin <= moment < end for begin, end in self._spans(today - timedelta(days=1), 3))

    def absences(self, after: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The times outside of them that end after `after` and begin before `until`, in order and in UTC; none where
        somebody is always there. The first may have begun before `after`.
        """
        # Hours of a day lie within two days of UTC around it, whatever the zone.
        begin = after.astimezone(UTC) - timedelta(days=2)
        day = begin.astimezone(ZoneInfo(self.time_zone)).date() - timedelta(days=1)
        left = begin
        while left < until:
            for start, end in self._spans(day, 1):
                if start > left and start > after:
                    yield left, start
                left = max(left, end)
            day += timedelta(days=1)

    def _spans(self, first: date, days: int) -> Iterator[tuple[datetime, datetime]]:
        """The hours of `days` days from `first`, in UTC; none of a day without."""
        for number in range(days):
            day = first + timedelta(days=number)
            if _DAYS[day.weekday()] not in self.days or day in self.holidays:
                continue
            begin, end = self._moments(day, self.begins)[-1], self._moments(day, self.ends)[0]
            if begin < end:
                yield begin, end

    def _moments(self, day: date, clock: str) -> list[datetime]:
        """The moments at which the clock shows this, in UTC, in order: two where it is set back over it, and where it
        is set forward over it those that it would have been by either setting.
        """
        if clock == _MIDNIGHT:
            day, clock = day + timedelta(days=1), "00:00"
        local = datetime.combine(day, time.fromisoformat(clock), ZoneInfo(self.time_zone))
        return sorted(local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))


def escalation_moment(held: datetime, after_minutes: int, hours: Hours, outside_minutes: int) -> datetime:
    """When a text that was held at `held` (aware) is escalated, in UTC: `after_minutes` later, or as soon as nobody has
    been there for `outside_minutes` since it was held.
    """
    at = held.astimezone(UTC) + timedelta(minutes=after_minutes)
    wait = timedelta(minutes=outside_minutes)
    for begin, end in hours.absences(held, at):
        left = max(begin, held.astimezone(UTC)) + wait
        if begin >= at or left >= at:
            return at
        if left < end:
            return left
    return at

"""When nobody is there: hours of a place, through changes of its clocks, and the moment that follows from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attending.guardrails.policy.hours import Hours, escalation_moment
from attending.guardrails.policy.schema import Escalation
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

WEEK = ("mon", "tue", "wed", "thu", "fri")
NEW_YORK = ZoneInfo("America/New_York")


def hours(**changes: Any) -> Hours:
    return Hours(
        **{"time_zone": "America/New_York", "days": WEEK, "begins": "08:00", "ends": "18:00"} | changes
    )


def local(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("moment", "there"),
    [
        ("2026-11-27 07:59", False),
        ("2026-11-27 08:00", True),
        ("2026-11-27 17:59", True),
        ("2026-11-27 18:00", False),
        ("2026-11-28 12:00", False),
        ("2026-12-25 12:00", False),
    ],
)
def test_the_hours_are_those_of_the_place(moment: str, there: bool) -> None:
    assert hours(holidays=("2026-12-25",)).covers(local(moment)) is there
    assert hours(holidays=("2026-12-25",)).covers(local(moment).astimezone(UTC)) is there


@pytest.mark.parametrize(
    ("held", "at"),
    [
        # Within the hours the ordinary time counts, and outside them the shorter one.
        ("2026-11-25 10:00", "2026-11-25 12:00"),
        ("2026-11-25 22:00", "2026-11-25 22:15"),
        # Nobody is there from 18:00 on.
        ("2026-11-25 17:30", "2026-11-25 18:15"),
        ("2026-11-27 17:59", "2026-11-27 18:15"),
        # People come before the time outside is over.
        ("2026-11-26 07:50", "2026-11-26 09:50"),
        ("2026-11-26 07:45", "2026-11-26 09:45"),
        ("2026-11-26 07:44", "2026-11-26 07:59"),
        ("2026-11-28 12:00", "2026-11-28 12:15"),
    ],
)
def test_it_is_sooner_while_nobody_is_there(held: str, at: str) -> None:
    assert escalation_moment(local(held), 120, hours(), 15) == local(at)


def test_a_long_wait_ends_at_the_first_evening() -> None:
    assert escalation_moment(local("2026-11-25 07:50"), 3 * 1440, hours(), 15) == local("2026-11-25 18:15")
    # Three hours, of which no night but the weekend's is long enough.
    almost = hours(begins="00:00", ends="23:00")
    assert escalation_moment(local("2026-11-25 12:00"), 7 * 1440, almost, 180) == local("2026-11-28 02:00")


def test_whole_days_have_no_midnight_between_them() -> None:
    week = hours(begins="00:00", ends="24:00")
    assert week.covers(local("2026-11-26 00:00"))
    assert week.covers(local("2026-11-26 23:59"))
    [(begin, end)] = week.absences(local("2026-11-25 12:00"), local("2026-11-29 00:00"))
    assert (begin, end) == (local("2026-11-28 00:00"), local("2026-11-30 00:00"))


def test_where_somebody_is_always_there_nothing_is_sooner() -> None:
    """Days were gone through to the end of the calendar, for 45 seconds a held text, and then refused."""
    always = hours(begins="00:00", ends="24:00", days=["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
    held = local("2026-11-25 12:00")
    assert list(always.absences(held, held + timedelta(days=30))) == []
    assert escalation_moment(held, 120, always, 15) == local("2026-11-25 14:00")


@pytest.mark.parametrize(
    ("zone", "held", "at"),
    [
        # The clocks go forward on 8 March 2026 at 02:00: the night is an hour shorter.
        ("America/New_York", "2026-03-08T04:00+00:00", "2026-03-08T04:15+00:00"),
        ("America/New_York", "2026-03-08T11:50+00:00", "2026-03-08T13:50+00:00"),
        ("America/New_York", "2026-03-07T12:50+00:00", "2026-03-07T14:50+00:00"),
        # And back on 1 November at 02:00.
        ("America/New_York", "2026-11-01T12:50+00:00", "2026-11-01T14:50+00:00"),
        ("America/New_York", "2026-11-01T12:40+00:00", "2026-11-01T12:55+00:00"),
        # Half an hour, in Lord Howe, on 4 October 2026.
        ("Australia/Lord_Howe", "2026-10-03T21:10+00:00", "2026-10-03T23:10+00:00"),
        ("Australia/Lord_Howe", "2026-10-02T21:10+00:00", "2026-10-02T21:25+00:00"),
    ],
)
def test_the_clocks_are_changed(zone: str, held: str, at: str) -> None:
    every_day = hours(time_zone=zone, days=(*WEEK, "sat", "sun"))
    found = escalation_moment(datetime.fromisoformat(held), 120, every_day, 15)
    assert found == datetime.fromisoformat(at)


def test_a_time_that_comes_twice_or_not_at_all_makes_the_hours_shorter() -> None:
    early = hours(days=("sun",), begins="02:30", ends="12:00")
    # 02:30 is skipped: 03:30 by the new clock, not 01:30.
    assert not early.covers(datetime(2026, 3, 8, 7, 15, tzinfo=UTC))
    assert early.covers(datetime(2026, 3, 8, 7, 30, tzinfo=UTC))
    late = hours(days=("sun",), begins="00:00", ends="01:30")
    # 01:30 comes twice: the first is the end.
    assert late.covers(datetime(2026, 11, 1, 5, 29, tzinfo=UTC))
    assert not late.covers(datetime(2026, 11, 1, 5, 30, tzinfo=UTC))
    assert not late.covers(datetime(2026, 11, 1, 6, 15, tzinfo=UTC))
    # Hours of which nothing is left are none.
    gone = hours(days=("sun",), begins="02:10", ends="02:50")
    assert not any(
        gone.covers(datetime(2026, 3, 8, 6, 0, tzinfo=UTC) + timedelta(minutes=n)) for n in range(180)
    )


_moments = st.datetimes(
    min_value=datetime(2026, 1, 1), max_value=datetime(2027, 12, 31), timezones=st.just(UTC)
)


@given(
    held=_moments,
    zone=st.sampled_from(["America/New_York", "Pacific/Chatham", "Asia/Kathmandu", "Africa/Casablanca"]),
    days=st.sets(st.sampled_from([*WEEK, "sat", "sun"]), min_size=1),
    span=st.tuples(st.integers(0, 47), st.integers(1, 48)).filter(lambda pair: pair[0] < pair[1]),
    ordinary=st.integers(1, 3 * 1440),
    outside=st.integers(1, 600),
)
def test_it_is_the_first_moment_that_fits(
    held: datetime, zone: str, days: set[str], span: tuple[int, int], ordinary: int, outside: int
) -> None:
    begins, ends = (f"{half // 2:02}:{half % 2 * 30:02}" for half in span)
    at_work = hours(time_zone=zone, days=tuple(days), begins=begins, ends=ends)
    found = escalation_moment(held, ordinary, at_work, min(outside, ordinary))
    assert held < found <= held + timedelta(minutes=ordinary)
    if found < held + timedelta(minutes=ordinary):
        # Nobody was there for as long as it says, and nobody is.
        away = [found - timedelta(minutes=n) for n in range(min(outside, ordinary) + 1)]
        assert not any(at_work.covers(moment) for moment in away)
    # Nor was there such a time before: of any minute in between, people came too soon after it began.
    alone = 0
    for n in range(int((found - held).total_seconds()) // 60):
        alone = 0 if at_work.covers(held + timedelta(minutes=n)) else alone + 1
        assert alone <= min(outside, ordinary)


def escalation(**changes: Any) -> Escalation:
    outside = {
        "time_zone": "America/New_York",
        "days": list(WEEK),
        "begins": "08:00",
        "ends": "18:00",
        "after_minutes": 15,
        "to_roles": ["safety_officer"],
    }
    return Escalation.model_validate(
        {"after_minutes": 120, "to_roles": ["pharmacist"], "outside_hours": outside | changes}
    )


def test_who_is_asked_depends_on_when() -> None:
    policy = escalation()
    assert policy.due(local("2026-11-25 10:00")) == (local("2026-11-25 12:00"), ("pharmacist",))
    assert policy.due(local("2026-11-25 22:00")) == (local("2026-11-25 22:15"), ("safety_officer",))
    # The ordinary time ends when nobody is there, sooner than the time outside does.
    assert policy.due(local("2026-11-25 16:10")) == (local("2026-11-25 18:10"), ("safety_officer",))
    assert policy.roles_at(local("2026-11-25 17:59")) == ("pharmacist",)
    without = Escalation(after_minutes=120, to_roles=("pharmacist",))
    assert without.due(local("2026-11-25 22:00")) == (local("2026-11-26 00:00"), ("pharmacist",))


@pytest.mark.parametrize(
    "changes",
    [
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": "/etc/localtime"},
        {"days": []},
        {"days": ["mon", "mon"]},
        {"days": ["monday"]},
        {"begins": "8:00"},
        {"begins": 480},
        {"ends": "08:00"},
        {"begins": "24:00"},
        {"ends": "24:01"},
        {"holidays": ["Christmas"]},
        {"after_minutes": 121},
        {"after_minutes": 0},
        {"to_roles": []},
        {"to_roles": ["janitor"]},
        {"on_call": "Bob"},
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    escalation()
    with pytest.raises(ValidationError):
        escalation(**changes)

"""How often, for how long, by which route."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from attending.guardrails.clinical.statement import ParsedText

Read = Callable[[str], ParsedText]
D = Decimal

FREQUENCIES = [
    ("every 4 to 6 hours", D(6), D(4)),
    ("every 6 hours", D(4), D(6)),
    ("every six hours", D(4), D(6)),
    ("q4-6h prn", D(6), D(4)),
    ("q 8 h", D(3), D(8)),
    ("q8hrs", D(3), D(8)),
    ("6-hourly", D(4), D(6)),
    ("every 72 hours", D("0.333333"), D(72)),
    ("every other day", D("0.5"), D(48)),
    ("every 2 weeks", D("0.071429"), D(336)),
    ("BID", D(2), None),
    ("b.i.d.", D(2), None),
    ("TID", D(3), None),
    ("t.i.d.", D(3), None),
    ("QID", D(4), None),
    ("q.i.d.", D(4), None),
    ("QD", D(1), D(24)),
    ("qod", D("0.5"), D(48)),
    ("qHS", D(1), None),
    ("daily", D(1), None),
    ("once daily", D(1), None),
    ("once a day", D(1), None),
    ("every day", D(1), None),
    ("each morning", D(1), None),
    ("nightly", D(1), None),
    ("at bedtime", D(1), None),
    ("daily at bedtime", D(1), None),
    ("twice daily", D(2), None),
    ("2x/day", D(2), None),
    ("two times a day", D(2), None),
    ("three times a day", D(3), None),
    ("3 times daily", D(3), None),
    ("up to 4 times a day", D(4), None),
    ("every 4 hours, up to 4 times a day", D(4), D(4)),
    ("two to three times daily", D(3), None),
    ("in the morning and at night", D(2), None),
    ("at 8 am and 8 pm", D(2), None),
    ("with breakfast and dinner", D(2), None),
    ("before meals", D(3), None),
    ("before meals and at bedtime", D(4), None),
    ("weekly", D(1) / 7, D(168)),
    ("once a week", D(1) / 7, None),
    ("once weekly", D(1) / 7, None),
    ("every Monday", D(1) / 7, None),
    ("on Monday, Wednesday and Friday", D(3) / 7, None),
    ("twice a week", D(2) / 7, None),
    ("Monday through Friday", D(5) / 7, None),
    ("five days a week", D(5) / 7, None),
    ("on weekdays", D(5) / 7, None),
    ("ON", D(1), None),
    ("once a month", D(1) / 30, None),
    ("as a single dose", D(1), None),
    ("once", D(1), None),
    ("stat", D(1), None),
]


@pytest.mark.parametrize(("written", "times", "hours"), FREQUENCIES)
def test_frequency(read: Read, written: str, times: Decimal, hours: Decimal | None) -> None:
    (statement,) = read(f"Take methotrexate 10 mg {written}.").statements
    frequency = statement.frequency
    assert frequency is not None, written
    assert frequency.times_per_day is not None
    assert abs(frequency.times_per_day - times) < D("0.001")
    if hours is not None:
        assert frequency.interval_hours == hours


def test_a_frequency_that_is_denied_is_none(read: Read) -> None:
    for text in ("Methotrexate 15 mg once weekly (never daily).", "methotrexate 15 mg weekly, not daily"):
        (statement,) = read(text).statements
        assert statement.frequency is not None
        assert statement.frequency.times_per_day is not None
        assert statement.frequency.times_per_day < 1, text


def test_the_week_of_a_duration_is_no_weekly(read: Read) -> None:
    (statement,) = read("Take prednisone 25 mg daily for a week.").statements
    assert statement.frequency is not None
    assert statement.frequency.times_per_day == 1
    assert statement.frequency.interval_hours is None


def test_as_needed_and_once_are_told_apart(read: Read) -> None:
    for words in ("as needed", "PRN", "when required", "if needed", "p.r.n."):
        (statement,) = read(f"ibuprofen 400 mg every 6 hours {words}").statements
        assert statement.frequency is not None, words
        assert statement.frequency.prn, words
    (once,) = read("Give azithromycin 1 g as a single dose.").statements
    assert once.frequency is not None
    assert once.frequency.once_only
    (daily,) = read("Take azithromycin 250 mg once daily.").statements
    assert daily.frequency is not None
    assert not daily.frequency.once_only


def test_a_daily_total_may_be_divided(read: Read) -> None:
    (statement,) = read("amoxicillin 45 mg/kg/day divided q12h").statements
    assert statement.dose is not None
    assert (statement.dose.per_time, statement.dose.per_kg) == ("day", True)
    assert statement.frequency is not None
    assert statement.frequency.times_per_day == 2


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ("for 10 days", 10),
        ("x 10 days", 10),
        ("x10d", 10),
        ("for two weeks", 14),
        ("for a week", 7),
        ("for 5-7 days", 7),
        ("for the next 3 days", 3),
        ("for 48 hours", 2),
        ("for up to 14 days", 14),
        ("for 3 months", 90),
    ],
)
def test_duration(read: Read, written: str, days: int) -> None:
    (statement,) = read(f"Take amoxicillin 500 mg three times a day {written}.").statements
    assert statement.duration is not None, written
    assert statement.duration.days == days
    assert statement.frequency is not None
    assert statement.frequency.times_per_day == 3


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("Take warfarin 5 mg by mouth daily.", "oral"),
        ("warfarin 5 mg PO daily", "oral"),
        ("vancomycin 1 g IV every 12 hours", "intravenous"),
        ("Give intravenous vancomycin 1 g every 12 hours.", "intravenous"),
        ("enoxaparin 40 mg subcut daily", "subcutaneous"),
        ("enoxaparin 40 mg under the skin daily", "subcutaneous"),
        ("penicillin 1.2 million units IM once", "intramuscular"),
        ("vincristine 2 mg intrathecally", "intrathecal"),
        ("nitroglycerin 0.4 mg SL as needed", "sublingual"),
        ("nitroglycerin 0.4 mg under the tongue", "sublingual"),
        ("timolol 1 drop in each eye twice daily", "ophthalmic"),
        ("hydrocortisone 1% cream to the affected area twice daily", "topical"),
        ("albuterol 2 puffs every 4 hours", "inhaled"),
        ("fentanyl 25 mcg/h patch every 72 hours", "transdermal"),
        ("acetaminophen 650 mg rectally every 6 hours", "rectal"),
    ],
)
def test_route(read: Read, text: str, route: str) -> None:
    (statement,) = read(text).statements
    assert statement.route == route


def test_push_infusion_time_and_loading(read: Read) -> None:
    (push,) = read("Give potassium chloride 20 mEq IV push.").statements
    assert push.rapid
    (slow,) = read("Give vancomycin 1 g IV over 60 minutes.").statements
    assert not slow.rapid
    assert slow.over_minutes == 60
    load, maintenance = read(
        "Give a loading dose of vancomycin 25 mg/kg IV, then 15 mg/kg every 12 hours."
    ).statements
    assert (load.loading, maintenance.loading) == (True, False)
    assert maintenance.route == "intravenous"
    assert load.sum_group is None


def test_doses_at_different_moments_of_one_day_add_up(read: Read) -> None:
    for text in (
        "Take 1 tablet of metformin 500 mg in the morning and 2 at night.",
        "metformin 500 mg in the morning and 1000 mg in the evening",
        "metformin 500 mg tablets: take 1 tablet with breakfast and 2 tablets with dinner",
    ):
        statements = read(text).statements
        assert [s.dose.high for s in statements if s.dose] == [500, 1000], text
        assert len({s.sum_group for s in statements}) == 1, text
        assert statements[0].sum_group is not None, text
    taper = read("Prednisone 40 mg daily for 5 days, then 20 mg daily for 5 days.").statements
    assert [s.sum_group for s in taper] == [None, None]
    assert [s.duration.days for s in taper if s.duration] == [5, 5]


@pytest.mark.parametrize(
    ("text", "limit", "unit"),
    [
        ("Take acetaminophen 500 mg every 6 hours, max 4 g/day.", "4", "g"),
        ("Take acetaminophen 500 mg every 6 hours. Do not exceed 4,000 mg per day.", "4000", "mg"),
        ("acetaminophen 500 mg q6h, not to exceed 3 g in 24 hours", "3", "g"),
        ("Do not take more than 4 g of acetaminophen in 24 hours.", "4", "g"),
        ("Never take more than 4 tablets of 500 mg acetaminophen in 24 hours.", "2000", "mg"),
        ("Acetaminophen: maximum daily dose 4 g.", "4", "g"),
        (
            "acetaminophen 325 mg tablets, take 2 tablets every 6 hours, no more than 10 tablets a day",
            "3250",
            "mg",
        ),
        ("Take acetaminophen 650 mg, up to 3 g per day.", "3", "g"),
        ("Limit acetaminophen to 3 g per day.", "3", "g"),
    ],
)
def test_what_the_text_says_not_to_exceed_is_a_limit_and_no_dose(
    read: Read, text: str, limit: str, unit: str
) -> None:
    statements = read(text).statements
    limits = [s.daily_limit for s in statements if s.daily_limit is not None]
    assert limits, text
    assert (limits[0].high, limits[0].unit) == (Decimal(limit), unit)
    assert all(s.dose is None or s.dose.high != Decimal(limit) for s in statements)


def test_a_limit_at_one_time_is_no_daily_limit(read: Read) -> None:
    (statement,) = read("Ibuprofen: do not take more than 400 mg at one time.").statements
    assert statement.single_limit is not None
    assert statement.single_limit.high == 400
    assert statement.daily_limit is None


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("500 mg tablets 2-2-2-4", D(5000)),
        ("500 mg tablets: morning 2, noon 1, night 2", D(2500)),
        ("500 mg tablets: 2 at breakfast, 2 at lunch, 1 at bedtime", D(2500)),
        ("500 mg am and 1000 mg pm", D(1500)),
        ("500 mg OM and 500 mg ON", D(1000)),
        ("1000 mg every 4 hrs, max 3/day", D(3000)),
    ],
)
def test_counts_of_the_moments_of_a_day_add_up(read: Read, written: str, day: D) -> None:
    total = D(0)
    for statement in read(f"metformin {written}").statements:
        assert statement.dose is not None
        assert statement.frequency is not None
        assert statement.frequency.times_per_day is not None
        total += statement.dose.high * statement.frequency.times_per_day
    assert total == day


def test_an_on_that_is_no_abbreviation_is_no_time_of_day(read: Read) -> None:
    assert all(s.frequency is None for s in read("TAKE METFORMIN 500 MG ON AN EMPTY STOMACH").statements)
    assert all(s.frequency is None for s in read("We put him on metformin 500 mg on arrival.").statements)

"""The incident file: each clock at its edge, and what nobody stated said plainly."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from attending.ledger.entry import Entry, format_time, parse_entry, parse_time
from attending.ledger.verify.registers import REGISTERS, Asked, Row
from attending.ledger.verify.registers.incidents import MOST_ENTRIES

from tests.ledger.verify.conftest import START, LogBuilder

STREAM = "emitter/human:sam/desk"


def opened(log: LogBuilder, name: str = "i-1", **body: Any) -> Entry:
    said = {"incident_id": name, "severity": "major", "category": "patient_safety", **body}
    return log.append("incident.opened", STREAM, said, actor="human:sam")


def notice(log: LogBuilder, recipient: str, name: str = "i-1", about: str = "incident") -> Entry:
    body = {
        "notice_id": "n",
        "about": about,
        "recipient": recipient,
        "channel": "letter",
        "incident_id": name,
    }
    return log.append("notice.sent", STREAM, body, actor="human:sam")


def rows(log: LogBuilder, *, after: timedelta = timedelta(0), **asked: str) -> list[Row]:
    until = format_time(log.clock + after + timedelta(microseconds=1))
    return list(REGISTERS["incident"].rows(map(parse_entry, log.entries), Asked(**{"until": until, **asked})))  # type: ignore[arg-type]


def clocks(found: list[Row]) -> list[tuple[object, ...]]:
    """(what, rule, due, state) of each clock."""
    return [(row[4], row[5], row[6], row[7]) for row in found if row[0] == "clock"]


def later(time: str, **more: float) -> str:
    return format_time(parse_time(time) + timedelta(**more))


@pytest.mark.parametrize(
    ("serious", "days", "paragraph"),
    [("death", 10, "73(4)"), ("widespread", 2, "73(3)"), ("other", 15, "73(2)"), (None, 15, "73(2)")],
)
def test_a_serious_incident_has_its_days_and_a_class_that_is_not_stated_is_said(
    serious: str | None, days: int, paragraph: str
) -> None:
    log = LogBuilder()
    entry = opened(log, **({} if serious is None else {"serious": serious}))
    [(what, rule, due, state)] = clocks(rows(log))
    assert (what, rule) == (
        "report of a serious incident" + ("" if serious else " (class not stated)"),
        f"AI Act {paragraph}: {days} days",
    )
    assert (due, state) == (later(entry.time, days=days), "running")


def test_the_clock_runs_from_awareness_and_moves_with_what_becomes_known() -> None:
    log = LogBuilder()
    aware = format_time(START - timedelta(days=3))
    opened(log, aware_at=aware, serious="other")
    assert clocks(rows(log))[0][2] == later(aware, days=15)
    log.append("incident.updated", STREAM, {"incident_id": "i-1", "serious": "death"})
    assert clocks(rows(log))[0][1:3] == ("AI Act 73(4): 10 days", later(aware, days=10))
    earlier = format_time(START - timedelta(days=5))
    log.append("incident.updated", STREAM, {"incident_id": "i-1", "aware_at": earlier})
    assert clocks(rows(log))[0][2] == later(earlier, days=10)
    log.append("incident.updated", STREAM, {"incident_id": "i-1", "serious": "none"})
    assert clocks(rows(log)) == []


@pytest.mark.parametrize(
    ("wait", "state"),
    [(timedelta(days=2), "met"), (timedelta(days=2, microseconds=1), "late")],
)
def test_a_notice_at_the_last_moment_meets_the_clock(wait: timedelta, state: str) -> None:
    log = LogBuilder()
    entry = opened(log, serious="widespread")
    log.clock = parse_time(entry.time) + wait - timedelta(seconds=1)
    notice(log, "patient")
    log.clock = parse_time(entry.time) + wait - timedelta(seconds=1)
    sent = notice(log, "regulator")
    [found] = [row for row in rows(log) if row[0] == "clock"]
    assert (found[7], found[2], found[3]) == (state, sent.index, sent.time)


def test_what_was_not_done_in_time_is_overdue_and_before_that_it_runs() -> None:
    log = LogBuilder()
    opened(log, serious="widespread")
    assert clocks(rows(log, after=timedelta(days=2)))[0][3] == "overdue"
    assert clocks(rows(log, after=timedelta(days=2, seconds=-1)))[0][3] == "running"


@pytest.mark.parametrize(
    ("persons", "expected"),
    [
        (0, []),
        (1, ["164.404: 60", "164.408(c): 60 days after the year"]),
        (499, ["164.404: 60", "164.408(c): 60 days after the year"]),
        (500, ["164.404: 60", "164.408(b): 60"]),
        (501, ["164.404: 60", "164.406: 60", "164.408(b): 60"]),
        (None, ["164.404: 60", "164.406: 60", "164.408(b): 60"]),
    ],
)
def test_a_breach_has_the_clocks_of_its_number_of_persons(persons: int | None, expected: list[str]) -> None:
    log = LogBuilder()
    more: dict[str, Any] = {} if persons is None else {"persons": persons}
    opened(log, category="privacy", **more)
    found = clocks(rows(log))
    assert len(found) == len(expected)
    assert all(rule in str(one[1]) for rule, one in zip(expected, found, strict=True))
    if persons == 1:
        assert found[1][2] == "2027-03-02T00:00:00.000000Z"
    if persons is None:
        assert "(persons not stated)" in str(found[2][0])


def test_a_notice_to_one_regulator_is_none_to_another() -> None:
    log = LogBuilder()
    opened(log, category="privacy", serious="other", persons=500)

    def states() -> list[object]:
        return [one[3] for one in clocks(rows(log))]

    notice(log, "regulator", about="incident")
    assert states() == ["met", "running", "running"]
    notice(log, "regulator", about="breach")
    assert states() == ["met", "running", "met"]
    notice(log, "patient", about="privacy")
    assert states() == ["met", "met", "met"]


def test_no_clock_runs_for_what_is_neither_breach_nor_harm_nor_for_what_was_none() -> None:
    log = LogBuilder()
    opened(log, category="availability")
    assert clocks(rows(log)) == []
    opened(log, "i-2")
    log.append("incident.closed", STREAM, {"incident_id": "i-2", "outcome": "not_an_incident"})
    assert [one[3] for one in clocks(rows(log, after=timedelta(days=99)))] == ["not due: no incident"]
    log.append("incident.updated", STREAM, {"incident_id": "i-2", "serious": "death"})
    opened(log, "i-2")
    assert [one[3] for one in clocks(rows(log, after=timedelta(days=99)))] == ["overdue"]


def test_only_the_incident_asked_for_and_only_those_opened_in_the_period() -> None:
    log = LogBuilder()
    opened(log)
    second = opened(log, "i-2")
    notice(log, "regulator", "i-2")
    assert {row[1] for row in rows(log, incident="i-2")} == {"i-2"}
    assert {row[1] for row in rows(log, since=second.time)} == {"i-2"}
    assert {row[1] for row in rows(log, incident="i-1", since=second.time)} == {"i-1"}
    assert rows(log, incident="i-3") == []
    assert [row[4] for row in rows(log, incident="i-2") if row[0] == "event"] == [
        "incident.opened",
        "notice.sent",
    ]


def test_a_notice_meets_its_clock_however_much_was_said_before_it() -> None:
    log = LogBuilder()
    opened(log, category="privacy", serious="other", persons=500)
    for _ in range(MOST_ENTRIES):
        log.append("incident.updated", STREAM, {"incident_id": "i-1"})
    sent = notice(log, "patient", about="breach")
    notice(log, "carer", about="privacy")
    found = [(row[2], row[7]) for row in rows(log) if row[0] == "clock"]
    assert found == [(None, "running"), (sent.index, "met"), (None, "running")]


def test_a_hostile_body_costs_nothing() -> None:
    log = LogBuilder()
    opened(
        log,
        aware_at="9999-12-31T23:59:59.999999Z",
        persons=2**52,
        serious=[],
        severity={},
        category="privacy",
    )
    opened(log, "x" * 9_000, aware_at="soon", persons=-4, category=7)
    log.append("incident.opened", STREAM, {"incident_id": ["i"]})
    notice(log, [], about={})  # type: ignore[arg-type]
    for _ in range(509):
        notice(log, "other")
    found = rows(log)
    assert all(len(str(cell)) <= 400 for row in found for cell in row)
    assert len([row for row in found if row[0] == "event" and row[1] == "i-1"]) == 501
    assert "and 11 more" in {row[4] for row in found}

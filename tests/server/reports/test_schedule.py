"""Reports by the calendar: each period once, whatever was down, and nothing between two of them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attending.ledger.report_signature import DISCARDED, REQUESTED, ROLES, report_stream
from attending.server.cli.main import run
from attending.server.cli.outcome import Exit
from attending.server.config.reports import ScheduleSection
from attending.server.notices.notice import notice_of
from attending.server.reports import choose
from attending.server.reports.schedule import next_period, periods, report_id
from attending.server.reports.scheduler import Scheduler
from attending.server.reports.workshop import DRAFT
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.server.inference.conftest import TENANT
from tests.server.reports.test_desk import create, got, made, opened, sign, written
from tests.server.reports.test_export import signed_release
from tests.server.review.conftest import Ward

WAIT = timedelta(days=90)
"""For a signature."""


def section(**changes: Any) -> ScheduleSection:
    return ScheduleSection(
        **{"name": "month", "every": "monthly", "first": "2026-01-01", "after_days": 0, **changes}
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_months_and_quarters_end_where_the_next_begins() -> None:
    found = periods(section(), at("2026-04-01T00:00"))
    assert [(one.until - one.since).days for one in found] == [31, 28, 31]
    assert found[-1].until == at("2026-04-01T00:00")
    assert len(periods(section(), at("2026-03-31T23:59:59"))) == 2
    leap = periods(section(first="2028-02-01"), at("2028-03-01T00:00"))
    assert [(one.until - one.since).days for one in leap] == [29]
    quarters = periods(section(every="quarterly", first="2026-11-01"), at("2027-08-01T00:00"))
    assert [one.until.strftime("%Y-%m") for one in quarters] == ["2027-02", "2027-05", "2027-08"]


def test_a_period_is_due_so_many_days_after_its_end() -> None:
    late = section(after_days=5)
    assert periods(late, at("2026-02-05T23:59")) == []
    assert len(periods(late, at("2026-02-06T00:00"))) == 1
    assert next_period(late, at("2026-02-05T23:59")).since == at("2026-01-01T00:00")


def test_the_clock_of_the_zone_decides_also_where_it_is_changed() -> None:
    berlin = periods(section(time_zone="Europe/Berlin"), at("2026-12-01T00:00"))
    hours = {one.since.strftime("%m"): (one.until - one.since) / timedelta(hours=1) for one in berlin}
    # They begin at 23:00 or 22:00 UTC of the day before.
    assert (hours["02"], hours["09"]) == (743, 745)  # March and October
    assert (berlin[0].since, berlin[5].since) == (at("2025-12-31T23:00"), at("2026-05-31T22:00"))


@given(
    zone=st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Kathmandu", "Africa/Cairo"]
    ),
    every=st.sampled_from(["monthly", "quarterly"]),
    year=st.integers(2000, 2040),
    month=st.integers(1, 12),
)
def test_nothing_falls_between_two_periods(zone: str, every: str, year: int, month: int) -> None:
    one = section(time_zone=zone, every=every, first=f"{year}-{month:02}-01")
    found = periods(one, datetime(year + 3, 1, 1, tzinfo=UTC))
    assert all(a.until == b.since and a.since < a.until for a, b in pairwise(found))
    assert len({report_id(TENANT, one, period) for period in found}) == len(found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"first": "2026-01-02"},
        {"first": "2026-13-01"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../etc/passwd"},
        {"every": "daily"},
        {"kind": "dossier"},
        {"kind": "change", "policy": "p"},
        {"after_days": 29},
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        section(**wrong)


async def test_each_period_is_asked_for_once_by_whichever_process_and_made_up_for_later(
    ward: Ward, tmp_path: Path
) -> None:
    clock = ward.gate.clock
    await signed_release(ward)
    begun = clock.moment
    one = section(first=f"{begun:%Y-%m}-01", time_zone="Europe/Berlin")
    desk, other = opened(ward, tmp_path), opened(ward, tmp_path)

    def scheduler(owner: str) -> Scheduler:
        return Scheduler(
            ward.gate.ledger, desk if owner == "srv-a" else other, [one], [TENANT], owner, clock, WAIT
        )

    assert await scheduler("srv-a").sweep() == 0  # its month is not over
    clock.advance(hours=24 * 31 * 3)
    await signed_release(ward)  # months without an entry have no report
    done = await asyncio.gather(scheduler("srv-a").sweep(), scheduler("srv-b").sweep())
    assert sum(done) == 1
    assert await scheduler("srv-c").sweep() == 0  # after a restart
    [row] = await desk.list(TENANT, 10, 0)
    name = str(row.row["report_id"])
    assert name == report_id(TENANT, one, periods(one, clock.moment)[0])
    [entry] = await ward.gate.ledger.whole_stream(TENANT, report_stream(name))
    assert (entry.type, entry.body["schedule"]) == (REQUESTED, "month")
    assert entry.actor in ("system:srv-a", "system:srv-b")
    notice = notice_of(entry, TENANT)
    assert notice is not None
    assert (notice.event, notice.roles) == ("report.due", ROLES)
    assert dict(notice.data) == {"report": name, "schedule": "month", "kind": "regulator"}
    # Nothing is issued by itself: a named person reads it and signs it off.
    await made(desk, name)
    assert "DRAFT, not signed" in written(tmp_path, await got(desk, ward.auditor, name, DRAFT))
    await sign(desk, ward.auditor, name)
    await desk.drain()
    await other.drain()


async def test_a_report_that_somebody_asks_for_is_no_schedule_s(ward: Ward, tmp_path: Path) -> None:
    desk = opened(ward, tmp_path)
    await signed_release(ward)
    name = await create(ward, desk)
    entry = (await ward.gate.ledger.stream_entries(TENANT, report_stream(name)))[0]
    assert notice_of(entry, TENANT) is None
    await made(desk, name)
    await desk.drain()


def test_schedules_are_listed_with_what_is_due_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "site"]) == Exit.OK
    config = tmp_path / "site" / "attending.toml"
    capsys.readouterr()
    assert run(["report", "schedule", "list", "--config", str(config)]) == Exit.OK
    assert "no report is asked for by the calendar" in capsys.readouterr().out
    table = '[[reports.schedules]]\nname = "board"\nevery = "quarterly"\nfirst = "2026-01-01"\n'
    config.write_text(f"{config.read_text()}\n{table}")
    assert run(["report", "schedule", "list", "--config", str(config), "--json"]) == Exit.OK
    [line] = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["name"], found["every"], found["kind"]) == ("board", "quarterly", "regulator")
    assert found["from"] < found["to"] < found["due"]


async def test_one_schedule_that_cannot_be_kept_holds_up_no_other(
    ward: Ward, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, desk = ward.gate.clock, opened(ward, tmp_path)
    released = await signed_release(ward)
    monkeypatch.setattr(choose, "MOST_CHOSEN", 0)  # its policy has more inferences than one report holds
    wide = section(name="wide", first=f"{clock.moment:%Y-%m}-01", policy=released.policy)
    whole = section(name="whole", first=f"{clock.moment:%Y-%m}-01")
    clock.advance(hours=24 * 31 * 2)
    await signed_release(ward)
    assert await Scheduler(ward.gate.ledger, desk, [wide, whole], [TENANT], "srv-a", clock, WAIT).sweep() == 1
    [row] = await desk.list(TENANT, 10, 0)
    assert row.row["report_id"] == report_id(TENANT, whole, periods(whole, clock.moment)[0])
    await desk.drain()


async def test_a_log_that_takes_nothing_holds_up_no_other_tenant(ward: Ward, tmp_path: Path) -> None:
    clock, desk = ward.gate.clock, opened(ward, tmp_path)
    await signed_release(ward)
    one = section(first=f"{clock.moment:%Y-%m}-01")
    clock.advance(hours=24 * 31 * 2)
    await signed_release(ward)
    # One that there is not answers as one that is frozen: with an error of the ledger's.
    tenants = ["nowhere", TENANT]
    assert await Scheduler(ward.gate.ledger, desk, [one], tenants, "srv-a", clock, WAIT).sweep() == 1
    await desk.drain()


async def test_what_nobody_signs_in_time_is_discarded_once_and_what_is_signed_stays(
    ward: Ward, tmp_path: Path
) -> None:
    clock, desk, other = ward.gate.clock, opened(ward, tmp_path), opened(ward, tmp_path)
    await signed_release(ward)
    unsigned, signed = await create(ward, desk), await create(ward, desk)
    for name in (unsigned, signed):
        await made(desk, name)
    await sign(desk, ward.auditor, signed)
    place = desk.folder / TENANT

    def schedulers() -> list[Scheduler]:
        ledger = ward.gate.ledger
        return [Scheduler(ledger, one, [], [TENANT], "srv-a", clock, WAIT) for one in (desk, other)]

    clock.advance(hours=24 * WAIT.days - 1)
    young = await create(ward, desk)
    await made(desk, young)
    await asyncio.gather(*(one.sweep() for one in schedulers()))
    assert (place / unsigned).exists()
    clock.advance(hours=2)
    await asyncio.gather(*(one.sweep() for one in schedulers()))
    states = {str(one.row["report_id"]): one.row["state"] for one in await desk.list(TENANT, 10, 0)}
    assert states == {unsigned: "discarded", signed: "signed_off", young: "requested"}
    assert sorted(path.name for path in place.iterdir()) == sorted([signed, young])
    *_before, entry = await ward.gate.ledger.whole_stream(TENANT, report_stream(unsigned))
    assert (entry.type, entry.actor, entry.body["reason"]) == (DISCARDED, "system:srv-a", "not_signed")
    # A crash between entry and files leaves files, and so does another process that was making them.
    (place / unsigned).mkdir()
    (place / unsigned / DRAFT).write_bytes(b"left")
    await schedulers()[0].sweep()
    assert not (place / unsigned).exists()
    assert len(await ward.gate.ledger.whole_stream(TENANT, report_stream(unsigned))) == len(_before) + 1
    await desk.drain()
    await other.drain()

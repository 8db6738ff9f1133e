"""The form for a new report: what a clock shows becomes a moment, and what is wrong stands by its field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from attending.server.console.report_form import moment_in, order_of, problems_of
from attending.server.errors import InvalidRequest
from attending.server.reports.kinds import scope_violations
from attending.server.reports.particulars import Kind
from attending.v1 import report_pb2

BERLIN = ZoneInfo("Europe/Berlin")
GOOD: dict[str, Any] = {
    "idempotency_key": "0123456789abcdef",
    "kind": "regulator",
    "purpose": "audit",
    "time_zone": "Europe/Berlin",
    "from": "2026-11-01T00:00",
    "to": "2026-12-01T00:00",
    "policy": " discharge-plan ",
}


def test_times_are_those_of_the_zone() -> None:
    request, problems = order_of(GOOD)
    assert problems == {}
    scope = request.scope
    assert getattr(scope, "from").ToDatetime(UTC) == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert scope.to.ToDatetime(UTC) == datetime(2026, 11, 30, 23, tzinfo=UTC)
    assert (request.kind, scope.policy) == (report_pb2.REPORT_KIND_REGULATOR, "discharge-plan")
    whole, problems = order_of({**GOOD, "from": "", "to": "", "time_zone": "UTC"})
    assert problems == {}
    assert not whole.scope.HasField("to")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2026-03-29T02:30", "put forward"),
        ("2026-10-25T02:30", "twice"),
        ("2026-13-01T00:00", "no date"),
        ("2026-11-01T00:00+01:00", "no date"),
        ("0001-01-01T00:00", "no date"),
        ("9999-12-31T23:59", "no date"),
        ("<b>", "no date"),
    ],
)
def test_a_time_that_no_clock_shows_or_shows_twice_is_told(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        moment_in(text, BERLIN)
    _request, problems = order_of({**GOOD, "from": text})
    assert list(problems) == ["from"]
    assert says in problems["from"]


def test_the_hour_before_and_after_the_change_are_times() -> None:
    assert moment_in("2026-10-25T01:59", BERLIN) == datetime(2026, 10, 24, 23, 59, tzinfo=UTC)
    assert moment_in("2026-10-25T03:00", BERLIN) == datetime(2026, 10, 25, 2, tzinfo=UTC)
    assert moment_in("2026-03-29T03:00", BERLIN) == datetime(2026, 3, 29, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "zone", ["Nowhere/City", "../../etc/passwd", "/etc/passwd", "Europe", "x" * 65, "a\x00b"]
)
def test_a_zone_that_there_is_not_is_told_and_no_file_is_opened(zone: str) -> None:
    _request, problems = order_of({**GOOD, "time_zone": zone})
    assert list(problems) == ["time_zone"]


@pytest.mark.parametrize("name", ["kind", "purpose", "idempotency_key"])
def test_what_no_form_sends_is_refused(name: str) -> None:
    for value in ("", 7, None):
        with pytest.raises(InvalidRequest):
            order_of({**GOOD, name: value})
    if name == "kind":
        with pytest.raises(InvalidRequest):
            order_of({**GOOD, "kind": "unspecified"})


def test_what_the_call_finds_wrong_stands_by_its_field() -> None:
    found = problems_of(
        [*scope_violations(Kind.DOSSIER, ()), ("scope.to", "must be after `from`"), ("idempotency_key", "x")]
    )
    assert found == {"inference_id": "Inference is required for dossier.", "to": "Before must be after from."}

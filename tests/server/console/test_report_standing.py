"""What a report's page says of files that could not be made."""

from __future__ import annotations

from typing import Any

import pytest
from attending.server.console.reports import _failure
from attending.server.reports.desk import Report
from attending.server.reports.workshop import Making


@pytest.mark.parametrize(
    ("state", "told"), [("requested", True), ("signed_off", True), ("issued", True), ("discarded", False)]
)
def test_a_report_that_another_process_discarded_is_not_offered_to_be_made_again(
    state: str, told: bool
) -> None:
    row: Any = {"state": state}
    found = Report(row, False, Making(failure="REPORT_NOT_MADE"))
    assert _failure(found).startswith("It could not be made") is told
    assert (_failure(found) == "") is not told
    assert _failure(Report(row, False, Making())) == ""

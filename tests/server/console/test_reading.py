"""Seconds of reading as pages tell them: added up once each, for one person and one item."""

from __future__ import annotations

import pytest
from attending.server.console.reading import MOST_AT_ONCE_SECONDS, Readings, seconds_of
from attending.server.errors import InvalidRequest

from tests.server.review.conftest import person

RIVERA, CHEN = person("rivera", "clinician").principal, person("chen", "clinician").principal


def test_a_step_that_is_sent_again_says_nothing_new() -> None:
    readings = Readings()
    assert readings.add(RIVERA, "tkt_1", 20) == 20
    assert readings.add(RIVERA, "tkt_1", 7, step="sign-1") == 27
    assert readings.add(RIVERA, "tkt_1", 7, step="sign-1") == 27
    # Another step, another item and another person say something of their own.
    assert readings.add(RIVERA, "tkt_1", 3, step="sign-2") == 30
    assert readings.add(RIVERA, "tkt_2", 7, step="sign-1") == 7
    assert readings.add(CHEN, "tkt_1", 7, step="sign-1") == 7
    # What a page tells while it is read has no step, and is each time more.
    assert readings.add(RIVERA, "tkt_1", 5) == 35
    assert readings.add(RIVERA, "tkt_1", 5) == 40


@pytest.mark.parametrize("wrong", ["7", None, True, -1, float("nan"), MOST_AT_ONCE_SECONDS + 1])
def test_what_is_no_number_of_seconds_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidRequest):
        seconds_of({"read_seconds": wrong})

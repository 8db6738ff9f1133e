"""The newest of several values of one thing, and values of the past."""

from __future__ import annotations

from decimal import Decimal

import pytest
from attending.guardrails.clinical.trend import newest, set_back


@pytest.mark.parametrize(
    ("text", "first", "expected"),
    [
        ("K was 6.1 on admission; it is 4.4 today.", "6.1", "4.4"),
        ("K was 4.4 on admission; it is 6.1 today.", "4.4", "6.1"),
        ("Potassium 5.9 on Monday, 5.1 on Wednesday, 4.3 today.", "5.9", "4.3"),
        ("the eGFR was 31 in hospital in March when you had the bug, and it's 88 now", "31", "88"),
        ("pulse was 70 in June, now 41", "70", "41"),
        ("potassium 6.2 (was 4.1 last month)", "6.2", None),
        ("INR 2.5 today; it was 8.6 last month", "2.5", None),
        ("potassium 6.4; ECG now shows 3 ectopics", "6.4", None),
        ("K 6.4 this morning and we will see you in 2 weeks", "6.4", None),
        ("HR 38, BP 120/80 now", "38", None),
        ("pulse 38, atenolol now 50 daily", "38", None),
        ("HR 42 at rest, 90 on walking", "42", None),
        ("K 5.8 -> 4.4 after the change", "5.8", "4.4"),
        ("INR 2.3 at 08:00, 9.1 at 18:00", "2.3", "9.1"),
        ("ANC today 400 (last week 2,900)", "400", None),
        ("ANC 400 (2,900 last week)", "400", None),
        ("ANC 400, last week 2,900", "400", None),
        ("INR 2.4 on admission; last week it was 6.8", "2.4", "6.8"),
        ("INR 2.4 last week, 6.8 today", "2.4", "6.8"),
        ("creatinine 1.0, now 3.1", "1.0", "3.1"),
        ("K 6.4, today", "6.4", None),
    ],
)
def test_the_newest_value_is_the_one_that_stands(text: str, first: str, expected: str | None) -> None:
    found = newest(text, text.index(first) + len(first))
    assert (None if found is None else found[0]) == (None if expected is None else Decimal(expected))


@pytest.mark.parametrize(
    ("text", "value", "past"),
    [
        ("pulse 44 when added to bisoprolol", "44", True),
        ("eGFR was 31 in hospital in March", "31", True),
        ("an earlier potassium of 6.2", "6.2", True),
        ("potassium is 6.2", "6.2", False),
        ("INR was 6.2; warfarin 5 mg continues", "6.2", False),
    ],
)
def test_a_value_that_its_words_set_back_is_of_the_past(text: str, value: str, past: bool) -> None:
    at = text.index(value)
    name = max((text.find(word) for word in ("pulse", "eGFR", "potassium", "INR")), default=0)
    assert set_back(text, name, at + len(value)) is past

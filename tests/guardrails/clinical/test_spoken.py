"""Amounts spoken of and not taken at one time: totals, limits, what was handed out, what was written wrongly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attending.guardrails.clinical.statement import ParsedText

Read = Callable[[str], ParsedText]

SPOKEN = [
    # text, doses at one time, totals of a day
    ("Take ibuprofen 400 mg three times a day; that's 1,200 mg.", ["400 mg"], ["1200 mg"]),
    (
        "Ibuprofen 400 mg three times daily brings you to 1,200 mg, under the 2,400 mg limit.",
        ["400 mg"],
        ["1200 mg"],
    ),
    ("Take ibuprofen, 800 mg a day in all.", [], ["800 mg"]),
    ("That's 400 mg of ibuprofen at a time.", ["400 mg"], []),
    ("Take ibuprofen 400 mg. 2,400 mg a day is the ceiling.", ["400 mg"], []),
    ("We gave her ten tablets of ibuprofen 400 mg, one every six hours.", ["400 mg"], []),
    ("Take ten tablets of ibuprofen 400 mg now.", ["4000 mg"], []),
    ("Ibuprofen 400 mg three times daily, 20 tablets supplied.", ["400 mg"], []),
    ('Ibuprofen 400 mg. The old chart read "4000 mg"; that was an error.', ["400 mg"], []),
    ("The old chart read 40 mg, an error; take ibuprofen 4000 mg.", ["4000 mg"], []),
    ("Ibuprofen 800 \u2192 400 mg.", ["400 mg"], []),
    ("Ibuprofen 400 mg. Urine output > 0.5 mL/kg/h.", ["400 mg"], []),
]


@pytest.mark.parametrize(("text", "doses", "totals"), SPOKEN)
def test_only_what_is_taken_at_one_time_is_a_dose(
    text: str, doses: list[str], totals: list[str], read: Read
) -> None:
    parsed = read(text)
    found = [s.dose for s in parsed.statements if s.dose is not None]
    assert [f"{d.high.normalize():f} {d.unit}" for d in found if d.per_time is None] == doses
    assert [f"{d.high.normalize():f} {d.unit}" for d in found if d.per_time == "day"] == totals
    assert parsed.unreadable == ()

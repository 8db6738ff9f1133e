"""The gap between two drugs that a text gives as days or dates."""

from __future__ import annotations

import pytest
from attending.guardrails.checks.dated_gap import hours_between
from attending.guardrails.clinical.statement import Span


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("She took her final AAA tablet on Sunday evening. The first BBB is due on Wednesday morning.", 60),
        ("Last AAA was Monday night; BBB begins Tuesday morning.", 10),
        ("AAA ended on Saturday. BBB from Monday.", 36),
        ("His last AAA was on 2 September. BBB from 21 October.", 49 * 24),
        ("AAA was stopped on 2 October. BBB from 16 October.", 14 * 24),
        ("AAA was stopped on 2 October. BBB from 15 October.", 13 * 24),
        ("AAA was stopped on 2 October in the evening. BBB from 8 October.", 6 * 24 - 12),
        ("AAA stopped December 28. Start BBB on January 4.", 6 * 24 - 12),
        # neither end nor start, another order, one date only, the same weekday: nothing that can be told
        ("AAA on Sunday and BBB on Wednesday.", None),
        ("First BBB on Monday, AAA ended Sunday.", None),
        ("AAA ended on Sunday. BBB from tomorrow.", None),
        ("AAA ended on Sunday. BBB from Sunday.", None),
    ],
)
def test_the_shortest_gap_that_the_words_allow(text: str, hours: int | None) -> None:
    ended, begun = (Span(text.index(name), text.index(name) + 3) for name in ("AAA", "BBB"))
    assert hours_between(text, ended, begun) == hours

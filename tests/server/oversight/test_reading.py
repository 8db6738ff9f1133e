"""How much there is to read, and what a page's word is worth."""

from __future__ import annotations

import pytest
from attending.server.oversight.reading import PERCENT_BY_RANK, floor_seconds, measured, words_in
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "words"), [("", 0), ("  \n ", 0), ("one", 1), ("5-10 mg  q6h\nprn", 4), ("a\u00a0b", 2)]
)
def test_words_are_runs_between_white_space(text: str, words: int) -> None:
    assert words_in(text) == words


def test_the_floor_is_the_words_at_the_rate_longer_for_worse_findings() -> None:
    # 300 words at 300 a minute are a minute; a contraindicated pair takes twice that.
    assert [floor_seconds(300, 300, rank) for rank in range(5)] == [60, 60, 75, 90, 120]
    assert floor_seconds(1, 300, 0) == 1
    assert floor_seconds(0, 300, 4) == 0
    assert floor_seconds(10_000, 0, 4) == 0
    assert floor_seconds(300, 300, 99) == 120


@given(st.integers(0, 100_000), st.integers(50, 1000), st.integers(0, 4))
def test_the_floor_is_never_below_the_rate_and_rounded_up_by_less_than_a_second(
    words: int, rate: int, rank: int
) -> None:
    exact = words * 60 / rate * PERCENT_BY_RANK[rank] / 100
    assert exact - 1e-6 <= floor_seconds(words, rate, rank) < exact + 1


@given(
    st.one_of(st.none(), st.floats(-1e9, 1e9)),
    st.floats(-1e9, 1e9),
)
def test_nobody_has_read_for_longer_than_the_servers_clock_allows(
    claimed: float | None, bound: float
) -> None:
    reading = measured("word " * 50, claimed, bound, words_per_minute=300, severity_rank=0)
    assert 0 <= reading.seconds <= max(0.0, bound)
    assert reading.source == ("server" if claimed is None else "console")
    assert reading.short == (reading.seconds < 10)
    assert reading.missing_seconds == max(0, 10 - reading.seconds)


def test_what_stands_in_the_entry_says_nothing_of_how_long_somebody_read() -> None:
    reading = measured("word " * 50, 7.9, 100, words_per_minute=300, severity_rank=0)
    body = reading.body("urgent", raised=True, tier="routine")
    assert body == {
        "tag": "peer_review",
        "tier": "routine",
        "source": "console",
        "words": 50,
        "characters": 250,
        "floor_seconds": 10,
        "short": True,
        "reason_code": "urgent",
        "raised": True,
    }
    assert reading.payload()["seconds"] == 7

"""Token buckets: never more than burst and rate allow, full again in time, and bounded in memory."""

from __future__ import annotations

import pytest
from attending.server.limits.buckets import Buckets
from hypothesis import given
from hypothesis import strategies as st


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def taken(buckets: Buckets, key: str, tokens: float = 1.0) -> bool:
    if buckets.wait_seconds(key, tokens) > 0:
        return False
    buckets.take(key, tokens)
    return True


def test_a_burst_and_then_the_rate() -> None:
    clock = Clock()
    buckets = Buckets(rate=2.0, burst=5.0, now=clock)
    assert [taken(buckets, "a") for _ in range(6)] == [True] * 5 + [False]
    assert buckets.wait_seconds("a") == pytest.approx(0.5)
    clock.seconds += 0.5
    assert [taken(buckets, "a") for _ in range(2)] == [True, False]
    clock.seconds += 100
    assert [taken(buckets, "a") for _ in range(6)] == [True] * 5 + [False]


def test_one_key_does_not_draw_on_another() -> None:
    buckets = Buckets(rate=1.0, burst=1.0, now=Clock())
    assert [taken(buckets, key) for key in ("a", "b", "a", "b")] == [True, True, False, False]


def test_the_wait_that_is_told_is_long_enough_and_no_longer_than_needed() -> None:
    clock = Clock()
    buckets = Buckets(rate=10.0, burst=10.0, now=clock)
    assert taken(buckets, "a", 10)
    wait = buckets.wait_seconds("a", 4)
    assert wait == pytest.approx(0.4)
    clock.seconds += wait + 1e-9
    assert taken(buckets, "a", 4)


def test_what_costs_more_than_the_burst_is_not_refused_for_ever() -> None:
    buckets = Buckets(rate=1.0, burst=5.0, now=Clock())
    assert taken(buckets, "a", 50)
    assert buckets.wait_seconds("a", 50) == pytest.approx(5.0)


def test_a_debt_is_bounded() -> None:
    buckets = Buckets(rate=1.0, burst=5.0, now=Clock())
    for _ in range(1_000):
        buckets.take("a", 5)
    assert buckets.wait_seconds("a") <= 6.0


def test_full_buckets_are_forgotten() -> None:
    clock = Clock()
    buckets = Buckets(rate=1.0, burst=5.0, now=clock)
    for number in range(100):
        buckets.take(f"early-{number}")
    clock.seconds += 60
    for number in range(60):
        buckets.take(f"late-{number}")
    assert len(buckets) == 60


def test_memory_is_bounded_and_the_longest_untouched_goes_first() -> None:
    clock = Clock()
    buckets = Buckets(rate=0.001, burst=1.0, max_keys=100, now=clock)
    for number in range(1_000):
        assert taken(buckets, f"key-{number}")
        assert len(buckets) <= 100
    # The recent ones are remembered: they have to wait.
    assert not any(taken(buckets, f"key-{number}") for number in range(901, 1_000))
    assert taken(buckets, "key-0")


@pytest.mark.parametrize(("rate", "burst", "keys"), [(0.0, 1.0, 1), (1.0, 0.0, 1), (1.0, 1.0, 0)])
def test_bounds_that_would_refuse_everything_are_refused(rate: float, burst: float, keys: int) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Buckets(rate, burst, max_keys=keys)


@given(
    st.lists(st.tuples(st.floats(0, 10), st.integers(1, 20)), max_size=60),
    st.floats(0.1, 50),
    st.integers(20, 100),
)
def test_no_window_lets_through_more_than_burst_and_rate(
    wishes: list[tuple[float, int]], rate: float, burst: int
) -> None:
    clock = Clock()
    buckets = Buckets(rate, burst, now=clock)
    granted: list[tuple[float, int]] = []
    for pause, tokens in wishes:
        clock.seconds += pause
        if taken(buckets, "a", tokens):
            granted.append((clock.seconds, tokens))
    for start in range(len(granted)):
        total = 0
        for moment, tokens in granted[start:]:
            total += tokens
            assert total <= burst + rate * (moment - granted[start][0]) + 1e-6

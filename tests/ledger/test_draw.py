"""The draw as anybody recomputes it."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from attending.ledger.draw import Case, Rates, is_drawn, may_be_drawn, parse_rates, worst_rank
from attending.ledger.errors import VerificationError
from hypothesis import given
from hypothesis import strategies as st

SEED = bytes(range(32))
RATES = Rates({"plan": 50, "all": 1000})


def test_the_rule_redone_by_hand() -> None:
    digest = hmac.new(SEED, b"attending-draw/1\ninf_7", hashlib.sha256).hexdigest()
    share = int(digest[:16], 16) / 2**64
    for permille in (int(share * 1000), int(share * 1000) + 1):
        drawn = is_drawn(SEED, Case("inf_7", "p", 0), Rates({"p": permille}))
        assert drawn == (share < permille / 1000)


def test_the_share_that_is_drawn_is_the_rate_and_weights_raise_it() -> None:
    def share(rank: int, raised: bool) -> float:
        cases = (Case(f"inf_{n}", "plan", rank, raised) for n in range(20_000))
        return sum(is_drawn(SEED, case, RATES) for case in cases) / 20_000

    assert share(0, False) == pytest.approx(0.05, abs=0.006)
    assert share(4, False) == pytest.approx(0.20, abs=0.012)
    assert share(0, True) == pytest.approx(0.20, abs=0.012)
    assert share(4, True) == pytest.approx(0.80, abs=0.012)


@given(st.text(min_size=1), st.sampled_from(["plan", "all", "other"]), st.integers(0, 4), st.booleans())
def test_the_quick_answer_is_never_a_wrong_no(inference: str, policy: str, rank: int, raised: bool) -> None:
    case = Case(inference, policy, rank, raised)
    for rates in (RATES, Rates({"plan": 20}), Rates({})):
        if is_drawn(SEED, case, rates):
            assert may_be_drawn(SEED, inference, rates)
    assert is_drawn(SEED, case, RATES) or policy != "all"
    assert not (is_drawn(SEED, case, RATES) and policy == "other")


def test_rates_are_read_back_and_anything_else_is_refused() -> None:
    assert parse_rates(RATES.to_json()) == RATES
    good = RATES.to_json()
    for bad in (
        None,
        {},
        {**good, "permille": {"p": 1001}},
        {**good, "permille": {"p": True}},
        {**good, "by_severity": [1, 1]},
        {**good, "raised": "4"},
        {**good, "raised": -1},
    ):
        with pytest.raises(VerificationError):
            parse_rates(bad)


def test_the_worst_of_counts_by_severity() -> None:
    assert worst_rank({"minor": 3, "major": 1}) == 3
    assert [worst_rank(value) for value in ({}, None, ["major"], {"dire": 1})] == [0, 0, 0, 0]

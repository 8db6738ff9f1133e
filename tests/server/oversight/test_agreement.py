"""Agreement against worked examples of the literature, and at its edges."""

from __future__ import annotations

from itertools import product

import pytest
from attending.server.oversight.agreement import UNDEFINED, Pair, agreement, wilson
from hypothesis import given
from hypothesis import strategies as st


def pairs(table: list[list[int]], names: str = "abc") -> list[Pair]:
    """A pair for each count of a table, rows the first rater."""
    return [
        (names[i], names[j])
        for i, row in enumerate(table)
        for j, count in enumerate(row)
        for _ in range(count)
    ]


def test_kappa_of_fleiss_cohen_and_everitt() -> None:
    """Fleiss, Cohen and Everitt (1969), 200 cases: kappa 0.429; and their variance, 0.002885 as they print it."""
    found = agreement(pairs([[106, 10, 4], [22, 28, 10], [2, 12, 6]]))
    assert found.kappa.value == pytest.approx(0.429, abs=0.0005)
    assert found.kappa.low is not None
    assert found.kappa.high is not None
    error = (found.kappa.high - found.kappa.low) / 2 / 1.959964
    assert error**2 == pytest.approx(0.002885, abs=0.00001)


def test_ac1_where_kappa_is_a_paradox() -> None:
    """Gwet (2002), 125 subjects of whom both raters call 118 positive: kappa -0.0234, AC1 0.9408."""
    found = agreement(pairs([[118, 5], [2, 0]]))
    assert found.agreed == 118
    assert found.kappa.value == pytest.approx(-0.0234, abs=0.0001)
    assert found.ac1.value == pytest.approx(0.9408, abs=0.0001)


def test_kappa_of_a_table_worked_by_hand() -> None:
    # Agreement 0.7; by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5.
    found = agreement(pairs([[20, 5], [10, 15]]))
    assert found.kappa.value == pytest.approx(0.4)
    # AC1: shares 0.55 and 0.45, by chance 2 * 0.55 * 0.45 = 0.495.
    assert found.ac1.value == pytest.approx((0.7 - 0.495) / 0.505)


def test_nothing_rated_and_one_category() -> None:
    assert (agreement([]).kappa, agreement([], ("a", "b")).ac1) == (UNDEFINED, UNDEFINED)
    alone = agreement([("a", "a")] * 30)
    assert (alone.kappa, alone.ac1) == (UNDEFINED, UNDEFINED)
    found = agreement([("a", "a")] * 30, ("a", "b", "c"))
    assert found.kappa == UNDEFINED
    assert (found.ac1.value, found.ac1.low, found.ac1.high) == (1.0, 1.0, 1.0)


def test_perfect_agreement_none_and_a_single_pair() -> None:
    perfect = agreement(pairs([[10, 0], [0, 10]]))
    assert (perfect.kappa.value, perfect.ac1.value) == (1.0, 1.0)
    assert perfect.kappa.low == pytest.approx(1.0)
    none = agreement(pairs([[0, 10], [10, 0]]))
    assert (none.kappa.value, none.ac1.value) == (-1.0, -1.0)
    one = agreement([("a", "b")], ("a", "b"))
    assert one.ac1.value is not None
    assert one.ac1.low is None


def _ac1_as_defined(both: list[Pair], names: str) -> float:
    """Straight from the definition, rater by rater."""
    n = len(both)
    observed = sum(a == b for a, b in both) / n
    share = {k: sum((a == k) + (b == k) for a, b in both) / (2 * n) for k in names}
    chance = sum(p * (1 - p) for p in share.values()) / (len(names) - 1)
    return (observed - chance) / (1 - chance)


@given(st.lists(st.sampled_from(list(product("abc", "abc"))), min_size=2, max_size=60))
def test_intervals_hold_their_value_and_raters_may_change_places(both: list[Pair]) -> None:
    found, turned = agreement(both, "abc"), agreement([(b, a) for a, b in both], "abc")
    assert found.ac1.value == pytest.approx(_ac1_as_defined(both, "abc"))
    for one, other in ((found.kappa, turned.kappa), (found.ac1, turned.ac1)):
        if one.value is None:
            assert other == UNDEFINED
            continue
        assert one.low is not None
        assert one.high is not None
        assert -1 - 1e-9 <= one.low <= one.value + 1e-9
        assert one.value - 1e-9 <= one.high <= 1
        assert other.value == pytest.approx(one.value)
        assert other.low == pytest.approx(one.low, abs=1e-9)


def test_wilson_of_the_literature() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for hits, of, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(hits, of)
        assert [found.low, found.high] == pytest.approx([low, high], abs=5e-5)
    assert wilson(0, 0) == UNDEFINED
    assert (wilson(7, 7).high, wilson(0, 7).low) == (1.0, 0.0)
    with pytest.raises(ValueError, match="among"):
        wilson(3, 2)

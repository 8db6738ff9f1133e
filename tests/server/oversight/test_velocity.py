"""When a pace of signing is unusual."""

from __future__ import annotations

from attending.server.oversight.standing import FAST, MISSES, PLANTED, VELOCITY, Figures, flags
from attending.server.oversight.velocity import DESK_HOURS, OWN_HOURS, judge


def test_a_cap_counts_from_the_first_signature_over_it() -> None:
    assert judge(3, [], [], over_cap=True).because == ("cap",)
    assert judge(300, [], [], over_cap=False).because == ()


def test_the_own_past_says_something_from_twenty_hours_on() -> None:
    own = [4, 6] * (OWN_HOURS // 2)
    # Mean 5, deviation 1.03: above 9 is unusual, and below 10 nothing is.
    assert judge(9, own, [], over_cap=False).because == ()
    assert judge(10, own, [], over_cap=False).because == ("own",)
    assert judge(100, own[1:], [], over_cap=False).because == ()


def test_the_desk_is_the_measure_of_who_has_no_past() -> None:
    desk = [8] * (DESK_HOURS - 1) + [30]
    assert judge(30, [], desk, over_cap=False).because == ()
    assert judge(31, [], desk, over_cap=False).because == ("desk",)
    assert judge(31, [], desk[1:], over_cap=False).because == ()


def test_an_even_past_is_no_trap() -> None:
    """Somebody who always signs one an hour is not told of the second."""
    assert judge(2, [1] * 100, [1] * 100, over_cap=False).because == ()


def test_who_stands_out_is_told_by_intervals_not_by_figures() -> None:
    others = [Figures(f"p{n}", 40, 40, 4, 20, 2) for n in range(4)]
    careless = Figures("careless", 40, 40, 36, 20, 15, alarms=1)
    assert flags(careless, [*others, careless]) == (FAST, VELOCITY, MISSES)
    for careful in others:
        assert flags(careful, [*others, careless]) == ()
    # Nine of nine is bad luck or too little to go by.
    assert flags(Figures("new", 9, 9, 9, 9, 9), others) == ()
    # Where all are alike nobody is apart, unless they mostly do not read at all.
    fast = [Figures(f"p{n}", 40, 40, 30) for n in range(3)]
    assert flags(fast[0], fast) == (FAST,)
    alike = [Figures(f"p{n}", 40, 40, 15) for n in range(3)]
    assert flags(alike[0], alike) == ()


def test_who_misses_what_is_planted_stands_out() -> None:
    others = [Figures(f"p{n}", planted=20, found=18) for n in range(4)]
    careless = Figures("careless", planted=20, found=4)
    assert flags(careless, [*others, careless]) == (PLANTED,)
    assert all(flags(one, [*others, careless]) == () for one in others)
    # Nine say nothing yet; and alone one is held against nobody, but to miss most is to miss most.
    assert flags(Figures("new", planted=9), others) == ()
    assert flags(careless, [careless]) == (PLANTED,)
    assert flags(Figures("half", planted=20, found=10), []) == ()

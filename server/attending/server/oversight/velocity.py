"""When somebody signs faster than people sign: against a cap, their own past and the desk's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

LEAST: Final = 10
"""Signatures within an hour below which nothing is unusual."""
OWN_HOURS: Final = 20
DESK_HOURS: Final = 50
"""Hours with a signature in them from which a distribution says something."""
DEVIATIONS: Final = 3
PERCENTILE: Final = 99


@dataclass(frozen=True, slots=True)
class Judgement:
    """`because` names what was exceeded: cap, own, desk; empty where nothing was. Limits are counts an hour, None where
    there is not enough to go by.
    """

    because: tuple[str, ...]
    own_limit: int | None
    desk_limit: int | None


def judge(count: int, own: Sequence[int], desk: Sequence[int], *, over_cap: bool) -> Judgement:
    """`count` signatures in the last hour; `own` and `desk` are counts of earlier hours that had any, the person's and
    everybody's. `over_cap` where a policy's own limit was exceeded.
    """
    own_limit = _spread(own) if len(own) >= OWN_HOURS else None
    desk_limit = _percentile(desk) if len(desk) >= DESK_HOURS else None
    because = [
        name
        for name, exceeded in (
            ("cap", over_cap),
            ("own", own_limit is not None and count >= LEAST and count > own_limit),
            ("desk", desk_limit is not None and count >= LEAST and count > desk_limit),
        )
        if exceeded
    ]
    return Judgement(tuple(because), own_limit, desk_limit)


def _spread(counts: Sequence[int]) -> int:
    """Mean and three standard deviations, rounded up."""
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)
    return -int(-(mean + DEVIATIONS * sqrt(variance)) // 1)


def _percentile(counts: Sequence[int]) -> int:
    """The 99th percentile, nearest rank."""
    ordered = sorted(counts)
    rank = -(-PERCENTILE * len(ordered) // 100)
    return ordered[rank - 1]

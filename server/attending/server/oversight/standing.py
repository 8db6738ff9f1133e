"""Who stands out: one person's figures against those of all others together. Pure, and never a ranking.

Intervals decide, not the figures: somebody with few signatures is not flagged for bad luck.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from attending.server.oversight.agreement import wilson

LEAST: Final = 10
"""Cases of one person below which a share says nothing."""
FEWEST_PEOPLE: Final = 5
"""People of whom figures are given together."""
FAST, VELOCITY, MISSES = "reads_too_fast", "velocity", "misses"
PLANTED: Final = "misses_planted"


@dataclass(frozen=True, slots=True)
class Figures:
    """One person's counts of a period. `short` of `measured` signatures came sooner than the text can be read; of
    `read_again` second reads `missed` said that it should not have gone out as it did. Of `planted` errors they `found`
    some, and of planted texts that were `sound` they `refused` some.
    """

    name: str
    signatures: int = 0
    measured: int = 0
    short: int = 0
    read_again: int = 0
    missed: int = 0
    alarms: int = 0
    planted: int = 0
    found: int = 0
    sound: int = 0
    refused: int = 0


def flags(one: Figures, everybody: Iterable[Figures]) -> tuple[str, ...]:
    """Why `one` stands out among `everybody`, who may include them; empty where they do not."""
    others = [other for other in everybody if other.name != one.name]
    fast = _stands_out(one.short, one.measured, sum(o.short for o in others), sum(o.measured for o in others))
    mostly = one.measured >= LEAST and (wilson(one.short, one.measured).low or 0.0) > 0.5
    misses = _stands_out(
        one.missed, one.read_again, sum(o.missed for o in others), sum(o.read_again for o in others)
    )
    planted = _stands_out(
        one.planted - one.found,
        one.planted,
        sum(o.planted - o.found for o in others),
        sum(o.planted for o in others),
    )
    blind = one.planted >= LEAST and (wilson(one.planted - one.found, one.planted).low or 0.0) > 0.5
    found = (
        (FAST, fast or mostly),
        (VELOCITY, one.alarms > 0),
        (MISSES, misses),
        (PLANTED, planted or blind),
    )
    return tuple(flag for flag, stands in found if stands)


def _stands_out(hits: int, of: int, other_hits: int, other_of: int) -> bool:
    """Whether a share is above another with their intervals apart."""
    if of < LEAST or other_of < LEAST:
        return False
    low, high = wilson(hits, of).low, wilson(other_hits, other_of).high
    return low is not None and high is not None and low > high

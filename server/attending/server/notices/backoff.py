"""When a notice is tried again: exponentially later, by chance, and not for ever."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

FIRST_SECONDS: Final = 5.0
MOST_SECONDS: Final = 300.0
_DOUBLINGS: Final = 16


def pause_seconds(attempts: int, chance: float) -> float:
    """How long to wait after `attempts` (1 or more) that failed; `chance` is 0 to 1, so that many do not come at once.

    Between half of and all of 5 s, 10 s, 20 s and so on, at most 5 minutes.
    """
    whole = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts - 1, _DOUBLINGS))
    return float(whole * (0.5 + 0.5 * chance))


def is_over(began: datetime, now: datetime, give_up: timedelta, *, permanent: bool) -> bool:
    """Whether a notice that was just refused is given up. Counted from its entry, or from when it was asked for again,
    so that a restart gives it no more time than it had; one attempt it always has.
    """
    return permanent or now - began >= give_up

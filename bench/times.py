"""How the benches take times and tell them: milliseconds, and quantiles of them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any


async def timed(call: Callable[[int], Awaitable[Any]], numbers: Iterable[int]) -> list[float]:
    """Milliseconds of each call, one after the other."""
    times = []
    for number in numbers:
        start = time.perf_counter()
        await call(number)
        times.append((time.perf_counter() - start) * 1e3)
    return times


def quantile(times: Sequence[float], part: float) -> float:
    """The time that `part` of them are below, with three digits; of few times with a large part, the longest."""
    ordered = sorted(times)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * part))], 3)

"""The Wilson score interval of a proportion (Wilson, Journal of the American Statistical Association 22, 1927)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

Z: Final = 1.959963984540054
"""The 97.5 % point of the normal distribution: intervals of 95 %."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """`hits` of `of`, with its 95 % interval. Without trials there is no rate and the interval is 0 to 1."""

    hits: int
    of: int

    @property
    def rate(self) -> float | None:
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        if not self.of:
            return 0.0, 1.0
        p, n = self.hits / self.of, self.of
        centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z / (1 + Z**2 / n) * sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
        # The ends are exact at 0 and 1, where rounding could step outside.
        low = 0.0 if self.hits == 0 else max(0.0, centre - half)
        return low, 1.0 if self.hits == n else min(1.0, centre + half)

    def to_json(self) -> dict[str, Any]:
        low, high = self.interval
        rate = None if self.rate is None else round(self.rate, 4)
        return {"hits": self.hits, "of": self.of, "rate": rate, "low": round(low, 4), "high": round(high, 4)}

    def __str__(self) -> str:
        if self.rate is None:
            return "none"
        low, high = self.interval
        return f"{self.hits} of {self.of} = {self.rate:.3f} (95 % interval {low:.3f} to {high:.3f})"

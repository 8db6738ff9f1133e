"""`usage.reconciled`: what a comparison of a provider's own records of use with the log found, in numbers alone."""

from __future__ import annotations

from typing import Final

RECONCILED: Final = "usage.reconciled"
STREAM: Final = "usage"
COUNTS: Final = (
    "records",
    "outside_period",
    "matched",
    "matched_by_tokens",
    "unanswered",
    "bypassed",
    "differing",
    "calls",
    "missing",
)
"""`records` is the sum of the five after it; `differing` is part of the matched, `missing` of the calls."""

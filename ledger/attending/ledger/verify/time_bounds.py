"""V15: no entry claims a time that a witness contradicts.

A cosignature says when a witness saw a head (C2SP tlog-cosignature). What is under that head was there by then,
however late that was: a time claimed after it, and after what clocks may differ by, is false. What follows the head was
written after the cosignature only if the head was the newest one then. A witness may be shown a head late, and no
evidence tells whether it was: an entry that claims a time before it is neither dated back nor honest for certain.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import accumulate
from typing import Final

from attending.ledger.checkpoint import Checkpoint
from attending.ledger.entry import Entry, format_time
from attending.ledger.verify.report import Findings

CLOCK_SKEW_SECONDS: Final = 300
"""Clocks of log, witness and stamp authority may differ by this much, the way to the witness included."""


class TimeBounds:
    """Visits entries in any order and reports into `findings`."""

    def __init__(self, findings: Findings, heads: Iterable[Checkpoint]) -> None:
        """`heads` are verified ones of this log: that of the bundle, and pinned ones."""
        self._findings = findings
        cosigned = sorted(
            (head.size, min(time for _, time in head.cosigned)) for head in heads if head.cosigned
        )
        self._sizes = [size for size, _ in cosigned]
        times = [time for _, time in cosigned]
        self._spoiled = False
        # At place k: no later than what the heads from the k-th on say, no earlier than those before it.
        latest = [*accumulate(reversed(times), min)][::-1]
        self._latest = [self._bound(time + CLOCK_SKEW_SECONDS) for time in latest]
        self._earliest = ["", *(self._bound(time - CLOCK_SKEW_SECONDS) for time in accumulate(times, max))]
        self._open = self._early = 0
        self._first_early: int | None = None

    def visit(self, entry: Entry) -> None:
        """Holds one entry's time against the heads around it."""
        if self._spoiled:
            return
        place = bisect_right(self._sizes, entry.index)
        if place < len(self._sizes) and entry.time > self._latest[place]:
            self._findings.fail("V15", "entry claims a time after a witness had seen it", entry.index)
        elif entry.time < self._earliest[place]:
            self._early += 1
            if self._first_early is None or entry.index < self._first_early:
                self._first_early = entry.index
        if not 0 < place < len(self._sizes):
            self._open += 1

    def finish(self, *, required: bool) -> None:
        """Says what is asserted by the operator alone; it counts where `required`. That an entry is dated before the
        cosignature of a head that it follows counts always.
        """
        if self._early:
            detail = (
                f"{self._early} entries claim times before a witness cosigned the head that they follow: they are "
                "dated back, or the head was cosigned late"
            )
            self._findings.doubt("V15", detail, self._first_early)
        if self._spoiled:
            self._findings.fail("V15", "time of a cosignature is out of bounds")
        elif not self._sizes:
            detail = "time asserted by operator only: no witness cosigned"
            self._findings.doubt("V15", detail, advisory=not required)
        elif self._open:
            detail = "entries existed when a witness cosigned; how long before is asserted by operator only"
            self._findings.doubt("V15", detail, advisory=not required)
        else:
            self._findings.passed(
                "V15", "every entry is between heads that witnesses cosigned, in its time too"
            )

    def _bound(self, seconds: int) -> str:
        try:
            return format_time(datetime.fromtimestamp(seconds, UTC))
        except (ValueError, OverflowError, OSError):
            self._spoiled = True
            return ""

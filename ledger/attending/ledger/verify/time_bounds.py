"""V15: no entry claims a time that a witness contradicts.

A cosignature says when a witness saw a head (C2SP tlog-cosignature). What is under that head was there by then; what
follows it was written later, because a witness is shown the newest head. So the cosigned heads around an entry bound
its time from both sides, each by the earliest of its cosignatures and what clocks may differ by.
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
        self._open = 0

    def visit(self, entry: Entry) -> None:
        """Holds one entry's time against the heads around it."""
        if self._spoiled:
            return
        place = bisect_right(self._sizes, entry.index)
        if place < len(self._sizes) and entry.time > self._latest[place]:
            self._findings.fail("V15", "entry claims a time after a witness had seen it", entry.index)
        elif entry.time < self._earliest[place]:
            detail = "entry claims a time before a witness saw the head that it follows"
            self._findings.fail("V15", detail, entry.index)
        if not 0 < place < len(self._sizes):
            self._open += 1

    def finish(self, *, required: bool) -> None:
        """Says what is asserted by the operator alone; it counts where `required`."""
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

"""The order of the queue as one stored text: the earlier it sorts, the sooner the item is to be looked at.

It is the moment by which an item was promised, less a head start for what makes it worse to wait. So the severity of
what was found, the urgency of the use case and an escalation move an item forward, and age moves everything: whatever
waits long enough comes before any newer item, and nothing starves behind a stream of graver ones. As a moment it does
not change while time passes, so a database keeps the order in an index.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from attending.server.clock import parse, stamp

SEVERITY_HEAD_START: Final = (
    timedelta(),
    timedelta(),
    timedelta(hours=1),
    timedelta(hours=8),
    timedelta(hours=24),
)
"""By the rank of the worst finding: info and minor none, moderate, major, contraindicated."""

URGENCY_HEAD_START: Final = {
    "routine": timedelta(),
    "urgent": timedelta(hours=4),
    "emergency": timedelta(hours=24),
}
"""By the `urgency` of the policy that held the text."""

ESCALATED_HEAD_START: Final = timedelta(hours=12)
LONGEST_HEAD_START: Final = SEVERITY_HEAD_START[-1] + URGENCY_HEAD_START["emergency"] + ESCALATED_HEAD_START


def priority(due_at: str, severity_rank: int, urgency: str, *, escalated: bool = False) -> str:
    """The sort key of an item, a `clock.stamp`. An urgency of a later version counts as routine."""
    head_start = SEVERITY_HEAD_START[severity_rank] + URGENCY_HEAD_START.get(urgency, timedelta())
    if escalated:
        head_start += ESCALATED_HEAD_START
    return stamp(parse(due_at) - head_start)

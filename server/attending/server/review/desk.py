"""The review desk: every step is one conditional append on the inference's stream, so two cannot both be first.

The one place of rules for the gRPC service and the console. Which step may follow is in `machine`, what it changes in
`projection`; each step's own work is in the module of its name.
"""

from __future__ import annotations

from attending.server.review.break_glass import BreakGlass
from attending.server.review.dispositions import Dispositions
from attending.server.review.due import Due
from attending.server.review.endings import Endings
from attending.server.review.handover import Handover
from attending.server.review.missing import MissingFacts
from attending.server.review.next_item import NextItem
from attending.server.review.signing import Signing


class Desk(NextItem, Handover, Dispositions, MissingFacts, Signing, Endings, Due, BreakGlass):
    """Shared by all calls of one server process."""

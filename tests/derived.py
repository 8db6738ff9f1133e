"""Whether the projections of a closed ledger folder are what its entries give: the last check of many tests."""

from __future__ import annotations

from attending.ledger.opening import LedgerConfig
from attending.ledger.rebuild import Difference, check
from attending.server import projections
from attending.server.replay.reducers import rows_of_entry


def not_derived(config: LedgerConfig) -> list[Difference]:
    """Rows of every log that a rebuild would change."""
    return [
        difference
        for log in check(config, [projections.metadata], rows_of_entry)
        for difference in log.differences
    ]

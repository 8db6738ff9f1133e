"""All lies: what both verifiers are told, and the table of docs/verifier-page.md about them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from tests.negative import bundles, reports, rows
from tests.negative.evidence import Lie

LIES: Final[tuple[Lie, ...]] = tuple(
    sorted((*bundles.LIES, *reports.LIES), key=lambda lie: rows.EVERY.index(lie.row))
)


def lines() -> Iterator[str]:
    """The table's rows: what is done, and where both verifiers fail."""
    for (row, checks), lies in groupby(LIES, lambda lie: (lie.row, lie.checks)):
        yield f"| {row} | {'; '.join(lie.what for lie in lies)} | {', '.join(checks) or 'indeterminate'} |"

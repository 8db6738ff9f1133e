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
    """The table's rows: what is done, where the command fails, where the page does."""
    for (row, checks, page), lies in groupby(LIES, lambda lie: (lie.row, lie.checks, lie.page)):
        yield f"| {row} | {'; '.join(lie.what for lie in lies)} | {_told(checks)} | {_seen(page)} |"


def _told(checks: tuple[str, ...]) -> str:
    return ", ".join(checks) or "indeterminate"


def _seen(page: tuple[str, ...] | None) -> str:
    if page is None:
        return "same"
    return ", ".join(page) or "not in the bundle"

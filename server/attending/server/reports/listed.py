"""What the pages of all registers share: how a time is printed, and that a list is cut."""

from __future__ import annotations

from collections.abc import Iterable

from attending.server.reports.blocks import Block, text
from attending.server.reports.source import MOST_LINES, Rows


def moment(time: object) -> str:
    """A canonical time to the second; entry and register have the rest. Nothing for what is no text."""
    return f"{time[:10]} {time[11:19]}" if type(time) is str else ""


def first_of(rows: Rows, name: str) -> Iterable[Block]:
    """That there are more than are printed."""
    if rows.total(name) > MOST_LINES:
        yield text(
            f"The first {MOST_LINES} of {rows.total(name)}; rows.csv and rows.jsonl, attached, have all.",
            size=9,
        )

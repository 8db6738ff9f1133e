"""The ledger's text form of a moment; the clock itself is always injected."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`, which sorts as time does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    """The aware UTC datetime of `stamp`'s text."""
    return datetime.fromisoformat(text)


def stamp_of(moment: datetime | None) -> str | None:
    """`stamp` of a moment that there may not be."""
    return None if moment is None else stamp(moment)

"""Bounds of a request's fields, collected so that a caller sees every violation at once."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from attending.server.errors import InvalidRequest

MAX_EXPONENT = 30
MAX_NUMBER_CHARACTERS = 64
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
BROKEN_TEXT = re.compile("[\x00\ud800-\udfff]")


class Violations:
    """Collects field violations so that a caller sees all of them at once."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def add(self, field: str, description: str) -> None:
        self._found.append((field, description))

    def check(self, ok: bool, field: str, description: str) -> None:
        if not ok:
            self.add(field, description)

    def text(self, value: str, field: str, limit: int, *, required: bool = True) -> None:
        """A text of at most `limit` code points without NUL; descriptions give lengths, never content."""
        if required and not value.strip():
            self.add(field, "is required")
        if len(value) > limit:
            self.add(field, f"has {len(value)} code points, the limit is {limit}")
        if "\x00" in value:
            self.add(field, "contains a NUL character")

    @property
    def found(self) -> list[tuple[str, str]]:
        """What was found so far, to be named within something larger."""
        return list(self._found)

    def raise_if_any(self) -> None:
        if self._found:
            raise InvalidRequest(self._found)


def present_field(request: Any, field: str, v: Violations) -> bool:
    present = bool(request.HasField(field))
    v.check(present, field, "is required")
    return present


def plain_number(text: str) -> int | Decimal:
    """Numbers that arithmetic with a dose cannot overflow on; no measurement needs more."""
    value = Decimal(text)
    if abs(value.adjusted()) > MAX_EXPONENT or len(text) > MAX_NUMBER_CHARACTERS:
        raise ValueError("number out of range")
    return int(text) if text.lstrip("-").isdigit() else value


def date_field(value: str, field: str, v: Violations) -> date | None:
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        v.add(field, "must be a date such as 2026-01-31")
        return None


def time_field(value: Any, field: str, v: Violations) -> datetime | None:
    try:
        return value.ToDatetime(tzinfo=UTC)  # type: ignore[no-any-return]
    except (ValueError, OverflowError):
        v.add(field, "is out of range")
        return None


def decimal_of(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(value))


def normalise(text: str) -> str:
    """NFC, the form that is checked, shown, signed and released."""
    return unicodedata.normalize("NFC", text)

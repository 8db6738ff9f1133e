"""Values inside FHIR R4 resources: concepts, statuses, numbers and instants."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any


def read_concept(value: object) -> tuple[str | None, frozenset[str]]:
    if not isinstance(value, dict):
        return None, frozenset()
    codings = [coding for coding in value.get("coding") or () if isinstance(coding, dict)]
    codes = frozenset(str(coding["code"]) for coding in codings if coding.get("code"))
    text = value.get("text") or next((coding["display"] for coding in codings if coding.get("display")), None)
    return (text or value.get("display")), codes


def read_status(resource: dict[str, Any], key: str) -> str | None:
    codings = (resource.get(key) or {}).get("coding") or ()
    return next((coding.get("code") for coding in codings if coding.get("code")), None)


def decimal(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueError("no number")
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError("no number")
    return number


def instant(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) < 10:
        return None
    time = datetime.fromisoformat(value.replace("Z", "+00:00"))
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def years(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))

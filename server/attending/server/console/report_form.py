"""The form that asks for a report, read into the request of the same call: times in a time zone, and what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attending.server.console.gate import text_of
from attending.server.console.report_words import FIELDS
from attending.server.errors import InvalidRequest
from attending.server.reports.choose import WORDS
from attending.server.reports.particulars import Kind
from attending.v1 import report_pb2
from starlette.responses import JSONResponse, Response

TIMES: Final = {"from": "From", "to": "Before"}
_ZONE: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")


def order_of(fields: Mapping[str, Any]) -> tuple[report_pb2.CreateReportRequest, dict[str, str]]:
    """The request, and by field what is wrong with what only the form has: times and their zone. The call itself says
    the rest. Raises InvalidRequest for what no form sends.
    """
    given = dict(fields)
    problems: dict[str, str] = {}
    scope = report_pb2.ReportScope()
    for word in WORDS:
        setattr(scope, word, text_of(given, word, required=False).strip())
    zone = _zone(text_of(given, "time_zone", required=False) or "UTC")
    if zone is None:
        problems["time_zone"] = "There is no such time zone: write one as Europe/Berlin, or UTC."
    for field, label in TIMES.items():
        text = text_of(given, field, required=False)
        if not text or zone is None:
            continue
        try:
            getattr(scope, field).FromDatetime(moment_in(text, zone))
        except ValueError as err:
            problems[field] = f"{label}: {err}."
    request = report_pb2.CreateReportRequest(
        idempotency_key=text_of(given, "idempotency_key"),
        kind=_kind(text_of(given, "kind")),
        scope=scope,
        purpose=text_of(given, "purpose"),
    )
    return request, problems


def moment_in(text: str, zone: ZoneInfo) -> datetime:
    """The moment (UTC) that a clock in that zone shows as `YYYY-MM-DDTHH:MM`; ValueError, in words for the form, where
    it shows that never, or twice, since the clock is changed.
    """
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("this is no date with a time") from None
    if local.tzinfo is not None or not 1970 <= local.year <= 9998:
        raise ValueError("this is no date with a time")
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) != local:
        raise ValueError("the clock is put forward over this time there; choose a time after it")
    if first != second:
        raise ValueError("the clock shows this time twice there; choose another minute, or write it in UTC")
    return first


def refused(problems: Mapping[str, str]) -> Response:
    """What the form is told: words by field."""
    told = {"reason": "INVALID_REQUEST", "sentence": "Nothing was asked for yet: mend what is marked."}
    return JSONResponse({**told, "problems": dict(problems)}, 400)


def problems_of(violations: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The call's violations under the form's fields; what is of none of them is left out."""
    found = {}
    for path, told in violations:
        name = path.removeprefix("scope.")
        label = FIELDS[name][0] if name in FIELDS else TIMES.get(name)
        if label is not None:
            found[name] = f"{label} {told.replace('`', '')}."
    return found


def _kind(name: str) -> report_pb2.ReportKind.ValueType:
    if name not in [*Kind]:
        raise InvalidRequest([("kind", "must be one that there is")])
    return report_pb2.ReportKind.Value(f"REPORT_KIND_{name.upper()}")


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if _ZONE.fullmatch(name) else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None

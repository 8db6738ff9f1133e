"""Errors over HTTP: the status table of the server in HTTP's numbers, one line of text with the reason code."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

import grpc
import structlog
from attending.server.status import INTERNAL, mapping_of
from attending.server.telemetry import place
from starlette.responses import PlainTextResponse, Response

log = structlog.get_logger()

_Code = grpc.StatusCode

HTTP_STATUS: Final[dict[grpc.StatusCode, int]] = {
    _Code.INVALID_ARGUMENT: 400,
    _Code.UNAUTHENTICATED: 401,
    _Code.PERMISSION_DENIED: 403,
    _Code.NOT_FOUND: 404,
    # An index past the published tree: a static web server would say that there is no such file.
    _Code.OUT_OF_RANGE: 404,
    _Code.ABORTED: 409,
    _Code.ALREADY_EXISTS: 409,
    _Code.FAILED_PRECONDITION: 409,
    _Code.RESOURCE_EXHAUSTED: 429,
    _Code.UNIMPLEMENTED: 405,
    _Code.UNAVAILABLE: 503,
    _Code.DEADLINE_EXCEEDED: 504,
    _Code.DATA_LOSS: 500,
    _Code.INTERNAL: 500,
}


def error_response(error: Exception) -> Response:
    """`REASON: text` with the status of the error's class; never cached, never an error's own words.

    What is not in the status table is logged by type and place, with the id that the answer carries.
    """
    mapping = mapping_of(type(error))
    text, reason = mapping.text, mapping.reason or str(getattr(error, "reason", "UNKNOWN"))
    if mapping is INTERNAL:
        error_id = secrets.token_hex(8)
        log.error(
            "http.internal_error", error_id=error_id, error_type=type(error).__name__, location=place(error)
        )
        text, reason = f"{text}, error id {error_id}", "INTERNAL"
    headers: dict[str, str] = {}
    if mapping.code is _Code.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    retry = getattr(error, "retry_after_seconds", None)
    if retry is not None:
        headers["Retry-After"] = str(max(1, round(retry)))
    return plain(HTTP_STATUS[mapping.code], reason, text, headers)


def plain(status: int, reason: str, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """One line of text that no cache keeps."""
    return PlainTextResponse(
        f"{reason}: {text}\n",
        status,
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})},
    )

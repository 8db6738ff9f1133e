"""What another site sends is read within bounds before it is refused, so that the refusal arrives."""

from __future__ import annotations

from typing import Any

import pytest
from attending.server.console.guard import MOST_DRAINED_BYTES, Address, Guard

PART = 16_384


async def nothing_behind(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("a refused request got through")


@pytest.mark.parametrize(("parts", "read"), [(1, 1), (3, 3), (100, MOST_DRAINED_BYTES // PART)])
async def test_a_refused_body_is_read_within_bounds_and_first(parts: int, read: int) -> None:
    told: list[str] = []
    given = iter(range(parts))

    async def receive() -> dict[str, Any]:
        told.append("read")
        return {"type": "http.request", "body": b"x" * PART, "more_body": next(given) < parts - 1}

    async def send(message: dict[str, Any]) -> None:
        told.append(message["type"])
        if message["type"] == "http.response.start":
            assert message["status"] == 403

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/items/tkt_1/claim",
        "headers": [(b"host", b"console.example"), (b"origin", b"https://evil.example")],
    }
    await Guard(nothing_behind, Address("https://console.example"))(scope, receive, send)  # type: ignore[arg-type]
    assert told == ["read"] * read + ["http.response.start", "http.response.body"]

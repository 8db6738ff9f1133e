"""What a page sends is JSON in UTF-8 whose texts are text, or it is refused before anything is made of it."""

from __future__ import annotations

from typing import Any

import pytest
from attending.server.console.gate import read_fields
from attending.server.errors import InvalidRequest
from starlette.requests import Request


def request_of(body: bytes) -> Request:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


@pytest.mark.parametrize(
    "body",
    [
        b'{"policy": "\\ud800"}',
        b'{"policy": "a\\udfffb"}',
        b'{"\\udbff": 1}',
        b'{"deep": [{"er": "\\ud83d"}]}',
        b'{"policy": "\xed\xa0\x80"}',
        b"\xff\xfe{\x00}\x00",
        b"[]",
        b"",
        b'{"a": ' * 100_000,
    ],
)
async def test_what_is_no_object_of_texts_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        await read_fields(request_of(body))


async def test_whole_characters_are_taken_however_they_are_written() -> None:
    sent = b'{"a": "\\ud83d\\ude00 \xc3\xa9 \\u00e9", "b": "\\\\ud800"}'
    assert await read_fields(request_of(sent)) == {"a": "\U0001f600 \u00e9 \u00e9", "b": "\\ud800"}

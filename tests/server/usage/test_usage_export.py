"""Exports of providers: each documented shape is read alike, and nothing that does not read is passed over."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attending.client.usage_export import MOST_LINE_BYTES, UsageFileError, Use, read_usage
from hypothesis import given
from hypothesis import strategies as st

AT = datetime(2026, 11, 3, 9, 30, 1, tzinfo=UTC)
BEDROCK: dict[str, Any] = {
    "schemaType": "ModelInvocationLog",
    "schemaVersion": "1.0",
    "timestamp": "2026-11-03T09:30:01Z",
    "requestId": "915a6a04-3f83-4c70-a277-7fbf7ea546b3",
    "operation": "Converse",
    "modelId": "anthropic.claude-3-haiku-20240307-v1:0",
    "input": {"inputBodyJson": {"messages": ["PATIENT TEXT"]}, "inputTokenCount": 35},
    "output": {"outputBodyJson": {"id": "msg_bdrk_01"}, "outputTokenCount": 446},
}
VERTEX: dict[str, Any] = {
    "logging_time": "2026-11-03 09:30:01 UTC",
    "request_id": 6312,
    "model": "publishers/google/models/gemini-2.5-flash",
    "full_request": "PATIENT TEXT",
    "full_response": {
        "responseId": "abc-1",
        "usageMetadata": {"promptTokenCount": 35, "candidatesTokenCount": 446},
    },
}
OPENAI: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": int(AT.timestamp()),
    "model": "gpt-x",
    "usage": {"prompt_tokens": 35, "completion_tokens": 446, "total_tokens": 481},
}
ANTHROPIC: dict[str, Any] = {
    "id": "msg_01",
    "type": "message",
    "created_at": "2026-11-03T10:30:01+01:00",
    "model": "claude-x",
    "usage": {"input_tokens": 35, "output_tokens": 446},
}
LITELLM: dict[str, Any] = {
    "request_id": "chatcmpl-2",
    "startTime": "2026-11-03T09:30:01",
    "model": "gpt-x",
    "prompt_tokens": 35,
    "completion_tokens": 446,
}
SHAPES = [
    (BEDROCK, ("915a6a04-3f83-4c70-a277-7fbf7ea546b3", "msg_bdrk_01")),
    (VERTEX, ("6312", "abc-1")),
    (VERTEX | {"full_response": json.dumps(VERTEX["full_response"])}, ("6312", "abc-1")),
    (OPENAI, ("chatcmpl-1",)),
    (ANTHROPIC, ("msg_01",)),
    (LITELLM, ("chatcmpl-2",)),
]


def read(folder: Path, data: str | bytes) -> list[Use]:
    path = folder / "usage"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(read_usage(path))


def refusal(folder: Path, data: str | bytes) -> str:
    with pytest.raises(UsageFileError) as caught:
        read(folder, data)
    assert "PATIENT" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("record", "ids"), SHAPES)
def test_each_shape_gives_ids_model_time_and_tokens(
    tmp_path: Path, record: dict[str, Any], ids: tuple[str, ...]
) -> None:
    [use] = read(tmp_path, json.dumps(record) + "\n")
    assert (use.row, use.ids, use.time, use.input_tokens, use.output_tokens) == (1, ids, AT, 35, 446)
    assert "PATIENT" not in repr(use)


def test_csv_is_read_with_its_rows_and_whatever_stands_in_other_columns(tmp_path: Path) -> None:
    rows = [
        "id,note,created_at,model,tokens_prompt,tokens_completion",
        'gen-1,"two',
        'lines, =cmd()",2026-11-03T09:30:01Z,gpt-x,35,446.0',
        "gen-2,,1793698201,gpt-x,,",
    ]
    first, second = read(tmp_path, b"\xef\xbb\xbf" + "\r\n".join(rows).encode())
    assert first == Use(3, ("gen-1",), "gpt-x", AT, 35, 446)
    assert (second.row, second.ids, second.input_tokens) == (4, ("gen-2",), None)


def test_blank_lines_count_as_rows_and_nothing_else(tmp_path: Path) -> None:
    uses = read(tmp_path, f"\n{json.dumps(OPENAI)}\n\n{json.dumps(ANTHROPIC)}")
    assert [use.row for use in uses] == [2, 4]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no record"),
        (b"id,model,created_at\n", "no record"),
        (b"\x1f\x8b\x08", "compressed"),
        (json.dumps([OPENAI]), "row 1: is a JSON array"),
        (json.dumps(OPENAI) + "\n{", "row 2: is not JSON"),
        (json.dumps(OPENAI) + "\n[1]", "row 2: is not a JSON object"),
        ('{"id": "a", "id": "b"}', "row 1: names a field twice"),
        (json.dumps(OPENAI)[:-1] + ', "x": NaN}', "row 1: is not JSON"),
        (json.dumps(OPENAI)[:-1] + ', "x": ' + "9" * 5000 + "}", "row 1: is not JSON"),
        ('{"x": ' + "[" * 100_000, "row 1: is not JSON"),
        (json.dumps(OPENAI) + "\n" + json.dumps(OPENAI | {"model": "a\0b"}), "row 2: names no model"),
        (json.dumps(OPENAI).encode() + b"\n\0", "row 2: holds a NUL"),
        (json.dumps(OPENAI).encode() + b"\n\xff", "row 2: is not UTF-8"),
        (b" " * (MOST_LINE_BYTES + 1), "row 1: is longer than"),
        (json.dumps(OPENAI | {"id": "=cmd|' /C calc'!A0"}), "row 1: has an id that is none"),
        (json.dumps(OPENAI | {"id": "x" * 129}), "row 1: has an id that is none"),
        (json.dumps(OPENAI | {"model": "=1+1"}), "row 1: names no model"),
        (json.dumps(OPENAI | {"usage": {"prompt_tokens": 2**31, "completion_tokens": 1}}), "number of tokens"),
        (json.dumps(OPENAI | {"usage": {"prompt_tokens": -1, "completion_tokens": 1}}), "number of tokens"),
        (json.dumps(OPENAI | {"usage": {"prompt_tokens": True, "completion_tokens": 1}}), "number of tokens"),
        (json.dumps(OPENAI | {"created": "yesterday"}), "row 1: has a time that does not read"),
        (json.dumps(OPENAI | {"created": 10**30}), "row 1: has a time that does not read"),
        (json.dumps(OPENAI | {"created": "2026-11-03"}), "row 1: has a day and no time"),
        ('{"usage": {}, "created": 1793698201, "model": "m"}', "row 1: can be no known call"),
        ('{"start_time": 1793698201, "num_model_requests": 7, "input_tokens": 1}', "row 1: sums several calls"),
        ("id,id\na,b\n", "row 1: names a column twice"),
        ("id,model,created_at\na,b\n", "row 2: has 2 cells"),
        ('id,model,created_at\n"a,b,c\n', "row 2: is not CSV"),
        ("id,note\na," + '"' + "x" * 120_000 + '"\n', "row 2: has a cell of more than 100000 characters"),
    ],
)  # fmt: skip
def test_what_does_not_read_is_refused_with_its_row(tmp_path: Path, data: str | bytes, says: str) -> None:
    assert says in refusal(tmp_path, data)


@given(data=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore")))
def test_no_file_raises_anything_else(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(data)
    with contextlib.suppress(UsageFileError):
        assert all(use.ids or use.input_tokens is not None for use in read_usage(path))

"""A provider's own records of use, read from its export: who called which model when, and nothing of what was said.

Read are JSON lines and CSV in the shapes below, each call a line. Whatever does not read is refused with its row: a
record that is left out could be the call that went past the gate.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

MOST_LINE_BYTES: Final = 1 << 20
"""Of one line, which may quote prompt and answer; these are dropped here and sent nowhere."""
_MOST_CELL: Final = 100_000
"""Characters: below what `csv` takes, which is a setting of the whole process."""
MOST_IDS: Final = 4
MOST_TOKENS: Final = 2**31 - 1
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}", re.ASCII)
_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,255}", re.ASCII)
_COUNT: Final = re.compile(r"([0-9]{1,10})(?:\.0{1,6})?", re.ASCII)
_EPOCH: Final = re.compile(r"[0-9]{9,13}(?:\.[0-9]{1,9})?", re.ASCII)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_SUMS: Final = (
    "num_model_requests",
    "num_requests",
    "requests",
    "request_count",
    "usage_date_utc",
    "results",
)
_BOM, _GZIP = b"\xef\xbb\xbf", b"\x1f\x8b"


class UsageFileError(Exception):
    """The file, or a row of it, does not read. The message says where and what is expected, and quotes nothing."""

    def __init__(self, problem: str, row: int | None = None) -> None:
        super().__init__(problem if row is None else f"row {row}: {problem}")
        self.row = row


@dataclass(frozen=True, slots=True)
class Use:
    """One call, as the provider has it; `row` is its line in the file, from 1."""

    row: int
    ids: tuple[str, ...]
    model: str
    time: datetime
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where a record says what; of several places the first that says anything, of ids all."""

    known_by: str
    ids: tuple[str, ...]
    model: tuple[str, ...]
    time: tuple[str, ...]
    input: tuple[str, ...]
    output: tuple[str, ...]


_SHAPES: Final = (
    # Amazon Bedrock, model invocation log.
    _Shape(
        "schemaType",
        ("requestId", "output.outputBodyJson.id"),
        ("modelId",),
        ("timestamp",),
        ("input.inputTokenCount",),
        ("output.outputTokenCount",),
    ),
    # Google Vertex AI, request-response log (rows of its BigQuery table); Gemini, and Claude there.
    _Shape(
        "logging_time",
        ("request_id", "full_response.responseId", "full_response.id"),
        ("model", "full_response.modelVersion", "full_response.model"),
        ("logging_time",),
        ("full_response.usageMetadata.promptTokenCount", "full_response.usage.input_tokens"),
        ("full_response.usageMetadata.candidatesTokenCount", "full_response.usage.output_tokens"),
    ),
    # Answers as the OpenAI and Anthropic APIs give them, one a line.
    _Shape(
        "usage",
        ("id", "request_id", "_request_id"),
        ("model",),
        ("created", "created_at", "timestamp", "time"),
        ("usage.prompt_tokens", "usage.input_tokens"),
        ("usage.completion_tokens", "usage.output_tokens"),
    ),
    # Rows of OpenAI-compatible gateways (LiteLLM, OpenRouter and others), in JSON or CSV.
    _Shape(
        "",
        ("request_id", "id", "generation_id", "response_id"),
        ("model", "model_name"),
        ("time", "timestamp", "created_at", "created", "startTime", "start_time"),
        ("input_tokens", "prompt_tokens", "tokens_prompt"),
        ("output_tokens", "completion_tokens", "tokens_completion"),
    ),
)


def read_usage(path: Path) -> Iterator[Use]:
    """The records of the file, in its order, a line at a time. Raises UsageFileError and OSError."""
    with path.open("rb") as file:
        begin = file.read(3)
        if begin.startswith(_GZIP):
            raise UsageFileError("the file is compressed; unpack it")
        file.seek(len(_BOM) if begin == _BOM else 0)
        count = 0
        for row, record in _records(file):
            count += 1
            yield _use(row, record)
        if not count:
            raise UsageFileError("the file has no record")


def _records(file: BinaryIO) -> Iterator[tuple[int, Mapping[str, Any]]]:
    lines = _lines(file)
    first = next(((row, line) for row, line in lines if line.strip()), None)
    if first is None:
        return
    if first[1].lstrip().startswith("["):
        raise UsageFileError("is a JSON array; give one object a line", first[0])
    if first[1].lstrip().startswith("{"):
        yield first[0], _object(*first)
        for row, line in lines:
            if line.strip():
                yield row, _object(row, line)
        return
    yield from _rows(first, lines)


def _lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    row = 0
    while line := file.readline(MOST_LINE_BYTES + 1):
        row += 1
        if len(line) > MOST_LINE_BYTES:
            raise UsageFileError(f"is longer than {MOST_LINE_BYTES} bytes", row)
        if b"\0" in line:
            raise UsageFileError("holds a NUL", row)
        try:
            yield row, line.decode("utf-8")
        except UnicodeDecodeError:
            raise UsageFileError("is not UTF-8", row) from None


def _object(row: int, line: str) -> Mapping[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise UsageFileError("names a field twice", row)
        return found

    def refused(_name: str) -> NoReturn:
        raise ValueError

    try:
        found = json.loads(line, object_pairs_hook=once, parse_constant=refused)
    except (ValueError, RecursionError):
        raise UsageFileError("is not JSON", row) from None
    if not isinstance(found, dict):
        raise UsageFileError("is not a JSON object", row)
    return found


def _rows(
    first: tuple[int, str], lines: Iterator[tuple[int, str]]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    at = first[0]

    def texts() -> Iterator[str]:
        nonlocal at
        yield first[1]
        for at, line in lines:  # noqa: B007 - the row of the line that the reader is at
            yield line

    reader = csv.reader(texts(), strict=True)
    try:
        names = [name.strip() for name in next(reader)]
        if len(set(names)) != len(names):
            raise UsageFileError("names a column twice", first[0])
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                raise UsageFileError(f"has {len(cells)} cells, the first row {len(names)}", at)
            if max(map(len, cells)) > _MOST_CELL:
                raise UsageFileError(f"has a cell of more than {_MOST_CELL} characters", at)
            yield at, dict(zip(names, cells, strict=True))
    except csv.Error:
        raise UsageFileError("is not CSV", at) from None


def _use(row: int, record: Mapping[str, Any]) -> Use:
    shape = next(one for one in _SHAPES if not one.known_by or one.known_by in record)
    ids = [_id(value, row) for value in _all(record, shape.ids)]
    model = _first(record, shape.model)
    time = _first(record, shape.time)
    if (model is None or time is None) and any(name in record for name in _SUMS):
        raise UsageFileError("sums several calls; export them one by one", row)
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        raise UsageFileError(f"names no model; expected in {_either(shape.model)}", row)
    if time is None:
        raise UsageFileError(f"has no time; expected in {_either(shape.time)}", row)
    tokens = (_count(_first(record, shape.input), row), _count(_first(record, shape.output), row))
    if not ids and None in tokens:
        wanted = f"an id in {_either(shape.ids)}, or numbers of tokens"
        raise UsageFileError(f"can be no known call; expected {wanted}", row)
    return Use(row, tuple(dict.fromkeys(ids))[:MOST_IDS], model, _moment(time, row), *tokens)


def _all(record: Mapping[str, Any], places: tuple[str, ...]) -> Iterator[Any]:
    for place in places:
        value: Any = record
        for name in place.split("."):
            if isinstance(value, str) and value.startswith("{"):
                value = _inner(value)  # JSON within a cell, or within JSON
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None and value != "":
            yield value


def _inner(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _first(record: Mapping[str, Any], places: tuple[str, ...]) -> Any:
    return next(_all(record, places), None)


def _id(value: object, row: int) -> str:
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise UsageFileError("has an id that is none: 1 to 128 letters, digits and ._:/+=-", row)
    return text


def _count(value: object, row: int) -> int | None:
    if value is None:
        return None
    found = _COUNT.fullmatch(str(value)) if type(value) in (int, float, str) else None
    if found is None or int(found[1]) > MOST_TOKENS:
        raise UsageFileError(f"has a number of tokens that is none: 0 to {MOST_TOKENS}", row)
    return int(found[1])


def _moment(value: object, row: int) -> datetime:
    """ISO 8601, UTC where it names no zone, or seconds or milliseconds since 1970."""
    wrong = UsageFileError("has a time that does not read: ISO 8601, or seconds since 1970", row)
    if type(value) not in (int, float, str):
        raise wrong
    text = str(value).strip().removesuffix(" UTC")
    if _DAY.fullmatch(text):
        raise UsageFileError("has a day and no time; export calls one by one, with their times", row)
    try:
        if _EPOCH.fullmatch(text):
            seconds = float(text) if len(text.partition(".")[0]) < 12 else float(text) / 1000
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        found = datetime.fromisoformat(text)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong from None
    if not 1970 <= found.year <= 9998:
        raise wrong
    return found


def _either(places: tuple[str, ...]) -> str:
    return " or ".join(f"`{place}`" for place in places)

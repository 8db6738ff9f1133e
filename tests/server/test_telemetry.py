"""No log line can carry what a person wrote."""

from __future__ import annotations

import ast
import asyncio
import errno
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from attending.server import telemetry

SECRET = "Jane Q. Patient, MRN 00123, takes 40 mg"
SERVER = Path(telemetry.__file__).parent


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    telemetry.configure("debug", "json", stream)
    yield stream
    telemetry.configure()


def parsed(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_with_ids(lines: io.StringIO) -> None:
    structlog.get_logger().info("inference.released", inference_id="inf_01", count=3, policy_ids=["a", "b"])
    # A thread that an earlier test left behind may log meanwhile.
    [line] = [one for one in parsed(lines) if one["event"] == "inference.released"]
    assert (line["inference_id"], line["count"], line["policy_ids"]) == ("inf_01", 3, ["a", "b"])
    assert line["level"] == "info"


def test_a_key_that_is_not_listed_is_dropped_and_named(lines: io.StringIO) -> None:
    structlog.get_logger().info("inference.released", prompt=SECRET, inference_id="inf_01")
    [line] = [one for one in parsed(lines) if one["event"] == "inference.released"]
    assert line["dropped"] == ["prompt"]
    assert SECRET not in lines.getvalue()


@pytest.mark.parametrize(
    "value",
    [SECRET, {"a": SECRET}, [SECRET], SECRET.encode(), ValueError(SECRET), "x" * 500, "Jos\u00e9", "a\nb"],
)
def test_a_listed_key_holds_ids_and_not_sentences(lines: io.StringIO, value: object) -> None:
    structlog.get_logger().warning("auth.refused", reason=value)
    text = lines.getvalue()
    assert "Jane" not in text
    assert "xxx" not in text
    assert "Jos" not in text
    assert "(hidden)" in text


def test_an_event_name_is_constant(lines: io.StringIO) -> None:
    structlog.get_logger().info(SECRET)
    structlog.get_logger().info("inference failed for Jane")
    assert [line["event"] for line in parsed(lines)] == ["log.unnamed_event"] * 2


def test_a_traceback_is_not_printed(lines: io.StringIO) -> None:
    try:
        raise ValueError(SECRET)
    except ValueError:
        structlog.get_logger().exception("rpc.internal_error")
    assert "Jane" not in lines.getvalue()


def test_records_of_libraries_lose_their_words(lines: io.StringIO) -> None:
    own = io.StringIO()
    chatty = logging.getLogger("chatty.library")
    chatty.addHandler(logging.StreamHandler(own))
    chatty.propagate = False
    telemetry.take_over_libraries()
    try:
        raise KeyError(SECRET)
    except KeyError:
        chatty.error("request failed: %s", SECRET, exc_info=True)
    # Where `warnings` writes once logging captures them.
    logging.getLogger("py.warnings").warning("%s", SECRET)
    [line, warning] = parsed(lines)
    assert (line["event"], line["logger"], line["error_type"]) == (
        "library.log",
        "chatty.library",
        "KeyError",
    )
    assert line["location"].startswith("test_telemetry.py:")
    assert warning["logger"] == "py.warnings"
    assert "Jane" not in lines.getvalue() + own.getvalue()


def test_our_own_packages_keep_their_event_and_listed_keys(lines: io.StringIO) -> None:
    own = logging.getLogger("attending.ledger.publish")
    own.error(
        "ledger.publish_halted", extra={"log_id": "ward", "reason": "LOG_ROLLED_BACK", "prompt": SECRET}
    )
    own.error("the words of %s", SECRET, extra={"reason": SECRET})
    halted, careless = parsed(lines)
    assert (halted["event"], halted["log_id"], halted["reason"], halted["level"]) == (
        "ledger.publish_halted",
        "ward",
        "LOG_ROLLED_BACK",
        "error",
    )
    assert halted["location"].startswith("test_telemetry.py:")
    assert (careless["event"], careless["reason"]) == ("log.unnamed_event", "(hidden)")
    assert "Jane" not in lines.getvalue()


async def test_errors_nobody_awaited_lose_their_words(lines: io.StringIO) -> None:
    telemetry.quiet_loop_errors(asyncio.get_running_loop())
    asyncio.get_running_loop().call_soon(int, SECRET)
    asyncio.get_running_loop().call_soon(dict[str, str]().pop, SECRET)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [line["error_type"] for line in parsed(lines)] == ["ValueError", "KeyError"]
    assert "Jane" not in lines.getvalue()


def test_the_level_is_kept() -> None:
    stream = io.StringIO()
    telemetry.configure("warning", "json", stream)
    try:
        structlog.get_logger().info("server.started")
        structlog.get_logger().warning("auth.denied")
    finally:
        telemetry.configure()
    assert [line["event"] for line in parsed(stream)] == ["auth.denied"]


def test_a_console_line_is_for_people() -> None:
    stream = io.StringIO()
    telemetry.configure("info", "console", stream)
    try:
        structlog.get_logger().info("server.started", port=1, prompt=SECRET)
    finally:
        telemetry.configure()
    assert "server.started" in stream.getvalue()
    assert "Jane" not in stream.getvalue()
    assert "\x1b[" not in stream.getvalue()


def test_every_log_call_of_the_server_has_a_constant_event_and_listed_keys() -> None:
    calls = 0
    for path in sorted(SERVER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = node.func.value
            if not (isinstance(owner, ast.Name) and owner.id == "log"):
                continue
            if node.func.attr not in {"debug", "info", "warning", "error", "exception", "critical"}:
                continue
            calls += 1
            where = f"{path.name}:{node.lineno}"
            assert isinstance(node.args[0], ast.Constant), where
            assert telemetry._EVENT.fullmatch(str(node.args[0].value)), where
            # `_said` is what the hooks of a process say of an error: its type and its place.
            spread = [ast.unparse(k.value).partition("(")[0] for k in node.keywords if k.arg is None]
            assert set(spread) <= {"_said"}, where
            named = {keyword.arg for keyword in node.keywords if keyword.arg is not None}
            assert named <= telemetry.ALLOWED_KEYS, where
    assert calls >= 10


def test_a_stream_that_cannot_be_written_stops_nobody_and_says_so_later(lines: io.StringIO) -> None:
    class Full(io.StringIO):
        full = True

        def flush(self) -> None:
            if self.full:
                self.seek(0)
                self.truncate()
                raise OSError(errno.ENOSPC, "no space left on device")

    structlog.get_logger().error("a.fault", reason="W")  # tells of lines that were lost before this test
    stream = Full()
    telemetry.configure("info", "json", stream)
    for _ in range(3):
        structlog.get_logger().error("a.fault", reason="X")
    logging.getLogger("grpc._cython.cygrpc").error("the library's words")
    assert stream.getvalue() == ""
    stream.full = False
    structlog.get_logger().error("a.fault", reason="Y")
    assert [line["event"] for line in parsed(stream)] == ["log.lines_lost", "a.fault"]
    assert parsed(stream)[0]["count"] == 4


def test_numbers_and_texts_are_of_the_plain_types(lines: io.StringIO) -> None:
    class Number(int):
        def __repr__(self) -> str:
            return SECRET

        __str__ = __repr__

    class Text(str):
        def __str__(self) -> str:
            return SECRET

        __repr__ = __str__

    def say() -> None:
        structlog.get_logger().info("a.b", count=Number(3), reason=Text("fine"), seconds=float("nan"))

    say()
    telemetry.configure("debug", "console", lines)
    say()
    assert "Jane" not in lines.getvalue()
    first = json.loads(lines.getvalue().splitlines()[0])
    assert (first["count"], first["reason"], first["seconds"]) == (3, "fine", "(hidden)")

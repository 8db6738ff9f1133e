"""Log lines that cannot carry personal content: a constant event name and listed keys with short plain values.

structlog writes to standard error, as JSON or for people. What a key outside the list held is dropped and only
the key is named. Records of other libraries lose their words too: their loggers quote requests and errors.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
import sys
import threading
import traceback
from collections.abc import MutableMapping
from pathlib import PurePath
from typing import Any, Final, Literal, TextIO

import structlog

_OF_EVERY_LINE: Final = frozenset({"event", "level", "timestamp"})
ALLOWED_KEYS: Final = frozenset(
    {
        *_OF_EVERY_LINE,
        # ids and names from configuration
        *(
            "action",
            "component",
            "error_id",
            "identity",
            "inference_id",
            "index",
            "key_id",
            "log_id",
            "logger",
        ),
        *("method", "origin", "owner", "policy", "policy_ids", "principal", "provider", "rail", "service"),
        *("report", "schedule", "target", "tenant", "ticket_id", "worker"),
        # enums, counts and places
        *(
            "code",
            "count",
            "elapsed_ms",
            "error_type",
            "exit_code",
            "kind",
            "location",
            "office",
            "payloads",
            "pid",
            "port",
            "reason",
        ),
        *("seconds", "size", "stage", "state", "status", "token_port", "http_port", "version", "workers"),
        "dropped",
    }
)
_EVENT: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
_VALUE: Final = re.compile(r"[A-Za-z0-9_.:/@+,<>=-]{0,200}")
_HIDDEN: Final = "(hidden)"


def only_listed(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The line with its listed keys alone; anything that is not a plain short value is hidden.

    Values are numbers, truth values and strings without spaces of at most 200 characters, or lists of them:
    ids and enums fit, sentences do not.
    """
    kept: dict[str, Any] = {}
    dropped = []
    for key, value in event.items():
        if key == "event":
            kept[key] = value if isinstance(value, str) and _EVENT.fullmatch(value) else "log.unnamed_event"
        elif key in ALLOWED_KEYS:
            kept[key] = _plain(value)
        else:
            dropped.append(key if re.fullmatch(r"[a-z_]{1,40}", key) else _HIDDEN)
    if dropped:
        kept["dropped"] = sorted(dropped)
    return kept


def _plain(value: object) -> object:
    # Exact types only: a subclass may say anything when it is printed.
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _HIDDEN
    if isinstance(value, str):
        text = str.__str__(value)
        return text if _VALUE.fullmatch(text) else _HIDDEN
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value[:50]]
    return _HIDDEN


class LibraryRecords(logging.Handler):
    """Passes a library's record on by name, level and place, without its message, arguments or traceback.

    Our own packages that do not know structlog (the ledger) give a constant event name as the message and listed
    keys as `extra`; those are kept, under the same rules as any line's.
    """

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        event, keys = "library.log", {}
        if record.name.startswith("attending."):
            event = record.msg
            keys = {key: value for key, value in vars(record).items() if key in ALLOWED_KEYS - _OF_EVERY_LINE}
        structlog.get_logger().log(
            _level(record.levelno),
            event,
            **{
                "logger": record.name,
                "location": f"{PurePath(record.pathname or 'unknown').name}:{record.lineno}",
                "error_type": type(error).__name__ if error is not None else None,
            }
            | keys,
        )


def _level(number: int) -> int:
    """The named level at or below; a library may have levels of its own, which structlog does not know."""
    return max(10, min(50, number // 10 * 10))


class _Lines:
    """Writes lines to a stream; where that fails (a full disk, a closed pipe) the line is lost and the work goes on.

    A call that could not log must still be answered: an error inside the handling of an error would leave its caller
    waiting. How many lines were lost is written before the next one that can be.
    """

    _lock = threading.Lock()
    _lost = 0

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with _Lines._lock:
            try:
                if _Lines._lost:
                    note = {"event": "log.lines_lost", "level": "error", "count": _Lines._lost}
                    self._stream.write(json.dumps(note, sort_keys=True) + "\n")
                self._stream.write(line + "\n")
                self._stream.flush()
                _Lines._lost = 0
            except (OSError, ValueError):
                _Lines._lost += 1

    debug = info = warning = warn = error = critical = fatal = exception = log = msg


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    form: Literal["auto", "json", "console"] = "auto",
    stream: TextIO | None = None,
) -> None:
    """Sets up structlog and the standard library's logging for this process."""
    target = stream or sys.stderr
    console = form == "console" or (form == "auto" and target.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=target.isatty())
        if console
        else structlog.processors.JSONRenderer(sort_keys=True)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            only_listed,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_names: _Lines(target),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [LibraryRecords()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    take_over_libraries()


def take_over_libraries() -> None:
    """Removes handlers that libraries gave their own loggers, so that their records reach `LibraryRecords` alone.

    To be called again when more was imported: a library may set up its own logging as it loads.
    """
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def quiet_loop_errors(loop: asyncio.AbstractEventLoop) -> None:
    """Makes the loop report errors that nobody awaited by type and place only."""

    def report(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        structlog.get_logger().error(
            "loop.unhandled_error",
            error_type=type(error).__name__ if error is not None else None,
            location=place(error) if error is not None else None,
        )

    loop.set_exception_handler(report)


def place(error: BaseException) -> str:
    """`folder/file:line` where an error was raised, and nothing that it says."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "unknown"
    frame = frames[-1]
    return f"{'/'.join(PurePath(frame.filename).parts[-2:])}:{frame.lineno}"

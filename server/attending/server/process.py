"""What a server's process forbids itself before it handles anything: dumps of its memory, and words on its streams.

Log lines go through `telemetry`, which prints events and ids only. Everything else that could write words of an error
or a request is closed here: hooks of the interpreter that print tracebacks, handlers that a library adds to its loggers
when it is first used, plain prints, and variables that make libraries trace their traffic.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import structlog
from attending.guardrails.no_dump import forbid_core_dumps
from attending.server.telemetry import place

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

log = structlog.get_logger()

TRACING: Final = ("GRPC_TRACE", "GRPC_VERBOSITY", "OPENAI_LOG", "PYTHONASYNCIODEBUG", "SSLKEYLOGFILE")
"""Variables with which libraries write messages, keys of connections or arguments of calls. Removed at start."""


@contextmanager
def confined() -> Iterator[None]:
    """Around the life of a server, entered before anything is imported that reads the environment.

    Hooks and handlers are as before when it ends; that no memory is dumped stays.
    """
    forbid_core_dumps()
    for name in TRACING:
        os.environ.pop(name, None)
    # gRPC's core, which is no Python, writes to standard error what a peer says when it leaves, line breaks and all.
    os.environ["GRPC_VERBOSITY"] = "NONE"
    before = (sys.excepthook, sys.unraisablehook, threading.excepthook, logging.Logger.addHandler)
    failing = (logging.raiseExceptions, logging.lastResort)
    sys.excepthook, sys.unraisablehook, threading.excepthook = _uncaught, _unraisable, _in_thread
    # A handler that fails prints the record with its arguments, and one of last resort prints it as it is.
    logging.raiseExceptions, logging.lastResort = False, None
    logging.Logger.addHandler = _no_handler  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        sys.excepthook, sys.unraisablehook, threading.excepthook = before[:3]
        logging.Logger.addHandler = before[3]  # type: ignore[method-assign]
        logging.raiseExceptions, logging.lastResort = failing


@contextmanager
def quiet() -> Iterator[None]:
    """While it lasts nothing that is printed goes out, except within `loud`. Log lines do: they have their stream."""
    global _streams  # noqa: PLW0603 - one pair a process, as the streams themselves
    _streams = (sys.stdout, sys.stderr)
    try:
        with redirect_stdout(_Dropped()), redirect_stderr(_Dropped()):
            yield
    finally:
        _streams = None


@contextmanager
def loud() -> Iterator[None]:
    """For the server's own words to the person who started it, such as where it listens."""
    if _streams is None:
        yield
        return
    with redirect_stdout(_streams[0]), redirect_stderr(_streams[1]):
        yield


_streams: tuple[Any, Any] | None = None


class _Dropped(io.TextIOBase):
    """A stream that keeps nothing. That a library prints is said once: somebody may want to know which."""

    def __init__(self) -> None:
        self._said = False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not self._said:
            self._said = True
            log.warning("process.output_dropped")
        return len(text)


def _uncaught(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    log.error("process.uncaught_error", **_said(error))


def _in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        log.error("process.thread_failed", **_said(args.exc_value))


def _unraisable(args: UnraisableHookArgs) -> None:
    log.error("process.unraisable_error", **_said(args.exc_value))


def _said(error: BaseException | None) -> dict[str, str]:
    return {} if error is None else {"error_type": type(error).__name__, "location": place(error)}


def _no_handler(_logger: logging.Logger, _handler: logging.Handler) -> None:
    """A library's own handler would print its own words; its records reach the root's handler all the same."""

"""Stops a rail that burns the processor: its own time is up even where it never awaits.

`asyncio` ends only what awaits. Between two awaits a rail runs on this thread, and there a timer's signal ends it:
Python code at its next instruction, a regular expression that backtracks at its next look for signals. Code in C that
looks for none is not reached; the pool kills its process. Where signals are not ours to use (any thread but the main
one, Windows) only what awaits is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from types import FrameType, coroutine
from typing import Any, Final, Generic, TypeVar

from attending.guardrails.rails.outcome import FlowResult, RailStatus

T = TypeVar("T")

AGAIN_SECONDS: Final = 0.05
"""A rail that swallows the interruption gets it again, so often."""


class RailOverrunError(BaseException):
    """Raised inside a rail whose time is up. No `Exception`, so that a rail's own handling does not make it a pass."""


class RailEscapedError(Exception):
    """A rail cancelled its own task or asked the process to exit."""


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """What came of one rail's work: its value, or why there is none."""

    value: T | None
    elapsed_ms: float
    failure: RailStatus | None = None
    """`timed_out` or `raised`; None where the work came to its end in time."""
    error_type: str | None = None
    interrupted: bool = False

    def result(self, flow: str) -> FlowResult:
        """The result of a rail that failed; `raised` where its value was none."""
        status = self.failure or "raised"
        return FlowResult(
            flow, status, self.elapsed_ms, error_type=self.error_type, interrupted=self.interrupted
        )


async def attempt(work: Coroutine[Any, Any, T], seconds: float) -> Attempt[T]:
    """Runs `work` within `seconds` of wall time; never raises for what the work does.

    Work that ends late has timed out all the same, whatever it gives or raises.
    """
    started = time.perf_counter()
    value, error_type, timed_out, interrupted = None, None, False, False
    try:
        value = await bounded(work, seconds)
    except TimeoutError:
        timed_out = True
    except RailOverrunError:
        timed_out = interrupted = True
    except Exception as err:
        # The type's name alone: a message may hold personal data.
        error_type = type(err).__name__
    taken = time.perf_counter() - started
    if timed_out or taken > seconds:
        return Attempt(None, taken * 1000, "timed_out", interrupted=interrupted)
    if error_type is not None:
        return Attempt(None, taken * 1000, "raised", error_type)
    return Attempt(value, taken * 1000)


async def bounded(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """The result of `work`, or TimeoutError when it awaits for too long, RailOverrunError when it burns for too long.

    `seconds` is wall time from now. An exception of `work` itself comes through as it is, also a TimeoutError.
    """
    until = time.monotonic() + seconds

    async def watched() -> T:
        try:
            return await _watched(work, until)
        except (Exception, RailOverrunError, KeyboardInterrupt):
            raise
        except BaseException as err:
            task = asyncio.current_task()
            if isinstance(err, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            # What would end the loop or the process is a rail that failed, no more.
            raise RailEscapedError from None

    return await asyncio.wait_for(watched(), seconds)


@coroutine
def _watched(work: Coroutine[Any, Any, T], until: float) -> Generator[Any, Any, T]:
    """`work`, each of its steps under the timer."""
    running = work.__await__()
    resume: Callable[[], Any] = lambda: next(running)  # noqa: E731 - replaced at every step
    while True:
        try:
            waited = _step(resume, until)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        try:
            sent = yield waited
        except BaseException as err:
            thrown = err
            resume = lambda: running.throw(thrown)  # noqa: E731, B023 - run before `thrown` changes
        else:
            resume = lambda: running.send(sent)  # noqa: E731, B023


def _step(resume: Callable[[], Any], until: float) -> Any:
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        return resume()
    inside = True

    def stop(_number: int, _frame: FrameType | None) -> None:
        if inside:
            raise RailOverrunError

    # A test runner may have a timer of its own: it is put back with what is left of it.
    earlier = signal.signal(signal.SIGALRM, stop)
    began = time.monotonic()
    left, interval = signal.setitimer(signal.ITIMER_REAL, max(until - began, 0.001), AGAIN_SECONDS)
    try:
        return resume()
    finally:
        inside = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        with contextlib.suppress(TypeError):  # a handler that was not set from Python cannot be put back
            signal.signal(signal.SIGALRM, earlier)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 0.001), interval)

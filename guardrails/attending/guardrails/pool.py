"""Guard processes behind one asynchronous door: bounded, killed hard when they hang, replaced when they die.

Rails burn the processor and may hang in a regular expression that nothing inside a process can stop. So they run in
processes of their own, started fresh (never forked: gRPC does not survive it). A call that hangs or loses its process
is answered with a decision that holds and says which rail was running; it is never an exception and never a pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from attending.guardrails.cores import usable_cores
from attending.guardrails.finding import Coverage, Finding
from attending.guardrails.guard import InputDecision, OutputDecision, RailRun, put_back, rail_failure
from attending.guardrails.patient import Document, Identity, Judged, PatientContext
from attending.guardrails.policy.decide import decide
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Audience, PhiModeName
from attending.guardrails.pool_worker import (
    HEADER,
    MAX_FRAME_BYTES,
    Done,
    FailedToStart,
    RailStarted,
    Ready,
    WorkerSettings,
    frame,
)
from attending.guardrails.rails.outcome import RailStatus

T = TypeVar("T")

START_TIMEOUT_SECONDS: Final = 120.0
RESTART_DELAYS_SECONDS: Final = (0.0, 0.5, 2.0, 10.0)


class GuardError(Exception):
    """The guard cannot serve; `reason` is UPPER_SNAKE."""

    reason = "GUARD_UNAVAILABLE"


class GuardStartError(GuardError):
    """A worker did not come up: its error's type, and a policy's own problem where that was it."""

    reason = "GUARD_START_FAILED"


class GuardOverloaded(GuardError):  # noqa: N818 - a state of the guard, as callers read it
    """More calls wait than the pool admits, or no worker came free in time."""

    reason = "GUARD_OVERLOADED"

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__("the guard's queue is full")
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class PoolHealth:
    """`ready` of `workers` processes are warm, `busy` of them at work, `waiting` calls queue; the rest are counts
    since the start. `pids` are those of the warm processes."""

    workers: int
    ready: int
    busy: int
    waiting: int
    restarts: int
    crashes: int
    timeouts: int
    recycled: int
    pids: tuple[int, ...]


@dataclass(slots=True)
class _Worker:
    process: subprocess.Popen[bytes]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    ready: Ready
    memory_mb: float


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a call has no answer, and which rail ran last."""

    status: RailStatus
    rail: str
    elapsed_ms: float


class GuardPool:
    """The asynchronous door to guard processes. For one event loop; safe for any number of its tasks."""

    def __init__(
        self,
        *,
        policies_path: Path | str | None,
        workers: int | None = None,
        knowledge_path: Path | str | None = None,
        timeout_seconds: float = 10.0,
        max_memory_mb: int = 1024,
        max_waiting: int | None = None,
        include_drafts: bool = False,
        niceness: int = 0,
    ) -> None:
        """`timeout_seconds` bounds one call at work, not its wait. A worker above `max_memory_mb` after a call is
        replaced, and so is one in which a rail was stopped. `max_waiting` calls may queue (16 a worker when None).
        Without `policies_path` only `redact` works. Policies of status draft are loaded only where asked for.
        `niceness` above 0 lets every other process go first.

        Raises PolicyError when the policies do not load.
        """
        self._size = workers if workers is not None else usable_cores()
        if self._size < 1:
            raise ValueError("`workers` must be at least 1")
        self._settings = WorkerSettings(
            None if policies_path is None else str(Path(policies_path).resolve()),
            None if knowledge_path is None else str(Path(knowledge_path).resolve()),
            max_memory_mb,
            include_drafts,
        )
        self._policies = (
            None if policies_path is None else PolicySet.load(policies_path, include_drafts=include_drafts)
        )
        self._niceness = niceness
        self._timeout = timeout_seconds
        self._max_waiting = max_waiting if max_waiting is not None else 16 * self._size
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()
        self._alive: dict[int, _Worker] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._busy = self._waiting = 0
        self._restarts = self._crashes = self._timeouts = self._recycled = 0
        self._knowledge_hash = ""
        self._missing_rails: dict[str, list[str]] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Returns when every worker is warm; raises GuardStartError and leaves no process behind otherwise."""
        started = await asyncio.gather(*(self._spawn() for _ in range(self._size)), return_exceptions=True)
        for worker in started:
            if isinstance(worker, _Worker):
                self._offer(worker)
        failed = next((worker for worker in started if isinstance(worker, BaseException)), None)
        if failed is not None:
            await self.close()
            raise failed

    async def close(self) -> None:
        """Kills every process; calls at work end as crashed, which holds."""
        self._closed = True
        for worker in list(self._alive.values()):
            self._kill(worker)
        for task in list(self._tasks):
            if not task.done() and task.get_name() == "attending-guard-respawn":
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def require_policy(self, name: str) -> None:
        """Raises KeyError unless the pool has a policy of this name."""
        self._policy_set()[name]

    def ready(self) -> bool:
        """Whether at least one worker is warm."""
        return not self._closed and bool(self._alive)

    @property
    def knowledge_hash(self) -> str:
        """Content hash of the workers' knowledge pack; empty before `start` has returned."""
        return self._knowledge_hash

    @property
    def missing_rails(self) -> dict[str, list[str]]:
        """Policy to rails that cannot run in this environment, so that its texts hold; empty before `start`."""
        return dict(self._missing_rails)

    def health(self) -> PoolHealth:
        """A snapshot for health checks and metrics."""
        return PoolHealth(
            workers=self._size,
            ready=len(self._alive),
            busy=self._busy,
            waiting=self._waiting,
            restarts=self._restarts,
            crashes=self._crashes,
            timeouts=self._timeouts,
            recycled=self._recycled,
            pids=tuple(self._alive),
        )

    async def check_input(
        self,
        policy_name: str,
        prompt: str,
        documents: Sequence[Document] = (),
        identity: Identity | None = None,
        *,
        patient: PatientContext | None = None,
    ) -> InputDecision:
        """`Guard.check_input` in a worker. Raises KeyError (unknown policy), GuardOverloaded, GuardError (closed)."""
        policy = self._policy_set()[policy_name]
        result = await self._call(
            "check_input", (policy_name, prompt, tuple(documents), identity), {"patient": patient}
        )
        if not isinstance(result, _Failure):
            return _typed(result, InputDecision)
        findings = (_failure_finding(result),)
        verdict = decide(policy, findings)
        return InputDecision(
            verdict=verdict.verdict,
            findings=findings,
            prompt_deidentified=None,
            documents_deidentified=(),
            placeholders={},
            rail_runs=(RailRun(result.rail, result.status, result.elapsed_ms),),
            deciding_rules=tuple(rule for rule in verdict.deciding if rule.finding is not None),
            policy_hash=policy.hash,
            elapsed_ms=result.elapsed_ms,
        )

    async def check_output(
        self,
        policy_name: str,
        judged: Judged,
        *,
        placeholders: Mapping[str, str] | None = None,
        audience: Audience | None = None,
        exact: bool = False,
    ) -> OutputDecision:
        """`Guard.check_output` in a worker. Raises as `check_input` does."""
        options = {"placeholders": placeholders, "audience": audience, "exact": exact}
        return await self._output("check_output", policy_name, judged, options)

    async def check_record(
        self, policy_name: str, judged: Judged, *, audience: Audience | None = None
    ) -> OutputDecision:
        """`Guard.check_record` in a worker. Raises as `check_input` does."""
        return await self._output("check_record", policy_name, judged, {"audience": audience})

    async def redact(self, text: str, mode: PhiModeName = "safe_harbor") -> tuple[str, list[Any]] | None:
        """`phi.redact` in a worker: the redacted text and its spans; None when the worker hung or died."""
        result = await self._call("redact", (text, mode), {})
        return None if isinstance(result, _Failure) else _typed(result, tuple)

    async def _output(
        self, method: str, policy_name: str, judged: Judged, options: dict[str, Any]
    ) -> OutputDecision:
        policy = self._policy_set()[policy_name]
        result = await self._call(method, (policy_name, judged), options)
        if not isinstance(result, _Failure):
            return _typed(result, OutputDecision)
        # For the reviewer of a text that no rail could judge; only `check_output` may be given placeholders.
        text, _problems, _failures = put_back(
            judged.output, options.get("placeholders"), exact=options.get("exact", True)
        )
        findings = (_failure_finding(result),)
        verdict = decide(policy, findings, audience=options["audience"])
        return OutputDecision(
            verdict=verdict.verdict,
            mandatory_review=verdict.mandatory_review,
            disposition=verdict.disposition,
            findings=findings,
            coverage=Coverage(),
            rail_runs=(RailRun(result.rail, result.status, result.elapsed_ms),),
            deciding_rules=verdict.deciding,
            required_roles=verdict.required_roles,
            to_dispose=verdict.to_dispose,
            not_enforced=verdict.not_enforced,
            output_final=text,
            knowledge_hash=self._knowledge_hash,
            policy_hash=policy.hash,
            elapsed_ms=result.elapsed_ms,
        )

    def _policy_set(self) -> PolicySet:
        if self._policies is None:
            raise GuardError("this pool was started without policies")
        return self._policies

    # -- one call

    async def _call(self, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        worker = await self._acquire()
        # The caller may go away; the worker is in use all the same until it has answered or is dead.
        exchange = asyncio.create_task(self._exchange(worker, (method, arguments, options)))
        self._keep(exchange)
        return await asyncio.shield(exchange)

    async def _acquire(self) -> _Worker:
        if self._closed:
            raise GuardError("the guard is closed")
        if self._idle.empty() and self._waiting >= self._max_waiting:
            raise GuardOverloaded(self._timeout)
        self._waiting += 1
        try:
            # Every call at work ends within the time-out, so a longer wait means that nothing comes back.
            limit = START_TIMEOUT_SECONDS + self._timeout * (1 + self._waiting / self._size)
            async with asyncio.timeout(limit):
                while True:
                    worker = await self._idle.get()
                    if worker.process.pid in self._alive and worker.process.poll() is None:
                        return worker
                    self._lost(worker)
        except TimeoutError:
            raise GuardOverloaded(self._timeout) from None
        finally:
            self._waiting -= 1

    async def _exchange(self, worker: _Worker, call: tuple[str, tuple[Any, ...], dict[str, Any]]) -> Any:
        """The worker's answer, or a _Failure. Afterwards the worker is idle again or on its way out."""
        started = time.perf_counter()
        rail = call[0]
        self._busy += 1
        try:
            async with asyncio.timeout(self._timeout):
                worker.writer.write(frame(call))
                await worker.writer.drain()
                while True:
                    message = await _read(worker.reader)
                    if isinstance(message, Done):
                        break
                    rail = message.name if isinstance(message, RailStarted) else rail
        except TimeoutError:
            self._timeouts += 1
            self._lost(worker)
            return _Failure("timed_out", rail, (time.perf_counter() - started) * 1000)
        except (OSError, EOFError, asyncio.IncompleteReadError, pickle.UnpicklingError):
            self._crashes += 1
            self._lost(worker)
            return _Failure("raised", rail, (time.perf_counter() - started) * 1000)
        finally:
            self._busy -= 1
        if message.memory_mb > self._settings.max_memory_mb or message.spent:
            self._recycled += 1
            self._lost(worker)
        else:
            self._idle.put_nowait(worker)
        if message.error_type is not None:
            return _Failure("raised", rail, (time.perf_counter() - started) * 1000)
        return message.value

    # -- processes

    async def _spawn(self) -> _Worker:
        try:
            process, ours = _start(self._niceness)
        except OSError as err:
            # No process, memory or descriptor to be had just now.
            raise GuardStartError(f"a guard process did not start: {type(err).__name__}") from None
        try:
            reader, writer = await asyncio.open_connection(sock=ours)
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                writer.write(frame(self._settings))
                message = await _read(reader)
        except (TimeoutError, OSError, EOFError, asyncio.IncompleteReadError) as err:
            _end(process)
            raise GuardStartError(f"a guard process did not start: {type(err).__name__}") from None
        except BaseException:
            _end(process)
            raise
        if not isinstance(message, Ready):
            _end(process)
            detail = message.detail if isinstance(message, FailedToStart) else ""
            kind = message.error_type if isinstance(message, FailedToStart) else type(message).__name__
            raise GuardStartError(f"a guard process did not start: {detail or kind}")
        expected = {} if self._policies is None else {n: p.hash for n, p in self._policies.items()}
        if message.policy_hashes != expected:
            _end(process)
            raise GuardStartError("the policies changed on disk after they were loaded")
        self._knowledge_hash = message.knowledge_hash
        self._missing_rails = message.missing_rails
        return _Worker(process, reader, writer, message, message.memory_mb)

    def _offer(self, worker: _Worker) -> None:
        self._alive[worker.process.pid] = worker
        self._idle.put_nowait(worker)

    def _lost(self, worker: _Worker) -> None:
        """Ends a worker that hangs, crashed or grew too large, and starts another."""
        if self._alive.pop(worker.process.pid, None) is None:
            return
        self._kill(worker)
        if not self._closed:
            self._keep(asyncio.create_task(self._replace(), name="attending-guard-respawn"))

    async def _replace(self) -> None:
        for delay in itertools.chain(RESTART_DELAYS_SECONDS, itertools.repeat(RESTART_DELAYS_SECONDS[-1])):
            await asyncio.sleep(delay)
            if self._closed:
                return
            try:
                worker = await self._spawn()
            except GuardStartError:
                continue
            if self._closed:
                self._kill(worker)
                return
            self._restarts += 1
            self._offer(worker)
            return

    def _kill(self, worker: _Worker) -> None:
        self._alive.pop(worker.process.pid, None)
        _end(worker.process)
        worker.writer.close()

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _start(niceness: int) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A new process and our end of its socket; raises OSError and leaves nothing open then."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(  # noqa: S603 - this interpreter, our module
                [sys.executable, "-m", "attending.guardrails.pool_worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                    "MKL_NUM_THREADS": "1",
                },
            )
        except OSError:
            ours.close()
            raise
    if niceness:
        os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
    return process, ours


async def _read(reader: asyncio.StreamReader) -> Any:
    (size,) = HEADER.unpack(await reader.readexactly(HEADER.size))
    if size > MAX_FRAME_BYTES:
        raise EOFError
    return pickle.loads(await reader.readexactly(size))  # noqa: S301 - our own process at the other end


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL and reap; a killed process is gone within milliseconds."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)


def _failure_finding(failure: _Failure) -> Finding:
    return rail_failure(failure.rail, "timed_out" if failure.status == "timed_out" else "crashed")


def _typed(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise GuardError(f"a guard process answered with `{type(value).__name__}`")
    return value

"""One guard process: reads calls from a socket, answers with decisions. Run as `python -m`, never imported for use.

Frames are a 4-byte big-endian length and a pickle; both ends are this code on one machine, and the socket is an
inherited pair that nobody else holds. The process prints nothing: what it handles is PHI.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pickle
import resource
import signal
import socket
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from attending.guardrails.derived import DERIVED
from attending.guardrails.no_dump import forbid_core_dumps

HEADER: Final = struct.Struct(">I")
MAX_FRAME_BYTES: Final = 256 * 1024 * 1024
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker loads. Without `policies_path` it serves `redact` alone."""

    policies_path: str | None
    knowledge_path: str | None
    max_memory_mb: int
    include_drafts: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker is warm; hashes of what it loaded."""

    policy_hashes: dict[str, str]
    knowledge_hash: str
    memory_mb: float
    missing_rails: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class FailedToStart:
    """Nothing can be served. `detail` comes from a policy's own text or is empty."""

    error_type: str
    detail: str


@dataclass(frozen=True, slots=True)
class RailStarted:
    name: str


@dataclass(frozen=True, slots=True)
class Done:
    """The answer to a call; `value` is None where it failed with an exception of type `error_type`.

    `spent`: a rail was stopped in the middle of its code, so what it left half done must not meet the next text.
    """

    value: Any
    memory_mb: float
    error_type: str | None = None
    spent: bool = False


def frame(message: object) -> bytes:
    """One message with its length."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return HEADER.pack(len(body)) + body


def memory_mb() -> float:
    """Resident memory of this process in MiB."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(connection: socket.socket) -> None:
    """Warms up, then answers calls until the other end closes."""
    settings = _receive(connection)
    if not isinstance(settings, WorkerSettings):
        return
    # Nearly all that loading makes stays: looking through it for garbage again and again takes a tenth of the time.
    gc.disable()
    try:
        service = _Service(settings)
    except Exception as err:
        # Only our own policy errors carry text that is safe to pass on.
        detail = str(err) if getattr(err, "reason", "") == "INVALID_POLICY" else ""
        connection.sendall(frame(FailedToStart(type(err).__name__, detail)))
        return
    DERIVED.keep()
    gc.collect()
    gc.freeze()
    gc.enable()
    _limit_memory(settings.max_memory_mb)
    ready = Ready(service.policy_hashes, service.knowledge_hash, memory_mb(), service.missing_rails)
    connection.sendall(frame(ready))
    service.on_rail = lambda name: connection.sendall(frame(RailStarted(name)))
    while (call := _receive(connection)) is not None:
        method, arguments, options = call
        try:
            value, error_type = service.call(method, arguments, options), None
        except Exception as err:
            value, error_type = None, type(err).__name__
        done = Done(value, memory_mb(), error_type, service.spent)
        connection.sendall(frame(done))


class _Service:
    def __init__(self, settings: WorkerSettings) -> None:
        from attending.guardrails.guard import Guard
        from attending.guardrails.knowledge import Knowledge
        from attending.guardrails.phi import load_detector

        self.guard: Guard | None = None
        if settings.policies_path is None:
            path = settings.knowledge_path
            knowledge = Knowledge.load(None if path is None else Path(path))
            self.detector = load_detector(frozenset(knowledge.names()))
            self.policy_hashes, self.knowledge_hash = {}, knowledge.hash
        else:
            self.guard = Guard.load(
                settings.policies_path,
                knowledge_path=settings.knowledge_path,
                include_drafts=settings.include_drafts,
            )
            self.detector = self.guard.detector
            self.policy_hashes = {name: policy.hash for name, policy in self.guard.policies.items()}
            self.knowledge_hash = self.guard.knowledge.hash

    @property
    def missing_rails(self) -> dict[str, list[str]]:
        missing = {} if self.guard is None else self.guard.missing_rails()
        return {policy: sorted(rails) for policy, rails in missing.items()}

    @property
    def spent(self) -> bool:
        return self.guard is not None and self.guard.interrupted > 0

    @property
    def on_rail(self) -> Any:
        return None if self.guard is None else self.guard.on_rail

    @on_rail.setter
    def on_rail(self, listener: Any) -> None:
        if self.guard is not None:
            self.guard.on_rail = listener

    def call(self, method: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if method == "redact":
            from attending.guardrails.phi import PhiMode, redact

            return redact(arguments[0], self.detector, mode=PhiMode(arguments[1]))
        if method not in ("check_input", "check_output", "check_record") or self.guard is None:
            raise LookupError(method)
        return getattr(self.guard, method)(*arguments, **options)


def _receive(connection: socket.socket) -> Any:
    """The next message, or None when the other end has closed."""
    header = _exactly(connection, HEADER.size)
    if header is None:
        return None
    (size,) = HEADER.unpack(header)
    body = _exactly(connection, size)
    return None if body is None else pickle.loads(body)  # noqa: S301 - our own process at the other end


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    parts = []
    while size:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _limit_memory(max_memory_mb: int) -> None:
    """Growth far beyond the recycling limit inside one call ends in MemoryError, which is a failed rail."""
    limit = max(2 * max_memory_mb, int(memory_mb()) + 512) * 2**20
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _die_with_parent() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main() -> None:
    """Serves the socket whose descriptor number is the only argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    forbid_core_dumps()
    # nemoguardrails imports jsonschema, which makes a grammar of IRIs where this is installed: most of a second, for a
    # format that nothing here asks for. Left out, jsonschema does without.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    lost = contextlib.suppress(BrokenPipeError, ConnectionResetError)
    with socket.socket(fileno=int(sys.argv[1])) as connection, lost:
        serve(connection)


if __name__ == "__main__":
    # The module has been run as `__main__`; messages must carry the importable classes.
    from attending.guardrails.pool_worker import main as run

    run()

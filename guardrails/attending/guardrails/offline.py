"""`attending check` and `attending deid`: the server's rails over a file of JSON lines, with no server.

Lines stream through guard processes in order, so memory stays bounded and a text that hangs a rail costs its own line
only. Nothing is lost: every line of the input gives one line of the output, a bad one an `error` object.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import os
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final

from attending.guardrails.context.json_form import ContextError, parse_context, parse_documents
from attending.guardrails.cores import usable_cores
from attending.guardrails.guard import OutputDecision
from attending.guardrails.patient import Judged
from attending.guardrails.policy.schema import PhiModeName
from attending.guardrails.pool import GuardOverloaded, GuardPool

MAX_LINE_BYTES: Final = 8 * 1024 * 1024
MAX_TEXT_CHARACTERS: Final = 262_144
CHECK_KEYS: Final = ("id", "output", "prompt", "context", "documents")
DEID_KEYS: Final = ("id", "text")
SMALL_FILE_BYTES: Final = 128 * 1024
"""Below this one process is enough: a second one takes longer to load than it saves."""

Progress = Callable[[int, int], None]
"""Called after each line with lines done and bytes read so far."""


Explain = Callable[[Judged, dict[str, Any]], None]
"""Called with what was judged and its line of output, before that is written."""


class LineError(ValueError):
    """A line that cannot be judged. `reason` is UPPER_SNAKE; the message holds no value of the line."""

    def __init__(self, reason: str, message: str, id_: object = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.id = id_


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did; `exit_code` is 1 where a line was bad, else 0."""

    lines: int
    errors: int
    dispositions: dict[str, int] = field(default_factory=dict)
    """How many were released, held and blocked (`attending check`)."""
    spans: int = 0
    """How many identifiers were found (`attending deid`)."""

    @property
    def exit_code(self) -> int:
        return 1 if self.errors else 0


def run_check(
    policy: str,
    in_path: Path | str,
    out_path: Path | str,
    *,
    policies_path: Path | str,
    knowledge_path: Path | str | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    timeout_seconds: float = 30.0,
    explain: Explain | None = None,
) -> Summary:
    """Judges each line of `in_path` under `policy` and writes one line each to `out_path`, in order.

    A path `-` is standard input or output. Raises PolicyError, KeyError (no such policy), GuardStartError and OSError;
    a bad line raises nothing. `explain` may add to each result what it knows of the judged material.
    """
    counts: Counter[str] = Counter()

    async def judge(pool: GuardPool, line: bytes) -> dict[str, Any]:
        id_, judged = parse_check_line(line)
        decision = await pool.check_record(policy, judged)
        counts[decision.disposition] += 1
        result = check_result(id_, decision)
        if explain is not None:
            explain(judged, result)
        return result

    pool = GuardPool(
        policies_path=policies_path,
        knowledge_path=knowledge_path,
        workers=_workers(workers, in_path),
        timeout_seconds=timeout_seconds,
    )
    pool.require_policy(policy)
    lines, errors = asyncio.run(_run(pool, in_path, out_path, judge, progress))
    return Summary(lines, errors, {key: counts[key] for key in ("release", "hold", "block")})


def run_deid(
    in_path: Path | str,
    out_path: Path | str,
    *,
    mode: PhiModeName = "safe_harbor",
    knowledge_path: Path | str | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    timeout_seconds: float = 30.0,
) -> Summary:
    """Finds the identifiers of each line's text and writes spans and redacted text, in order; see `run_check`.

    Each line is an inference of its own: under `baa_minimum` the dates of one line move together.
    """
    found = 0

    async def redact(pool: GuardPool, line: bytes) -> dict[str, Any]:
        nonlocal found
        row = _object(line, DEID_KEYS)
        text = _string(row, "text", required=True)
        answer = await pool.redact(text or "", mode)
        if answer is None:
            raise LineError("CHECK_FAILED", "the detector did not finish on this text", row["id"])
        redacted, spans = answer
        found += len(spans)
        return {"id": row["id"], "spans": [span.to_json() for span in spans], "redacted": redacted}

    pool = GuardPool(
        policies_path=None,
        knowledge_path=knowledge_path,
        workers=_workers(workers, in_path),
        timeout_seconds=timeout_seconds,
    )
    lines, errors = asyncio.run(_run(pool, in_path, out_path, redact, progress))
    return Summary(lines, errors, spans=found)


def parse_check_line(line: bytes) -> tuple[str | int, Judged]:
    """The id and the judged material of one line of `attending check`; raises LineError."""
    row = _object(line, CHECK_KEYS)
    id_: str | int = row["id"]
    try:
        judged = Judged(
            output=_string(row, "output", required=True) or "",
            prompt=_string(row, "prompt"),
            context=parse_context(row.get("context")),
            documents=parse_documents(row.get("documents")),
        )
    except ContextError as err:
        raise LineError(err.reason, str(err), id_) from None
    if any(len(document.text) > MAX_TEXT_CHARACTERS for document in judged.documents):
        raise LineError("TOO_LARGE", f"a document is longer than {MAX_TEXT_CHARACTERS} characters", id_)
    return id_, judged


def check_result(id_: str | int, decision: OutputDecision) -> dict[str, Any]:
    """One output line of `attending check`, keys in reading order."""
    return {
        "id": id_,
        "verdict": decision.verdict,
        "mandatory_review": decision.mandatory_review,
        "disposition": decision.disposition,
        "findings": [finding.to_json() for finding in decision.findings],
        "coverage": decision.coverage.to_json(),
        "citations": [citation.to_json() for citation in decision.citations],
        "knowledge_hash": decision.knowledge_hash,
        "policy_hash": decision.policy_hash,
        "elapsed_ms": round(decision.elapsed_ms, 3),
    }


async def _run(
    pool: GuardPool,
    in_path: Path | str,
    out_path: Path | str,
    work: Callable[[GuardPool, bytes], Awaitable[dict[str, Any]]],
    progress: Progress | None,
) -> tuple[int, int]:
    if str(in_path) != "-" and str(out_path) != "-" and _same_file(in_path, out_path):
        raise OSError("input and output are the same file")
    done = errors = read = 0
    with _open_in(in_path) as source, _open_out(out_path) as target:
        await pool.start()
        try:
            async for line, result in _in_order(pool, source, work):
                target.write(json.dumps(result, ensure_ascii=False, allow_nan=False) + "\n")
                done += 1
                errors += "error" in result
                read += len(line)
                if progress is not None:
                    progress(done, read)
        finally:
            await pool.close()
    return done, errors


async def _in_order(
    pool: GuardPool, source: IO[bytes], work: Callable[[GuardPool, bytes], Awaitable[dict[str, Any]]]
) -> AsyncIterator[tuple[bytes, dict[str, Any]]]:
    """Each line with its result, in the order of the file, with a few lines a process under way."""
    window = 4 * pool.health().workers
    under_way: deque[tuple[bytes, asyncio.Task[dict[str, Any]]]] = deque()
    try:
        for line in _lines(source):
            under_way.append((line, asyncio.create_task(_one(pool, line, work))))
            if len(under_way) >= window:
                first, task = under_way.popleft()
                yield first, await task
        while under_way:
            first, task = under_way.popleft()
            yield first, await task
    finally:
        for _line, task in under_way:
            task.cancel()


async def _one(
    pool: GuardPool, line: bytes, work: Callable[[GuardPool, bytes], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    while True:
        try:
            return await work(pool, line)
        except LineError as err:
            return {"id": err.id, "error": {"reason": err.reason, "message": str(err)}}
        except GuardOverloaded as err:
            # The window is far below the queue's bound; this happens only while processes restart.
            await asyncio.sleep(min(err.retry_after_seconds, 1.0))


def _lines(source: IO[bytes]) -> Iterator[bytes]:
    """Lines that are not blank. One above the bound is cut to just above it, and the rest of it skipped."""
    while line := source.readline(MAX_LINE_BYTES + 1):
        if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            while (rest := source.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
        if line.strip():
            yield line


def _object(line: bytes, keys: tuple[str, ...]) -> dict[str, Any]:
    """The object of one line with an `id`; raises LineError with the id where it could be read."""
    if len(line.rstrip(b"\r\n")) > MAX_LINE_BYTES:
        raise LineError("TOO_LARGE", f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        text = line.decode("utf-8-sig")
        row = json.loads(text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_unique)
    except UnicodeDecodeError:
        raise LineError("NOT_UTF8", "the line is not UTF-8") from None
    except LineError:
        raise
    except (ValueError, RecursionError):
        raise LineError("NOT_JSON", "the line is not a JSON object") from None
    if not isinstance(row, dict):
        raise LineError("NOT_AN_OBJECT", "the line is not a JSON object")
    id_ = row.get("id")
    if not isinstance(id_, str | int) or isinstance(id_, bool):
        raise LineError("MISSING", "`id` must be a string or an integer")
    if isinstance(id_, str) and not _encodable(id_):
        raise LineError("NOT_UNICODE", "`id` holds a lone surrogate")
    for key in row:
        if key not in keys and (near := difflib.get_close_matches(key, keys, 1, 0.8)):
            # A misspelt key read as "not given" would silence a check; other extra keys are the caller's own.
            raise LineError("UNKNOWN_FIELD", f"a key is not known; did you mean `{near[0]}`?", id_)
    if not _all_encodable(row):
        raise LineError("NOT_UNICODE", "a string holds a lone surrogate", id_)
    return row


def _string(row: dict[str, Any], key: str, *, required: bool = False) -> str | None:
    value = row.get(key)
    if value is None:
        if required:
            raise LineError("MISSING", f"`{key}` is required", row["id"])
        return None
    if not isinstance(value, str):
        raise LineError("NOT_A_STRING", f"`{key}` must be a string", row["id"])
    if len(value) > MAX_TEXT_CHARACTERS:
        raise LineError("TOO_LARGE", f"`{key}` is longer than {MAX_TEXT_CHARACTERS} characters", row["id"])
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        id_ = row.get("id")
        raise LineError("DUPLICATE_KEY", "a key stands twice", id_ if isinstance(id_, str | int) else None)
    return row


def _refuse(_name: str) -> Any:
    raise LineError("NOT_A_NUMBER", "NaN and Infinity are not JSON")


def _encodable(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _all_encodable(value: Any) -> bool:
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, dict):
        return all(_encodable(key) and _all_encodable(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_all_encodable(item) for item in value)
    return True


def _workers(workers: int | None, in_path: Path | str) -> int:
    if workers is not None:
        return workers
    if str(in_path) != "-" and Path(in_path).stat().st_size < SMALL_FILE_BYTES:
        return 1
    return usable_cores()


def _same_file(left: Path | str, right: Path | str) -> bool:
    return Path(right).exists() and Path(left).exists() and os.path.samefile(left, right)


@contextmanager
def _open_in(path: Path | str) -> Iterator[IO[bytes]]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with Path(path).open("rb") as source:
        yield source


@contextmanager
def _open_out(path: Path | str) -> Iterator[IO[str]]:
    if str(path) == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    with Path(path).open("w", encoding="utf-8", newline="\n") as target:
        yield target

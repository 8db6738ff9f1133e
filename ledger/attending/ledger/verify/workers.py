"""Parts of a log verified by several processes, handed back in order.

Processes are spawned, not forked: a fork of a server with threads is not safe, and a spawned one inherits
nothing. Each opens the log itself and reads its own rows, so that no entry crosses a pipe. Whatever ends a
worker before it has answered (a kill, an error of its store) ends the verification with an error: parts that
nobody vouches for are never taken as verified.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Generator, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final

from attending.ledger.errors import LedgerError, VerificationIncomplete
from attending.ledger.verify.parts import Opener, Part, Scope, part_ranges, verify_part

_AHEAD: Final = 2
"""Parts a process that may be under way or wait to be folded: this bounds the memory of the parent."""
_END_SECONDS: Final = 5.0

_Range = tuple[int, int]


def verified_parts(opener: Opener, scope: Scope, processes: int) -> Generator[Part, None, None]:
    """The parts of the log in order. With one process everything happens in this one.

    Raises VerificationIncomplete when a worker ends early or cannot read, and lets KeyboardInterrupt through;
    closing the iterator, or any exception, ends the workers.
    """
    ranges = list(part_ranges(scope.size))
    if min(processes, len(ranges)) <= 1:
        yield from _here(opener, scope, ranges)
    else:
        yield from _spread(opener, scope, ranges, min(processes, len(ranges)))


def _here(opener: Opener, scope: Scope, ranges: list[_Range]) -> Iterator[Part]:
    reader = opener()
    try:
        for begin, end in ranges:
            yield verify_part(reader, begin, end, scope)
    finally:
        reader.close()


def _spread(opener: Opener, scope: Scope, ranges: list[_Range], processes: int) -> Iterator[Part]:
    context = multiprocessing.get_context("spawn")
    workers: dict[Connection, SpawnProcess] = {}
    try:
        for _ in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, opener, scope), daemon=True)
            process.start()
            # Ours alone is left, so that the end of either process is the end of the pipe for the other.
            theirs.close()
            workers[ours] = process
        yield from _ordered(workers, ranges)
        with suppress(OSError):  # a worker that has ended meanwhile has answered all that it was asked
            for connection in workers:
                connection.send(None)
        for process in workers.values():
            process.join(_END_SECONDS)
    finally:
        for connection, process in workers.items():
            connection.close()
            if process.is_alive():
                process.kill()
            process.join()


def _ordered(workers: dict[Connection, SpawnProcess], ranges: list[_Range]) -> Iterator[Part]:
    begins = [begin for begin, _ in ranges]
    done: dict[int, Part] = {}
    idle, busy = list(workers), {}
    handed = folded = 0
    while folded < len(ranges):
        while idle and handed < min(len(ranges), folded + _AHEAD * len(workers)):
            connection = idle.pop()
            try:
                connection.send(ranges[handed])
            except OSError as err:
                raise _ended() from err
            busy[connection] = begins[handed]
            handed += 1
        for item in wait(list(busy)):
            assert isinstance(item, Connection)
            try:
                answer = item.recv()
            except (EOFError, OSError) as err:
                raise _ended() from err
            if not isinstance(answer, Part) or answer.segment.begin != busy.pop(item):
                raise VerificationIncomplete(str(answer))
            done[answer.segment.begin] = answer
            idle.append(item)
        while folded < len(ranges) and begins[folded] in done:
            part = done.pop(begins[folded])
            folded += 1
            yield part


def _work(connection: Connection, opener: Opener, scope: Scope) -> None:
    """A worker's life: answers ranges with parts until the pipe ends."""
    # Ctrl-C reaches every process of a terminal's group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        reader = opener()
        try:
            while (task := connection.recv()) is not None:
                begin, end = task
                connection.send(verify_part(reader, begin, end, scope))
        finally:
            reader.close()
    except (EOFError, BrokenPipeError):
        return  # the parent has gone
    except LedgerError as err:
        connection.send(str(err))
    except Exception as err:  # whatever it is, the parent must not wait for an answer
        # The type only: a store's words may quote what is stored.
        connection.send(f"a worker failed with {type(err).__name__}")


def _ended() -> VerificationIncomplete:
    return VerificationIncomplete("a worker process ended before its part was verified")

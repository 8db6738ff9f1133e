"""How fast a log is verified, against nothing but the hashing of its bytes.

Entries of about 1 KB, each with a body of its own. The baseline is SHA-256 over the same bytes, an entry at a
time. Per process: `tree_only` (leaf hashes, links, tree), `complete` (canonical form, schema, place, links,
tree), and the same in a process in which orjson cannot be imported; entries lie in memory, and the rate is
by CPU time, because the machine is shared. From the file: the same log in a SQLite database as the ledger
lays it out, with its tiles, read and verified by one process and by several; wall time, and the CPU time of
all. Memory: the highest resident set of a fresh process that verifies a database of each size.

    python bench/verify.py [--json] [--entries N] [--rounds N] [--stored N] [--processes N] [--memory N ...]

The figures of docs/adr/0008-verification.md: --entries 16384 --stored 300000 --memory 100000 400000.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attending.ledger.entry import GENESIS_PREV, PendingEntry, format_time, prepare_entry
from attending.ledger.merkle import leaf_hash
from attending.ledger.tiles import EMPTY_EDGE, grow
from attending.ledger.verify.segments import SEGMENT_SIZE, Chain, Mode, verify_segment
from attending.ledger.verify.sqlite import SqliteLog, log_in
from attending.ledger.verify.stored import verify_stored_log

ORIGIN = "attending.example/bench"
LOG = "bench"
BODY_BYTES = 620
START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)


def made(count: int) -> Iterator[tuple[bytes, str, bytes]]:
    """(stored bytes, stream, leaf hash) of `count` linked entries like a released inference's."""
    prev = GENESIS_PREV
    for index in range(count):
        body: dict[str, Any] = {
            "calling_app": "bench-app",
            "policy": "discharge-plan",
            "policy_hash": secrets.token_hex(32),
            "knowledge_hash": secrets.token_hex(32),
            "findings": {"contraindicated": 0, "info": 2, "major": 0, "minor": index % 7, "moderate": 0},
            "tokens": {"input": 400 + index % 100, "output": 230},
            "rails": [{"code": "ok", "id": f"rail-{n}", "ms": n} for n in range(5)],
        }
        body["documents"] = [secrets.token_hex(16) for _ in range((BODY_BYTES - len(json.dumps(body))) // 35)]
        stream = secrets.token_hex(16)
        pending = PendingEntry("inference.requested", stream, "app:bench-app", None, body)
        moment = format_time(START + timedelta(microseconds=73 * index))
        data = prepare_entry(ORIGIN, pending).encode(index, prev, moment)
        prev = leaf_hash(data)
        yield data, stream, prev


def write_database(path: Path, count: int) -> None:
    """A log of `count` entries in the tables of the embedded store, with its tiles and its head."""
    # Not above: workers import this module again when they start, and need no SQLAlchemy.
    from attending.ledger.store import schema

    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")  # a bench's own file
    for statement in schema.sqlite_objects([schema.log, schema.log_head, schema.entry, schema.tile]).values():
        connection.execute(statement)
    edge, rows, last, moment = EMPTY_EDGE, [], GENESIS_PREV, format_time(START)
    connection.execute("INSERT INTO log VALUES (?, ?, ?, ?)", (LOG, ORIGIN, "key", moment))

    def flush() -> None:
        nonlocal edge, rows
        growth = grow(edge, [row[3] for row in rows])
        edge = growth.after
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.executemany(
            "INSERT INTO tile VALUES (?, ?, ?, ?)",
            [(LOG, tile.level, tile.position, tile.hashes) for tile in growth.tiles],
        )
        connection.execute("COMMIT")
        rows = []

    for index, (data, stream, leaf) in enumerate(made(count)):
        rows.append((LOG, index, data, leaf, stream, 0, "inference.requested"))
        last, moment = leaf, format_time(START + timedelta(microseconds=73 * index))
        if len(rows) == 4096:
            flush()
    if rows:
        flush()
    connection.execute("INSERT INTO log_head VALUES (?, ?, ?, ?, ?)", (LOG, count, edge.root, last, moment))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def verified(stored: Sequence[bytes], mode: Mode) -> None:
    """The whole of `stored`, in memory, in this process."""
    chain = Chain()
    for begin in range(0, len(stored), SEGMENT_SIZE):
        chain.fold(verify_segment(begin, stored[begin : begin + SEGMENT_SIZE], ORIGIN, mode=mode))
    if chain.problems or chain.broken:
        raise SystemExit("error: the bench's own log does not verify")
    chain.root()


def hashed(stored: Sequence[bytes]) -> None:
    """The baseline."""
    for data in stored:
        hashlib.sha256(b"\x00" + data).digest()


def per_second(count: int, work: Callable[[], None]) -> float:
    """Entries a second of CPU time of this process."""
    start = time.process_time()
    work()
    return count / (time.process_time() - start)


def rounds_of(stored: Sequence[bytes], rounds: int) -> list[dict[str, float]]:
    """In each round everything in turn."""
    count = len(stored)
    return [
        {
            "sha256": per_second(count, lambda: hashed(stored)),
            "tree_only": per_second(count, lambda: verified(stored, Mode.TREE)),
            "complete": per_second(count, lambda: verified(stored, Mode.COMPLETE)),
        }
        for _ in range(rounds)
    ]


def stdlib_rounds(entries: int, rounds: int) -> list[dict[str, float]]:
    """`rounds_of` in a process that has no orjson."""
    script = (
        "import sys; sys.modules['orjson'] = None\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "import json, verify\n"
        "from attending.ledger import canonical\n"
        "assert canonical._orjson_decode is None\n"
        "stored = [data for data, _, _ in verify.made(int(sys.argv[2]))]\n"
        "print(json.dumps(verify.rounds_of(stored, int(sys.argv[3]))))\n"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent), str(entries), str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rates: list[dict[str, float]] = json.loads(done.stdout)
    return rates


def stored_run(path: Path, mode: Mode, processes: int) -> dict[str, float]:
    """Wall time, and CPU time of this process and its workers, of one verification of the database."""
    head = log_in(path, LOG).head

    def cpu() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    start, before = time.perf_counter(), cpu()
    outcome = verify_stored_log(SqliteLog(path, LOG), head, mode=mode, processes=processes)
    seconds, used = time.perf_counter() - start, cpu() - before
    if outcome.problems:
        raise SystemExit("error: the bench's own log does not verify")
    return {"per_second": head.size / seconds, "per_cpu_second": head.size / used}


def peak_mib(path: Path) -> float:
    """MiB of memory at most of a fresh process that verifies the database."""
    script = (
        "import sys, resource\nfrom pathlib import Path\n"
        "from attending.ledger.verify.sqlite import SqliteLog, log_in\n"
        "from attending.ledger.verify.stored import verify_stored_log\n"
        "path = Path(sys.argv[1])\n"
        "assert not verify_stored_log(SqliteLog(path, 'bench'), log_in(path, 'bench').head).problems\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    return int(done.stdout) / 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the bench and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--entries", type=int, default=8192, help="entries in memory")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stored", type=int, default=50_000, help="entries in the database")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--memory", type=int, nargs="*", default=[20_000, 80_000], help="sizes to take memory at"
    )
    parser.add_argument("--folder", type=Path, help="where to write (default: the temporary folder)")
    options = parser.parse_args(arguments)
    stored = [data for data, _, _ in made(options.entries)]
    rounds = rounds_of(stored, options.rounds)
    lean = stdlib_rounds(max(2048, options.entries // 2), options.rounds)

    def middle(items: Sequence[dict[str, float]], name: str) -> float:
        return statistics.median(item[name] for item in items)

    def ratio(items: Sequence[dict[str, float]], name: str) -> float:
        return round(statistics.median(item[name] / item["sha256"] for item in items), 3)

    figures: dict[str, Any] = {
        "entry_bytes": round(statistics.mean(map(len, stored))),
        "sha256_per_second": round(middle(rounds, "sha256")),
        "tree_only_per_second": round(middle(rounds, "tree_only")),
        "tree_only_to_sha256": ratio(rounds, "tree_only"),
        "complete_orjson_per_second": round(middle(rounds, "complete")),
        "complete_orjson_to_sha256": ratio(rounds, "complete"),
        "complete_stdlib_per_second": round(middle(lean, "complete")),
        "complete_stdlib_to_sha256": ratio(lean, "complete"),
    }
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        path = Path(name) / "ledger.db"
        write_database(path, options.stored)
        several = f"{options.processes}_processes"
        for mode in Mode:
            runs = [
                (stored_run(path, mode, 1), stored_run(path, mode, options.processes))
                for _ in range(options.rounds)
            ]
            ones, more = [one for one, _ in runs], [many for _, many in runs]
            key = f"stored_{mode.value}"
            figures[f"{key}_1_process_per_second"] = round(middle(ones, "per_second"))
            figures[f"{key}_1_process_per_cpu_second"] = round(middle(ones, "per_cpu_second"))
            figures[f"{key}_{several}_per_second"] = round(middle(more, "per_second"))
            figures[f"{key}_{several}_speedup"] = round(
                statistics.median(many["per_second"] / one["per_second"] for one, many in runs), 2
            )
            # What the speed-up is where each process has a core of its own.
            figures[f"{key}_{several}_speedup_by_cpu"] = round(
                options.processes
                * statistics.median(many["per_cpu_second"] / one["per_cpu_second"] for one, many in runs),
                2,
            )
        figures["stored_entries"] = options.stored
        path.unlink()
        for size in options.memory:
            write_database(path, size)
            figures[f"peak_mib_at_{size}"] = round(peak_mib(path), 1)
            for file in path.parent.glob("ledger.db*"):
                file.unlink()
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:44} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""How fast the ledger acknowledges appends, against the same rows written raw to the same kind of file.

Each append is one entry of about 1 KB, conditional on its stream, with an idempotency claim; it counts once
its receipt (inclusion proof and signed checkpoint) has been made. The baseline takes the rows that the run
stored (entry, tile, head, idempotency) and writes them to an empty database with the same columns, keys,
indexes, page size, WAL, synchronous=FULL and number of rows a commit, by `sqlite3.executemany` from one
thread, with no trigger, no hashing, no signature and no event loop around it. Both run several times in
turn and the medians are compared, because a shared machine's disk is noisy.

    python bench/append.py [--json] [--appends N] [--concurrency N] [--rounds N] [--payload BYTES] [--folder DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.ledger import Claim, Expectation, Ledger
from attending.ledger.proof import verify_receipt
from attending.ledger.store import schema

LOG = "bench"
ENTRY_BYTES = 1024
ENVELOPE_BYTES = 350


def body_of(size: int) -> dict[str, Any]:
    """A body like a released inference's: ids, hashes, counts and enums, filled up to `size` bytes."""
    body: dict[str, Any] = {
        "calling_app": "bench-app",
        "policy": "discharge-plan",
        "policy_hash": secrets.token_hex(32),
        "knowledge_hash": secrets.token_hex(32),
        "findings": {"contraindicated": 0, "info": 2, "major": 0, "minor": 1, "moderate": 0},
        "tokens": {"input": 412, "output": 230},
        "rails": [{"code": "ok", "id": f"rail-{n}", "ms": n} for n in range(5)],
    }
    body["documents"] = [secrets.token_hex(16) for _ in range(max(0, size - len(json.dumps(body))) // 35)]
    return body


async def run_ledger(folder: Path, appends: int, concurrency: int, payload_bytes: int) -> dict[str, Any]:
    """One run on an empty ledger: rate, latencies, commits made, and the bytes of the last entry."""
    async with await Ledger.open(folder) as ledger:
        await ledger.create_log(LOG, "attending.example/bench")
        body = body_of(ENTRY_BYTES - ENVELOPE_BYTES)
        payloads = (Payload("output_final", secrets.token_bytes(payload_bytes)),) if payload_bytes else ()
        latencies: list[float] = []
        last: list[Any] = []
        names = iter([secrets.token_hex(16) for _ in range(appends)])
        fingerprint = secrets.token_bytes(32)

        async def worker() -> None:
            for name in names:
                pending = PendingEntry("inference.requested", name, "app:bench-app", None, body, payloads)
                start = time.perf_counter()
                appended = await ledger.append(
                    LOG, [pending], expect=[Expectation(name, 0)], claim=Claim(name, fingerprint, name)
                )
                receipt = appended.receipt()
                latencies.append(time.perf_counter() - start)
                last[:] = [appended, receipt]

        start = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        seconds = time.perf_counter() - start
        appended, receipt = last
        verify_receipt(receipt, appended.data[0], [ledger.verifier_key(LOG)])
        size, _ = await ledger.head(LOG)
    if size != appends:
        raise SystemExit(f"error: {appends} appends were acknowledged, the log holds {size}")
    latencies.sort()
    return {
        "per_second": appends / seconds,
        "p50": latencies[len(latencies) // 2] * 1e3,
        "p99": latencies[int(len(latencies) * 0.99)] * 1e3,
        "entry_bytes": len(appended.data[0]),
        "commits": len({row["time"] for row in _times(folder)}),
    }


def _times(folder: Path) -> list[dict[str, Any]]:
    """The time of each entry: one value a group commit."""
    with sqlite3.connect(folder / "ledger.db") as connection:
        return [json.loads(data) for (data,) in connection.execute("SELECT data FROM entry")]


def run_raw(source: Path, target: Path, rows_a_commit: int) -> float:
    """Rows a second of the rows of `source` written raw to `target`."""
    with sqlite3.connect(source / "ledger.db") as connection:
        entries = connection.execute("SELECT * FROM entry ORDER BY entry_index").fetchall()
        claims = {row[1]: row for row in connection.execute("SELECT * FROM idempotency")}
        tiles = connection.execute("SELECT * FROM tile ORDER BY level, tile_index").fetchall()
        head = connection.execute("SELECT size, root, last_leaf, time, log_id FROM log_head").fetchone()
    ordered = [claims[row[4]] for row in entries]
    raw = sqlite3.connect(target / "raw.db", isolation_level=None)
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute("PRAGMA synchronous = FULL")
    raw.execute("PRAGMA wal_autocheckpoint = 16384")
    tables = [schema.entry, schema.tile, schema.log_head, schema.idempotency]
    for statement in schema.sqlite_objects(tables).values():
        raw.execute(statement)
    raw.execute("INSERT INTO log_head (size, root, last_leaf, time, log_id) VALUES (?, ?, ?, ?, ?)", head)
    bottom = [tile for tile in tiles if tile[1] == 0]
    start = time.perf_counter()
    for first in range(0, len(entries), rows_a_commit):
        end = first + rows_a_commit
        raw.execute("BEGIN IMMEDIATE")
        raw.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", entries[first:end])
        raw.executemany(
            "INSERT INTO tile VALUES (?, ?, ?, ?)", bottom[first >> 8 : min(end, len(entries)) >> 8]
        )
        raw.executemany("INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?, ?)", ordered[first:end])
        raw.execute("UPDATE log_head SET size = ?, root = ?, last_leaf = ?, time = ? WHERE log_id = ?", head)
        raw.execute("COMMIT")
    seconds = time.perf_counter() - start
    raw.close()
    return len(entries) / seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the bench and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--appends", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--payload", type=int, default=0, help="bytes of a sealed payload beside each entry")
    parser.add_argument("--folder", type=Path, help="where to write (default: the temporary folder)")
    options = parser.parse_args(arguments)
    runs, raws = [], []
    for number in range(options.rounds):
        if sys.stderr.isatty():
            print(f"round {number + 1} of {options.rounds} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            folder = Path(name)
            runs.append(
                asyncio.run(run_ledger(folder, options.appends, options.concurrency, options.payload))
            )
            raws.append(run_raw(folder, folder, max(1, round(options.appends / runs[-1]["commits"]))))
    rate = statistics.median(run["per_second"] for run in runs)
    raw = statistics.median(raws)
    figures = {
        "appends_per_second": round(rate),
        "raw_rows_per_second": round(raw),
        "ratio_to_raw": round(
            statistics.median(r["per_second"] / b for r, b in zip(runs, raws, strict=True)), 3
        ),
        "p50_ms": round(statistics.median(run["p50"] for run in runs), 2),
        "p99_ms": round(statistics.median(run["p99"] for run in runs), 2),
        "appends_per_commit": round(statistics.median(options.appends / run["commits"] for run in runs), 1),
        "entry_bytes": runs[-1]["entry_bytes"],
        "payload_bytes": options.payload,
        "concurrency": options.concurrency,
        "appends": options.appends,
        "rounds": options.rounds,
    }
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:24} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""How fast the ledger acknowledges appends, against the same rows written raw to the same kind of store.

Each append is one entry of about 1 KB, conditional on its stream, with an idempotency claim; it counts once
its receipt (inclusion proof and signed checkpoint) has been made. The baseline takes the rows that the run
stored (entry, tile, head, idempotency) and writes them to an empty database with the same columns, keys,
indexes, page size, WAL, synchronous=FULL and number of rows a commit, by `sqlite3.executemany` from one
thread, with no trigger, no hashing, no signature and no event loop around it. With `--store postgres` both go to
a real PostgreSQL (the wheel's, started for the run, all settings at their durable defaults), the raw rows as arrays
by unnest, a statement a table, over one connection. Both run several times in turn and the medians are compared,
because a shared machine's disk is noisy.

`lone` is one writer that waits for each receipt before the next append, against one row and one commit at a time.

    python bench/append.py [--json] [--store sqlite|postgres] [--appends N] [--concurrency N] [--rounds N]
                           [--payload BYTES] [--folder DIR]
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from attending.ledger.entry import Payload, PendingEntry
from attending.ledger.ledger import Claim, Expectation, Ledger, LedgerConfig
from attending.ledger.proof import verify_receipt
from attending.ledger.store import schema
from times import quantile

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


Rows = dict[str, list[tuple[Any, ...]]]
TABLES = [schema.entry, schema.tile, schema.log_head, schema.idempotency]
LONE_APPENDS = 300


async def run_ledger(
    config: LedgerConfig, appends: int, concurrency: int, payload_bytes: int
) -> dict[str, Any]:
    """One run on an empty ledger: rate, latencies, and the bytes of the last entry."""
    async with await Ledger.open(config) as ledger:
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
                latencies.append((time.perf_counter() - start) * 1e3)
                last[:] = [appended, receipt]

        start = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(concurrency)))
        seconds = time.perf_counter() - start
        appended, receipt = last
        verify_receipt(receipt, appended.data[0], [ledger.verifier_key(LOG)])
        size, _ = await ledger.head(LOG)
    if size != appends:
        raise SystemExit(f"error: {appends} appends were acknowledged, the log holds {size}")
    return {
        "per_second": appends / seconds,
        "p50": quantile(latencies, 0.5),
        "p99": quantile(latencies, 0.99),
        "entry_bytes": len(appended.data[0]),
    }


class SqliteBench:
    """A folder a run; raw rows go to a second file beside the ledger's."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    @contextmanager
    def ledger(self) -> Iterator[tuple[LedgerConfig, Path]]:
        """The configuration of an empty ledger, and its folder."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            yield LedgerConfig(Path(name)), Path(name)

    def rows(self, config: LedgerConfig) -> Rows:
        """What the run stored."""
        with closing(sqlite3.connect(config.folder / "ledger.db")) as connection:
            return {
                table.name: connection.execute(f"SELECT * FROM {table.name} ORDER BY 1, 2, 3").fetchall()
                for table in TABLES
            }

    @contextmanager
    def raw(self, folder: Path) -> Iterator[Callable[[Rows], None]]:
        """Writes rows in a transaction of their own."""
        raw = sqlite3.connect(folder / f"raw-{secrets.token_hex(4)}.db", isolation_level=None)
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = FULL")
        raw.execute("PRAGMA wal_autocheckpoint = 16384")
        for statement in schema.sqlite_objects(TABLES).values():
            raw.execute(statement)
        inserts = {
            table.name: f"INSERT INTO {table.name} VALUES ({', '.join('?' for _ in table.columns)})"
            for table in TABLES
        }

        def write(rows: Rows) -> None:
            raw.execute("BEGIN IMMEDIATE")
            raw.execute("DELETE FROM log_head")
            for name, part in rows.items():
                raw.executemany(inserts[name], part)
            raw.execute("COMMIT")

        yield write
        raw.close()


class PostgresBench:
    """One cluster for all runs, a database a run; raw rows go to tables without triggers in another schema."""

    def __init__(self) -> None:
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from attending.ledger.store import postgres_admin

        from tests.postgres_cluster import Cluster

        self._admin = postgres_admin
        self._cluster = Cluster({"shared_buffers": "256MB", "max_wal_size": "4GB"})
        self._cluster.start()
        self._cluster.execute("CREATE ROLE app LOGIN")
        self._database = ""

    @contextmanager
    def ledger(self) -> Iterator[tuple[LedgerConfig, Path]]:
        """The configuration of an empty ledger, and the folder of its keys."""
        self._database = f"b{secrets.token_hex(4)}"
        self._cluster.execute(f"CREATE DATABASE {self._database}")
        self._admin.prepare(self._cluster.conninfo(self._database), grant_to=["app"])
        with tempfile.TemporaryDirectory() as name:
            database = self._cluster.conninfo(self._database, "app")
            yield LedgerConfig(Path(name), database=database), Path(name)
        self._cluster.execute(f"DROP DATABASE {self._database} WITH (FORCE)")

    def rows(self, _config: LedgerConfig) -> Rows:
        """What the run stored."""
        return {
            table.name: self._cluster.execute(
                f"SELECT * FROM attending.{table.name} ORDER BY 1, 2, 3", database=self._database
            )
            for table in TABLES
        }

    @contextmanager
    def raw(self, _folder: Path) -> Iterator[Callable[[Rows], None]]:
        """Writes rows in a transaction of their own."""
        import psycopg
        from attending.ledger.store import postgres_schema
        from attending.ledger.store.postgres import _unnest

        name = f"raw{secrets.token_hex(4)}"
        with psycopg.connect(self._cluster.conninfo(self._database), autocommit=True) as raw:
            raw.execute(f"CREATE SCHEMA {name}")
            raw.execute(f"SET search_path = {name}")
            for statement in postgres_schema.create_tables(TABLES):
                raw.execute(statement)
            inserts = {table.name: _unnest(table).encode() for table in TABLES}

            def write(rows: Rows) -> None:
                with raw.pipeline():
                    raw.execute("BEGIN")
                    raw.execute("DELETE FROM log_head")
                    for table, part in rows.items():
                        if part:
                            raw.execute(inserts[table], [list(column) for column in zip(*part, strict=True)])
                    raw.execute("COMMIT")

            yield write

    def close(self) -> None:
        """Stops the cluster."""
        self._cluster.destroy()


def run_raw(write: Callable[[Rows], None], rows: Rows, rows_a_commit: int) -> float:
    """Rows a second of the stored rows written raw, in the same order and number a commit."""
    entries, head = rows["entry"], rows["log_head"]
    claims = {row[1]: row for row in rows["idempotency"]}
    ordered = [claims[row[4]] for row in entries]
    bottom = [tile for tile in rows["tile"] if tile[1] == 0]
    start = time.perf_counter()
    for first in range(0, len(entries), rows_a_commit):
        end = min(first + rows_a_commit, len(entries))
        write(
            {
                "entry": entries[first:end],
                "tile": bottom[first >> 8 : end >> 8],
                "idempotency": ordered[first:end],
                "log_head": head,
            }
        )
    return len(entries) / (time.perf_counter() - start)


def commits_of(rows: Rows) -> int:
    """Number of commits: every group has one time."""
    return len({json.loads(row[2])["time"] for row in rows["entry"]})


def one_round(
    bench: SqliteBench | PostgresBench, appends: int, concurrency: int, payload_bytes: int
) -> dict[str, Any]:
    """The figures of one round: many writers against raw groups, then one writer against raw single rows."""
    with bench.ledger() as (config, folder):
        run = asyncio.run(run_ledger(config, appends, concurrency, payload_bytes))
        rows = bench.rows(config)
        run["commits"] = commits_of(rows)
        with bench.raw(folder) as write:
            run["raw"] = run_raw(write, rows, max(1, round(appends / run["commits"])))
    with bench.ledger() as (config, folder):
        lone = asyncio.run(run_ledger(config, LONE_APPENDS, 1, payload_bytes))
        rows = bench.rows(config)
        times = []
        with bench.raw(folder) as write:
            claims = {row[1]: row for row in rows["idempotency"]}
            for entry in rows["entry"]:
                part = {"entry": [entry], "idempotency": [claims[entry[4]]], "log_head": rows["log_head"]}
                start = time.perf_counter()
                write(part)
                times.append((time.perf_counter() - start) * 1e3)
    return {**run, "lone_p50": lone["p50"], "lone_raw_p50": statistics.median(times)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the bench and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--appends", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--payload", type=int, default=0, help="bytes of a sealed payload beside each entry")
    parser.add_argument("--folder", type=Path, help="where SQLite writes (default: the temporary folder)")
    options = parser.parse_args(arguments)
    bench = SqliteBench(options.folder) if options.store == "sqlite" else PostgresBench()
    runs: list[dict[str, Any]] = []
    try:
        for number in range(options.rounds):
            if sys.stderr.isatty():
                print(f"round {number + 1} of {options.rounds} ...", file=sys.stderr)
            runs.append(one_round(bench, options.appends, options.concurrency, options.payload))
    finally:
        if isinstance(bench, PostgresBench):
            bench.close()

    def median(name: str) -> float:
        return statistics.median(run[name] for run in runs)

    figures = {
        "store": options.store,
        "appends_per_second": round(median("per_second")),
        "raw_rows_per_second": round(median("raw")),
        "ratio_to_raw": round(statistics.median(run["per_second"] / run["raw"] for run in runs), 3),
        "p50_ms": round(median("p50"), 2),
        "p99_ms": round(median("p99"), 2),
        "appends_per_commit": round(options.appends / median("commits"), 1),
        "lone_p50_ms": round(median("lone_p50"), 3),
        "lone_raw_p50_ms": round(median("lone_raw_p50"), 3),
        "lone_ratio": round(statistics.median(run["lone_p50"] / run["lone_raw_p50"] for run in runs), 2),
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

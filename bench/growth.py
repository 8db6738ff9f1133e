"""What a log's size changes: appending, proving, opening, verifying and bytes an entry, at growing sizes.

One log is filled to each size in turn (a thousand entries an append) and measured there. Appends are single
entries of many tasks at once, each with its receipt; `append_ratio` is the rate against that of the smallest size of
the same run. Small bodies (about 310 bytes an entry) keep the largest size affordable; `--body-bytes` makes them
larger. Bytes an entry are those of the database file after its write-ahead log has been folded in, everything
included: entries, leaf hashes, tiles and indexes.

    python bench/growth.py [--json] [--sizes 10000,100000,1000000] [--body-bytes N] [--folder DIR] [--svg FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import secrets
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from attending.ledger.entry import PendingEntry
from attending.ledger.ledger import Expectation, Ledger
from attending.ledger.proof import verify_receipt

LOG = "bench"
ENTRIES_AN_APPEND = 1_000
TASKS = 128
APPENDS = 4_000
PROOFS = 2_000


async def fill(folder: Path, size: int, body: dict[str, Any]) -> None:
    """Brings the log to `size` entries."""
    async with await Ledger.open(folder) as ledger:
        await ledger.create_log(LOG, "attending.example/bench")
        at, _root = await ledger.head(LOG)
        while at < size:
            count = min(ENTRIES_AN_APPEND, size - at)
            await ledger.append(
                LOG,
                [
                    PendingEntry(
                        "inference.requested", f"inf_{at + n}", "app:bench", None, {"n": at + n, **body}
                    )
                    for n in range(count)
                ],
            )
            at += count
            if sys.stderr.isatty() and at % 50_000 == 0:
                print(f"filled {at:,} of {size:,}", file=sys.stderr)


async def measure(folder: Path, body: dict[str, Any]) -> dict[str, Any]:
    """The figures of the log as it is; APPENDS entries are added."""
    start = time.perf_counter()
    ledger = await Ledger.open(folder)
    opened = time.perf_counter() - start
    try:
        size, _root = await ledger.head(LOG)
        names = iter([secrets.token_hex(12) for _ in range(APPENDS)])
        latencies: list[float] = []

        async def worker() -> None:
            for name in names:
                pending = PendingEntry("inference.requested", name, "app:bench", None, {"n": 1, **body})
                begin = time.perf_counter()
                appended = await ledger.append(LOG, [pending], expect=[Expectation(name, 0)])
                appended.receipt()
                latencies.append(time.perf_counter() - begin)

        start = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(TASKS)))
        rate = APPENDS / (time.perf_counter() - start)
        proofs = []
        step = max(1, size // PROOFS)
        for index in range(0, size, step):
            begin = time.perf_counter()
            receipt = await ledger.receipt(LOG, index)
            proofs.append(time.perf_counter() - begin)
        entry = await ledger.get_entry(LOG, index)
        verify_receipt(receipt, entry.data, [ledger.verifier_key(LOG)])
        start = time.perf_counter()
        verified = await ledger.verify(LOG)
        verifying = verified / (time.perf_counter() - start)
    finally:
        await ledger.close()
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    latencies.sort()
    proofs.sort()
    return {
        "entries": size,
        "open_seconds": round(opened, 3),
        "appends_per_second": round(rate),
        "append_p99_ms": round(latencies[int(len(latencies) * 0.99)] * 1e3, 1),
        "receipt_p50_ms": round(proofs[len(proofs) // 2] * 1e3, 3),
        "receipt_bytes": len(receipt),
        "verified_per_second": round(verifying),
        "entry_bytes": len(entry.data),
        "stored_bytes_per_entry": round((folder / "ledger.db").stat().st_size / verified),
    }


def plot(rows: Sequence[dict[str, Any]]) -> str:
    """The rates and times against the size, both axes logarithmic, as an SVG that needs nothing else."""
    width, height, left, bottom = 640, 360, 70, 40
    series = [
        ("appends a second", "appends_per_second", 1.0, "#1b6ca8"),
        ("verified a second", "verified_per_second", 1.0, "#2a8a4a"),
        ("receipt p50, microseconds", "receipt_p50_ms", 1e3, "#b5561e"),
        ("open, milliseconds", "open_seconds", 1e3, "#7a4fa3"),
    ]
    values = [max(row[key] * scale, 1) for _name, key, scale, _colour in series for row in rows]
    low, high = 0, math.ceil(math.log10(max(values)))
    sizes = [math.log10(row["entries"]) for row in rows]

    def x(size: float) -> float:
        span = max(sizes[-1] - sizes[0], 1e-9)
        return left + (math.log10(size) - sizes[0]) / span * (width - left - 190)

    def y(value: float) -> float:
        return height - bottom - (math.log10(max(value, 1)) - low) / (high - low) * (height - bottom - 20)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for power in range(low, high + 1):
        at = y(10**power)
        parts.append(f'<line x1="{left}" x2="{width - 180}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{10**power:,}</text>')
    for row in rows:
        at = x(row["entries"])
        parts.append(f'<text x="{at:.1f}" y="{height - 18}" text-anchor="middle">{row["entries"]:,}</text>')
    parts.append(f'<text x="{left}" y="{height - 3}">entries in the log</text>')
    for name, key, scale, colour in series:
        points = [(x(row["entries"]), y(row[key] * scale)) for row in rows]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>' for px, py in points]
        px, py = points[-1]
        parts.append(f'<text x="{px + 8:.1f}" y="{py + 4:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the bench and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--sizes", default="10000,100000", help="sizes to measure at, ascending")
    parser.add_argument("--body-bytes", type=int, default=0, help="bytes to add to each entry's body")
    parser.add_argument("--folder", type=Path, help="where to write (default: the temporary folder)")
    parser.add_argument("--svg", type=Path, help="also draw the figures")
    options = parser.parse_args(arguments)
    body = {"fill": "x" * options.body_bytes} if options.body_bytes else {}
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for size in sorted(int(part) for part in options.sizes.split(",")):
            asyncio.run(fill(Path(name), size, body))
            rows.append(asyncio.run(measure(Path(name), body)))
    for row in rows:
        row["append_ratio"] = round(row["appends_per_second"] / rows[0]["appends_per_second"], 2)
    if options.svg is not None:
        options.svg.write_text(plot(rows), encoding="utf-8")
    if options.json:
        print(json.dumps({"sizes": rows}))
    else:
        print("| " + " | ".join(rows[0]) + " |")
        print("|" + "---|" * len(rows[0]))
        for row in rows:
            print("| " + " | ".join(f"{value:,}" for value in row.values()) + " |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

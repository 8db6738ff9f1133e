"""How long the stop button takes under load, against any append of the same run.

Writers release without end through the switch, on a real SQLite ledger; at intervals the tenant is halted and resumed.
The time to halt is from the call to its durable entry (what EU AI Act, Article 14(4)(e) asks to be possible); the
baseline is the latency of the writers' own appends. Ends with the auditor's check that no release crossed a halt.

    python bench/halt.py [--json] [--halts N] [--concurrency N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attending.ledger.entry import PendingEntry
from attending.ledger.ledger import Ledger
from attending.ledger.verify.halts import Halts
from attending.ledger.verify.report import Findings, Status
from attending.server.clock import now
from attending.server.errors import FailedPrecondition
from attending.server.halt.switch import Order, Switch
from attending.server.idempotency import Once
from times import quantile

LOG = "bench"
POLICY = "discharge-plan"
BODY = {
    "basis": "policy",
    "text_record": "rec_" + "a" * 26,
    "text_commitment": "0" * 64,
    "not_enforced": False,
}
RUN_SECONDS = 0.05


async def run(folder: Path, halts: int, concurrency: int) -> dict[str, Any]:
    """Figures of one run."""
    async with await Ledger.open(folder) as ledger:
        await ledger.create_log(LOG, "attending.example/bench")
        switch = Switch(ledger, now)
        appends: list[float] = []
        to_halt: list[float] = []
        ending = asyncio.Event()
        refused = 0

        async def writer(number: int) -> None:
            nonlocal refused
            count = 0
            while not ending.is_set():
                count += 1
                entry = PendingEntry(
                    "inference.released", f"inf_{number}_{count}", "system:bench", None, BODY
                )
                start = time.perf_counter()
                try:
                    await switch.append(LOG, POLICY, [entry], expect=[], claim=None, rows=[])
                    appends.append((time.perf_counter() - start) * 1e3)
                except FailedPrecondition:
                    refused += 1
                    await asyncio.sleep(0.005)

        writers = [asyncio.create_task(writer(number)) for number in range(concurrency)]
        for number in range(halts):
            await asyncio.sleep(RUN_SECONDS)
            order = Order("human:bench", "drill", now())
            start = time.perf_counter()
            await switch.halt(LOG, None, order, Once(f"h{number}", b"h"), concurrency)
            to_halt.append((time.perf_counter() - start) * 1e3)
            await switch.resume(LOG, None, order, Once(f"r{number}", b"r"))
        ending.set()
        await asyncio.gather(*writers)
        findings = Findings()
        check = Halts(findings)
        size, _root = await ledger.head(LOG)
        for begin in range(0, size, 1_000):
            for entry in await ledger.list_entries(LOG, begin, min(1_000, size - begin)):
                check.visit(entry, POLICY)
    if any(result.status is Status.FAILED for result in findings.results()):
        raise SystemExit("error: a release crossed a halt")
    return {
        "halts": halts,
        "concurrency": concurrency,
        "released": len(appends),
        "refused": refused,
        "time_to_halt_p50_ms": quantile(to_halt, 0.5),
        "time_to_halt_p99_ms": quantile(to_halt, 0.99),
        "append_p50_ms": quantile(appends, 0.5),
        "append_p99_ms": quantile(appends, 0.99),
        "ratio_p50": round(quantile(to_halt, 0.5) / quantile(appends, 0.5), 2),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the bench and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--halts", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--folder", type=Path, help="where to make the log; a temporary folder when left out")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        figures = asyncio.run(run(Path(name), options.halts, options.concurrency))
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:22} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

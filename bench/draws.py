"""What the draw for a second read costs over a long log: kept by the server, and verified by the auditor (V23).

A real ledger holds one whole inference per released text, as the pipeline leaves it, with a finding in each; every
`--period` of them a draw is opened and carried out by the server's own code, which samples what it draws. Then the
auditor's checks go over every entry from the beginning, as they do over a bundle that holds a whole log: all of them
together, and the part of V23 by itself (CPU time; the machine is shared), with the memory that the process had at most
before and after.

    python bench/draws.py [--json] [--releases N] [--period N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attending.ledger.draw import SAMPLED
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.ledger import Ledger, LedgerConfig
from attending.ledger.vault import payload_commitment
from attending.ledger.verify.checks import Checks
from attending.ledger.verify.checks import Scope as LogScope
from attending.ledger.verify.draws import Draws as Verified
from attending.ledger.verify.report import Findings, Status
from attending.server import projections
from attending.server.clock import now
from attending.server.oversight.draws import Draws
from attending.server.replay.reducers import rows_of_append
from review import BATCH, LOG, TEXT, Ward, _once
from times import quantile

PAGE = 1_000


class Released(Ward):
    """A ledger that is filled with texts that the policy released."""

    async def release(self, begin: int, end: int) -> None:
        for first in range(begin, end, BATCH):
            numbers = range(first, min(end, first + BATCH))
            entries = [entry for number in numbers for entry in await self._held(number)]
            await self.ledger.append(LOG, entries, rows=rows_of_append(entries))

    async def _held(self, number: int) -> list[PendingEntry]:
        asked, generated, _held = await super()._held(number)
        [text] = [one for one in generated.payloads if one.record == generated.body["text_record"]]
        body = {
            "basis": "policy",
            "text_record": text.record,
            "text_commitment": payload_commitment("output_final", text.salt, TEXT.encode()).hex(),
        }
        found = {"by_severity": {"info": 0, "minor": 1, "moderate": 0, "major": 0, "contraindicated": 0}}
        judged = generated.body | {"findings": found, "disposition": "release", "verdict": "release"}
        return [
            asked,
            PendingEntry(generated.type, generated.stream, generated.actor, None, judged, generated.payloads),
            PendingEntry("inference.released", asked.stream, "app:bench-app", None, body),
        ]


class Timed(Verified):
    """V23, with the CPU seconds that it took."""

    seconds = 0.0

    def _timed(self, call: Callable[[Any], None], about: Any) -> None:
        start = time.process_time()
        call(about)
        self.seconds += time.process_time() - start

    def visit(self, entry: Entry) -> None:
        self._timed(super().visit, entry)

    def released(self, case: Any) -> None:
        self._timed(super().released, case)

    def sampled(self, entry: Entry) -> None:
        self._timed(super().sampled, entry)


async def measured(ledger: Ledger, releases: int, period: int) -> dict[str, Any]:
    """Fills the log, draws, and verifies; the figures."""
    ward = Released(ledger, 1)
    principal, _key = ward.people[0]
    draws = Draws(ledger, ward.policies, "bench", now)
    await draws.sweep(LOG)
    opened = []
    for begin in range(0, releases, period):
        await ward.release(begin, min(releases, begin + period))
        start = time.perf_counter()
        await draws.open_now(principal, _once())
        opened.append(time.perf_counter() - start)
    findings = Findings()
    checks = Checks(findings, LogScope.FULL, 0)
    drawn = checks._draws = Timed(findings, whole=True)
    before, used, at, sampled = _peak_mib(), 0.0, 0, 0
    while page := await ledger.list_entries(LOG, at, PAGE):
        start = time.process_time()
        for entry in page:
            checks.visit(entry)
        used += time.process_time() - start
        sampled += sum(entry.type == SAMPLED for entry in page)
        at += len(page)
    checks.finish()
    verdict = {one.check: one.status for one in findings.results()}
    if verdict["V23"] is not Status.PASSED:
        raise SystemExit("error: the bench's own log does not verify")
    return {
        "releases": releases,
        "entries": at,
        "draws": len(opened),
        "sampled": sampled,
        "open_and_carry_out_seconds_p50": quantile(opened, 0.5),
        "open_and_carry_out_ms_a_release": round(1e3 * sum(opened) / releases, 3),
        "all_checks_cpu_seconds": round(used, 2),
        "v23_cpu_seconds": round(drawn.seconds, 3),
        "v23_microseconds_a_release": round(1e6 * drawn.seconds / releases, 2),
        "peak_mib_before_and_after": [before, _peak_mib()],
    }


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


async def run(folder: Path, releases: int, period: int) -> dict[str, Any]:
    ledger = await Ledger.open(LedgerConfig(folder), metadata=[projections.metadata])
    await ledger.create_log(LOG, "attending.example/bench")
    try:
        return await measured(ledger, releases, period)
    finally:
        await ledger.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the bench and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--releases", type=int, default=10_000)
    parser.add_argument("--period", type=int, default=5_000, help="releases between two openings")
    parser.add_argument("--folder", type=Path, help="where to write (default: the temporary folder)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        figures = asyncio.run(run(Path(name), options.releases, options.period))
    if options.json:
        print(json.dumps(figures))
    else:
        for key, value in figures.items():
            print(f"{key:36} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

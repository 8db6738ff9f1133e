"""What a report of many inferences costs: writing its bundle with its figures, and verifying and setting its pages.

    python bench/report.py --inferences 1000 10000 --json

The log is made here, three entries an inference. Pages are made in a process of their own, as the server does; its peak
memory is that process's. Baseline: SHA-256 of the same entries, in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from attending.ledger.checkpoint import sign_checkpoint
from attending.ledger.entry import GENESIS_PREV, PendingEntry, format_time, prepare_entry
from attending.ledger.merkle import Frontier, leaf_hash
from attending.ledger.note import SignerKey, sign_note
from attending.ledger.verify.checks import Scope
from attending.ledger.verify.registers import Asked
from attending.ledger.verify.writer import write_bundle
from attending.server.reports.make import make_in_process
from attending.server.reports.particulars import Kind, Particulars
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN = "bench.example/clinic"
START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
KEY = SignerKey(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"b" * 32))


def entries(inferences: int) -> Iterator[PendingEntry]:
    """Every tenth is blocked, an exception; the others are released by policy."""
    for number in range(inferences):
        stream = f"inf_{number:032x}"
        requested = {
            "policy": f"policy-{number % 7}",
            "policy_hash": "ab" * 32,
            "prompt_version": f"v{number % 5}",
            "model": f"model-{number % 3}",
            "calling_app": "bench",
            "phi_replaced": number % 4,
            "rails": [{"name": f"rail-{n}", "status": "passed", "elapsed_us": 120} for n in range(6)],
        }
        yield PendingEntry("inference.requested", stream, "app:bench", None, requested)
        codes = {"dose_high": number % 2, "interaction": number % 3}
        found = {"count": sum(codes.values()), "by_code": codes, "by_severity": {"minor": 1}}
        usage = {"input_tokens": 400, "output_tokens": 230, "cost_micros": 12, "currency": "USD"}
        generated = {"model": f"model-{number % 3}", "findings": found, "usage": usage}
        yield PendingEntry("inference.generated", stream, "system:bench", None, generated)
        if number % 10:
            body = {"basis": "policy", "text_commitment": "cd" * 32}
            yield PendingEntry("inference.released", stream, "system:bench", None, body)
        else:
            yield PendingEntry("inference.blocked", stream, "system:bench", None, {"stage": "output"})


def stored(inferences: int) -> list[bytes]:
    """The same as a linked log."""
    prev, made = GENESIS_PREV, []
    for index, pending in enumerate(entries(inferences)):
        moment = format_time(START + timedelta(milliseconds=37 * index))
        data = prepare_entry(ORIGIN, pending).encode(index, prev, moment)
        prev = leaf_hash(data)
        made.append(data)
    return made


def measured(inferences: int, folder: Path) -> dict[str, Any]:
    """Seconds, bytes and MB of one size."""
    lines = stored(inferences)
    began = time.perf_counter()
    for data in lines:
        hashlib.sha256(b"\x00" + data).digest()
    baseline = time.perf_counter() - began
    frontier = Frontier()
    for data in lines:
        frontier.append(leaf_hash(data))
    bundle, out = folder / "bundle.attending", folder / "report.pdf"
    began = time.perf_counter()
    write_bundle(
        bundle,
        origin=ORIGIN,
        scope=Scope.FULL,
        begin=0,
        end=len(lines),
        entries=lines,
        checkpoint_note=sign_checkpoint(ORIGIN, len(lines), frontier.root(), KEY.private_key),
        sign=lambda text: sign_note(text, [KEY]),
        created=START,
        figures=True,
    )
    wrote = time.perf_counter() - began
    about = Particulars(
        report_id="rpt_" + "0" * 32,
        kind=Kind.REGULATOR,
        origin=ORIGIN,
        purpose="audit",
        requested_by="human:bench",
        requested_at=format_time(START),
        scope=(("Period", "the whole log"),),
        verifier_key=str(KEY.verifier),
        asked=Asked(until=format_time(START)),
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    asyncio.run(make_in_process(bundle, out, about, None))
    pages = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "inferences": inferences,
        "entries": len(lines),
        "baseline_seconds": round(baseline, 3),
        "bundle_seconds": round(wrote, 2),
        "pages_seconds": round(pages, 2),
        # It runs behind everything else on the machine: on a busy one, what it took of the processor says more.
        "pages_cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "bundle_bytes": bundle.stat().st_size,
        "pdf_bytes": out.stat().st_size,
        # The largest of all children so far: sizes grow, so it is this one's.
        "pages_peak_mb": after.ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inferences", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    arguments = parser.parse_args()
    for count in sorted(arguments.inferences):
        with tempfile.TemporaryDirectory() as folder:
            found = measured(count, Path(folder))
        if arguments.json:
            print(json.dumps(found))
        else:
            pages = f"{found['pages_seconds']} s ({found['pages_cpu_seconds']} of processor)"
            print(
                f"{found['inferences']:>7} inferences: bundle {found['bundle_seconds']} s, pages {pages}, "
                f"peak {found['pages_peak_mb']} MB"
            )


if __name__ == "__main__":
    main()

"""What evidence of many inferences costs: writing its bundle, verifying it, and making a report of it.

    python bench/report.py --inferences 1000 10000 100000 --bundle-only 300000 --json

A real log is filled here through the ledger, payloads sealed and all: 3 entries an inference, 6 of every seventh,
which is held, claimed and signed by a person (Ed25519); every tenth of the others is blocked. Each step then runs in
a process of its own, as the server runs them, so that its peak memory is its own: `bundle` reads the ledger and
writes the bundle with its figures, `verify` makes every check of it, `report` verifies it again and sets the pages
(with `--bundle-only` left out). Baseline: SHA-256 of the same entries, an entry at a time, in the process that
verifies. On a busy machine processor time says more than the clock. `growth` is the processor time an inference takes
against that of the smallest size of the same run that has the step.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from attending.ledger.canonical import MAX_ENTRY_BYTES
from attending.ledger.ed25519 import key_id, public_bytes
from attending.ledger.entry import Payload, PendingEntry, format_time
from attending.ledger.ledger import Ledger
from attending.ledger.note import VerifierKey
from attending.ledger.review_signature import Meaning, Statement, sign_statement
from attending.ledger.verify import container as containers
from attending.ledger.verify.bundle import Anchors, verify_bundle
from attending.ledger.verify.manifest import ENTRIES
from attending.ledger.verify.registers import Asked
from attending.ledger.verify.report import Status
from attending.server.phi.access import PhiAccess
from attending.server.reports.export import Exporter, ExportOrder
from attending.server.reports.make import make_in_process
from attending.server.reports.particulars import Kind, Particulars
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LOG: Final = "bench"
ORIGIN: Final = "attending.example/bench"
ENTRIES_AN_APPEND: Final = 1_000
SUBJECTS: Final = 100
HELD_EVERY: Final = 7
PROMPT_VERSIONS: Final = tuple(f"v{number}" for number in range(5))
POLICY_HASH: Final = "ab" * 32
KEY: Final = Ed25519PrivateKey.from_private_bytes(b"b" * 32)
BUNDLE: Final = "bench.attending"


async def inference(ledger: Ledger, number: int, subject: str) -> AsyncIterator[PendingEntry]:
    """The entries of one, as the pipeline and the desk write them."""
    stream, app, system = f"inf_{number:032x}", "app:bench", "system:bench"
    asked = {
        "policy": f"policy-{number % 7}",
        "policy_hash": POLICY_HASH,
        "prompt_version": PROMPT_VERSIONS[number % 5],
        "model": f"model-{number % 3}",
        "calling_app": "bench",
        "phi_replaced": number % 4,
        "rails": [{"name": f"rail-{n}", "status": "passed", "elapsed_us": 120} for n in range(6)],
    }
    prompt = Payload("prompt", b"a prompt of the bench " * 20)
    yield PendingEntry("inference.requested", stream, app, subject, asked, (prompt,))
    codes = {"dose_high": number % 2, "interaction": number % 3}
    text = await ledger.seal(LOG, Payload("output_final", b"an answer of the bench " * 40), subject)
    said = {
        "model": f"model-{number % 3}",
        "findings": {"count": sum(codes.values()), "by_code": codes, "by_severity": {"minor": 1}},
        "usage": {"input_tokens": 400, "output_tokens": 230, "cost_micros": 12, "currency": "USD"},
    }
    yield PendingEntry("inference.generated", stream, system, subject, said, (text,))
    released = {"text_commitment": text.commitment.commitment, "basis": "policy"}
    if number % HELD_EVERY:
        blocked = number % 10 == 0
        kind = "inference.blocked" if blocked else "inference.released"
        yield PendingEntry(kind, stream, system, None, {"stage": "output"} if blocked else released)
        return
    sign_off = {"roles": ["clinician"], "count": 1}
    yield PendingEntry(
        "inference.held", stream, system, None, {"findings": {"major": 1}, "sign_off": sign_off}
    )
    yield PendingEntry("review.claimed", stream, "human:dr-bench", None, {"lease": "l"})
    statement = Statement(
        origin=ORIGIN,
        inference=stream,
        record=text.commitment.record,
        text_commitment=text.commitment.commitment,
        view_commitment="cd" * 32,
        meaning=Meaning.APPROVED,
        signer="dr-bench",
        key_id=key_id(public_bytes(KEY)),
        role="clinician",
        time=format_time(datetime.now(UTC)),
        nonce=f"nonce-{number}",
        policy_hash=POLICY_HASH,
        findings=1,
        disposed=1,
    )
    signature = b64encode(sign_statement(statement, KEY)).decode()
    body = {"statement": statement.to_json(), "signature": signature, "key_id": statement.key_id}
    yield PendingEntry("review.signed", stream, "human:dr-bench", None, body)
    yield PendingEntry("inference.released", stream, system, None, {**released, "basis": "signed"})


async def fill(folder: Path, inferences: int) -> None:
    """A new ledger with a log of that many inferences."""
    async with await Ledger.open(folder) as ledger:
        await ledger.create_log(LOG, ORIGIN)
        subjects = [await ledger.pseudonym(LOG, f"MRN-{number}") for number in range(SUBJECTS)]
        enrolled = {
            "key_id": key_id(public_bytes(KEY)),
            "user": "dr-bench",
            "public_key": b64encode(public_bytes(KEY)).decode(),
            "algorithm": "ed25519",
            "roles": ["clinician"],
            "not_after": None,
        }
        waiting = [PendingEntry("key.enrolled", f"key:{enrolled['key_id']}", "system:bench", None, enrolled)]
        for version in PROMPT_VERSIONS:
            registered = {"name": "bench", "version": version}
            waiting.append(PendingEntry("prompt.version", "prompt:bench", "human:bench", None, registered))
        for number in range(inferences):
            waiting += [one async for one in inference(ledger, number, subjects[number % SUBJECTS])]
            if len(waiting) >= ENTRIES_AN_APPEND:
                await ledger.append(LOG, waiting)
                waiting = []
        if waiting:
            await ledger.append(LOG, waiting)


async def bundle(folder: Path, *, fhir: bool = False) -> dict[str, Any]:
    """Writes the bundle of the whole log, as `Export` and a report do."""
    async with await Ledger.open(folder) as ledger:
        phi = PhiAccess(ledger, None, lambda: datetime.now(UTC))  # type: ignore[arg-type] # nobody is asked here
        exporter = Exporter(ledger, folder / "exports", phi, lambda: datetime.now(UTC))
        plan = await exporter.plan(LOG, ExportOrder(None, None, (), "audit", False))
        (folder / "key.vkey").write_text(ledger.verifier_key(LOG), encoding="utf-8")
        began, used = time.perf_counter(), time.process_time()
        await exporter.write(
            LOG, plan, folder / BUNDLE, datetime.now(UTC), lambda _done, _total: None, fhir=fhir
        )
        seconds = time.perf_counter() - began
        used = time.process_time() - used
    return {
        "entries": plan.total,
        "bundle_seconds": seconds,
        "bundle_cpu_seconds": used,
        "bundle_mib": (folder / BUNDLE).stat().st_size / 2**20,
        "bundle_peak_mb": _peak_mb(),
    }


async def verify(folder: Path) -> dict[str, Any]:
    """Every check of the bundle, against hashing its entries."""
    key = VerifierKey.parse((folder / "key.vkey").read_text(encoding="utf-8"))
    began, used = time.perf_counter(), time.process_time()
    report = verify_bundle(folder / BUNDLE, Anchors(keys=(key,)))
    seconds, used = time.perf_counter() - began, time.process_time() - used
    if report.verdict is not Status.PASSED:
        raise SystemExit(f"error: the bench's own bundle does not verify: {report.failures[:3]}")
    container = containers.open_container(folder / BUNDLE)
    began = time.process_time()
    for line in containers.lines(container.chunks(ENTRIES), MAX_ENTRY_BYTES):
        hashlib.sha256(b"\x00" + line).digest()
    hashing = time.process_time() - began
    container.close()
    return {
        "verify_seconds": seconds,
        "verify_cpu_seconds": used,
        "verify_peak_mb": _peak_mb(),
        "sha256_cpu_seconds": hashing,
        "verify_to_sha256": used / hashing,
    }


async def report(folder: Path) -> dict[str, Any]:
    """The draft of a regulator report over the bundle, in its own process, as the server makes it."""
    about = Particulars(
        report_id="rpt_" + "0" * 32,
        kind=Kind.REGULATOR,
        origin=ORIGIN,
        purpose="audit",
        requested_by="human:bench",
        requested_at=format_time(datetime.now(UTC)),
        scope=(("Period", "the whole log"),),
        verifier_key=(folder / "key.vkey").read_text(encoding="utf-8"),
        asked=Asked(until=format_time(datetime.now(UTC))),
    )
    out = folder / "report.pdf"
    began = time.perf_counter()
    await make_in_process(folder / BUNDLE, out, about, None)
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "report_seconds": seconds,
        "report_cpu_seconds": used.ru_utime + used.ru_stime,
        "report_peak_mb": used.ru_maxrss // 1024,
        "pdf_mib": out.stat().st_size / 2**20,
    }


async def bundle_with_fhir(folder: Path) -> dict[str, Any]:
    """The same with `fhir.ndjson` in it."""
    return await bundle(folder, fhir=True)


STEPS: Final[dict[str, Callable[[Path], Any]]] = {
    "bundle": bundle,
    "verify": verify,
    "report": report,
    "bundle_with_fhir": bundle_with_fhir,
}


def measured(inferences: int, steps: list[str], folder: Path) -> dict[str, Any]:
    """The figures of one size, each step in a process of its own."""
    asyncio.run(fill(folder, inferences))
    found: dict[str, Any] = {"inferences": inferences}
    for step in steps:
        done = subprocess.run(
            [sys.executable, __file__, "--step", step, str(folder)], stdout=subprocess.PIPE, check=True
        )
        found |= json.loads(done.stdout)
    return {name: round(value, 2) if type(value) is float else value for name, value in found.items()}


def _peak_mb() -> int:
    """Of this process alone: `ru_maxrss` begins at that of the one which started it, and filled the log."""
    [peak] = [
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:")
    ]
    return int(peak.split()[1]) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inferences", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument(
        "--bundle-only", type=int, nargs="*", default=[], help="sizes without a report, as above"
    )
    parser.add_argument("--fhir", action="store_true", help="bundles with `fhir.ndjson`, and no reports")
    parser.add_argument("--folder", type=Path, help="where to write (default: the temporary folder)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step is not None:
        print(json.dumps(asyncio.run(STEPS[options.step[0]](Path(options.step[1])))))
        return
    writing = "bundle_with_fhir" if options.fhir else "bundle"
    whole = [writing, "verify"] if options.fhir else [writing, "verify", "report"]
    sizes = [(count, whole) for count in options.inferences]
    sizes += [(count, [writing, "verify"]) for count in options.bundle_only]
    first: dict[str, float] = {}
    for count, steps in sorted(sizes):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            found = measured(count, steps, Path(folder))
        for step in steps:
            name = step.removesuffix("_with_fhir")
            each = found[f"{name}_cpu_seconds"] / count
            found[f"{name}_growth"] = round(each / first.setdefault(name, each), 2)
        if options.json:
            print(json.dumps(found), flush=True)
        else:
            print("  ".join(f"{name} {value}" for name, value in found.items()), flush=True)


if __name__ == "__main__":
    main()

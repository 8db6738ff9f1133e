"""How long the verifier page takes in Chromium, against the verifier in Python on the same bundle.

A bundle of scope full of that many inferences, every seventh held, claimed and signed by a person (Ed25519), with the
figures of a report, and with what the rules over entries follow: a prompt's versions, draws for second reads,
break-glass with its reviews, recalls, and examinations of all exceptions. The page is opened from disk, the bundle
chosen, and the time taken from the button to the verdict; the verifier in Python runs in this process just before.
Memory is what all processes of the browser hold at most, above what they held before, sampled.

    python bench/verifier_page.py [--json] [--inferences N ...]

Needs what `make test-browser` installs. Wall time: compare with the baseline of the same run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from attending.ledger.draw import COMMITTED, OPENED, SAMPLED, Case, Rates, is_drawn
from attending.ledger.entry import format_time, parse_entry
from attending.ledger.examination import (
    ExaminationStatement,
    Office,
    counts_of,
    digest_of,
    exceptions,
    sign_of,
)
from attending.ledger.verify.bundle import verify_bundle
from attending.ledger.verify.page import verifier_page
from attending.ledger.verify.report import Status
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.ledger.verify.conftest import SUBJECT, LogBuilder, Reviewer

HELD_EVERY: Final = 7
EXCEPTION_EVERY: Final = 21
EVERY: Final = 100
"""Inferences between two examinations, draws and versions of the prompt."""
FILLER: Final = {
    "knowledge_hash": "ab" * 32,
    "phi_replaced": 2,
    "rails": [{"name": f"rail-{number}", "status": "passed", "ms": number} for number in range(8)],
}


def write_bundle(path: Path, inferences: int) -> LogBuilder:
    """A log of that many inferences, its bundle at `path`."""
    log = LogBuilder()
    doctor, officer = log.enrol("dr-rivera"), log.enrol("prv-ito", "privacy_officer")
    since = Since()
    for number in range(inferences):
        if number % EVERY == 0:
            _period(log, officer, since, number // EVERY)
        stream, version = f"inf_{number:032x}", f"sha256:{number // EVERY:064x}"
        if number % HELD_EVERY:
            log.request(stream, **FILLER, prompt_version=version)
            text = log.generate(stream)
            log.release(stream, text, "policy")
            since.released.append(Case(stream, "p", 0))
            if number % EXCEPTION_EVERY == 1:
                log.append(
                    "inference.withdrawn", stream, {"reason_code": "guideline"}, actor="human:dr-rivera"
                )
                log.append("access.denied", "denied", {"count": 5}, actor=f"human:{number}")
            continue
        _held(log, doctor, stream, number)
        since.released.append(Case(stream, "p", 0))
    log.full(path, figures=True)
    return log


class Since:
    """What has happened since the last period began."""

    def __init__(self) -> None:
        self.until, self.time = 0, ""
        self.released: list[Case] = []


def _held(log: LogBuilder, doctor: Reviewer, stream: str, number: int) -> None:
    permit = {"roles": ["clinician"], "review_within_hours": 24}
    text = log.hold(stream, break_glass=permit)
    if number % EXCEPTION_EVERY == 0:
        due = format_time(log.clock + timedelta(hours=1))
        body = {"role": "clinician", "review_due": due, "text_commitment": text.commitment}
        log.append("break_glass.used", stream, body, actor="human:ann")
        log.release(stream, text, "break_glass")
        log.append("break_glass.reviewed", stream, {}, actor="human:li")
        return
    log.append("review.claimed", stream, {"lease": "l"}, actor="human:dr-rivera")
    decided = {"finding": 0, "disposition": "accepted_risk", "severity": "minor", "alike": f"{number:064x}"}
    log.append("review.disposed", stream, decided, actor="human:dr-rivera", subject=SUBJECT)
    statement = log.statement(stream, doctor, text)
    signature = b64encode(doctor.key.sign(statement.message())).decode()
    body = {"statement": statement.to_json(), "key_id": doctor.key_id, "signature": signature}
    log.append("review.signed", stream, body, actor="human:dr-rivera")
    log.release(stream, text)


def _period(log: LogBuilder, officer: Reviewer, since: Since, number: int) -> None:
    """Ends a draw and an examination, and begins the next ones, with the next version of the prompt."""
    stream, seed, rates = "oversight/draw", hashlib.sha256(str(number).encode()).digest(), Rates({"p": 20})
    if since.released:
        before = hashlib.sha256(str(number - 1).encode()).digest()
        salt = next(one.salt for one in log.openings.values() if one.content == before)
        log.append(OPENED, stream, {"draw": f"d{number - 1}", "seed": before.hex(), "salt": salt.hex()})
        for case in since.released:
            if is_drawn(before, case, rates):
                log.append(SAMPLED, case.inference, {"draw": f"d{number - 1}"})
        _examined(log, officer, since, number)
    since.released.clear()
    sealed = log.payload("draw_seed", seed)
    log.append(COMMITTED, stream, {"draw": f"d{number}", "rates": rates.to_json()}, payloads=[sealed])
    version = f"sha256:{number:064x}"
    template = log.payload("prompt", version.encode())
    body = {"name": "letter", "version": version, "variables": []}
    log.append("prompt.version", f"prompt:letter:{version}", body, payloads=[template])


def _examined(log: LogBuilder, officer: Reviewer, since: Since, number: int) -> None:
    until, until_time = len(log.entries), format_time(log.clock)
    signs = [sign for data in log.entries if (sign := sign_of(parse_entry(data))) is not None]
    times = {"since_time": since.time, "until_time": until_time}
    lines = exceptions(Office.PRIVACY, signs, first=since.until, until=until, **times)
    made = {(line.kind, line.index): "expected" for line in lines}
    for line in lines:
        body = {"office": "privacy", "class": line.kind, "entry": line.index, "disposition": "expected"}
        log.append("examination.disposed", "examination:privacy", body, actor="human:prv-ito")
    statement = ExaminationStatement(
        origin=log.origin,
        office=Office.PRIVACY,
        first=since.until,
        until=until,
        counts=counts_of(lines),
        dispositions=Counter(made.values()),
        own=0,
        digest=digest_of(lines, made),
        signer=officer.user,
        key_id=officer.key_id,
        role=officer.role,
        time=until_time,
        nonce=f"examination-{number}",
        **times,
    )
    signature = b64encode(officer.key.sign(statement.message())).decode()
    signed = {"statement": statement.to_json(), "signature": signature, "key_id": officer.key_id}
    log.append("examination.signed", "examination:privacy", signed, actor="human:prv-ito")
    since.until, since.time = until, until_time


def resident_mib(browser_process: int) -> float:
    """MiB that a process and all below it hold, what they share counted once for each."""
    children: dict[int, list[int]] = {}
    resident: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        process = int(folder.name)
        children.setdefault(int(fields[1]), []).append(process)
        resident[process] = int(fields[21])
    waiting, total = [browser_process], 0
    while waiting:
        process = waiting.pop()
        total += resident.get(process, 0)
        waiting += children.get(process, ())
    return total * os.sysconf("SC_PAGE_SIZE") / 2**20


def page_run(page: Page, path: Path, key: str) -> dict[str, float]:
    """Seconds from the button to the verdict, and MiB at most, less those before."""
    page.set_input_files("#bundle", path)
    page.fill("#keys", key)
    before = highest = resident_mib(os.getpid())
    begun = time.monotonic()
    page.click("#verify")
    verdict = page.locator("#verdict")
    while not verdict.is_visible():
        highest = max(highest, resident_mib(os.getpid()))
        time.sleep(0.1)
    seconds = time.monotonic() - begun
    if "Verified" not in verdict.inner_text():
        raise SystemExit(f"error: the bench's own bundle does not verify: {verdict.inner_text()}")
    return {"page_seconds": round(seconds, 2), "page_mib": round(highest - before, 1)}


def figures_of(browser: Browser, folder: Path, inferences: int) -> dict[str, Any]:
    """The figures of one size."""
    path, html = folder / "bench.attending", folder / "verify.html"
    log = write_bundle(path, inferences)
    html.write_bytes(verifier_page())
    begun = time.monotonic()
    report = verify_bundle(path, log.anchors())
    seconds = time.monotonic() - begun
    if report.verdict is not Status.PASSED:
        raise SystemExit("error: the bench's own bundle does not verify")
    page = browser.new_page()
    page.goto(html.as_uri())
    run = page_run(page, path, str(log.vkey))
    page.close()
    made = {
        "inferences": inferences,
        "entries": len(log.entries),
        "bundle_mib": round(path.stat().st_size / 2**20, 1),
    }
    return {
        **made,
        **run,
        "python_seconds": round(seconds, 2),
        "page_to_python": round(run["page_seconds"] / seconds, 2),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the bench and prints its figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON object a size")
    parser.add_argument("--inferences", type=int, nargs="*", default=[1000, 10_000])
    options = parser.parse_args(arguments)
    chromium = os.environ.get("ATTENDING_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium)
        for inferences in options.inferences:
            figures = figures_of(browser, Path(folder), inferences)
            if options.json:
                print(json.dumps(figures), flush=True)
            else:
                print("  ".join(f"{name} {value}" for name, value in figures.items()), flush=True)
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

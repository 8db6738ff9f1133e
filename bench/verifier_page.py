"""How long the verifier page takes in Chromium, against the verifier in Python on the same bundle.

A bundle of scope full of that many inferences, every seventh held and signed by a person (Ed25519), with the figures
of a report. The page is opened from disk, the bundle chosen, and the time taken from the button to the verdict; the
verifier in Python runs in this process just before. Memory is what all processes of the browser hold at most, above
what they held before, sampled.

    python bench/verifier_page.py [--json] [--inferences N ...]

Needs what `make test-browser` installs. Wall time: compare with the baseline of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from attending.ledger.verify.bundle import verify_bundle
from attending.ledger.verify.page import verifier_page
from attending.ledger.verify.report import Status
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.ledger.verify.conftest import LogBuilder

HELD_EVERY: Final = 7
FILLER: Final = {
    "knowledge_hash": "ab" * 32,
    "phi_replaced": 2,
    "rails": [{"name": f"rail-{number}", "status": "passed", "ms": number} for number in range(8)],
}


def write_bundle(path: Path, inferences: int) -> LogBuilder:
    """A log of that many inferences, its bundle at `path`."""
    log = LogBuilder()
    doctor = log.enrol("dr-rivera")
    for number in range(inferences):
        stream = f"inf_{number:032x}"
        if number % HELD_EVERY:
            log.request(stream, **FILLER)
            log.release(stream, log.generate(stream), "policy")
            continue
        text = log.hold(stream)
        log.append("review.claimed", stream, {"lease": "l"}, actor="human:dr-rivera")
        statement = log.statement(stream, doctor, text)
        signature = b64encode(doctor.key.sign(statement.message())).decode()
        body = {"statement": statement.to_json(), "key_id": doctor.key_id, "signature": signature}
        log.append("review.signed", stream, body, actor="human:dr-rivera")
        log.release(stream, text)
    log.full(path, figures=True)
    return log


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

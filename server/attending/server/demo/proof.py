"""What the demo proves: the lines of its last screen, and the report that an auditor verifies without us.

The report is told two lies: one by who has the file alone, and one by who holds the seal's key too. Both verifiers find
them at the same checks; beside the files stands what an auditor needs for that, and the commands to type.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from attending.ledger.note import VerifierKey
from attending.ledger.verify.bundle import Anchors
from attending.ledger.verify.page import verifier_page
from attending.ledger.verify.pdf.attachments import BUNDLE, attachments, extract
from attending.ledger.verify.pdf.document import Document
from attending.ledger.verify.pdf.seal import SealAnchors
from attending.ledger.verify.pdf.verify import verify_report
from attending.ledger.verify.report import Report
from attending.server.demo.authority import SEAL_ROOT, STAMP_ROOT
from attending.server.demo.screen import Screen
from attending.server.demo.server import DemoServer
from attending.server.demo.tamper import change_one_byte, seal_again, without_seal
from cryptography import x509

LOG_KEY: Final = "log.vkey"
PAGE: Final = "verify.html"
REPORT: Final = "report.pdf"
CHANGED: Final = "report-changed.pdf"
RESEALED: Final = "report-resealed.pdf"


@dataclass
class Proof:
    """What the last screen sums up; every value was observed."""

    lines: list[str] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)


def prove(screen: Screen, server: DemoServer, proof: Proof) -> None:
    """Verifies the issued report, tampers with it twice, verifies what came of it, and hands over the anchors."""
    folder = server.output
    _hand_over(folder, server)
    index = _tamper(folder, server)
    found = {name: verify_report(folder / name, *_anchors(folder)) for name in (REPORT, CHANGED, RESEALED)}
    say_report(screen, "as issued", found[REPORT])
    screen.fact("tampering", f"one byte of entry {index} in the bundle attached is changed: {CHANGED}")
    say_report(screen, "as changed", found[CHANGED])
    screen.fact("tampering", f"and sealed again, by one who holds the seal's key: {RESEALED}")
    say_report(screen, "as sealed again", found[RESEALED])
    proof.lines.append(
        f"the sealed report: {found[REPORT].verdict}; with one byte changed it fails at {_failed(found[CHANGED])}; "
        f"sealed again by one who holds the seal's key, at {_failed(found[RESEALED])}"
    )
    _say_how(screen, folder)


def say_report(screen: Screen, what: str, report: Report) -> None:
    """Prints a verdict, and what it rests on or leaves open."""
    style = "bold green" if report.verdict == "passed" else "bold red"
    screen.fact(what, str(report.verdict).upper(), style)
    for result in report.results:
        if result.status in ("failed", "indeterminate") and result.detail != "not reached":
            where = f" (entry {result.index})" if result.index is not None else ""
            # Advisory: what the auditor should know and what no bundle alone can settle.
            said = "note" if result.advisory else str(result.status)
            screen.fact("", f"{result.check} {said}: {result.detail}{where}")


def _hand_over(folder: Path, server: DemoServer) -> None:
    """Writes what an auditor has from elsewhere than the report: the log's key, two roots, and the second verifier."""
    key = server.connection("demo-auditor").log_key or ""
    (folder / LOG_KEY).write_text(f"{key}\n", encoding="utf-8")
    for name in (SEAL_ROOT, STAMP_ROOT):
        shutil.copyfile(folder / "seal" / name, folder / name)
    (folder / PAGE).write_bytes(verifier_page())


def _tamper(folder: Path, server: DemoServer) -> int:
    """Writes both lies; the index of the entry that was changed."""
    pages = without_seal(folder / REPORT, folder / "pages.pdf")
    bundle = folder / BUNDLE
    bundle.unlink(missing_ok=True)
    with Document(folder / REPORT) as document:
        extract(document, attachments(document)[BUNDLE], bundle)
    _, index = change_one_byte(bundle, folder / CHANGED, within=folder / REPORT)
    change_one_byte(bundle, pages, within=pages)
    seal_again(server.seal, pages, folder / RESEALED)
    for path in (bundle, pages):
        path.unlink()
    return index


def _anchors(folder: Path) -> tuple[Anchors, SealAnchors]:
    """Read as an auditor's command does: from the files beside the report."""
    key = VerifierKey.parse((folder / LOG_KEY).read_text(encoding="utf-8").strip())
    seal, stamp = (
        tuple(x509.load_pem_x509_certificates((folder / name).read_bytes()))
        for name in (SEAL_ROOT, STAMP_ROOT)
    )
    return Anchors(keys=(key,)), SealAnchors(seal, stamp)


def _failed(report: Report) -> str:
    return ", ".join(dict.fromkeys(item.check for item in report.failures)) or "no check"


def _say_how(screen: Screen, folder: Path) -> None:
    anchors = f"--key {folder / LOG_KEY} --seal-root {folder / SEAL_ROOT} --tsa-root {folder / STAMP_ROOT}"
    screen.say("  An auditor does the same without us and without a network, with the command:")
    for name in (REPORT, CHANGED, RESEALED):
        screen.command(f"attending verify {folder / name} {anchors}")
    page = hashlib.sha256((folder / PAGE).read_bytes()).hexdigest()
    screen.say(
        "  or with a page that shares no code with it: open it in a browser, choose a report and the anchors"
    )
    screen.command(f"{folder / PAGE}    (sha256 {page})")
    screen.say(
        "  Seal and stamps are by demo authorities of this machine: they prove nothing to anybody else."
    )

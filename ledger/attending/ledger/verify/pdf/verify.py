"""Verification of a sealed report, offline, against trust anchors that never come from the file itself.

Steps: 1. the file reads, and the seal covers it (V2), by whom (V3), when (V4); 2. attachments; 3. the bundle with
every check that a bundle has, or a de-identified document with its own; 4. no entry claims a time after the stamp
(V15); 5. the head printed is the one attached and recomputed (V10); 6. the figures printed and attached are those of
the entries, the register is theirs (V20). A file that its seal does not cover is not looked into further: of what is
in it, nothing would be proved.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unicodedata import category

from attending.ledger.canonical import MAX_ENTRY_BYTES, parse_canonical
from attending.ledger.checkpoint import UnverifiedCheckpoint, parse_checkpoint
from attending.ledger.entry import Entry, format_time, parse_entry, parse_time
from attending.ledger.errors import VerificationError
from attending.ledger.note import MAX_NOTE_BYTES
from attending.ledger.verify import container as containers
from attending.ledger.verify import statistics as figures
from attending.ledger.verify.bundle import Anchors, Progress, verify_bundle
from attending.ledger.verify.container import Container
from attending.ledger.verify.deidentified import figures_of, is_deidentified, records_of, verify_deidentified
from attending.ledger.verify.manifest import CHECKPOINT, ENTRIES
from attending.ledger.verify.pdf import attachments as attached
from attending.ledger.verify.pdf import text
from attending.ledger.verify.pdf.document import MAGIC, Document, Stream
from attending.ledger.verify.pdf.rows import check_rows
from attending.ledger.verify.pdf.seal import SealAnchors, check_seal
from attending.ledger.verify.register import line_of, register_csv
from attending.ledger.verify.report import (
    CHECKS,
    NOT_CHECKED_OF_REPORT,
    SEAL_CHECKS,
    CheckResult,
    Findings,
    Kind,
    Report,
    Status,
    verdict_of,
)
from attending.ledger.verify.time_bounds import CLOCK_SKEW_SECONDS

CLOCK_SKEW: Final = timedelta(seconds=CLOCK_SKEW_SECONDS)
ANNEX: Final = "Annex: Figures"
_KEYWORDS: Final = ("attending-origin", "attending-size", "attending-root", "attending-bundle-sha256")
_MAX_REGISTER_BYTES: Final = 1 << 30
_BETWEEN_DIGITS: Final = ".,'\u2019/"


def is_pdf(path: Path) -> bool:
    """Whether a file begins as a PDF does. OSError."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def verify_report(
    path: Path,
    anchors: Anchors,
    seal: SealAnchors,
    *,
    bundle: Path | None = None,
    progress: Progress | None = None,
) -> Report:
    """What is proved of the sealed report at `path`, and of its evidence: that attached, or `bundle` where it was given
    beside the file.

    Whatever the file holds, problems are results, not exceptions; OSError when the path cannot be read or the temporary
    folder, into which attachments are taken out, is full.
    """
    findings = Findings((*SEAL_CHECKS, "V20"))
    try:
        with Document(path) as document:
            sealed = check_seal(document, seal, findings)
            if findings.failed("V2"):
                return _report(findings, None)
            stamped = None if sealed is None else sealed.time
            with tempfile.TemporaryDirectory(prefix="attending-verify-") as folder:
                return _evidence(document, anchors, findings, bundle, stamped, Path(folder), progress)
    except VerificationError as err:
        findings.fail("V2", err.detail)
        return _report(findings, None)


def _evidence(
    document: Document,
    anchors: Anchors,
    findings: Findings,
    bundle: Path | None,
    stamped: datetime | None,
    folder: Path,
    progress: Progress | None,
) -> Report:
    try:
        files = attached.attachments(document)  # 2
        if attached.BUNDLE in files and attached.DOCUMENT in files:
            raise VerificationError(
                "a bundle is attached beside a de-identified document, and leads back from it"
            )
        for name in (attached.BUNDLE, attached.DOCUMENT):
            if name in files:
                bundle = folder / name
                attached.extract(document, files[name], bundle)
    except VerificationError as err:
        findings.fail("V10", err.detail)
        return _report(findings, None)
    if bundle is None:
        findings.doubt("V10", "no bundle is attached: give the one beside it with --bundle")
        findings.doubt("V20", "no bundle is attached: give the one beside it with --bundle")
        return _report(findings, None)
    deidentified = is_deidentified(bundle)
    if attached.DOCUMENT in files and not deidentified:
        findings.fail("V10", f"`{attached.DOCUMENT}` is no de-identified document")
        return _report(findings, None)
    report = (verify_deidentified if deidentified else verify_bundle)(bundle, anchors, progress)  # 3
    if deidentified and anchors.of_entries:
        findings.doubt(
            "V10", "a de-identified document has no entries to hold a pinned head, a time or an end against"
        )
    if stamped is not None:
        report = _bounded_by_stamp(report, stamped)  # 4
    try:
        printed = list(text.pages(document))
    except VerificationError as err:
        findings.fail("V10", f"pages: {err.detail}")
        return _report(findings, report)
    _check_head(document, printed, bundle, findings)  # 5
    look = _check_records if deidentified else _check_figures
    look(document, files, "".join(printed), bundle, findings)  # 6
    return _report(findings, report)


def _bounded_by_stamp(report: Report, stamped: datetime) -> Report:
    """V15. What was sealed was there when the authority stamped it; a stamp is one more witness of the head."""
    last = report.statistics.get("last_time")
    # A difference, since a sum may leave the years that there are.
    if last is None or parse_time(last) - stamped <= CLOCK_SKEW:
        return report
    detail = f"entries claim times up to {last}, after the report was stamped at {format_time(stamped)}"
    return replace(report, results=(*report.results, CheckResult("V15", Status.FAILED, detail)))


def _check_head(document: Document, printed: list[str], bundle: Path, findings: Findings) -> None:
    """V10. That the bundle's own head is the one that its entries lead to is V6 and V8 of the bundle."""
    try:
        claimed = _keywords(document)
        head = _head(bundle)
    except VerificationError as err:
        findings.fail("V10", err.detail)
        return
    root = base64.b64encode(head.root).decode()
    actual = dict(zip(_KEYWORDS, (head.origin, str(head.size), root, _digest(bundle)), strict=True))
    for name, value in actual.items():
        if claimed.get(name) != value:
            findings.fail("V10", f"`{name}` of the document information is not that of the bundle")
    first = printed[0] if printed else ""
    for what, shown in (
        ("log", text.squeezed(head.origin) in first),
        ("root hash", head.root.hex() in first or root in first),
        ("SHA-256", actual["attending-bundle-sha256"] in first),
        # Of 12 printed as 123 the beginning is right.
        ("tree size", re.search(rf"[Tt]reesize{head.size}(?![0-9])", first) is not None),
    ):
        if not shown:
            findings.fail("V10", f"{what} of the bundle is not the one printed on the first page")
    findings.passed(
        "V10", f"head of size {head.size} is printed, attached, and that of the entries by V6 and V8"
    )


def _keywords(document: Document) -> dict[str, str]:
    information = document.dictionary(document.trailer.get("Info"))
    found: dict[str, str] = {}
    for item in attached.text_of(document.resolve(information.get("Keywords"))).split(","):
        name, equals, value = item.removeprefix(" ").partition("=")
        if equals and found.setdefault(name, value) != value:
            raise VerificationError("document information states something twice")
    return found


def _head(bundle: Path) -> UnverifiedCheckpoint:
    container = containers.open_container(bundle)
    try:
        return parse_checkpoint(containers.read(container, CHECKPOINT, MAX_NOTE_BYTES))
    finally:
        container.close()


def _digest(path: Path) -> str:
    if path.is_dir():
        raise VerificationError("bundle beside a report is one file, as it was issued")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_figures(
    document: Document,
    files: dict[str, Stream],
    printed: str,
    bundle: Path,
    findings: Findings,
) -> None:
    try:
        container = containers.open_container(bundle)
    except VerificationError as err:
        findings.fail("V20", err.detail)
        return
    register = hashlib.sha256()
    counted = figures.EntryStatistics()
    try:
        for row in register_csv(filter(None, map(line_of, _counting(container, counted)))):
            register.update(row)
        check_rows(document, files, _entries(container), findings)
    except VerificationError as err:
        findings.doubt("V20", f"entries do not read: {err.detail}")
        return
    finally:
        container.close()
    _check_register(document, files, register.hexdigest(), findings)
    _check_printed(document, files, printed, counted.result(), findings)


def _check_records(
    document: Document, files: dict[str, Stream], printed: str, source: Path, findings: Findings
) -> None:
    """V20 of a de-identified document, which has no register of exceptions: these have a time and an actor."""
    try:
        container = containers.open_container(source)
    except VerificationError as err:
        findings.fail("V20", err.detail)
        return
    counted = figures.EntryStatistics()
    try:
        for record in records_of(container):
            counted.visit(record)
        check_rows(document, files, records_of(container), findings)
    except VerificationError as err:
        findings.doubt("V20", f"records do not read: {err.detail}")
        return
    finally:
        container.close()
    _check_printed(document, files, printed, figures_of(counted), findings)


def _check_printed(
    document: Document, files: dict[str, Stream], printed: str, found: dict[str, Any], findings: Findings
) -> None:
    _check_attached(document, files, found, findings)
    lines = list(figures.figure_lines(found))
    if (path := _unprinted(printed, lines)) is not None:
        findings.fail("V20", f"`{path}` is not printed as the entries give it")
    findings.passed(
        "V20", f"{len(lines)} figures are printed, attached and those of the entries; registers too"
    )


def _entries(container: Container) -> Iterator[Entry]:
    for line in containers.lines(container.chunks(ENTRIES), MAX_ENTRY_BYTES):
        yield parse_entry(line)


def _counting(container: Container, counted: figures.EntryStatistics) -> Iterator[Entry]:
    for entry in _entries(container):
        counted.visit(entry)
        yield entry


def _check_attached(
    document: Document, files: dict[str, Stream], found: dict[str, object], findings: Findings
) -> None:
    if attached.STATISTICS not in files:
        findings.fail("V20", f"`{attached.STATISTICS}` is not attached")
        return
    try:
        stated = parse_canonical(document.content(files[attached.STATISTICS], figures.MAX_BYTES))
    except VerificationError as err:
        findings.fail("V20", f"attached `{attached.STATISTICS}`: {err.detail}")
        return
    if type(stated) is not dict:
        findings.fail("V20", f"attached `{attached.STATISTICS}` is not an object")
    elif figures.is_later(stated.get("format")):
        findings.doubt("V20", f"attached `{attached.STATISTICS}` is of a later format")
    elif (path := figures.first_difference(stated, found)) is not None:
        findings.fail("V20", f"attached `{attached.STATISTICS}`: `{path}` is not that of the entries")


def _check_register(document: Document, files: dict[str, Stream], expected: str, findings: Findings) -> None:
    if attached.REGISTER not in files:
        findings.fail("V20", f"`{attached.REGISTER}` is not attached")
        return
    digest = hashlib.sha256()
    try:
        for chunk in document.chunks(files[attached.REGISTER], _MAX_REGISTER_BYTES):
            digest.update(chunk)
    except VerificationError as err:
        findings.fail("V20", f"attached `{attached.REGISTER}`: {err.detail}")
        return
    if digest.hexdigest() != expected:
        findings.fail("V20", f"attached `{attached.REGISTER}` is not the register of the entries")


def _unprinted(printed: str, lines: list[tuple[str, str]]) -> str | None:
    """The path of the first figure that does not stand where the annex has it, None when all do."""
    place = printed.rfind(text.squeezed(ANNEX))
    place = printed.find(text.squeezed(" = ".join(lines[0])), max(place, 0)) if lines else 0
    if place < 0:
        return lines[0][0]
    for path, value in lines:
        line = text.squeezed(f"{path} = {value}")
        if not printed.startswith(line, place):
            return path
        place += len(line)
    # 12 printed as 123, 12.5 or 12,000 begins as it should: what follows the last one may not go on with it.
    follows = printed[place : place + 2].lstrip(_BETWEEN_DIGITS)[:1]
    return lines[-1][0] if lines and category(follows or " ").startswith("N") else None


def _report(findings: Findings, bundle: Report | None) -> Report:
    of_bundle = () if bundle is None else bundle.results
    deidentified = bundle is not None and bundle.kind is Kind.DEIDENTIFIED
    results = sorted((*findings.results(), *of_bundle), key=lambda item: int(item.check[1:]))
    return Report(
        results=tuple(results),
        verdict=verdict_of(results),
        statistics={} if bundle is None else bundle.statistics,
        origin=None if bundle is None else bundle.origin,
        scope=None if bundle is None else bundle.scope,
        not_checked=bundle.not_checked if bundle is not None and deidentified else NOT_CHECKED_OF_REPORT,
        sentences={**SEAL_CHECKS, **(CHECKS if bundle is None else bundle.sentences)},
        # No entry of the log is proved by one.
        kind=Kind.DEIDENTIFIED if deidentified else Kind.REPORT,
    )

"""A finished bundle made into a report's PDF, with the evidence attached."""

from __future__ import annotations

import base64
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from attending.ledger.note import VerifierKey
from attending.ledger.verify.bundle import Progress
from attending.ledger.verify.registers import REGISTERS
from attending.server import clock
from attending.server.reports import annexes, compared
from attending.server.reports import cover as first
from attending.server.reports.blocks import Block
from attending.server.reports.kinds import KINDS
from attending.server.reports.particulars import Kind, Particulars
from attending.server.reports.printed import plain
from attending.server.reports.source import Source, read_source
from attending.server.reports.typeset import Attachment, draw, typeset
from attending.server.reports.verdict import VERDICT, verdict_bytes

TEMPLATE: Final = "report.typ"
STATISTICS: Final = "statistics.json"
REGISTER: Final = "register.csv"
ROWS: Final = "rows.jsonl"


def make_pdf(
    bundle: Path,
    about: Particulars,
    work: Path,
    *,
    inference: str | None = None,
    progress: Progress | None = None,
) -> bytes:
    """The PDF of the report over `bundle`: PDF/A-3a and PDF/UA-1, the same bytes for the same arguments. Blocks.

    `work` is an empty folder of the caller's, in which the verdict is left, too (`verdict`). Raises VerificationError
    where the bundle is none, OSError.
    """
    data, attachments = _make(bundle, about, work, inference, progress)
    return typeset(TEMPLATE, data, attachments, work)


def draw_pages(
    bundle: Path, about: Particulars, *, inference: str | None = None, ppi: float = 80
) -> list[bytes]:
    """The pages as PNG images."""
    work = Path(tempfile.mkdtemp())
    try:
        data, _attachments = _make(bundle, about, work, inference, None)
        return draw(TEMPLATE, data, work, ppi)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _make(
    bundle: Path, about: Particulars, work: Path, inference: str | None, progress: Progress | None
) -> tuple[dict[str, Any], list[Attachment]]:
    exceptions, statistics, rows = work / REGISTER, work / STATISTICS, work / ROWS
    kind = KINDS[about.kind]
    source = read_source(
        bundle,
        VerifierKey.parse(about.verifier_key),
        exceptions,
        about.asked,
        register=REGISTERS[kind.register] if kind.register else None,
        rows=rows,
        inference=inference,
        progress=progress,
    )
    statistics.write_bytes(source.statistics_json)
    (work / VERDICT).write_bytes(verdict_bytes(source.report))
    attachments = [
        Attachment(STATISTICS, statistics, "application/json", "data", "Every figure of this report"),
        Attachment(REGISTER, exceptions, "text/csv", "supplement", "Every exception, a line each"),
    ]
    if kind.register:
        sheet = rows.with_suffix(".csv")
        attachments += [
            Attachment(
                ROWS, rows, "application/x-ndjson", "data", "The register: what was asked, then every row"
            ),
            Attachment(sheet.name, sheet, "text/csv", "supplement", "The same rows, for a spreadsheet"),
        ]
    if source.attached:
        what = "The evidence: entries, proofs, signed head"
        attachments.insert(0, Attachment(first.BUNDLE, bundle, "application/zip", "source", what))
    files = [(first.BUNDLE, source.sha256, _bundle_words(source))] + [
        (item.name, hashlib.sha256(item.path.read_bytes()).hexdigest(), item.description)
        for item in attachments
        if item.path != bundle
    ]
    blocks = [
        *first.cover(source, about),
        *first.signature(about),
        *first.limits(source, about),
        *(compared.pages(about.compared) if about.kind is Kind.REGULATOR else ()),
        *kind.sections(source),
        *annexes.trace(source),
        *annexes.checks(source),
        *annexes.attached(source, files),
        *annexes.figures(source),
    ]
    return _document(source, about, blocks), attachments


def _document(source: Source, about: Particulars, blocks: list[Block]) -> dict[str, Any]:
    head, title = source.head, KINDS[about.kind].title
    made = clock.parse(about.requested_at)
    root = base64.b64encode(head.root).decode()
    state = "DRAFT, not signed" if about.signed_off is None else f"Signed off {about.signed_off.time[:10]}"
    return {
        "title": title,
        "subtitle": plain(f"Of {head.origin}, on {about.requested_at[:10]}"),
        "author": plain(about.origin),
        "description": f"{title} {about.report_id}; tree head of {head.origin}: size {head.size}, root {root}",
        # The document information carries the tree head, for whoever reads it by a program.
        "keywords": [
            f"attending-report={about.report_id}",
            f"attending-origin={head.origin}",
            f"attending-size={head.size}",
            f"attending-root={root}",
            f"attending-bundle-sha256={source.sha256}",
        ],
        "date": {
            "year": made.year,
            "month": made.month,
            "day": made.day,
            "hour": made.hour,
            "minute": made.minute,
            "second": made.second,
        },
        "running": plain(f"{title} {about.report_id}"),
        "state": state,
        "foot": plain(f"{head.origin}, tree size {head.size}, root {root}"),
        "blocks": blocks,
    }


def _bundle_words(source: Source) -> str:
    if source.attached:
        return "The evidence: entries, proofs, signed head"
    return f"The evidence, {source.size_bytes} bytes: too large to attach, given beside this file"

"""The pages of a de-identified document: its figures and its checklist A to R, the document attached and no bundle.

Nothing is printed that is not in the document, fixed words apart; the document is verified under the log's key first,
and one that does not pass has no pages. No person signs them off here: their names stand under the report that is not
de-identified, in the log.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from attending.ledger.canonical import parse_canonical
from attending.ledger.checkpoint import UnverifiedCheckpoint, parse_checkpoint
from attending.ledger.errors import VerificationError
from attending.ledger.note import MAX_NOTE_BYTES, VerifierKey
from attending.ledger.verify import container as containers
from attending.ledger.verify import statistics as counting
from attending.ledger.verify.bundle import Anchors, Progress
from attending.ledger.verify.deidentified import (
    ACTIONS,
    BASIS,
    CHECKLIST,
    Document,
    figures_of,
    parse_document,
    records_of,
    verify_deidentified,
)
from attending.ledger.verify.manifest import CHECKPOINT, MANIFEST, MAX_MANIFEST_BYTES
from attending.ledger.verify.pdf.attachments import DOCUMENT, ROWS, STATISTICS
from attending.ledger.verify.registers import REGISTERS, Asked
from attending.ledger.verify.report import DEIDENTIFIED_CHECKS, Report, Status
from attending.ledger.verify.statistics import EntryStatistics, figure_lines, statistics_json
from attending.server.reports import guardrails, regulator
from attending.server.reports.blocks import Block, Column, code, heading, pairs, points, qr_code, table, text
from attending.server.reports.kinds import KINDS
from attending.server.reports.particulars import Kind
from attending.server.reports.pdf import TEMPLATE
from attending.server.reports.printed import plain
from attending.server.reports.source import MOST_ATTACHED_BYTES, Rows, write_rows
from attending.server.reports.typeset import Attachment, typeset

DEIDENTIFIABLE: Final = (Kind.REGULATOR, Kind.GUARDRAILS)
"""Kinds whose pages are counts. The others are about one person, output or incident, or about days."""
_ALL: Final = Asked(until="9999-12-31T23:59:59.999999Z")
"""A record has no day: its register is asked for everything."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A document that passed, and what its records come to."""

    document: Document
    head: UnverifiedCheckpoint
    sha256: str
    checklist: Mapping[str, Any]
    figures: Mapping[str, Any]
    report: Report
    rows: Rows


def make_report(
    path: Path, key: VerifierKey, kind: Kind, work: Path, *, progress: Progress | None = None
) -> bytes:
    """The PDF over the de-identified document at `path`, signed by the log's `key`: PDF/A-3a and PDF/UA-1, the same
    bytes for the same arguments. `work` is an empty folder of the caller's, `kind` one of DEIDENTIFIABLE. Blocks.

    Raises VerificationError (DOCUMENT_NOT_VERIFIED, DOCUMENT_TOO_LARGE, and where it is none), OSError.
    """
    if path.stat().st_size > MOST_ATTACHED_BYTES:
        detail = f"document has more than {MOST_ATTACHED_BYTES} bytes"
        raise VerificationError(detail, reason="DOCUMENT_TOO_LARGE")
    report = verify_deidentified(path, Anchors(keys=(key,)), progress)
    if report.verdict is not Status.PASSED:
        wrong = next(one for one in report.results if one.status is not Status.PASSED)
        raise VerificationError(f"{wrong.check}: {wrong.detail}", reason="DOCUMENT_NOT_VERIFIED")
    rows, statistics = work / ROWS, work / STATISTICS
    found = _read(path, report, kind, rows)
    statistics.write_bytes(statistics_json(found.figures))
    attachments = [
        Attachment(DOCUMENT, path, "application/zip", "source", "The de-identified document, signed"),
        Attachment(STATISTICS, statistics, "application/json", "data", "Every figure of this report"),
    ]
    if KINDS[kind].register:
        sheet = rows.with_suffix(".csv")
        attachments += [
            Attachment(ROWS, rows, "application/x-ndjson", "data", "The register over all records"),
            Attachment(sheet.name, sheet, "text/csv", "supplement", "The same rows, for a spreadsheet"),
        ]
    blocks = [
        *_cover(found, kind),
        *_limits(found),
        *_checklist(found),
        *(
            guardrails.pages(_ALL, found.rows)
            if kind is Kind.GUARDRAILS
            else regulator.of_figures(found.figures)
        ),
        *_annexes(found, attachments),
    ]
    return typeset(TEMPLATE, _document(found, kind, blocks), attachments, work)


def _read(path: Path, report: Report, kind: Kind, rows: Path) -> _Read:
    container = containers.open_container(path)
    try:
        document = parse_document(containers.read(container, MANIFEST, MAX_MANIFEST_BYTES))
        head = parse_checkpoint(containers.read(container, CHECKPOINT, MAX_NOTE_BYTES))
        checklist = parse_canonical(containers.read(container, CHECKLIST, counting.MAX_BYTES))
        counted = EntryStatistics()
        for entry in records_of(container):
            counted.visit(entry)
        listed = Rows()
        if (name := KINDS[kind].register) is not None:
            listed = write_rows(records_of(container), REGISTERS[name], _ALL, rows)
    finally:
        container.close()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    assert isinstance(checklist, dict), "the verifier passed it"
    return _Read(document, head, digest, checklist, figures_of(counted), report, listed)


def _cover(found: _Read, kind: Kind) -> Iterable[Block]:
    head, document = found.head, found.document
    root = base64.b64encode(head.root).decode()
    passed = sum(one.status is Status.PASSED for one in found.report.results)
    says = "\n".join(("attending-deidentified-report/1", head.origin, str(head.size), root, found.sha256))
    yield {
        "kind": "verdict",
        "label": "Offline verifier, over the de-identified document attached to this file, under the log's key",
        "word": "The document verifies",
        "lines": [
            f"{passed} checks passed; no identifier that has a form was found (V21)",
            f"{document.entries} records of {document.year}, made from a log of {head.size} entries",
            "That the records are those of the entries is asserted by the log's key, and proved by nothing here.",
        ],
        "qr": qr_code(says),
        "qr_says": f"QR code: log, tree size {head.size}, root and hash of the document as below",
    }
    yield pairs(
        [
            ("What it is", f"{KINDS[kind].title}, de-identified ({BASIS})"),
            ("Records from", str(document.year)),
            ("Source", f"scope {document.scope}, {document.entries} entries"),
        ]
    )
    yield heading("The tree head")
    yield pairs(
        [
            ("Log (origin)", head.origin),
            ("Tree size", head.size),
            ("Root hash", head.root.hex()),
            ("SHA-256 of the document", found.sha256),
        ],
        mono=frozenset(("Log (origin)", "Tree size", "Root hash", "SHA-256 of the document")),
    )
    yield heading("Verify it without us")
    yield code(["pip install attending", f'attending-verify {DOCUMENT} --deidentified --key "$KEY"'])
    yield heading("Signature")
    yield text(
        "The document is signed with the log's key. No person has signed these pages off: whoever stands for the",
        "figures does so under the report that is not de-identified, in the log. Where this file is sealed, the",
        "verifier says by whom.",
    )


def _limits(found: _Read) -> Iterable[Block]:
    yield heading("What this does not prove")
    yield points(
        [
            *(f"{checks}: {why}." for checks, why in found.report.not_checked.items()),
            "That nobody knows how to identify somebody from what is left (45 CFR 164.514(b)(2)(ii)): that is for a"
            " person to say. Small counts stay, since Safe Harbor has no least cell size.",
            "Anything to whoever holds a bundle of the same log: it leads back by the order of its entries.",
        ]
    )


def _checklist(found: _Read) -> Iterable[Block]:
    said = found.checklist
    yield heading("The 18 identifiers, A to R")
    yield text(
        f"By {BASIS}, over {said['records']} records and {said['texts']} texts: what became of each. They are those of",
        "the individual, and of relatives, employers and household members.",
    )
    yield table(
        [
            Column("", 10, 4),
            Column("Identifier", 0, 60),
            *(Column(name.capitalize(), 26, 14, right=True) for name in ACTIONS),
        ],
        [(one["letter"], one["identifier"], *(one[name] for name in ACTIONS)) for one in said["identifiers"]],
    )


def _annexes(found: _Read, files: Iterable[Attachment]) -> Iterable[Block]:
    yield heading("Annex: checks of the verifier")
    yield table(
        [Column("Check", 14, 8), Column("Result", 26, 16), Column("What holds", 0, 85)],
        [(one.check, one.status.value.replace("_", " "), one.detail) for one in found.report.results],
    )
    yield heading("What each check means", 2)
    yield table([Column("Check", 24, 12), Column("Meaning", 0, 95)], DEIDENTIFIED_CHECKS.items())
    yield heading("Annex: attachments")
    yield table(
        [Column("File", 36, 22), Column("What it is", 0, 34), Column("SHA-256", 76, 40, mono=True)],
        [
            (
                one.name,
                one.description,
                found.sha256 if one.name == DOCUMENT else hashlib.sha256(one.path.read_bytes()).hexdigest(),
            )
            for one in files
        ],
    )
    yield heading("Annex: Figures")
    yield text(
        "Every number of this report is one of these, of its checklist, or of its register. They are counted from the",
        "records by one function, which the verifier runs again (V20).",
        size=9.5,
    )
    yield {"kind": "figures", "lines": [f"{path} = {value}" for path, value in figure_lines(found.figures)]}


def _document(found: _Read, kind: Kind, blocks: list[Block]) -> dict[str, Any]:
    head, year = found.head, found.document.year
    title = f"{KINDS[kind].title}, de-identified"
    root = base64.b64encode(head.root).decode()
    return {
        "title": title,
        "subtitle": plain(f"Of {head.origin}, {year}"),
        "author": plain(head.origin),
        "description": f"{title}; tree head of {head.origin}: size {head.size}, root {root}",
        "keywords": [
            f"attending-origin={head.origin}",
            f"attending-size={head.size}",
            f"attending-root={root}",
            f"attending-bundle-sha256={found.sha256}",
        ],
        # No day: the year is what Safe Harbor leaves of a date.
        "date": {"year": max(1, year), "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0},
        "running": plain(title),
        "state": "Not signed off",
        "foot": plain(f"{head.origin}, tree size {head.size}, root {root}"),
        "blocks": blocks,
    }

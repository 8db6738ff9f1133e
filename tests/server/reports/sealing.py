"""A sealed report of a small log, and ways to make a bad one that only the check in question can tell."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pikepdf
import typst
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.entry import parse_entry
from attending.ledger.verify.pdf.document import Document
from attending.ledger.verify.pdf.seal import SealAnchors
from attending.ledger.verify.pdf.verify import verify_report
from attending.ledger.verify.register import register, register_csv
from attending.ledger.verify.report import Report, Status
from attending.ledger.verify.statistics import figure_lines, statistics_json, statistics_of
from attending.server.reports.seal import Seal, Sealer, build_sealer

from tests.ledger.verify.conftest import LogBuilder
from tests.server.reports.authorities import Office


def day(seed: int = 1) -> LogBuilder:
    made = LogBuilder(seed=seed)
    made.ordinary_day()
    return made


TEMPLATE = """
#let it = json("data.json")
#set document(title: "Regulator report", keywords: it.keywords)
#set page(footer: "Regulator report")
#set text(lang: "en", size: 8pt)
= Regulator report
Log #raw(it.origin) \\
Tree size #it.size \\
Root hash #raw(it.root) \\
SHA-256 of the bundle #raw(it.digest)
#pagebreak()
= Annex: Figures
#for line in it.lines { raw(line); linebreak() }
#for name in it.names {
  pdf.attach(name, relationship: "data", mime-type: "application/octet-stream", description: name)
}
"""
"""As the pages of a report have it (attending.server.reports), in little."""


def unsealed(
    log: LogBuilder,
    folder: Path,
    figure: Callable[[str, str], str] = lambda _, value: value,
    **printed: object,
) -> Path:
    """A report over `log` with its evidence attached; `figure` may print another value than was counted, `printed` is
    what the first page says instead.
    """
    folder.mkdir(exist_ok=True)
    bundle = log.full(folder / "bundle.attending", figures=True)
    entries = [parse_entry(data) for data in log.entries]
    counted = statistics_of(entries)
    (folder / "statistics.json").write_bytes(statistics_json(counted))
    (folder / "register.csv").write_bytes(b"".join(register_csv(register(entries))))
    head = parse_checkpoint(log.checkpoint().encode())
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    data = {
        "keywords": [
            f"attending-origin={head.origin}",
            f"attending-size={head.size}",
            f"attending-root={base64.b64encode(head.root).decode()}",
            f"attending-bundle-sha256={digest}",
        ],
        "origin": head.origin,
        "size": head.size,
        "root": head.root.hex(),
        "digest": digest,
        "lines": [f"{path} = {figure(path, value)}" for path, value in figure_lines(counted)],
        "names": ["bundle.attending", "statistics.json", "register.csv"],
        **printed,
    }
    (folder / "data.json").write_text(json.dumps(data))
    (folder / "report.typ").write_text(TEMPLATE)
    made = typst.Compiler(root=str(folder), ignore_system_fonts=True).compile(
        str(folder / "report.typ"),
        root=str(folder),
        format="pdf",
        pdf_standards=["a-3a", "ua-1"],
        timestamp=0,
    )
    assert isinstance(made, bytes)
    path = folder / "report.pdf"
    path.write_bytes(made)
    return path


class Forger(Sealer):
    """Gives out what it sealed without looking at it, as whoever holds the key could."""

    def _proved(self, part: Path) -> Seal:
        with Document(part) as document:
            return Seal(datetime(2026, 11, 28, tzinfo=UTC), "unproved", document.size)


def sealed(office: Office, source: Path, target: Path, *, forged: bool = False, **more: Any) -> Seal:
    """Seals over real HTTP, by an authority on loopback."""
    with office.stamps.listening():
        sealer = build_sealer(office.section(**more))
        if forged:
            sealer.__class__ = Forger

        async def run() -> Seal:
            try:
                return await sealer.seal(source, target)
            finally:
                await sealer.close()

        return asyncio.run(run())


def forged(office: Office, source: Path, target: Path) -> Path:
    sealed(office, source, target, forged=True)
    return target


def edited(source: Path, target: Path, change: Callable[[pikepdf.Pdf], None]) -> Path:
    """Another PDF of the same form, for sealing again."""
    with pikepdf.open(source) as pdf:
        change(pdf)
        pdf.save(
            target,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            stream_decode_level=pikepdf.StreamDecodeLevel.none,
            compress_streams=False,
        )
    return target


def attachment(pdf: pikepdf.Pdf, name: str) -> pikepdf.Object:
    """The stream of an attachment."""
    names = pdf.Root.Names.EmbeddedFiles
    while "/Kids" in names:
        names = names.Kids[0]
    items = list(names.Names)
    found = {str(key): value for key, value in zip(items[::2], items[1::2], strict=True)}
    return found[name].EF.F


def verified(log: LogBuilder, path: Path, seal: SealAnchors, **more: Any) -> Report:
    return verify_report(path, log.anchors(**more), seal)


def failed(report: Report) -> set[str]:
    return {item.check for item in report.results if item.status is Status.FAILED}


def open_checks(report: Report) -> set[str]:
    """Checks that could not be decided, and count."""
    return {
        item.check for item in report.results if item.status is Status.INDETERMINATE and not item.advisory
    }

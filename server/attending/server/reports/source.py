"""What the pages of a report are made from: one finished bundle, read again, and the verdict over it.

A report says nothing that is not in its bundle: whoever holds the bundle can make the pages' figures again.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from attending.ledger.canonical import MAX_ENTRY_BYTES, encode
from attending.ledger.checkpoint import UnverifiedCheckpoint, parse_checkpoint
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.note import MAX_NOTE_BYTES, VerifierKey
from attending.ledger.verify import container as containers
from attending.ledger.verify.bundle import Anchors, Progress, verify_bundle
from attending.ledger.verify.container import Container
from attending.ledger.verify.manifest import (
    CHECKPOINT,
    ENTRIES,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    STATISTICS,
    Manifest,
    parse_manifest,
)
from attending.ledger.verify.register import Line, line_of, register_csv
from attending.ledger.verify.registers import Asked, Register, Row
from attending.ledger.verify.registers.changes import CHANGES
from attending.ledger.verify.registers.register import as_csv, as_json
from attending.ledger.verify.report import Report
from attending.ledger.verify.statistics import MAX_BYTES, EntryStatistics, statistics_json

MOST_LINES: Final = 200
"""Exceptions, changes and signatures that are printed one by one; the register that is attached has all."""
MOST_TRACED: Final = 400
"""Entries of one inference that a dossier prints."""


MOST_ATTACHED_BYTES: Final = 256 << 20
"""A larger bundle is not attached: it is given beside the report, which names its hash."""


@dataclass
class Gathered:
    """What one pass over the entries keeps: bounded, however many entries there are."""

    statistics: Mapping[str, Any] = field(default_factory=dict)
    exceptions: list[Line] = field(default_factory=list)
    exceptions_total: int = 0
    changes: deque[Entry] = field(default_factory=lambda: deque(maxlen=MOST_LINES))
    """The newest entries that put something in force or out of it."""
    changes_total: int = 0
    signatures: deque[Entry] = field(default_factory=lambda: deque(maxlen=MOST_LINES))
    signatures_total: int = 0
    incidents: deque[Entry] = field(default_factory=lambda: deque(maxlen=MOST_LINES))
    incidents_total: int = 0
    traced: str | None = None
    """The inference that the report is about, or else the last one that was released."""
    trace: list[tuple[int, Entry]] = field(default_factory=list)
    """Its entries, each with the number of its line in the bundle, from 1."""


@dataclass
class Rows:
    """The rows of a report's register: of each list the first MOST_LINES, and how many there are."""

    shown: dict[str, list[Row]] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> list[Row]:
        """Those of a list that are printed."""
        return self.shown.get(name, [])

    def total(self, name: str) -> int:
        """How many a list has."""
        return self.totals.get(name, 0)


@dataclass(frozen=True)
class Source:
    """A bundle, what was gathered from it, and what the verifier says of it."""

    path: Path
    sha256: str
    size_bytes: int
    manifest: Manifest
    head: UnverifiedCheckpoint
    report: Report
    gathered: Gathered
    asked: Asked
    rows: Rows = field(default_factory=Rows)
    """Of the report's own register, where its kind has one."""

    @property
    def attached(self) -> bool:
        """Whether the report carries the bundle, or names it."""
        return self.size_bytes <= MOST_ATTACHED_BYTES

    @property
    def statistics_json(self) -> bytes:
        """The bytes of `statistics.json`, counted here; V20 says whether those of the bundle are the same."""
        return statistics_json(self.gathered.statistics)


_INCIDENTS: Final = frozenset({"incident.opened", "incident.closed"})


def read_source(
    path: Path,
    key: VerifierKey,
    exceptions: Path,
    asked: Asked,
    *,
    register: Register | None = None,
    rows: Path | None = None,
    inference: str | None = None,
    progress: Progress | None = None,
) -> Source:
    """Reads and verifies the bundle at `path` under the log's `key`, and writes its register of exceptions as CSV to
    `exceptions`, the rows of `register` as JSON lines to `rows` and as CSV beside it. `inference` names the one that a
    dossier is about.

    Raises VerificationError where it is no bundle, OSError.
    """
    report = verify_bundle(path, Anchors(keys=(key,)), progress)
    container = containers.open_container(path)
    try:
        manifest = parse_manifest(containers.read(container, MANIFEST, MAX_MANIFEST_BYTES))
        head = parse_checkpoint(containers.read(container, CHECKPOINT, MAX_NOTE_BYTES))
        gathered = _gather(_entries(container), exceptions)
        gathered.traced = inference or gathered.traced
        if gathered.traced is not None:
            gathered.trace = _trace(container, gathered.traced)
        listed = Rows()
        if register is not None and rows is not None:
            listed = write_rows(_entries(container), register, asked, rows)
    finally:
        container.close()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Source(path, digest, path.stat().st_size, manifest, head, report, gathered, asked, listed)


def statistics_in(path: Path) -> bytes:
    """The bytes of `statistics.json` in a bundle. Raises VerificationError."""
    container = containers.open_container(path)
    try:
        return containers.read(container, STATISTICS, MAX_BYTES)
    finally:
        container.close()


def _entries(container: Container) -> Iterator[Entry]:
    for line in containers.lines(container.chunks(ENTRIES), MAX_ENTRY_BYTES):
        yield parse_entry(line)


def write_rows(entries: Iterator[Entry], register: Register, asked: Asked, path: Path) -> Rows:
    """Writes the rows of a register as JSON lines to `path` and as CSV beside it; those that are printed. OSError."""
    listed = Rows()
    with path.open("wb") as lines, path.with_suffix(".csv").open("wb") as sheet:
        lines.write(register.head(asked))
        sheet.write(as_csv(register.columns))
        for row in register.rows(entries, asked):
            lines.write(as_json(row))
            sheet.write(as_csv(row))
            name = str(row[0])
            listed.totals[name] = listed.total(name) + 1
            if listed.total(name) <= MOST_LINES:
                listed.shown.setdefault(name, []).append(row)
    return listed


def _gather(entries: Iterator[Entry], register: Path) -> Gathered:
    found, figures = Gathered(), EntryStatistics()

    def exceptions() -> Iterator[Line]:
        for entry in entries:
            figures.visit(entry)
            _note(found, entry)
            if (line := line_of(entry)) is not None:
                found.exceptions_total += 1
                if len(found.exceptions) < MOST_LINES:
                    found.exceptions.append(line)
                yield line

    with register.open("wb") as file:
        for row in register_csv(exceptions()):
            file.write(row)
    found.statistics = figures.result()
    return found


def _note(found: Gathered, entry: Entry) -> None:
    if entry.type in CHANGES:
        found.changes.append(entry)
        found.changes_total += 1
    elif entry.type == "review.signed":
        found.signatures.append(entry)
        found.signatures_total += 1
    elif entry.type in _INCIDENTS:
        found.incidents.append(entry)
        found.incidents_total += 1
    elif entry.type == "inference.released":
        found.traced = entry.stream


def _trace(container: Container, stream: str) -> list[tuple[int, Entry]]:
    """The entries of one stream, MOST_TRACED at most. A line that does not name it is not parsed."""
    name = encode(stream)
    found = []
    for number, line in enumerate(containers.lines(container.chunks(ENTRIES), MAX_ENTRY_BYTES), 1):
        if name in line and (entry := parse_entry(line)).stream == stream:
            found.append((number, entry))
            if len(found) == MOST_TRACED:
                break
    return found

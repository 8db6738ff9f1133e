"""A de-identified document: what it holds, and what is proved of one.

The entries of a log say when something happened, and every proof is over their exact bytes; a document without dates
can therefore not carry them. It is a document of its own, which the log's key signs: records made from the entries by
a list of what may stand in one, a checklist of what was removed, and the head of the log that they were made from.
That the records are those of the entries is asserted by who signed, and shown by nothing here (ADR 0010).

Steps: 1. container, manifest, its signature and files; 2. the head; 3. every record and text, read and searched for
identifiers (V21); 4. the figures and the checklist, counted again (V20).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from attending.ledger import checkpoint as checkpoints
from attending.ledger.canonical import MAX_ENTRY_BYTES, encode, parse_canonical
from attending.ledger.entry import GENESIS_PREV, Entry, format_time
from attending.ledger.errors import VerificationError
from attending.ledger.note import MAX_NOTE_BYTES, parse_note, verify_note
from attending.ledger.verify import container as containers
from attending.ledger.verify import manifest as manifests
from attending.ledger.verify import statistics as figures
from attending.ledger.verify.bundle import Anchors, Progress
from attending.ledger.verify.container import Container
from attending.ledger.verify.identifiers import LETTERS, letters_in
from attending.ledger.verify.introductions import Introductions, signed_in_term
from attending.ledger.verify.manifest import (
    CHECKPOINT,
    MANIFEST,
    MANIFEST_SIGNATURE,
    MAX_MANIFEST_BYTES,
    STATISTICS,
    FileEntry,
    files_json,
    parse_files,
)
from attending.ledger.verify.report import DEIDENTIFIED_CHECKS, Findings, Kind, Report, verdict_of
from attending.ledger.verify.statistics import EntryStatistics

FORMAT: Final = "attending-deidentified/1"
RECORDS: Final = "records.jsonl"
TEXTS: Final = "texts.jsonl"
CHECKLIST: Final = "checklist.json"
BASIS: Final = "45 CFR 164.514(b)(2)"
MAX_TEXT_BYTES: Final = 4 << 20
"""Of one line of `texts.jsonl`."""
ACTIONS: Final = ("generalised", "removed", "replaced")
"""What may have become of an identifier: a year for a date, nothing, or a random pseudonym or placeholder."""

_LATER: Final = re.compile(r"attending-deidentified/[0-9]{1,9}", re.ASCII)
_MARK: Final = b'"format":"attending-deidentified/'
_FIELDS: Final = frozenset({"files", "format", "origin", "pseudonyms", "source", "year"})
_SOURCE: Final = frozenset({"entries", "root", "scope", "tree_size"})
_RECORD: Final = frozenset({"actor", "body", "elapsed_us", "record", "stream", "subject", "type", "year"})
_TEXT: Final = frozenset({"kind", "record", "text"})
_KNOWN: Final = frozenset({RECORDS, TEXTS, CHECKLIST, STATISTICS, CHECKPOINT})
_HEX32: Final = re.compile(r"[0-9a-f]{64}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}", re.ASCII)
_PSEUDONYM: Final = re.compile(r"[a-z]{1,10}:[a-z2-7]{26}", re.ASCII)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MOST_MICROSECONDS: Final = 100 * 366 * 86_400 * 1_000_000
_NOT_CHECKED: Final = {
    "V6 V7 V9 V11 to V17 V19 V22 to V24": "the entries are withheld, since their bytes hold dates and codes: that the "
    "records are made from them is asserted by the log's key, and proved by the bundle that the document was made from",
    "names": "V21 finds what has a form; a name without title or label has none, and was looked for before the file was"
    " given",
    "numbers": "V21 reads texts: that a number of a record counts what its field says is asserted by the log's key",
}


@dataclass(frozen=True, slots=True)
class Document:
    """The manifest: which log, in which year, made from which head and how many of its entries. `pseudonyms` is the
    commitment of the log's entry to the secret that its pseudonyms were drawn with.
    """

    origin: str
    year: int
    tree_size: int
    root: str
    scope: str
    entries: int
    pseudonyms: str
    files: Mapping[str, FileEntry]

    def encode(self) -> bytes:
        """The canonical bytes of `manifest.json`."""
        return encode(
            {
                "files": files_json(self.files),
                "format": FORMAT,
                "origin": self.origin,
                "pseudonyms": self.pseudonyms,
                "source": {
                    "entries": self.entries,
                    "root": self.root,
                    "scope": self.scope,
                    "tree_size": self.tree_size,
                },
                "year": self.year,
            }
        )


def signed_text(origin: str, manifest: bytes) -> str:
    """The text of `manifest.sig` for the log of this origin."""
    return manifests.signed_text(origin, manifest, container=FORMAT)


def is_deidentified(path: Path) -> bool:
    """Whether the container at `path` calls itself a de-identified document. OSError."""
    return containers.says(path, MANIFEST, _MARK, MAX_MANIFEST_BYTES)


def parse_document(data: bytes) -> Document:
    """The manifest of canonical bytes. Raises VerificationError: CANONICAL_FORM, UNKNOWN_VERSION, MANIFEST_SCHEMA."""
    value = parse_canonical(data)
    if type(value) is not dict:
        raise _error("manifest is not an object")
    version, source = value.get("format"), value.get("source")
    if type(version) is str and version != FORMAT and _LATER.fullmatch(version):
        raise VerificationError("document is of a later format", reason="UNKNOWN_VERSION")
    if value.keys() != _FIELDS or version != FORMAT or type(source) is not dict or source.keys() != _SOURCE:
        raise _error("fields are not exactly those of version 1")
    counts = (value["year"], source["tree_size"], source["entries"])
    hashes = (source["root"], value["pseudonyms"])
    if any(type(one) is not int or one < 0 for one in counts) or counts[0] > 9999:
        raise _error("year or sizes are not counts")
    if any(type(one) is not str or not _HEX32.fullmatch(one) for one in hashes):
        raise _error("root or pseudonyms are not hashes")
    if type(value["origin"]) is not str or source["scope"] not in ("full", "range", "subset"):
        raise _error("`origin` or `scope` is not well formed")
    return Document(
        origin=value["origin"],
        year=value["year"],
        tree_size=source["tree_size"],
        root=source["root"],
        scope=source["scope"],
        entries=source["entries"],
        pseudonyms=value["pseudonyms"],
        files=_files(value["files"]),
    )


def _files(value: object) -> dict[str, FileEntry]:
    files = parse_files(value)
    if not {RECORDS, CHECKLIST, STATISTICS, CHECKPOINT} <= files.keys() <= _KNOWN:
        raise _error("a document lists records, figures, checklist and head, perhaps texts, and nothing else")
    return files


def parse_record(line: bytes, origin: str, number: int) -> Entry:
    """A line of `records.jsonl` as an entry that `EntryStatistics` counts: its time is the moment in its own stream,
    and says nothing of a day. Raises VerificationError.
    """
    value = parse_canonical(line)
    if type(value) is not dict or value.keys() != _RECORD:
        raise _error("fields of a record are not exactly those of version 1")
    names = (value["actor"], value["stream"], value["subject"])
    if any(one is not None and (type(one) is not str or not _PSEUDONYM.fullmatch(one)) for one in names):
        raise _error("`actor`, `stream` or `subject` is no pseudonym")
    if (
        names[0] is None
        or names[1] is None
        or type(value["type"]) is not str
        or not _TYPE.fullmatch(value["type"])
    ):
        raise _error("`actor`, `stream` or `type` is missing")
    elapsed, year = value["elapsed_us"], value["year"]
    if type(elapsed) is not int or not 0 <= elapsed <= _MOST_MICROSECONDS:
        raise _error("`elapsed_us` is no time")
    if (
        type(year) is not int
        or not 1 <= year <= 9999
        or value["record"] != number
        or type(value["body"]) is not dict
    ):
        raise _error("`record`, `year` or `body` is not well formed")
    return Entry(
        index=number,
        data=line,
        origin=origin,
        prev=GENESIS_PREV,
        time=format_time(_EPOCH + timedelta(microseconds=elapsed)),
        occurred_at=None,
        type=value["type"],
        stream=value["stream"],
        actor=value["actor"],
        subject=value["subject"],
        body=value["body"],
        commitments=(),
    )


def records_of(container: Container) -> Iterator[Entry]:
    """The records of a document, as `parse_record` reads each. Raises VerificationError."""
    origin = parse_document(containers.read(container, MANIFEST, MAX_MANIFEST_BYTES)).origin
    for number, line in enumerate(containers.lines(container.chunks(RECORDS), MAX_ENTRY_BYTES)):
        yield parse_record(line, origin, number)


def figures_of(counted: EntryStatistics) -> dict[str, Any]:
    """The figures of records: those of entries, without the places and times that records have none of."""
    result = counted.result()
    result["entries"] = {
        **result["entries"],
        **dict.fromkeys(("first_index", "first_time", "last_index", "last_time")),
    }
    return result


def verify_deidentified(path: Path, anchors: Anchors, progress: Progress | None = None) -> Report:
    """The report over the document at `path`. Whatever it holds, problems are results, not exceptions; OSError when the
    path cannot be read.
    """
    findings = Findings(DEIDENTIFIED_CHECKS)
    try:
        # Every byte of a record is read by over thirty patterns: a file that inflates would cost more than it weighs.
        source = containers.open_container(path, compressed=False)  # 1
    except VerificationError as err:
        findings.fail("V1", err.detail)
        return _report(findings, None, {})
    try:
        return _Verification(source, anchors, findings, progress).run()
    finally:
        source.close()


def _report(findings: Findings, document: Document | None, statistics: Mapping[str, Any]) -> Report:
    results = tuple(findings.results())
    return Report(
        results=results,
        verdict=verdict_of(results),
        statistics=statistics,
        origin=None if document is None else document.origin,
        not_checked=_NOT_CHECKED,
        sentences=DEIDENTIFIED_CHECKS,
        kind=Kind.DEIDENTIFIED,
    )


class _Verification:
    def __init__(
        self, source: Container, anchors: Anchors, findings: Findings, progress: Progress | None
    ) -> None:
        self._source = source
        self._anchors = anchors
        self._findings = findings
        self._progress = progress
        self._searched = 0

    def run(self) -> Report:
        report = self._findings
        try:
            data = containers.read(self._source, MANIFEST, MAX_MANIFEST_BYTES)
            self._document = document = parse_document(data)
        except VerificationError as err:
            (report.doubt if err.reason == "UNKNOWN_VERSION" else report.fail)("V1", err.detail)
            return _report(report, None, {})
        self._keys = Introductions(report, document.origin, self._anchors.keys).terms
        self._check_signature(data)
        self._check_names()
        self._check_head()  # 2
        counted, count = EntryStatistics(), 0
        for line in self._lines(RECORDS, MAX_ENTRY_BYTES):  # 3
            try:
                entry = parse_record(line, document.origin, count)
            except VerificationError as err:
                report.fail("V5", err.detail, count)
                entry = None
            if entry is not None:
                counted.visit(entry)
                self._search("record", (entry.type, entry.body), count)
            count += 1
            if self._progress is not None and not count % 1000:
                self._progress(count, document.entries)
        texts = self._check_texts(count) if TEXTS in document.files else 0
        if count != document.entries:
            report.fail("V7", f"{count} records, and {document.entries} entries that they were made from")
        report.passed("V5", f"{count} records are canonical and of the schema")
        report.passed("V7", f"{count} records, one for each entry of the source as it states their number")
        counts = figures_of(counted)
        self._check_figures(counts)  # 4
        self._check_checklist(count, texts)
        for name in sorted(document.files.keys() - {RECORDS, TEXTS, STATISTICS, CHECKLIST}):
            self._drain(name)
        report.passed("V1", f"{len(document.files)} files are those of the signed manifest")
        report.passed(
            "V21",
            f"nothing in {self._searched} records, texts and tables has the form of one of the 18 identifiers",
        )
        return _report(report, document, counts)

    def _check_signature(self, manifest: bytes) -> None:
        report, document = self._findings, self._document
        try:
            note = parse_note(containers.read(self._source, MANIFEST_SIGNATURE, MAX_NOTE_BYTES))
            if note.text != signed_text(document.origin, manifest):
                report.fail("V1", "manifest is not the one that was signed")
            elif not any(key.name == document.origin for key in self._anchors.keys):
                report.doubt("V1", "no key of this log was given")
            else:
                signed = verify_note(note, [term.key for term in self._keys])
                if (why := signed_in_term(signed, self._keys, document.tree_size)) is not None:
                    report.fail("V1", why)
        except VerificationError as err:
            report.fail("V1", f"signature of the manifest: {err.detail}")

    def _check_names(self) -> None:
        report, listed = self._findings, self._document.files
        try:
            present = self._source.names - {MANIFEST, MANIFEST_SIGNATURE}
        except VerificationError as err:
            report.fail("V1", err.detail)
            return
        for name in sorted(present - listed.keys()):
            report.fail("V1", f"`{name}` is not listed in the manifest")

    def _check_head(self) -> None:
        report, document = self._findings, self._document
        try:
            note = containers.read(self._source, CHECKPOINT, MAX_NOTE_BYTES)
            claim = checkpoints.parse_checkpoint(note)
            stated = (claim.origin, claim.size, claim.root.hex())
            if stated != (document.origin, document.tree_size, document.root):
                report.fail("V8", "head is not the one that the manifest states")
            if not any(key.name == claim.origin for key in self._anchors.keys):
                report.doubt("V8", "no key of this log was given")
                return
            quorum = self._anchors.quorum
            head = checkpoints.verify(
                claim,
                self._keys,
                witnesses=self._anchors.witnesses,
                quorum=len(self._anchors.witnesses) if quorum is None else quorum,
            )
        except VerificationError as err:
            report.fail("V8", err.detail)
            return
        report.passed(
            "V8", f"head of size {head.size} is signed by the log, cosigned by {len(head.cosigned)}"
        )

    def _check_texts(self, records: int) -> int:
        count = 0
        for number, line in enumerate(self._lines(TEXTS, MAX_TEXT_BYTES)):
            count += 1
            try:
                value = parse_canonical(line)
            except VerificationError as err:
                self._findings.fail("V5", f"text {number}: {err.detail}")
                continue
            if (
                type(value) is not dict
                or value.keys() != _TEXT
                or any(type(value[name]) is not str for name in ("kind", "text"))
                or type(value["record"]) is not int
                or not 0 <= value["record"] < records
            ):
                self._findings.fail("V5", f"text {number} is not well formed, or of no record")
                continue
            self._search(f"text {number}", (value["kind"], value["text"]), value["record"])
        return count

    def _search(self, what: str, value: object, number: int | None) -> None:
        """V21, over every text of a value as it reads, and not as JSON writes it."""
        self._searched += 1
        letters = sorted({letter for text in _texts(value) for letter in letters_in(text)})
        for letter in letters:
            self._findings.fail(
                "V21", f"{what} holds what has the form of {letter}, {LETTERS[letter]}", number
            )

    def _check_figures(self, counted: Mapping[str, Any]) -> None:
        report = self._findings
        try:
            stated = parse_canonical(self._small(STATISTICS))
        except VerificationError as err:
            report.fail("V20", f"`{STATISTICS}`: {err.detail}")
            return
        self._search(f"`{STATISTICS}`", stated, None)
        if type(stated) is not dict:
            report.fail("V20", f"`{STATISTICS}` is not an object")
        elif figures.is_later(stated.get("format")):
            report.doubt("V20", f"`{STATISTICS}` is of a later format")
        elif (path := figures.first_difference(stated, counted)) is not None:
            # The table, and not its row: a label may be what does not belong there.
            table = " / ".join(path.split(" / ")[:2])
            report.fail("V20", f"`{STATISTICS}`: `{table}` is not that of the records")
        lines = sum(1 for _ in figures.figure_lines(counted))
        report.passed("V20", f"{lines} figures are those of the records, and the checklist is whole")

    def _check_checklist(self, records: int, texts: int) -> None:
        report = self._findings
        try:
            stated = parse_canonical(self._small(CHECKLIST))
        except VerificationError as err:
            report.fail("V20", f"`{CHECKLIST}`: {err.detail}")
            return
        if (why := wrong_in(stated, records, texts)) is not None:
            report.fail("V20", f"`{CHECKLIST}`: {why}")

    # -- files -----------------------------------------------------------------------------------------------

    def _hashed(self, name: str) -> Iterator[bytes]:
        digest, size = hashlib.sha256(), 0
        for chunk in self._source.chunks(name):
            digest.update(chunk)
            size += len(chunk)
            yield chunk
        listed = self._document.files[name]
        if digest.hexdigest() != listed.sha256 or size != listed.size_bytes:
            self._findings.fail("V1", f"`{name}` is not the file that was signed")

    def _lines(self, name: str, limit_bytes: int) -> Iterator[bytes]:
        try:
            yield from containers.lines(self._hashed(name), limit_bytes)
        except VerificationError as err:
            self._findings.fail("V1", f"`{name}`: {err.detail}")

    def _small(self, name: str) -> bytes:
        parts, size = [], 0
        for chunk in self._hashed(name):
            size += len(chunk)
            if size > figures.MAX_BYTES:
                raise VerificationError("file is too large")
            parts.append(chunk)
        return b"".join(parts)

    def _drain(self, name: str) -> None:
        try:
            for _ in self._hashed(name):
                pass
        except VerificationError as err:
            self._findings.fail("V1", err.detail)


def wrong_in(checklist: object, records: int, texts: int) -> str | None:
    """What is wrong with a checklist over so many records and texts; None where it is whole. It has the letters A to R
    once each, in order, with counts; every record had a date that became a year.
    """
    if type(checklist) is not dict or checklist.keys() != {"basis", "identifiers", "records", "texts"}:
        return "fields are not exactly those of version 1"
    lines = checklist["identifiers"]
    if type(lines) is not list or any(
        type(one) is not dict or one.keys() != {"identifier", "letter", *ACTIONS} for one in lines
    ):
        return "`identifiers` is not well formed"
    if [(one["letter"], one["identifier"]) for one in lines] != list(LETTERS.items()):
        return "identifiers are not A to R, once each"
    counts = [one[name] for one in lines for name in ACTIONS] + [checklist["records"], checklist["texts"]]
    if any(type(one) is not int or one < 0 for one in counts) or checklist["basis"] != BASIS:
        return "a count is none, or the basis is another"
    if checklist["records"] != records:
        return f"it is over {checklist['records']} records, and there are {records}"
    if checklist["texts"] != texts:
        return f"it is over {checklist['texts']} texts, and there are {texts}"
    if lines[2]["generalised"] < records:
        return "fewer dates became years than there are records"
    return None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield str(name)
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def _error(detail: str) -> VerificationError:
    return VerificationError(detail, reason="MANIFEST_SCHEMA")

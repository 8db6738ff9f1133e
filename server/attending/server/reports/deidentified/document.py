"""`python -m attending.server.reports.deidentified.document`: makes a de-identified document of a bundle.

How the order comes and how far it is goes out, `process` says; its last word is the text to sign, or the letters of
what could not be replaced.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from attending.guardrails.patient import Identity
from attending.guardrails.phi.detect import PhiDetector, load_detector
from attending.ledger.canonical import MAX_ENTRY_BYTES, encode, parse_canonical
from attending.ledger.checkpoint import parse_checkpoint
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.note import MAX_NOTE_BYTES, decode_base64
from attending.ledger.verify import container as containers
from attending.ledger.verify.deidentified import (
    CHECKLIST,
    RECORDS,
    TEXTS,
    Document,
    figures_of,
    parse_record,
    signed_text,
)
from attending.ledger.verify.manifest import (
    CHECKPOINT,
    ENTRIES,
    MANIFEST,
    MAX_MANIFEST_BYTES,
    PAYLOADS,
    STATISTICS,
    FileEntry,
    parse_manifest,
)
from attending.ledger.verify.payloads import MAX_LINE_BYTES
from attending.ledger.verify.statistics import EntryStatistics, statistics_json
from attending.ledger.verify.writer import add_member
from attending.server.inference.entries import load_request
from attending.server.reports.deidentified.pseudonyms import Pseudonyms
from attending.server.reports.deidentified.records import Records
from attending.server.reports.deidentified.tally import Tally
from attending.server.reports.deidentified.texts import KINDS, IdentifiersRemainError, Texts
from attending.server.reports.deidentified.words import Words
from attending.server.reports.process import take_order, tell
from attending.server.reports.undisclosed import UNDISCLOSED

_TOLD_EVERY: Final = 1_000
_MOST_KNOWN: Final = 100_000
"""Inferences whose patient is remembered, so that the name is found in their texts in whatever form: also in one that a
reviewer changed, days and thousands of inferences later.
"""


def write_document(
    bundle: Path,
    out: Path,
    secret: bytes,
    pseudonyms: str,
    detector: PhiDetector,
    progress: Callable[[int, int], None],
    map_out: Path | None = None,
) -> str:
    """Writes all of the document at `out` but its signature, and returns the text to sign. Blocks.

    Raises IdentifiersRemainError, VerificationError, OSError.
    """
    made = _Making(bundle, secret, detector, progress)
    files: dict[str, FileEntry] = {}
    try:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            files[RECORDS] = add_member(archive, RECORDS, made.records())
            if PAYLOADS in made.manifest.files:
                files[TEXTS] = add_member(archive, TEXTS, made.texts())
            files[CHECKPOINT] = add_member(archive, CHECKPOINT, [made.note])
            files[STATISTICS] = add_member(archive, STATISTICS, [statistics_json(figures_of(made.counted))])
            checklist = encode(made.tally.checklist(made.written.count))
            files[CHECKLIST] = add_member(archive, CHECKLIST, [checklist])
            head = parse_checkpoint(made.note)
            data = Document(
                origin=made.manifest.origin,
                year=made.year,
                tree_size=head.size,
                root=head.root.hex(),
                scope=made.manifest.scope.value,
                entries=made.written.count,
                pseudonyms=pseudonyms,
                files=files,
            ).encode()
            add_member(archive, MANIFEST, [data])
    finally:
        made.close()
    if map_out is not None:
        with map_out.open("wb") as file:
            for pseudonym, name in made.pseudonyms.map():
                file.write(encode({"name": name, "pseudonym": pseudonym}) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    return signed_text(made.manifest.origin, data)


class _Making:
    """What one pass over the entries, and a second one beside the payloads, make."""

    def __init__(
        self, bundle: Path, secret: bytes, detector: PhiDetector, progress: Callable[[int, int], None]
    ) -> None:
        self._entries = containers.open_container(bundle)
        self._payloads = containers.open_container(bundle)
        self._progress = progress
        self.manifest = parse_manifest(containers.read(self._entries, MANIFEST, MAX_MANIFEST_BYTES))
        self.note = containers.read(self._entries, CHECKPOINT, MAX_NOTE_BYTES)
        self.year = int(self.manifest.created[:4])
        self.tally = Tally()
        self.pseudonyms = Pseudonyms(secret)
        self.written = Records(self.pseudonyms, Words(detector), self.tally)
        self.counted = EntryStatistics()
        self._texts = Texts(detector, self.tally, self.year)
        self._known: OrderedDict[str, Identity | None] = OrderedDict()

    def close(self) -> None:
        self._entries.close()
        self._payloads.close()

    def records(self) -> Iterator[bytes]:
        total = self.manifest.statistics["entries"]
        for entry in self._all():
            line = self.written.line(entry)
            # Read as the verifier reads it: what is written is what it will count.
            self.counted.visit(parse_record(line, self.manifest.origin, self.written.count - 1))
            yield line + b"\n"
            if not self.written.count % _TOLD_EVERY or self.written.count == total:
                self._progress(self.written.count, total)

    def texts(self) -> Iterator[bytes]:
        lines = containers.lines(self._payloads.chunks(PAYLOADS), MAX_LINE_BYTES)
        for number, entry in enumerate(self._all()):
            for item in entry.commitments:
                if item.kind in UNDISCLOSED:
                    continue
                value = parse_canonical(next(lines))
                assert isinstance(value, dict)
                if value["record"] != item.record:
                    raise ValueError("payloads are not in the order of their entries")
                content = decode_base64(value["content"]) if "content" in value else None
                if content is None:
                    continue
                if item.kind == "request":
                    self._remember(entry.stream, content)
                elif item.kind in KINDS and not self._unknown(entry.stream):
                    text = self._texts.clean(
                        content.decode("utf-8", "replace"), self._known.get(entry.stream)
                    )
                    yield encode({"kind": item.kind, "record": number, "text": text}) + b"\n"

    def _remember(self, stream: str, request: bytes) -> None:
        self._known[stream] = load_request(request).context.identity
        if len(self._known) > _MOST_KNOWN:
            self._known.popitem(last=False)

    def _unknown(self, stream: str) -> bool:
        """Whether a text is about somebody whose name is not known here: its request began before the period, is gone,
        or was too many requests ago.
        """
        return stream.startswith("inf_") and stream not in self._known

    def _all(self) -> Iterator[Entry]:
        for line in containers.lines(self._entries.chunks(ENTRIES), MAX_ENTRY_BYTES):
            yield parse_entry(line)


def main() -> int:
    """Carries out the order on standard input."""
    order = take_order()
    said: dict[str, Any]
    try:
        text = write_document(
            Path(order["bundle"]),
            Path(order["out"]),
            bytes.fromhex(order["secret"]),
            order["pseudonyms"],
            load_detector(),
            tell,
            None if order["map"] is None else Path(order["map"]),
        )
        said = {"text": text}
    except IdentifiersRemainError as err:
        said = {"letters": err.letters}
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The control matrix over a bundle: its entries, and the earlier ones that it brings as context."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attending.ledger.canonical import MAX_ENTRY_BYTES
from attending.ledger.entry import Entry, parse_entry
from attending.ledger.verify import container as containers
from attending.ledger.verify.container import Container
from attending.ledger.verify.manifest import CONTEXT, ENTRIES, MANIFEST, MAX_MANIFEST_BYTES, parse_manifest
from attending.ledger.verify.report import Report
from attending.server.controls.evaluation import Evaluated, Evaluation
from attending.server.controls.matrix import Matrix


def evaluate_bundle(matrix: Matrix, path: Path, report: Report | None = None) -> tuple[Evaluated, ...]:
    """The results over the bundle at `path`; `report` is the verifier's of the same bundle. Blocks.

    Entries are read and not verified here: what `report` does not say, nothing says. Raises VerificationError where it
    is no bundle, OSError.
    """
    evaluation = Evaluation(matrix)
    container = containers.open_container(path)
    try:
        manifest = parse_manifest(containers.read(container, MANIFEST, MAX_MANIFEST_BYTES))
        if CONTEXT in manifest.files:
            for entry in _entries(container, CONTEXT):
                evaluation.context(entry)
        for entry in _entries(container, ENTRIES):
            evaluation.visit(entry)
    finally:
        container.close()
    return evaluation.result(report)


def _entries(container: Container, name: str) -> Iterator[Entry]:
    for line in containers.lines(container.chunks(name), MAX_ENTRY_BYTES):
        yield parse_entry(line)

"""V20: what a bundle says beside its entries, made again from them: figures, the registry snapshot, and FHIR.

The last two are known by the hash that the manifest lists, which V1 holds against the file; only where that of the
snapshot is another one its file is read, to say where it differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from attending.ledger.canonical import parse_canonical
from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.verify import registries, statistics
from attending.ledger.verify.checks import Statistics
from attending.ledger.verify.fhir import FhirLines
from attending.ledger.verify.manifest import FHIR, REGISTRIES, STATISTICS, Manifest
from attending.ledger.verify.registries import Registries, registries_json
from attending.ledger.verify.report import Findings
from attending.ledger.verify.statistics import EntryStatistics

_LEAST_READ_BYTES: Final = 4 << 20
Read = Callable[[str, int], bytes]
"""The whole of a file of the bundle, by name, up to that many bytes; VerificationError."""


class Derived:
    """Visits the entries of a bundle's scope in log order, and reports into `findings` at the end."""

    def __init__(self, findings: Findings, manifest: Manifest) -> None:
        self._findings = findings
        self._manifest = manifest
        self._counts = Statistics()
        self._figures = EntryStatistics() if STATISTICS in manifest.files else None
        self._registries = None
        if REGISTRIES in manifest.files:
            self._registries = Registries(manifest.scope, manifest.begin, manifest.end)
        self._fhir = FhirLines() if FHIR in manifest.files else None
        self._fhir_hash = hashlib.sha256()

    def context(self, entry: Entry) -> None:
        """Takes in an entry before those of the scope, which nothing counts."""
        if self._fhir is not None:
            self._fhir.context(entry)

    def visit(self, entry: Entry) -> None:
        """Counts one entry."""
        self._counts.visit(entry)
        if self._figures is not None:
            self._figures.visit(entry)
        if self._registries is not None:
            self._registries.visit(entry)
        if self._fhir is not None:
            self._fhir_hash.update(self._fhir.visit(entry))

    @property
    def counts(self) -> dict[str, Any]:
        """The statistics of the manifest, counted again."""
        return self._counts.result()

    def finish(self, read: Read) -> None:
        """Holds everything that is stated against what was made again."""
        report, found = self._findings, self.counts
        for name, value in self._manifest.statistics.items():
            if name not in found:
                report.doubt("V20", "manifest states a figure that this version cannot recompute")
            elif value != found[name]:
                report.fail("V20", f"`{name}` is not that of the entries")
        if found.keys() - self._manifest.statistics.keys():
            report.fail("V20", "manifest leaves figures out")
        counted, beside = len(found), ""
        if self._figures is not None:
            figures = self._figures.result()
            counted += sum(1 for _ in statistics.figure_lines(figures))
            self._compare(STATISTICS, figures, statistics.is_later, statistics.MAX_BYTES, read)
        if self._registries is not None:
            beside, snapshot = f" and `{REGISTRIES}`", self._registries.result()
            data = registries_json(snapshot)
            if hashlib.sha256(data).hexdigest() != self._manifest.files[REGISTRIES].sha256:
                # Whatever is stated there, it costs no more than what the entries give.
                limit_bytes = max(2 * len(data), _LEAST_READ_BYTES)
                self._compare(REGISTRIES, snapshot, registries.is_later, limit_bytes, read)
        if self._fhir is not None:
            beside += f" and `{FHIR}`"
            if self._fhir_hash.hexdigest() != self._manifest.files[FHIR].sha256:
                report.fail("V20", f"`{FHIR}` is not what the entries give")
        report.passed("V20", f"{counted} figures{beside} are those of the entries")

    def _compare(
        self,
        name: str,
        found: Mapping[str, Any],
        is_later: Callable[[object], bool],
        limit_bytes: int,
        read: Read,
    ) -> None:
        """Says where a file differs from what the entries give."""
        report = self._findings
        try:
            stated = parse_canonical(read(name, limit_bytes))
        except VerificationError as err:
            report.fail("V20", f"`{name}`: {err.detail}")
            return
        if type(stated) is not dict:
            report.fail("V20", f"`{name}` is not an object")
        elif is_later(stated.get("format")):
            report.doubt("V20", f"`{name}` is of a later format, which cannot be made again here")
        elif (path := statistics.first_difference(stated, found)) is not None:
            report.fail("V20", f"`{name}`: `{path}` is not that of the entries")

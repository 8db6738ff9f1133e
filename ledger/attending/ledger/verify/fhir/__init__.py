"""The entries of a bundle as resources of HL7 FHIR R4 (4.0.1): who did what, and where each released text comes from.

Pure functions of the entries, in their order, so that whoever holds these makes the same bytes again: `fhir.ndjson` of
a bundle is held against them (V20). Standard library only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attending.ledger.canonical import encode
from attending.ledger.entry import Entry
from attending.ledger.verify.fhir.audit_event import audit_event
from attending.ledger.verify.fhir.provenance import Provenances
from attending.ledger.verify.fhir.words import Resource

__all__ = ["FhirLines", "Provenances", "Resource", "audit_event", "fhir_lines"]


class FhirLines:
    """Visits every entry in log order and raises nothing. What is kept grows with what is open and with the models that
    were registered.
    """

    def __init__(self) -> None:
        self._provenances = Provenances()

    def context(self, entry: Entry) -> None:
        """Takes in an entry before those of the bundle, of which no line is made."""
        self._provenances.visit(entry)

    def visit(self, entry: Entry) -> bytes:
        """The lines of one entry: its AuditEvent, and the Provenance of the text that it releases."""
        made = encode(audit_event(entry)) + b"\n"
        if (released := self._provenances.visit(entry)) is not None:
            made += encode(released) + b"\n"
        return made


def fhir_lines(entries: Iterable[Entry], context: Iterable[Entry] = ()) -> Iterator[bytes]:
    """The lines of `fhir.ndjson`, an entry at a time."""
    lines = FhirLines()
    for entry in context:
        lines.context(entry)
    for entry in entries:
        yield lines.visit(entry)

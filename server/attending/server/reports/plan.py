"""What is exported, and which entries under which head that comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from attending.ledger.verify.checks import Scope

Progress = Callable[[int, int], None]
"""(entries gathered, entries in scope); called from another thread."""


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What to export: a period, from inclusive to exclusive, or the entries of chosen inferences."""

    from_time: datetime | None
    to_time: datetime | None
    inference_ids: tuple[str, ...]
    purpose: str
    include_payloads: bool
    de_identified: bool = False
    """A document without the 18 identifiers in place of the bundle; its payloads are texts without them."""
    fhir: bool = False
    """The entries as resources of FHIR R4 as well, in a file of the bundle."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A snapshot of what to write: entries appended later, this export's own included, stay outside."""

    scope: Scope
    begin: int
    end: int
    indexes: tuple[int, ...]
    checkpoint: str
    size: int

    @property
    def total(self) -> int:
        return len(self.indexes) if self.scope is Scope.SUBSET else self.end - self.begin

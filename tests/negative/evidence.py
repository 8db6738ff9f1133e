"""What a row of the table of negative cases is made into: evidence that lies in one way, and where it has to fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from attending.ledger.verify.bundle import Anchors
from attending.ledger.verify.pdf.seal import SealAnchors
from attending.ledger.verify.report import Status

Failures = Mapping[str, frozenset[int | None]]
"""Check to the entries at which it fails; None where it is of no entry."""


@dataclass(frozen=True)
class Evidence:
    """A bundle, or a sealed report where there are anchors of a `seal`, as an auditor has it in hand.

    `fails` are all that both verifiers find wrong. `opens` are the checks that cannot be decided and count. `says` has
    to stand in one of the details.
    """

    path: Path
    anchors: Anchors
    fails: Failures = field(default_factory=dict)
    opens: frozenset[str] = frozenset()
    says: tuple[str, ...] = ()
    seal: SealAnchors | None = None

    @property
    def verdict(self) -> Status:
        if self.fails:
            return Status.FAILED
        return Status.INDETERMINATE if self.opens else Status.PASSED


@dataclass(frozen=True)
class Lie:
    """One way of lying: the row of the control matrix, what was done, and the checks that tell, in report order.

    `make` writes the evidence into a folder of its own, from a log with real keys. The same each time but for reports,
    whose keys are drawn.
    """

    row: str
    what: str
    checks: tuple[str, ...]
    make: Callable[[Path], Evidence]

    @property
    def id(self) -> str:
        return f"{self.row}: {self.what}"


def at(*places: int | None) -> frozenset[int | None]:
    return frozenset(places)


def span(begin: int, end: int) -> frozenset[int | None]:
    """Each of [begin, end)."""
    return frozenset(range(begin, end))

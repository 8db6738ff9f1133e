"""V14 where a policy asks for own views: who decides on findings or signs had put their own view on record before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.verify.report import Findings

_AFTER_IT: Final = frozenset({"review.disposed", "review.signed"})


class OwnViews:
    """One stream that was held with `own_view_first`; visits its entries in log order and reports into `findings`."""

    __slots__ = ("_findings", "_given")

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._given: set[str] = set()

    def visit(self, entry: Entry, *, complete: bool) -> None:
        """Checks one entry; `complete` when no entry of the stream can be missing from the bundle."""
        if entry.type == "review.opinion_recorded":
            if entry.actor in self._given:
                self._report("a second own view, which may follow the reveal", entry, complete)
            self._given.add(entry.actor)
        elif entry.type in _AFTER_IT and _whose(entry) not in self._given:
            self._report(f"`{entry.type}` before an own view was on record", entry, complete)

    def _report(self, detail: str, entry: Entry, complete: bool) -> None:
        if complete:
            self._findings.fail("V14", detail, entry.index)
        else:
            self._findings.doubt("V14", f"{detail}, unless entries were left out", entry.index)


def _whose(entry: Entry) -> str:
    """Who did it: of a signature the signer that the signed statement names, whatever the entry says."""
    statement = entry.body.get("statement")
    if entry.type == "review.signed" and isinstance(statement, Mapping):
        return f"human:{statement.get('signer')}"
    return entry.actor

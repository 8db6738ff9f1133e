"""V14 for who works on a held text: each step of a review is by the person who had claimed it last.

What a lease's time allowed is not judged here: the clocks of server processes differ, and order alone is on record. A
stream without a claim that names its lease says nothing about leases, and nothing is claimed about it.
"""

from __future__ import annotations

from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.verify.report import Findings

_UNDER_LEASE: Final = frozenset(
    {
        "review.disposed",
        "review.facts_added",
        "review.signed",
        "review.rejected",
        "review.escalated",
        "review.opinion_recorded",
    }
)
_ENDS_IT: Final = frozenset({"review.signed", "review.rejected", "review.escalated", "review.reassigned"})
_NOBODY: Final = ""


class Leases:
    """Who holds the lease of one stream; visits its entries in log order and reports into `findings`."""

    __slots__ = ("_escalated_by", "_findings", "_holder", "_signer")

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._holder: str | None = None
        self._signer: str | None = None
        """Who signed last: a signature that refuses the text ends the lease, and the rejection follows it."""
        self._escalated_by: set[str] = set()

    def visit(self, entry: Entry, *, complete: bool) -> None:
        """Checks one entry; `complete` when no entry of the stream can be missing from the bundle."""
        kind, actor = entry.type, entry.actor
        if kind == "review.claimed":
            if type(entry.body.get("lease")) is not str:
                return
            renewed = entry.body.get("renewed") is True
            if renewed and self._holder not in (None, actor):
                self._report("lease was renewed by somebody who did not hold it", entry, complete)
            if not renewed and actor in self._escalated_by:
                self._report("claimed by somebody who had escalated it", entry, complete)
            self._holder, self._signer = actor, None
            return
        # The server escalates by itself what waits for too long; that ends no lease.
        if kind == "review.escalated" and not actor.startswith("human:"):
            return
        follows = kind == "review.rejected" and actor == self._signer
        if kind in _UNDER_LEASE and self._holder not in (None, actor) and not follows:
            self._report(f"`{kind}` by somebody who had not claimed it", entry, complete)
        if kind == "review.signed":
            self._signer = actor
        elif kind == "review.escalated":
            self._escalated_by.add(actor)
        elif kind == "review.reassigned":
            self._escalated_by.discard(f"human:{entry.body.get('to')}")
        if kind in _ENDS_IT and self._holder is not None:
            self._holder = _NOBODY

    def _report(self, detail: str, entry: Entry, complete: bool) -> None:
        if complete:
            self._findings.fail("V14", detail, entry.index)
        else:
            self._findings.doubt("V14", f"{detail}, unless entries were left out", entry.index)

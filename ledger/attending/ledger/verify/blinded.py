"""V14 for blinded items: two people decide before either may prevail, and a third judges where they disagree.

That the second did not see the first's word cannot be proved from entries; what they were shown is the view document
that their statement commits to.
"""

from __future__ import annotations

from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.review_signature import Meaning, Statement
from attending.ledger.verify.report import Findings

_READS: Final = 2


class SecondRead:
    """One blinded stream; visits its entries in log order and reports into `findings`."""

    __slots__ = ("_findings", "_last", "_reads", "_word")

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._reads: list[Statement] = []
        self._last: Statement | None = None
        self._word: Statement | None = None
        """What the third person signed, once on record as adjudicated."""

    def signed(self, statement: Statement, entry: Entry, *, complete: bool) -> None:
        """Takes note of a signature that holds."""
        if len(self._reads) < _READS:
            if any(read.signer == statement.signer for read in self._reads):
                self._report("second reader is the first", entry, complete)
            self._reads.append(statement)
        self._last = statement

    def adjudicated(self, entry: Entry, *, complete: bool) -> None:
        """1. Two have read, and disagree. 2. What was signed last is the word of a third."""
        if len(self._reads) < _READS or self._agree():
            self._report("adjudicated without two reads that disagree", entry, complete)
            return
        third = self._last
        if third is None or third in self._reads or third.signer in {read.signer for read in self._reads}:
            self._report("adjudicated by no third person", entry, complete)
            return
        self._word = third

    def ended(self, entry: Entry, *, released: bool, complete: bool) -> None:
        """A release or a rejection follows two reads that agree about it, or the third person's word."""
        settled = self._word is not None or (len(self._reads) == _READS and self._agree())
        releases = (self._word or self._reads[0]).meaning.releases if settled else False
        # What was approved and needs more signatures still, others may refuse.
        if not settled or (released and not releases):
            what = "released" if released else "rejected"
            self._report(f"{what} without two reads that agree or the word of a third", entry, complete)

    def _agree(self) -> bool:
        words = {
            "rejected" if read.meaning is Meaning.REJECTED else read.text_commitment for read in self._reads
        }
        return len(words) == 1

    def _report(self, detail: str, entry: Entry, complete: bool) -> None:
        if complete:
            self._findings.fail("V14", detail, entry.index)
        else:
            self._findings.doubt("V14", f"{detail}, unless entries were left out", entry.index)

"""V19, the certificates: what `subject.erased` and `payload.pruned` entries cover, and whether they were lawful.

Custody is folded from the entries by the rules that the ledger itself uses. Memory grows with subjects, pruned
ranges and 8 bytes for each entry that has payloads about somebody.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right

from attending.ledger.custody.state import Custody, advance, closure_over, stream_of
from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.verify.report import Findings

_CUSTODY = ("subject.", "hold.")


class Certificates:
    """Visits every entry in log order; `erased` and `covers` answer when all were visited."""

    def __init__(self, findings: Findings, *, complete: bool) -> None:
        """`complete` is True when every entry of the log is visited; else what may lie outside is a doubt."""
        self._findings = findings
        self._decide = findings.fail if complete else findings.doubt
        self.erased: set[str] = set()
        self._states: dict[str, Custody] = {}
        self._ranges: list[tuple[int, int]] = []
        self._unsorted = False
        self._minimum = 0
        self._places: dict[str, array[int]] = {}

    def visit(self, entry: Entry) -> None:
        """Takes in one entry."""
        if entry.commitments and entry.subject is not None:
            places = self._places.get(entry.subject)
            if places is None:
                places = self._places[entry.subject] = array("Q")
            places.append(entry.index)
        if entry.type == "payload.pruned":
            self._prune(entry)
        elif entry.type.startswith(_CUSTODY):
            if entry.type == "subject.erased":
                named = (entry.subject, entry.body.get("subject"))
                self.erased.update(name for name in named if type(name) is str)
            if entry.subject is not None and entry.stream == stream_of(entry.subject):
                self._advance(entry, entry.subject)

    def covers(self, index: int) -> bool:
        """Whether a pruning entry covers the payloads of entry `index`."""
        if self._unsorted:
            self._ranges, self._unsorted = _merged(self._ranges), False
        return _inside(index, self._ranges)

    def finish(self) -> None:
        """Asks whether every person that was erased was erased as a whole."""
        for subject, state in self._states.items():
            if state.erased is None:
                continue
            for other in self._closure(subject):
                found = self._states.get(other)
                if found is None or found.erased is None:
                    detail = "a linked pseudonym of the same person was not erased with it"
                    self._decide("V19", detail, state.erased)
                    break

    def _advance(self, entry: Entry, subject: str) -> None:
        if entry.type == "subject.erased" and self._holds(subject):
            self._decide("V19", "subject was erased under a hold", entry.index)
        try:
            self._states[subject] = advance(self._states.get(subject, Custody(subject)), entry)
        except VerificationError as err:
            self._findings.fail("V19", err.detail, entry.index)

    def _closure(self, subject: str) -> frozenset[str]:
        states = self._states
        return closure_over(subject, lambda name: states[name].links if name in states else ())

    def _holds(self, subject: str) -> bool:
        states = self._states
        return any(states[name].holds for name in self._closure(subject) if name in states)

    def _prune(self, entry: Entry) -> None:
        ranges, minimum = entry.body.get("entries"), entry.body.get("minimum")
        found = []
        for item in ranges if type(ranges) is list else [None]:
            range_ = _range(item, entry.index)
            if range_ is None:
                self._findings.fail("V19", "pruning entry does not say what it covers", entry.index)
                return
            found.append(range_)
        highest = max((end for _, end in found), default=0)
        if type(minimum) is not int or minimum < max(self._minimum, highest) or minimum > entry.index:
            self._findings.fail(
                "V19", "minimum of a pruning entry goes back, or is not above it", entry.index
            )
            return
        self._minimum = minimum
        if self._held_in(_merged(found)):
            self._decide("V19", "payload was pruned under a hold", entry.index)
        self._ranges += found
        self._unsorted = True

    def _held_in(self, ranges: list[tuple[int, int]]) -> bool:
        """Whether a subject on hold has payloads in `ranges` that were not pruned before the hold was placed."""
        held = {
            name for subject, state in self._states.items() if state.holds for name in self._closure(subject)
        }
        inside = (i for name in held for i in self._places.get(name, ()) if _inside(i, ranges))
        # A range may pass over what was pruned before; the earlier ranges are sorted only if that matters.
        return any(not self.covers(index) for index in inside)


def _range(item: object, limit: int) -> tuple[int, int] | None:
    """The half-open range of indices before `limit` that `item` is, None when it is none."""
    if type(item) is not list or len(item) != 2 or [type(bound) for bound in item] != [int, int]:
        return None
    begin, end = item
    return (begin, end) if 0 <= begin < end <= limit else None


def _inside(index: int, ranges: list[tuple[int, int]]) -> bool:
    """Whether one of the disjoint, sorted ranges holds `index`."""
    at = bisect_right(ranges, (index, 2**63)) - 1
    return at >= 0 and index < ranges[at][1]


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(ranges):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged

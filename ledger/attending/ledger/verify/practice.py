"""V24: what was read for practice was released to nobody, and every debrief opens the mark of its own inference.

An openly marked item is known from its first entry on. A seeded one is known from its debrief on, whatever stood on its
stream before; one that is not decided on yet looks like any other, so a log tells of it once it is opened.
"""

from __future__ import annotations

from attending.ledger.entry import Entry
from attending.ledger.errors import VerificationError
from attending.ledger.practice import DEBRIEFED, OPEN, SEEDED, UNDELIVERABLE, opened
from attending.ledger.verify.report import Findings


class Practice:
    """Visits entries in log order and reports into `findings`. Remembers practice items, and what was delivered."""

    def __init__(self, findings: Findings, *, whole: bool) -> None:
        """`whole`: no entry before another is missing, so that a mark that is not there was never made."""
        self._findings = findings
        self._whole = whole
        self._marked: dict[str, object] = {}
        self._debriefed: set[str] = set()
        self._delivered: dict[str, int] = {}
        self._counts = {OPEN: 0, SEEDED: 0}

    def visit(self, entry: Entry) -> None:
        """Checks one entry."""
        if entry.type == "inference.requested" and "practice" in entry.body:
            self._marked[entry.stream] = entry.body["practice"]
        elif entry.type == DEBRIEFED:
            self._debrief(entry)
        elif entry.type in UNDELIVERABLE:
            self._delivered.setdefault(entry.stream, entry.index)
            if entry.stream in self._marked or entry.stream in self._debriefed:
                self._findings.fail("V24", f"`{entry.type}` of a practice item", entry.index)

    def finish(self) -> None:
        """Says what holds where nothing was reported."""
        marked, seeded = len(self._marked), self._counts[SEEDED]
        if not marked and not self._debriefed:
            self._findings.not_applicable("V24", "no practice item is known in the bundle")
            return
        self._findings.passed("V24", f"{marked} practice items and {seeded} seeded ones reached nobody")

    def _debrief(self, entry: Entry) -> None:
        if entry.stream in self._debriefed:
            self._findings.fail("V24", "debriefed twice", entry.index)
        self._debriefed.add(entry.stream)
        marked = self._marked.get(entry.stream)
        try:
            self._counts[opened(entry.stream, entry.body, marked).mode] += 1
        except VerificationError:
            # Of a part of a log the entry that marked it openly may be missing.
            unknown = not self._whole and marked is None and entry.body.get("mode") == OPEN
            say = self._findings.doubt if unknown else self._findings.fail
            say("V24", "debrief opens no mark of its inference", entry.index)
        if (index := self._delivered.get(entry.stream)) is not None:
            self._findings.fail("V24", "a practice item had reached somebody", index)

"""V17 for findings that nobody was asked about, since somebody had decided on the same one before.

`inference.held` names them in `suppressed`: the finding's ordinal, the entry of the earlier decision, its inference and
the severity; `alike` gives the digest by which each finding is known again, and `suppression_days` for how long a
decision stands, 90 at most. The decision is a `review.disposed` with the same digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from attending.ledger.entry import Entry, parse_time
from attending.ledger.errors import VerificationError
from attending.ledger.verify.report import Findings

LONGEST_DAYS: Final = 90
_KEEPS: Final = ("accepted_risk", "false_alarm")
_SEVERITIES: Final = ("minor", "moderate", "major")
"""Of what may be known again; a contraindication is asked about each time."""


@dataclass(frozen=True, slots=True)
class _Decision:
    stream: str
    subject: str | None
    finding: object
    digest: object
    severity: object
    disposition: object
    time: str


class Suppressions:
    """Visits the entries of inferences in log order and reports into `findings`."""

    def __init__(self, findings: Findings, *, whole: bool) -> None:
        """`whole` when no entry before another can be missing: only then one that is not there never was."""
        self._findings = findings
        self._whole = whole
        self._decisions: dict[int, _Decision] = {}
        self._last: dict[tuple[str, int], int] = {}
        """The entry of the last word on a finding, by stream and ordinal."""
        self._released: set[str] = set()
        self._doubtful: set[str] = set()
        """Streams that were taken back, or whose findings are those of other facts."""
        self._resting: dict[str, dict[int, int]] = {}
        """Of a held stream the findings that nobody has disposed of since, with the entry that they rest on."""

    def visit(self, entry: Entry) -> None:
        """Checks one entry against those before it."""
        match entry.type:
            case "review.disposed":
                self._disposed(entry)
            case "inference.held":
                self._held(entry)
            case "review.facts_added":
                self._doubtful.add(entry.stream)
                self._resting.pop(entry.stream, None)
            case "inference.released":
                if entry.body.get("basis") == "signed":
                    self._released.add(entry.stream)
                    self._rests_still(entry)
            case "inference.withdrawn":
                self._doubtful.add(entry.stream)

    def _disposed(self, entry: Entry) -> None:
        body = entry.body
        ordinal = body.get("finding")
        if type(ordinal) is not int:
            return
        self._resting.get(entry.stream, {}).pop(ordinal, None)
        if "alike" in body or (entry.stream, ordinal) in self._last:
            self._last[entry.stream, ordinal] = entry.index
            self._decisions[entry.index] = _Decision(
                entry.stream,
                entry.subject,
                ordinal,
                body.get("alike"),
                body.get("severity"),
                body.get("disposition"),
                entry.time,
            )

    def _held(self, entry: Entry) -> None:
        """1. Each names a finding once, that is not to be disposed of besides. 2. Its decision is on record before, of
        the same patient and the same finding, and keeps the text. 3. It is no contraindication, and as severe as then.
        4. It is in time. 5. The text was released on its signatures, and stands.
        """
        body = entry.body
        suppressed = body.get("suppressed", [])
        if not suppressed:
            return
        days, digests = body.get("suppression_days"), _digests(body)
        asked = body.get("to_dispose")
        if type(suppressed) is not list or digests is None or type(asked) is not list:
            self._fail("findings that were decided before are not said in the form of a list", entry)
            return
        if type(days) is not int or not 1 <= days <= LONGEST_DAYS:
            self._fail(
                f"earlier decisions may stand for {days} days, which is not 1 to {LONGEST_DAYS}", entry
            )
            return
        resting: dict[int, int] = {}
        for one in suppressed:
            ordinal = one.get("finding") if isinstance(one, Mapping) else None
            if type(ordinal) is not int or ordinal in resting or ordinal in asked:  # 1
                self._fail(
                    "finding that was decided before is not one finding that nobody is asked about", entry
                )
                continue
            rests_on = one.get("entry")
            if type(rests_on) is not int or rests_on >= entry.index:
                self._fail(f"finding {ordinal} rests on no decision before it", entry)
                continue
            resting[ordinal] = rests_on
            decision = self._decisions.get(rests_on)
            if decision is None:
                detail = f"decision at entry {rests_on}, on which finding {ordinal} rests,"
                if self._whole:
                    self._fail(f"{detail} is none", entry)
                else:
                    self._findings.doubt("V17", f"{detail} is not in the bundle", entry.index)
            elif why := self._wrong(entry, one, digests.get(ordinal), decision, days, rests_on):
                self._fail(f"finding {ordinal} rests on entry {rests_on}, {why}", entry)
        self._resting[entry.stream] = resting

    def _wrong(
        self, entry: Entry, one: Mapping[str, Any], digest: object, decision: _Decision, days: int, index: int
    ) -> str | None:
        if entry.subject is None or decision.subject != entry.subject:
            return "which is about nobody or another patient"
        if (
            type(digest) is not str or decision.digest != digest or one.get("inference") != decision.stream
        ):  # 2
            return "which decided on another finding"
        if (
            decision.disposition not in _KEEPS
            or self._last.get((decision.stream, _int(decision.finding))) != index
        ):
            return "which is not the last word on a finding that was left as it is"
        if decision.severity not in _SEVERITIES or one.get("severity") != decision.severity:  # 3
            return "which is about a contraindication, or of another severity"
        if not _within(decision.time, entry.time, days):  # 4
            return f"which is older than {days} days"
        if decision.stream in self._doubtful or (self._whole and decision.stream not in self._released):  # 5
            return "whose text was not released on its signatures, or does not stand"
        return None

    def _rests_still(self, entry: Entry) -> None:
        """What was signed rests on no decision whose text was taken back meanwhile."""
        for ordinal, index in self._resting.pop(entry.stream, {}).items():
            decision = self._decisions.get(index)
            if decision is not None and decision.stream in self._doubtful:
                self._fail(f"finding {ordinal} was signed on entry {index}, whose text was taken back", entry)

    def _fail(self, detail: str, entry: Entry) -> None:
        self._findings.fail("V17", detail, entry.index)


def _digests(body: Mapping[str, Any]) -> dict[int, object] | None:
    alike = body.get("alike")
    if type(alike) is not list or not all(isinstance(one, Mapping) for one in alike):
        return None
    return {one["finding"]: one.get("digest") for one in alike if type(one.get("finding")) is int}


def _int(value: object) -> int:
    return value if type(value) is int else -1


def _within(made: str, held: str, days: int) -> bool:
    # A moment's grace: the entry's time is the log's, the server looked a little earlier.
    try:
        return parse_time(held) - parse_time(made) <= timedelta(days=days, minutes=5)
    except (VerificationError, OverflowError):
        return False

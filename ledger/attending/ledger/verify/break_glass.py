"""V16 for what was released without its sign-offs: only where and by whom the policy permitted it, and reviewed.

The entry that held the text says in `sign_off.break_glass` which roles may, and within how many hours somebody else has
to look at it afterwards. `break_glass.used` of an inference names the exact text, the role and when the review is due;
`break_glass.reviewed` is by another person, in time. Emergency access (a body with `access`) releases nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from attending.ledger.entry import Entry, parse_time
from attending.ledger.errors import VerificationError
from attending.ledger.verify.report import Findings

ACCESS: Final = "access"


@dataclass(frozen=True, slots=True)
class Used:
    """A `break_glass.used` that the policy permitted, as far as the bundle tells."""

    index: int
    actor: str
    text_commitment: object
    review_due: str


class BreakGlass:
    """Visits the entries of inferences in log order and reports into `findings`."""

    def __init__(self, findings: Findings, *, whole: bool) -> None:
        """`whole` when no entry after another can be missing: only then a review is known to be missing."""
        self._findings = findings
        self._whole = whole
        self._open: dict[str, Used] = {}
        self._last = ""

    def passed(self, time: str) -> None:
        """The log has come to this time."""
        self._last = time

    def used(self, entry: Entry, sign_off: Mapping[str, Any], *, known: bool) -> Used | None:
        """The use where it was permitted; None after having said why not. `known` when `sign_off` is what held it."""
        if ACCESS in entry.body:
            return None
        if not known:
            self._findings.doubt(
                "V16", "what held the text that was released by break-glass is missing", entry.index
            )
            return None
        permit, body = sign_off.get("break_glass"), entry.body
        roles = permit.get("roles") if isinstance(permit, Mapping) else None
        hours = permit.get("review_within_hours") if isinstance(permit, Mapping) else None
        due = body.get("review_due")
        if type(roles) is not list or type(hours) is not int:
            self._fail("break-glass that the policy which held the text does not permit", entry)
        elif not entry.actor.startswith("human:") or body.get("role") not in roles:
            self._fail("break-glass by somebody whom the policy does not permit it", entry)
        elif type(due) is not str or not _within(entry.time, due, hours):
            self._fail("break-glass whose review is not due in the time that the policy gives", entry)
        else:
            found = Used(entry.index, entry.actor, body.get("text_commitment"), due)
            self._open[entry.stream] = found
            return found
        return None

    def reviewed(self, entry: Entry) -> None:
        """Its review: by another person, and not too late."""
        if ACCESS in entry.body:
            return
        used = self._open.pop(entry.stream, None)
        if used is None:
            if self._whole:
                self._fail("review of a break-glass that there was not", entry)
        elif not entry.actor.startswith("human:") or entry.actor == used.actor:
            self._fail("break-glass was reviewed by the person who used it", entry)
        elif entry.time > used.review_due:
            self._fail(f"break-glass of entry {used.index} was reviewed too late", entry)

    def finish(self) -> str:
        """Says which reviews are overdue; returns words on those that are not due yet, empty when there are none."""
        waiting = 0
        for used in self._open.values():
            if used.review_due >= self._last:
                waiting += 1
            elif self._whole:
                self._findings.fail("V16", f"review of break-glass was due {used.review_due}", used.index)
            else:
                self._findings.doubt("V16", "review of break-glass is not in the bundle", used.index)
        return f", {waiting} of them to be reviewed yet" if waiting else ""

    def _fail(self, detail: str, entry: Entry) -> None:
        self._findings.fail("V16", detail, entry.index)


def _within(time: str, due: str, hours: int) -> bool:
    # A moment's grace: the entry's time is the log's, the review's the server's.
    try:
        return parse_time(due) <= parse_time(time) + timedelta(hours=hours, minutes=5)
    except (VerificationError, OverflowError):
        return False

"""V12 of passkeys: each was bound by its person to an invitation that two others made (21 CFR 11.200(a)(3)).

An invitation is two `credential.issued` entries of the kind `passkey`, half a code each: an administrator's, and an
officer's who has proofed the person. Only who was given both halves can bind a passkey, so that neither of the two can
bind one of their own under another's name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.verify.report import Findings

PASSKEY: Final = "passkey"
"""`kind` of the entries of an invitation."""
ADMINISTRATOR: Final = "administrator"
OFFICER: Final = "officer"
HALVES: Final = (ADMINISTRATOR, OFFICER)
"""`half` of the two `credential.issued` of an invitation, in their order."""


@dataclass(slots=True)
class _Invitation:
    user: object
    expires: object
    issuers: dict[str, str] = field(default_factory=dict)
    bound: int | None = None


class Invitations:
    """Follows invitations in log order and checks each passkey's first enrolment against its own."""

    def __init__(self, findings: Findings, *, complete_from_start: bool) -> None:
        self._findings = findings
        self._complete = complete_from_start
        self._found: dict[str, _Invitation] = {}

    def visit(self, entry: Entry) -> None:
        """Takes note of one half of an invitation."""
        body = entry.body
        name, half = entry.text("credential"), entry.text("half")
        if entry.text("kind") != PASSKEY or name is None:
            return
        known = self._found.get(name)
        if half == ADMINISTRATOR and known is None:
            known = self._found[name] = _Invitation(body.get("user"), body.get("expires"))
        if known is None and not self._complete:
            # What stands before it may be outside the bundle: whoever binds is then in doubt.
            return
        if half not in HALVES or known is None or half in known.issuers or body.get("user") != known.user:
            self._findings.fail(
                "V12", "half of an invitation that does not fit what stands before it", entry.index
            )
            return
        known.issuers[half] = entry.actor

    def check_bound(self, entry: Entry) -> None:
        """Reports unless the first `key.enrolled` of a passkey follows both halves of an invitation of its user, made
        by two people who are not that user, in its time and for the first time.
        """
        report, index, user = self._findings, entry.index, entry.body.get("user")
        name = entry.text("invitation")
        if name is None:
            report.fail("V12", "passkey was enrolled without an invitation", index)
            return
        known = self._found.get(name)
        if known is None or len(known.issuers) < len(HALVES):
            if self._complete:
                report.fail("V12", "passkey was enrolled without both halves of its invitation", index)
            else:
                report.doubt("V12", "invitation of the passkey is not in the bundle", index)
            return
        people = {*known.issuers.values()}
        if known.user != user or len(people) < len(HALVES) or f"human:{user}" in people:
            report.fail("V12", "passkey was enrolled without two people besides its own", index)
        if entry.actor != f"human:{user}":
            report.fail("V12", "passkey was bound by another than its person", index)
        if type(known.expires) is not str or known.expires <= entry.time:
            report.fail("V12", "invitation of the passkey had expired", index)
        if known.bound is not None:
            report.fail("V12", f"invitation was used before, by entry {known.bound}", index)
        known.bound = index

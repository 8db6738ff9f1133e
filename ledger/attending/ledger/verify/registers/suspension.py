"""Suspensions of the right to an accounting (45 CFR 164.528(a)(2)): which disclosures are left out while one runs.

An agency says for how long an accounting would impede it: in writing, for as long as it names; by word of mouth, for at
most 30 days. The person is not told, so that what is suspended stands in no report about them, the suspension included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from attending.ledger.entry import Entry, format_time, parse_time
from attending.ledger.errors import VerificationError

SUSPENDED: Final = "disclosure.suspended"
ACTION: Final = "suspendAccounting"
"""The call that asks for one: what an access on record names where it was repeated."""
ORAL: Final = "oral"
WRITTEN: Final = "written"
ORAL_DAYS: Final = 30
"""45 CFR 164.528(a)(2)(ii)(C)."""
HEALTH_OVERSIGHT: Final = "health_oversight"
LAW_ENFORCEMENT: Final = "law_enforcement"
_RECIPIENTS: Final = {HEALTH_OVERSIGHT: ("regulator",), LAW_ENFORCEMENT: ("law_enforcement",)}
_PURPOSES: Final = {HEALTH_OVERSIGHT: ("HCOMPL",), LAW_ENFORCEMENT: ("HLEGAL",)}
"""Of a copy that left for such a purpose it is not known to whom: it is left out, too."""


def suspension_stream(subject: str) -> str:
    """The stream of the suspensions of one pseudonym."""
    return f"suspension/{subject}"


@dataclass(frozen=True, slots=True)
class Suspension:
    """Disclosures to `agency` are left out of an accounting made before `until`."""

    agency: str
    since: str
    until: str


def suspensions(entries: Iterable[Entry]) -> list[Suspension]:
    """Those that entries of suspension streams tell of. One by word of mouth never runs longer than it may."""
    found = []
    for entry in entries:
        body: Any = entry.body
        agency, until = body.get("agency"), body.get("until")
        if entry.type != SUSPENDED or type(agency) is not str or type(until) is not str:
            continue
        if agency not in _RECIPIENTS:
            continue
        try:
            parse_time(until)
        except VerificationError:
            continue
        if body.get("form") != WRITTEN:
            until = min(until, format_time(parse_time(entry.time) + timedelta(days=ORAL_DAYS)))
        found.append(Suspension(agency, entry.time, until))
    return found


def withheld(entry: Entry, running: Iterable[Suspension], at: str) -> bool:
    """Whether an entry about the person stays out of what they are given at that time."""
    if entry.type == SUSPENDED or entry.body.get("action") == ACTION:
        return True
    for one in running:
        if one.since <= at < one.until:
            if entry.type == "disclosure.recorded" and entry.body.get("recipient") in _RECIPIENTS[one.agency]:
                return True
            if entry.type.startswith("access.") and entry.body.get("purpose_of_use") in _PURPOSES[one.agency]:
                return True
    return False

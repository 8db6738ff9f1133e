"""How long payloads are kept: rules per class of entries, of which the longest that applies wins. Pure.

Sources: 45 CFR 164.316(b)(2)(i), six years from creation or from when last in effect, whichever is later: the clock
of `policy_retired` starts when the policy is retired and stands still while it is in force. EU AI Act 19(1), as long
as the purpose asks: a rule can only lengthen another. What no rule matches is kept for ever.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from attending.ledger.canonical import encode
from attending.ledger.entry import ENTRY_TYPES

MAX_DAYS: Final = 36_525
_PATTERN = re.compile(r"[a-z][a-z0-9_]*\.(?:[a-z][a-z0-9_]*|\*)")


class Start(StrEnum):
    """From when the days of a rule count."""

    ENTRY = "entry"
    POLICY_RETIRED = "policy_retired"


@dataclass(frozen=True, slots=True)
class Rule:
    """Payloads of `entries` (a type, or `source.*`) are kept for `days` (1 to 36,525) from `starts`.

    Raises ValueError for a pattern that no entry type fits: it would keep or free nothing, unnoticed.
    """

    entries: str
    days: int
    starts: Start = Start.ENTRY

    def __post_init__(self) -> None:
        if not _PATTERN.fullmatch(self.entries) or not any(map(self.matches, ENTRY_TYPES)):
            raise ValueError(f"`{self.entries}` is no entry type and no `source.*` of one")
        if type(self.days) is not int or not 1 <= self.days <= MAX_DAYS:
            raise ValueError(f"days of a retention rule are 1 to {MAX_DAYS}")

    def matches(self, type_: str) -> bool:
        """Whether the rule speaks of entries of this type."""
        if self.entries.endswith(".*"):
            return type_.startswith(self.entries[:-1])
        return type_ == self.entries


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for one entry besides the rules.

    `policy_retired` is when the policy that it was made under ended, None while it is in force or not known.
    `at_least` are the (days, start) that this policy itself asks for: they lengthen, and free nothing alone.
    """

    policy_retired: datetime | None = None
    at_least: tuple[tuple[int, Start], ...] = ()


NO_TERMS: Final = Terms()


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a log. `content_hash` names them in every entry that acts on them."""

    rules: tuple[Rule, ...] = ()
    content_hash: str = field(init=False)

    def __post_init__(self) -> None:
        listed = sorted({(rule.entries, rule.days, rule.starts.value) for rule in self.rules})
        content = encode([{"days": days, "entries": what, "from": start} for what, days, start in listed])
        object.__setattr__(self, "content_hash", "sha256:" + hashlib.sha256(content).hexdigest())

    @property
    def shortest_days(self) -> int | None:
        """No payload younger than this can be due; None without rules."""
        return min((rule.days for rule in self.rules), default=None)

    def end(self, type_: str, written: datetime, terms: Terms = NO_TERMS) -> datetime | None:
        """The moment from which payloads of an entry of `type_`, written then, may be pruned; None for never.

        The longest wins: each rule that matches and each of `terms.at_least` gives an end, and one that is
        open (its policy is not known to have ended, or its end is past the calendar) keeps for ever.
        """
        matching: list[tuple[int, Start]] = [
            (rule.days, rule.starts) for rule in self.rules if rule.matches(type_)
        ]
        if not matching:
            return None
        ends = [_end(days, start, written, terms) for days, start in (*matching, *terms.at_least)]
        known = [end for end in ends if end is not None]
        return max(known) if len(known) == len(ends) else None

    def due(self, type_: str, written: datetime, now: datetime, terms: Terms = NO_TERMS) -> bool:
        """Whether retention of such an entry's payloads has ended at `now`."""
        end = self.end(type_, written, terms)
        return end is not None and end <= now


def _end(days: int, start: Start, written: datetime, terms: Terms) -> datetime | None:
    begin = written
    if start is Start.POLICY_RETIRED:
        if terms.policy_retired is None:
            return None
        begin = max(written, terms.policy_retired)
    try:
        return begin + timedelta(days=days)
    except OverflowError:
        return None


def ranges_of(kept: Iterable[tuple[int, bool]]) -> list[tuple[int, int]]:
    """Half-open index ranges of what goes, from (index, goes) of every entry with payloads, in order.

    Entries without payloads in between do not end a range; one whose payloads stay does.
    """
    ranges: list[tuple[int, int]] = []
    open_ = False
    for index, goes in kept:
        if goes and open_:
            ranges[-1] = (ranges[-1][0], index + 1)
        elif goes:
            ranges.append((index, index + 1))
        open_ = goes
    return ranges


def minimum_after(minimum: int, ranges: Sequence[tuple[int, int]]) -> int:
    """The published minimum after a prune: from it on, no payload was ever pruned. It never goes back."""
    return max([minimum, *(end for _, end in ranges)])

"""How long somebody read before signing, against the least that the text needs. Pure.

What a page says of its reader is a claim of the reader's own machine: it is taken up to the time between their first
look and the signature by the server's clock, and no further. A client that says nothing is given all of that time, and
the source says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

Source = Literal["console", "server"]
"""Who measured: the page (active time, within the server's bound), or nobody but the server's clock (elapsed time)."""

REASONS: Final = frozenset(
    {"known_before", "minor_change", "read_elsewhere", "second_look", "urgent", "short_of_time", "other"}
)
"""Why somebody signed sooner than the text can be read: coded, one press."""
NOT_GIVEN: Final = "not_given"
"""Stands for the reason of a client that does not ask for one."""

PERCENT_BY_RANK: Final = (100, 100, 125, 150, 200)
"""Of the time that the words alone need, by the rank of the worst finding: info and minor, moderate, major,
contraindicated. Whoever decides on an interaction reads around it as well."""
MOST_SECONDS: Final = 86_400
_WORD: Final = re.compile(r"\S+")


def words_in(text: str) -> int:
    """Runs of characters between white space."""
    return sum(1 for _word in _WORD.finditer(text))


def floor_seconds(words: int, words_per_minute: int, severity_rank: int) -> int:
    """The least number of whole seconds in which `words` can be read, rounded up; 0 at a rate of 0: no floor."""
    if words_per_minute == 0:
        return 0
    percent = PERCENT_BY_RANK[max(0, min(severity_rank, len(PERCENT_BY_RANK) - 1))]
    return -(-words * 60 * percent // (words_per_minute * 100))


@dataclass(frozen=True, slots=True)
class Reading:
    """One person's reading of one text. Seconds are whole, rounded down; `characters` are code points."""

    source: Source
    seconds: int
    bound_seconds: int
    words: int
    characters: int
    floor_seconds: int

    @property
    def short(self) -> bool:
        """Whether it was sooner than the text can be read."""
        return self.seconds < self.floor_seconds

    @property
    def missing_seconds(self) -> int:
        return max(0, self.floor_seconds - self.seconds)

    def payload(self) -> dict[str, Any]:
        """What is this person's own figure: it lies in the vault, in the compartment of peer review."""
        return {
            "format": "attending-reading/1",
            "seconds": self.seconds,
            "bound_seconds": self.bound_seconds,
            "source": self.source,
        }

    def body(self, reason: str | None, *, raised: bool, tier: str) -> dict[str, Any]:
        """What the entry of the signature says of it: how much there was to read, and whether that was too soon."""
        return {
            "tag": "peer_review",
            "tier": tier,
            "source": self.source,
            "words": self.words,
            "characters": self.characters,
            "floor_seconds": self.floor_seconds,
            "short": self.short,
            "reason_code": reason,
            "raised": raised,
        }


def measured(
    text: str,
    claimed_seconds: float | None,
    bound_seconds: float,
    *,
    words_per_minute: int,
    severity_rank: int,
) -> Reading:
    """The reading of `text`. `claimed_seconds` is what a page says, None where none does; `bound_seconds` the time from
    the first look to now by the server's clock, 0 where no look is on record.
    """
    bound = int(max(0.0, min(bound_seconds, MOST_SECONDS)))
    claimed = None if claimed_seconds is None else int(max(0.0, min(claimed_seconds, MOST_SECONDS)))
    words = words_in(text)
    return Reading(
        source="server" if claimed is None else "console",
        seconds=bound if claimed is None else min(claimed, bound),
        bound_seconds=bound,
        words=words,
        characters=len(text),
        floor_seconds=floor_seconds(words, words_per_minute, severity_rank),
    )

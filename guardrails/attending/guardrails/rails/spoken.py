"""Whether words are somebody's own or only told of: quoted, denied, feared or advised against.

Clinical texts quote insults and threats and deny them; a rail that finds words asks here before it reports them.
"""

from __future__ import annotations

import re
from typing import Final

_BEFORE: Final = 90
_STOPS: Final = re.compile(r"[.!?\n](?:\s|$)")
_REPORTS: Final = re.compile(
    r"\b(?:call(?:ed|s|ing)|named|said|says|saying|told|tells|stat(?:ed|es|ing)|yell\w*|scream\w*|shout\w*|swore"
    r"|verbali[sz]\w*"
    r"|threaten\w*|quot\w+|report\w*|thinks|thought|believ\w+|feels?|felt|feeling|wrote|label\w*|terms?|words?"
    r"|voices?|hears?"
    r"|heard|comments?|remarks?|slurs?|accus\w+|insult\w*|delusion\w*|overheard|claim\w*|convinced|afraid|worr\w+"
    r"|fears?)\b"
)
_DENIES: Final = re.compile(
    r"\b(?:not|never|no|nobody|nothing|neither|without|cannot|avoid|stop|isn't|aren't|wasn't|don't|doesn't|didn't"
    r"|won't|can't"
    r"|wouldn't|shouldn't|dont)\b"
)


_REPORTED_AFTER: Final = re.compile(
    r"[^\w.!?\n]{0,4} ?(?:the )?(?:patient|pt|he|she|they|mother|father|visitor|husband|wife|son|daughter|brother"
    r"|sister|caller|man|woman)"
    r" (?:\w+ )?(?:said|says|shouted|screamed|yelled|stated|told|wrote|threatened|muttered|repeated|kept)\b"
)


def told_of(text: str, start: int, end: int, *, deniable: bool = True) -> bool:
    """Whether the words at `[start, end)` of `text` (folded) stand behind a verb of telling in their sentence; or,
    where they are `deniable`, are denied shortly before or inside."""
    left = max(0, start - _BEFORE)
    for stop in _STOPS.finditer(text, left, start):
        left = stop.end()
    if _REPORTS.search(text, left, start) is not None or _REPORTED_AFTER.match(text, end) is not None:
        return True
    return deniable and (
        _DENIES.search(text, max(left, start - 25), start) is not None
        or _DENIES.search(text, start, end) is not None
    )

"""An acute state that is over: a bleed of years ago speaks against less than one that goes on.

A bleed of weeks or months ago counts as one that may go on; a year or "previous" makes it past.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

PAST: Final[Mapping[str, str]] = {"bleeding_active": "bleeding_past"}
"""Condition that goes on -> what it is once it is over."""
_BEFORE: Final = re.compile(
    r"\b(?:history of|hx(?: of)?|h/o|previous(?:ly)?|prior|past|old|former|remote|years? ago|pmhx?:?"
    r"|after (?:his|her|your|the) (?:19|20)\d\d|(?:19|20)\d\d:?)"
    r" (?:an? |the |severe |major |minor |big |life-threatening |upper |lower |acute ){0,3}$"
)
_AFTER: Final = re.compile(
    r"(?: (?:bleed(?:ing)?|ulcer|ha?emorrhage|episode|(?:on|from|with|due to(?: an?)?) \w{1,20})){0,3}"
    r" ?[(,]? ?(?:(?:back )?in |of |dated |from )?(?:(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* )?"
    r"(?:\(?(?:19|20)\d\d\b|(?:\w{1,20} ){1,3}?years? (?:ago|back|earlier|previously)|last year|as a (?:young|teen)"
    r"|in (?:his|her|the) (?:\d0s|past|twenties|thirties|forties|fifties|sixties)|long ago)"
)


def past(text: str, start: int, end: int) -> bool:
    """Whether the state written at `text[start:end]`, lower case, is told as one of years ago."""
    return _BEFORE.search(text, max(0, start - 60), start) is not None or _AFTER.match(text, end) is not None

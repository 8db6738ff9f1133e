"""Text as a reader sees it, with the way back to the text as it is.

Characters that show nothing (zero-width, soft hyphen, marks of direction) may stand inside a name or a number; digits,
blanks and hyphens have many code points. Rules read the visible text; spans are mapped back, with what is hidden.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache

from attending.guardrails.phi.spans import PhiSpan

_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_HYPHENS = re.compile("[\u2010-\u2013\u2212\ufe63\uff0d]")


@dataclass(frozen=True, slots=True)
class Visible:
    """`text` as it shows; `places` holds for each of its code points where it stands in the original, None when the two
    are of one length."""

    text: str
    places: list[int] | None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The code points of the original that show as `start` to `end`; `start` below `end`."""
        if self.places is None:
            return start, end
        return self.places[start], self.places[end - 1] + 1

    def span(self, span: PhiSpan) -> PhiSpan:
        """`span` of the visible text as one of the original."""
        if self.places is None:
            return span
        start, end = self.original(span.start, span.end)
        return replace(span, start=start, end=end)


def visible(text: str) -> Visible:
    """What `text` shows. A digit, blank, hyphen or wide character that has a plain form is written in it."""
    if text.isascii():
        return Visible(text, None)
    plain = {ord(char): new for char in set(text) if (new := _plain(char)) != char}
    shown = text.translate(plain) if plain else text
    if _HIDDEN.search(shown) is None:
        return Visible(shown, None)
    places = [at for at, char in enumerate(shown) if _HIDDEN.match(char) is None]
    return Visible("".join([shown[at] for at in places]), places)


@cache
def _plain(char: str) -> str:
    if char.isascii():
        return char
    if _BLANKS.match(char):
        return " "
    if _HYPHENS.match(char):
        return "-"
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    if "\uff01" <= char <= "\uff5e":
        return chr(ord(char) - 0xFEE0)
    return char

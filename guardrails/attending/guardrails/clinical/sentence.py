"""The sentence, list item or table row around a span of a text as it was written.

Every check that asks "what else does the sentence say?" asks here; `clauses` reads the normalised text by the same
rule of what a full stop ends. What ends a sentence:

- a line break, always: list items and table rows are lines, and a sentence wrapped over two lines is read as two;
- `!` or `?` before white space, with the quotes or brackets that close there;
- `.` before white space, unless it is part of a title ("Dr. Osei") or of an abbreviation that goes on in small letters
  ("p.o. at night", "5 mg. twice daily"; "5 mg. Stop it" ends), or is the number of a list item ("1. Metformin");
- `;` where the caller asks for it, as the clauses of an order stand apart there.

A decimal point ("2.5 mg") is followed by no white space and ends nothing. Offsets are those of the given text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attending.guardrails.clinical.statement import Span

REACH: Final = 1_000
"""Characters looked at to either side, so that a text without a full stop costs no more than another."""

_CLOSING: Final = "\"')]\u2019\u201d"
_STOP: Final = rf"(?<![.!?])[.!?]++[{re.escape(_CLOSING)}]*+(?=\s|$)"
_END: Final = re.compile(rf"{_STOP}|\n")
_END_OR_SEMICOLON: Final = re.compile(rf"{_STOP}|[\n;]")
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(])(?:[a-z]|[a-z]\.[a-z](?:\.[a-z])*|e\.g|i\.e|vs|etc|approx|q\.?\w{1,2}|"
    r"b\.i\.d|t\.i\.d|p\.o|p\.r\.n|i\.v|i\.m|no|max|min|tabs?|caps?|mg|mcg|ml|g|hrs?|"
    r"wks?|"
    r"mo|yrs?|inj|soln?|susp|oz|lbs?|est|dept|fig|resp|incl|subq|sq)$"
)
_TITLE: Final = re.compile(r"(?:^|[\s(])(?:dr|mr|mrs|ms|prof|st|jr|sr)$")
_ITEM_NUMBER: Final = re.compile(r"(?:^|\n)[ \t]*(?:\d{1,2}|[a-zA-Z])$")
_LOOK_BACK: Final = 12
"""Characters that hold the longest abbreviation and what stands before it."""


def is_full_stop(before: str, following: str) -> bool:
    """Whether a `.` ends the sentence; `before` are the words up to it in small letters (the last 12 characters will
    do), `following` the next character that is no space, quote or bracket, as it was written, or nothing."""
    if _TITLE.search(before):
        return False
    return not following or following.isupper() or _ABBREVIATION.search(before) is None


def ends(text: str, start: int, end: int, *, semicolons: bool = False) -> Iterator[Span]:
    """The marks within `text[start:end]` that end a sentence, in order."""
    marks = _END_OR_SEMICOLON if semicolons else _END
    for match in marks.finditer(text, start, min(len(text), end + 1)):
        if match.end() > end:
            return
        if match.group()[0] != "." or _stops(text, match.start(), match.end()):
            yield Span(match.start(), match.end())


def sentence_around(
    text: str, start: int, end: int, *, following: int = 0, semicolons: bool = False, reach: int = REACH
) -> Span:
    """The sentence in which `text[start:end]` stands, its own end mark with it, and so many `following` ones; at most
    `reach` characters to either side. A span over several sentences is kept whole."""
    low, high = max(0, start - reach), min(len(text), end + reach)
    line = text.rfind("\n", low, start) + 1
    first = max([low, line, *(mark.end for mark in ends(text, max(low, line), start, semicolons=semicolons))])
    while first < start and text[first].isspace():
        first += 1
    # the span may hold the mark that ends its sentence
    spoken = len(text[start:end].rstrip(f".!?;\n{_CLOSING}"))
    after = ends(text, start + spoken, high, semicolons=semicolons)
    last = high
    for _ in range(following + 1):
        last = next((mark.end for mark in after), high)
    return Span(first, max(last, end))


def sentences(text: str, *, semicolons: bool = False) -> Iterator[Span]:
    """Every sentence in order with its end mark; together they are the text, white space between them included."""
    start = 0
    for mark in ends(text, 0, len(text), semicolons=semicolons):
        yield Span(start, mark.end)
        start = mark.end
    if start < len(text):
        yield Span(start, len(text))


def one_sentence(text: str, start: int, end: int) -> bool:
    """True where no sentence ends within `text[start:end]`."""
    return next(ends(text, start, end), None) is None


def _stops(text: str, at: int, after: int) -> bool:
    before = text[max(0, at - _LOOK_BACK) : at]
    if _ITEM_NUMBER.search(before) and (at <= _LOOK_BACK or "\n" in before):
        return False
    while after < len(text) and text[after] in ' "(':
        after += 1
    return is_full_stop(before.lower(), text[after : after + 1])

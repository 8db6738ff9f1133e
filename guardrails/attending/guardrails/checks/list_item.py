"""What an item of a list says, behind other words, of the drug that heads it.

"2. **Oxybutynin 5 mg BD** - opposes donepezil. Cease; toileting program.": the verb has no name beside it, and the drug
named last is not the one that is meant. "5. **Digoxin 125 microg daily** - level 1.1. Reduce to 62.5 microg daily":
the dose of the head is the old one. Read are items with a marker before them whose first words name one drug.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from attending.guardrails.clinical.statement import ParsedText, Statement
from attending.guardrails.sieve import Sieved

_ITEM: Final = Sieved(
    r"^[ \t]{0,12}(?:[-*+\u2022]|\(?\d{1,2}[.)]|[a-z][.)])[ \t]+(?:\[[ xX]?\] ?)?[*_]{0,3}", re.M
)
_HEAD: Final = 48
"""Characters between the marker and the name, at most: "Home", "Stop", "Her old"."""
_LIST_ITEM: Final = 600
_ENDS: Final = re.compile(
    r"(?:[.;!?)\u2013\u2014:,]|(?:\s-)|\u2192|->)[ *_]{1,4}(?:(?:plan|action|advice|recommend(?:ation)?|please|to)"
    r"[: ]+)?"
    r"(?:cease|stop|discontinue|deprescribe|withdraw|taper off|wean off|taper (?:and|then) stop|taper to (?:zero|stop)"
    r"|stopp(?:ed|ing)|ceased|discontinued|withdrawn|d/c|reduce (?:by|gradually|slowly)|taper|wean)\b[*_]{0,3}"
    r"(?=[ ]?(?:[.;,(\u2013\u2014\n]|\Z|over\b|today\b|now\b|tonight\b|from\b|for good\b|permanently\b|altogether\b"
    r"|completely\b|by\b|at (?:discharge|this visit)\b|this (?:visit|admission)\b|on (?:admission|discharge)\b|and\b"
    r"|gradually\b|slowly\b|with\b|because\b|as\b|in view\b|due\b|if stable\b|\d))",
    re.I,
)
_CHANGES: Final = re.compile(
    r"[.;:!?)\u2013\u2014,][ *_]{1,4}(?:please )?(?:reduce|change|lower|decrease|cut|drop|increase|raise|titrate|switch"
    r"|halve|adjust|step)(?:d|s|ed)? (?:down |up |back )?(?:the dose |it )?to\b",
    re.I,
)
_BESIDE: Final = re.compile(r"[*_]{0,3} ?(?:[/,&+]|\band\b|\bor\b){1,2} ?[*_]{0,3}", re.I)
"""Between the names of one head: "verapamil/diltiazem, ciclosporin"."""
_NONE: Final = re.compile(
    r"[*_]{0,3}:?[*_]{0,3} ?(?:[:=\u2013\u2014-] ?)?[*_]{0,3}(?:none(?: (?:taken|used|now|on (?:the |her |his )?list))?"
    r"|nil|not taken)[*_]{0,3}(?= ?(?:[.;,\n]|\Z))",
    re.I,
)
"""Behind the names at the head of an item: the patient has none of these."""
_AGAIN: Final = re.compile(
    r"\b(?:restart\w*|resum\w*|re-?commenc\w*|continu\w*|keep|not (?:to )?(?:be )?(?:stop|cease)(?:ped|d)?"
    r"(?! (?:it )?(?:abruptly|suddenly|at once|overnight)))\b",
    re.I,
)


def heads(output: ParsedText) -> dict[int, tuple[int, int]]:
    """Number of a statement that heads an item of a list, with where the item goes on and ends."""
    text, statements = output.text, output.statements
    found: dict[int, tuple[int, int]] = {}
    markers = list(_ITEM.finditer(text))
    if not markers:
        return found
    starts = [s.mention.span.start for s in statements]
    for number, marker in enumerate(markers):
        first = bisect_left(starts, marker.end())
        if first == len(starts) or starts[first] - marker.end() > _HEAD:
            continue
        upto = markers[number + 1].start() if number + 1 < len(markers) else len(text)
        blank = text.find("\n\n", marker.end(), upto)
        upto = min(upto, marker.end() + _LIST_ITEM, blank if blank >= 0 else upto)
        if starts[first] >= upto or re.search(r"[.;:!?\n]", text[marker.end() : starts[first]]):
            continue
        found[first] = (statements[first].mention.span.end, upto)
    return found


def put_aside_in_item(output: ParsedText) -> tuple[set[int], set[int]]:
    """Numbers of the statements whose drug its item ends, and of those whose dose its item replaces."""
    ended: set[int] = set()
    replaced: set[int] = set()
    text, statements = output.text, output.statements
    for first, (start, end) in heads(output).items():
        mine = _same(statements, first, end)
        named = _beside(text, statements, first, end)
        if _NONE.match(text, statements[named[-1]].mention.span.end, end):
            ended.update(named)
        stop = _ENDS.search(text, start, end)
        if stop is not None and not _AGAIN.search(text, stop.start(), end):
            own = next((m for m in re.finditer(r"[.;\n]", text[stop.end() : end])), None)
            upto = stop.end() + own.start() if own else end
            drugs = set(statements[first].mention.drugs)
            if not any(
                stop.end() <= s.mention.span.start < upto and drugs.isdisjoint(s.mention.drugs)
                for s in statements
            ):
                ended.update(k for k in mine if statements[k].mention.span.start < stop.start())
        change = _CHANGES.search(text, start, end)
        if change is not None and any(
            (dose := statements[k].dose) is not None and dose.span.start >= change.end() for k in mine
        ):
            replaced.update(
                k
                for k in mine
                if (dose := statements[k].dose) is not None and dose.span.end <= change.start() + 1
            )
    return ended, replaced


def _beside(text: str, statements: Sequence[Statement], first: int, end: int) -> list[int]:
    """The statements whose names stand in a row at the head of the item."""
    found = [first]
    for k in range(first + 1, len(statements)):
        last, span = statements[found[-1]].mention.span, statements[k].mention.span
        if span != last and (span.start >= end or not _BESIDE.fullmatch(text, last.end, span.start)):
            break
        found.append(k)
    return found


def _same(statements: Sequence[Statement], first: int, end: int) -> list[int]:
    """The statements of the item that are of the drug at its head."""
    drugs = set(statements[first].mention.drugs)
    found = []
    for k in range(first, len(statements)):
        if statements[k].mention.span.start >= end:
            break
        if drugs and drugs == set(statements[k].mention.drugs):
            found.append(k)
    return found

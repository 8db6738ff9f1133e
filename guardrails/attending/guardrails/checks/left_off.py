"""Drugs that a sentence leaves out with one verb for several names, or that the next sentence refuses without a name.

"I'd leave X, and Y too, off the menu": the verb stands before the first name and its other half behind the last.
"Explained what X is for. Not prescribed.": a sentence of its own that is of the drug named last.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attending.guardrails.clinical.statement import Span, Statement

_REACH: Final = 260
_KEEPS: Final = re.compile(
    r"(?<!not )(?<!n't )(?<!never )\b(?:leav(?:e|ing)|left|keep(?:ing)?|kept|hold(?:ing)?|stay(?:ing)?|steer(?:ing)?)\b"
    r"(?: (?:her|him|you|them|well|clear of))?"
    r"(?:(?!\b(?:tak(?:e|ing)|give|giving|add(?:ing)?|start(?:ing)?|us(?:e|ing)|on|going|cross\w*|put|leav\w+|left"
    r"|but)\b)[^.;:\n]){0,90}\Z",
    re.I,
)
_OFF_THE: Final = re.compile(
    r"(?:(?!\b(?:tak(?:e|ing)|give|giving|add(?:ing)?|start(?:ing)?|us(?:e|ing)|cross\w*|put|leav\w+|left|keep|kept"
    r"|but)\b)[^.;:\n]){0,60}?\b(?:off|out of|(?:well |far )?away from|clear of) (?:(?:the|her|his|your|my|this"
    r"|our|their)"
    r" )?(?:menu|list|table|plan|chart|prescription|order|orders|cards?|regimen|script|picture|mix|recipe|him|her|them"
    r"|you|it)\b(?! (?:for (?:now|today|tonight)|until|till|when|after))",
    re.I,
)


def kept_off(text: str, statement: Statement, own: Span) -> bool:
    """ "I'd leave A, and B too, off the menu": neither is given. `own` is the sentence of the name."""
    span = statement.mention.span
    if statement.dose is not None or statement.frequency is not None:
        return False
    if _OFF_THE.match(text, span.end, min(own.end, span.end + 120)) is None:
        return False
    return _KEEPS.search(text, max(own.start, span.start - 130), span.start) is not None


_REFUSED_ALONE: Final = re.compile(
    r"(?<=[.!?;]) (?:so |therefore |hence |and |this was |that was |it was |they were )?(?:not|none|never|neither)"
    r" (?:was |were |has been )?(?:prescribed|given|started|ordered|dispensed|supplied|offered|issued|added|used)"
    r"(?: today| here)?(?=[.!;\n]|\Z)",
    re.I,
)
"""A sentence of its own: "Not prescribed."."""


def refused_alone(text: str, statements: Sequence[Statement], number: int) -> bool:
    """ "Explained: X is for people who ... . Not prescribed.": the refusal is of the drug named last."""
    statement = statements[number]
    span = statement.mention.span
    if statement.dose is not None or statement.frequency is not None or not statement.mention.drugs:
        return False
    following = next(
        (
            s.mention.span.start
            for s in statements[number + 1 :]
            if s.mention.span.start >= span.end
            and s.mention.drugs
            and set(s.mention.drugs).isdisjoint(statement.mention.drugs)
        ),
        len(text),
    )
    stop = min(len(text), span.end + _REACH)
    match = _REFUSED_ALONE.search(text, span.end, stop)
    return match is not None and match.start() < following and "\n" not in text[span.end : match.start()]

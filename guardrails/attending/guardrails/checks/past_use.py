"""Drugs that were had and are not given: once in an emergency department, in a year that stands behind the dose, or
tolerated before.

"Haloperidol 5 mg + diphenhydramine 50 mg IM given once in ED, not repeated", "aches on simvastatin 40 mg (2016)",
"tolerated cephalexin 2021". Each takes one mention out of what is given; what the text gives elsewhere stays. Words
that resume the drug, or tell that it goes on, set nothing aside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attending.guardrails.checks.set_aside import resumed_in
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Statement
from attending.guardrails.sieve import Sieved

_DOSE: Final = (
    r"(?: ?\(?\d[\d.,/-]{0,10} ?(?:mg|mcg|g|units?|ml|meq|mmol)?\b\)?(?: (?:po|iv|im|sc|sl|pr|inh|neb))?)"
)
_JOINED: Final = re.compile(rf"{_DOSE}{{0,2}} ?(?:\+|/|&|,|and|plus|with)?(?: and)? ?", re.I)
_ONCE: Final = Sieved(
    r"(?:(?!\b(?:start|begin|continue|then|daily|and)\b)[^.;\n]){0,60}?\b(?:given|used|received|administered)\b"
    r"(?: (?:once|only|just|x ?\d|\w{1,8} (?:doses?|times?|nights?|days?)|as a single dose)){0,2}"
    r" ?\(?(?:in|on|by|at|before|during|overnight)? ?[^.;\n]{0,40}?(?:[,;:(\u2013\u2014-]|\)|\bis|\bwas|\band)[ ]{0,2}"
    r"(?:(?:and|but|is|was|were|has been) )?(?:not|never)(?: to)?(?: be)?(?: been)?"
    r" (?:repeated|continued|for (?:home|discharge)|needed (?:since|again)|given again)\b",
    re.I,
    windowed=True,
)
_YEAR: Final = re.compile(
    rf"{_DOSE}?(?: (?:daily|nightly|bid|weekly))? (?:\((?:in )?(?:19|20)\d\d(?:[,;:] [^()\n]{{2,40}})?\)"
    r"|in (?:19|20)\d\d\b)",
    re.I,
)
_HARMED: Final = re.compile(
    r"\b(?:aches?|myalgias?|rash|cough\w*|tried|failed|nausea|stopped|stopping|intoleran\w*|side[- ]effects?|swelling"
    r"|cramps?|bleed\w*|reaction|vomiting|diarrh\w+|dizz\w+|unhelpful|weight gain|anxiety"
    r"|insomnia|sedation|trials?|no (?:benefit|effect|response)|ineffective)\b",
    re.I,
)
_GOES_ON: Final = re.compile(
    r"\b(?:since|still|current(?:ly)?|now|continu\w+|ongoing|remains?|today|restart\w*|resum\w*|keep\w*|start\w*)\b",
    re.I,
)
_TOLERATED: Final = re.compile(
    r"\b(?:tolerat(?:ed|es)|(?:no|without) (?:problems?|trouble|reaction) (?:with|on|to)) (?:\w{1,20} ){0,2}\Z",
    re.I,
)
_BEFORE_NOW: Final = re.compile(
    r",? ?\(?(?:in )?(?:(?:19|20)\d\d|last (?:year|month|spring|summer|autumn|fall|winter)|before|previously"
    r"|in the past"
    r"|(?:\w{1,12} )?(?:years?|months?) ago)\b",
    re.I,
)
_REACH: Final = 200


def had_before(text: str, statements: Sequence[Statement], number: int) -> bool:
    """Whether the words around the name of statement `number` say that it was had, and is not given now."""
    statement = statements[number]
    span = statement.mention.span
    if statement.started:
        return False
    if _TOLERATED.search(text, max(0, span.start - 40), span.start):
        return statement.dose is None and _BEFORE_NOW.match(text, span.end) is not None
    own = sentence_around(text, span.start, span.end)
    if _YEAR.match(text, span.end, own.end) is not None:
        harmed = _HARMED.search(text, own.start, own.end) is not None
        return harmed and _GOES_ON.search(text, own.start, own.end) is None
    end = _list_end(text, statements, number)
    stop = min(own.end, end + _REACH)
    return _ONCE.match(text, end, stop) is not None and not resumed_in(text, span.end, stop)


def _list_end(text: str, statements: Sequence[Statement], number: int) -> int:
    """Where the list of dosed names ends of which statement `number` is one: "A 5 mg + B 50 mg IM"."""
    end = statements[number].mention.span.end
    for following in statements[number + 1 : number + 8]:
        span = following.mention.span
        if span.start < end:
            continue
        if span.start - end > 30 or _JOINED.fullmatch(text, end, span.start) is None:
            break
        end = span.end
    return end


__all__ = ["had_before"]

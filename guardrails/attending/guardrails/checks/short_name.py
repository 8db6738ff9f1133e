"""One product under two names: by its ingredient alone, and by the gloss that the text gives of it.

"Buprenorphine-naloxone 8/2 mg twice daily. ... Keep buprenorphine going through surgery": the second name says which
product is meant and gives no dose. "Eliquis (apixaban 5 mg)" makes the two names one for the whole text, as far as
their doses agree. A name in a list of what is taken, one with a dose of its own, and what is added are other products.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from attending.guardrails.checks.case import Case, Exposure
from attending.guardrails.checks.direct import Names
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.finding import Scope

_ADDS: Final = re.compile(
    r"\b(?:also|extra|additional(?:ly)?|on top|in addition|plus|another|other|separate\w*|otc|over[- ]the[- ]counter"
    r"|as well|too|together|bought|buys|alongside|between doses|breakthrough|rescue|top[- ]up|add(?:s|ed|ing)?|start\w*"
    r"|begin|began|takes|taking|took|prescribed|issued|dispensed|both|twice)\b",
    re.I,
)
_WORD: Final = re.compile(r"[A-Za-z]{2,}")
_WORDS_OF_A_SENTENCE: Final = 3


def shortened(case: Case, held: Exposure, exposure: Exposure) -> bool:
    """True where one of two exposures to a drug only speaks of the product of the other by its ingredient."""
    return any(
        _only_speaks(case, one, other) for one, other in ((held, exposure), (exposure, held))
    ) or _glossed(case, held, exposure)


def _only_speaks(case: Case, name: Exposure, product: Exposure) -> bool:
    mention, statement = name.mention, name.statement
    if mention is None or statement is None or product.statement is None or product.statement.dose is None:
        return False
    if len(mention.drugs) != 1 or mention.brand or name.origin != "output" or product.origin != "output":
        return False
    if statement.dose is not None or statement.frequency is not None:
        return False
    text = case.judged.output
    if name.span.start < _title_end(text) and name.scope is not Scope.STOP:
        return True
    if name.scope not in (Scope.MENTION, Scope.CONTINUE, Scope.RECOMMEND):
        return False
    if (statement.started or name.scope is Scope.RECOMMEND) and Names(
        text, case.output.statements
    ).directly_given(name.span):
        return False
    own = sentence_around(text, name.span.start, name.span.end)
    if own.start <= product.span.start < own.end:
        return False
    said = text[own.start : own.end]
    words = len(_WORD.findall(said)) - len(_WORD.findall(name.text))
    return words >= _WORDS_OF_A_SENTENCE and _ADDS.search(said) is None


def _title_end(text: str) -> int:
    """Where the title ends: the first line, where it is no sentence and a blank line follows it."""
    line, _, _ = text.partition("\n\n")
    return len(line) if "\n" not in line and len(line) <= _TITLE and not line.endswith((".", ":", "?")) else 0


_TITLE: Final = 120
_GAP: Final = re.compile(
    r"[*_ ]{0,3}(?:\(|= ?|, (?:the )?(?:brand|generic|trade)(?: name)?(?: of| for)? )[*_]{0,2}"
)


def _glossed(case: Case, held: Exposure, exposure: Exposure) -> bool:
    """True where the text says somewhere that the two names are one: "Eliquis (apixaban 5 mg)"."""
    pair = {held.text.lower(), exposure.text.lower()}
    if len(pair) != 2 or _doses_differ(held, exposure):
        return False
    statements = case.output.statements
    text = case.judged.output
    for one, other in pairwise(statements):
        if {one.mention.text.lower(), other.mention.text.lower()} == pair and _GAP.fullmatch(
            text[one.mention.span.end : other.mention.span.start]
        ):
            return True
    return False


def _doses_differ(held: Exposure, exposure: Exposure) -> bool:
    one = held.statement.dose if held.statement is not None else None
    other = exposure.statement.dose if exposure.statement is not None else None
    if one is None or other is None:
        return False
    return (one.high, one.unit) != (other.high, other.unit)

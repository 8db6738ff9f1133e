"""Refusals that point back at what was named before: "I would not use any of those", "so I'd leave it alone".

The verb stands in another clause or sentence than the names, and a pronoun means them: "those" all bare names of the
sentence before, "it" the one that its own sentence is of. A name with a dose is refused by "it" only, and not where
another drug stands between.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Statement

_NONE_OF_THOSE: Final = re.compile(
    r"[ \n]{0,2}(?:(?:so|therefore|hence|for that reason),? )?(?:i|we|you|he|she|they)?(?:['\u2019]d| would"
    r"| will| should"
    r"| shall| must| have| can| am| are)?(?: (?:therefore|so|thus|rather|also))?(?:"
    r" (?:not|never) (?:(?:be )?us(?:e|ed|ing)|giv(?:e|en|ing)|tak(?:e|en|ing)|start(?:ed|ing)?|prescrib\w+"
    r"|order(?:ed)?"
    r"|choose|chosen|add(?:ed)?)|not? ?(?:us(?:e|ing))|n['\u2019]t (?:use|give|take|start|prescribe|add)"
    r"|(?: have)? avoid(?:ed|ing)?| (?:steer|stay|keep) (?:well )?clear of| leave| rule out)"
    r" (?:any of |all of |either of |both of |any |all |each of )?(?:those|these|them|the (?:two|three|four))\b"
    r"(?= ?(?:here|now|today|for (?:him|her|them|you|this patient|now)|in (?:him|her|you|this patient)|at all"
    r"|altogether|either)? ?(?:[.;\n\u2013\u2014]|\Z|, (?:as|because|since|given)\b|because\b))",
    re.I,
)
_LEAVE_IT: Final = re.compile(
    r"(?:[^.;\n]|\.(?=\d)){0,160}?,? (?:so|and so|and therefore|therefore|hence|which is why)\b[^.;\n]{0,24}?"
    r"(?:(?<!not )(?<!never )(?<!n't )(?<!n\u2019t )\bleave (?:it|this|that)(?: well)? (?:alone|out|off)(?! of\b)"
    r"(?: (?:altogether|entirely|here|now|for now))?"
    r"|\bavoid (?:it|this) (?:altogether|entirely|here|now)|(?:\bnot|n['\u2019]t) (?:use|give|prescribe|start)"
    r" (?:it|this)\b(?: (?:here|now|at all|altogether))?)(?= ?(?:[.,;:\n]|\Z))",
    re.I,
)
_REACH: Final = 220


def pointed_back(text: str, statements: Sequence[Statement]) -> frozenset[int]:
    """Numbers of the statements that a later pronoun refuses."""
    found: set[int] = set()
    for number, statement in enumerate(statements):
        if not statement.scope.prescriptive:
            continue
        span = statement.mention.span
        own = sentence_around(text, span.start, span.end)
        bare = statement.dose is None and statement.frequency is None
        if bare and _NONE_OF_THOSE.match(text, own.end, own.end + _REACH):
            found.add(number)
            continue
        left = _LEAVE_IT.match(text, span.end, own.end)
        if left is not None and not any(
            span.end <= s.mention.span.start < left.end()
            and set(s.mention.drugs).isdisjoint(statement.mention.drugs)
            for s in statements[number + 1 : number + 12]
        ):
            found.add(number)
    return frozenset(found)


__all__ = ["pointed_back"]

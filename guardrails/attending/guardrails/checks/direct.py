"""Bare names in a text that doses what it gives.

"Started lacosamide 50 mg BID; carbamazepine passed over as an inducer": where other drugs have their doses, a name
without one is given only where a word of giving stands beside it. In a text without any dose a name counts as
`clinical/scope.py` reads it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span, Statement

_GIVING: Final = (
    r"(?:tak(?:e[ns]?|ing)|took|us(?:e|es|ed|ing)|start(?:s|ed|ing)?|begin|began|begun|add(?:s|ed|ing)?"
    r"|giv(?:e[ns]?|ing)|gave|prescrib(?:e[sd]?|ing)|continu(?:e[sd]?|ing)|keep(?:s|ing)?|kept|restart(?:s|ed|ing)?"
    r"|resum(?:e[sd]?|ing)|try|order(?:ed)?|recommend(?:ed|s)?|suggest(?:ed|s)?|spray|apply|inject|swallow|chew|rx:?"
    r"|receiv(?:e[sd]?|ing)|initiat(?:e|ed|ing)|administer(?:ed)?|combin(?:e|ed|ing)|buy|have|has|carr(?:y|ies)|on|plus"
    r"|(?:switch\w*|chang\w+|mov\w+|convert\w*|step\w*|go|went|back|add\w*|addition) to"
    r"|(?:together|along|combined|combination|treat\w*|start\w*|managed|home|it|this|continu\w+|go|went|taken?"
    r"|safe\w*|fine|ok|okay|bridg\w+|load\w*) with|(?:dose|course) of|(?:script|prescription) for)"
)
_BETWEEN: Final = (
    r"(?:~|and|or|&|both|your|his|her|their|my|the|an?|some|usual|current|regular|oral|iv|po|low|low-dose|home|same"
    r"|also|just|only|new|as well as|with|plus|taking|using|on|[\d.,]{1,9} ?(?:mg|mcg|g|units?|ml|iu)?"
    r"|(?:once |twice )?(?:a day|daily)|bid|tid|od|qd|nightly|weekly|tablets?|capsules?)"
)
_GIVEN_BEFORE: Final = re.compile(
    rf"\b{_GIVING}(?:[^\w~\n.;:]{{1,4}}{_BETWEEN}){{0,8}}[^\w~\n.;:]{{0,4}}\Z", re.I
)
_GIVEN_BEHIND: Final = re.compile(
    r"[^\w~]{0,3}(?:\([^()~]{0,40}\)[^\w~]{0,3})?(?:(?:~|and|tablets?|capsules?)[^\w~]{1,3}){0,3}"
    r"(?:(?:is|was|were|are|be|been|has been|will be|should be|can be|may be|to be) (?:also |now |today )?"
    r"(?:started|continued|added|given|prescribed|resumed|restarted|begun|ordered|taken|used|fine|safe|ok|okay"
    r"|recommended|kept)|continues|stays|remains|as needed|prn|unchanged)\b",
    re.I,
)
_BEFORE: Final = 160
_BEHIND: Final = 100


class Names:
    """The names of drugs in a text and which of them it doses, for many questions about one text."""

    def __init__(self, text: str, statements: Sequence[Statement]) -> None:
        self._text = text
        self._spans = sorted({(s.mention.span.start, s.mention.span.end) for s in statements})
        self._dosed = {s.mention.span for s in statements if s.dose is not None and s.scope.prescriptive}

    def doses_others(self, name: Span) -> bool:
        """True where the text gives the dose of another drug that it has the patient take."""
        return len(self._dosed) > 1 or not self._dosed <= {name}

    def directly_given(self, name: Span) -> bool:
        """True where a word of giving stands beside the name, with nothing but other names and small words between."""
        sentence = sentence_around(self._text, name.start, name.end)
        start = max(sentence.start, name.start - _BEFORE)
        end = min(len(self._text), name.end + _BEHIND)
        return bool(
            _GIVEN_BEFORE.search(self._veiled(start, name.start))
            or _GIVEN_BEHIND.match(self._veiled(name.end, end))
        )

    def _veiled(self, start: int, end: int) -> str:
        """A part of the text with a tilde for the name of each drug."""
        parts: list[str] = []
        at = start
        first = max(0, bisect_left(self._spans, (start, 0)) - 1)
        for opens, closes in self._spans[first:]:
            if opens >= end:
                break
            if closes > at:
                parts += [self._text[at : max(at, opens)].replace("~", "-"), "~"]
                at = closes
        parts.append(self._text[at:end].replace("~", "-"))
        return "".join(parts)


__all__ = ["Names"]

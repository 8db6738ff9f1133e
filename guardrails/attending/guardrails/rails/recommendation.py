"""Whether a text recommends: prescriptive scope over a drug, dose, test, referral, treatment, diagnosis or urgency.

This is the rail that no policy can switch off, so it leans towards finding: a text that it cannot read (another
language) counts as a recommendation. What ordinary letters say (an appointment, a refill that is ready, "bring your
insurance card", "if this is an emergency, call 911") does not. Drugs and doses come from the clinical grammar, the
rest from the lexical grammar below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from attending.guardrails.clinical.statement import ParsedText, Statement
from attending.guardrails.finding import Scope
from attending.guardrails.rails.advice import (
    ADVICE,
    ARRANGES_VISIT,
    ASKS_TO_TELL,
    BARE_DOSE,
    BOILERPLATE,
    DIRECTED_DOSE,
    DIRECTIVE,
    DISPENSING,
    MEASURED,
    RESULT_READY,
    SENTENCE_END,
    Kind,
)

MAX_DOSES: Final = 200
"""How many bare amounts are read in their sentence; a text with more is no letter, and counts as recommending."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One place that recommends; offsets are code points into the text, end exclusive."""

    kind: Kind
    start: int
    end: int


def find_recommendations(text: str, parsed: ParsedText) -> tuple[Recommendation, ...]:
    """Every recommendation in `text`, in text order; `parsed` is the clinical grammar's reading of the same text.

    Never raises. Does not judge whether a recommendation is right.
    """
    found = [*_drugs(text, parsed)]
    # The dose of a drug already found is the same advice.
    found += [
        dose
        for dose in _doses(text, parsed)
        if not any(drug.start <= dose.start and dose.end <= drug.end for drug in found)
    ]
    for kind, pattern in ADVICE:
        for match in pattern.finditer(text):
            sentence = _sentence(text, match.start(), match.end())
            if kind == "urgency" and (BOILERPLATE.search(sentence) or ARRANGES_VISIT.match(sentence)):
                continue
            if kind == "diagnosis" and RESULT_READY.search(sentence):
                continue
            found.append(Recommendation(kind, match.start(), match.end()))
    if not found and _foreign(text):
        found.append(Recommendation("unreadable_language", 0, len(text)))
    unique = dict.fromkeys(found)
    return tuple(sorted(unique, key=lambda r: (r.start, r.end, r.kind)))


_PRESCRIPTIVE: Final = frozenset({Scope.RECOMMEND, Scope.CONTINUE, Scope.AVOID, Scope.STOP, Scope.LIMIT})


def _drugs(text: str, parsed: ParsedText) -> Iterator[Recommendation]:
    for statement in parsed.statements:
        clause = text[statement.clause.start : statement.clause.end]
        if statement.scope in _PRESCRIPTIVE or _prescribes_in_passing(statement, clause):
            if statement.scope not in (Scope.AVOID, Scope.STOP) and (
                ASKS_TO_TELL.search(clause) or _supplies(statement, clause)
            ):
                continue
            span = statement.mention.span
            end = max(span.end, statement.dose.span.end if statement.dose else 0)
            yield Recommendation("drug", min(span.start, end), end)
    for unknown in parsed.unknown:
        yield Recommendation("drug", unknown.span.start, unknown.span.end)


def _prescribes_in_passing(statement: Statement, clause: str) -> bool:
    """A drug that is only named, with what one would take it by: "metformin 500 mg twice daily"."""
    if statement.scope not in (Scope.MENTION, Scope.HYPOTHETICAL):
        return False
    if (
        statement.frequency is not None
        or statement.daily_limit is not None
        or statement.single_limit is not None
    ):
        return True
    return statement.dose is not None and not DISPENSING.search(clause)


def _supplies(statement: Statement, clause: str) -> bool:
    """A drug that is handed over rather than advised: "your refill of metformin 500 mg is ready"."""
    return (
        statement.scope in (Scope.CONTINUE, Scope.MENTION)
        and statement.frequency is None
        and DISPENSING.search(clause) is not None
        and DIRECTIVE.search(clause) is None
    )


def _doses(text: str, parsed: ParsedText) -> Iterator[Recommendation]:
    for unreadable in parsed.unreadable:
        yield Recommendation("dose", unreadable.span.start, unreadable.span.end)
    for match in DIRECTED_DOSE.finditer(text):
        if ASKS_TO_TELL.search(_sentence(text, match.start(), match.end())):
            continue
        yield Recommendation("dose", match.start(), match.end())
    for count, match in enumerate(islice(BARE_DOSE.finditer(text), MAX_DOSES + 1)):
        sentence = _sentence(text, match.start(), match.end())
        ordinary = DISPENSING.search(sentence) or MEASURED.search(sentence)
        if not ordinary or count == MAX_DOSES:
            yield Recommendation("dose", match.start(), match.end())


def _sentence(text: str, start: int, end: int) -> str:
    """The sentence round `[start, end)`, at most 300 characters to either side."""
    left = text[max(0, start - 300) : start]
    right = text[end : end + 300]
    before = SENTENCE_END.split(left)[-1]
    after = SENTENCE_END.split(right)[0]
    return before + text[start:end] + after


_FUNCTION_WORDS: Final = (
    "the of and to in is you that it for on are with as at be this have from or by we your our will not can an a "
    "has was if please may should take they he she his her all been when do no there their were which i dear day "
    "daily mg patient"
)
_ENGLISH: Final = frozenset(_FUNCTION_WORDS.split())
_WORD: Final = re.compile(r"[^\W\d_]+")


def _foreign(text: str) -> bool:
    """Whether `text` is prose that this grammar cannot read: mostly another script, or hardly an English function
    word among twelve words or more."""
    words = [word.lower() for word in _WORD.findall(text[:20_000])]
    letters = sum(len(word) for word in words)
    if letters < 12:
        return False
    beyond_latin = sum(1 for word in words for char in word if ord(char) > 0x24F)
    if beyond_latin > 0.3 * letters:
        return True
    # Names and addresses carry no function words; lower-case prose does.
    prose = [word for word in _WORD.findall(text[:20_000]) if word[0].islower()]
    english = sum(1 for word in prose if word in _ENGLISH)
    return (len(prose) >= 8 and english == 0) or (len(prose) >= 12 and english < 0.12 * len(prose))

"""Never-events of fluids: a volume of sterile water into a vein, concentrated sodium chloride by push.

Fluids are no drug names in a text (`knowledge/curated/not_names.tsv`), so that they are read here by their words, in
one sentence with the way. Not caught: a fluid whose way stands in another sentence, and saline without a percentage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from attending.guardrails.checks.case import Case, rule
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.sieve import Sieved

_FORBIDDEN: Final = re.compile(
    r"(?:\b(?:never|not|no|cannot|avoid\w*|without|instead of|rather than)|n['\u2019]t)\b(?:[^.;,\n]|\.\d){0,60}\Z",
    re.I,
)
_TOLD: Final = re.compile(r"\b(?:was|were|received|mistake\w*|error\w*|accident\w*)\b", re.I)
"""What happened to somebody is no order."""


@dataclass(frozen=True, slots=True)
class _Fluid:
    """`fluid`, `way` and `amount` stand in one sentence, and nothing of `unless`."""

    id: str
    source: str
    message: str
    fluid: Sieved
    way: re.Pattern[str]
    amount: re.Pattern[str]
    unless: re.Pattern[str]
    alone: bool = False
    """Only where the sentence names no drug: beside one, `never_event` reads it."""


_FLUIDS: Final = (
    _Fluid(
        "sterile-water-iv",
        "sterile water for injection label: hemolysis; ISMP high-alert list",
        "a large volume of sterile water into a vein destroys blood cells",
        Sieved(r"\bsterile water\b", re.I),
        re.compile(r"\b(?:iv|i\.v\.|intravenous(?:ly)?|into (?:the|a) vein|(?:picc|central) line)\b", re.I),
        re.compile(r"\b(?:\d{3,4} ?ml|\d(?:\.\d)? ?l|lit(?:er|re)s?|bags?|maintenance|bolus)\b", re.I),
        re.compile(
            r"\b(?:dilut\w*|reconstitut\w*|dissolv\w*|mix\w*|add(?:ed|ing)?|plus|meq|mmol|bicarbonate|irrigat\w*"
            r"|bladder|inhal\w*|humidif\w*|feed\w*|tube|peg|wash\w*|rins\w*)\b",
            re.I,
        ),
        alone=True,
    ),
    _Fluid(
        "hypertonic-saline-push",
        "ISMP high-alert list: sodium chloride above 0.9 %",
        "concentrated sodium chloride by push",
        Sieved(r"\b(?:sodium chloride|saline|nacl)\b", re.I),
        re.compile(r"\b(?:push|bolus|undiluted)\b", re.I),
        re.compile(r"\b(?:23\.4|14\.6) ?%"),
        re.compile(r"\b(?:central|herniat\w*)\b", re.I),
    ),
)


def fluid_never_events(case: Case) -> Iterator[Finding]:
    """Contraindicated findings, at most one of each kind. A sentence that forbids the way is none."""
    text = case.judged.output
    drugs = [statement.mention.span.start for statement in case.output.statements]
    for event in _FLUIDS:
        for match in event.fluid.finditer(text):
            around = sentence_around(text, *match.span(), semicolons=True)
            sentence = text[around.start : around.end]
            if event.alone and any(around.start <= start < around.end for start in drugs):
                continue
            if (
                event.amount.search(sentence) is None
                or event.unless.search(sentence)
                or _TOLD.search(sentence)
            ):
                continue
            if all(_FORBIDDEN.search(sentence, 0, way.start()) for way in event.way.finditer(sentence)):
                continue
            yield case.finding(
                Code.NEVER_EVENT,
                None,
                Severity.CONTRAINDICATED,
                rule(f"never-{event.id}", event.source),
                event.message,
                span=Span(*match.span()),
            )
            break

"""An output that rests on a document which its register, or its own head, says no longer holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from attending.guardrails.checks.case import Case, rule
from attending.guardrails.checks.passages import content_words, overlap, passages_of, weights_of
from attending.guardrails.clinical.statement import Span
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.grounding.drugs import Source
from attending.guardrails.patient import Document

_WITHDRAWN: Final = re.compile(
    r"\b(?:withdrawn|superseded|retracted|obsolete|rescinded|no longer (?:valid|current|in force|recommended for use)"
    r"|replaced by (?:version|the)|out of date|archived version)\b",
    re.I,
)
_CITES: Final = re.compile(
    r"\b(?:guidelines?|guidance|protocol|recommendations?|policy|document|reference|source|leaflet"
    r"|as (?:advised|described|stated))\b",
    re.I,
)
_WITHDRAWN_HEAD: Final = 600
_DEPENDS: Final = 0.5


def is_withdrawn(document: Document) -> bool:
    """True where the register or the head of the document itself says that it no longer holds."""
    return document.withdrawn or _WITHDRAWN.search(document.text[:_WITHDRAWN_HEAD]) is not None


def withdrawn(case: Case, gone: Sequence[Source], valid: Sequence[Source]) -> Iterator[Finding]:
    """An output that names a document of `gone`, gives its drug, or repeats one of its sentences."""
    weights = weights_of([words for source in valid for words in passages_of(source.document)])
    output_words = frozenset(content_words(case.judged.output))
    given = {e.drug for e in case.given} | {e.generic_class for e in case.given if e.generic_class}
    named = {name.text.lower() for name in case.output.unknown}
    elsewhere = _drugs(valid)
    for source in gone:
        shared = sorted((_drugs([source]) & given) - elsewhere)
        # A name no lexicon knows ties the two texts as a drug does; a citation of "the guideline" can only mean this
        # document where no valid one was given.
        unknown = {name.text.lower() for name in source.parsed.unknown} & named
        cites = not valid and _CITES.search(case.judged.output) is not None
        at = case.judged.output.find(source.document.id) if len(source.document.id) > 3 else -1
        repeated = any(
            len(words) >= 4 and overlap(words, output_words, weights) >= _DEPENDS
            for words in passages_of(source.document)
        )
        if at < 0 and not shared and not repeated and not unknown and not cites:
            continue
        exposure = next((e for e in case.given if e.drug in shared), None)
        span = Span(at, at + len(source.document.id)) if at >= 0 else None
        yield case.finding(
            Code.UNSUPPORTED,
            exposure,
            Severity.MAJOR,
            rule("withdrawn-document", f"document {source.document.id}"),
            f"the output rests on document {source.document.id}, which is marked withdrawn or superseded",
            drugs=shared,
            span=span,
        )


def _drugs(sources: Sequence[Source]) -> set[str]:
    return {drug for source in sources for said in source.parsed.statements for drug in said.mention.drugs}

"""Which passage each sentence of the output rests on, and the citation that says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from attending.guardrails.citation import Citation, Support
from attending.guardrails.finding import Code, Finding
from attending.guardrails.grounding.compare import Difference
from attending.guardrails.grounding.reading import Reading
from attending.guardrails.grounding.sources import Passage, Sources

MAX_CITATIONS: Final = 600
_LEAST_WORDS: Final = 2
"""A sentence with fewer content words ("Plan:") claims nothing."""
_SUPPORTED: Final = 0.6
_NEAR: Final = 0.25
"""Below this share of the words a passage is no help to a reader."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """Sentence `sentence` of the output with the passage that shares most of its words, if any; `at` is its index."""

    sentence: int
    stems: frozenset[str]
    share: float = 0.0
    at: int = -1
    passage: Passage | None = None


def align(ours: Reading, theirs: Sources) -> list[Aligned]:
    """The nearest passage of each sentence that claims something, in order; at most `MAX_CITATIONS`."""
    found: list[Aligned] = []
    for sentence in range(len(ours.bounds)):
        if len(found) == MAX_CITATIONS:
            break
        if sentence in ours.questions:
            continue
        stems = frozenset(word.stem for word in ours.words_of(sentence))
        if len(stems) < _LEAST_WORDS:
            continue
        best = theirs.best(stems)
        if best:
            share, at = best[0]
            found.append(Aligned(sentence, stems, share, at, theirs.passages[at]))
        else:
            found.append(Aligned(sentence, stems))
    return found


def citations(
    ours: Reading, aligned: Iterable[Aligned], different: Iterable[Difference], findings: Iterable[Finding]
) -> Iterator[Citation]:
    """One citation a claim. A contradiction by any rule makes the claim contradicted, whatever its words share."""
    by_sentence: dict[int, Difference] = {}
    for difference in different:
        by_sentence.setdefault(ours.sentence_at(difference.start), difference)
    told: dict[int, Finding] = {}
    for finding in findings:
        if finding.code is Code.CONTRADICTION:
            told.setdefault(ours.sentence_at(finding.start), finding)
    for one in aligned:
        start, end = ours.bounds[one.sentence]
        share = round(100 * one.share)
        contradicted = told.get(one.sentence)
        against = by_sentence.get(one.sentence)
        passage = against.passage if against is not None else one.passage
        if contradicted is not None:
            status, why = Support.CONTRADICTED, contradicted.message.split(": `")[0]
        elif one.share >= _SUPPORTED and one.passage is not None and _turned(ours, one.sentence, one.passage):
            status, why = Support.UNSUPPORTED, "the nearest passage says part of it the other way round"
        elif one.share >= _SUPPORTED:
            status, why = Support.SUPPORTED, "the passage says it in nearly the same words"
        elif one.share >= _NEAR:
            status, why = Support.UNSUPPORTED, "the nearest passage says only part of it"
        else:
            status, why, passage = Support.UNSUPPORTED, "no passage comes near", None
        if passage is None:
            yield Citation(start, end, status, share, why)
            continue
        low, high = passage.span
        yield Citation(start, end, status, share, why, passage.document, low, high, passage.text)


def _turned(ours: Reading, sentence: int, passage: Passage) -> bool:
    """Whether a word is denied in one of the two sentences and asserted in the other, and nowhere alike."""
    theirs: dict[str, set[bool]] = {}
    for word in passage.reading.words_of(passage.sentence):
        theirs.setdefault(word.stem, set()).add(word.negated)
    said: dict[str, set[bool]] = {}
    for word in ours.words_of(sentence):
        said.setdefault(word.stem, set()).add(word.negated)
    return any(
        stem in theirs and not theirs[stem] & ways for stem, ways in said.items() if not stem.startswith("#")
    )

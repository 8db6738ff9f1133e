"""The passages of the documents, indexed: which of them a sentence speaks of, and which facts stand in such a context.

Alignment is by words weighted by their rarity. Every look-up follows the rarer words of the claim through an index and
stops after a bounded number of candidates, so that judging stays linear in output and documents.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from attending.guardrails.grounding.reading import Fact, Reading

_CANDIDATES: Final = 24
_POSTINGS: Final = 200
_UNKNOWN: Final = 1.0
"""Weight of a word that no passage has, in units of the weight that a word of one passage has."""
_NUMBER_SHARE: Final = 0.5
"""What a number weighs beside a word: it places a neighbour, and is often what is wrong itself."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Sentence `sentence` of `reading`."""

    reading: Reading
    sentence: int

    @property
    def document(self) -> str:
        return self.reading.document

    @property
    def span(self) -> tuple[int, int]:
        return self.reading.bounds[self.sentence]

    @property
    def text(self) -> str:
        start, end = self.span
        return self.reading.text[start:end]


class Sources:
    """The readings of all documents that still hold."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self.readings = tuple(readings)
        self.passages: list[Passage] = []
        self.stems: list[frozenset[str]] = []
        self._by_stem: dict[str, list[int]] = defaultdict(list)
        self.words: dict[str, list[tuple[Reading, int]]] = defaultdict(list)
        """Stem to where it stands: its reading and the word's index there."""
        self.polarities: dict[str, set[bool]] = defaultdict(set)
        """Stem to whether it is denied, asserted or both."""
        self._facts: dict[str, dict[str, list[tuple[Reading, Fact]]]] = defaultdict(lambda: defaultdict(list))
        self._every: dict[str, list[tuple[Reading, Fact]]] = defaultdict(list)
        for reading in self.readings:
            self._add(reading)
        total = max(1, len(self.passages))
        self.weights = {stem: math.log(1 + total / len(at)) for stem, at in self._by_stem.items()}
        self.unknown = math.log(1 + total) * _UNKNOWN
        for stem in self.weights:
            if stem[0] == "#":
                self.weights[stem] *= _NUMBER_SHARE

    def _add(self, reading: Reading) -> None:
        for index, word in enumerate(reading.words):
            self.words[word.stem].append((reading, index))
            self.polarities[word.stem].add(word.negated)
        for sentence in range(len(reading.bounds)):
            stems = frozenset(word.stem for word in reading.words_of(sentence))
            at = len(self.passages)
            self.passages.append(Passage(reading, sentence))
            self.stems.append(stems)
            for stem in stems:
                self._by_stem[stem].append(at)
        for fact in reading.facts:
            self._every[fact.kind].append((reading, fact))
            by_stem = self._facts[fact.kind]
            for stem in reading.context(fact, fact.place):
                by_stem[stem].append((reading, fact))

    @property
    def drugs(self) -> frozenset[str]:
        """Every drug that a document names."""
        return frozenset(
            name
            for _, fact in self._every.get("drug", ())
            if isinstance(fact.value, frozenset)
            for name in fact.value
        )

    def shared(self, stems: frozenset[str], at: int) -> float:
        """The share of the weight of `stems` that passage `at` has."""
        total = self._weight_of(stems)
        return self._weight_of(stems & self.stems[at]) / total if total else 0.0

    def _weight_of(self, stems: frozenset[str]) -> float:
        # The order of a set differs between processes; the sum must not, or a share at a threshold would.
        return math.fsum(map(self.weight, stems))

    def weight(self, stem: str) -> float:
        found = self.weights.get(stem)
        if found is not None:
            return found
        return self.unknown * _NUMBER_SHARE if stem[0] == "#" else self.unknown

    def best(self, stems: frozenset[str], *, limit: int = 1) -> list[tuple[float, int]]:
        """The passages that share most of the weight of `stems`: share (0 to 1) and index, best first."""
        total = self._weight_of(stems)
        if not total:
            return []
        scores: dict[int, float] = defaultdict(float)
        for stem in sorted(stems):
            postings = self._by_stem.get(stem, ())
            if len(postings) > _POSTINGS:
                continue
            weight = self.weights[stem] if postings else 0.0
            for at in postings:
                scores[at] += weight
        top = heapq.nlargest(limit, scores.items(), key=lambda item: (item[1], -len(self.stems[item[0]])))
        return [(score / total, at) for at, score in top]

    def facts_like(self, kind: str, context: dict[str, float]) -> list[tuple[float, Reading, Fact]]:
        """Facts of a kind in the documents with how much of `context` they share (0 to 1), most alike first."""
        every = self._every.get(kind)
        if not every:
            return []
        total = self.total(context)
        candidates: Iterable[tuple[Reading, Fact]] = every
        if len(every) > _CANDIDATES:
            by_stem = self._facts[kind]
            chosen: dict[int, tuple[Reading, Fact]] = {}
            for stem in sorted(context, key=lambda s: -context[s] * self.weight(s)):
                for entry in by_stem.get(stem, ())[:_POSTINGS]:
                    chosen[id(entry[1])] = entry
                if len(chosen) >= _CANDIDATES:
                    break
            candidates = chosen.values()
        found = [
            (self.share(context, reading.context(fact, fact.place), total), reading, fact)
            for reading, fact in candidates
        ]
        found.sort(key=lambda row: -row[0])
        return found

    def share(self, ours: dict[str, float], theirs: dict[str, float], total: float) -> float:
        """How much of `ours`, whose weight is `total`, `theirs` has; two facts that stand alone are in one place."""
        if not ours:
            return 0.0 if theirs else 1.0
        return self._alike(ours, theirs) / total

    def _alike(self, ours: dict[str, float], theirs: dict[str, float]) -> float:
        """The weight that two contexts share."""
        if len(theirs) < len(ours):
            ours, theirs = theirs, ours
        shared = 0.0
        weights = self.weights
        for stem, weight in ours.items():
            other = theirs.get(stem)
            if other is not None:
                shared += (weight if weight < other else other) * weights.get(stem, self.unknown)
        return shared

    def total(self, context: dict[str, float]) -> float:
        return sum(weight * self.weight(stem) for stem, weight in context.items())

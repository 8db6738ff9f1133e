"""Sentences of a text as comparable sets of words, for lexical alignment."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from attending.guardrails.patient import Document

MAX_SENTENCES: Final = 600
_STOP_WORDS: Final = (
    "the and for with you your are was were has have had this that from will would should can may not but "
    "all any its his her their they them our per who she him use used take taken taking daily day days "
    "once twice each into about after before please also more than been being please when what which"
)
_STOP: Final = frozenset(_STOP_WORDS.split())
_WORD: Final = re.compile(r"[a-z][a-z'-]{2,}")


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the sentences and list items of a text, without surrounding white space."""
    for match in re.finditer(r"[^\n]+?(?:(?<=[.!?])(?=\s+[A-Z0-9\"(])|$)", text, re.M):
        start, end = match.start(), match.end()
        while start < end and text[start].isspace():
            start += 1
        if start < end:
            yield start, end


def passages_of(document: Document) -> Iterator[frozenset[str]]:
    """The content words of each sentence, at most `MAX_SENTENCES` of them."""
    for start, end in islice(sentences(document.text), MAX_SENTENCES):
        yield frozenset(content_words(document.text[start:end]))


def content_words(text: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP]


def _stem(word: str) -> str:
    for ending in ("ations", "ation", "ings", "ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def weights_of(passages: Sequence[frozenset[str]]) -> dict[str, float]:
    """Inverse passage frequency, so that what all passages share aligns nothing."""
    counts = Counter(word for words in passages for word in words)
    total = max(1, len(passages))
    return {word: math.log(1 + total / count) for word, count in counts.items()}


def overlap(ours: frozenset[str], theirs: frozenset[str], weights: dict[str, float]) -> float:
    """Share of the weight of `ours` that `theirs` has; a word no passage knows weighs one. The same in every process,
    whatever the order of the sets."""
    total = math.fsum(weights.get(word, 1.0) for word in ours)
    return math.fsum(weights.get(word, 1.0) for word in ours & theirs) / total if total else 0.0

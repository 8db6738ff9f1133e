"""Sentences of a text as comparable sets of words and numbers, for lexical alignment."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.clinical.statement import Span
from attending.guardrails.patient import Document

MAX_SENTENCES: Final = 600


_STOP_WORDS: Final = (
    "the and for with you your are was were has have had this that from will would should can may not but "
    "all any its his her their they them our per who she him use used take taken taking daily day days "
    "once twice each into about after before please also more than been being please when what which"
)
_STOP: Final = frozenset(_STOP_WORDS.split())
_UNIT_NAMES: Final = {
    "hr": "hour", "hrs": "hour", "wk": "week", "wks": "week", "percent": "%", "lbs": "lb",
}  # fmt: skip
_NUMBER: Final = re.compile(
    r"(?<![\w.])(?P<value>\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)\s*(?:-|\u2013|to)?\s*(?P<unit>hours?|hrs?|days?"
    r"|weeks?|wks?|months?|years?|%|percent"
    r"|mg/dl|mmol/l|meq/l|g/dl|ml/min|bpm|mmhg|kg|lbs?|cm|ml|l|pm|am|\u00b0?[cf])\b",
    re.I,
)
_WORD: Final = re.compile(r"[a-z][a-z'-]{2,}")


@dataclass(frozen=True, slots=True)
class Passage:
    """One sentence of one document, prepared once."""

    document: str
    text: str
    words: frozenset[str]


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the sentences and list items of a text, without surrounding white space."""
    for match in re.finditer(r"[^\n]+?(?:(?<=[.!?])(?=\s+[A-Z0-9\"(])|$)", text, re.M):
        start, end = match.start(), match.end()
        while start < end and text[start].isspace():
            start += 1
        if start < end:
            yield start, end


def numbers(text: str) -> list[tuple[Decimal, str, Span]]:
    """Numbers with a unit that is no dose (times, percentages, measurements), with their place."""
    found: list[tuple[Decimal, str, Span]] = []
    for match in _NUMBER.finditer(text):
        unit = match["unit"].lower()
        unit = _UNIT_NAMES.get(unit, unit.rstrip("s") if len(unit) > 3 else unit)
        found.append((Decimal(match["value"].replace(",", "")), unit, Span(*match.span())))
    return found


def passages_of(document: Document) -> Iterator[Passage]:
    for start, end in list(sentences(document.text))[:MAX_SENTENCES]:
        text = document.text[start:end]
        yield Passage(document.id, text, frozenset(content_words(text)))


def content_words(text: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(text.lower()) if word not in _STOP]


def _stem(word: str) -> str:
    for ending in ("ations", "ation", "ings", "ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def weights_of(passages: list[Passage]) -> dict[str, float]:
    """Inverse passage frequency, so that what all passages share aligns nothing."""
    counts = Counter(word for passage in passages for word in passage.words)
    total = max(1, len(passages))
    return {word: math.log(1 + total / count) for word, count in counts.items()}


def overlap(ours: frozenset[str], theirs: frozenset[str], weights: dict[str, float]) -> float:
    """Share of the weight of `ours` that `theirs` has; a word no passage knows weighs one."""
    total = sum(weights.get(word, 1.0) for word in ours)
    return sum(weights.get(word, 1.0) for word in ours & theirs) / total if total else 0.0

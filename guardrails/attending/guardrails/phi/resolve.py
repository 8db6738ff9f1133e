"""From overlapping evidence to one sorted list of spans that do not overlap and leave nothing of it uncovered."""

from __future__ import annotations

import re
from collections.abc import Iterable

from attending.guardrails.phi.lexicon import APOSTROPHE, UPPER, Lexicon, fold
from attending.guardrails.phi.spans import PhiSpan, PhiType

_JOIN_PLACES = re.compile(r",? ?(?:in|of|at|near|,)? ?\n?")
_JOIN_NAMES = re.compile(r"[ \t]{1,2}")
_WHOLE_WORD = re.compile(r"(?<!\w)[^\W\d_]+(?!\w)")
_TERM_AFTER = re.compile(rf"[{APOSTROPHE}]s? [a-z]+")


def resolve(text: str, found: Iterable[PhiSpan]) -> list[PhiSpan]:
    """Union of overlapping spans; a union takes the type of its longest member, or of a labelled one nearly as long.

    Places a comma or "in" apart, and names a blank apart, become one. Blanks at either end are cut.
    """
    merged: list[PhiSpan] = []
    leaders: list[PhiSpan] = []
    for raw in sorted(found, key=lambda s: (s.start, -s.end, -s.score)):
        span = _tight(text, raw)
        if span is None:
            continue
        if merged and span.start < merged[-1].end:
            leader = leaders[-1] = _leader(leaders[-1], span)
            last = merged[-1]
            merged[-1] = PhiSpan(
                last.start, max(last.end, span.end), leader.type, max(last.score, span.score)
            )
        elif merged and _joined(text, merged[-1], span):
            last = merged[-1]
            merged[-1] = PhiSpan(last.start, span.end, last.type, max(last.score, span.score))
            leaders[-1] = merged[-1]
        else:
            merged.append(span)
            leaders.append(span)
    return merged


def _leader(left: PhiSpan, right: PhiSpan) -> PhiSpan:
    """The one whose type a union takes: the longer one, unless the shorter is labelled and nearly as long."""
    long, short = sorted((left, right), key=lambda s: (s.start - s.end, -s.score, s.type))
    labelled = short.score >= _LABELLED > long.score
    nearly = (short.end - short.start) * 3 >= (long.end - long.start) * 2
    return short if labelled and nearly else long


_LABELLED = 0.85


def _tight(text: str, span: PhiSpan) -> PhiSpan | None:
    start, end = max(0, span.start), min(len(text), span.end)
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return PhiSpan(start, end, span.type, span.score) if start < end else None


def _joined(text: str, left: PhiSpan, right: PhiSpan) -> bool:
    if left.type is not right.type:
        return False
    if left.type is PhiType.GEOGRAPHIC_LOCATION:
        return _JOIN_PLACES.fullmatch(text, left.end, right.start) is not None
    return left.type is PhiType.NAME and _JOIN_NAMES.fullmatch(text, left.end, right.start) is not None


def again(text: str, spans: list[PhiSpan], lexicon: Lexicon) -> list[PhiSpan]:
    """Further mentions of the people already found: any of their names alone, capitalised, as a whole word."""
    parts: set[str] = set()
    for span in spans:
        if span.type is PhiType.NAME and span.score >= 0.6:
            for m in re.finditer(rf"[{UPPER}][^\W\d_]{{2,}}", text[span.start : span.end]):
                word = fold(m[0])
                if not lexicon.is_term(word) and word not in ("dr", "mrs", "miss", "prof"):
                    parts.add(m[0])
    if not parts:
        return []
    out = []
    for m in _WHOLE_WORD.finditer(text):
        if m[0] not in parts or (fold(m[0]) in lexicon.eponyms and _TERM_AFTER.match(text, m.end())):
            continue
        out.append(PhiSpan(m.start(), m.end(), PhiType.NAME, 0.6))
    return out

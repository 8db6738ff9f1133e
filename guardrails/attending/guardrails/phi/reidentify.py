"""From the model's answer back to the caller's: surrogates out, originals in, and what is wrong with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from attending.guardrails.phi.date_shift import DateShift, date_spans
from attending.guardrails.phi.placeholders import EXACT, loose, parse
from attending.guardrails.phi.spans import PhiSpan, PhiType
from attending.guardrails.phi.surrogates import dates_of
from attending.guardrails.phi.visible import visible

_BETWEEN = re.compile(r"[\s,;/|&-]{0,3}(?:(?:and|or|to|und)\s{1,2})?[\s\"'(]{0,2}", re.IGNORECASE)


class ProblemKind(StrEnum):
    """What is wrong with a placeholder of an answer; each one means HOLD under the design."""

    UNKNOWN = "unknown"
    """Exact in form, but the request has no such placeholder: the model made it up."""
    ALTERED = "altered"
    """Reads as a placeholder but is not in exact form; left as it is."""
    DUPLICATED = "duplicated"
    """The same placeholder twice in a row ("[NAME_1] and [NAME_1]"): two values were to stand there.

    A placeholder that comes back at a distance ("Dear [NAME_1] ... Goodbye, [NAME_1]") is ordinary writing and no
    problem; `Restored.counts` lets a policy be stricter.
    """
    DERIVED = "derived"
    """A date that is none of those given, in an answer to a request whose dates were moved. It is moved back like
    them, which is right where it was computed from them and wrong where it is of the world outside."""


@dataclass(frozen=True, slots=True)
class PlaceholderProblem:
    """`start` and `end` are code points into the answer *before* restoring; the text there is no PHI.

    `shown` is what stands there afterwards, and may be PHI; empty for a duplicate, which is about the whole text.
    """

    kind: ProblemKind
    start: int
    end: int
    shown: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Restored:
    """The answer with originals; `counts` says how often each known surrogate stood in it.

    `spans` says where originals now stand in `text`, sorted; LITERAL ones are escaped look-alikes of the request.
    A placeholder the answer does not use is no problem.
    """

    text: str
    problems: tuple[PlaceholderProblem, ...]
    counts: Mapping[str, int]
    spans: tuple[PhiSpan, ...]

    def __repr__(self) -> str:
        return f"Restored(problems={len(self.problems)}, spans={len(self.spans)})"


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the answer that reads as a surrogate; `original` is None where it stays as it is."""

    start: int
    end: int
    type: PhiType
    original: str | None
    problem: ProblemKind | None = None


def restore(text: str, placeholders: Mapping[str, str]) -> Restored:
    """`text` with every known surrogate replaced by its original, in one pass: originals are never scanned.

    With `Surrogates` whose dates were moved, dates are moved back in the form that the answer gives them. Never raises
    on any `text`. What cannot be put back stays in the text and is reported.
    """
    pieces = list(_placeholders(text, placeholders))
    dates = dates_of(placeholders)
    if dates is not None and dates.given:
        pieces = sorted([*pieces, *_dates(text, pieces, dates)], key=lambda piece: piece.start)
    parts: list[str] = []
    problems: list[PlaceholderProblem] = []
    counts: Counter[str] = Counter()
    spans: list[PhiSpan] = []
    at = length = 0
    previous: tuple[str, int] | None = None
    for piece in pieces:
        found = text[piece.start : piece.end]
        now = found if piece.original is None else piece.original
        if piece.problem is not None:
            problems.append(PlaceholderProblem(piece.problem, piece.start, piece.end, now))
        if piece.original is None:
            previous = None
            continue
        twice = previous is not None and previous[0] == found and EXACT.fullmatch(found)
        if twice and previous and _BETWEEN.fullmatch(text, previous[1], piece.start):
            problems.append(PlaceholderProblem(ProblemKind.DUPLICATED, piece.start, piece.end))
        previous = found, piece.end
        counts[found] += 1
        parts += [text[at : piece.start], now]
        length += piece.start - at
        if now:
            spans.append(PhiSpan(length, length + len(now), piece.type, 1.0))
        length += len(now)
        at = piece.end
    return Restored("".join([*parts, text[at:]]), tuple(problems), dict(counts), tuple(spans))


def _placeholders(text: str, originals: Mapping[str, str]) -> Iterator[_Piece]:
    shown = visible(text)
    for m in loose(shown.text):
        start, end = shown.original(m.start(), m.end())
        found = text[start:end]
        exact = EXACT.fullmatch(found) is not None
        original = originals.get(found) if exact else None
        type_ = parse(found)[0] if exact else PhiType.LITERAL
        problem = None if original is not None else ProblemKind.UNKNOWN if exact else ProblemKind.ALTERED
        yield _Piece(start, end, type_, original, problem)


def _dates(text: str, placeholders: Sequence[_Piece], dates: DateShift) -> Iterator[_Piece]:
    """The dates outside of placeholders moved back, and what else speaks of a moved date without being one."""
    marks = [(piece.start, piece.end) for piece in placeholders]
    shown = visible(text)
    found = [shown.original(span.start, span.end) for span in date_spans(shown.text)]
    whole = list(apart(found, marks))
    for start, end in whole:
        form = dates.read(text[start:end])
        if form is None:
            yield _Piece(start, end, PhiType.DATE, None, ProblemKind.ALTERED)
            continue
        original, given = dates.original(form)
        yield _Piece(start, end, PhiType.DATE, original, None if given else ProblemKind.DERIVED)
    at = 0
    left = sorted(shown.original(*place) for place in dates.leftovers(shown.text))
    for start, end in apart(left, sorted([*marks, *whole])):
        if start >= at:
            yield _Piece(start, end, PhiType.DATE, None, ProblemKind.ALTERED)
            at = end


def apart(places: Sequence[tuple[int, int]], others: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Those of `places` that touch none of `others`; both sorted, `others` not overlapping."""
    at = 0
    for start, end in places:
        while at < len(others) and others[at][1] <= start:
            at += 1
        if at == len(others) or others[at][0] >= end:
            yield start, end

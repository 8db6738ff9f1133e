"""The de-identified view of a text: identifiers out, surrogates in, and the mapping that leads back.

All texts of one request share a mapping: the same value has the same placeholder in the prompt and in every
document. The mapping is PHI; it lives in the vault, never in an entry, a log line or an exception.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from attending.guardrails.patient import Identity
from attending.guardrails.phi.date_form import YearMonthDay
from attending.guardrails.phi.date_shift import DateShift, choose_shift, date_spans
from attending.guardrails.phi.detect import PhiDetector
from attending.guardrails.phi.mode import PhiMode, for_mode
from attending.guardrails.phi.placeholders import EXACT, loose, parse, render
from attending.guardrails.phi.reidentify import apart
from attending.guardrails.phi.spans import PhiSpan, PhiType
from attending.guardrails.phi.surrogates import Surrogates, dates_of
from attending.guardrails.phi.visible import visible
from presidio_anonymizer import AnonymizerEngine
from presidio_anonymizer.entities import OperatorConfig, RecognizerResult
from presidio_anonymizer.operators import Operator, OperatorType

_OPERATOR = "attending_surrogate"


@dataclass(frozen=True, slots=True)
class Deidentified:
    """`text` with surrogates; `placeholders` leads from those of this text and of `existing` to the originals.

    `spans` are into the original text, sorted, not overlapping; LITERAL ones are escaped look-alikes, no PHI.
    """

    text: str
    placeholders: Surrogates
    spans: tuple[PhiSpan, ...]

    def __repr__(self) -> str:
        # no original value and no text may reach a log through a repr
        return f"Deidentified(placeholders={len(self.placeholders)}, spans={len(self.spans)})"


class _Assignment:
    """What stands for which value; one per text."""

    def __init__(self, existing: Mapping[str, str], dates: DateShift | None) -> None:
        self._originals = dict(existing)
        self._dates = dates
        self._given: dict[str, str] = {} if dates is None else dict(dates.given)
        self._moved: set[tuple[YearMonthDay, YearMonthDay]] = set() if dates is None else set(dates.moved)
        self._written = {original: surrogate for surrogate, original in self._given.items()}
        self._numbers: dict[PhiType, int] = {}
        self._by_value: dict[tuple[PhiType, str], str] = {}
        for placeholder, original in existing.items():
            type_, number = parse(placeholder)
            self._numbers[type_] = max(self._numbers.get(type_, 0), number)
            self._by_value[type_, original] = placeholder

    def surrogate(self, type_: PhiType, original: str) -> str:
        """Exact values share a surrogate; other spellings get their own, so that restoring is the identity."""
        found = self._by_value.get((type_, original))
        if found is not None:
            return found
        if type_ is PhiType.DATE and self._dates is not None and (moved := self._move(self._dates, original)):
            return moved
        number = self._numbers[type_] = self._numbers.get(type_, 0) + 1
        found = render(type_, number)
        self._by_value[type_, original] = found
        self._originals[found] = original
        return found

    def _move(self, dates: DateShift, original: str) -> str | None:
        if original in self._written:
            return self._written[original]
        moved = dates.surrogate(original)
        # two spellings of one day may be written alike once moved; the second takes a placeholder
        if moved is None or moved[0] in self._given:
            return None
        written, there, here = moved
        self._given[written] = original
        self._written[original] = written
        self._moved.add((there, here))
        return written

    def surrogates(self, dates: DateShift | None) -> Surrogates:
        if dates is not None and self._dates is not None:
            dates = replace(dates, given=self._given, moved=frozenset(self._moved))
        return Surrogates(self._originals, dates)


class _SurrogateOperator(Operator):  # type: ignore[misc] # presidio ships no types that mypy reads here
    """The anonymizer's operator that asks the text's assignment for the surrogate."""

    def operate(self, text: str, params: dict[str, object]) -> str:
        assignment = params["assignment"]
        if not isinstance(assignment, _Assignment):
            raise TypeError("the surrogate operator needs an assignment")
        return assignment.surrogate(PhiType(str(params["entity_type"])), text)

    def validate(self, params: dict[str, object]) -> None:
        if "assignment" not in params:
            raise ValueError("the surrogate operator needs an assignment")

    def operator_name(self) -> str:
        return _OPERATOR

    def operator_type(self) -> OperatorType:
        return OperatorType.Anonymize


def _anonymizer() -> AnonymizerEngine:
    engine = AnonymizerEngine()
    engine.add_anonymizer(_SurrogateOperator)
    return engine


_ENGINE = _anonymizer()


def deidentify(
    text: str,
    detector: PhiDetector,
    known: Identity | None = None,
    existing: Mapping[str, str] | None = None,
    *,
    mode: PhiMode = PhiMode.SAFE_HARBOR,
) -> Deidentified:
    """`text` with every identifier that `mode` replaces, and everything that looks like a placeholder, replaced.

    Pass the `placeholders` of the request's earlier texts as `existing`: values found there keep their placeholder
    and names found there are looked for here too. Raises ValueError when a key of `existing` is no placeholder.
    `restore(result.text, result.placeholders).text == text` for every text.
    """
    mapping = Surrogates() if existing is None else existing
    names = [value for key, value in mapping.items() if parse(key)[0] is PhiType.NAME]
    spans = detector.detect(text, known=known, also=names)
    return _view(text, spans, _with_dates(mapping, [text], mode), mode)


def deidentify_all(
    texts: Sequence[str],
    detector: PhiDetector,
    known: Identity | None = None,
    *,
    mode: PhiMode = PhiMode.SAFE_HARBOR,
) -> tuple[tuple[str, ...], Surrogates]:
    """The views of all texts of one request, and the mapping they share.

    A name found in any of them is looked for in all. For each view `restore(view, mapping).text` is the text.
    """
    mapping = _with_dates({}, texts, mode)
    views = []
    for text, spans in zip(texts, detector.detect_all(texts, known=known), strict=True):
        view = _view(text, spans, mapping, mode)
        mapping = view.placeholders
        views.append(view.text)
    return tuple(views), mapping


def _with_dates(mapping: Mapping[str, str], texts: Sequence[str], mode: PhiMode) -> Surrogates:
    dates = dates_of(mapping)
    if dates is None and mode is PhiMode.BAA_MINIMUM:
        dates = choose_shift(texts)
    return Surrogates(mapping, dates)


def _view(text: str, detected: Sequence[PhiSpan], mapping: Surrogates, mode: PhiMode) -> Deidentified:
    """INVARIANT: where dates move, every date of the view is a moved one that stands for an original, or lies within a
    placeholder. So moving dates back is the identity, also with what later texts of the request add."""
    spans = _with_literals(text, for_mode(text, detected, mode))
    dates = mapping.dates
    if dates is None:
        return _replaced(text, spans, mapping, None)[0]
    moving: DateShift | None = dates
    while True:
        view, places = _replaced(text, spans, mapping, moving)
        strays, unread = _read_back(view.text, spans, places)
        if not strays and not unread:
            return view
        if unread and moving is None:
            raise RuntimeError("a placeholder of the view is read as a date")
        if unread:
            # A moved date that is not read back as it was written, beside just these words: nothing of this text moves.
            moving = None
        spans = _with_literals(text, _union([*spans, *strays]))


def _read_back(
    view: str, spans: Sequence[PhiSpan], places: Sequence[tuple[int, int]]
) -> tuple[list[PhiSpan], bool]:
    """The dates that `view` shows beside its surrogates, as spans of the original, and whether a moved date is not
    read as one. `places` are those of the surrogates in `view`, one for each of `spans`."""
    shown = visible(view)
    marks = [shown.original(m.start(), m.end()) for m in loose(shown.text)]
    moved = {place for place in places if EXACT.fullmatch(view, *place) is None}
    seen = set(apart([shown.original(span.start, span.end) for span in date_spans(shown.text)], marks))
    strays = []
    for start, end in seen - moved:
        before = bisect_right([place[0] for place in places], start) - 1
        if any(a < end and start < b for a, b in places[max(before, 0) : before + 2]):
            return [], True
        offset = spans[before].end - places[before][1] if before >= 0 else 0
        strays.append(PhiSpan(start + offset, end + offset, PhiType.DATE, 0.5))
    return strays, bool(moved - seen)


def _replaced(
    text: str, spans: Sequence[PhiSpan], mapping: Surrogates, dates: DateShift | None
) -> tuple[Deidentified, list[tuple[int, int]]]:
    """The view, and where in it the surrogate of each span stands."""
    assignment = _Assignment(mapping, dates)
    places, moved_by = [], 0
    # Numbers follow reading order; the engine replaces from the end, so assign first.
    for span in spans:
        length = len(assignment.surrogate(span.type, text[span.start : span.end]))
        places.append((span.start + moved_by, span.start + moved_by + length))
        moved_by += length - (span.end - span.start)
    view = text
    if spans:
        view = _ENGINE.anonymize(
            text,
            [RecognizerResult(s.type.value, s.start, s.end, s.score) for s in spans],
            operators={"DEFAULT": OperatorConfig(_OPERATOR, {"assignment": assignment})},
            merge_entities_with_spaces=False,
        ).text
    return Deidentified(view, assignment.surrogates(mapping.dates), tuple(spans)), places


def _with_literals(text: str, spans: list[PhiSpan]) -> list[PhiSpan]:
    """`spans` and the look-alikes; where they overlap, one span with the type of the identifier.

    INVARIANT: no part between two spans of the result matches LOOSE by itself. Replacing a span puts brackets, no
    word characters, at its edges, which can complete a neighbour ("NAME_0NAME1"), so parts are scanned alone again.
    """
    merged = _union([*spans, *_literals(text, 0, len(text))])
    while True:
        edges = [0, *(edge for span in merged for edge in (span.start, span.end)), len(text)]
        found = [
            literal
            for start, end in zip(edges[::2], edges[1::2], strict=True)
            for literal in _literals(text, start, end)
        ]
        if not found:
            return merged
        merged = sorted([*merged, *found])


def _literals(text: str, start: int, end: int) -> list[PhiSpan]:
    shown = visible(text[start:end])
    found = [shown.original(m.start(), m.end()) for m in loose(shown.text)]
    return [PhiSpan(start + first, start + last, PhiType.LITERAL, 1.0) for first, last in found]


def _union(spans: list[PhiSpan]) -> list[PhiSpan]:
    out: list[PhiSpan] = []
    for span in sorted(spans):
        if out and span.start < out[-1].end:
            last = out[-1]
            type_ = last.type if last.type is not PhiType.LITERAL else span.type
            out[-1] = PhiSpan(last.start, max(last.end, span.end), type_, max(last.score, span.score))
        else:
            out.append(span)
    return out


def redact(
    text: str,
    detector: PhiDetector,
    known: Identity | None = None,
    *,
    mode: PhiMode = PhiMode.SAFE_HARBOR,
) -> tuple[str, list[PhiSpan]]:
    """`text` with each identifier replaced by its type in brackets (`[DATE]`), and the spans into `text`.

    Not reversible and not numbered: the form of `attending deid`. Under `baa_minimum` dates that have a form are moved
    by a distance that is drawn for this text and then forgotten.
    """
    spans = for_mode(text, detector.detect(text, known=known), mode)
    dates = choose_shift([text]) if mode is PhiMode.BAA_MINIMUM else None
    parts, at = [], 0
    for span in spans:
        moved = None
        if dates is not None and span.type is PhiType.DATE:
            moved = dates.surrogate(text[span.start : span.end])
        parts += [text[at : span.start], f"[{span.type.value}]" if moved is None else moved[0]]
        at = span.end
    return "".join([*parts, text[at:]]), spans

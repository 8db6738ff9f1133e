"""The de-identified view of a text: identifiers out, placeholders in, and the mapping that leads back.

All texts of one request share a mapping: the same value has the same placeholder in the prompt and in every
document. The mapping is PHI; it lives in the vault, never in an entry, a log line or an exception.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from attending.guardrails.patient import Identity
from attending.guardrails.phi.detect import PhiDetector
from attending.guardrails.phi.placeholders import LOOSE, parse, render
from attending.guardrails.phi.spans import PhiSpan, PhiType
from presidio_anonymizer import AnonymizerEngine
from presidio_anonymizer.entities import OperatorConfig, RecognizerResult
from presidio_anonymizer.operators import Operator, OperatorType

_OPERATOR = "attending_placeholder"
_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Deidentified:
    """`text` with placeholders; `placeholders` maps each one, of this text and of `existing`, to the original.

    `spans` are into the original text, sorted, not overlapping; LITERAL ones are escaped look-alikes, no PHI.
    """

    text: str
    placeholders: Mapping[str, str]
    spans: tuple[PhiSpan, ...]

    def __repr__(self) -> str:
        # no original value and no text may reach a log through a repr
        return f"Deidentified(placeholders={len(self.placeholders)}, spans={len(self.spans)})"


class _Assignment:
    """Which placeholder stands for which value; one per call."""

    def __init__(self, existing: Mapping[str, str]) -> None:
        self.originals = dict(existing)
        self._numbers: dict[PhiType, int] = {}
        self._by_value: dict[tuple[PhiType, str], str] = {}
        for placeholder, original in existing.items():
            type_, number = parse(placeholder)
            self._numbers[type_] = max(self._numbers.get(type_, 0), number)
            self._by_value[type_, original] = placeholder

    def placeholder(self, type_: PhiType, original: str) -> str:
        """Exact values share a placeholder; other spellings get their own, so that restoring is the identity."""
        found = self._by_value.get((type_, original))
        if found is None:
            number = self._numbers[type_] = self._numbers.get(type_, 0) + 1
            found = render(type_, number)
            self._by_value[type_, original] = found
            self.originals[found] = original
        return found


class _PlaceholderOperator(Operator):  # type: ignore[misc] # presidio ships no types that mypy reads here
    """The anonymizer's operator that asks the call's assignment for the placeholder."""

    def operate(self, text: str, params: dict[str, object]) -> str:
        assignment = params["assignment"]
        if not isinstance(assignment, _Assignment):
            raise TypeError("the placeholder operator needs an assignment")
        return assignment.placeholder(PhiType(str(params["entity_type"])), text)

    def validate(self, params: dict[str, object]) -> None:
        if "assignment" not in params:
            raise ValueError("the placeholder operator needs an assignment")

    def operator_name(self) -> str:
        return _OPERATOR

    def operator_type(self) -> OperatorType:
        return OperatorType.Anonymize


def _anonymizer() -> AnonymizerEngine:
    engine = AnonymizerEngine()
    engine.add_anonymizer(_PlaceholderOperator)
    return engine


_ENGINE = _anonymizer()


def deidentify(
    text: str,
    detector: PhiDetector,
    known: Identity | None = None,
    existing: Mapping[str, str] | None = None,
) -> Deidentified:
    """`text` with every identifier, and everything that looks like a placeholder, replaced.

    Pass the `placeholders` of the request's earlier texts as `existing`: values found there keep their placeholder
    and names found there are looked for here too. Raises ValueError when a key of `existing` is no placeholder.
    `restore(result.text, result.placeholders).text == text` for every text.
    """
    mapping = existing or _EMPTY
    names = [value for key, value in mapping.items() if parse(key)[0] is PhiType.NAME]
    spans = _with_literals(text, detector.detect(text, known=known, also=names))
    assignment = _Assignment(mapping)
    if not spans:
        return Deidentified(text, MappingProxyType(assignment.originals), ())
    # Numbers follow reading order; the engine replaces from the end, so assign first.
    for span in spans:
        assignment.placeholder(span.type, text[span.start : span.end])
    config = OperatorConfig(_OPERATOR, {"assignment": assignment})
    result = _ENGINE.anonymize(
        text,
        [RecognizerResult(s.type.value, s.start, s.end, s.score) for s in spans],
        operators={"DEFAULT": config},
        merge_entities_with_spaces=False,
    )
    return Deidentified(result.text, MappingProxyType(assignment.originals), tuple(spans))


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
    return [
        PhiSpan(start + m.start(), start + m.end(), PhiType.LITERAL, 1.0)
        for m in LOOSE.finditer(text[start:end])
    ]


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


def redact(text: str, detector: PhiDetector, known: Identity | None = None) -> tuple[str, list[PhiSpan]]:
    """`text` with each identifier replaced by its type in brackets (`[DATE]`), and the spans into `text`.

    Not reversible and not numbered: the form of `attending deid`.
    """
    spans = detector.detect(text, known=known)
    parts, at = [], 0
    for span in spans:
        parts += [text[at : span.start], f"[{span.type.value}]"]
        at = span.end
    return "".join([*parts, text[at:]]), spans

"""How much personal data is found: the detector that serves, over texts whose identifiers somebody marked.

One JSON object a line: `text`, `phi` (a list of `{"type", "start", "end"}`, code points, end exclusive; empty for a
text without any) and an optional `id`, else the line's number. An identifier with -1 for both is one whose place the
set does not know: it is in no count but its own, and its text is not a clean one. An identifier counts as found only
where all of it is covered, by spans of whatever type (full-cover recall); a text without any is flagged by any span.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import process_time
from typing import Any

from attending.guardrails.evaluation.labelled import SetError
from attending.guardrails.evaluation.wilson import Proportion
from attending.guardrails.offline import MAX_LINE_BYTES
from attending.guardrails.phi import PhiDetector, PhiSpan

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Marked:
    """One identifier of a text."""

    type: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PhiCase:
    id: str
    text: str
    marked: tuple[Marked, ...]
    unplaced: int = 0
    """Identifiers whose place the set does not know."""

    @property
    def clean(self) -> bool:
        return not self.marked and not self.unplaced

    def __repr__(self) -> str:
        return f"PhiCase(id={self.id!r})"


@dataclass(frozen=True, slots=True)
class PhiSet:
    cases: tuple[PhiCase, ...]
    sha256: str
    """Hex digest of the file's bytes."""

    @classmethod
    def read(cls, path: Path, *, expect_sha256: str | None = None) -> PhiSet:
        """Raises OSError, and SetError for another hash than expected or a line that is no case: a set is measured
        whole or not at all. No message holds a word of a text."""
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if expect_sha256 is not None and digest != expect_sha256.strip().lower().removeprefix("sha256:"):
            raise SetError("ANOTHER_SET", f"the set has sha256 {digest}, not the one expected")
        cases = [
            _case(number, line) for number, line in enumerate(content.splitlines(), start=1) if line.strip()
        ]
        if not cases:
            raise SetError("EMPTY_SET", "the set has no cases")
        if not any(case.marked or case.clean for case in cases):
            raise SetError("NOTHING_PLACED", "the set says of no identifier where it stands")
        if len({case.id for case in cases}) != len(cases):
            raise SetError("DUPLICATE_ID", "two lines of the set have the same id")
        return cls(tuple(cases), digest)


@dataclass(frozen=True)
class Detected:
    """What was found in one case."""

    case: PhiCase
    spans: tuple[PhiSpan, ...]

    @cached_property
    def missed(self) -> tuple[Marked, ...]:
        """Identifiers of which a code point lies in no span."""
        inside = {at for span in self.spans for at in range(span.start, span.end)}
        return tuple(one for one in self.case.marked if not inside.issuperset(range(one.start, one.end)))

    @property
    def flagged(self) -> bool:
        return self.case.clean and bool(self.spans)


@dataclass(frozen=True)
class PhiScores:
    detected: tuple[Detected, ...]
    cpu_ms: float
    """Processor time of a text, on average."""

    def recall_by_type(self) -> dict[str, Proportion]:
        """Type of the identifiers, as the set names it, to the share found."""
        types = sorted({one.type for row in self.detected for one in row.case.marked})
        return {type_: self._recall(type_) for type_ in types}

    @property
    def recall(self) -> Proportion:
        return self._recall(None)

    @property
    def precision(self) -> Proportion:
        """Spans that touch an identifier."""
        spans = [(row, span) for row in self.detected for span in row.spans]
        touching = sum(
            any(span.start < one.end and one.start < span.end for one in row.case.marked)
            for row, span in spans
        )
        return Proportion(touching, len(spans))

    @property
    def clean_flagged(self) -> Proportion:
        clean = [row for row in self.detected if row.case.clean]
        return Proportion(sum(row.flagged for row in clean), len(clean))

    def wrong(self) -> tuple[Detected, ...]:
        """Cases with a missed identifier, and clean ones that were flagged."""
        return tuple(row for row in self.detected if row.missed or row.flagged)

    @property
    def unplaced(self) -> int:
        return sum(row.case.unplaced for row in self.detected)

    def _recall(self, type_: str | None) -> Proportion:
        asked = missed = 0
        for row in self.detected:
            asked += sum(type_ in (None, one.type) for one in row.case.marked)
            missed += sum(type_ in (None, one.type) for one in row.missed)
        return Proportion(asked - missed, asked)

    def to_json(self) -> dict[str, Any]:
        return {
            "cases": len(self.detected),
            "full_cover_recall": self.recall.to_json(),
            "precision": self.precision.to_json(),
            "clean_flagged": self.clean_flagged.to_json(),
            "unplaced": self.unplaced,
            "recall_by_type": {type_: share.to_json() for type_, share in self.recall_by_type().items()},
            "cpu_ms_per_text": round(self.cpu_ms, 2),
            "wrong": [
                {
                    "id": row.case.id,
                    "missed": [one.type for one in row.missed],
                    "flagged": [span.type.value for span in row.spans] if row.flagged else [],
                }
                for row in self.wrong()
            ],
        }


def run(cases: Sequence[PhiCase], detector: PhiDetector, progress: Progress | None = None) -> PhiScores:
    """Looks for identifiers in every case, one after the other."""
    began = process_time()
    found: list[Detected] = []
    for done, case in enumerate(cases, start=1):
        found.append(Detected(case, tuple(detector.detect(case.text))))
        if progress is not None:
            progress(done, len(cases))
    return PhiScores(tuple(found), (process_time() - began) * 1000 / max(1, len(cases)))


def _case(number: int, line: bytes) -> PhiCase:
    if len(line) > MAX_LINE_BYTES:
        raise SetError("TOO_LARGE", f"line {number} is longer than {MAX_LINE_BYTES} bytes")
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise SetError("NOT_JSON", f"line {number} is not a JSON object") from None
    if not isinstance(row, dict):
        raise SetError("NOT_JSON", f"line {number} is not a JSON object")
    text, marked, id_ = row.get("text"), row.get("phi"), row.get("id", number)
    if not isinstance(text, str):
        raise SetError("NOT_A_STRING", f"line {number}: `text` must be a string")
    if isinstance(id_, bool) or not isinstance(id_, str | int):
        raise SetError("BAD_ID", f"line {number}: `id` must be a string or a whole number")
    if not isinstance(marked, list):
        raise SetError(
            "NOT_A_LIST", f"line {number}: `phi` must be a list, empty where there is nothing to find"
        )
    read = [_marked(number, one, len(text)) for one in marked]
    placed = tuple(one for one in read if one is not None)
    return PhiCase(str(id_), text, placed, len(read) - len(placed))


def _marked(number: int, row: object, length: int) -> Marked | None:
    """One identifier, None for one without a place."""
    if isinstance(row, dict):
        type_, start, end = row.get("type"), row.get("start"), row.get("end")
        # A bool is an int in Python, and no offset.
        if isinstance(type_, str) and 0 < len(type_) <= 80 and type(start) is int and type(end) is int:
            if start == end == -1:
                return None
            if 0 <= start < end <= length:
                return Marked(type_, start, end)
    raise SetError(
        "BAD_SPAN", f"line {number}: an item of `phi` needs `type`, and `start` before `end` within the text"
    )

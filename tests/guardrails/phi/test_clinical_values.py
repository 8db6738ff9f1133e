"""No clinical value of a public note is altered: read before and after by the grammar that the checks read with.

A clinical value is a drug with its dose, frequency, route and duration as the clinical grammar reads it; what the text
states of the person (age, sex, weight, pregnancy, kidney and liver, conditions, allergies, medications); a number
with a clinical unit, a pressure, a score out of another number, an eponym beside its noun.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.checks.case import lexicon_of
from attending.guardrails.clinical.facts import stated_context
from attending.guardrails.clinical.parse import parse
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.phi import PhiDetector, PhiMode, PhiType, deidentify, restore
from attending.guardrails.phi.lexicon import fold, words
from attending.guardrails.phi.mode import for_mode

_UNIT = (
    "mg|mcg|µg|ug|g|kg|ml|mL|cc|l|L|dl|dL|units?|iu|IU|meq|mEq|mmol|mol|%|mmhg|mmHg|bpm|cm|mm|lbs?|pounds?|inch(?:es)?|feet"
    "|degrees?|tablets?|capsules?|puffs?|drops?|weeks?|days?|hours?|months?|years?|times|mg/dL|mEq/L|mm/hr|cells|/hpf"
)
_QUANTITY = re.compile(
    rf"(?<![\w./-])[0-9]+(?:[.,][0-9]+)*(?:[ ]?-[ ]?[0-9]+(?:\.[0-9]+)?)?[ -]?(?:{_UNIT})(?![\w])"
)
_OVER = re.compile(
    r"(?<![\w/.-])[1-9][0-9]{1,2}/[0-9]{2,3}(?![\w/.-])|(?<![\w/.-])(?:10|[1-9])/(?:5|6|10)(?![\w/.-])"
)
_NOUN = (
    r"(?:disease|syndrome|sign|test|score|scale|criteria|palsy|catheter|reflex|maneuver|lymphoma|sarcoma|tumor|fracture"
    r"|esophagus|thyroiditis|contracture|phenomenon|cyst|hernia|procedure|esophageal|classification|angina|gangrene)"
)
_EPONYM = re.compile(rf"\b([A-Z][a-z]+)(?:['\u2019]s?)?[ ]{_NOUN}\b")


@pytest.fixture(scope="module")
def pack_detector(knowledge: Knowledge) -> PhiDetector:
    return PhiDetector(frozenset(knowledge.names()))


def _column(path: Path, column: str) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row[column] for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def notes(shared: Path) -> list[str]:
    clinical = shared / "clinical"
    return [
        *_column(clinical / "aci-bench" / "train.csv", "note"),
        *_column(clinical / "mts-dialog" / "MTS-Dialog-ValidationSet.csv", "section_text"),
    ]


def _read(text: str, knowledge: Knowledge) -> list[Any]:
    lexicon = lexicon_of(knowledge)
    parsed = parse(text, lexicon)
    statements = [
        (
            s.mention.drugs,
            s.mention.drug_class,
            (s.dose.low, s.dose.high, s.dose.unit, s.dose.per_kg, s.dose.per_time, s.dose.count)
            if s.dose
            else None,
            (s.frequency.times_per_day, s.frequency.interval_hours, s.frequency.prn) if s.frequency else None,
            s.route,
            s.duration.days if s.duration else None,
        )
        for s in parsed.statements
    ]
    person = stated_context(text, lexicon, knowledge.conditions(), parsed=parsed)
    return [statements, [u.text for u in parsed.unreadable], person]


def _places(text: str, knowledge: Knowledge) -> Iterator[tuple[int, int]]:
    """Where a value stands that is written plainly enough to be found without the grammar."""
    for statement in parse(text, lexicon_of(knowledge)).statements:
        yield statement.mention.span.start, statement.mention.span.end
    for pattern in (_QUANTITY, _OVER):
        for m in pattern.finditer(text):
            yield m.start(), m.end()
    for m in _EPONYM.finditer(text):
        if fold(m[1]) in words("eponyms"):
            yield m.start(), m.end()


@pytest.mark.parametrize("mode", list(PhiMode))
def test_no_clinical_value_is_altered(
    pack_detector: PhiDetector, knowledge: Knowledge, notes: list[str], mode: PhiMode
) -> None:
    assert len(notes) == 167
    values = 0
    for number, note in enumerate(notes):
        view = deidentify(note, pack_detector, mode=mode)
        assert restore(view.text, view.placeholders).text == note
        spans = for_mode(note, view.spans, mode)
        for start, end in _places(note, knowledge):
            values += 1
            touched = {s.type for s in spans if s.start < end and start < s.end}
            assert touched <= {PhiType.AGE_OVER_89}, (number, note[start:end])
        before, after = _read(note, knowledge), _read(view.text, knowledge)
        if any(span.type is PhiType.AGE_OVER_89 for span in spans):
            # an age that goes as an identifier is no longer said of the person
            before, after = before[:2], after[:2]
        assert after == before, number
    assert values > 700

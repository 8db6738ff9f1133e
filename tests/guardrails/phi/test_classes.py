"""Each class of identifier in several spellings, and clinical sentences that hold none (cases.txt)."""

from __future__ import annotations

from pathlib import Path

import pytest
from attending.guardrails.phi import PhiDetector, PhiType

from tests.guardrails.phi.marked import Case, load

_SLACK_CHARS = 12

MARKED, CLEAN = load(Path(__file__).parent / "cases.txt")


@pytest.mark.parametrize("case", MARKED, ids=lambda case: case.text[:50])
def test_identifier_is_covered_with_its_type(detector: PhiDetector, case: Case) -> None:
    assert case.gold
    spans = detector.detect(case.text)
    for start, end, type_ in case.gold:
        covering = [s for s in spans if s.start <= start and end <= s.end]
        assert covering, f"`{case.text[start:end]}` is not covered by {spans}"
        assert type_ in ("ANY", covering[0].type.value)
        assert covering[0].end - covering[0].start <= end - start + _SLACK_CHARS
    for span in spans:
        assert any(span.start < end and start < span.end for start, end, _ in case.gold), span


@pytest.mark.parametrize("case", CLEAN, ids=lambda case: case.text[:50])
def test_clinical_sentence_stays_whole(detector: PhiDetector, case: Case) -> None:
    assert not case.gold
    assert detector.detect(case.text) == []


def test_every_class_has_cases() -> None:
    seen = {type_ for case in MARKED for *_, type_ in case.gold}
    assert seen >= {t.value for t in PhiType} - {"LITERAL"}


def test_later_mentions_of_a_found_person_are_found(detector: PhiDetector) -> None:
    text = "Mr. Ignatius Vandersloot was admitted. Overnight Vandersloot desaturated; Ignatius was suctioned."
    covered = {text[s.start : s.end] for s in detector.detect(text)}
    assert {"Mr. Ignatius Vandersloot", "Vandersloot", "Ignatius"} <= covered


def test_an_eponym_beside_a_person_of_that_name_stays(detector: PhiDetector) -> None:
    text = "Dr. Wilson suspects Wilson's disease."
    assert [text[s.start : s.end] for s in detector.detect(text)] == ["Dr. Wilson"]


def test_words_of_the_callers_lexicon_are_not_names() -> None:
    text = "Continue Zubrevia and Orlanta tonight."
    plain = PhiDetector().detect(text)
    excluded = PhiDetector(frozenset({"zubrevia", "orlanta"})).detect(text)
    assert excluded == []
    assert len(excluded) <= len(plain)

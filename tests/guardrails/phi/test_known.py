"""The patient of the request is found however the text writes them."""

from __future__ import annotations

from datetime import date

import pytest
from attending.guardrails.patient import Identity
from attending.guardrails.phi import PhiDetector, PhiType
from attending.guardrails.phi.known import name_parts

PATIENT = Identity(names=("José Ángel Will-Quispe",), mrn="0044-7718", birth_date=date(1958, 4, 9))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("jose angel will-quispe takes apixaban", "jose angel will-quispe"),
        ("QUISPE, JOSE A. was seen", "QUISPE, JOSE A."),
        ("spoke with quispe about his inr", "quispe"),
        ("J. Quispe refuses insulin", "J. Quispe"),
        ("José's daughter called", "José"),
        ("Jose\u0301 walked", "Jose\u0301"),
        ("per Will-Quispe, no pain", "Will-Quispe"),
    ],
)
def test_name_in_every_form(detector: PhiDetector, text: str, value: str) -> None:
    start = text.index(value)
    spans = detector.detect(text, known=PATIENT)
    assert any(s.start <= start and start + len(value) <= s.end and s.type is PhiType.NAME for s in spans)


@pytest.mark.parametrize("value", ["0044-7718", "447718", "0044 7718", "#00447718", "0044.7718"])
def test_record_number_in_every_grouping(detector: PhiDetector, value: str) -> None:
    text = f"He is {value} in our files"
    spans = detector.detect(text, known=PATIENT)
    assert any(s.start <= text.index(value) and text.index(value) + len(value) <= s.end for s in spans)


@pytest.mark.parametrize(
    "value", ["4/9/58", "April 9, 1958", "1958-04-09", "09.04.1958", "9 Apr 1958", "19580409"]
)
def test_birth_date_in_every_form(detector: PhiDetector, value: str) -> None:
    text = f"He said {value} twice"
    spans = detector.detect(text, known=PATIENT)
    assert [(text[s.start : s.end], s.type, s.score) for s in spans] == [(value, PhiType.DATE, 1.0)]


def test_a_name_that_is_a_word_counts_only_capitalised(detector: PhiDetector) -> None:
    known = Identity(names=("Will May",))
    assert detector.detect("it may help and will be continued", known=known) == []
    assert detector.detect("Tell Will that it helps", known=known)


def test_a_number_inside_another_is_not_the_record_number(detector: PhiDetector) -> None:
    assert detector.detect("WBC 9447718 cells", known=PATIENT) == []


def test_name_parts_turn_last_first_and_drop_titles() -> None:
    assert name_parts("O'Brien, Mary-Kate R.") == ("mary", "kate", "obrien")
    assert name_parts("Dr. Li Wei, MD") == ("li", "wei", "md") or name_parts("Dr. Li Wei, MD") == (
        "li",
        "wei",
    )
    assert name_parts("J.") == ()

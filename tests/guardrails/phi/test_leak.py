"""Identifiers in an answer that the request did not hold."""

from __future__ import annotations

from datetime import date

import pytest
from attending.guardrails.patient import Identity
from attending.guardrails.phi import PhiDetector, leaked

PROMPT = (
    "Write to Maria Gonzalez (MRN 55120-A), seen by Dr. Xu on May 30th, 2022 "
    "at Lakeside Clinic, Tampa, FL. Tel 617-555-0142."
)
KNOWN = Identity(names=("Maria Gonzalez",), mrn="55120-A", birth_date=date(1958, 4, 9))


@pytest.mark.parametrize(
    "answer",
    [
        "Dear Ms. Gonzalez, thank you for your visit on 5/30/2022.",
        "Maria was seen on 30 May 2022 at the Lakeside Clinic in Tampa.",
        "Call (617) 555 0142. Dr. Xu",
        "M. Gonzalez, record 55120A, born 04/09/1958, was seen in May 2022.",
        "Take ibuprofen 400 mg every 6 hours.",
    ],
)
def test_what_the_request_named_may_return(detector: PhiDetector, answer: str) -> None:
    assert leaked(answer, detector, [PROMPT], KNOWN) == []


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("Dear Mr. Thibodeaux, your results are in.", "Mr. Thibodeaux"),
        ("You were seen on June 3, 2022.", "June 3, 2022"),
        ("You were seen on May 30, 2021.", "May 30, 2021"),
        ("Call 617-555-0143.", "617-555-0143"),
        ("Your MRN is 55121-A.", "55121-A"),
        ("Come to Harborview Medical Center.", "Harborview Medical Center"),
        ("Write to r.ellison@example.org.", "r.ellison@example.org"),
    ],
)
def test_somebody_elses_identifier_is_leaked(detector: PhiDetector, answer: str, value: str) -> None:
    found = [answer[s.start : s.end] for s in leaked(answer, detector, [PROMPT], KNOWN)]
    assert found == [value]


def test_known_patient_is_allowed_without_texts(detector: PhiDetector) -> None:
    assert leaked("Gonzalez, Maria, born April 9, 1958", detector, [], KNOWN) == []
    assert leaked("Gonzalez, Maria, born April 9, 1958", detector, [])

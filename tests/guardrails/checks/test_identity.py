"""A record number is the same one with and without its label."""

from __future__ import annotations

import pytest
from attending.guardrails.checks.run import run_checks
from attending.guardrails.finding import Code
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.patient import Document, Identity, Judged, PatientContext


def codes(mrn: str, knowledge: Knowledge) -> set[Code]:
    judged = Judged(
        "Letter for the patient. MRN 40118822: the visit is on Tuesday.",
        "Write a letter.",
        PatientContext(identity=Identity(mrn=mrn)),
        (Document("note", "MRN 40118822. Seen on Monday."),),
    )
    return {finding.code for finding in run_checks(judged, knowledge, audience="patient").findings}


@pytest.fixture(scope="module")
def knowledge_pack() -> Knowledge:
    return Knowledge.load()


@pytest.mark.parametrize("mrn", ["40118822", "MRN-40118822", "MRN 40118822", "mrn:40118822", "No. 40118822"])
def test_the_label_does_not_make_another_patient(mrn: str, knowledge_pack: Knowledge) -> None:
    assert Code.WRONG_PATIENT not in codes(mrn, knowledge_pack)


@pytest.mark.parametrize("mrn", ["40118823", "MRN-4011882"])
def test_another_number_does(mrn: str, knowledge_pack: Knowledge) -> None:
    assert Code.WRONG_PATIENT in codes(mrn, knowledge_pack)

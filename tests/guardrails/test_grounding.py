"""Claims of an output against its documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from attending.guardrails.checks.passages import numbers, sentences
from attending.guardrails.checks.run import run_checks
from attending.guardrails.context.json_form import parse_context, parse_documents
from attending.guardrails.finding import Code, Finding
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.patient import Judged

PLAN = (
    "Discharge plan for the patient. Warfarin 2.5 mg once daily. Follow up in the wound clinic in 2 weeks. "
    "Do not take ibuprofen. Methotrexate 15 mg once weekly. The left knee was operated on. "
    "Continue lisinopril 10 mg daily. Driving is not allowed until the cast is removed."
)


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load()


def judged(
    knowledge: Knowledge,
    output: str,
    documents: Sequence[Any] = ({"id": "plan", "text": PLAN},),
    **context: Any,
) -> list[Finding]:
    case = Judged(output, None, parse_context(context), parse_documents([dict(d) for d in documents]))
    found = run_checks(case, knowledge, audience="patient").findings
    return [f for f in found if f.code in (Code.CONTRADICTION, Code.UNSUPPORTED) and f.severity.rank >= 2]


@pytest.mark.parametrize(
    ("output", "rule"),
    [
        ("Take warfarin 25 mg once daily.", "rule:grounding-dose"),
        ("Take warfarin 5 mg once daily.", "rule:grounding-dose"),
        ("Take methotrexate 15 mg every day.", "rule:grounding-frequency"),
        ("You may take ibuprofen 400 mg for pain.", "rule:grounding-polarity"),
        ("Stop taking lisinopril.", "rule:grounding-polarity"),
        ("Follow up in the wound clinic in 12 weeks.", "rule:grounding-number"),
        ("Your right knee was operated on.", "rule:grounding-side"),
        ("Driving is allowed until the cast is removed.", "rule:grounding-negation"),
        ("Start gabapentin 300 mg at night.", "rule:unsupported-drug"),
    ],
)
def test_a_changed_claim_is_found_with_its_passage(knowledge: Knowledge, output: str, rule: str) -> None:
    found = judged(knowledge, output)
    assert rule in [f.rule_id for f in found]
    finding = next(f for f in found if f.rule_id == rule)
    assert "plan" in finding.source
    assert output[finding.start : finding.end] == finding.text


@pytest.mark.parametrize(
    "output",
    [
        "Take warfarin 2.5 mg once daily. Follow up in 2 weeks.",
        "Your warfarin dose is 2.5 mg every day.",
        "Do not take ibuprofen.",
        "Methotrexate 15 mg every week.",
        "Your left knee was operated on.",
        "Keep taking lisinopril 10 mg each morning.",
        "Please drink enough water.",
        "Driving is not allowed until the cast is removed.",
    ],
)
def test_a_faithful_claim_is_left_alone(knowledge: Knowledge, output: str) -> None:
    assert judged(knowledge, output) == []


def test_tenfold_against_the_document_is_named(knowledge: Knowledge) -> None:
    finding = next(
        f for f in judged(knowledge, "Take lisinopril 100 mg daily.") if f.code is Code.CONTRADICTION
    )
    assert "10 times apart" in finding.message
    assert finding.severity.value == "major"


def test_no_documents_no_findings(knowledge: Knowledge) -> None:
    assert judged(knowledge, "Take warfarin 25 mg once daily.", documents=()) == []


@pytest.mark.parametrize(
    ("document", "output", "flagged"),
    [
        (
            {"id": "gl-1", "text": "WITHDRAWN. Rosiglitazone 4 mg daily is advised."},
            "Start rosiglitazone 4 mg.",
            True,
        ),
        (
            {"id": "gl-2", "text": "Rosiglitazone 4 mg daily is advised.", "withdrawn": True},
            "Start rosiglitazone 4 mg daily.",
            True,
        ),
        (
            {"id": "gl-3", "text": "Superseded by gl-4. Treat sinusitis for 21 days."},
            "As gl-3 says, rest.",
            True,
        ),
        (
            {"id": "gl-7", "text": "WITHDRAWN 2024: guideline on sinus care."},
            "Rest, as the guideline says.",
            True,
        ),
        (
            {"id": "gl-5", "text": "WITHDRAWN. Rosiglitazone 4 mg daily is advised."},
            "Your visit is on Friday.",
            False,
        ),
        (
            {"id": "gl-6", "text": "Rosiglitazone 4 mg daily is advised."},
            "Start rosiglitazone 4 mg daily.",
            False,
        ),
    ],
)
def test_resting_on_a_withdrawn_document(
    knowledge: Knowledge, document: dict[str, Any], output: str, flagged: bool
) -> None:
    found = [f for f in judged(knowledge, output, (document,)) if f.rule_id == "rule:withdrawn-document"]
    assert bool(found) is flagged


def test_sentences_and_numbers_keep_their_place() -> None:
    text = "First item.\n- second, 2 weeks\nThird is 1,200 mL. Fourth."
    assert [text[a:b] for a, b in sentences(text)] == [
        "First item.",
        "- second, 2 weeks",
        "Third is 1,200 mL.",
        "Fourth.",
    ]
    for _, _, span in numbers(text):
        assert text[span.start : span.end][0].isdigit()
    assert [(str(value), unit) for value, unit, _ in numbers(text)] == [("2", "week"), ("1200", "ml")]

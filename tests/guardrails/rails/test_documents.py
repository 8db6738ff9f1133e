"""The documents of a call: each way they can be unfit is a finding of its own, and fit ones are left alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.finding import Code
from attending.guardrails.patient import Document, Identity, Judged, PatientContext
from attending.guardrails.policy.load import load_policy
from attending.guardrails.policy.schema import Documents
from attending.guardrails.rails.documents import judge_documents

POLICIES = Path(__file__).resolve().parents[3] / "policies"
TODAY = date(2026, 11, 27)
ASKED = "How should warfarin be stopped before a colonoscopy?"
PATIENT = PatientContext(
    age_years=Decimal(64),
    sex="male",
    identity=Identity(("John Miller",), "4471209", date(1962, 3, 1)),
    as_of=datetime(2026, 11, 27, tzinfo=UTC),
)
FIT = Document("d", "Warfarin is stopped five days before a colonoscopy.", score=Decimal("0.8"))


def found(
    document: Document | None,
    limits: Documents | None = None,
    patient: PatientContext | None = PATIENT,
    prompt: str = ASKED,
) -> list[tuple[Code, str]]:
    given = () if document is None else (document,)
    return [
        (f.code, f.rule_id) for f in judge_documents(prompt, given, patient, limits or Documents(), TODAY)
    ]


def note(text: str, **more: Any) -> Document:
    return Document("n", text, **more)


@pytest.mark.parametrize(
    ("document", "limits", "code", "rule"),
    [
        (None, Documents(required=True), Code.RETRIEVAL_WEAK, "none"),
        (FIT, Documents(min_score=Decimal("0.81")), Code.RETRIEVAL_WEAK, "score"),
        (
            note("The car park opens at nine."),
            Documents(min_overlap_percent=20),
            Code.RETRIEVAL_WEAK,
            "overlap",
        ),
        (replace(FIT, withdrawn=True), None, Code.WITHDRAWN_DOCUMENT, "withdrawn"),
        (note("SUPERSEDED by version 4. Stop warfarin."), None, Code.WITHDRAWN_DOCUMENT, "withdrawn"),
        (replace(FIT, review_by=date(2026, 11, 26)), None, Code.STALE_DOCUMENT, "review"),
        (
            replace(FIT, published=date(2021, 11, 26)),
            Documents(max_age_days=1826),
            Code.STALE_DOCUMENT,
            "age",
        ),
        (replace(FIT, patient_id="MRN 9982231"), None, Code.WRONG_PATIENT_DOCUMENT, "register"),
        (note("MRN: 9982231. Warfarin 5 mg."), None, Code.WRONG_PATIENT_DOCUMENT, "record-number"),
        (note("DOB: 1971-08-09. Warfarin 5 mg."), None, Code.WRONG_PATIENT_DOCUMENT, "birth-date"),
        (note("Patient: Jane Foster\nWarfarin 5 mg."), None, Code.WRONG_PATIENT_DOCUMENT, "name"),
        (note("A 64-year-old woman was seen today."), None, Code.WRONG_PATIENT_DOCUMENT, "sex"),
        (note("An 82-year-old man was seen today."), None, Code.WRONG_PATIENT_DOCUMENT, "age"),
        (
            note("A 64-year-old man was seen.", published=date(2010, 1, 1)),
            None,
            Code.WRONG_PATIENT_DOCUMENT,
            "age",
        ),
    ],
)
def test_an_unfit_document_is_found_by_its_own_rule(
    document: Document | None, limits: Documents | None, code: Code, rule: str
) -> None:
    assert found(document, limits) == [(code, f"document:{rule}")]


@pytest.mark.parametrize(
    ("document", "limits"),
    [
        (None, None),
        (FIT, Documents(required=True, min_score=Decimal("0.8"), min_overlap_percent=40, max_age_days=1)),
        (replace(FIT, review_by=TODAY, published=TODAY), Documents(max_age_days=1)),
        (replace(FIT, patient_id="4471209"), None),
        (note("Patient: John Miller, MRN 4471209, DOB 1962-03-01. A 64-year-old man."), None),
        (note("A 60-year-old man was seen today."), None),
        (note("A 48-year-old man was seen.", published=date(2010, 12, 1)), None),
        (note("Guideline. A 30-year-old woman on warfarin is an example."), None),
        (note("His mother, an 82-year-old woman, came along."), None),
    ],
)
def test_a_fit_document_is_left_alone(document: Document | None, limits: Documents | None) -> None:
    assert found(document, limits) == []


def test_without_a_patient_nothing_is_anybody_elses() -> None:
    assert found(note("MRN: 9982231. An 82-year-old woman."), patient=None) == []
    assert found(note("The car park opens at nine."), Documents(min_overlap_percent=90), prompt="Why?") == []


def test_the_rail_runs_before_the_model_and_holds(make_guard: Callable[[], Any]) -> None:
    """Through a packaged policy: a stale document holds, the same one fresh does not."""
    guard = make_guard()
    stale = replace(FIT, review_by=date(2026, 1, 1))
    decision = guard.check_input("discharge-plan", ASKED, (stale,), PATIENT.identity, patient=PATIENT)
    assert [f.rule_id for f in decision.findings] == ["document:review"]
    assert decision.verdict == "hold"
    assert (
        guard.check_input("discharge-plan", ASKED, (FIT,), PATIENT.identity, patient=PATIENT).findings == ()
    )
    record = guard.check_record("discharge-plan", Judged("Warfarin is stopped.", ASKED, PATIENT, (stale,)))
    assert "document:review" in [f.rule_id for f in record.findings]


def test_a_policy_gives_the_limits(tmp_path: Path) -> None:
    folder = tmp_path / "discharge-plan"
    shutil.copytree(POLICIES / "discharge-plan", folder)
    with (folder / "policy.yaml").open("a", encoding="utf-8") as file:
        file.write("\ndocuments:\n  max_age_days: 365\n")
    assert load_policy(folder).policy.documents.max_age_days == 365


@pytest.fixture(scope="module")
def make_guard() -> Any:
    from attending.guardrails.guard import Guard

    made: list[Guard] = []

    def make() -> Guard:
        made.append(Guard.load(POLICIES))
        return made[-1]

    yield make
    for guard in made:
        guard.close()

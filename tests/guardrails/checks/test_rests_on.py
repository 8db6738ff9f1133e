"""What findings rest on: another dose, result or drug is another ground; other words around it are the same."""

from __future__ import annotations

from typing import Any

import pytest
from attending.guardrails.checks.rests_on import Grounds
from attending.guardrails.checks.run import run_checks
from attending.guardrails.context.json_form import parse_context
from attending.guardrails.patient import Judged

TEXT = "Take ibuprofen 400 mg by mouth three times a day. Continue warfarin 5 mg daily."
PATIENT: dict[str, Any] = {
    "age_years": 70,
    "egfr": 60,
    "labs": [{"code": "potassium", "value": 4.5, "unit": "mmol/L", "time": "2026-11-01T08:00:00Z"}],
    "allergies": [{"substance": "penicillin"}],
    "medications": [{"name": "warfarin", "dose": "5 mg"}, {"name": "lisinopril"}],
    "identity": {"names": ["Maria Gonzalez"], "mrn": "12345678"},
}


@pytest.fixture
def grounds_of(knowledge: Any) -> Any:
    def made(text: str = TEXT, prompt: str | None = None, **changes: Any) -> Grounds:
        judged = Judged(text, prompt, parse_context({**PATIENT, **changes}), ())
        found = run_checks(judged, knowledge, audience="clinician").grounds
        assert found is not None
        return found

    return made


def test_each_drug_is_there_as_it_is_stated(grounds_of: Any) -> None:
    found = grounds_of()
    assert set(found.stated) == {"ibuprofen", "warfarin"}
    assert '"400"' in found.stated["ibuprofen"][0]
    assert "Gonzalez" not in found.patient + str(dict(found.stated))
    assert "12345678" not in found.patient
    assert "Gonzalez" not in repr(found)
    assert "400" not in repr(found)


@pytest.mark.parametrize(
    ("text", "drug"),
    [
        (TEXT.replace("400 mg", "600 mg"), "ibuprofen"),
        (TEXT.replace("three times", "four times"), "ibuprofen"),
        (TEXT.replace("by mouth", "rectally"), "ibuprofen"),
        (TEXT.replace("Take ibuprofen", "Stop ibuprofen"), "ibuprofen"),
        (TEXT + " Take ibuprofen 200 mg at night.", "ibuprofen"),
        (TEXT.replace("5 mg daily", "7.5 mg daily"), "warfarin"),
    ],
)
def test_what_is_stated_otherwise_is_another_ground(grounds_of: Any, text: str, drug: str) -> None:
    before, after = grounds_of(), grounds_of(text)
    assert {name for name in before.stated if before.stated[name] != after.stated.get(name)} == {drug}
    assert after.patient == before.patient


@pytest.mark.parametrize(
    "text",
    [
        "Seen on Tuesday. " + TEXT,
        TEXT.replace("Continue", "Please continue"),
        TEXT.replace("400 mg", "400.0 mg"),
        TEXT + " Come back in two weeks.",
    ],
)
def test_words_around_it_are_none(grounds_of: Any, text: str) -> None:
    assert grounds_of(text) == grounds_of()


@pytest.mark.parametrize(
    "changes",
    [
        {"egfr": 59},
        {"egfr": None},
        {"age_years": 71},
        {"labs": [{"code": "potassium", "value": 4.6, "unit": "mmol/L"}]},
        {"labs": []},
        {"allergies": [{"substance": "penicillin"}, {"substance": "aspirin"}]},
        {"medications": [{"name": "warfarin", "dose": "6 mg"}, {"name": "lisinopril"}]},
        {"medications": [{"name": "warfarin", "dose": "5 mg"}]},
        {"conditions": [{"name": "asthma"}]},
        {"pregnant": True},
    ],
)
def test_another_fact_of_the_patient_is_another_ground(grounds_of: Any, changes: dict[str, Any]) -> None:
    assert grounds_of(**changes).patient != grounds_of().patient


@pytest.mark.parametrize(
    "changes",
    [
        {"labs": [{"code": "potassium", "value": 4.50, "unit": "mmol/L", "time": "2026-11-20T08:00:00Z"}]},
        {"medications": [{"name": "lisinopril"}, {"name": "warfarin", "dose": "5 mg"}]},
        {"identity": {"names": ["M. Gonzalez"]}},
    ],
)
def test_when_it_was_measured_in_which_order_and_what_they_are_called_is_none(
    grounds_of: Any, changes: dict[str, Any]
) -> None:
    assert grounds_of(**changes).patient == grounds_of().patient


def test_a_fact_that_a_text_states_is_one_of_the_patient(grounds_of: Any) -> None:
    assert grounds_of(prompt="She is 34 weeks pregnant.").patient != grounds_of().patient


def test_a_text_that_is_not_read_has_none(knowledge: Any) -> None:
    assert (
        run_checks(
            Judged("a" * 2_000_000, None, parse_context({}), ()), knowledge, audience="clinician"
        ).grounds
        is None
    )

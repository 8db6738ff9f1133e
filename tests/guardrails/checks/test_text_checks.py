"""Checks over the words: wrong patient, omission, red flags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attending.guardrails.checks.names import name_parts, persons
from attending.guardrails.checks.run import CheckResult
from attending.guardrails.emergency.disposition import directs_urgently
from attending.guardrails.finding import Code, Severity

Check = Callable[..., CheckResult]


def of(result: CheckResult, code: Code) -> list[Any]:
    return [f for f in result.findings if f.code is code and f.severity.rank >= Severity.MODERATE.rank]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Dear Mrs. Okafor, your result is normal.", ["Okafor"]),
        ("Patient: Thomas van Nguyen\nAssessment", ["Thomas"]),
        ("Patient Name: Anna-Maria Ruiz", ["Anna-Maria Ruiz"]),
        ("Hello Priya, please rest.", ["Priya"]),
        ("Mr. O'Brien was seen by Dr. Lee.", ["O'Brien"]),
        ("Dear Patient, thank you.", []),
        ("Dear Dr. Lee, thank you for the referral.", []),
        ("Patient was seen by Sarah Kim, MD.", []),
        ("Patient Education: Asthma", []),
        ("Dear Parent or Guardian,", []),
    ],
)
def test_names_given_to_the_patient(text: str, names: list[str]) -> None:
    found = [name for _, name in persons(text)]
    assert len(found) == len(names)
    for said, expected in zip(found, names, strict=True):
        assert said.startswith(expected)


def test_name_parts_drop_initials_and_titles() -> None:
    assert name_parts("Helen B. Brandt") == {"helen", "brandt"}
    assert name_parts("Patient Name") == set()


HELEN: dict[str, Any] = {
    "identity": {"names": ["Helen Brandt"], "mrn": "00-4711", "birth_date": "1951-04-03"}
}


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("Dear Mrs. Okafor, your result is normal.", HELEN),
        ("Patient: Thomas Nguyen. Stable.", HELEN),
        ("Helen Brandt, MRN 99-8822, was seen.", HELEN),
        ("Helen Brandt, DOB 05/06/1988.", HELEN),
        ("Your prostate exam was normal.", {"sex": "female"}),
        ("Your pregnancy is going well.", {"sex": "male"}),
        ("This 82-year-old woman was admitted.", {"age_years": 7, "sex": "female"}),
        ("A 30-year-old man presents with cough.", {"sex": "female", "age_years": 30}),
        ("The 3-month-old is feeding well.", {"age_years": 60}),
    ],
)
def test_another_patient_is_found(check: Check, text: str, context: dict[str, Any]) -> None:
    (finding, *_) = of(check(text, **context), Code.WRONG_PATIENT)
    assert finding.end > finding.start


@pytest.mark.parametrize(
    ("text", "prompt", "context"),
    [
        ("Dear Mrs. Brandt, your result is normal.", None, HELEN),
        ("Helen Brandt (DOB 1951-04-03, MRN 00-4711) was seen by Dr. Okafor.", None, HELEN),
        ("Helen Brandt, DOB 04/03/1951.", None, HELEN),
        ("Dear Mrs. Okafor, your result is normal.", "Write to Mrs. Okafor about her result.", {}),
        ("Dear Mrs. Okafor, your result is normal.", None, {}),
        ("Your mother, 82 years old, may come along.", None, {"age_years": 50, "sex": "male"}),
        ("Your husband should have his prostate checked.", None, {"sex": "female"}),
        ("Women who are pregnant should not handle crushed tablets.", None, {"sex": "male"}),
        ("If you are pregnant, tell us.", None, {"sex": "male"}),
        ("The vaccine is for adults aged 65 or older.", None, {"age_years": 40}),
        ("This 46-year-old woman was seen.", None, {"age_years": 45, "sex": "female"}),
    ],
)
def test_the_same_patient_is_left_alone(
    check: Check, text: str, prompt: str | None, context: dict[str, Any]
) -> None:
    assert not of(check(text, prompt, **context), Code.WRONG_PATIENT)


def test_a_document_about_another_patient(check: Check) -> None:
    foreign = {"id": "n1", "text": "Patient: Thomas Nguyen\nPlan: continue amlodipine 5 mg daily."}
    own = {"id": "n2", "text": "Patient: Helen Brandt\nPlan: continue amlodipine 5 mg daily."}
    result = check("Continue amlodipine 5 mg daily.", documents=[foreign, own], **HELEN)
    (finding,) = of(result, Code.WRONG_PATIENT)
    assert "n1" in finding.message
    assert "Nguyen" not in finding.message


LISTED = ["metoprolol 50 mg daily", "atorvastatin 40 mg nightly", "apixaban 5 mg twice daily"]


@pytest.mark.parametrize(
    ("text", "omitted"),
    [
        ("Discharge medications:\n- Metoprolol 50 mg daily\n- Atorvastatin 40 mg nightly", True),
        ("Your medicines:\n1. Metoprolol 50 mg daily\n2. Atorvastatin 40 mg nightly", True),
        (
            "Discharge medications:\n- Metoprolol 50 mg daily\n- Atorvastatin 40 mg\n- Apixaban 5 mg twice daily",
            False,
        ),
        ("Discharge medications:\n- Metoprolol 50 mg daily\n- Atorvastatin 40 mg\nSTOP: apixaban", False),
        ("Medications:\n- Metoprolol 50 mg daily\nContinue your blood thinner as before.", False),
        ("New medicine: amlodipine 5 mg daily. Continue all your other home medications.", False),
        ("Take metoprolol 50 mg daily and come back in two weeks.", False),
        ("Your visit went well.", False),
    ],
)
def test_a_list_that_drops_a_critical_drug(check: Check, text: str, omitted: bool) -> None:
    found = of(check(text, medications=LISTED), Code.OMISSION)
    assert bool(found) is omitted
    if omitted:
        assert found[0].drugs == ("apixaban",)
        assert found[0].severity is Severity.MAJOR


def test_the_source_note_says_what_the_list_must_hold(check: Check) -> None:
    note = {"id": "dc", "text": "Patient admitted with cellulitis. Home medications: lisinopril 10 mg daily, "
            "metformin 500 mg twice daily, levetiracetam 500 mg twice daily."}  # fmt: skip
    text = "Medication list at discharge:\n1. Lisinopril 10 mg daily\n2. Metformin 500 mg twice daily"
    (finding,) = of(check(text, documents=[note]), Code.OMISSION)
    assert finding.drugs == ("levetiracetam",)
    guideline = {
        "id": "g",
        "text": "Guideline: in patients with epilepsy we recommend levetiracetam 500 mg twice daily.",
    }
    assert not of(check(text, documents=[guideline]), Code.OMISSION)


@pytest.mark.parametrize(
    ("output", "prompt", "severity"),
    [
        ("Crushing chest pain is usually indigestion. Rest at home.", None, "contraindicated"),
        ("Please stay home if your chest hurts; it will pass.", None, "contraindicated"),
        ("If your throat swells after a sting, wait and see for a few hours.", None, "contraindicated"),
        ("Drink water and sleep.", "My face is drooping and my speech is slurred.", "major"),
        ("Take a hot bath; things look better tomorrow.", "I want to kill myself.", "contraindicated"),
        ("Give fluids.", "My 3-week-old has a fever of 38.6.", "major"),
        (
            "You do not need the emergency room. Rest at home.",
            "I can't breathe and my lips are blue.",
            "contraindicated",
        ),
        ("That is common.", "I am pregnant and have heavy bleeding.", "contraindicated"),
        ("Some soreness is expected.", "I swallowed 40 pills of my mother's.", "contraindicated"),
    ],
)
def test_an_emergency_without_urgent_help(
    check: Check, output: str, prompt: str | None, severity: str
) -> None:
    found = of(check(output, prompt, "patient"), Code.RED_FLAG)
    assert [f.severity.value for f in found] == [severity]


@pytest.mark.parametrize(
    ("output", "prompt"),
    [
        ("If you have chest pain or trouble breathing, call 911 right away.", None),
        ("Call 911 now.", "My face is drooping and my arm is weak."),
        ("Go to the emergency department immediately.", "I have crushing chest pain."),
        ("Please call 988, the crisis line, now.", "I want to kill myself."),
        ("You have no chest pain, which is reassuring. Rest at home.", None),
        ("The patient denies chest pain. Continue the plan.", None),
        ("Your appointment is next week.", "I had chest pain last year; when is my appointment?"),
        ("A stroke is a sudden loss of blood flow.", "What are the signs of a stroke?"),
        ("Rest at home and drink fluids for your cold.", "I have a runny nose."),
    ],
)
def test_ordinary_advice_raises_no_flag(check: Check, output: str, prompt: str | None) -> None:
    assert not of(check(output, prompt, "patient"), Code.RED_FLAG)


def test_a_note_to_a_clinician_is_no_emergency_call(check: Check) -> None:
    prompt = "Summarise: 60M presents with crushing chest pain, troponin pending."
    assert not of(check("60-year-old man with chest pain; troponin pending.", prompt), Code.RED_FLAG)


def test_urgent_help_taken_back_is_none() -> None:
    assert directs_urgently("Call an ambulance.")
    assert not directs_urgently("There is no need to call an ambulance.")
    assert not directs_urgently("You don't need to go to the emergency department for this.")

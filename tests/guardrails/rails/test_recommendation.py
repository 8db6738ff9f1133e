"""What counts as advice, and what ordinary letters say instead."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.parse import parse
from attending.guardrails.rails.recommendation import MAX_DOSES, Recommendation, find_recommendations
from hypothesis import given, settings
from hypothesis import strategies as st


@dataclass(frozen=True)
class Name:
    drugs: tuple[str, ...] = ()
    drug_class: str | None = None
    brand: bool = False


DRUGS = ["acetaminophen", "ibuprofen", "metformin", "warfarin", "insulin", "aspirin", "lisinopril"]
LEXICON = Lexicon.from_names({**{name: Name((name,)) for name in DRUGS}, "nsaids": Name((), "nsaid")})

ORDINARY = [
    "Your appointment is confirmed for 3 pm on Friday.",
    "Please arrive 15 minutes early to complete your paperwork.",
    "Take a seat in the waiting room and a nurse will call you.",
    "Take the elevator to the second floor.",
    "Please bring all of your current medications in their original bottles.",
    "Your refill of metformin 500 mg is ready for pickup.",
    "We have sent your prescription to the pharmacy on Main Street.",
    "Please call the office to schedule your MRI.",
    "Your colonoscopy is scheduled for June 3 at 7:00 am.",
    "If this is an emergency, call 911 or go to the nearest emergency room.",
    "For medical emergencies, dial 911.",
    "You have an appointment with the cardiology clinic.",
    "Your follow-up visit with Dr. Patel is on May 5.",
    "Please bring a list of your medications and allergies.",
    "If you take blood thinners, please tell us when you check in.",
    "Your lab results are available in the portal.",
    "Please fill in the diabetes questionnaire before your visit.",
    "Your visit summary is attached.",
    "You must cancel at least 24 hours in advance.",
    "You need to bring your insurance card.",
    "Your insurance needs a new authorization number.",
    "Please complete the consent form for the procedure.",
    "We hope you have a good experience.",
    "You have an outstanding balance of $30.",
    "You should receive a survey by email.",
    "Please contact us if you need an interpreter.",
    "Please call if you cannot keep this appointment.",
    "Our hours are 8 to 5 on weekdays. We are closed on holidays.",
    "Your doctor will see you at 10:00.",
    "The clinic is in the Oncology building on the second floor.",
    "You may park in garage B; the test center is across the street.",
    "Please complete the online check-in to get your QR code.",
    "Reminder: flu shots are available at the clinic on Saturdays.",
    "Your referral to dermatology has been received; we will call you to schedule.",
    "Please make sure to bring your blood pressure log.",
    "If you have a fever or cough on the day of your visit, please call to reschedule.",
    "You can request your x-ray images on a CD.",
    "If you are sick or have a fever, please call us before your visit.",
    "Call 555-0142 for the Pain Management clinic.",
    "If you feel unwell, please wear a mask in the waiting room.",
    "Please use the main entrance of the hospital.",
    "Please check your portal for messages.",
    "We need your current address.",
    "Please return the enclosed envelope.",
]
ADVICE = [
    "Take two tablets every morning.",
    "You should start metformin.",
    "Increase your insulin by 2 units.",
    "Double your dose tonight.",
    "Skip your next dose.",
    "Apply the cream twice a day.",
    "Keep taking your blood pressure medication.",
    "Do not take your medicine with grapefruit juice.",
    "You need an MRI of the knee.",
    "I recommend a chest x-ray.",
    "We should check your potassium next week.",
    "Please get a blood test before your visit.",
    "You do not need any further tests.",
    "You should see a dermatologist.",
    "Please follow up with your primary care doctor in two weeks.",
    "I suggest you talk to your pharmacist.",
    "You have pneumonia.",
    "This looks like shingles.",
    "Your results are normal.",
    "You probably have a urinary tract infection.",
    "The symptoms are consistent with migraine.",
    "Go to the emergency room right away.",
    "Call 911 if you have chest pain.",
    "You can wait until next week to be seen.",
    "There is no need to see a doctor.",
    "Seek immediate medical attention.",
    "You would benefit from physical therapy.",
    "You should get the flu vaccine.",
    "The usual adult dose of acetaminophen is 500 mg to 1000 mg every 4 to 6 hours.",
    "Ibuprofen 400 mg three times a day",
    "avoid NSAIDs",
    "15 mg/kg every 6 hours",
    "Patients usually receive 10 mg/kg.",
    "It is safe to stop your warfarin.",
    "Nimm 500 mg alle sechs Stunden.",
    "Consider surgery.",
    "Your mole is benign.",
    "Call 911 and cancel your appointment.",
    "If the swelling gets worse before your visit, come back to us.",
    "If you have chest pain on the day of your visit, call to reschedule.",
    "Please stay home if your chest hurts; it will pass.",
    "The rash should clear up by itself.",
    "See how you feel tomorrow.",
    "If you feel dizzy, contact the clinic.",
    "Your potassium was 4.1, which is normal.",
    "Your A1c came back a little high.",
    "Call your doctor if your fever does not go down.",
    "Use your inhaler before exercise.",
    "Titrate to effect.",
    "Give 10 mL of the syrup.",
    "Start an antibiotic.",
    "Schedule a mammogram.",
    "Refer to neurology.",
    "You are likely pregnant.",
    "Your blood pressure is too high.",
    "You don't have cancer.",
    "No treatment is needed.",
]
KINDS = [
    ("Take two tablets every morning.", "dose"),
    ("Stop your warfarin.", "drug"),
    ("You need an MRI of the knee.", "test"),
    ("You should see a dermatologist.", "referral"),
    ("You would benefit from physical therapy.", "treatment"),
    ("You have pneumonia.", "diagnosis"),
    ("Go to the emergency room right away.", "urgency"),
]


def found(text: str) -> tuple[Recommendation, ...]:
    return find_recommendations(text, parse(text, LEXICON))


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_letters_recommend_nothing(text: str) -> None:
    assert found(text) == ()


@pytest.mark.parametrize("text", ADVICE)
def test_advice_is_found(text: str) -> None:
    assert found(text)


@pytest.mark.parametrize("text", ADVICE)
def test_advice_is_found_inside_a_letter(text: str) -> None:
    letter = f"Dear Ms. Alvarez,\n\nYour visit is confirmed for 3 pm on Friday.\n\n{text}\n\nKind regards,\nThe clinic"
    hits = found(letter)
    assert hits
    assert all(0 <= hit.start < hit.end <= len(letter) for hit in hits)


@pytest.mark.parametrize(("text", "kind"), KINDS)
def test_the_kind_is_said(text: str, kind: str) -> None:
    assert kind in {hit.kind for hit in found(text)}


@pytest.mark.parametrize(
    "text",
    [
        "Estimada paciente: venga a la consulta el lunes con su hija y traiga el informe de su otro hospital.",
        "Sehr geehrte Frau Schmidt, bitte kommen Sie am Montag mit Ihrem Mann und bringen Sie alle alten Befunde mit.",
        "Уважаемая пациентка, приходите в понедельник в десять часов утра.",
        "请您在星期一上午十点来诊所就诊并带上保险卡和身份证件。",
    ],
)
def test_another_language_is_never_read_as_harmless(text: str) -> None:
    assert [hit.kind for hit in found(text)] == ["unreadable_language"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "Riverside Clinic\n200 Main Street\nSpringfield",
        "Re: Alvarez, Maria (DOB 1961-04-02)",
        "OK",
    ],
)
def test_little_text_is_no_other_language(text: str) -> None:
    assert found(text) == ()


def test_padding_does_not_hide_a_dose() -> None:
    padding = "Your refill of 500 mg is ready for pickup. " * (MAX_DOSES + 5)
    assert found(padding)


@settings(max_examples=60)
@given(st.text(max_size=300))
def test_any_text_has_an_answer_within_bounds(text: str) -> None:
    assert all(0 <= hit.start <= hit.end <= len(text) for hit in found(text))


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "unit", ["take ", "you have ", "you should see ", "your results are ", "1 mg ", "need "]
)
def test_long_repetitive_text_ends(unit: str) -> None:
    text = unit * (20_000 // len(unit))
    find_recommendations(text, parse("", LEXICON))

"""What a text states of the patient, and what it only seems to."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from attending.guardrails.clinical.facts import stated_context
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.patient import PatientContext

CONDITIONS = {
    "asthma": "asthma",
    "chronic kidney disease": "ckd",
    "ckd": "ckd",
    "heart failure": "heart_failure",
    "hypertension": "hypertension",
    "high blood pressure": "hypertension",
    "atrial fibrillation": "atrial_fibrillation",
    "peptic ulcer": "peptic_ulcer",
    "diabetes": "diabetes",
    "cirrhosis": "cirrhosis",
}
Stated = Callable[[str], PatientContext]


@pytest.fixture(scope="module")
def stated(lexicon: Lexicon) -> Stated:
    return lambda text: stated_context(text, lexicon, CONDITIONS)


D = Decimal


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("She is 34 weeks pregnant.", "pregnancy_weeks", D(34)),
        ("I'm 34 weeks pregnant, can I take ibuprofen?", "pregnancy_weeks", D(34)),
        ("at 34 weeks' gestation", "pregnancy_weeks", D(34)),
        ("34-week pregnant woman", "pregnancy_weeks", D(34)),
        ("G2P1 at 30w with headache", "pregnancy_weeks", D(30)),
        ("pregnant (28 weeks)", "pregnancy_weeks", D(28)),
        ("gestational age of 31 weeks", "pregnancy_weeks", D(31)),
        ("eight weeks into her second pregnancy", "pregnancy_weeks", D(8)),
        ("IUP 9 wks, DVT", "pregnancy_weeks", D(9)),
        ("LMP 7 wk ago, home hCG positive", "pregnancy_weeks", D(7)),
        ("24w2d, growth scan at 28 weeks", "pregnancy_weeks", D(24)),
        ("Booking, 13+2. Previous PET at 35 weeks, scans from 28/40.", "pregnancy_weeks", D(13)),
        ("Your kidneys only work at about 12 percent.", "egfr", D(12)),
        ("She dialyses with us on Mondays", "dialysis", True),
        ("Primip, 34/40, headaches", "pregnancy_weeks", D(34)),
        ("A 29-year-old at 11 weeks with hypomania", "pregnancy_weeks", D(11)),
        ("Dating scan put her at twelve weeks.", "pregnancy_weeks", D(12)),
        ("The test was positive! See you at your OB visit.", "pregnant", True),
        ("LMP 7 weeks ago; two home tests positive", "pregnant", True),
        ("You're having a little girl!", "pregnant", True),
        ("G3P1 with a headache", "pregnant", True),
        ("Since you are 39 weeks I sent it", "pregnancy_weeks", D(39)),
        ("The baby is due in 6 weeks.", "pregnancy_weeks", D(34)),
        ("You are thirty-one weeks pregnant.", "pregnancy_weeks", D(31)),
        ("She is in her thirty-third week, with wrist pain.", "pregnancy_weeks", D(33)),
        ("As you're twenty-two weeks along, rest", "pregnancy_weeks", D(22)),
        ("Although she is six weeks gone, restart it", "pregnancy_weeks", D(6)),
        ("At twenty-eight weeks with a swollen leg", "pregnancy_weeks", D(28)),
        ("naproxen until the baby comes", "pregnant", True),
        ("eGFR has settled at 22", "egfr", D(22)),
        ("your kidney filter number is only 24", "egfr", D(24)),
        ("Patient: haemodialysis x3/wk", "dialysis", True),
        ("Because you have dialysis on Mondays", "dialysis", True),
        ("UPT neg", "pregnant", False),
        ("As you're nursing, take this", "lactating", True),
        ("Pt nursing 5-mo-old", "infant_days", 152),
        ("Pt 14 mo", "age_days", 426),
        ("Your son (18 months) is ill", "age_days", 547),
        ("For Mia (9) with the flu", "age_years", D(9)),
        ("| item | value |\n|---|---|\n| age | 38 |", "age_years", D(38)),
        ("ESRD, HD TThS", "dialysis", True),
        ("She is pregnant.", "pregnant", True),
        ("A pregnant woman with a headache asks for help.", "pregnant", True),
        ("She is not pregnant.", "pregnant", False),
        ("Pregnancy test negative.", "pregnant", False),
        ("I am breastfeeding my son.", "lactating", True),
        ("eGFR 22", "egfr", D(22)),
        ("eGFR of 22 mL/min", "egfr", D(22)),
        ("her eGFR is 48", "egfr", D(48)),
        ("creatinine clearance 25 mL/min", "crcl", D(25)),
        ("CrCl: 18", "crcl", D(18)),
        ("He is on dialysis.", "dialysis", True),
        ("receives hemodialysis", "dialysis", True),
        ("Child-Pugh B cirrhosis", "child_pugh", "B"),
        ("Child-Pugh class C", "child_pugh", "C"),
        ("a 7-year-old boy", "age_years", D(7)),
        ("My daughter is seven years old.", "age_years", D(7)),
        ("age 7", "age_years", D(7)),
        ("Patient aged 82 with falls", "age_years", D(82)),
        ("72 y/o man", "age_years", D(72)),
        ("72M with chest pain", "age_years", D(72)),
        ("3 month old with fever", "age_days", 91),
        ("a 10-day-old infant", "age_days", 10),
        ("72M with chest pain", "sex", "male"),
        ("a 45-year-old woman", "sex", "female"),
        ("The patient is a woman.", "sex", "female"),
        ("weighs 18 kg", "weight_kg", D(18)),
        ("Weight: 82.5 kg", "weight_kg", D("82.5")),
        ("a 70 kg man", "weight_kg", D(70)),
        ("age 7, 40 lb", "weight_kg", D("18.1")),
        ("7-year-old, 22 kg, with otitis", "weight_kg", D(22)),
        ("height 170 cm", "height_cm", D(170)),
    ],
)
def test_plain_facts(stated: Stated, text: str, field: str, value: Any) -> None:
    assert getattr(stated(text), field) == value


@pytest.mark.parametrize(
    "text",
    [
        "If you are pregnant or have asthma, do not take ibuprofen.",
        "Women who are pregnant should ask first.",
        "Your strep test was positive, and the midwife sends her love.",
        "G2P2002, IUD in place.",
        "Scored 12/40 on the scale before the visit.",
        "Avoid in pregnant women and after 20 weeks of pregnancy.",
        "Avoid in patients with heart failure. An eGFR below 30 is a contraindication.",
        "Do not use when eGFR < 30 or if eGFR is 25.",
        "Adults over 65 years old and children under 12 years old should not take it.",
        "For children 6 to 11 years old, give half.",
        "Her mother has asthma, is 80 years old and takes warfarin.",
        "No history of asthma. Denies diabetes. Negative for heart failure.",
        "Ibuprofen can cause heart failure, asthma and peptic ulcer.",
        "It is used to treat hypertension and lowers the risk of heart failure.",
        "Was on warfarin. Stopped metformin. If you take lisinopril, tell us.",
        "Do you have asthma? Are you pregnant?",
        "Not allergic to penicillin. If you are allergic to aspirin, call.",
        "Patients allergic to penicillin may react.",
        "She lost 5 kg and wants to weigh less.",
        "Child-Pugh A or B: no change.",
        "Take ibuprofen 400 mg for 7 days.",
        "Asthma ruled out.\nFamily history:\n- diabetes\nWarnings:\n- heart failure",
        "Avoid NSAIDs in the third trimester. She is 6 weeks post-op. A nursing home resident.",
        "Take Tylenol (2) for pain (7).",
        "You are in your second week of treatment. At sixteen weeks, repeat the HbA1c.",
        "Response at twenty-four weeks: 60% of patients. Two weeks gone by without pain.",
        "If you have dialysis on Mondays, tell us. His father has dialysis on Fridays.",
        "Repeat kidney function in 2 weeks. Kidney function is 24 percent lower.",
    ],
)
def test_general_advice_states_nothing(stated: Stated, text: str) -> None:
    assert stated(text) == PatientContext()


def test_two_values_of_one_fact_state_neither(stated: Stated) -> None:
    assert stated("A 7-year-old boy. The 82-year-old woman.").age_years is None
    assert stated("eGFR 22 today. eGFR 48 in May.").egfr is None
    assert stated("She is 30 years old. This 30-year-old woman is well.").age_years == 30


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("She takes warfarin.", ["warfarin"]),
        ("Patient is on warfarin and metformin.", ["warfarin", "metformin"]),
        ("Currently taking lisinopril 10 mg daily and metformin.", ["lisinopril", "metformin"]),
        ("Can I take ibuprofen with my warfarin?", ["warfarin"]),
        ("Is it ok to take sildenafil while on nitroglycerin?", ["nitroglycerin"]),
        ("I take warfarin. Can I take ibuprofen?", ["warfarin"]),
        ("eGFR 22, on warfarin", ["warfarin"]),
        ("Medications: lisinopril, metformin 500 mg twice daily", ["lisinopril", "metformin"]),
        ("Home medications:\n- warfarin 5 mg daily\n- Tylenol as needed", ["warfarin", "acetaminophen"]),
    ],
)
def test_what_is_taken(stated: Stated, text: str, names: list[str]) -> None:
    assert [m.name for m in stated(text).medications or ()] == names


def test_a_taken_drug_keeps_its_dose(stated: Stated) -> None:
    (medication,) = stated("She takes warfarin 5 mg by mouth daily.").medications or ()
    assert (medication.dose, medication.route, medication.frequency) == ("5 mg", "oral", "daily")
    assert medication.status == "active"


@pytest.mark.parametrize(
    ("text", "substances"),
    [
        ("She is allergic to penicillin.", ["penicillin"]),
        ("allergic to penicillin (hives) and sulfa", ["penicillin", "sulfa"]),
        ("Penicillin allergy.", ["penicillin"]),
        ("I have a penicillin allergy", ["penicillin"]),
        ("Allergies: penicillin, latex", ["penicillin", "latex"]),
        ("anaphylaxis to amoxicillin in 2010", ["amoxicillin"]),
        ("bad reaction to aspirin", ["aspirin"]),
        ("allergy to shellfish", ["shellfish"]),
    ],
)
def test_allergies(stated: Stated, text: str, substances: list[str]) -> None:
    assert [a.substance for a in stated(text).allergies or ()] == substances


@pytest.mark.parametrize(
    ("text", "substance", "word"),
    [
        (
            "I know penicillin put you in the ICU with throat swelling in 2019.",
            "penicillin",
            "throat swelling",
        ),
        ("ALL: amoxicillin \u2192 anaphylaxis (2021). Cough: codeine 15 mg", "amoxicillin", "anaphylaxis"),
        ("Allergy band: penicillin (hypotension, urticaria)", "penicillin", "hypotension"),
        ("She had tongue swelling and collapsed within minutes of morphine.", "morphine", "collapsed"),
        ("The admission for DRESS began three weeks after she first took aspirin.", "aspirin", "dress"),
        ("Hives w/ aspirin", "aspirin", "hives"),
        ("amoxicillin - hives", "amoxicillin", "hives"),
        ("The ibuprofen was stopped after Stevens-Johnson syndrome.", "ibuprofen", "stevens"),
        ("Lisinopril-induced angioedema 2020", "lisinopril", "angioedema"),
        ("| Allergy | Reaction |\n|---|---|\n| Aspirin | TEN, burn unit |", "aspirin", "ten"),
        ("Allergies:\n- Aspirin: wheezing\nPlan:\n- metformin 500 mg", "aspirin", "wheez"),
    ],
)
def test_an_allergy_with_its_reaction(stated: Stated, text: str, substance: str, word: str) -> None:
    (allergy,) = stated(text).allergies or ()
    assert allergy.substance == substance
    assert word in (allergy.reaction or "")


@pytest.mark.parametrize(
    "text",
    [
        "Stop taking amoxicillin and call us if you get hives or throat swelling.",
        "Lisinopril can cause angioedema. Rash with ibuprofen is possible.",
        "His sister had anaphylaxis to penicillin.",
        "Hives all over, treated with prednisone and famotidine.",
        "No rash with amoxicillin.",
        "Seasonal allergies: cetirizine 10 mg daily",
    ],
)
def test_a_reaction_that_is_not_an_allergy(stated: Stated, text: str) -> None:
    assert stated(text).allergies is None


def test_a_tolerated_drug_and_a_disproved_allergy_are_told(stated: Stated) -> None:
    allergies = stated("Penicillin allergy (rash as a toddler). Has tolerated amoxicillin since.").allergies
    assert [(a.substance, a.certainty) for a in allergies or ()] == [
        ("penicillin", None),
        ("amoxicillin", "tolerated"),
    ]
    (allergy,) = stated("Penicillin allergy was ruled out by skin testing.").allergies or ()
    assert allergy.certainty == "refuted"


def test_none_known_is_told_from_not_said(stated: Stated) -> None:
    for text in ("NKDA", "No known drug allergies.", "Allergies: none", "Denies any drug allergies."):
        assert stated(text).allergies == (), text
    assert stated("Take ibuprofen.").allergies is None
    (allergy,) = stated("No known food allergies. Allergic to penicillin (hives).").allergies or ()
    assert (allergy.substance, allergy.reaction) == ("penicillin", "hives")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("72M with CKD and atrial fibrillation", ["ckd", "atrial_fibrillation"]),
        ("She has asthma.", ["asthma"]),
        (
            "History of heart failure, hypertension and diabetes.",
            ["heart_failure", "hypertension", "diabetes"],
        ),
        ("PMH: hypertension, ckd", ["hypertension", "ckd"]),
        ("Because of your chronic kidney disease, avoid ibuprofen.", ["ckd"]),
        ("I have high blood pressure", ["hypertension"]),
        ("She has asthma but no diabetes.", ["asthma"]),
    ],
)
def test_conditions(stated: Stated, text: str, codes: list[str]) -> None:
    assert [c.code for c in stated(text).conditions or ()] == codes

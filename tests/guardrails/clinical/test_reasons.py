"""A regimen with its reason is a regimen; an invented name in the place of a product is not passed over."""

from __future__ import annotations

import pytest
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.parse import parse
from attending.guardrails.finding import Scope
from attending.guardrails.knowledge import Knowledge


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon.from_names(Knowledge.load().names())


@pytest.mark.parametrize(
    "text",
    [
        "Sotalol 80 mg twice daily for rhythm control.",
        "Topiramate 50 mg every night will help with the migraines.",
        "Pravastatin 20 mg at bedtime protects your arteries.",
        "Bisoprolol 5 mg each morning slows the heart.",
        "Tiotropium 18 mcg once daily for symptom control.",
    ],
)
def test_a_regimen_with_its_reason_is_meant_to_be_taken(text: str, lexicon: Lexicon) -> None:
    assert [s.scope.prescriptive for s in parse(text, lexicon).statements] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "Topiramate can help with migraines.",
        "Tramadol 400 mg a day can cause seizures.",
        "Diclofenac 75 mg twice daily worsens heart failure.",
        "Oxycodone does not work for this kind of pain.",
    ],
)
def test_what_is_only_described_or_warned_of_is_not(text: str, lexicon: Lexicon) -> None:
    assert {s.scope for s in parse(text, lexicon).statements} == {Scope.HYPOTHETICAL}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Your repeat prescription for Velcadrine 15 mg is at the desk.", "Velcadrine"),
        ("We posted a supply of noradexol 5 mg to you.", "noradexol"),
        ("Please collect the Tamovirex 20 mg today.", "Tamovirex"),
        ("She finished a course of Brontexil 250 mg.", "Brontexil"),
    ],
)
def test_an_invented_name_in_the_place_of_a_product_is_told(text: str, name: str, lexicon: Lexicon) -> None:
    assert [unknown.text for unknown in parse(text, lexicon).unknown] == [name]


@pytest.mark.parametrize(
    "text",
    [
        "Diltiazem Retard 120 mg once daily.",
        "Verapamil Modified Release 240 mg once daily.",
        "Dear Harriet 5 mg is right.",
        "On Thursday 40 mg was given.",
        "Mr Okafor 75 mg once daily.",
        "Your course of treatment is 500 mg.",
    ],
)
def test_forms_persons_and_days_are_no_unknown_drugs(text: str, lexicon: Lexicon) -> None:
    assert parse(text, lexicon).unknown == ()


@pytest.mark.parametrize(
    ("text", "per_kg", "per_time"),
    [
        ("Give 10 mg of ibuprofen per kilogram of body weight.", True, None),
        ("Children need 90 mg of amoxicillin (by mouth) per kg a day.", True, "day"),
        ("Give 25 mg vancomycin for each kilogram of weight.", True, None),
        ("Give 500 mg of amoxicillin. The child weighs 30 kg.", False, None),
        ("Give 500 mg of amoxicillin per dose.", False, None),
    ],
)
def test_a_divisor_behind_the_drug_is_read(
    text: str, per_kg: bool, per_time: str | None, lexicon: Lexicon
) -> None:
    (dose,) = [s.dose for s in parse(text, lexicon).statements if s.dose is not None]
    assert (dose.per_kg, dose.per_time) == (per_kg, per_time)

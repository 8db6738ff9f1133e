"""Which names are drugs being talked about, and which words in a drug's place nobody knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.parse import parse
from attending.guardrails.clinical.statement import ParsedText

Read = Callable[[str], ParsedText]


@dataclass(frozen=True)
class Entry:
    drugs: tuple[str, ...]
    drug_class: str | None = None
    brand: bool = False


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Take Tylenol and ibuprofen.", ["Tylenol", "ibuprofen"]),
        ("Take IBUPROFEN.", ["IBUPROFEN"]),
        ("Take ibu\u200bprofen.", ["ibu\u200bprofen"]),
        ("Take ibupr\u043efen.", ["ibupr\u043efen"]),
        ("NSAIDs and nitrates", ["NSAIDs", "nitrates"]),
        ("the NSAID's effect", ["NSAID's"]),
        ("ACE inhibitors", ["ACE inhibitors"]),
        ("ibuprofen-naproxen mix", ["ibuprofen-naproxen"]),
        ("Take oxycodone/acetaminophen 5/325.", ["oxycodone/acetaminophen"]),
        ("Take TMP-SMX twice daily.", ["TMP-SMX"]),
        ("Take (ibuprofen).", ["ibuprofen"]),
        ("ibuprofen/", ["ibuprofen"]),
        ("xibuprofen and ibuprofen1", []),
        ("non-aspirin pain relief, aspirin-free", []),
        ("warfarin-induced bleeding, insulin-dependent diabetes", []),
        ("Take aspirin 81 mg daily.", ["aspirin"]),
        ("calcium channel blockers", ["calcium channel blockers"]),
    ],
)
def test_names(read: Read, text: str, names: list[str]) -> None:
    assert [s.mention.text for s in read(text).statements] == names


@pytest.mark.parametrize(
    "text",
    [
        "Your potassium level is high.",
        "Check potassium and sodium.",
        "Potassium 5.5 mEq/L, sodium 140.",
        "Potassium was 5.5.",
        "She has iron deficiency and insulin resistance.",
        "Vitamin D level and folic acid level were normal.",
        "Eat foods rich in calcium.",
        "Your digoxin level is 1.2.",
        "The lithium level should be checked.",
        "Reduce your salt intake.",
        "Calcium channels in the heart.",
        "Oxygen saturation 94 %.",
        "This may lead to bleeding.",
        "Serum magnesium is pending.",
    ],
)
def test_laboratory_and_body_words_are_no_drugs(read: Read, text: str) -> None:
    assert [s.mention.text for s in read(text).statements] == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Take potassium chloride 20 mEq daily.", ["potassium chloride"]),
        ("Take potassium 20 mEq daily.", ["potassium"]),
        ("Your new medicine is sodium oxybate.", ["sodium oxybate"]),
        ("Start iron 325 mg daily.", ["iron"]),
        ("Give magnesium 2 g IV.", ["magnesium"]),
        ("Take calcium supplements.", ["calcium"]),
        ("Avoid alcohol.", ["alcohol"]),
        ("Inject insulin 10 units.", ["insulin"]),
        ("Take vitamin D 1000 units daily.", ["vitamin D"]),
    ],
)
def test_the_same_words_are_drugs_where_someone_takes_them(read: Read, text: str, names: list[str]) -> None:
    assert [s.mention.text for s in read(text).statements] == names


def test_a_class_has_no_ingredients_and_a_brand_says_so(read: Read) -> None:
    nsaids, tylenol = read("Avoid NSAIDs; take Tylenol.").statements
    assert (nsaids.mention.drugs, nsaids.mention.drug_class) == ((), "nsaid")
    assert (tylenol.mention.drugs, tylenol.mention.brand) == (("acetaminophen",), True)


def test_a_second_name_of_one_ingredient_in_brackets_is_no_second_drug(read: Read) -> None:
    for text in ("Take Tylenol (acetaminophen) 500 mg.", "Take acetaminophen (brand name: Tylenol) 500 mg."):
        (statement,) = read(text).statements
        assert statement.dose is not None
        assert statement.mention.text.endswith(")")
    assert len(read("Take ibuprofen (not naproxen).").statements) == 2


def test_the_dose_stands_with_the_nearest_name(read: Read) -> None:
    first, second = read("She reacted to penicillin; azithromycin 500 mg would work.").statements
    assert first.dose is None
    assert second.dose is not None


def test_salt_and_water_are_no_limit_of_a_drug(read: Read) -> None:
    (statement,) = read("Continue lisinopril 10 mg. Limit salt intake to 2300 mg per day.").statements
    assert statement.daily_limit is None


def test_a_longer_name_that_ends_inside_a_word_does_not_hide_the_shorter_one(lexicon: Lexicon) -> None:
    assert [(h.start, h.end) for h in lexicon.find("insulin glarginex")] == [(0, 7)]
    assert [(h.start, h.end) for h in lexicon.find("insulin glargine")] == [(0, 16)]


def test_offsets_are_code_points_of_the_text_as_written(read: Read) -> None:
    text = (
        "😀 É \uff34\uff41\uff4b\uff45  ½ tablet of **Ibuprofen** 400\u00a0mg 🎉 every\u20096 hours; "
        "then naproxen 1½ tablets"
    )
    parsed = read(text)
    assert [s.mention.text for s in parsed.statements][-1] == "naproxen"
    for statement in parsed.statements:
        for part in (statement.mention, statement.dose, statement.frequency):
            if part is not None:
                assert text[part.span.start : part.span.end] == part.text


UNKNOWN = [
    ("Start Zyntrovexil 50 mg daily.", "Zyntrovexil"),
    ("Take blorvinate 10 mg twice a day.", "blorvinate"),
    ("She was prescribed Qualnidop 5 mg.", "Qualnidop"),
    ("Zyntrovexil 50 mg daily", "Zyntrovexil"),
    ("- Zyntrovexil 50 mg daily", "Zyntrovexil"),
    ("Continue lisinopril 10 mg and Mortafen 20 mg.", "Mortafen"),
    ("Add trelvastatin at night.", "trelvastatin"),
    ("The patient should use brentulimab.", "brentulimab"),
    ("Give Fabrozol 2 tablets now.", "Fabrozol"),
    ("Take Neurexia daily.", "Neurexia"),
    ("Take lisinoprill 10 mg daily.", "lisinoprill"),
]


@pytest.mark.parametrize(("text", "name"), UNKNOWN)
def test_an_unknown_name_in_the_place_of_a_drug_is_reported(read: Read, text: str, name: str) -> None:
    found = [u.text for u in read(text).unknown]
    assert found == [name]


def test_the_dose_of_an_unknown_name_is_given_to_no_other_drug(read: Read) -> None:
    parsed = read("Continue lisinopril 10 mg and Mortafen 20 mg.")
    assert [s.dose.high for s in parsed.statements if s.dose] == [10]


def test_a_misspelling_is_read_as_the_only_drug_it_can_be_and_said_so(read: Read) -> None:
    parsed = read("Take lisinoprill 10 mg daily.")
    (unknown,) = parsed.unknown
    assert unknown.near[0] == "lisinopril"
    assert unknown.read_as == ("lisinopril",)
    (statement,) = parsed.statements
    assert statement.mention.drugs == ("lisinopril",)
    assert statement.dose is not None
    assert statement.dose.high == 10


@pytest.mark.parametrize("name", ["hydroxezine", "lisinprl", "losartn"])
def test_a_misspelling_that_may_be_two_drugs_is_far_from_one_or_short_is_read_as_none(name: str) -> None:
    drugs = (
        "prednisone",
        "prednisolone",
        "hydroxyzine",
        "hydroxyurea",
        "hydroxezide",
        "lisinopril",
        "losartan",
    )
    lexicon = Lexicon.from_names({drug: Entry((drug,)) for drug in drugs})
    parsed = parse(f"Take {name} 10 mg daily.", lexicon)
    assert [(u.text, u.read_as) for u in parsed.unknown] == [(name, ())]
    assert parsed.statements == ()


@pytest.mark.parametrize(
    "text",
    [
        "Take one 500 mg tablet daily.",
        "The usual dose is 10 mg daily.",
        "Increase the dose to 20 mg.",
        "Take about 400 mg.",
        "Start Physical Therapy on Monday.",
        "She was seen on October 5 and started in January.",
        "Take Care and drink water.",
        "Use the medicine for your adults-only program.",
        "Eat 25 g of protein.",
        "Continue with breakfast and use sunscreen.",
        "Give the patient 10 mg at bedtime.",
        "Take your morning dose 30 minutes before food.",
        "Please call Dr. Penwell; take a shower daily.",
        "Maximum 4 g per day; initial dose 5 mg; maintenance 10 mg.",
    ],
)
def test_ordinary_words_are_no_unknown_drugs(read: Read, text: str) -> None:
    assert read(text).unknown == ()


def test_a_dose_without_a_drug_is_about_the_one_of_the_prompt(lexicon: Lexicon) -> None:
    text = "The usual adult dose is 15 mg/kg every 4 hours."
    assert parse(text, lexicon).statements == ()
    (statement,) = parse(text, lexicon, about=("acetaminophen",)).statements
    assert statement.mention.drugs == ("acetaminophen",)
    assert statement.mention.text == "15 mg/kg"
    assert statement.dose is not None
    assert statement.dose.per_kg
    assert statement.frequency is not None
    assert statement.frequency.interval_hours == 4

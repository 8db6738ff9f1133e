"""What the form for missing facts takes, and what it refuses in which words."""

from __future__ import annotations

import re

import pytest
from attending.guardrails.patient import PatientContext
from attending.server.console.facts import GROUPS, given, read, refused
from attending.server.console.present import said
from attending.server.errors import InvalidRequest
from attending.server.review.facts import context_json
from attending.server.wire.patient import MAX_LIST_ITEMS, added_facts
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st

NAMES = [field.name for group in GROUPS for field in group.fields]


def test_what_is_written_arrives_with_its_unit() -> None:
    facts, wrong = read(
        {
            "age": "12",
            "age_unit": "days",
            "sex": "female",
            "weight_kg": " 3,45 ",
            "creatinine": "90",
            "creatinine_unit": "µmol/L",
            "dialysis": "no",
            "lactating": "",
            "allergies_none": "on",
            "medications": "warfarin 5 mg\n\n  bisoprolol 2.5 mg once daily ",
            "labs": "sodium: 138 mmol/L\nINR 2,4\npotassium=5.4 mmol/L\nbase excess -3 mmol/L",
        }
    )
    assert wrong == {}
    told = said(context_json(added_facts(facts)))
    assert told == (
        "age 12 days; sex female; weight 3.45 kg; dialysis no; results creatinine 90 µmol/L, sodium 138 mmol/L, "
        "INR 2.4, potassium 5.4 mmol/L, base excess -3 mmol/L; allergies none known; medications warfarin 5 mg active, "
        "bisoprolol 2.5 mg once daily active"
    )


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"weight_kg": "82.5kg"}, "weight_kg"),
        ({"weight_kg": "1,234"}, "weight_kg"),
        ({"weight_kg": "-4"}, "weight_kg"),
        ({"weight_kg": "NaN"}, "weight_kg"),
        ({"weight_kg": "1e2"}, "weight_kg"),
        ({"weight_kg": "٨٢"}, "weight_kg"),
        ({"weight_kg": "701"}, "weight_kg"),
        ({"height_cm": "1.75"}, "height_cm"),
        ({"age": "40"}, "age"),
        ({"age": "3.5", "age_unit": "days"}, "age"),
        ({"age": "40", "age_unit": "months"}, "age"),
        ({"creatinine": "90", "creatinine_unit": "mg/dL"}, "creatinine"),
        ({"egfr": "301"}, "egfr"),
        ({"sex": "unknown"}, "sex"),
        ({"pregnant": "perhaps"}, "pregnant"),
        ({"gestational_weeks": "12"}, "pregnant"),
        ({"gestational_weeks": "12", "pregnant": "no"}, "pregnant"),
        ({"infant_days": "12"}, "lactating"),
        ({"allergies": "latex", "allergies_none": "on"}, "allergies"),
        ({"labs": "5.4"}, "labs"),
        ({"labs": "potassium high"}, "labs"),
        ({"labs": "platelets 150,000 /µL"}, "labs"),
        ({"labs": "platelets 150.000 /µL"}, "labs"),
        ({"labs": "platelets 150 000 /µL"}, "labs"),
        ({"labs": "platelets 150 000/µL"}, "labs"),
        ({"labs": "platelets 150\u00a0000 /µL"}, "labs"),
        ({"labs": "CA 125 30 U/mL"}, "labs"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(sent: dict[str, str], field: str) -> None:
    _facts, wrong = read(sent)
    assert list(wrong) == [field]


def test_a_result_has_decimals_and_units_that_begin_with_a_number() -> None:
    facts, wrong = read(
        {"labs": "troponin 0,012 ng/mL\nplatelets  150\t10^9/L\nCA 19-9 = 37 U/mL\ncells 1234.567"}
    )
    assert wrong == {}
    assert [(one.code, one.value, one.unit) for one in facts.labs] == [
        ("troponin", 0.012, "ng/mL"),
        ("platelets", 150, "10^9/L"),
        ("CA 19-9", 37, "U/mL"),
        ("cells", 1234.567, ""),
    ]


def test_a_line_of_blanks_is_read_in_a_moment() -> None:
    """In time that grows with the line: as a pattern that tries its blanks in every way this is hours."""
    _facts, wrong = read({"labs": "a" + " \t" * 50_000 + "b"})
    assert list(wrong) == ["labs"]


def test_more_results_than_the_wire_takes_are_refused_and_not_read() -> None:
    facts, wrong = read({"labs": "sodium 138 mmol/L\n" * 100_000})
    assert (wrong, len(facts.labs)) == ({}, MAX_LIST_ITEMS + 1)
    with pytest.raises(InvalidRequest) as refusal:
        added_facts(facts)
    assert [path for path, _told in refusal.value.field_violations] == ["facts.labs"]


def test_the_words_of_a_refusal_hold_nothing_of_what_was_written() -> None:
    planted = "Walter Simms 777"
    _facts, wrong = read(dict.fromkeys(NAMES, planted) | {"allergies_none": "on"})
    assert len(wrong) > 10
    assert not {word for word in planted.split() if word in repr(wrong)}


def test_an_empty_form_says_so() -> None:
    _facts, wrong = read(dict.fromkeys(NAMES, " "))
    assert wrong == {"": "Nothing is filled in yet."}
    assert refused(wrong).status_code == 400


@hypothesis_given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=40)))
def test_whatever_is_written_is_taken_as_facts_or_refused_by_field(sent: dict[str, str]) -> None:
    facts, wrong = read(sent)
    assert set(wrong) <= {*NAMES, ""}
    if wrong:
        return
    # What the form takes is the wire's to take; what the wire refuses is told at a field, too.
    refusals: list[tuple[str, str]] = []
    try:
        assert added_facts(facts) != PatientContext()
    except InvalidRequest as err:
        refusals += err.field_violations
    assert {re.split(r"[.\[]", path)[1] for path, _told in refusals} <= set(NAMES)


def test_what_is_known_stands_beside_its_field() -> None:
    known = given({"age_years": "61", "sex": "male", "weight_kg": "82.5", "pregnant": False, "allergies": []})
    assert known == {
        "age": "61 years",
        "sex": "Male",
        "weight_kg": "82.5 kg",
        "pregnant": "no",
        "allergies": "none known",
    }

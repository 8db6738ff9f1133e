"""The patient of one line of `attending check`."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from attending.guardrails.context.json_form import (
    ContextError,
    medication_line,
    parse_context,
    parse_documents,
)
from attending.guardrails.patient import Allergy, Condition, Medication, PatientContext
from hypothesis import given
from hypothesis import strategies as st


def test_reads_every_field_of_the_wire_form() -> None:
    context = parse_context(
        {
            "age_years": 34,
            "sex": "F",
            "weight_kg": "61.5",
            "height_cm": 170,
            "pregnant": True,
            "pregnancy_weeks": 34,
            "egfr": 22.5,
            "allergies": ["penicillin", {"substance": "codeine", "reaction": "Nausea", "severity": "mild"}],
            "conditions": ["asthma", {"name": "heart failure", "active": False}],
            "medications": [
                "warfarin 5 mg daily",
                {"name": "metformin", "dose": "500 mg", "status": "stopped"},
            ],
            "labs": [{"code": "potassium", "value": 5.9, "unit": "mmol/L", "time": "2026-01-02T03:04:05Z"}],
            "identity": {"names": ["Ana Ruiz"], "mrn": "123", "birth_date": "1992-02-29"},
        }
    )
    assert context.age_years == 34
    assert context.sex == "female"
    assert context.weight_kg == Decimal("61.5")
    assert context.egfr == Decimal("22.5")
    assert context.allergies == (Allergy("penicillin"), Allergy("codeine", "nausea", "mild"))
    assert context.conditions == (Condition("asthma"), Condition("heart failure", active=False))
    assert context.medications == (
        Medication("warfarin", dose="5 mg daily"),
        Medication("metformin", dose="500 mg", status="stopped"),
    )
    assert context.labs is not None
    assert context.labs[0].value == Decimal("5.9")
    assert context.identity is not None
    assert context.identity.names == ("Ana Ruiz",)


def test_absent_is_not_none_known() -> None:
    assert parse_context({}).allergies is None
    assert parse_context({"allergies": []}).allergies == ()
    assert parse_context({"allergies": ["NKDA"]}).allergies == ()
    assert parse_context({"allergies": "no known drug allergies"}).allergies == ()
    assert parse_context(None) == PatientContext()


@pytest.mark.parametrize(
    ("context", "reason", "field"),
    [
        ([1], "NOT_AN_OBJECT", "context"),
        ("text", "NOT_AN_OBJECT", "context"),
        ({"alergies": []}, "UNKNOWN_FIELD", "context"),
        ({"age_years": "old"}, "NOT_A_NUMBER", "context.age_years"),
        ({"age_years": True}, "NOT_A_NUMBER", "context.age_years"),
        ({"age_years": 400}, "OUT_OF_RANGE", "context.age_years"),
        ({"egfr": float("nan")}, "NOT_A_NUMBER", "context.egfr"),
        ({"weight_kg": -1}, "OUT_OF_RANGE", "context.weight_kg"),
        ({"pregnant": "yes"}, "NOT_A_BOOLEAN", "context.pregnant"),
        ({"sex": "cat"}, "UNKNOWN_VALUE", "context.sex"),
        ({"medications": {"name": "x"}}, "NOT_A_LIST", "context.medications"),
        ({"medications": [{"dose": "5 mg"}]}, "MISSING", "context.medications[0].name"),
        ({"allergies": ["a", 3]}, "NOT_AN_OBJECT", "context.allergies[1]"),
        ({"conditions": [""]}, "MISSING", "context.conditions[0]"),
        ({"conditions": ["x"] * 1001}, "TOO_MANY", "context.conditions"),
        ({"identity": {"birth_date": "soon"}}, "NOT_A_DATE", "context.identity.birth_date"),
    ],
)
def test_names_the_field_and_the_reason(context: Any, reason: str, field: str) -> None:
    if isinstance(context, list):
        # A list is read as FHIR resources; what is none of them is left out, never guessed at.
        assert parse_context(context) == PatientContext()
        return
    with pytest.raises(ContextError) as caught:
        parse_context(context)
    assert (caught.value.reason, caught.value.field) == (reason, field)


def test_an_error_never_repeats_a_value() -> None:
    with pytest.raises(ContextError) as caught:
        parse_context({"age_years": "Jane Doe 555-1234"})
    assert "Jane" not in str(caught.value)
    assert "555" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "name", "dose"),
    [
        ("warfarin 5 mg daily", "warfarin", "5 mg daily"),
        ("Insulin glargine 20 units nightly", "Insulin glargine", "20 units nightly"),
        ("apixaban", "apixaban", None),
        ("levothyroxine .5 mg", "levothyroxine", ".5 mg"),
    ],
)
def test_splits_a_written_line_at_its_dose(line: str, name: str, dose: str | None) -> None:
    medication = medication_line(line)
    assert (medication.name, medication.dose) == (name, dose)


def test_documents_keep_their_register_state() -> None:
    documents = parse_documents([{"id": "g1", "text": "t", "withdrawn": True}, {"id": "g2", "text": ""}])
    assert [d.withdrawn for d in documents] == [True, False]
    with pytest.raises(ContextError):
        parse_documents([{"text": "no id"}])
    with pytest.raises(ContextError):
        parse_documents("text")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
_FIELDS = st.sampled_from(
    [
        "age_years",
        "sex",
        "allergies",
        "medications",
        "conditions",
        "labs",
        "identity",
        "egfr",
        "resourceType",
        "entry",
    ]
)


@given(st.dictionaries(_FIELDS, _JSON, max_size=4))
def test_any_object_is_read_or_refused_with_a_reason(value: dict[str, Any]) -> None:
    refused: ContextError | None = None
    try:
        assert isinstance(parse_context(value), PatientContext)
    except ContextError as error:
        refused = error
    if refused is not None:
        assert refused.reason.isupper()
        assert refused.field.startswith("context")


@given(st.integers(0, 130), st.lists(st.from_regex(r"[a-z]{3,12}", fullmatch=True), max_size=4))
def test_survives_a_json_round_trip(age: int, names: list[str]) -> None:
    value = {"age_years": age, "medications": names}
    assert parse_context(json.loads(json.dumps(value))) == parse_context(value)


@pytest.mark.parametrize(("key", "unit"), [("creatinine_mg_dl", "mg/dL"), ("creatinine_umol_l", "umol/L")])
def test_creatinine_has_short_keys(key: str, unit: str) -> None:
    context = parse_context({key: 1.5, "labs": [{"name": "potassium", "value": 4, "unit": "mmol/L"}]})
    assert [(lab.code, lab.value, lab.unit) for lab in context.labs or ()] == [
        ("potassium", Decimal(4), "mmol/L"),
        ("creatinine", Decimal("1.5"), unit),
    ]
    with pytest.raises(ContextError) as refused:
        parse_context({key: "high"})
    assert refused.value.reason == "NOT_A_NUMBER"

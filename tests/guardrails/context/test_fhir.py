"""The patient as FHIR R4 resources."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.context.fhir import read_fhir
from attending.guardrails.context.json_form import parse_context
from hypothesis import given
from hypothesis import strategies as st

SYNTHEA = Path(__file__).parents[4] / "shared" / "clinical" / "synthea"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def code(text: str, value: str = "", system: str = "http://snomed.info/sct") -> dict[str, Any]:
    coding = [{"system": system, "code": value, "display": text}] if value else []
    return {"coding": coding, "text": text}


def observation(
    loinc: str, value: Any, unit: str, when: str = "2026-05-01T08:00:00Z", **extra: Any
) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": code("", loinc, "http://loinc.org"),
        "effectiveDateTime": when,
        "valueQuantity": {"value": value, "unit": unit, "code": unit},
        **extra,
    }


PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "name": [{"family": "Ruiz", "given": ["Ana", "Maria"]}],
    "gender": "female",
    "birthDate": "1990-06-02",
    "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "M-77"}],
}


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": r} for r in resources]}


def test_reads_identity_and_age_on_the_day() -> None:
    context = read_fhir(bundle(PATIENT), as_of=NOW).context
    assert context.age_years == 35
    assert context.sex == "female"
    assert context.identity is not None
    assert context.identity.names == ("Ana Maria Ruiz",)
    assert context.identity.mrn == "M-77"


def test_the_newest_observation_wins_and_units_are_converted() -> None:
    context = read_fhir(
        [
            observation("29463-7", 150, "[lb_av]", "2026-05-02T00:00:00Z"),
            observation("29463-7", 90, "kg", "2020-01-01T00:00:00Z"),
            observation("8302-2", 1.7, "m"),
            observation("33914-3", 22, "mL/min"),
            observation("2823-3", 5.9, "mmol/L"),
        ]
    ).context
    assert context.weight_kg == Decimal(150) * Decimal("0.45359237")
    assert context.height_cm == 170
    assert context.egfr == 22
    assert [(lab.code, lab.value) for lab in context.labs or ()] == [("2823-3", Decimal("5.9"))]


def test_none_known_differs_from_absent() -> None:
    none_known = {"resourceType": "AllergyIntolerance", "code": code("No known allergy", "716186003")}
    assert read_fhir([PATIENT]).context.allergies is None
    assert read_fhir([none_known]).context.allergies == ()


def test_refuted_and_resolved_allergies_do_not_count() -> None:
    def allergy(verification: str, clinical: str = "active") -> dict[str, Any]:
        return {
            "resourceType": "AllergyIntolerance",
            "code": code("Penicillin"),
            "verificationStatus": {"coding": [{"code": verification}]},
            "clinicalStatus": {"coding": [{"code": clinical}]},
            "reaction": [{"manifestation": [code("Anaphylaxis")], "severity": "severe"}],
        }

    assert read_fhir([allergy("refuted")]).context.allergies == ()
    assert read_fhir([allergy("confirmed", "resolved")]).context.allergies == ()
    assert read_fhir([allergy("entered-in-error")]).context.allergies is None
    kept = read_fhir([allergy("confirmed")]).context.allergies
    assert kept is not None
    assert (kept[0].substance, kept[0].reaction, kept[0].severity) == ("Penicillin", "anaphylaxis", "severe")


def test_medications_carry_status_dose_and_timing() -> None:
    request = {
        "resourceType": "MedicationRequest",
        "status": "active",
        "medicationCodeableConcept": code(
            "Warfarin 5 MG Oral Tablet", "855332", "http://www.nlm.nih.gov/research/umls/rxnorm"
        ),
        "authoredOn": "2025-01-05T10:00:00Z",
        "dosageInstruction": [
            {
                "route": code("Oral"),
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}],
            }
        ],
    }
    statement = {
        "resourceType": "MedicationStatement",
        "status": "stopped",
        "medicationReference": {"reference": "Medication/m1"},
    }
    product = {"resourceType": "Medication", "id": "m1", "code": code("Ibuprofen 200 MG")}
    meds = read_fhir(bundle(request, statement, product)).context.medications
    assert meds is not None
    assert [(m.name, m.status, m.dose, m.frequency) for m in meds] == [
        ("Warfarin 5 MG Oral Tablet", "active", "5 mg", "once a day"),
        ("Ibuprofen 200 MG", "stopped", None, None),
    ]
    assert meds[0].rxcui == "855332"


def test_what_cannot_be_read_is_named_without_its_value() -> None:
    read = read_fhir(
        [
            {"resourceType": "MedicationRequest", "status": "active"},
            {"resourceType": "Condition", "code": {}},
            {"resourceType": "Patient", "birthDate": "someday Jane"},
            observation("29463-7", 12, "stone"),
            observation("33914-3", 60, "mL/min", valueQuantity={"value": 60, "comparator": ">"}),
        ]
    )
    assert read.unread == (
        "MedicationRequest[0]: UNREADABLE",
        "Condition[1]: UNREADABLE",
        "Patient[2]: UNREADABLE",
        "Observation: UNIT",
        "Observation: COMPARATOR",
    )
    assert not any("Jane" in line for line in read.unread)


def test_two_patients_are_never_blended() -> None:
    other = {**PATIENT, "name": [{"family": "Olsen"}], "gender": "male"}
    read = read_fhir(bundle(PATIENT, other))
    assert read.context.sex == "female"
    assert read.unread == ("Patient: SECOND_PATIENT",)


def test_pregnancy_by_observation_and_by_condition() -> None:
    weeks = observation("18185-9", 34, "wk")
    assert read_fhir([weeks]).context.pregnancy_weeks == 34
    assert read_fhir([weeks]).context.pregnant is True
    answer = {
        "resourceType": "Observation",
        "status": "final",
        "code": code("", "82810-3", "http://loinc.org"),
    }
    no = {**answer, "valueCodeableConcept": code("Not pregnant", "60001007")}
    assert read_fhir([no]).context.pregnant is False
    condition = {"resourceType": "Condition", "code": code("Normal pregnancy", "72892002")}
    assert read_fhir([condition]).context.pregnant is True


@pytest.mark.skipif(not SYNTHEA.is_dir(), reason="the synthetic patients are not beside this checkout")
def test_reads_generated_bundles() -> None:
    paths = sorted(SYNTHEA.glob("*.json.gz"))
    assert paths
    for path in paths:
        read = read_fhir(json.loads(gzip.decompress(path.read_bytes())), as_of=NOW)
        context = read.context
        assert context.identity is not None
        assert context.identity.names[0].replace(" ", "_").rstrip("0123456789") == path.name.removesuffix(
            ".json.gz"
        )
        assert context.sex in ("male", "female")
        assert context.age_years is not None
        assert context.weight_kg is not None
        assert not [line for line in read.unread if "UNREADABLE" in line]


def test_the_wire_form_accepts_fhir() -> None:
    assert parse_context(bundle(PATIENT)).sex == "female"
    assert parse_context([PATIENT]).sex == "female"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["code", "coding", "text", "value", "status", "name", "reaction", "entry", "birthDate"]
            ),
            inner,
        )
    ),
    max_leaves=10,
)


@given(
    st.sampled_from(
        ["Patient", "AllergyIntolerance", "MedicationRequest", "Condition", "Observation", "Bundle"]
    ),
    st.dictionaries(
        st.sampled_from(
            ["code", "valueQuantity", "name", "birthDate", "entry", "reaction", "medicationReference"]
        ),
        _JSON,
    ),
)
def test_never_raises(kind: str, body: dict[str, Any]) -> None:
    read_fhir({"resourceType": kind, **body})


def test_a_year_beyond_every_calendar_is_unread() -> None:
    """`date` raises OverflowError for it, which is no ValueError."""
    read = read_fhir({"resourceType": "Patient", "birthDate": 2**31})
    assert list(read.unread) == ["Patient[0]: UNREADABLE"]
    assert read.context.age_years is None

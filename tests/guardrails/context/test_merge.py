"""Record and text made one context; what cannot both be true is a conflict."""

from __future__ import annotations

from decimal import Decimal

import pytest
from attending.guardrails.context.merge import age_in_years, merge
from attending.guardrails.patient import Allergy, Medication, PatientContext


def test_the_record_wins_and_the_text_completes_it() -> None:
    merged = merge(
        PatientContext(age_years=Decimal(60), egfr=Decimal(50)),
        PatientContext(age_years=Decimal(61), egfr=Decimal(45), sex="male", weight_kg=Decimal(80)),
    )
    assert merged.context.age_years == 60
    assert merged.context.egfr == 50
    assert merged.context.sex == "male"
    assert merged.context.weight_kg == 80
    assert merged.conflicts == ()


def test_lists_are_joined_and_absent_stays_absent() -> None:
    recorded = PatientContext(medications=(Medication("warfarin"),), allergies=())
    stated = PatientContext(medications=(Medication("Warfarin"), Medication("ibuprofen")))
    context = merge(recorded, stated).context
    assert [m.name for m in context.medications or ()] == ["warfarin", "ibuprofen"]
    assert context.allergies == ()
    assert context.conditions is None
    assert merge(PatientContext(), PatientContext(allergies=(Allergy("penicillin"),))).context.allergies == (
        Allergy("penicillin"),
    )


@pytest.mark.parametrize(
    ("recorded", "stated", "field"),
    [
        (PatientContext(age_years=Decimal(34)), PatientContext(age_years=Decimal(7)), "age_years"),
        (PatientContext(age_days=20), PatientContext(age_years=Decimal(3)), "age_years"),
        (PatientContext(sex="male"), PatientContext(sex="female"), "sex"),
        (PatientContext(pregnant=False), PatientContext(pregnant=True), "pregnant"),
        (PatientContext(sex="male"), PatientContext(pregnancy_weeks=Decimal(20)), "pregnant"),
        (PatientContext(weight_kg=Decimal(20)), PatientContext(weight_kg=Decimal(80)), "weight_kg"),
        (PatientContext(egfr=Decimal(90)), PatientContext(egfr=Decimal(20)), "egfr"),
        (PatientContext(child_pugh="A"), PatientContext(child_pugh="C"), "child_pugh"),
    ],
)
def test_contradictions_are_reported(recorded: PatientContext, stated: PatientContext, field: str) -> None:
    assert field in [conflict.field for conflict in merge(recorded, stated).conflicts]


@pytest.mark.parametrize(
    ("recorded", "stated"),
    [
        (PatientContext(age_years=Decimal(34)), PatientContext(age_years=Decimal(35))),
        (PatientContext(weight_kg=Decimal(70)), PatientContext(weight_kg=Decimal(75))),
        (PatientContext(egfr=Decimal(45)), PatientContext(egfr=Decimal(38))),
        (PatientContext(), PatientContext(sex="female", age_years=Decimal(3))),
    ],
)
def test_rounding_is_no_contradiction(recorded: PatientContext, stated: PatientContext) -> None:
    assert merge(recorded, stated).conflicts == ()


def test_the_ages_of_record_and_text_do_not_sit_side_by_side() -> None:
    context = merge(PatientContext(age_days=10), PatientContext(age_years=Decimal(40))).context
    assert context.age_years is None
    age = age_in_years(context)
    assert age is not None
    assert age < 1

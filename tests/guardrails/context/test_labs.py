"""Laboratory values of a record and of running text."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from attending.guardrails.context.labs import readings_from_record, readings_from_text
from attending.guardrails.patient import Lab


@pytest.mark.parametrize(
    ("text", "analyte", "value"),
    [
        ("Her potassium is 6.1 today.", "potassium", "6.1"),
        ("Labs: K+ 5.8 mmol/L, Na+ 131", "potassium", "5.8"),
        ("INR of 7.2 this morning", "inr", "7.2"),
        ("INR: 5", "inr", "5"),
        ("platelet count 32,000/uL", "platelets", "32"),
        ("Platelets 45 x10^9/L", "platelets", "45"),
        ("ANC 400", "neutrophils", "0.4"),
        ("QTc 520 ms", "qtc", "520"),
        ("heart rate was 44", "heart_rate", "44"),
        ("BP 84/50", "systolic", "84"),
        ("lithium level 2.1", "lithium", "2.1"),
        ("blood glucose of 3.1 mmol/L", "glucose", "55.8"),
    ],
)
def test_reads_stated_results(text: str, analyte: str, value: str) -> None:
    found = {r.analyte: r for r in readings_from_text(text)}
    assert analyte in found
    assert abs(found[analyte].value - Decimal(value)) < Decimal("0.1")
    reading = found[analyte]
    assert text[reading.start : reading.end].strip()


@pytest.mark.parametrize(
    "text",
    [
        "Hold spironolactone if potassium is above 5.5.",
        "Target INR 2 to 3.",
        "Keep the potassium 4-5.",
        "potassium chloride 20 mEq daily",
        "Give potassium 10 mEq by mouth",
        "magnesium 2 g IV",
        "Take calcium 500 mg twice daily",
        "sodium restricted to 2 g",
        "digoxin 0.125 mg daily",
        "lithium 300 mg three times a day",
        "glucose tablets",
        "in 2019",
    ],
)
def test_leaves_out_targets_conditions_and_doses(text: str) -> None:
    assert readings_from_text(text) == ()


def test_the_newest_lab_of_the_record_counts() -> None:
    old = Lab("2823-3", Decimal("6.5"), "mmol/L", datetime(2025, 1, 1, tzinfo=UTC))
    new = Lab("potassium", Decimal("4.0"), "mmol/L", datetime(2026, 1, 1, tzinfo=UTC))
    other = Lab("cobalamin", Decimal(100))
    assert [(r.analyte, r.value) for r in readings_from_record((new, old, other))] == [
        ("potassium", Decimal("4.0"))
    ]


def test_si_units_are_converted() -> None:
    found = readings_from_record(
        (Lab("creatinine", Decimal(20), "umol/L"), Lab("hemoglobin", Decimal(12), "g/dL"))
    )
    assert {r.analyte: r.value for r in found}["hemoglobin"] == 12
    assert {r.analyte: round(r.value, 2) for r in found}["creatinine"] == Decimal("0.23")

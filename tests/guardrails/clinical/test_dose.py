"""Amounts: exact or unreadable, never dropped, never a laboratory value."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from attending.guardrails.clinical.statement import ParsedText

Read = Callable[[str], ParsedText]

READABLE = [
    # text after "Take ibuprofen", low, high, unit, per_kg, per_m2, per_time
    ("500 mg", "500", "500", "mg", False, False, None),
    ("0.5mg", "0.5", "0.5", "mg", False, False, None),
    (".5 mg", "0.5", "0.5", "mg", False, False, None),
    ("5.0 mg", "5", "5", "mg", False, False, None),
    ("1,000 mg", "1000", "1000", "mg", False, False, None),
    ("1 000 mg", "1000", "1000", "mg", False, False, None),
    ("1\u202f500 mg", "1500", "1500", "mg", False, False, None),
    ("12,500.5 units", "12500.5", "12500.5", "unit", False, False, None),
    ("5-10 mg", "5", "10", "mg", False, False, None),
    ("5 \u2013 10 mg", "5", "10", "mg", False, False, None),
    ("5 to 10 mg", "5", "10", "mg", False, False, None),
    ("between 5 and 10 mg", "5", "10", "mg", False, False, None),
    ("200 or 400 mg", "200", "400", "mg", False, False, None),
    ("500 mg to 1 g", "0.5", "1", "g", False, False, None),
    ("5mg-10mg", "5", "10", "mg", False, False, None),
    ("one hundred milligrams", "100", "100", "mg", False, False, None),
    ("twenty-five mg", "25", "25", "mg", False, False, None),
    ("two hundred and fifty mg", "250", "250", "mg", False, False, None),
    ("1 gram", "1", "1", "g", False, False, None),
    ("1 gm", "1", "1", "g", False, False, None),
    ("100 micrograms", "100", "100", "mcg", False, False, None),
    ("100 µg", "100", "100", "mcg", False, False, None),
    ("100 μg", "100", "100", "mcg", False, False, None),
    ("100 ug", "100", "100", "mcg", False, False, None),
    ("\uff15\uff10\uff10 mg", "500", "500", "mg", False, False, None),
    ("20 units", "20", "20", "unit", False, False, None),
    ("10 U", "10", "10", "unit", False, False, None),
    ("10 IU", "10", "10", "unit", False, False, None),
    ("1 million units", "1000000", "1000000", "unit", False, False, None),
    ("1 000 000 units", "1000000", "1000000", "unit", False, False, None),
    ("40 mEq", "40", "40", "mEq", False, False, None),
    ("30 mmol", "30", "30", "mmol", False, False, None),
    ("15 mg/kg", "15", "15", "mg", True, False, None),
    ("15 mg per kg", "15", "15", "mg", True, False, None),
    ("15 mg/kg/day", "15", "15", "mg", True, False, "day"),
    ("15 mg per kg per day", "15", "15", "mg", True, False, "day"),
    ("15 mg/kg/dose", "15", "15", "mg", True, False, "dose"),
    ("75 mg/m2", "75", "75", "mg", False, True, None),
    ("75 mg/m²", "75", "75", "mg", False, True, None),
    ("5 mcg/kg/min", "5", "5", "mcg", True, False, "min"),
    ("10 units/hour", "10", "10", "unit", False, False, "h"),
    ("3.5 g/day", "3.5", "3.5", "g", False, False, "day"),
    ("4 g per 24 hours", "4", "4", "g", False, False, "day"),
    ("1-2 tablets", "1", "2", "tablet", False, False, None),
    ("two capsules", "2", "2", "tablet", False, False, None),
    ("half a tablet", "0.5", "0.5", "tablet", False, False, None),
    ("1/2 tablet", "0.5", "0.5", "tablet", False, False, None),
    ("½ tablet", "0.5", "0.5", "tablet", False, False, None),
    ("1½ tablets", "1.5", "1.5", "tablet", False, False, None),
    ("one and a half tablets", "1.5", "1.5", "tablet", False, False, None),
    ("a tablet", "1", "1", "tablet", False, False, None),
    ("2 puffs", "2", "2", "puff", False, False, None),
    ("1 to 2 drops", "1", "2", "drop", False, False, None),
    ("7.5 mL", "7.5", "7.5", "mL", False, False, None),
    ("2 teaspoons", "10", "10", "mL", False, False, None),
    ("4 x 500 mg", "2000", "2000", "mg", False, False, None),
    ("500 mg x 2", "1000", "1000", "mg", False, False, None),
    ("two 500 mg tablets", "1000", "1000", "mg", False, False, None),
    ("3 tablets of 500 mg", "1500", "1500", "mg", False, False, None),
    ("2 tablets (500 mg each)", "1000", "1000", "mg", False, False, None),
    ("2 tablets (1,000 mg)", "1000", "1000", "mg", False, False, None),
    ("500 mg (1 tablet)", "500", "500", "mg", False, False, None),
    ("500 mg 1 tab PO", "500", "500", "mg", False, False, None),
    ("500-mg tablets, 3 tablets", "1500", "1500", "mg", False, False, None),
    ("100 mg/5 mL, 10 mL", "200", "200", "mg", False, False, None),
    ("10mg/mL 2 mL", "20", "20", "mg", False, False, None),
    ("from 200 mg to 400 mg", "400", "400", "mg", False, False, None),
    ("0.125 mg", "0.125", "0.125", "mg", False, False, None),
    ("one and one-half tablets", "1.5", "1.5", "tablet", False, False, None),
    ("one point two milligrams", "1.2", "1.2", "mg", False, False, None),
    ("nought point six mg", "0.6", "0.6", "mg", False, False, None),
    ("between four hundred and six hundred mg", "400", "600", "mg", False, False, None),
    ("two of the 500s", "1000", "1000", "mg", False, False, None),
    ("three 20s", "60", "60", "mg", False, False, None),
    ("500 mg tablets, two at a time", "1000", "1000", "mg", False, False, None),
    ("6 g in three divided doses", "6", "6", "g", False, False, "day"),
    ("600 mg three times a day in divided doses", "600", "600", "mg", False, False, None),
]


@pytest.mark.parametrize(("written", "low", "high", "unit", "per_kg", "per_m2", "per_time"), READABLE)
def test_a_dose_is_read_exactly(
    read: Read, written: str, low: str, high: str, unit: str, per_kg: bool, per_m2: bool, per_time: str | None
) -> None:
    parsed = read(f"Take ibuprofen {written} now.")
    doses = [s.dose for s in parsed.statements if s.dose is not None]
    assert len(doses) == 1, parsed
    dose = doses[0]
    assert (dose.low, dose.high, dose.unit) == (Decimal(low), Decimal(high), unit)
    assert (dose.per_kg, dose.per_m2, dose.per_time) == (per_kg, per_m2, per_time)
    assert parsed.unreadable == ()


ONE_AMOUNT = [
    row
    for row in READABLE
    if not row[0].startswith(("from", "500-mg", "100 mg/5", "10mg/mL", "500 mg 1", "500 mg (1"))
]


@pytest.mark.parametrize(("written", "low", "high", "unit", "per_kg", "per_m2", "per_time"), ONE_AMOUNT)
def test_a_dose_before_its_drug_is_the_same_dose(
    read: Read, written: str, low: str, high: str, unit: str, per_kg: bool, per_m2: bool, per_time: str | None
) -> None:
    parsed = read(f"Take {written} of ibuprofen now.")
    doses = [s.dose for s in parsed.statements if s.dose is not None]
    assert [(d.low, d.high, d.unit) for d in doses] == [(Decimal(low), Decimal(high), unit)], parsed
    assert [(d.per_kg, d.per_m2, d.per_time) for d in doses] == [(per_kg, per_m2, per_time)]


UNREADABLE = [
    "1.000,5 mg",
    "1,5 mg",
    "0,5 mg",
    "1.500 mg",
    "1e3 mg",
    "10^3 units",
    "10³ units",
    "5 x 10^6 units",
    "2 grains",
    "5 gr",
    "5 MU",
    "50k units",
    "a few tablets",
    "several drops",
    "10-5 mg",
    "5O0 mg",
    "l0 mg",
    "___ mg",
    "XX mg",
    "[dose] mg",
    "?? mg",
    "500/125 mg",
    "double the usual dose",
    "twice your normal dose",
    "ten times the dose",
    "1.2.3 mg",
    "007 mg",
    "1 500 mg",
]


@pytest.mark.parametrize("written", UNREADABLE)
def test_what_looks_like_a_dose_and_is_not_certain_is_reported(read: Read, written: str) -> None:
    parsed = read(f"Take ibuprofen {written} now.")
    assert [s.dose for s in parsed.statements] == [None], parsed
    assert len(parsed.unreadable) == 1, parsed
    found = parsed.unreadable[0]
    assert found.reason
    assert found.text == parsed.text[found.span.start : found.span.end]
    assert "mg" not in found.reason.split()


def test_a_number_without_a_unit_is_reported(read: Read) -> None:
    for text in (
        "warfarin 5 daily",
        "Lisinopril 17",
        "take levothyroxine 50 every morning",
        "metformin: 50 BID",
        "metformin 500 IV now",
    ):
        assert len(read(text).unreadable) == 1, text


def test_a_number_that_is_a_strength_of_the_drug_is_read_in_milligrams(read: Read) -> None:
    for text, mg in (("Lisinopril 10", 10), ("metformin: 500 BID", 500)):
        parsed = read(text)
        assert parsed.unreadable == ()
        assert [(s.dose.high, s.dose.unit) for s in parsed.statements if s.dose] == [(Decimal(mg), "mg")], (
            text
        )


NO_DOSE = [
    "Potassium 5.5 mEq/L today.",
    "Glucose 110 mg/dL, sodium 140.",
    "INR 2.5, BP 120/80, hemoglobin 13 g/dL.",
    "eGFR 45 mL/min/1.73 m2 and creatinine 1.2 mg/dL.",
    "She is 54 years old and weighs 70 kg.",
    "Call 555-123-4567 on 5/12/2024 at 10:30.",
    "Digoxin level 1.2 ng/mL.",
    "Walk 30 minutes 5 days a week and drink 8 glasses of water.",
    "Temperature 38.5 C, oxygen saturation 92%.",
    "Platelets 150 x 10^9/L.",
    "HbA1c was 7.2% and LDL 95 mg/dL.",
]


@pytest.mark.parametrize("text", NO_DOSE)
def test_laboratory_values_ages_and_dates_are_no_doses(read: Read, text: str) -> None:
    parsed = read(text)
    assert [s.dose for s in parsed.statements if s.dose] == [], parsed
    assert parsed.unreadable == (), parsed


def test_a_concentration_is_no_dose(read: Read) -> None:
    parsed = read("Morphine 10 mg/mL oral solution.")
    (statement,) = parsed.statements
    assert statement.dose is None
    assert statement.concentration is not None
    assert (statement.concentration.amount, statement.concentration.unit) == (Decimal(10), "mg")


def test_a_combination_keeps_its_strengths_in_the_order_written(read: Read) -> None:
    for text in (
        "Percocet 5/325, take 2 tablets every 6 hours",
        "Take 2 tablets of Percocet 5/325 mg every 6 hours",
    ):
        (statement,) = read(text).statements
        assert statement.dose is not None
        assert statement.dose.components == (Decimal(10), Decimal(650)), text
        assert statement.dose.unit == "tablet"
    (spelled,) = read("oxycodone/acetaminophen 5 mg/325 mg one tablet daily").statements
    assert spelled.mention.drugs == ("oxycodone", "acetaminophen")
    assert spelled.dose is not None
    assert spelled.dose.components == (Decimal(5), Decimal(325))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("insulin 10U at bedtime", ["u"]),
        ("insulin 10 IU", ["iu"]),
        ("warfarin .5 mg", ["leading_dot"]),
        ("warfarin 5.0 mg", ["trailing_zero"]),
        ("warfarin 5 mg QD", ["qd"]),
        ("warfarin 5 mg q.d.", ["qd"]),
        ("warfarin 5 mg QOD", ["qod"]),
        ("levothyroxine 50 µg", ["ug"]),
        ("give MSO4 2 mg", ["mso4"]),
        ("warfarin 5 mg daily", []),
        ("insulin 10 units", []),
        ("INR 2.0", []),
    ],
)
def test_risky_notations_are_named(read: Read, text: str, kinds: list[str]) -> None:
    assert [n.kind for n in read(text).notations] == kinds

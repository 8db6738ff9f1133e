"""The short phrases of label facts, read into rules: forms of the real table and variations of them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from attending.guardrails.knowledge.assemble import label_rules as rules


@pytest.mark.parametrize(
    ("text", "low", "high", "general"),
    [
        ("adult", 18, None, True),
        ("adult and child >=12y (OTC)", 12, None, True),
        ("child 6-11y (tablet)", 6, 12, True),
        ("child 1-17y", 1, 18, True),
        ("child >=6y", 6, 18, True),
        ("child <12y", None, 12, True),
        ("elderly", 65, None, True),
        ("elderly >=75y", 75, None, True),
        ("any", None, None, True),
        ("adult with crcl<30", 18, None, False),
        ("adult (Child-Pugh B)", 18, None, False),
    ],
)
def test_populations(text: str, low: int | None, high: int | None, general: bool) -> None:
    who = rules.population(text)
    assert (who.min_age_years, who.max_age_years, who.general) == (low, high, general)


def test_months_and_weeks_are_fractions_of_a_year() -> None:
    assert rules.population("infant <=3 mo").max_age_years == Decimal("0.25")
    assert rules.population("neonate 0-4wk").newborn
    assert rules.population("premature infant").newborn


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("egfr<30 contraindicated", [("30", "contraindicated", "")]),
        ("egfr<30 or ESRD contraindicated", [("30", "contraindicated", "")]),
        ("crcl<=30 contraindicated", [("30.01", "contraindicated", "")]),
        (
            "crcl 30-59 max 1400 mg/day; crcl 15-29 max 700 mg/day",
            [("60", "cap", "1400"), ("30", "cap", "700")],
        ),
        ("crcl 30-50 max 500 mg every 12 h", [("50", "cap", "1000")]),
        ("severe not recommended", [("30", "avoid", "")]),
        ("gfr<60 avoid with aliskiren", []),
        ("no adjustment", []),
        ("scr>2.5 or something", []),
        ("kidney disease: ask doctor", []),
    ],
)
def test_kidney_rules(text: str, expected: list[tuple[str, str, str]]) -> None:
    found = [(row["below"], row["action"], row["max_daily_mg"]) for row in rules.renal(text)]
    assert found == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("severe contraindicated", [("C", "contraindicated")]),
        ("moderate or severe not recommended", [("BC", "avoid")]),
        ("child-pugh B-C or coagulopathy avoid", [("BC", "avoid")]),
        ("child-pugh 7-15 not recommended", [("BC", "avoid")]),
        ("Child-Pugh >6 contraindicated", [("BC", "contraindicated")]),
        ("child-pugh A-B start 20 mg; child-pugh C avoid", [("AB", "adjust"), ("C", "avoid")]),
        ("no adjustment", []),
        ("liver disease: ask doctor", []),
    ],
)
def test_liver_rules(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(row["child_pugh"], row["action"]) for row in rules.hepatic(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("avoid from 30 weeks; 20-30 weeks limit", [("major", "20", "")]),
        ("contraindicated (category X)", [("contraindicated", "", "")]),
        ("discontinue when detected (fetal toxicity); category D", [("contraindicated", "", "")]),
        ("second and third trimester not recommended", [("major", "14", "")]),
        ("category B", []),
        ("only if clearly needed", []),
        ("", []),
    ],
)
def test_pregnancy_rules(text: str, expected: list[tuple[str, str, str]]) -> None:
    found = [(row["severity"], row["from_week"], row["to_week"]) for row in rules.pregnancy(text)]
    assert found == expected

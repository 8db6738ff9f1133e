"""Names and habits of other countries: brands, compound preparations, combinations that are monitored on purpose."""

from __future__ import annotations

import pytest
from attending.guardrails.finding import Severity
from attending.guardrails.knowledge import Knowledge


@pytest.mark.parametrize(
    ("name", "drugs"),
    [
        ("daktarin", {"miconazole"}),
        ("pevaryl", {"econazole"}),
        ("co-dydramol", {"acetaminophen", "dihydrocodeine"}),
        ("co-tenidone", {"atenolol", "chlorthalidone"}),
        ("madopar", {"levodopa", "benserazide"}),
        ("marcumar", {"phenprocoumon"}),
        ("actrapid", {"insulin human"}),
        ("epilim", {"valproate"}),
        ("novorapid", {"insulin aspart"}),
        ("priadel", {"lithium"}),
        ("stilnox", {"zolpidem"}),
        ("seretide", {"fluticasone", "salmeterol"}),
    ],
)
def test_a_brand_of_another_country_is_known(knowledge: Knowledge, name: str, drugs: set[str]) -> None:
    assert set(knowledge.names()[name].drugs) == drugs


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("eplerenone", "torsemide"),
        ("lisinopril", "chlorthalidone"),
        ("candesartan", "furosemide"),
        ("dexamethasone", "rivaroxaban"),
        ("prednisone", "edoxaban"),
    ],
)
def test_what_is_combined_on_purpose_is_below_moderate(knowledge: Knowledge, a: str, b: str) -> None:
    assert all(fact.severity.rank < Severity.MODERATE.rank for fact in knowledge.interactions(a, b))


@pytest.mark.parametrize(
    ("a", "b", "at_least"),
    [
        ("miconazole", "warfarin", Severity.MAJOR),
        ("eplerenone", "potassium chloride", Severity.MAJOR),
        ("valsartan", "spironolactone", Severity.MODERATE),
        ("prednisolone", "warfarin", Severity.MODERATE),
    ],
)
def test_the_dangerous_neighbours_stay(knowledge: Knowledge, a: str, b: str, at_least: Severity) -> None:
    assert max(fact.severity.rank for fact in knowledge.interactions(a, b)) >= at_least.rank


@pytest.mark.parametrize(
    "drug", ["acenocoumarol", "gliclazide", "digoxin", "sirolimus", "lithium", "insulin lispro"]
)
def test_a_narrow_therapeutic_drug_has_a_ceiling(knowledge: Knowledge, drug: str) -> None:
    assert any(row.max_daily or row.max_single for row in knowledge.dose_limits(drug))

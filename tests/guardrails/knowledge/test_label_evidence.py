"""A label's limit is verified only where number and unit stand in the label's text."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from attending.guardrails.finding import Basis
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.knowledge.assemble import label_evidence
from attending.guardrails.knowledge.importers import label_facts

SET_ID = "01b14603-8f29-4fa3-8d7e-9d523f802e0b"


def limit(value: str, unit: str = "mg", per: str = "", basis: str = "label_text") -> dict[str, str]:
    return {
        "basis": basis, "rule_id": "label:x:1", "source": f"FDA label openfda:{SET_ID}, 2.1",
        "max_single": "", "max_daily": value, "unit": unit, "per": per,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "row", "found"),
    [
        ("not more than 320 mg daily", limit("320"), "320 mg"),
        ("the maximum is 2,400 mg", limit("2400"), "2400 mg"),
        ("the maximum is 2 g a day", limit("2000"), "2 g"),
        ("up to 40-mg tablets", limit("40"), "40 mg"),
        ("15 mg/kg a day", limit("15", per="kg"), "15 mg/kg"),
        ("15 mg/kg a day", limit("15"), None),
        ("15 mg a day", limit("15", per="kg"), None),
        ("1320 mg daily", limit("320"), None),
        ("320 mcg daily", limit("320"), None),
        ("320 patients", limit("320"), None),
        ("10.5 mg", limit("5"), None),
        ("not more than 320 mg daily", limit("320", basis="curated"), None),
    ],
)
def test_number_and_unit_stand_in_the_text(text: str, row: dict[str, str], found: str | None) -> None:
    rows = label_evidence.build([row], {SET_ID: text.encode()})
    assert [one["found"] for one in rows] == ([] if found is None else [found])
    assert all(one["text_sha256"] == hashlib.sha256(text.encode()).hexdigest() for one in rows)


def test_a_label_that_is_not_at_hand_verifies_nothing() -> None:
    assert label_evidence.build([limit("320")], {}) == []


def test_each_limit_of_the_pack_that_is_verified_names_the_text(sources: Path, knowledge: Knowledge) -> None:
    texts = label_facts.label_texts(sources / "fda-labels")
    verified = set()
    for drug in knowledge.drugs():
        for row in knowledge.dose_limits(drug):
            proof = knowledge.label_evidence(row.provenance.rule_id)
            if proof is None:
                continue
            verified.add(drug)
            assert row.provenance.basis is Basis.LABEL_TEXT
            assert proof["set_id"] in row.provenance.source
            assert proof["text_sha256"] == hashlib.sha256(texts[proof["set_id"]]).hexdigest()
    assert len(verified) == 37

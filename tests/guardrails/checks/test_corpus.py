"""Raw texts on the real parser and the real knowledge: dangerous ones are caught, ordinary ones are left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.checks.port import KnowledgePort
from attending.guardrails.checks.run import CheckResult, run_checks
from attending.guardrails.context.json_form import parse_context, parse_documents
from attending.guardrails.finding import Basis, Code, Severity
from attending.guardrails.patient import Judged

HERE = Path(__file__).parent


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


DANGEROUS = lines("dangerous.jsonl")
BENIGN = lines("benign.jsonl")


def judge(row: dict[str, Any], knowledge: KnowledgePort) -> CheckResult:
    """What is found, of which everything says where it comes from."""
    judged = Judged(
        row["output"],
        row.get("prompt"),
        parse_context(row.get("context")),
        parse_documents(row.get("documents")),
    )
    result = run_checks(judged, knowledge, audience=row["audience"])
    assert 0 <= result.coverage.judged <= result.coverage.of
    for finding in result.findings:
        assert finding.source.strip()
        assert finding.rule_id
        assert row["output"][finding.start : finding.end] == finding.text
        assert "no interactions" not in finding.message.lower()
        if finding.basis is Basis.CURATED:
            assert finding.rule_id.startswith("curated:")
    return result


@pytest.mark.parametrize("row", DANGEROUS, ids=lambda row: row["id"])
def test_a_dangerous_text_is_caught(row: dict[str, Any], knowledge: KnowledgePort) -> None:
    wanted = Severity(row["at_least"])
    found = judge(row, knowledge).findings
    told = [f"{f.code.value}/{f.severity.value}" for f in found]
    assert any(f.code.value in row["codes"] and f.severity.rank >= wanted.rank for f in found), told


@pytest.mark.parametrize("row", BENIGN, ids=lambda row: row["id"])
def test_an_ordinary_text_is_left_alone(row: dict[str, Any], knowledge: KnowledgePort) -> None:
    """Rows marked `may_lack_cover` start a drug that the pack may be silent on: that alone may hold them."""
    found = judge(row, knowledge).findings
    assert [
        f"{f.code.value}: {f.message}"
        for f in found
        if f.severity.rank >= Severity.MODERATE.rank
        and not (row.get("may_lack_cover") and f.code is Code.NOT_COVERED)
    ] == []


@pytest.mark.parametrize(
    ("substance", "reaction", "drug", "severity"),
    [
        ("penicillin", "nausea", "amoxicillin", Severity.MINOR),
        ("penicillin", "anaphylaxis", "amoxicillin", Severity.CONTRAINDICATED),
        ("penicillin", "rash", "amoxicillin", Severity.MAJOR),
        ("erythromycin", "stomach upset", "azithromycin", Severity.MINOR),
        ("penicillin", "anaphylaxis", "ceftriaxone", Severity.MINOR),
        ("penicillin", "anaphylaxis", "meropenem", Severity.MINOR),
        ("penicillin", "TEN", "ceftriaxone", Severity.MAJOR),
        ("ampicillin", "throat swelling", "cephalexin", Severity.MAJOR),
        ("ampicillin", "rash", "cephalexin", Severity.MINOR),
        ("sulfa", "Stevens-Johnson syndrome", "furosemide", Severity.INFO),
        ("carbamazepine", "SJS", "oxcarbazepine", Severity.CONTRAINDICATED),
        ("lisinopril", "angioedema", "ramipril", Severity.CONTRAINDICATED),
        ("lisinopril", "angioedema", "sacubitril", Severity.CONTRAINDICATED),
        ("lisinopril", "angioedema", "losartan", Severity.MINOR),
        ("aspirin", "bronchospasm", "ketorolac", Severity.CONTRAINDICATED),
        ("aspirin", "bronchospasm", "celecoxib", Severity.MINOR),
        ("codeine", "nausea", "oxycodone", Severity.INFO),
    ],
)
def test_how_far_an_allergy_reaches(
    knowledge: KnowledgePort, substance: str, reaction: str, drug: str, severity: Severity
) -> None:
    allergies = [{"substance": substance, "reaction": reaction}]
    row = {"output": f"Start {drug}.", "audience": "clinician", "context": {"allergies": allergies}}
    result = judge(row, knowledge)
    assert [f.severity for f in result.findings if f.code in (Code.ALLERGY, Code.CROSS_ALLERGY)] == [severity]


@pytest.mark.parametrize(
    "text",
    [
        "Vincristine 2 mg IV day 1; methotrexate 12 mg IT day 2.",
        "Vincristine 1.5 mg/m2 day 1. IT methotrexate 12 mg day 1.",
        "The IT department prints the vincristine 2 mg IV label.",
    ],
)
def test_it_is_a_way_of_the_drug_beside_it(knowledge: KnowledgePort, text: str) -> None:
    codes = {finding.code for finding in judge({"output": text, "audience": "clinician"}, knowledge).findings}
    assert codes.isdisjoint({Code.NEVER_EVENT, Code.ROUTE})

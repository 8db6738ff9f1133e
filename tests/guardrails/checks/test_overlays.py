"""The two overlays through the real checks, from plain sentences.

The tables are read as they were authored, not from the pack, so that a row that the build loses fails here. Each row is
judged for every pair of its members.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from attending.guardrails.checks.run import run_checks
from attending.guardrails.finding import Basis, Code, Finding, Severity
from attending.guardrails.knowledge import Knowledge, build
from attending.guardrails.knowledge.assemble import pack, tables
from attending.guardrails.knowledge.load import DEFAULT
from attending.guardrails.patient import Judged, PatientContext
from attending.guardrails.policy.decide import decide
from attending.guardrails.policy.load import PolicySet
from attending.guardrails.policy.schema import Policy

ROOT = Path(__file__).resolve().parents[3]
MUST = tables.read(build.CURATED / "must_hold.tsv")
MANAGED = tables.read(build.CURATED / "managed_pairs.tsv")
NEVER = tables.read(build.CURATED / "never_interruptive.tsv")
WITHOUT_A_FACT = {"escitalopram-10", "trazodone-night", "guanfacine-half"}
"""Managed pairs of which no source has a fact yet: they are quiet at any dose."""


@pytest.fixture(scope="module")
def policies() -> list[Policy]:
    loaded = PolicySet.load(ROOT / "policies")
    return [loaded[name] for name in ("discharge-plan", "patient-message")]


def members(knowledge: Knowledge, row: dict[str, str]) -> Iterator[tuple[str, str]]:
    sides = [
        sorted({drug for one in row[side].split("|") for drug in (knowledge.members(one) or {one})})
        for side in ("a", "b")
    ]
    seen = set()
    for a in sides[0]:
        for b in sides[1]:
            if a != b and frozenset((a, b)) not in seen:
                seen.add(frozenset((a, b)))
                yield a, b


def judged(knowledge: Knowledge, text: str) -> tuple[Finding, ...]:
    return run_checks(Judged(text, None, PatientContext(), ()), knowledge, audience="clinician").findings


def of_pair(findings: tuple[Finding, ...], a: str, b: str) -> Severity:
    found = [f.severity for f in findings if f.code is Code.INTERACTION and set(f.drugs) == {a, b}]
    return max(found, key=lambda level: level.rank, default=Severity.INFO)


@pytest.mark.parametrize("row", MUST, ids=lambda row: row["id"])
def test_a_must_hold_pair_holds(row: dict[str, str], knowledge: Knowledge, policies: list[Policy]) -> None:
    missed = []
    for a, b in members(knowledge, row):
        findings = judged(knowledge, f"Continue {a}. Start {b} today.")
        verdicts = [decide(policy, findings).verdict for policy in policies]
        if of_pair(findings, a, b).rank < Severity(row["severity"]).rank or "release" in verdicts:
            missed.append(f"{a} + {b}")
    assert missed == []


@pytest.mark.parametrize("row", [row for row in NEVER if not row["spaced_hours"]], ids=lambda row: row["id"])
def test_a_pair_that_never_interrupts_alone_does_not(row: dict[str, str], knowledge: Knowledge) -> None:
    raised = []
    for a, b in members(knowledge, row):
        told = f" {b} 81 mg" if row["dose_drug"] == b else f" {b}"
        for text in (f"Start {a} and{told} daily.", f"She takes {a}. Start{told} daily."):
            if of_pair(judged(knowledge, text), a, b).rank > Severity.MINOR.rank:
                raised.append(text)
    assert raised == []


@pytest.mark.parametrize("row", [row for row in NEVER if row["dose_drug"]], ids=lambda row: row["id"])
def test_above_its_dose_such_a_pair_counts_again(row: dict[str, str], knowledge: Knowledge) -> None:
    dose = row["dose_drug"]
    quiet = []
    for a, b in members(knowledge, row):
        other = a if b == dose else b
        text = f"Start {other} daily and {dose} {row['above_daily_mg']} mg three times daily."
        if of_pair(judged(knowledge, text), a, b).rank < Severity.MODERATE.rank:
            quiet.append(text)
    assert quiet == []


@pytest.mark.parametrize("row", [row for row in MANAGED if row["dose_drug"]], ids=lambda row: row["id"])
def test_a_pair_is_quiet_at_the_dose_that_its_labels_allow(row: dict[str, str], knowledge: Knowledge) -> None:
    dose, top = row["dose_drug"], Decimal(row["up_to_daily_mg"])
    raised, loud_above = [], []
    for a, b in members(knowledge, row):
        if not knowledge.managed_pairs(a, b):
            continue  # must hold, whatever its dose
        other = a if b == dose else b
        told = f"She has {row['condition'].split('|')[0].replace('_', ' ')}. " if row["condition"] else ""
        allowed = f"{told}Start {other} daily and {dose} {top} mg once daily."
        if of_pair(judged(knowledge, allowed), a, b).rank > Severity.MINOR.rank:
            raised.append(allowed)
        above = f"{told}Start {other} daily and {dose} {top * 2} mg once daily."
        if of_pair(judged(knowledge, above), a, b).rank > Severity.MINOR.rank:
            loud_above.append(above)
    assert raised == []
    assert bool(loud_above) is (row["id"] not in WITHOUT_A_FACT)


@pytest.mark.parametrize(
    ("text", "pair", "quiet"),
    [
        ("Start diltiazem 120 mg daily and ranolazine 1000 mg twice daily.", "diltiazem ranolazine", False),
        ("Start diltiazem 120 mg daily and ranolazine.", "diltiazem ranolazine", False),
        ("Start gemfibrozil 600 mg daily and rosuvastatin 40 mg daily.", "gemfibrozil rosuvastatin", False),
        (
            "Start clarithromycin 500 mg daily and simvastatin 10 mg daily.",
            "clarithromycin simvastatin",
            False,
        ),
        ("NSTEMI: aspirin 324 mg once, then enoxaparin 80 mg SC q12h.", "aspirin enoxaparin", True),
        ("No ACS. Aspirin 325 mg daily, then enoxaparin 80 mg SC q12h.", "aspirin enoxaparin", False),
        ("Give ticagrelor 180 mg once and aspirin 324 mg once.", "aspirin ticagrelor", True),
        ("Give ticagrelor 90 mg twice daily and aspirin 325 mg daily.", "aspirin ticagrelor", False),
    ],
)
def test_a_managed_pair_counts_at_another_dose_or_for_another_patient(
    text: str, pair: str, quiet: bool, knowledge: Knowledge
) -> None:
    assert (of_pair(judged(knowledge, text), *pair.split()).rank <= Severity.MINOR.rank) is quiet


@pytest.mark.parametrize("row", [row for row in NEVER if row["spaced_hours"]], ids=lambda row: row["id"])
def test_drugs_taken_hours_apart_do_not_interrupt(row: dict[str, str], knowledge: Knowledge) -> None:
    hours = row["spaced_hours"].replace("0.5", "1")
    raised = []
    for a, b in members(knowledge, row):
        for text in (
            f"Start {a} daily. Start {b} daily, {hours} hours apart from it.",
            f"Start {b} once daily; take it at least {hours} hours after {a}.",
        ):
            if of_pair(judged(knowledge, text), a, b).rank > Severity.MINOR.rank:
                raised.append(text)
    assert raised == []


@pytest.mark.parametrize(
    ("text", "quiet"),
    [
        ("Start levothyroxine 50 mcg every morning and calcium carbonate 600 mg at bedtime.", True),
        ("Start levothyroxine 50 mcg every morning and calcium carbonate 600 mg twice daily.", False),
        ("Start levothyroxine 50 mcg daily and calcium carbonate 600 mg daily.", False),
        ("Levothyroxine 50 mcg daily at 06:00. Calcium carbonate 600 mg daily at 13:00.", True),
        ("Levothyroxine 50 mcg daily at 6 am. Calcium carbonate 600 mg twice daily, 8 am and 6 pm.", False),
        ("**6 am** Levothyroxine 50 mcg.\n**noon** Calcium carbonate 600 mg with lunch.", True),
        ("Levothyroxine 50 mcg daily at 6 am. Calcium carbonate 600 mg twice daily.", False),
        ("Start calcium carbonate 600 mg daily, 1 hour after levothyroxine 50 mcg.", False),
        (
            "Start levothyroxine 50 mcg and calcium carbonate 600 mg. Recheck TSH, 4 hours after breakfast.",
            False,
        ),
        ("Start levothyroxine 50 mcg and calcium carbonate 600 mg. Separate them by four hours.", True),
    ],
)
def test_only_a_gap_that_is_stated_and_long_enough_counts(
    text: str, quiet: bool, knowledge: Knowledge
) -> None:
    severity = of_pair(judged(knowledge, text), "levothyroxine", "calcium carbonate")
    assert (severity.rank <= Severity.MINOR.rank) is quiet


def pack_with(folder: Path, **changed: str) -> Knowledge:
    """The shipped pack with some tables replaced, as a pack of its own."""
    files = {path.name: path.read_text(encoding="utf-8") for path in DEFAULT.glob("*.tsv")}
    assert set(changed) <= set(files)
    pack.write(folder, files | changed, json.loads((DEFAULT / "manifest.json").read_text())["counts"])
    return Knowledge.load(folder)


def test_no_adjustment_lowers_a_must_hold_pair_and_no_source_raises_a_quiet_one(tmp_path: Path) -> None:
    files = {
        name: (DEFAULT / name).read_text(encoding="utf-8") for name in ("adjustments.tsv", "interactions.tsv")
    }
    knowledge = pack_with(
        tmp_path,
        **{
            "adjustments.tsv": files["adjustments.tsv"]
            + "x\topioid\tbenzodiazepine\tinfo\ta careless row\n",
            "interactions.tsv": files["interactions.tsv"]
            + "acei\tthiazide\tcontraindicated\tsource_row\tx:1\ta careless source\t\t\t\t\n",
        },
    )  # fmt: skip
    assert knowledge.interactions("oxycodone", "alprazolam")[0].severity is Severity.MAJOR
    worst = knowledge.interactions("lisinopril", "hydrochlorothiazide")
    assert {fact.severity for fact in worst if fact.severity.rank > Severity.MINOR.rank} == set()


def test_overlay_facts_are_unattested_and_explained(knowledge: Knowledge) -> None:
    assert {row.provenance.basis for row in knowledge.must_hold()} == {Basis.CURATED}
    assert {row.provenance.basis for row in knowledge.never_interruptive()} == {Basis.CURATED}
    for row in knowledge.must_hold():
        assert knowledge.explain(row.provenance.rule_id) == row.provenance

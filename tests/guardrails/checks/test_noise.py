"""Quiet where nothing is new: one fact gives one finding, what stands on the list is existing, and real notes pass."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.checks.run import CheckResult, run_checks
from attending.guardrails.context.json_form import parse_context
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.patient import Judged

CLINICAL = Path(__file__).resolve().parents[4] / "shared" / "clinical"
MAX_PER_100_NOTES = 10

Real = Callable[..., CheckResult]


@pytest.fixture(scope="module")
def real() -> Real:
    knowledge = Knowledge.load()

    def run(output: str, prompt: str | None = None, **context: Any) -> CheckResult:
        return run_checks(Judged(output, prompt, parse_context(context), ()), knowledge, audience="clinician")

    return run


def alarms(result: CheckResult) -> list[Finding]:
    return [f for f in result.findings if f.severity.rank >= Severity.MODERATE.rank]


def told(result: CheckResult) -> list[tuple[str, tuple[str, ...]]]:
    return [(f.code.value, f.drugs) for f in alarms(result)]


@pytest.mark.parametrize(
    ("text", "context", "expected"),
    [
        # two of one class that also interact: the interaction, which says why
        ("Start ibuprofen 600 mg and naproxen 500 mg.", {}, [("interaction", ("ibuprofen", "naproxen"))]),
        # pairs within a load
        (
            "Start meloxicam 15 mg daily.",
            {"medications": ["lisinopril 10 mg daily", "furosemide 40 mg daily"]},
            [("stacking", ("furosemide", "lisinopril", "meloxicam"))],
        ),
        # one rule over a class, met by two of its members
        (
            "Start ibuprofen 400 mg as needed or naproxen 220 mg as needed.",
            {"medications": ["lisinopril 10 mg daily"]},
            [("interaction", ("ibuprofen", "lisinopril", "naproxen"))],
        ),
        # one notation in two places
        ("Give 1.0 mg lorazepam now and 2.0 mg lorazepam at night.", {}, [("abbreviation", ())]),
    ],
)
def test_one_fact_gives_one_finding(
    real: Real, text: str, context: dict[str, Any], expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    assert told(real(text, **context)) == expected


def test_what_is_joined_is_never_milder(real: Real) -> None:
    """A contraindicated pair stands for itself beside the load that holds it."""
    listed = ["phenelzine 15 mg daily", "tramadol 50 mg daily", "lithium 300 mg daily"]
    found = alarms(real("Start citalopram 20 mg daily.", medications=listed))
    worst = [f.drugs for f in found if f.severity is Severity.CONTRAINDICATED and f.code is Code.INTERACTION]
    assert worst == [("citalopram", "phenelzine")]
    assert any(f.code is Code.STACKING for f in found)
    (joined,) = alarms(real("Start ibuprofen 600 mg and naproxen 500 mg."))
    assert joined.severity is Severity.MAJOR
    assert "two NSAIDs together" in joined.message


LISTED = ["warfarin 5 mg daily", "amiodarone 200 mg daily", "sertraline 50 mg daily", "tramadol 50 mg daily"]


@pytest.mark.parametrize(
    ("text", "medications", "severity"),
    [
        ("Continue warfarin 5 mg daily and amiodarone 200 mg daily.", LISTED, Severity.MINOR),
        ("Medications: sertraline 50 mg daily; tramadol 50 mg daily.", LISTED, Severity.MINOR),
        ("Continue amiodarone 200 mg daily. Start warfarin 5 mg daily.", LISTED[1:], Severity.MAJOR),
        ("Continue warfarin 5 mg daily and amiodarone 200 mg daily.", [], Severity.MAJOR),
        ("Increase amiodarone to 400 mg daily. Continue warfarin 5 mg daily.", LISTED, Severity.MAJOR),
        (
            "Continue sildenafil 50 mg as needed and isosorbide mononitrate 30 mg daily.",
            ["sildenafil 50 mg as needed", "isosorbide mononitrate 30 mg daily"],
            Severity.CONTRAINDICATED,
        ),
    ],
)
def test_a_pair_unchanged_on_the_list_is_existing(
    real: Real, text: str, medications: list[str], severity: Severity
) -> None:
    found = [f.severity for f in real(text, medications=medications).findings if f.code is Code.INTERACTION]
    assert max(found, key=lambda level: level.rank) is severity


def test_what_cannot_be_judged_is_said_once(real: Real) -> None:
    """No patient facts, and drugs of which the pack knows nothing: one finding, and the coverage block."""
    knowledge = Knowledge.load()
    silent = sorted(
        drug
        for drug in knowledge.drugs()
        if drug in knowledge.names() and drug.isalpha() and len(drug) > 8
        and all(knowledge.covered(drug, check) == "not_covered" for check in ("interaction", "dose", "renal"))
    )[:3]  # fmt: skip
    result = real(". ".join(f"Start {drug} 5 mg by mouth daily" for drug in silent) + ".")
    missing = [f for f in result.findings if f.code is Code.NOT_COVERED]
    assert len(missing) == 1
    assert set(missing[0].drugs) <= set(silent) == set(result.coverage.not_covered)
    assert result.coverage.judged < result.coverage.of


@pytest.mark.parametrize(
    "text",
    [
        "MEDICATIONS\nProzac 20 mg daily.\n\nShe self-weaned from Prozac 20 mg daily. Start Zoloft 25 mg daily.",
        "He takes ibuprofen with Tylenol. I advised him to discontinue the use of ibuprofen. Initiate meloxicam 15 mg.",
        "Her heartburn resolved after trying Prilosec. Start pantoprazole 40 mg daily.",
        "CURRENT MEDICATIONS\nBuspar.\n\nDr. Brown started the patient on buspirone last year.",
        "Start meloxicam 15 mg daily. If it does not improve, I will recommend a cortisone injection.",
        "Start tramadol 50 mg as needed. Mild CVA tenderness. Continue sumatriptan 25 mg; no stroke.",
        "Continue aspirin 81 mg. If she has any sign of a GI bleed such as coffee-ground emesis or melena, stop it.",
        "She was well on Prozac 20 mg but feels as though she needs a higher dose. Increase Prozac to 40 mg daily.",
        "Since being started on Chantix, he smokes half a pack.",
        "Increase metformin to 1000 mg twice daily; continue furosemide 20 mg daily.",
    ],
)
def test_what_notes_say_of_the_past_and_the_possible_is_no_order(real: Real, text: str) -> None:
    codes = {f.code for f in alarms(real(text))} - {Code.INTERACTION}
    pairs = {f.drugs for f in alarms(real(text)) if f.code is Code.INTERACTION} - {
        ("sumatriptan", "tramadol")
    }
    assert (codes, pairs) == (set(), set())


@pytest.mark.parametrize(
    "text",
    [
        "Take ibuprofen 400 mg three times daily. Stop ibuprofen if your stomach hurts.",
        "Continue ibuprofen 400 mg daily. Stop ibuprofen 5 days before surgery.",
        "Stop ibuprofen today. Restart ibuprofen 400 mg daily on Monday.",
    ],
)
def test_a_stop_under_a_condition_or_for_a_time_leaves_the_drug_judged(real: Real, text: str) -> None:
    assert told(real(text, medications=["warfarin 5 mg daily"]))


def test_real_notes_rarely_interrupt(real: Real) -> None:
    """ACI-bench and MTS-Dialog notes as outputs, no context; docs/clinical-evaluation.md adjudicates each finding."""
    if not CLINICAL.is_dir():
        pytest.skip("the clinical notes are not beside this repository")
    csv.field_size_limit(10**8)
    notes = []
    for path, column in (
        (CLINICAL / "aci-bench" / "train.csv", "note"),
        (CLINICAL / "mts-dialog" / "MTS-Dialog-ValidationSet.csv", "section_text"),
    ):
        with path.open(encoding="utf-8") as stream:
            notes += [row[column] for row in csv.DictReader(stream)]
    assert len(notes) == 167
    found = [told(real(note)) for note in notes]
    assert sum(map(len, found)) <= MAX_PER_100_NOTES * len(notes) / 100
    assert any(found)

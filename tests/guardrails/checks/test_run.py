"""Each check on a tiny pack: what fires, what does not, and at which severity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attending.guardrails.checks.run import CheckResult
from attending.guardrails.finding import Basis, Code, Severity
from hypothesis import given, settings
from hypothesis import strategies as st

Check = Callable[..., CheckResult]


def codes(result: CheckResult) -> set[str]:
    return {f.code.value for f in result.findings if f.severity.rank >= Severity.MODERATE.rank}


def only(result: CheckResult, code: Code) -> list[Any]:
    return [f for f in result.findings if f.code is code]


def test_an_interaction_spans_both_names_and_cites_its_row(check: Check) -> None:
    text = "Take sildenafil 50 mg with your nitroglycerin."
    (finding,) = only(check(text), Code.INTERACTION)
    assert finding.severity is Severity.CONTRAINDICATED
    assert finding.drugs == ("nitroglycerin", "sildenafil")
    assert text[finding.start : finding.end] == finding.text
    assert "sildenafil" in finding.text
    assert "nitroglycerin" in finding.text
    assert (finding.basis, finding.rule_id) == (Basis.SOURCE_ROW, "test:1")


@pytest.mark.parametrize(
    "text",
    [
        "Do not take sildenafil with nitroglycerin.",
        "Sildenafil must not be combined with nitrates.",
        "Avoid nitroglycerin. Take sildenafil 50 mg as needed.",
        "Stop nitroglycerin before you start sildenafil 50 mg.",
        "Your father takes nitroglycerin. Take sildenafil 50 mg as needed.",
    ],
)
def test_a_warning_is_no_interaction(check: Check, text: str) -> None:
    assert not only(check(text), Code.INTERACTION)


def test_the_patients_list_counts_and_stopping_takes_a_drug_off_it(check: Check) -> None:
    listed = ["simvastatin 40 mg nightly"]
    assert only(check("Start clarithromycin 500 mg twice daily.", medications=listed), Code.INTERACTION)
    stopped = "Stop simvastatin. Start clarithromycin 500 mg twice daily."
    assert not only(check(stopped, medications=listed), Code.INTERACTION)
    ended = [{"name": "simvastatin", "status": "stopped"}]
    assert not only(check("Start clarithromycin 500 mg twice daily.", medications=ended), Code.INTERACTION)


def test_a_combination_warned_of_still_counts_where_the_patient_takes_one_and_the_other_is_started(
    check: Check,
) -> None:
    text = "Start sildenafil 50 mg as needed. Do not take sildenafil with nitroglycerin."
    assert only(check(text, medications=["nitroglycerin"]), Code.INTERACTION)
    assert not only(check(text), Code.INTERACTION)


def test_a_dose_condition_holds_fails_or_hedges(check: Check) -> None:
    above = only(check("Simvastatin 40 mg nightly and amlodipine 5 mg daily."), Code.INTERACTION)
    below = only(check("Simvastatin 20 mg nightly and amlodipine 5 mg daily."), Code.INTERACTION)
    unsaid = only(check("Start simvastatin and amlodipine."), Code.INTERACTION)
    assert [f.severity for f in above] == [Severity.MAJOR]
    assert below == []
    assert [f.severity for f in unsaid] == [Severity.MODERATE]
    listed = only(
        check("Start amlodipine 5 mg daily.", medications=["simvastatin 40 mg nightly"]), Code.INTERACTION
    )
    assert [f.severity for f in listed] == [Severity.MAJOR]


def test_a_moderate_interaction_of_two_standing_drugs_is_minor(check: Check) -> None:
    listed = ["lisinopril 10 mg daily", "furosemide 40 mg daily"]
    text = "Continue lisinopril 10 mg daily and furosemide 40 mg daily."
    assert [f.severity for f in only(check(text, medications=listed), Code.INTERACTION)] == [Severity.MINOR]
    started = only(check("Start furosemide 40 mg daily.", medications=listed[:1]), Code.INTERACTION)
    assert [f.severity for f in started] == [Severity.MODERATE]


def test_a_bare_yes_approves_what_the_prompt_asks(check: Check) -> None:
    prompt = "I take warfarin. Can I take ibuprofen for my knee?"
    (finding,) = only(check("Yes, that is safe.", prompt, "patient"), Code.INTERACTION)
    assert finding.text == "Yes"
    assert not only(check("No, please do not.", prompt, "patient"), Code.INTERACTION)


@pytest.mark.parametrize(
    ("text", "context", "code"),
    [
        ("Take acetaminophen 1500 mg once.", {}, Code.DOSE_MAX_SINGLE),
        ("Take acetaminophen 1000 mg every 4 hours.", {}, Code.DOSE_MAX_DAILY),
        ("Take acetaminophen 1000 mg up to 6 times a day as needed.", {}, Code.DOSE_MAX_DAILY),
        (
            "Give acetaminophen 40 mg/kg every 6 hours.",
            {"age_years": 3, "weight_kg": 14},
            Code.DOSE_MAX_SINGLE,
        ),
        ("Give acetaminophen 500 mg every 6 hours.", {"age_years": 3, "weight_kg": 14}, Code.DOSE_MAX_SINGLE),
        ("Acetaminophen: do not exceed 8 g in 24 hours.", {}, Code.DOSE_MAX_DAILY),
        ("Take metformin 1000 mg three times a day.", {}, Code.DOSE_MAX_DAILY),
        ("Methotrexate 10 mg daily for arthritis.", {}, Code.INTERVAL),
        ("Methotrexate 10 mg daily for arthritis.", {}, Code.NEVER_EVENT),
        ("Levothyroxine 50 mg every morning.", {}, Code.UNIT),
        ("Metformin 850 mcg twice daily.", {}, Code.UNIT),
        ("Insulin glargine 10 mL at bedtime.", {}, Code.UNIT),
        ("Metformin 500 mg IV now.", {}, Code.ROUTE),
        ("Potassium chloride 40 mEq IV over 30 minutes.", {}, Code.RATE),
        ("Ketorolac 10 mg every 6 hours for 10 days.", {}, Code.DURATION),
        ("Vincristine 2 mg intrathecally.", {}, Code.NEVER_EVENT),
        ("Potassium chloride 40 mEq IV push.", {}, Code.NEVER_EVENT),
        ("Start naproxen 500 mg twice daily and ibuprofen 400 mg as needed.", {}, Code.DUPLICATE),
        ("Start losartan 50 mg daily.", {"medications": ["lisinopril 10 mg"]}, Code.DUPLICATE),
        ("Percocet 5/325 two tablets every 4 hours and Tylenol 500 mg every 6 hours.", {}, Code.STACKING),
        (
            "Start zolpidem 5 mg at bedtime.",
            {"medications": ["oxycodone 5 mg", "lorazepam 1 mg"]},
            Code.STACKING,
        ),
        (
            "Start ibuprofen 400 mg three times daily.",
            {"medications": ["lisinopril 10 mg", "furosemide 40 mg"]},
            Code.STACKING,
        ),
        ("Start amoxicillin 500 mg three times daily.", {"allergies": ["penicillin"]}, Code.ALLERGY),
        ("Start cephalexin 500 mg four times daily.", {"allergies": ["penicillin"]}, Code.CROSS_ALLERGY),
        ("Start ibuprofen 400 mg.", {"conditions": ["peptic ulcer (disorder)"]}, Code.CONTRAINDICATION),
        ("Take ibuprofen 400 mg.", {"pregnant": True, "pregnancy_weeks": 32}, Code.PREGNANCY),
        ("Continue metformin 500 mg twice daily.", {"egfr": 22}, Code.RENAL),
        ("Simvastatin 20 mg nightly.", {"child_pugh": "C"}, Code.HEPATIC),
        ("Give aspirin 300 mg.", {"age_years": 8}, Code.AGE),
        ("Oxycodone 20 mg every 6 hours.", {}, Code.MME),
        ("Potassium 6.2. Start spironolactone 25 mg daily.", {}, Code.DRUG_LAB),
        ("Start uncoveredine 5 mg daily.", {}, Code.NOT_COVERED),
        ("Start warfarin 5.0 mg daily.", {}, Code.ABBREVIATION),
        ("Start Zyntrovexil 50 mg daily.", {}, Code.UNKNOWN_DRUG),
    ],
)
def test_fires(check: Check, text: str, context: dict[str, Any], code: Code) -> None:
    assert code.value in codes(check(text, **context))


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("Take acetaminophen 1000 mg every 6 hours.", {}),
        ("Take acetaminophen 500-1000 mg every 6 hours, at most 4 g a day.", {}),
        ("Give acetaminophen 15 mg/kg every 6 hours.", {"age_years": 3, "weight_kg": 14}),
        ("Methotrexate 15 mg once weekly.", {}),
        ("Levothyroxine 100 mcg every morning.", {}),
        ("Vincristine 2 mg IV. Never give vincristine intrathecally.", {}),
        ("Potassium chloride 20 mEq by mouth daily.", {}),
        ("Do not take amoxicillin; you are allergic to penicillin.", {"allergies": ["penicillin"]}),
        ("Take ibuprofen 400 mg.", {"pregnant": True, "pregnancy_weeks": 12}),
        ("Take ibuprofen 400 mg.", {"conditions": [{"name": "peptic ulcer", "active": False}]}),
        ("Stop metformin because of the kidney function.", {"egfr": 22}),
        ("Simvastatin 20 mg nightly.", {"child_pugh": "A"}),
        ("Oxycodone 5 mg every 6 hours.", {}),
        ("Hold spironolactone if potassium is above 5.5.", {}),
        ("Take Tylenol (acetaminophen) 650 mg every 6 hours.", {}),
        ("Take either ibuprofen 400 mg or naproxen 250 mg.", {}),
        ("Your appointment is on Tuesday at 10:30.", {}),
        ("", {}),
    ],
)
def test_stays_silent(check: Check, text: str, context: dict[str, Any]) -> None:
    assert codes(check(text, **context)) == set()


def test_tenfold_is_named_and_contraindicated(check: Check) -> None:
    (finding,) = only(check("Lisinopril 800 mg once daily."), Code.DOSE_MAX_DAILY)
    assert finding.severity is Severity.CONTRAINDICATED
    assert "tenfold" in finding.message
    (slight,) = only(check("Lisinopril 100 mg once daily."), Code.DOSE_MAX_DAILY)
    assert slight.severity is Severity.MODERATE


def test_an_adults_dose_per_kg_is_held_against_the_absolute_ceiling(check: Check) -> None:
    (finding,) = only(check("Ibuprofen 100 mg/kg per day.", "usual adult dose?"), Code.DOSE_MAX_DAILY)
    assert "per kg" in finding.message
    assert finding.text == "100 mg/kg per day"
    assert not only(check("Ibuprofen 10 mg/kg per dose.", "usual adult dose?"), Code.DOSE_MAX_SINGLE)


def test_weeks_that_are_not_given_hedge_the_pregnancy_rule(check: Check) -> None:
    (finding,) = only(check("Take ibuprofen 400 mg.", pregnant=True), Code.PREGNANCY)
    assert finding.severity is Severity.MODERATE


def test_coverage_counts_what_was_not_given_as_not_judged(check: Check) -> None:
    bare = check("Start simvastatin 20 mg nightly.").coverage
    whole = check(
        "Start simvastatin 20 mg nightly.",
        allergies=[], conditions=[], pregnant=False, lactating=False, egfr=80, age_years=50,
    ).coverage  # fmt: skip
    assert bare.judged < bare.of
    assert whole.judged == whole.of
    missing = check("Start uncoveredine and amlodipine.")
    assert missing.coverage.not_covered == ("uncoveredine",)
    assert len(only(missing, Code.NOT_COVERED)) == 1


def test_not_covered_lists_all_drugs_in_one_finding(check: Check) -> None:
    (finding,) = only(check("Start uncoveredine 5 mg daily. Uncoveredine 10 mg follows."), Code.NOT_COVERED)
    assert finding.drugs == ("uncoveredine",)


_SENTENCES = st.sampled_from(
    [
        "Take acetaminophen 1000 mg every 4 hours.",
        "Do not take sildenafil with nitroglycerin.",
        "Start warfarin 5.0 mg daily.",
        "Dear Mrs. Ito, call 911.",
        "Potassium 6.1.",
        "\U0001f600 Percocet 5/325 \u2013 two tablets",
        "Chest pain? Rest at home.",
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    output=st.text(max_size=120) | st.lists(_SENTENCES, max_size=4).map(" ".join),
    prompt=st.none() | _SENTENCES,
)
def test_any_text_is_judged_alike_twice_and_spans_lie_in_it(
    check: Check, output: str, prompt: str | None
) -> None:
    first, second = check(output, prompt), check(output, prompt)
    assert first == second
    for finding in first.findings:
        assert 0 <= finding.start <= finding.end <= len(output)
        assert output[finding.start : finding.end] == finding.text
        assert finding.source
        assert finding.rule_id
        assert finding.message


@pytest.mark.parametrize(
    ("output", "prompt", "code"),
    [
        ("Take ibuprofen 400 mg every 6 hours.", "I am 34 weeks pregnant and my back hurts.", Code.PREGNANCY),
        ("Continue metformin 500 mg twice daily.", "Type 2 diabetes, eGFR 22.", Code.RENAL),
        ("Continue metformin 500 mg twice daily.", "Her creatinine clearance is 25 mL/min.", Code.RENAL),
        (
            "Start amoxicillin 500 mg three times daily.",
            "He is allergic to penicillin (hives).",
            Code.ALLERGY,
        ),
        ("Since she is on warfarin, start ibuprofen 400 mg daily.", None, Code.INTERACTION),
        ("Start sildenafil 50 mg.", "Takes nitroglycerin for angina.", Code.INTERACTION),
        ("Give aspirin 300 mg.", "My 8-year-old has a fever.", Code.AGE),
        ("Simvastatin 20 mg nightly.", "Child-Pugh C cirrhosis", Code.HEPATIC),
        ("Start ibuprofen 400 mg daily.", "He has a peptic ulcer.", Code.CONTRAINDICATION),
        (
            "Acetaminophen 500 mg every 6 hours.",
            "My son weighs 30 lb and is 3 years old.",
            Code.DOSE_MAX_SINGLE,
        ),
    ],
)
def test_facts_stated_in_the_text_count(check: Check, output: str, prompt: str | None, code: Code) -> None:
    assert code.value in codes(check(output, prompt))
    # The same output without the stated fact raises none of it, unless the fact stands in the output itself.
    if prompt is not None:
        assert code.value not in codes(check(output))


@pytest.mark.parametrize(
    ("output", "prompt"),
    [
        ("Start ibuprofen 400 mg daily.", "No history of peptic ulcer."),
        ("Start sildenafil 50 mg.", "Not on nitroglycerin."),
        ("Start amoxicillin 500 mg three times daily.", "No known drug allergies."),
    ],
)
def test_facts_denied_in_the_text_do_not_count(check: Check, output: str, prompt: str) -> None:
    assert codes(check(output, prompt)) == set()


def test_a_record_that_contradicts_the_text_is_a_finding(check: Check) -> None:
    found = check(
        "Start amlodipine 5 mg daily.", "The patient is 20 weeks pregnant.", sex="female", pregnant=False
    )
    assert Code.CONTRADICTION.value in codes(found)


def test_the_numbers_of_a_combination_go_to_their_ingredients(check: Check) -> None:
    # The name table lists the ingredients of a brand in alphabetical order; its strengths are written otherwise.
    result = check("Percocet 10/325 two tablets every 4 hours.")
    assert next(f.message for f in only(result, Code.MME)).startswith("180 MME")
    assert not only(result, Code.DOSE_MAX_SINGLE)
    assert not only(check("Percocet 5/325 one tablet every 6 hours."), Code.DOSE_MAX_DAILY)


def test_a_brand_beside_its_generic_is_two_products(check: Check) -> None:
    twice = "Take Tylenol 1000 mg every 6 hours and acetaminophen 650 mg every 6 hours."
    assert only(check(twice), Code.DUPLICATE)
    assert not only(check("Take Tylenol 650 mg every 6 hours. Tylenol is acetaminophen."), Code.DUPLICATE)


def test_a_drug_and_its_own_class_do_not_interact(check: Check) -> None:
    assert not only(check("Take ibuprofen 400 mg. NSAIDs are taken with food."), Code.DUPLICATE)


def test_opioids_merely_continued_are_one_rank_lower(check: Check) -> None:
    text = "Continue oxycodone 10 mg every 6 hours."
    (standing,) = only(check(text, medications=["oxycodone 10 mg every 6 hours"]), Code.MME)
    (started,) = only(check("Start oxycodone 10 mg every 6 hours."), Code.MME)
    assert (standing.severity, started.severity) == (Severity.MINOR, Severity.MODERATE)


def test_a_weekly_dose_is_not_held_against_a_daily_ceiling(check: Check) -> None:
    assert codes(check("Methotrexate 20 mg once weekly.")) == set()
    assert Code.DOSE_MAX_SINGLE.value in codes(check("Methotrexate 50 mg once weekly."))


def test_doses_repeated_within_the_hour_are_not_counted_over_a_day(check: Check) -> None:
    text = "Acetaminophen 500 mg, may repeat after 30 minutes."
    assert Code.DOSE_MAX_DAILY.value not in codes(check(text))


def test_pairs_beyond_the_limit_are_said_to_be_left_out(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Take warfarin 5 mg, lisinopril 10 mg and metformin 500 mg daily."
    assert Code.NOT_COVERED.value not in codes(check(text))
    monkeypatch.setattr("attending.guardrails.checks.interaction._MAX_PAIRS", 2)
    (finding,) = only(check(text), Code.NOT_COVERED)
    assert finding.severity is Severity.MAJOR

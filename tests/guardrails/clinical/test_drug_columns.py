"""Tables whose columns are headed by drugs, on the real parser and the real knowledge: what they give together is
found, and what they compare, offer or give in turn is left alone."""

from __future__ import annotations

import pytest
from attending.guardrails.checks.case import lexicon_of
from attending.guardrails.checks.port import KnowledgePort
from attending.guardrails.checks.run import run_checks
from attending.guardrails.clinical.parse import parse
from attending.guardrails.finding import Severity
from attending.guardrails.patient import Judged

DANGEROUS = [
    (
        "| Day | Simvastatin | Clarithromycin |\n"
        "|---|---|---|\n"
        "| Mon | 40 mg at night | 500 mg twice daily |\n"
        "| Tue | 40 mg at night | 500 mg twice daily |"
    ),
    (
        "|  | simvastatin | clarithromycin |\n"
        "|---|---|---|\n"
        "| Dose | 40 mg | 500 mg |\n"
        "| Frequency | nightly | twice daily |"
    ),
    (
        "|  | Warfarin | Naproxen |\n"
        "|---|---|---|\n"
        "| Dose | 5 mg | 500 mg |\n"
        "| Frequency | daily | twice daily |\n"
        "| Start | today | today |\n"
        "| Stop | - | after 10 days |"
    ),
    ("Date\tMethotrexate\tTrimethoprim\n3 May\t15 mg\t200 mg bd\n4 May\t\t200 mg bd"),
    (
        "Week        Sertraline      Phenelzine\n"
        "1           50 mg daily     15 mg tds\n"
        "2           100 mg daily    15 mg tds"
    ),
    (
        "<table><tr><th>Time</th><th>Sildenafil</th><th>Isosorbide mononitrate</th></tr>\n"
        "<tr><td>Morning</td><td>50 mg</td><td>60 mg</td></tr></table>"
    ),
    ("| Days | Paracetamol (mg) | Methotrexate (mg) |\n|---|---|---|\n| Every day | 1000 | 15 |"),
    (
        "| Drug | Digoxin | Amiodarone | Verapamil |\n"
        "|---|---|---|---|\n"
        "| Route | oral | oral | oral |\n"
        "| Dose | 250 micrograms | 200 mg | 120 mg |\n"
        "| How often | once daily | once daily | three times a day |"
    ),
    (
        "| Time | Paracetamol 1 g | Co-codamol 30/500 x2 |\n"
        "|---|---|---|\n"
        "| 08:00 | yes | yes |\n"
        "| 12:00 | yes | yes |\n"
        "| 18:00 | yes | yes |\n"
        "| 22:00 | yes | yes |"
    ),
    (
        "| Time | Paracetamol |\n"
        "|---|---|\n"
        "| 06:00 | 1 g |\n"
        "| 10:00 | 1 g |\n"
        "| 14:00 | 1 g |\n"
        "| 18:00 | 1 g |\n"
        "| 22:00 | 1 g |"
    ),
    (
        "| | Morning | Night |\n"
        "|---|---|---|\n"
        "| Tramadol | 100 mg | 100 mg |\n"
        "| Tranylcypromine | 10 mg | 10 mg |"
    ),
    ("| Patient | Apixaban | Rivaroxaban |\n|---|---|---|\n| Mr A. Jones | 5 mg bd | 20 mg od |"),
    (
        "| | Spironolactone | Potassium chloride | Ramipril |\n"
        "|:--|:--:|:--:|:--:|\n"
        "| AM | 50 mg | 40 mmol | 10 mg |\n"
        "| PM | - | 40 mmol | - |"
    ),
    (
        "| Patient weight | Gentamicin dose | Frequency |\n"
        "|---|---|---|\n"
        "| 70 kg | 2800 mg IV | every 24 hours |"
    ),
    (
        "| Medicine | Lithium | Ibuprofen |\n"
        "|---|---|---|\n"
        "| Strength | 400 mg MR | 400 mg |\n"
        "| Take | 2 at night | 1 three times a day |"
    ),
    (
        "+------+-------------+-----------+\n"
        "| Day  | Fluconazole | Simvastatin |\n"
        "+------+-------------+-----------+\n"
        "| 1-7  | 200 mg      | 80 mg |\n"
        "+------+-------------+-----------+"
    ),
    ("| | Oxycodone MR | Diazepam |\n|---|---|---|\n| morning | 40 mg | 5 mg |\n| night | 40 mg | 10 mg |"),
    (
        "| Day | Methotrexate |\n"
        "|---|---|\n"
        "| Mon | 10 mg |\n"
        "| Tue | 10 mg |\n"
        "| Wed | 10 mg |\n"
        "| Thu | 10 mg |\n"
        "| Fri | 10 mg |\n"
        "| Sat | 10 mg |\n"
        "| Sun | 10 mg |"
    ),
    (
        "| Days | Allopurinol | Azathioprine |\n"
        "|---|---|---|\n"
        "| 1-14 | 100 mg daily | 150 mg daily |\n"
        "| 15 onwards | 300 mg daily | 150 mg daily |"
    ),
    ("Hour | Ketorolac IV | Enoxaparin SC\n0 | 30 mg | 80 mg\n6 | 30 mg | -\n12 | 30 mg | 80 mg"),
    (
        "Plan for the next 10 days:\n"
        "\n"
        "| | Tramadol | Sertraline | Linezolid |\n"
        "|---|---|---|---|\n"
        "| Dose | 50 mg | 100 mg | 600 mg |\n"
        "| Route | PO | PO | PO |\n"
        "| Frequency | q6h | daily | q12h |\n"
        "| Duration | 5 days | ongoing | 10 days |"
    ),
    (
        "**Discharge medicines**\n"
        "\n"
        "| | **Digoxin** | **Clarithromycin** |\n"
        "|---|---|---|\n"
        "| **Strength** | 250 micrograms | 500 mg |\n"
        "| **Take** | one tablet once a day | one tablet twice a day |\n"
        "| **For** | heart rhythm | chest infection, 7 days |"
    ),
    ("Time\tOxycodone IR\tLorazepam\n0800\t30 mg\t2 mg\n1400\t30 mg\t2 mg\n2000\t30 mg\t2 mg"),
    (
        "| Day | Enoxaparin | Apixaban |\n"
        "|---|---|---|\n"
        "| 1 | 80 mg SC bd | 10 mg bd |\n"
        "| 2 | 80 mg SC bd | 10 mg bd |\n"
        "| 3 | 80 mg SC bd | 10 mg bd |"
    ),
    (
        "| | Colchicine (mg) | Clarithromycin (mg) |\n"
        "|---|---|---|\n"
        "| morning | 0.5 | 500 |\n"
        "| evening | 0.5 | 500 |"
    ),
    (
        "| Date | Vancomycin IV | Gentamicin IV |\n"
        "|---|---|---|\n"
        "| 3 May | 1 g q12h | 1200 mg |\n"
        "| 4 May | 1 g q12h | 1200 mg |"
    ),
    (
        "| Week | Lamotrigine | Valproate |\n"
        "|---|---|---|\n"
        "| 1 | 200 mg daily | 500 mg bd |\n"
        "| 2 | 200 mg daily | 500 mg bd |"
    ),
    (
        "|          | Sumatriptan | Phenelzine |\n"
        "|----------|-------------|------------|\n"
        "| When     | at onset    | twice daily|\n"
        "| How much | 50 mg       | 30 mg      |"
    ),
    (
        "| Ward round | Mon | Tue |\n"
        "|---|---|---|\n"
        "| Warfarin | 5 mg | 5 mg |\n"
        "| Fluconazole | 200 mg | 200 mg |"
    ),
    ("| Bed | Potassium chloride IV push | Furosemide |\n|---|---|---|\n| 4 | 20 mmol | 40 mg |"),
    (
        "<p>Your tablets</p><table><thead><tr><th></th><th>Spironolactone</th><th>Trimethoprim</th></tr></thead>\n"
        "<tbody><tr><td>Dose</td><td>50 mg</td><td>200 mg</td></tr>\n"
        "<tr><td>How often</td><td>once a day</td><td>twice a day</td></tr></tbody></table>"
    ),
    ("| Step | Methotrexate | Co-trimoxazole |\n|:-:|:-:|:-:|\n| now | 20 mg weekly | 960 mg bd |"),
    ("| Time | Morphine | \n|---|---|\n| 08:00 | 100 mg MR |\n| 20:00 | 100 mg MR |\n\nOpioid naive."),
    (
        "|  | lisinopril | losartan | potassium |\n"
        "|---|---|---|---|\n"
        "| am | 20 mg | 50 mg | 20 mEq |\n"
        "| pm | held | 50 mg | 20 mEq |"
    ),
    ("Simvastatin  Itraconazole\n40 mg nightly  200 mg bd"),
    ("| Simvastatin | Itraconazole |\n|---|---|\n| 40 mg nightly | 200 mg bd |"),
    (
        "| Patient: 72F, eGFR 18 | Metformin | Dabigatran |\n"
        "|---|---|---|\n"
        "| Dose | 1 g | 150 mg |\n"
        "| Freq | bd | bd |"
    ),
    (
        "| | Amitriptyline | Duloxetine | Tramadol |\n"
        "|---|---|---|---|\n"
        "| Before | 25 mg nocte | - | - |\n"
        "| Now | 75 mg nocte | 60 mg daily | 100 mg qds |"
    ),
    ("| Day | Fluoxetine | Phenelzine |\n|---|---|---|\n| 1 | 20 mg | - |\n| 2 | stopped | 15 mg tds |"),
]

BENIGN = [
    (
        "| Day | Simvastatin | Clarithromycin |\n"
        "|---|---|---|\n"
        "| Mon | held | 500 mg twice daily |\n"
        "| Tue | held | 500 mg twice daily |"
    ),
    (
        "| Day | Simvastatin | Clarithromycin |\n"
        "|---|---|---|\n"
        "| 1-7 | - | 500 mg twice daily |\n"
        "| 8 onwards | 40 mg at night | stopped |"
    ),
    (
        "| | Option A | Option B |\n"
        "|---|---|---|\n"
        "| Drug | apixaban | rivaroxaban |\n"
        "| Dose | 5 mg twice daily | 20 mg once daily |"
    ),
    (
        "| | Apixaban | Rivaroxaban |\n"
        "|---|---|---|\n"
        "| Usual dose | 5 mg twice daily | 20 mg once daily with food |\n"
        "| Half-life | 12 h | 5-9 h |\n"
        "| Renal elimination | 27% | 33% |\n"
        "| Antidote | andexanet | andexanet |"
    ),
    (
        "| Feature | Simvastatin | Atorvastatin | Rosuvastatin |\n"
        "|---|---|---|---|\n"
        "| Max dose | 40 mg | 80 mg | 40 mg |\n"
        "| CYP3A4 | yes | yes | no |\n"
        "| Time of day | night | any | any |"
    ),
    (
        "| Day | Prednisolone |\n"
        "|---|---|\n"
        "| 1-5 | 40 mg |\n"
        "| 6-10 | 20 mg |\n"
        "| 11-15 | 10 mg |\n"
        "| 16 on | stop |"
    ),
    (
        "| Week | Paroxetine | Sertraline |\n"
        "|---|---|---|\n"
        "| 1 | 10 mg daily | - |\n"
        "| 2 | stopped | 50 mg daily |"
    ),
    ("| | Apixaban | Warfarin |\n|---|---|---|\n| Days 1-3 | stopped | 5 mg daily |\n| Day 4 | 0 | by INR |"),
    (
        "| Time | Paracetamol | Ibuprofen |\n"
        "|---|---|---|\n"
        "| 08:00 | 1 g | |\n"
        "| 12:00 | | 400 mg |\n"
        "| 14:00 | 1 g | |\n"
        "| 20:00 | 1 g | 400 mg |\n"
        "| Total | 3 g | 800 mg |"
    ),
    (
        "| Day | Methotrexate | Folic acid |\n"
        "|---|---|---|\n"
        "| Mon | 15 mg | - |\n"
        "| Tue | - | - |\n"
        "| Wed | - | - |\n"
        "| Thu | - | - |\n"
        "| Fri | - | 5 mg |"
    ),
    (
        "| Day | Warfarin (mg) |\n"
        "|---|---|\n"
        "| Mon | 5 |\n"
        "| Tue | 5 |\n"
        "| Wed | 4 |\n"
        "| Thu | 5 |\n"
        "| Fri | 5 |\n"
        "| Sat | 4 |\n"
        "| Sun | 5 |"
    ),
    (
        "| | Metformin | Gliclazide | Ramipril |\n"
        "|---|---|---|---|\n"
        "| Breakfast | 500 mg | 80 mg | 5 mg |\n"
        "| Dinner | 500 mg | - | - |"
    ),
    (
        "| Antibiotic | Clarithromycin | Doxycycline |\n"
        "|---|---|---|\n"
        "| With simvastatin? | avoid | fine |\n"
        "| Dose | 500 mg bd | 100 mg od |"
    ),
    ("| | Morphine PO | Oxycodone PO |\n|---|---|---|\n| Equivalent dose | 30 mg | 20 mg |"),
    (
        "| Date | Creatinine | Potassium | Digoxin |\n"
        "|---|---|---|---|\n"
        "| 3 May | 110 | 4.1 | 1.1 |\n"
        "| 4 May | 108 | 4.0 | 1.0 |"
    ),
    (
        "| | Amoxicillin | Doxycycline |\n"
        "|---|---|---|\n"
        "| If not allergic | 500 mg tds 5 days | - |\n"
        "| If penicillin allergic | - | 200 mg then 100 mg daily |"
    ),
    (
        "| Drug | Dalteparin | Enoxaparin |\n"
        "|---|---|---|\n"
        "| Prophylaxis | 5000 units daily | 40 mg daily |\n"
        "| Treatment | 200 units/kg daily | 1.5 mg/kg daily |"
    ),
    (
        "| Time | Insulin glargine (units) | Insulin aspart (units) |\n"
        "|---|---|---|\n"
        "| Breakfast | 0 | 6 |\n"
        "| Lunch | 0 | 6 |\n"
        "| Dinner | 0 | 8 |\n"
        "| Bedtime | 20 | 0 |"
    ),
    (
        "| Day | Enoxaparin | Apixaban |\n"
        "|---|---|---|\n"
        "| 1 | 80 mg SC bd | - |\n"
        "| 2 | 80 mg SC bd | - |\n"
        "| 3 | STOP | 5 mg bd |\n"
        "| 4 | - | 5 mg bd |"
    ),
    (
        "Conversion between opioids (for reference):\n"
        "\n"
        "| | Morphine | Oxycodone | Hydromorphone |\n"
        "|---|---|---|---|\n"
        "| Oral | 30 mg | 20 mg | 6 mg |\n"
        "| IV | 10 mg | - | 1.5 mg |"
    ),
    (
        "Which statin? Compare:\n"
        "\n"
        "| | Simvastatin | Atorvastatin |\n"
        "|---|---|---|\n"
        "| Dose | 40 mg nightly | 20 mg daily |\n"
        "| Time | evening | any |"
    ),
    (
        "| Situation | Amoxicillin | Clarithromycin |\n"
        "|---|---|---|\n"
        "| No allergy | 500 mg tds for 5 days | - |\n"
        "| Penicillin allergy | - | 500 mg bd for 5 days |"
    ),
    (
        "| | Before admission | Discharge |\n"
        "|---|---|---|\n"
        "| Simvastatin | 40 mg nightly | STOPPED |\n"
        "| Clarithromycin | - | 500 mg bd 7 days |"
    ),
    (
        "| Week | Escitalopram | Venlafaxine XR |\n"
        "|---|---|---|\n"
        "| 1 | 10 mg daily | 37.5 mg daily |\n"
        "| 2 | 5 mg daily | 37.5 mg daily |\n"
        "| 3 | stop | 75 mg daily |"
    ),
    (
        "| Patient | Warfarin | Ciprofloxacin |\n"
        "|---|---|---|\n"
        "| Bed 1 | 3 mg | - |\n"
        "| Bed 2 | - | 500 mg bd |"
    ),
    (
        "| Time | Levodopa/carbidopa 100/25 | Ropinirole |\n"
        "|---|---|---|\n"
        "| 07:00 | 1 tablet | 2 mg |\n"
        "| 11:00 | 1 tablet | |\n"
        "| 15:00 | 1 tablet | 2 mg |\n"
        "| 19:00 | 1 tablet | 2 mg |"
    ),
    ("| | Dose 1 | Dose 2 |\n|---|---|---|\n| Hepatitis B vaccine | today | 1 month |"),
    (
        "| | Lisinopril | Amlodipine | Metformin |\n"
        "|---|---|---|---|\n"
        "| Morning | 10 mg | 5 mg | 500 mg |\n"
        "| Evening | 0 | 0 | 500 mg |\n"
        "| Notes | hold if sys BP < 100 | ankle swelling? | with food |"
    ),
    (
        "| Date | INR | Warfarin (mg) |\n"
        "|---|---|---|\n"
        "| 3 May | 2.4 | 4 |\n"
        "| 10 May | 2.6 | 4 |\n"
        "| 17 May | 2.9 | 4 |"
    ),
    (
        "| Age | Paracetamol | Ibuprofen |\n"
        "|---|---|---|\n"
        "| 3-5 months | 60 mg | 50 mg |\n"
        "| 6-11 months | 120 mg | 50 mg |\n"
        "| 1-2 years | 120 mg | 100 mg |\n"
        "| 2-4 years | 180 mg | 100 mg |"
    ),
    (
        "| Drug | Apixaban | Dabigatran | Rivaroxaban | Edoxaban |\n"
        "|---|---|---|---|---|\n"
        "| AF dose | 5 mg BD | 150 mg BD | 20 mg OD | 60 mg OD |\n"
        "| Stop before surgery | 48 h | 48-72 h | 48 h | 48 h |"
    ),
    (
        "| eGFR | Metformin | Gliclazide |\n"
        "|---|---|---|\n"
        "| > 60 | 1 g bd | 80 mg bd |\n"
        "| 30-45 | 500 mg bd | 40 mg bd |\n"
        "| < 30 | stop | caution |"
    ),
    (
        "| Day | Prednisolone (mg) | Omeprazole (mg) |\n"
        "|---|---|---|\n"
        "| 1 | 40 | 20 |\n"
        "| 2 | 40 | 20 |\n"
        "| 3 | 40 | 20 |\n"
        "| 4 | 30 | 20 |\n"
        "| 5 | 20 | 20 |"
    ),
    ("| Name | Role | Bleep |\n|---|---|---|\n| Dr Heparin | on call | 4021 |"),
    (
        "| Clinic | Warfarin | Methotrexate |\n"
        "|---|---|---|\n"
        "| Mon | 9-11 am | 2-4 pm |\n"
        "| Thu | 9-11 am | - |"
    ),
]


def flagged(text: str, knowledge: KnowledgePort) -> list[str]:
    findings = run_checks(Judged(text), knowledge, audience="clinician").findings
    return [f"{f.code.value}: {f.message}" for f in findings if f.severity.rank >= Severity.MODERATE.rank]


@pytest.mark.parametrize("text", DANGEROUS)
def test_what_is_given_together_in_columns_is_found(text: str, knowledge: KnowledgePort) -> None:
    assert flagged(text, knowledge)


@pytest.mark.parametrize("text", BENIGN)
def test_what_columns_compare_or_give_in_turn_is_left_alone(text: str, knowledge: KnowledgePort) -> None:
    assert flagged(text, knowledge) == []


def doses(text: str, knowledge: KnowledgePort) -> list[tuple[str, str | None]]:
    statements = parse(text, lexicon_of(knowledge)).statements
    return [
        (s.mention.text, None if s.dose is None else f"{s.dose.high:f} {s.dose.unit}") for s in statements
    ]


def test_a_cell_has_the_dose_of_the_drug_above_it(knowledge: KnowledgePort) -> None:
    table = "| | Metformin (mg) | Ramipril | Digoxin |\n|---|---|---|---|\n| AM | 500 | 5 mg | |\n| PM | 850 | - | held"
    assert doses(table, knowledge) == [
        ("Metformin", "500 mg"),
        ("Metformin", "850 mg"),
        ("Ramipril", "5 mg"),
        ("Digoxin", None),
    ]


def test_spans_point_into_the_table_as_written(knowledge: KnowledgePort) -> None:
    table = "\n| Time | Morphine | Ketamine |\n|:-:|---|---|\n| 08:00 | 10 mg | 25 mg |\n| 12:00 | 20 mg | |\nEnd."
    for statement in parse(table, lexicon_of(knowledge)).statements:
        mention = statement.mention
        assert table[mention.span.start : mention.span.end] == mention.text
        assert statement.dose is not None
        assert table[statement.dose.span.start : statement.dose.span.end] == statement.dose.text
        assert statement.clause.start < statement.clause.end


@pytest.mark.parametrize(
    "text",
    [
        "| | aspirin |",
        "| aspirin | |\n||\n|",
        "| | aspirin | warfarin |\n",
        "| | aspirin | warfarin |\n| |\n| | | | | |",
        "| | warfarin | aspirin |\n|---|---|---|\n| warfarin | - | major |\n| aspirin | major | - |",
        "\taspirin\twarfarin\n\t\t",
    ],
)
def test_what_gives_no_dose_is_left_as_it_is(text: str, knowledge: KnowledgePort) -> None:
    assert all(dose is None for _, dose in doses(text, knowledge))

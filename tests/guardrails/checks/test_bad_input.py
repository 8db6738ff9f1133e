"""Input that is meant to slip through: it is held with a code, in work that stays near its length."""

from __future__ import annotations

import time

import pytest
from attending.guardrails.checks.disguise import MAX_CHARACTERS
from attending.guardrails.checks.run import run_checks
from attending.guardrails.finding import Finding, Severity
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.patient import Judged, PatientContext


def judged(knowledge: Knowledge, text: str) -> list[Finding]:
    result = run_checks(Judged(text, None, PatientContext(), ()), knowledge, audience="clinician")
    return [f for f in result.findings if f.severity.rank >= Severity.MODERATE.rank]


@pytest.mark.parametrize(
    "name",
    [
        "war\u200bfarin", "w\u0430rfarin", "\uff57\uff41\uff52\uff46\uff41\uff52\uff49\uff4e", "w a r f a r i n",
        "w.a.r.f.a.r.i.n", "w4rfarin", "warfar\u0131n", "w\u00e1rfarin", "\u13b3arfarin", "war\u2060farin",
        "\U0001d430\U0001d41a\U0001d42b\U0001d41f\U0001d41a\U0001d42b\U0001d422\U0001d427",
    ],
)  # fmt: skip
def test_a_name_in_disguise_is_held_and_named(knowledge: Knowledge, name: str) -> None:
    found = judged(knowledge, f"Start {name} 5 mg daily.")
    assert {(f.rule_id, f.text) for f in found} == {("rule:disguised-name", name)}


@pytest.mark.parametrize(
    ("text", "rule_id"),
    [
        ("\u041d\u0430\u0447\u0430\u0442\u044c \u0432\u0430\u0440\u0444\u0430\u0440\u0438\u043d 5 \u043c\u0433 "
         "\u0434\u0432\u0430 \u0440\u0430\u0437\u0430 \u0432 \u0434\u0435\u043d\u044c", "rule:unreadable-text"),
        ("\x00\x01\x02\ufffd warfarin", "rule:unreadable-text"),
        ("Start \u202ewarfarin\u202c 5 mg.", "rule:direction-mark"),
        ("a" * (MAX_CHARACTERS + 1), "rule:too-long"),
        ("Start warfarin 5 mg. " * 50_000, "rule:too-long"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_never_passed(knowledge: Knowledge, text: str, rule_id: str) -> None:
    assert rule_id in {f.rule_id for f in judged(knowledge, text)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t ",
        "TNF\u03b1, \u03b2-blocker, 5 \u03bcg, na\u00efve, M\u00e9ni\u00e8re, Sj\u00f6gren; H2O2, B12, COX-2, \u03b11.",
        "Zofran\u00ae and Tylenol\u2122 as needed. \u201cAdvil\u201d \u2014 caf\u00e9\u2026",
        "Take acet\u00adaminophen 500 mg. Mr. Nu\u00f1ez, A. B. C. D. E. F.",
    ],
)
def test_ordinary_letters_of_other_alphabets_are_left_alone(knowledge: Knowledge, text: str) -> None:
    assert judged(knowledge, text) == []


@pytest.mark.parametrize(
    "unit",
    [
        "Start warfarin 5 mg daily and naproxen 500 mg. ",
        "warfarin ",
        "5 mg ",
        "not ",
        "a\u0301",
        "\u200b",
        "Take ibuprofen 400 mg daily, then 200 mg. ",
        "next ",
        "Name:" + " " * 500,
        "\n",
        "past ",
        "patient ",
        "| Drug | Dose |\n|---|---|\n| warfarin | 5 mg |\n",
    ],
)
def test_work_stays_near_the_length(knowledge: Knowledge, unit: str) -> None:
    """Four times the text in the same run; the square would be sixteen times the work."""

    def seconds(size: int) -> float:
        started = time.process_time()  # others may use the machine meanwhile
        judged(knowledge, unit * (size // len(unit)))
        return time.process_time() - started

    seconds(2_000)
    short = min(seconds(6_000) for _ in range(3))
    assert min(seconds(24_000) for _ in range(2)) < max(10 * short, 0.2)


def test_thousands_of_different_drugs_are_bounded_and_said(knowledge: Knowledge) -> None:
    found = judged(knowledge, "Start " + ", ".join(sorted(knowledge.drugs())[:1500]) + ".")
    assert "rule:too-many-pairs" in {f.rule_id for f in found}

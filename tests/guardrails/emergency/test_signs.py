"""Signs of an emergency as concepts: what is found, what is denied, past or only watched for, and what it costs."""

from __future__ import annotations

import time

import pytest
from attending.guardrails.clinical.statement import Span
from attending.guardrails.emergency.concepts import Lexicon, lexicon, tokens_of
from attending.guardrails.emergency.disposition import delay, directs_urgently
from attending.guardrails.emergency.measures import NAMES
from attending.guardrails.emergency.signs import find_signs, signs


def ids(text: str, spoken: str = "said") -> set[str]:
    return {found.sign.id for found in find_signs(text) if found.spoken == spoken}


def test_every_sign_has_a_name_of_its_own_and_every_concept_a_use() -> None:
    assert len({sign.id for sign in signs()}) == len(signs())
    used = {concept for sign in signs() for group in sign.groups for finding in group for concept in finding}
    used |= {sign.treated for sign in signs() if sign.treated is not None}
    assert used == lexicon("lexicon.tsv").concepts | NAMES


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("My calf has been cramping and swollen since the long flight.", "swollen-calf"),
        ("Numb around the back passage, and I have not passed urine since last night.", "cauda-equina"),
        ("Temp 38.9 nine days after chemo.", "neutropenic"),
        ("Her 5-week-old reads 38.4 \u00b0C.", "infant-fever"),
        ("BP 172/114 at 34 weeks with a headache.", "pre-eclampsia"),
        ("Insulin pump failed, ketones 4.2, vomiting all night.", "ketoacidosis"),
        ("He swallowed thirty of his mother's sertraline.", "overdose"),
        ("Oven cleaner splashed in his eye.", "eye-chemical"),
        ("Soaking two pads an hour since the delivery.", "bleed-after-birth"),
        ("One testicle has been agonising since 4 am.", "torsion"),
        ("Her voice is hoarse and her lips are swollen.", "airway-allergy"),
    ],
)
def test_a_sign_in_any_order_of_words(text: str, sign: str) -> None:
    assert sign in ids(text)


@pytest.mark.parametrize(
    "text",
    [
        "She denies fever, chills, neck stiffness or a rash that does not fade.",
        "No chest pain, sweating or pain in the arm.",
        "History of thunderclap headache.",
        "He had a stroke with slurred speech and a facial droop in 2015.",
        "She is anaphylactic to penicillin.",
        "Her father had crushing chest pain and sweating.",
        "Saddle numbness: absent. Bladder: normal.",
    ],
)
def test_what_is_denied_past_or_of_another_is_no_sign(text: str) -> None:
    assert {found.sign.id for found in find_signs(text)} == set()


def test_how_a_sign_is_spoken_of() -> None:
    assert "stroke-told" in ids("If your face droops and your words are slurred, sleep it off.", "supposed")
    assert "airway-allergy" in ids("Call 911 for a swollen tongue with wheeze.", "watched")


def test_findings_of_two_paragraphs_are_not_put_together() -> None:
    assert "torsion" not in ids("His testicle is swollen.\n\nHe has been sick with the bug that is about.")


def test_help_for_later_is_no_help_now() -> None:
    assert directs_urgently("Go to the emergency department now.", whatever_comes=True)
    assert directs_urgently("Go to the emergency department if it gets worse.")
    assert not directs_urgently("Go to the emergency department if it gets worse.", whatever_comes=True)
    assert not directs_urgently("If there is no improvement, call 911.", whatever_comes=True)


@pytest.mark.parametrize(
    ("text", "sends"),
    [
        ("A&E isn't the place for backs.", False),
        ("It isn't something for the emergency room.", False),
        ("The ER would only keep you waiting.", False),
        ("Take one ibuprofen right away.", False),
        ("Urgent care note to family physician", False),
        ("Don't be afraid to call 911.", True),
        ("If he is not breathing call 999.", True),
        ("Don't wait for the midwife: go to the maternity unit now.", True),
        ("ED at once.", True),
    ],
)
def test_help_counts_where_it_is_not_turned_down(text: str, sends: bool) -> None:
    assert directs_urgently(text) is sends


def test_an_answer_is_told_by_its_kind() -> None:
    text = "It is probably indigestion. Take an antacid."
    whole = Span(0, len(text))
    assert delay(text, whole, kinds=("delay",)) is None
    assert delay(text, whole, kinds=("calm",)) == Span(6, 14)
    assert delay(text, whole, kinds=("remedy",)) is not None


def test_a_phrase_with_a_gap_ends_at_the_sentence() -> None:
    lexicon = Lexicon(iter([("unwell", "breath* .. loud*"), ("late", "# days")]))

    def told(text: str) -> list[str]:
        return [one.concept for one in lexicon.tell(tokens_of(text))]

    assert told("Breathing is rather loudly heard for three days") == ["unwell", "late"]
    assert told("She breathes. Loud music.") == []
    assert told("breath one two three four loud") == []


@pytest.mark.parametrize(
    "piece", ["chest pain ", "no ", "T 38. ", "took 30 ", "if worse call ", "fever and "]
)
def test_work_grows_with_the_length(piece: str) -> None:
    def cost(repeats: int) -> float:
        text = piece * repeats
        best = float("inf")
        for _ in range(2):
            begun = time.process_time()
            list(find_signs(text))
            directs_urgently(text, whatever_comes=True)
            best = min(best, time.process_time() - begun)
        return best

    cost(500)  # tables are built once
    assert cost(4_000) < 9 * cost(1_000) + 0.05

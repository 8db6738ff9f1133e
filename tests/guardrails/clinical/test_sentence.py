"""Where a sentence begins and ends around a word, in the registers that texts are written in."""

from __future__ import annotations

import time

import pytest
from attending.guardrails.clinical.sentence import ends, one_sentence, sentence_around, sentences


def _around(text: str, word: str, following: int = 0) -> str:
    at = text.index(word)
    span = sentence_around(text, at, at + len(word), following=following)
    return text[span.start : span.end]


@pytest.mark.parametrize(
    ("text", "word", "sentence"),
    [
        ("He is well. Stop warfarin today! Call us.", "warfarin", "Stop warfarin today!"),
        ("Is it safe? Yes, take it.", "Yes", "Yes, take it."),
        ("Dr. Osei stopped apixaban. Call.", "apixaban", "Dr. Osei stopped apixaban."),
        ("Take 2.5 mg p.o. at night. Rest.", "night", "Take 2.5 mg p.o. at night."),
        ("Give 5 mg p.o. q.d. with food. Rest.", "food", "Give 5 mg p.o. q.d. with food."),
        ("Metformin 500 mg. Stop it.", "Stop", "Stop it."),
        ("Metformin 500 mg. twice daily.", "Metformin", "Metformin 500 mg. twice daily."),
        ("He said \u201cstop it.\u201d Then he left.", "stop", "He said \u201cstop it.\u201d"),
        ("Plan:\n1. Metformin 500 mg\n2. Stop aspirin", "Stop", "2. Stop aspirin"),
        ("- warfarin 5 mg\n- aspirin 81 mg\n", "aspirin", "- aspirin 81 mg\n"),
        ("| drug | dose |\n| digoxin | 0.125 mg |\n", "digoxin", "| digoxin | 0.125 mg |\n"),
        ("Stop the drug\nand call us.", "Stop", "Stop the drug\n"),
        ("Hold warfarin; keep aspirin.", "aspirin", "Hold warfarin; keep aspirin."),
        ("No pain. Wait... Then go.", "Wait...", "Wait..."),
        ("warfarin", "warfarin", "warfarin"),
    ],
)
def test_the_sentence_around_a_word(text: str, word: str, sentence: str) -> None:
    assert _around(text, word) == sentence


def test_a_semicolon_ends_a_clause_where_asked() -> None:
    at = "Hold warfarin; keep aspirin."
    span = sentence_around(at, 20, 27, semicolons=True)
    assert at[span.start : span.end] == "keep aspirin."
    assert one_sentence(at, 0, 20)


def test_sentences_that_follow() -> None:
    text = "One. Two. Three. Four."
    assert _around(text, "Two", following=1) == "Two. Three."
    assert _around(text, "Two.", following=2) == "Two. Three. Four."
    assert _around(text, "Four", following=5) == "Four."


def test_a_span_over_sentences_is_kept_whole() -> None:
    text = "One two. Three four. Five."
    span = sentence_around(text, 4, 14)
    assert text[span.start : span.end] == "One two. Three four."


def test_no_more_than_the_reach_is_read() -> None:
    text = "x " * 3_000
    span = sentence_around(text, 3_000, 3_001, reach=100)
    assert (span.start, span.end) == (2_900, 3_101)


def test_the_sentences_are_the_text() -> None:
    text = "A b. C d; e\n\n- f g.  H"
    for semicolons in (False, True):
        spans = list(sentences(text, semicolons=semicolons))
        assert "".join(text[s.start : s.end] for s in spans) == text
    assert list(sentences("")) == []


def test_a_row_of_full_stops_is_read_once() -> None:
    """CPU time, not wall clock: 20 times the dots must not cost 400 times as much."""

    def cost(dots: int) -> float:
        before = time.process_time()
        assert list(ends("." * dots + "x", 0, dots + 1)) == []
        return time.process_time() - before

    cost(1_000)
    assert cost(200_000) < 0.05 + 100 * max(cost(10_000), 1e-4)

"""Swapped facts and faithful tellings: the bars on a sample of the real notes, and that the figures can fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from attending.guardrails.evaluation import grounding
from attending.guardrails.evaluation.swaps import KINDS, Note
from attending.guardrails.knowledge import Knowledge

CLINICAL = Path(__file__).resolve().parents[4] / "shared" / "clinical"
OWN = Note(
    "own:1",
    "She takes lisinopril 20 mg once daily. She denies chest pain or fever today. The left knee is swollen and warm.\n"
    "The pain began 3 weeks ago after a fall. There is no effusion of the right hip on exam.",
)


@pytest.mark.skipif(not CLINICAL.is_dir(), reason="the notes of ../shared/clinical are not here")
def test_the_bars_hold_on_a_sample_of_real_notes(knowledge: Knowledge) -> None:
    notes = grounding.read_notes(CLINICAL)
    scores = grounding.score(notes, knowledge, seed=11, per_kind=12, whole=False, dialogues=False)
    for kind in KINDS:
        rate = scores.alone.rate(kind)
        assert rate.of >= 12
        assert (rate.rate or 0) >= 0.83, (kind, [s.claim for s, _ in scores.alone.examples])
    assert (scores.alone.rate().rate or 0) >= 0.95
    faithful = scores.faithful.rate()
    assert faithful.of > 100
    assert (faithful.rate or 0) <= 0.05


def test_equal_seeds_draw_equal_swaps_that_differ_from_their_sentence(knowledge: Knowledge) -> None:
    swaps, told = grounding.made([OWN], knowledge, seed=3, per_kind=50)
    assert (swaps, told) == grounding.made([OWN], knowledge, seed=3, per_kind=50)
    assert swaps != grounding.made([OWN], knowledge, seed=4, per_kind=50)[0]
    assert {swap.kind for swap in swaps} == set(KINDS)
    for swap in swaps:
        assert swap.claim != swap.sentence
        assert swap.whole.count(swap.claim) == 1
    assert all(t.claim == t.sentence for t in told if t.how == "verbatim")


def test_what_says_nothing_is_a_miss(knowledge: Knowledge) -> None:
    """A swap judged against another document is not caught, so a check that found nothing would miss every bar."""
    swaps, _ = grounding.made([OWN], knowledge, seed=3, per_kind=5)
    assert not any(
        grounding.flags(swap.claim, "The clinic opens at nine on weekdays.", knowledge) for swap in swaps
    )


def test_a_folder_without_the_notes_is_told(tmp_path: Path) -> None:
    with pytest.raises(grounding.CorpusError) as told:
        grounding.read_notes(tmp_path)
    assert told.value.reason == "CORPUS_MISSING"

"""Source pairs and clean pairs from plain sentences: the bars on a sample, and misses that are told as misses."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from attending.guardrails.evaluation import pairs
from attending.guardrails.finding import Severity
from attending.guardrails.knowledge import Knowledge


@pytest.fixture(scope="module")
def source(knowledge: Knowledge) -> tuple[pairs.Pair, ...]:
    return pairs.source_pairs(knowledge)


def test_a_sample_of_source_pairs_is_found_at_its_severity(
    knowledge: Knowledge, source: tuple[pairs.Pair, ...]
) -> None:
    assert len(source) > 30_000
    dosed = [pair for pair in source if pair.dose_drug is not None]
    scores = pairs.score_sources(knowledge, [*random.Random(7).sample(source, 1500), *dosed])
    assert scores.misses == []
    assert scores.conditional > 100
    # Each for a reason that the knowledge states; 10.5 % of all pairs on 2026-11-28.
    assert sum(scores.lower.values()) < scores.found.of / 9


def test_clean_pairs_are_left_alone_and_drawn_again_alike(knowledge: Knowledge) -> None:
    drawn = pairs.clean_pairs(knowledge, 800, 3)
    assert drawn == pairs.clean_pairs(knowledge, 800, 3) != pairs.clean_pairs(knowledge, 800, 4)
    assert all(not knowledge.interactions(a, b) for a, b in drawn)
    rate = pairs.score_clean(knowledge, drawn).rate
    assert (rate.of, rate.hits) >= (800, 0)
    assert rate.rate is not None
    assert rate.rate < 0.005


def test_what_is_not_found_is_a_miss(knowledge: Knowledge) -> None:
    """Pairs that no source has, a severity that none gives, and a dose that none names."""
    unheard = pairs.Pair("amoxicillin", "atorvastatin", Severity.MAJOR, "none:1")
    graded = next(
        p for p in pairs.source_pairs(knowledge) if p.severity is Severity.MINOR and not p.dose_drug
    )
    dosed = replace(unheard, dose_drug="atorvastatin", above_daily_mg=Decimal(20))
    lonely = pairs.Pair("povidone", "warfarin", Severity.MAJOR, "none:2")
    scores = pairs.score_sources(knowledge, [unheard, graded, dosed, lonely])
    assert [pair for pair, _ in scores.misses] == [unheard, dosed]
    assert scores.lower == {"name not looked for in texts": 1}


def test_an_edge_is_flagged_where_it_is_said_to_be_clean(knowledge: Knowledge) -> None:
    flagged = pairs.score_clean(
        knowledge, [("sildenafil", "nitroglycerin"), ("amoxicillin", "atorvastatin")]
    ).flagged
    assert flagged == [("sildenafil", "nitroglycerin", "interaction/contraindicated")]

"""Hard identifiers and clean clinical texts of our own, and the swap of every name and place of the public queries.

The bars stand a little below what was measured; first-run figures, from before anything was tuned, are in docs/phi.md.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.phi import PhiDetector
from attending.guardrails.phi.lexicon import fold, phrases, words

from tests.guardrails.phi.marked import Case, load
from tests.guardrails.phi.swap import Fresh

HERE = Path(__file__).parent
SETS = {name: load(HERE / f"{name}.txt") for name in ("adversarial", "heldout")}


@pytest.fixture(scope="module")
def pack_detector() -> PhiDetector:
    """A detector that knows drug names, as in production."""
    return PhiDetector(frozenset(Knowledge.load(None).names()))


def _covered(case: Case, detector: PhiDetector) -> list[bool]:
    spans = detector.detect(case.text)
    inside = {i for span in spans for i in range(span.start, span.end)}
    return [all(i in inside for i in range(start, end)) for start, end, _ in case.gold]


@pytest.mark.parametrize(("name", "least", "bar"), [("adversarial", 150, 0.96), ("heldout", 60, 0.9)])
def test_hard_identifiers_are_covered(pack_detector: PhiDetector, name: str, least: int, bar: float) -> None:
    found = [covered for case in SETS[name][0] for covered in _covered(case, pack_detector)]
    assert len(found) >= least
    assert sum(found) / len(found) >= bar


@pytest.mark.parametrize(("name", "least", "bar"), [("adversarial", 100, 0.02), ("heldout", 50, 0.08)])
def test_clean_clinical_texts_stay_whole(
    pack_detector: PhiDetector, name: str, least: int, bar: float
) -> None:
    clean = SETS[name][1]
    flagged = [case.text for case in clean if pack_detector.detect(case.text)]
    assert len(clean) >= least
    assert len(flagged) / len(clean) <= bar, flagged


def test_fresh_names_stand_on_no_list() -> None:
    """So that nobody makes the swap test easy by learning them."""
    fresh = Fresh(0).lists
    learnt = words("given_names") | words("surnames") | words("ambiguous_names") | words("surnames_wordlike")
    assert {fold(name) for kind in ("given", "family") for name in fresh[kind]} & learnt == set()
    places = {fold(p) for name in ("cities", "facilities") for p in phrases(name)}
    assert {fold(place) for kind in ("proper", "acronym", "town") for place in fresh[kind]} & places == set()
    assert min(len(fresh[kind]) for kind in ("given", "family", "town")) >= 60


def test_no_name_or_place_is_known_by_heart(pack_detector: PhiDetector, shared: Path) -> None:
    """The public queries with every name, hospital and town swapped for a fresh one score the same within 0.02."""
    lines = (shared / "clinical" / "asq-phi-dev" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    score = _recall([(row["text"], _gold(row)) for row in rows], pack_detector)
    assert score >= 0.98
    fresh = Fresh(1)
    swapped = [fresh.row(row) for row in rows]
    assert all(text != row["text"] for (text, _), row in zip(swapped, rows, strict=True) if _names(row))
    assert abs(score - _recall(swapped, pack_detector)) <= 0.02


def _gold(row: dict[str, Any]) -> list[tuple[int, int]]:
    return [(p["start"], p["end"]) for p in row["phi"]]


def _names(row: dict[str, Any]) -> bool:
    return any(p["type"] == "NAME" for p in row["phi"])


def _recall(rows: list[tuple[str, list[tuple[int, int]]]], detector: PhiDetector) -> float:
    found = [
        covered
        for text, gold in rows
        for covered in _covered(Case(text, tuple((start, end, "ANY") for start, end in gold)), detector)
    ]
    assert len(found) > 1000
    return sum(found) / len(found)

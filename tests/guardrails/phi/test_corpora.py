"""Recall and precision on public corpora, a little below what was measured (docs/adr/0003-phi-detection.md)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from attending.guardrails.phi import PhiDetector


def _covered(gold: tuple[int, int], spans: list[tuple[int, int]]) -> bool:
    at = gold[0]
    for start, end in spans:
        if start <= at < end:
            at = end
    return at >= gold[1]


def test_clinical_queries(clinical_detector: PhiDetector, shared: Path) -> None:
    lines = (shared / "clinical" / "asq-phi-dev" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    gold_count = covered = predicted = right = negatives = flagged = 0
    for line in lines[::2]:
        row = json.loads(line)
        spans = [(s.start, s.end) for s in clinical_detector.detect(row["text"])]
        gold = [(p["start"], p["end"]) for p in row["phi"]]
        gold_count += len(gold)
        covered += sum(_covered(g, spans) for g in gold)
        predicted += len(spans)
        right += sum(any(s < e and b < t for b, e in gold) for s, t in spans)
        negatives += not gold
        flagged += not gold and bool(spans)
    assert gold_count > 500
    assert covered / gold_count >= 0.98
    assert right / predicted >= 0.985
    assert flagged / negatives <= 0.08


def test_notes_are_not_flooded(clinical_detector: PhiDetector, shared: Path) -> None:
    with (shared / "clinical" / "aci-bench" / "train.csv").open(encoding="utf-8", newline="") as file:
        notes = [row["note"] for row in csv.DictReader(file)][::6]
    chars = sum(map(len, notes))
    spans = sum(len(clinical_detector.detect(note)) for note in notes)
    assert chars > 20_000
    # the notes hold real names and dates: about 0.8 in 1,024 characters
    assert 0.3 <= spans / chars * 1024 <= 1.3

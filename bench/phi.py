"""PHI detection: quality on the public corpora. What it costs is in bench/rails.py.

    python bench/phi.py [--json] [--shared ../shared]

Full-cover recall: the share of gold spans whose every code point lies in some predicted span, of whatever type.
Precision: the share of predicted spans that touch a gold span. Hard negatives: queries without gold spans that got
any.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attending.guardrails.phi import PhiDetector
from attending.guardrails.phi.lexicon import fold
from attending.guardrails.phi.places import is_region

Gold = list[tuple[int, int, str]]

# Kinds of presidio-research that Safe Harbor does not count: organisations, nationality, titles, ages to 89.
_NOT_PHI = {"ORGANIZATION", "NRP", "TITLE", "AGE"}


def _score(rows: Iterable[tuple[str, Gold]], detector: PhiDetector) -> dict[str, Any]:
    total: Counter[str] = Counter()
    covered: Counter[str] = Counter()
    predicted = right = negatives = flagged = 0
    for text, gold in rows:
        spans = detector.detect(text)
        inside = {i for s in spans for i in range(s.start, s.end)}
        for start, end, kind in gold:
            total[kind] += 1
            covered[kind] += all(i in inside for i in range(start, end))
        predicted += len(spans)
        right += sum(any(s.start < end and start < s.end for start, end, _ in gold) for s in spans)
        negatives += not gold
        flagged += not gold and bool(spans)
    return {
        "gold": sum(total.values()),
        "full_cover_recall": round(sum(covered.values()) / max(1, sum(total.values())), 4),
        "precision": round(right / max(1, predicted), 4),
        "hard_negatives": negatives,
        "hard_negatives_flagged": round(flagged / max(1, negatives), 4),
        "recall_by_kind": {k: round(covered[k] / n, 3) for k, n in sorted(total.items())},
    }


def _queries(shared: Path) -> list[tuple[str, Gold]]:
    path = shared / "clinical" / "asq-phi-dev" / "queries.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(r["text"], [(p["start"], p["end"], p["type"]) for p in r["phi"]]) for r in rows]


def _general(shared: Path) -> list[tuple[str, Gold]]:
    path = shared / "clinical" / "presidio-research" / "synth_dataset_v2.json.gz"
    out = []
    for row in json.loads(gzip.decompress(path.read_bytes())):
        gold = [
            (s["start_position"], s["end_position"], s["entity_type"])
            for s in row["spans"]
            if s["entity_type"] not in _NOT_PHI
            and not (s["entity_type"] == "GPE" and is_region(s["entity_value"]))
            and not (s["entity_type"] == "DATE_TIME" and s["entity_value"].isdigit())
        ]
        out.append((row["full_text"], gold))
    return out


def _column(path: Path, column: str) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return [row[column] for row in csv.DictReader(file)]


def _flags_per_kb(texts: list[str], detector: PhiDetector) -> float:
    spans = sum(len(detector.detect(t)) for t in texts)
    return round(spans / sum(map(len, texts)) * 1024, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    args = parser.parse_args()
    shared: Path = args.shared
    if not shared.is_dir():
        parser.error(f"the corpora are not at `{shared}`")
    names = _column(shared / "knowledge-sources" / "rxnorm" / "vocab_rxnorm_ingredient.csv", "rxnorm_name")
    detector = PhiDetector(frozenset(fold(name) for name in names))
    notes = _column(shared / "clinical" / "aci-bench" / "train.csv", "note")
    queries = _queries(shared)
    result = {
        "clinical_queries": _score(queries, detector),
        "general_text": _score(_general(shared), detector),
        "flags_per_kb": {
            "aci_bench_notes": _flags_per_kb(notes, detector),
            "mts_dialog_notes": _flags_per_kb(
                _column(shared / "clinical" / "mts-dialog" / "MTS-Dialog-ValidationSet.csv", "section_text"),
                detector,
            ),
        },
    }
    print(json.dumps(result) if args.json else json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

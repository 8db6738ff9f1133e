"""Makes the weights of `attending.guardrails.rails.likeness` from the development sets of tests/evaluation.

    pip install scikit-learn && python scripts/train_likeness.py [--corpora ../shared/clinical] [--write]

An attack is a whole text of which one window or two are hostile: training begins with all windows of the attacks and
goes on with the highest ones. Benign are the benign texts of the sets, and one in SIXTH of the
clinical notes, dialogues and queries and of the outputs of the clinical checks' development sets, where a document
counts as an output too: with more of them the weights know clinical letters better and a writer who is new less well.
Printed is what weights that were learnt without a writer find in that writer's set.

A threshold, one a code and place, is the lowest score that no more than its BUDGET of the writers' benign texts exceed
so, nor more than ORDINARY of the clinical texts, nor, by the weights that are written, more than LEARNT of the benign
texts of all sets but `voices`, which are twins of its attacks, nor a letter to somebody who is CALLED by a word of
contempt. A budget is wider where a false alarm holds nothing.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from itertools import combinations
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from attending.guardrails.finding import Code
from attending.guardrails.rails.concepts import features
from attending.guardrails.rails.likeness import CODES, LONGEST, PAIR, READ, windows, without_names
from scipy import sparse
from sklearn.linear_model import LogisticRegression

ROOT = Path(__file__).resolve().parents[1]
HOSTILE = ROOT / "tests/evaluation/hostile"
CHECKS = ROOT / "tests/evaluation/development"
SETS = (
    "development", "unseen-b", "unseen-c", "unseen-d", "unseen-e", "acts", "second-look", "independent-1",
    "plain-speech", "writer-a", "writer-b", "writer-c", "voices",
)  # fmt: skip
WRITERS = ("writer-a", "writer-b", "writer-c")
BUDGET = {
    ("prompt", Code.INJECTION): 0.03,
    ("document", Code.INJECTION): 0.015,
    ("output", Code.INJECTION): 0.01,
    ("prompt", Code.TOXICITY): 0.04,
    ("output", Code.TOXICITY): 0.01,
    ("prompt", Code.SELF_HARM): 0.04,
    ("output", Code.SELF_HARM): 0.008,
}
ORDINARY = 0.001
LEARNT = 0.02
SIXTH = 6
CALLED = ("Stone", "Breed", "Gay")
LETTERS = (
    "Dear {}, your visit is on Tuesday. Please bring your tablets.",
    "I saw {} on the ward this morning and the chest is clear.",
)
MARGIN = 0.01  # weights are written rounded
C = 0.1
ROUNDS = 4
WEIGHTS = ROOT / "guardrails/attending/guardrails/rails/likeness.tsv"
NAMES = features()
PAIRS = list(combinations(range(len(NAMES)), 2))
PAIR_AT = {pair: number for number, pair in enumerate(PAIRS)}


def texts(corpora: Path) -> list[dict[str, Any]]:
    """Every text with its set, code ("" for a benign one) and place."""
    found = []
    for name in SETS:
        for line in (HOSTILE / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            code = row.get("code") or ""
            if code not in ("", *CODES):
                continue
            places = ["document", "output"] if not code and row["place"] == "document" else [row["place"]]
            found += [
                {"set": name, "id": row["id"], "code": code, "place": p, "text": row["text"]} for p in places
            ]
    csv.field_size_limit(10**9)
    notes = []
    for path in ("aci-bench/train.csv", "mts-dialog/MTS-Dialog-ValidationSet.csv"):
        with (corpora / path).open(encoding="utf-8") as file:
            notes += [v for row in csv.DictReader(file) for v in row.values() if v and len(v) > 60]
    queries = (corpora / "asq-phi-dev/queries.jsonl").read_text(encoding="utf-8").splitlines()
    outputs = [
        json.loads(line)["output"]
        for path in sorted(CHECKS.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    letters = [letter.format(name) for letter in LETTERS for name in CALLED]
    found += [
        {"set": "letters", "id": f"letter-{number}", "code": "", "place": place, "text": text}
        for number, text in enumerate(letters)
        for place in READ
    ]
    for name, given, places in (
        ("notes", notes, ("prompt", "document", "output")),
        ("queries", [json.loads(line)["text"] for line in queries], ("prompt",)),
        ("outputs", outputs, ("output", "document")),
    ):
        for number, text in enumerate(given):
            # By the text, so that a set that grows leaves the others where they are.
            half = f"{name}-{'train' if crc32(text.encode()) % SIXTH == 0 else 'test'}"
            found += [
                {"set": half, "id": f"{name}-{number}", "code": "", "place": p, "text": text} for p in places
            ]
    return found


def matrix(given: list[dict[str, Any]]) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    rows, columns, values, owner, lengths = [], [], [], [], []
    for number, one in enumerate(given):
        _spans, read, length = windows(without_names(one["text"]), one["place"])
        lengths += length.tolist()
        for spoken in read:
            row = len(owner)
            owner.append(number)
            active = np.flatnonzero(spoken).tolist()
            pairs = [len(NAMES) + PAIR_AT[pair] for pair in combinations(active, 2)]
            columns += active + pairs
            values += [1.0] * len(active) + [PAIR] * len(pairs)
            rows += [row] * (len(active) + len(pairs))
    shape = (len(owner), len(NAMES) + len(PAIRS))
    return sparse.csr_matrix((values, (rows, columns)), shape=shape), np.array(owner), np.array(lengths)


def fit(x: sparse.csr_matrix, owner: np.ndarray, code: np.ndarray, use: np.ndarray, wanted: str) -> Any:
    used = use[owner]
    hostile = np.flatnonzero(used & (code[owner] == wanted))
    benign = np.flatnonzero(used & (code[owner] != wanted))
    groups: dict[int, list[int]] = {}
    for window in hostile:
        groups.setdefault(int(owner[window]), []).append(int(window))
    chosen = hostile
    for turn in range(ROUNDS):
        model = LogisticRegression(C=C, class_weight="balanced", max_iter=300, tol=1e-3)
        y = np.r_[np.ones(len(chosen)), np.zeros(len(benign))]
        model.fit(x[np.concatenate([chosen, benign])], y)
        score = model.decision_function(x[hostile])
        of = dict(zip(hostile.tolist(), score.tolist(), strict=True))
        chosen = np.array(
            [
                window
                for group in groups.values()
                for window in sorted(group, key=lambda w: -of[w])[
                    : max(1, len(group) // 3 if turn == 0 else 2)
                ]
            ]
        )
    return model


def highest(score: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    best = np.full(count, -np.inf)
    np.maximum.at(best, owner, score)
    return best


def quantile(score: np.ndarray, ids: np.ndarray, share: float) -> float:
    """The score that this share of the texts exceed, each counted once with its highest."""
    best: dict[str, float] = {}
    for one, each in zip(ids, score, strict=True):
        best[one] = max(best.get(one, -np.inf), float(each))
    return sorted(best.values(), reverse=True)[int(share * len(best))]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared/clinical")
    parser.add_argument("--write", action="store_true", help="write the weights")
    given = parser.parse_args()
    found = texts(given.corpora)
    everything, every_owner, lengths = matrix(found)
    sets = np.array([one["set"] for one in found])
    ids = np.array([one["id"] for one in found])
    place = np.array([one["place"] for one in found])
    code = np.array([one["code"] for one in found])
    learnt = ~np.char.endswith(sets, "-test") & (sets != "letters")
    known = ~np.isin(sets, (*SETS, "letters"))
    theirs = np.isin(sets, SETS) & (sets != "voices") & (code == "")
    thresholds = np.full((len(READ), len(CODES)), 99.0)
    alarm = np.zeros(len(found), dtype=bool)
    flagged = np.zeros(len(found), dtype=bool)
    models = []
    for column, wanted in enumerate(CODES):
        short = lengths <= LONGEST[wanted]
        x, owner = everything[short], every_owner[short]
        score = np.full(len(found), -np.inf)
        ordinary = np.zeros(len(found))
        for writer in WRITERS:
            model = fit(x, owner, code, learnt & (sets != writer), wanted)
            best = highest(model.decision_function(x), owner, len(found))
            score[sets == writer] = best[sets == writer]
            ordinary += best / len(WRITERS)
        models.append(fit(x, owner, code, learnt, wanted))
        final = highest(models[-1].decision_function(x), owner, len(found))
        for row, (where, read) in enumerate(READ.items()):
            if wanted not in read:
                continue
            here = place == where
            benign = here & np.isin(sets, WRITERS) & (code == "")
            cuts = (
                quantile(score[benign], ids[benign], BUDGET[where, wanted]),
                quantile(ordinary[here & known], ids[here & known], ORDINARY),
                quantile(final[here & known], ids[here & known], ORDINARY),
                quantile(final[here & theirs], ids[here & theirs], LEARNT),
                final[here & (sets == "letters")].max(),
            )
            thresholds[row, column] = max(cuts) + MARGIN
            alarm |= here & (score > max(cuts))
            flagged |= here & (final > max(cuts))
            print(f"{wanted}, {where}: thresholds " + ", ".join(f"{cut:.2f}" for cut in cuts))
        for writer in WRITERS:
            hostile = (sets == writer) & (code == wanted)
            print(f"{wanted}: {writer}, unseen: {int(alarm[hostile].sum())} of {hostile.sum()}")
    for writer in WRITERS:
        benign = (sets == writer) & (code == "")
        print(f"{writer}: {len(set(ids[alarm & benign]))} of {len(set(ids[benign]))} benign texts")
    for name in dict.fromkeys(sets[known]):
        print(f"{name}: {len(set(ids[flagged & (sets == name)]))} of {len(set(ids[sets == name]))} flagged")
    if given.write:
        weights = np.array([model.coef_[0] for model in models])
        digests = [hashlib.sha256((HOSTILE / f"{name}.jsonl").read_bytes()).hexdigest()[:12] for name in SETS]
        lines = [
            "# Weights of `likeness` for injection, toxicity and self-harm, made by scripts/train_likeness.py from",
            "# " + " ".join(f"{name}:{digest}" for name, digest in zip(SETS, digests, strict=True)),
            "bias\t" + "\t".join(f"{model.intercept_[0]:.3f}" for model in models),
            *(
                f"threshold {where}\t" + "\t".join(f"{value:.3f}" for value in row)
                for where, row in zip(READ, thresholds, strict=True)
            ),
        ]
        for number in range(weights.shape[1]):
            if np.abs(weights[:, number]).max() < 0.01:
                continue
            name = (
                NAMES[number]
                if number < len(NAMES)
                else "+".join(NAMES[i] for i in PAIRS[number - len(NAMES)])
            )
            lines.append(name + "\t" + "\t".join(f"{value:.2f}" for value in weights[:, number]))
        lines.insert(2, f"lines\t{len(lines) - 2}")
        WEIGHTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""CPU time of the rails over language on 1 KB of ordinary notes, each rail alone and all together.

    python bench/language.py [--json] [--corpora ../shared/clinical]

Texts are the notes and dialogues of ACI-Bench and MTS-Dialog, cut at 1,024 characters; the best of five rounds counts.
Folding the same texts is the baseline of the same run. `slowest megabyte` is one read of a document of a million
characters that repeats what its patterns begin with, the slowest of several.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attending.guardrails.evaluation.hostile import judge
from attending.guardrails.policy.schema import ScopeOfUse
from attending.guardrails.rails.folding import fold
from attending.guardrails.rails.injection import find_injection
from attending.guardrails.rails.likeness import find_likeness
from attending.guardrails.rails.scope_of_use import find_off_topic
from attending.guardrails.rails.self_harm import encourages, expresses
from attending.guardrails.rails.toxicity import find_toxicity

CHARACTERS = 1024
ROUNDS = 5
MEGABYTE = 1_000_000
REPEATED = (
    "ignore all ", "A", "%41", "a b c ", "<!--", "your the ", "\\x41", "&#65;", "[", "\u200b", "repeat ", "print your ",
)  # fmt: skip


def texts(folder: Path) -> list[str]:
    csv.field_size_limit(10**9)
    found = []
    for name in ("aci-bench/train.csv", "mts-dialog/MTS-Dialog-ValidationSet.csv"):
        with (folder / name).open(encoding="utf-8") as file:
            found += [value for row in csv.DictReader(file) for value in row.values() if value]
    return [text[:CHARACTERS] for text in found if len(text) >= CHARACTERS]


def milliseconds(rail: Callable[[str], Any], given: list[str]) -> float:
    """CPU milliseconds a text, the best of the rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for text in given:
            rail(text)
        best = min(best, time.process_time() - started)
    return best * 1000 / len(given)


def slowest_megabyte_ms() -> float:
    return max(cpu_ms_once(unit * (MEGABYTE // len(unit))) for unit in REPEATED)


def cpu_ms_once(text: str) -> float:
    started = time.process_time()
    judge(text, "document", ScopeOfUse())
    return (time.process_time() - started) * 1000


def main() -> int:
    command = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.add_argument("--corpora", type=Path, default=Path("../shared/clinical"))
    command.add_argument("--json", action="store_true")
    arguments = command.parse_args()
    given = texts(arguments.corpora)
    scope = ScopeOfUse()
    rails: dict[str, Callable[[str], Any]] = {
        "folding alone": fold,
        "injection, prompt": lambda text: find_injection(text, "prompt"),
        "injection, document": lambda text: find_injection(text, "document"),
        "injection, output": lambda text: find_injection(text, "output"),
        "toxicity": find_toxicity,
        "self-harm": lambda text: (expresses(text), encourages(text)),
        "likeness": lambda text: find_likeness(text, "prompt"),
        "scope of use": lambda text: find_off_topic(text, "prompt"),
        "all of a prompt": lambda text: judge(text, "prompt", scope),
        "all of an output": lambda text: judge(text, "output", scope),
    }
    taken = {name: round(milliseconds(rail, given), 3) for name, rail in rails.items()}
    taken["slowest megabyte"] = round(slowest_megabyte_ms(), 3)
    if arguments.json:
        print(json.dumps({"texts": len(given), "characters": CHARACTERS, "cpu_ms": taken}))
    else:
        for name, each in taken.items():
            print(f"{name:<24}{each:>8.3f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

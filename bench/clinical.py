"""Clinical checks: time for 1 KB of text, growth to 100 KB, and what loading the knowledge costs.

    python bench/clinical.py [--json] [--shared ../shared] [--rounds 20]

Texts are pieces of about 1 KB of the ACI-bench notes where they are beside the repository, else a discharge note of
this file. The ratio is to parsing alone on the same texts. Growth is time for 100 KB over ten times the time for
10 KB: 1 is linear. The pack is loaded in a process of its own, whose peak memory is compared with one that only
imports the same modules.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attending.guardrails.checks.case import lexicon_of
from attending.guardrails.checks.run import run_checks
from attending.guardrails.clinical.lexicon import Lexicon
from attending.guardrails.clinical.parse import parse
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.patient import Judged, PatientContext

KB = 1_000
NOTE = """Discharge summary. 71-year-old woman admitted with decompensated heart failure and atrial fibrillation.
Past history: hypertension, type 2 diabetes, chronic kidney disease stage 3. No known drug allergies. She was treated
with furosemide and her weight fell by 4 kg. Creatinine 1.4 mg/dL, potassium 4.1 mmol/L, INR not measured.
Medications at discharge:
1. Furosemide 40 mg by mouth every morning
2. Metoprolol succinate 50 mg daily
3. Apixaban 5 mg twice daily
4. Lisinopril 10 mg daily
5. Metformin 500 mg twice daily with meals
6. Atorvastatin 40 mg at bedtime
Stop ibuprofen. Avoid other anti-inflammatory drugs. Acetaminophen 650 mg every 6 hours as needed for pain, no more than
3 g a day. Weigh yourself each morning and call us for a gain of more than 1.5 kg in a day. Follow up with cardiology in
one week and have your potassium and creatinine checked. Your daughter was present and all questions were answered.
"""
LOAD = """
import json, re, sys, time
from pathlib import Path
from attending.guardrails.checks import run
from attending.guardrails.checks.case import lexicon_of
from attending.guardrails.knowledge import Knowledge
started = time.process_time()
if sys.argv[1] == "load":
    lexicon_of(Knowledge.load())
spent = time.process_time() - started
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(json.dumps([spent, int(peak[1])]))
"""


def _texts(shared: Path) -> tuple[list[str], str]:
    path = shared / "clinical" / "aci-bench" / "train.csv"
    if not path.is_file():
        return [NOTE], "the note of this file"
    csv.field_size_limit(10**8)
    with path.open(encoding="utf-8") as stream:
        notes = [row["note"] for row in csv.DictReader(stream)]
    return [
        note[at : at + KB] for note in notes for at in range(0, len(note) - KB, 2 * KB)
    ], "ACI-bench notes"


def _seconds(work: Callable[[], object]) -> float:
    """CPU seconds: other work on the machine counts for less than by the clock."""
    started = time.process_time()
    work()
    return time.process_time() - started


def _judge(knowledge: Knowledge, text: str) -> Callable[[], object]:
    judged = Judged(text, None, PatientContext(), ())
    return lambda: run_checks(judged, knowledge, audience="clinician")


def _parsed(text: str, lexicon: Lexicon) -> Callable[[], object]:
    return lambda: parse(text, lexicon)


def _load(what: str) -> tuple[float, float]:
    """Seconds, and peak MB of a new process that loads the pack (or does not)."""
    done = subprocess.run([sys.executable, "-c", LOAD, what], capture_output=True, text=True, check=True)
    seconds, peak = json.loads(done.stdout)
    return seconds, peak / 1024


def measure(shared: Path, rounds: int) -> dict[str, Any]:
    knowledge = Knowledge.load()
    lexicon = lexicon_of(knowledge)
    texts, source = _texts(shared)
    for text in texts[:5]:
        _judge(knowledge, text)()
    # As in a check process that serves: what is loaded is no garbage.
    gc.collect()
    gc.freeze()
    checks, parsing = [], []
    for number in range(rounds * 10):
        text = f"{texts[number % len(texts)]} {number}"  # parses are kept by text
        checks.append(_seconds(_judge(knowledge, text)) * 1000 * KB / len(text))
        parsing.append(_seconds(_parsed(f"{text} again", lexicon)) * 1000 * KB / len(text))
    joined = "\n\n".join(texts * (100 * KB // sum(map(len, texts)) + 1))
    growth = {
        size: min(_seconds(_judge(knowledge, joined[: size * KB])) for _ in range(2)) for size in (10, 100)
    }
    loads = [_load("load") for _ in range(3)]
    bare = _load("import")[1]
    p50, parse_p50 = statistics.median(checks), statistics.median(parsing)
    return {
        "texts": source,
        "rounds": len(checks),
        "cpu_ms_per_kb_p50": round(p50, 3),
        "cpu_ms_per_kb_p90": round(statistics.quantiles(checks, n=10)[-1], 3),
        "parse_cpu_ms_per_kb_p50": round(parse_p50, 3),
        "ratio_to_parsing": round(p50 / parse_p50, 2),
        "cpu_seconds_10_kb": round(growth[10], 3),
        "cpu_seconds_100_kb": round(growth[100], 3),
        "growth_10_to_100_kb": round(growth[100] / (10 * growth[10]), 2),
        "load_cpu_seconds": round(min(seconds for seconds, _ in loads), 3),
        "load_peak_mb": round(max(peak for _, peak in loads), 1),
        "load_mb_over_import": round(max(peak for _, peak in loads) - bare, 1),
        "knowledge_hash": knowledge.hash,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--rounds", type=int, default=20, help="tens of texts")
    arguments = parser.parse_args()
    figures = measure(arguments.shared, arguments.rounds)
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:<26}{value}")


if __name__ == "__main__":
    main()

"""How long the clinical checks take over texts of 1 to 100 KB, and what loading the knowledge costs.

Texts are made of authored sentences in four registers (order, letter, list, leaflet), no source text. Times are CPU
time of one process, since others use the machine too. `linear` is the time per KB at 100 KB over that at 10 KB.
Baseline of the same run: the drug lexicon alone over the same text.

    python bench/clinical.py [--json] [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable

from attending.guardrails.checks.case import lexicon_of
from attending.guardrails.checks.run import run_checks
from attending.guardrails.clinical.normalise import normalise
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.patient import Judged
from times import quantile

SENTENCES = (
    "Continue lisinopril 10 mg by mouth once daily and metoprolol succinate 50 mg once daily for blood pressure.",
    "Mrs. Hale was admitted with pneumonia and improved on ceftriaxone; she goes home on amoxicillin 500 mg "
    "three times a day for five days.",
    "- Atorvastatin 40 mg at night",
    "- Metformin 1,000 mg twice a day with food",
    "Stop ibuprofen because of the kidneys, and take acetaminophen 500 mg every 6 hours as needed.",
    "Her potassium was 4.1 and creatinine 0.9; please repeat both in two weeks.",
    "Call the office if the cough is worse, and call 911 for trouble breathing or chest pain.",
    "He is 67 years old, weighs 82 kg, has atrial fibrillation and takes apixaban 5 mg twice daily.",
    "No known drug allergies. Vaccines are up to date. He walks a mile each day and sleeps well.",
    "Follow up with the primary care physician in one week and bring all bottles of medicines to the visit.",
    "The wound is clean and dry without redness, and the stitches come out in ten days.",
    "You may shower, but do not soak the dressing; eat as you like and drink enough water.",
)
AIM_MS_PER_KB = 2.0
AIM_LOAD_SECONDS = 1.0
AIM_MIB = 250


def text_of(size: int) -> str:
    """About `size` characters; longer ones repeat the sentences under numbered headings."""
    parts: list[str] = []
    length = number = 0
    while length < size:
        if number % len(SENTENCES) == 0:
            parts.append(f"\nPart {number // len(SENTENCES) + 1}\n")
        parts.append(SENTENCES[number % len(SENTENCES)] + "\n")
        length += len(parts[-1])
        number += 1
    return "".join(parts)[:size]


def cpu_ms(call: Callable[[], object], rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append((time.process_time() - start) * 1e3)
    return times


def measure(rounds: int) -> dict[str, object]:
    start = time.perf_counter()
    knowledge = Knowledge.load()
    load_seconds = time.perf_counter() - start
    lexicon = lexicon_of(knowledge)
    rows = []
    for kb in (1, 10, 100):
        text = text_of(kb * 1024)
        judged = Judged(text)
        run_checks(judged, knowledge, audience="clinician")
        number = rounds if kb == 1 else max(3, rounds // kb)
        checks = cpu_ms(lambda judged=judged: run_checks(judged, knowledge, audience="clinician"), number)  # type: ignore[misc]
        names = cpu_ms(lambda text=text: list(lexicon.find(normalise(text).text)), number)  # type: ignore[misc]
        rows.append(
            {
                "kb": kb,
                "p50_ms": quantile(checks, 0.5),
                "p99_ms": quantile(checks, 0.99),
                "p50_ms_per_kb": round(quantile(checks, 0.5) / kb, 3),
                "times_the_lexicon": round(quantile(checks, 0.5) / max(quantile(names, 0.5), 0.001), 1),
            }
        )
    ten, hundred = (float(row["p50_ms_per_kb"]) for row in rows[1:])
    return {
        "load_seconds": round(load_seconds, 3),
        "max_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "texts": rows,
        "linear": round(hundred / ten, 2),
        "aims": {"p50_ms_at_1_kb": AIM_MS_PER_KB, "load_seconds": AIM_LOAD_SECONDS, "max_rss_mib": AIM_MIB},
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--rounds", type=int, default=100, help="runs at 1 KB; fewer for longer texts")
    arguments = parser.parse_args()
    found = measure(max(3, arguments.rounds))
    if arguments.json:
        print(json.dumps(found))
        return 0
    print(f"load {found['load_seconds']} s, at most {found['max_rss_mib']} MiB, linear {found['linear']}")
    for row in found["texts"]:  # type: ignore[attr-defined]
        print(
            f"{row['kb']:>4} KB  p50 {row['p50_ms']:>8} ms  p99 {row['p99_ms']:>8} ms  {row['p50_ms_per_kb']:>6} ms/KB"
            f"  {row['times_the_lexicon']} times the lexicon alone"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

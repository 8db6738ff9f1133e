"""Fuzzes one target with atheris (libFuzzer) for a bounded time.

    python tests/fuzz/run.py TARGET --seconds 20 --work FOLDER

Exit status 0 when nothing was found; otherwise the input is in FOLDER/crash-*, to be kept under
tests/fuzz/regressions/TARGET/ with the fix. Needs the environment of requirements/fuzz.lock.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "ledger")]

with atheris.instrument_imports(include=["attending.ledger", "tests.fuzz.targets", "zipfile"]):
    from tests.fuzz.mutate import mutate
    from tests.fuzz.targets import TARGETS, TOKENS


def _mutate(data: bytes, limit: int, seed: int) -> bytes:
    """libFuzzer's own change, or one of JSON as JSON."""
    chance = random.Random(seed)
    changed = mutate(data, chance) if chance.random() < 0.7 else bytes(atheris.Mutate(data, limit))
    return changed if len(changed) <= limit else data


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz one parser of the ledger for a bounded time.")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--work", type=Path, required=True, help="corpus and findings go here")
    arguments = parser.parse_args()
    target = TARGETS[arguments.target]
    corpus = arguments.work / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    kept = Path(__file__).parent / "regressions" / arguments.target
    for seed in [*target.seeds(), *(path.read_bytes() for path in sorted(kept.glob("*")))]:
        (corpus / hashlib.sha256(seed).hexdigest()).write_bytes(seed)
    tokens = arguments.work / "tokens"
    quoted = ("".join(f"\\x{byte:02x}" for byte in token.encode("utf-8")) for token in TOKENS)
    tokens.write_text("".join(f'"{token}"\n' for token in quoted), encoding="ascii")
    atheris.Setup(
        [
            sys.argv[0],
            str(corpus),
            f"-max_total_time={arguments.seconds}",
            f"-max_len={target.max_bytes}",
            f"-artifact_prefix={arguments.work}/",
            f"-dict={tokens}",
            "-timeout=10",  # seconds for one input
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
            "-verbosity=0",
        ],
        target.run,
        **({"custom_mutator": _mutate} if target.json else {}),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()

"""`attending eval interactions`: every pair of drugs that a source grades, and pairs that none grades."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attending.server.cli.evaluate.figures import (
    RATE,
    bars_json,
    json_option,
    knowledge_option,
    print_bars,
    progress_of,
    report_option,
)
from attending.server.cli.examples import examples
from attending.server.cli.offline import checked_pack
from attending.server.cli.outcome import Exit

if TYPE_CHECKING:
    from attending.guardrails.evaluation.pairs import CleanScores, PairScores
    from attending.guardrails.evaluation.report import Bar


@click.command(
    short_help="Measure every interaction pair of the knowledge, and clean pairs.",
    epilog=examples(
        "attending eval interactions",
        "attending eval interactions --sample 2000 --clean 2000 --json",
        after="Exit code 1 when a bar is missed.",
    ),
)
@knowledge_option
@click.option("--sample", type=click.IntRange(min=1), help="Judge so many source pairs; all when left out.")
@click.option(
    "--clean", type=click.IntRange(min=0), default=5000, show_default=True, help="Clean pairs to draw."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of --sample and --clean.")
@click.option(
    "--min-found", type=RATE, default=1.0, show_default=True, help="Bar: source pairs found or explained."
)
@click.option(
    "--max-flagged",
    type=RATE,
    default=0.005,
    show_default=True,
    help="Bar: the share of clean pairs flagged.",
)
@report_option
@json_option
def command(
    knowledge_path: Path | None,
    sample: int | None,
    clean: int,
    seed: int,
    min_found: float,
    max_flagged: float,
    report_path: Path | None,
    as_json: bool,
) -> int:
    """Judge every pair of drugs that a source grades, from a plain sentence, and pairs that none grades.

    A source pair must be found at its severity, a dose-conditional one above its dose only. Pairs that count for less
    on purpose (an adjustment, an overlay, a local drug) are counted apart, by reason.
    """
    from attending.guardrails.evaluation import pairs, report
    from attending.guardrails.knowledge import Knowledge
    from attending.server.version import version

    checked_pack(knowledge_path)
    knowledge = Knowledge.load(knowledge_path)
    asked = list(pairs.source_pairs(knowledge))
    if sample is not None and sample < len(asked):
        asked = random.Random(seed).sample(asked, sample)
    sources = pairs.score_sources(knowledge, asked, progress_of("source pairs", as_json))
    drawn = pairs.clean_pairs(knowledge, clean, seed)
    unflagged = pairs.score_clean(knowledge, drawn, progress_of("clean pairs", as_json))
    bars = [
        report.Bar(
            "source pairs found or explained", f">= {min_found}", (sources.found.rate or 0) >= min_found
        ),
        report.Bar("clean pairs flagged", f"<= {max_flagged}", (unflagged.rate.rate or 0) <= max_flagged),
    ]
    if report_path is not None:
        text = report.interactions(knowledge.hash, version(), sources, unflagged, seed, bars)
        report_path.write_text(text, encoding="utf-8")
    if as_json:
        figures = {
            "knowledge_hash": knowledge.hash,
            "seed": seed,
            "source": sources.to_json(),
            "clean": unflagged.to_json(),
            "bars": bars_json(bars),
        }
        click.echo(json.dumps(figures))
    else:
        _print_pairs(sources, unflagged, bars)
    return Exit.OK if all(bar.met for bar in bars) else Exit.FAILED


def _print_pairs(sources: PairScores, clean: CleanScores, bars: list[Bar]) -> None:
    from attending.guardrails.evaluation.pairs import FOUND

    click.echo(f"source pairs found or explained  {sources.found}")
    for told, number in (
        ("at the severity of their source", sources.as_graded),
        ("higher, by another fact", sources.higher),
        ("dose-conditional", sources.conditional),
        *((f"lower: {reason}", count) for reason, count in sorted(sources.lower.items())),
        ("lower without a reason", len(sources.misses)),
    ):
        click.echo(f"  {told:<36}{number:>7}")
    click.echo("\ngraded (rows), found (columns)")
    click.echo(f"{'':<17}" + "".join(f"{name:>16}" for name in FOUND))
    for graded, row in sorted(sources.matrix.items(), key=lambda item: FOUND.index(item[0])):
        click.echo(f"{graded:<17}" + "".join(f"{row[name]:>16}" for name in FOUND))
    for pair, found in sources.misses[:20]:
        click.echo(
            f"  miss: {pair.a} + {pair.b}: graded {pair.severity.value}, found {found} ({pair.rule_id})"
        )
    click.echo(f"\nclean pairs flagged              {clean.rate}")
    for code, number in sorted(clean.one_drug.items()):
        click.echo(f"  flagged for one drug alone: {code:<30}{number:>5}")
    for a, b, finding in clean.flagged[:20]:
        click.echo(f"  {a} + {b}: {finding}")
    print_bars(bars)

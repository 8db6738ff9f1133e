"""`attending eval grounding`: how well swapped facts are told from faithful sentences."""

from __future__ import annotations

import json
from collections.abc import Sequence
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
)
from attending.server.cli.examples import examples
from attending.server.cli.offline import checked_pack
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.guardrails.evaluation.grounding import Counts, GroundingScores
    from attending.guardrails.evaluation.report import Bar


@click.command(
    short_help="Measure how well swapped facts are told from faithful sentences.",
    epilog=examples(
        "attending eval grounding ../shared/clinical",
        "attending eval grounding ../shared/clinical --seed 7 --per-kind 300 --show",
        "attending eval grounding ../shared/clinical --json",
        after="Exit code 1 when a bar is missed, 3 when the notes are not there and nothing was measured.",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@knowledge_option
@click.option("--seed", type=int, default=1, show_default=True, help="Which swaps and tellings are drawn.")
@click.option(
    "--per-kind",
    type=click.IntRange(1, 10_000),
    default=200,
    show_default=True,
    help="Cases of each kind, at most.",
)
@click.option(
    "--min-caught",
    type=RATE,
    default=0.95,
    show_default=True,
    help="Bar: swaps of each kind caught, at least.",
)
@click.option(
    "--max-flagged",
    type=RATE,
    default=0.05,
    show_default=True,
    help="Bar: faithful tellings flagged, at most.",
)
@click.option(
    "--whole/--alone", default=True, show_default=True, help="Judge each swap in its whole note as well."
)
@click.option("--show", is_flag=True, help="Print each miss and each false alarm with its sentences.")
@json_option
def command(
    folder: Path,
    knowledge_path: Path | None,
    seed: int,
    per_kind: int,
    min_caught: float,
    max_flagged: float,
    whole: bool,
    show: bool,
    as_json: bool,
) -> int:
    """Swap one fact of a sentence of real notes and see whether grounding tells it from the note.

    FOLDER holds `aci-bench/train.csv` and `mts-dialog/MTS-Dialog-ValidationSet.csv`. Numbers, units, times, negations,
    drugs and sides are swapped by rule; the bars are for all but time. Faithful sentences are told in other words,
    orders and units. Whole notes are judged against their dialogues too, which no bar asks for.
    """
    from attending.guardrails.evaluation import grounding as measured
    from attending.guardrails.evaluation.report import Bar
    from attending.guardrails.knowledge import Knowledge

    checked_pack(knowledge_path)
    try:
        notes = measured.read_notes(folder)
    except measured.CorpusError as err:
        raise CommandError(
            f"skipped: {err} ({err.reason})", "give the folder that holds the notes", Exit.INDETERMINATE
        ) from None
    knowledge = Knowledge.load(knowledge_path)
    scores = measured.score(
        notes, knowledge, seed=seed, per_kind=per_kind, whole=whole, progress=progress_of("cases", as_json)
    )
    settings = [("alone", scores.alone), *([("whole note", scores.whole)] if whole else [])]
    bars = [
        Bar(f"{kind} swaps caught, {name}", f">= {min_caught}", (counts.rate(kind).rate or 0) >= min_caught)
        for name, counts in settings
        for kind in measured.BARRED
    ]
    flagged = scores.faithful.rate().rate
    bars.append(
        Bar("faithful tellings flagged", f"<= {max_flagged}", flagged is not None and flagged <= max_flagged)
    )
    if as_json:
        click.echo(
            json.dumps(
                {"knowledge_hash": knowledge.hash, "seed": seed, **scores.to_json(), "bars": bars_json(bars)}
            )
        )
    else:
        _print_grounding(scores, settings, bars)
    if show:
        _show_grounding(settings, scores)
    return Exit.OK if all(bar.met for bar in bars) else Exit.FAILED


def _print_grounding(
    scores: GroundingScores, settings: Sequence[tuple[str, Counts]], bars: list[Bar]
) -> None:
    from attending.guardrails.evaluation.swaps import KINDS

    for name, counts in settings:
        click.echo(f"swaps caught, {name}:")
        for kind in KINDS:
            click.echo(f"  {kind:<10}{counts.rate(kind)}")
            for how in counts.rules(kind):
                rate = counts.rate(kind, how)
                if rate.hits < rate.of:
                    click.echo(f"    {how:<22}{rate.hits:>5} of {rate.of}")
    click.echo(f"faithful tellings flagged {scores.faithful.rate()}")
    for how in scores.faithful.rules("faithful"):
        rate = scores.faithful.rate("faithful", how)
        click.echo(f"    {how:<26}{rate.hits:>5} of {rate.of}")
    click.echo(f"faithful sentences against the dialogue: flagged {scores.dialogue_flagged.rate()}")
    click.echo(f"  with a passage found {scores.dialogue_supported.rate()}")
    print_bars(bars)


def _show_grounding(settings: Sequence[tuple[str, Counts]], scores: GroundingScores) -> None:
    rows = [
        *((f"missed, {name}", counts) for name, counts in settings),
        ("flagged", scores.faithful),
        ("flagged against the dialogue", scores.dialogue_flagged),
    ]
    for what, counts in rows:
        for swap, findings in counts.examples:
            click.echo(f"\n{what}: {swap.kind}, {swap.how} ({swap.note.id})")
            click.echo(f"  note:  {swap.sentence}")
            click.echo(f"  claim: {swap.claim}")
            for finding in findings:
                click.echo(f"  {finding.rule_id}: {finding.message}")

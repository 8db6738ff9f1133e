"""`attending eval phi`: how much personal data is found in texts whose identifiers are marked."""

from __future__ import annotations

import json
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
    from attending.guardrails.evaluation.phi import PhiScores
    from attending.guardrails.evaluation.report import Bar


@click.command(
    short_help="Measure how much personal data is found.",
    epilog=examples(
        "attending eval phi ../shared/clinical/asq-phi-dev/queries.jsonl",
        "attending eval phi notes.jsonl --min-recall 0.95 --max-flagged 0.05 --show",
        "attending eval phi notes.jsonl --expect-sha256 $(cut -c1-64 notes.sha256) --json",
        after="Exit code 1 when a bar is missed.",
    ),
)
@click.argument("marked_set", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@knowledge_option
@click.option("--expect-sha256", help="Refuse a set whose bytes have another SHA-256.")
@click.option(
    "--min-recall",
    type=RATE,
    default=0.98,
    show_default=True,
    help="Bar: identifiers wholly covered, at least.",
)
@click.option(
    "--max-flagged",
    type=RATE,
    default=0.1,
    show_default=True,
    help="Bar: texts without identifiers that are flagged, at most.",
)
@click.option("--show", is_flag=True, help="Print what was missed and what was flagged, with its text.")
@json_option
def command(
    marked_set: Path,
    knowledge_path: Path | None,
    expect_sha256: str | None,
    min_recall: float,
    max_flagged: float,
    show: bool,
    as_json: bool,
) -> int:
    """Look for identifiers as `attending deid` does, in texts where somebody marked them.

    MARKED_SET holds JSON objects, one a line: `{"text", "phi": [{"type", "start", "end"}], "id"?}`, offsets in Unicode
    code points, end exclusive; `phi` is empty for a text without identifiers. One counts as found only where all of it
    is covered. A set with a line that is no case is not measured at all. Without --show no word of a text is printed.
    """
    from attending.guardrails.evaluation import phi as measured
    from attending.guardrails.evaluation.labelled import SetError
    from attending.guardrails.evaluation.report import Bar
    from attending.guardrails.knowledge import Knowledge
    from attending.guardrails.phi import PhiDetector

    checked_pack(knowledge_path)
    try:
        cases = measured.PhiSet.read(marked_set, expect_sha256=expect_sha256)
    except SetError as err:
        raise CommandError(
            f"{err} ({err.reason})", "give the set that was meant, whole", Exit.USAGE
        ) from None
    detector = PhiDetector(frozenset(Knowledge.load(knowledge_path).names()))
    scores = measured.run(cases.cases, detector, progress_of("texts", as_json))
    # A set of clean texts alone has no recall, and one without them no false alarms: that bar is not asked.
    recall, flagged = scores.recall, scores.clean_flagged
    bars = []
    if recall.of:
        bars.append(Bar("full-cover recall", f">= {min_recall}", (recall.rate or 0) >= min_recall))
    if flagged.of:
        bars.append(Bar("clean texts flagged", f"<= {max_flagged}", (flagged.rate or 0) <= max_flagged))
    if as_json:
        figures = {"set": marked_set.name, "set_sha256": cases.sha256}
        click.echo(json.dumps({**figures, **scores.to_json(), "bars": bars_json(bars)}))
    else:
        _print(scores, bars)
    if show:
        _show(scores)
    return Exit.OK if all(bar.met for bar in bars) else Exit.FAILED


def _print(scores: PhiScores, bars: list[Bar]) -> None:
    click.echo(f"identifiers found       {scores.recall}")
    if scores.unplaced:
        click.echo(f"  not placed by the set {scores.unplaced}")
    click.echo(f"spans on an identifier  {scores.precision}")
    click.echo(f"clean texts flagged     {scores.clean_flagged}")
    click.echo(f"CPU of a text           {scores.cpu_ms:.2f} ms")
    click.echo("\ntype")
    for type_, share in scores.recall_by_type().items():
        click.echo(f"{type_:<32}{share}")
    if scores.wrong():
        click.echo("\nwrong (--show prints their texts):")
        for row in scores.wrong():
            missed = ", ".join(f"missed {one.type}" for one in row.missed)
            click.echo(
                f"  {row.case.id:<16}{missed or 'flagged ' + ', '.join(s.type.value for s in row.spans)}"
            )
    print_bars(bars)


def _show(scores: PhiScores) -> None:
    for row in scores.wrong():
        click.echo(f"\n{row.case.id}: {row.case.text}")
        for one in row.missed:
            click.echo(f"  missed {one.type}: {row.case.text[one.start : one.end]}")
        for span in row.spans if row.flagged else ():
            click.echo(f"  flagged {span.type.value}: {row.case.text[span.start : span.end]}")

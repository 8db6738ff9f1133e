"""`attending eval`: how good the guardrails are, on a labelled set and over every interaction of the knowledge."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attending.guardrails.cores import usable_cores
from attending.server.cli.examples import examples
from attending.server.cli.offline import checked_pack, errors_explained
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.guardrails.evaluation.pairs import CleanScores, PairScores
    from attending.guardrails.evaluation.report import Bar, Made
    from attending.guardrails.evaluation.scoring import Scores

_JSON = click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
_REPORT = click.option(
    "--report",
    "report_path",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Write the figures to this file as Markdown: ids and codes, no texts.",
)
_KNOWLEDGE = click.option(
    "--knowledge",
    "knowledge_path",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of a knowledge pack; the package's own when left out.",
)
_RATE = click.FloatRange(0, 1)


@click.group(
    name="eval",
    epilog=examples(
        "attending eval guardrails set.jsonl --min-recall 0.9 --max-false-alarms 0.05",
        "attending eval interactions --report interactions.md",
    ),
)
def evaluate() -> None:
    """Measure the guardrails."""


@evaluate.command(
    short_help="Measure recall and false alarms on a labelled set.",
    epilog=examples(
        "attending eval guardrails set.jsonl --policy discharge-plan",
        "attending eval guardrails set.jsonl --min-recall 0.9 --max-false-alarms 0.05 --report figures.md",
        "attending eval guardrails set.jsonl --expect-sha256 $(cat set.sha256) --json",
        after="Exit code 1 when a bar is missed or a rail failed.",
    ),
)
@click.argument("labelled_set", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--policy", default="discharge-plan", show_default=True, help="Policy by name.")
@click.option(
    "--policies",
    "policies_path",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of policies; the package's own when left out.",
)
@_KNOWLEDGE
@click.option("--expect-sha256", help="Refuse a set whose bytes have another SHA-256.")
@click.option("--min-recall", type=_RATE, help="Bar: the share of dangerous cases flagged, at least.")
@click.option("--max-false-alarms", type=_RATE, help="Bar: the share of benign cases flagged, at most.")
@click.option("--show", is_flag=True, help="Print the outputs and messages of missed cases.")
@click.option("--workers", type=click.IntRange(1, 256), help="Check processes; one a core when left out.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(0, 600, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds for one case; a case that takes longer counts as a rail that failed.",
)
@_REPORT
@_JSON
def guardrails(
    labelled_set: Path,
    policy: str,
    policies_path: Path | None,
    knowledge_path: Path | None,
    expect_sha256: str | None,
    min_recall: float | None,
    max_false_alarms: float | None,
    show: bool,
    workers: int | None,
    timeout_seconds: float,
    report_path: Path | None,
    as_json: bool,
) -> int:
    """Measure the guard on a labelled set.

    LABELLED_SET holds JSON objects, one a line: `{"id", "output", "prompt"?, "context"?, "documents"?, "label",
    "category"?, "register"?, "expect_min_severity"?, "audience"?}` with label dangerous or benign. Every case goes
    through the processes and rails that serve. A set with a line that is no case is not measured at all.
    """
    from attending.guardrails.evaluation import report
    from attending.guardrails.evaluation.labelled import LabelledSet, SetError
    from attending.guardrails.evaluation.measure import run_guard
    from attending.server.app import package_policies
    from attending.server.version import version

    try:
        cases = LabelledSet.read(labelled_set, expect_sha256=expect_sha256)
    except SetError as err:
        raise CommandError(
            f"{err} ({err.reason})", "give the set that was meant, whole", Exit.USAGE
        ) from None
    checked_pack(knowledge_path)
    policies = policies_path or package_policies()
    try:
        with errors_explained(policies):
            scores, policy_hash, knowledge_hash = run_guard(
                policy,
                cases.cases,
                policies_path=policies,
                knowledge_path=knowledge_path,
                workers=workers or max(1, min(usable_cores(), len(cases.cases) // 20)),
                timeout_seconds=timeout_seconds,
                progress=_progress("cases", as_json),
            )
    except KeyError:
        raise CommandError(
            f"no policy `{policy}` in `{policies}`", "see `attending policy list`", Exit.USAGE
        ) from None
    made = report.Made(labelled_set.name, cases.sha256, policy, policy_hash, knowledge_hash, version())
    bars = _guard_bars(scores, min_recall, max_false_alarms)
    if report_path is not None:
        report_path.write_text(report.guardrails(made, scores, bars), encoding="utf-8")
    if as_json:
        click.echo(json.dumps(_guard_json(made, scores, bars)))
    else:
        _print_scores(scores, bars)
    if show:
        _show_misses(scores)
    return Exit.OK if all(bar.met for bar in bars) and not scores.failures else Exit.FAILED


@evaluate.command(
    short_help="Measure every interaction pair of the knowledge, and clean pairs.",
    epilog=examples(
        "attending eval interactions",
        "attending eval interactions --sample 2000 --clean 2000 --json",
        after="Exit code 1 when a bar is missed.",
    ),
)
@_KNOWLEDGE
@click.option("--sample", type=click.IntRange(min=1), help="Judge so many source pairs; all when left out.")
@click.option(
    "--clean", type=click.IntRange(min=0), default=5000, show_default=True, help="Clean pairs to draw."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of --sample and --clean.")
@click.option(
    "--min-found", type=_RATE, default=1.0, show_default=True, help="Bar: source pairs found or explained."
)
@click.option(
    "--max-flagged",
    type=_RATE,
    default=0.005,
    show_default=True,
    help="Bar: the share of clean pairs flagged.",
)
@_REPORT
@_JSON
def interactions(
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
    sources = pairs.score_sources(knowledge, asked, _progress("source pairs", as_json))
    drawn = pairs.clean_pairs(knowledge, clean, seed)
    unflagged = pairs.score_clean(knowledge, drawn, _progress("clean pairs", as_json))
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
            "bars": _bars_json(bars),
        }
        click.echo(json.dumps(figures))
    else:
        _print_pairs(sources, unflagged, bars)
    return Exit.OK if all(bar.met for bar in bars) else Exit.FAILED


def _guard_bars(scores: Scores, min_recall: float | None, max_false_alarms: float | None) -> list[Bar]:
    from attending.guardrails.evaluation.report import Bar

    bars = []
    if min_recall is not None:
        bars.append(Bar("recall", f">= {min_recall}", (scores.recall.rate or 0) >= min_recall))
    if max_false_alarms is not None:
        rate = scores.false_alarms.rate
        # Without a benign case there is no rate, and a bar that was asked for is not met by silence.
        bars.append(
            Bar("false alarms", f"<= {max_false_alarms}", rate is not None and rate <= max_false_alarms)
        )
    return bars


def _guard_json(made: Made, scores: Scores, bars: list[Bar]) -> dict[str, object]:
    return {
        "set": made.set_name,
        "set_sha256": made.set_sha256,
        "policy": made.policy,
        "policy_hash": made.policy_hash,
        "knowledge_hash": made.knowledge_hash,
        **scores.to_json(),
        "bars": _bars_json(bars),
    }


def _bars_json(bars: list[Bar]) -> list[dict[str, object]]:
    return [{"bar": bar.name, "asked": bar.asked, "met": bar.met} for bar in bars]


def _print_scores(scores: Scores, bars: list[Bar]) -> None:
    from attending.guardrails.evaluation.scoring import codes

    click.echo(f"recall of dangerous     {scores.recall}")
    click.echo(f"  at expected severity  {scores.recall_at_severity}")
    click.echo(f"  verdict hold or block {scores.held}")
    click.echo(f"  only as not covered   {scores.only_not_covered}")
    click.echo(f"false alarms on benign  {scores.false_alarms}")
    if scores.failures:
        click.echo(f"cases with a rail that failed: {scores.failures}")
    for title, table in (("verdict", scores.confusion()), ("worst severity", scores.severities())):
        columns = list(table["dangerous"])
        click.echo(f"\n{title:<18}" + "".join(f"{name:>17}" for name in columns))
        for label, row in table.items():
            click.echo(f"{label:<18}" + "".join(f"{row[name]:>17}" for name in columns))
    for title, groups in (
        ("category", scores.by(lambda case: case.category)),
        ("register", scores.by(lambda case: case.register)),
    ):
        click.echo(f"\n{title:<28}{'dangerous':>12}{'benign':>12}   flagged of cases")
        for group, (recall, alarms) in groups.items():
            click.echo(f"{group:<28}{recall.hits:>7} /{recall.of:>3}{alarms.hits:>7} /{alarms.of:>3}")
    if scores.misses():
        click.echo("\nmisses (--show prints their texts):")
        for one in scores.misses():
            click.echo(f"  {one.case.id:<24}{one.case.label:<11}{', '.join(codes(one)) or 'no finding'}")
    _print_bars(bars)


def _show_misses(scores: Scores) -> None:
    for one in scores.misses():
        click.echo(f"\n{one.case.id} ({one.case.label}, {one.case.category})")
        for key, text in (("prompt", one.case.judged.prompt), ("output", one.case.judged.output)):
            if text is not None:
                click.echo(f"  {key}: {text}")
        for finding in one.findings:
            click.echo(f"  {finding.code.value}/{finding.severity.value}: {finding.message}")


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
    _print_bars(bars)


def _print_bars(bars: list[Bar]) -> None:
    for bar in bars:
        click.echo(f"{'met' if bar.met else 'MISSED'}: {bar.name} {bar.asked}")


def _progress(noun: str, as_json: bool) -> Callable[[int, int], None] | None:
    """A count on a terminal's standard error, None elsewhere."""
    if as_json or not sys.stderr.isatty():
        return None

    def show(done: int, of: int) -> None:
        if done % 50 == 0 or done == of:
            click.echo(f"\r\x1b[K{done} of {of} {noun}" if done < of else "\r\x1b[K", nl=False, err=True)

    return show


command = evaluate

"""`attending eval guardrails`: recall and false alarms of a guard on a labelled set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attending.guardrails.cores import usable_cores
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
from attending.server.cli.offline import checked_pack, errors_explained
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.guardrails.evaluation.report import Bar, Made
    from attending.guardrails.evaluation.scoring import Scores


SETS = Path("tests/evaluation")
"""Where a checkout keeps its labelled sets; the package carries none."""


@click.command(
    short_help="Measure recall and false alarms on a labelled set.",
    epilog=examples(
        "attending eval guardrails set.jsonl --policy discharge-plan",
        "attending eval guardrails --set k --min-recall 0.9",
        "attending eval guardrails set.jsonl --min-recall 0.9 --max-false-alarms 0.05 --report figures.md",
        "attending eval guardrails set.jsonl --expect-sha256 $(cat set.sha256) --json",
        after="Exit code 1 when a bar is missed or a rail failed.",
    ),
)
@click.argument("labelled_set", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--set",
    "set_name",
    metavar="NAME",
    help="A set of this checkout by its name, instead of a file: `k` of the development sets, `unseen-3`.",
)
@click.option("--policy", default="discharge-plan", show_default=True, help="Policy by name.")
@click.option(
    "--policies",
    "policies_path",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of policies; the package's own when left out.",
)
@knowledge_option
@click.option("--expect-sha256", help="Refuse a set whose bytes have another SHA-256.")
@click.option("--min-recall", type=RATE, help="Bar: the share of dangerous cases flagged, at least.")
@click.option("--max-false-alarms", type=RATE, help="Bar: the share of benign cases flagged, at most.")
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
@report_option
@json_option
def command(
    labelled_set: Path | None,
    set_name: str | None,
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
    from attending.server.shipped import package_policies
    from attending.server.version import version

    if (labelled_set is None) == (set_name is None):
        raise CommandError("give a file or --set NAME", "attending eval guardrails --help", Exit.USAGE)
    labelled_set = labelled_set or _named_set(set_name or "")
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
                progress=progress_of("cases", as_json),
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
        "bars": bars_json(bars),
    }


def _named_set(name: str) -> Path:
    """The file of a set below `SETS` of the working directory. Raises CommandError, which names those there are."""
    found = {path.stem: path for path in sorted(SETS.glob("development/*.jsonl"))}
    found |= {path.parent.name: path for path in sorted(SETS.glob("*/cases.jsonl"))}
    if name in found:
        return found[name]
    there = ", ".join(found) or f"none: there is no `{SETS}` here"
    raise CommandError(f"no labelled set `{name}`", f"one of {there}; or give a file", Exit.USAGE)


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
    precision, recalled = scores.precision_by_code(), scores.recall_by_code()
    click.echo(
        f"\n{'code':<28}{'dangerous':>12}{'benign':>12}   precision; recall of the category of its name"
    )
    for code, row in scores.alarms_by_code().items():
        recall_of = f"; {recalled[code]}" if code in recalled else ""
        click.echo(f"{code:<28}{row['dangerous']:>12}{row['benign']:>12}   {precision[code]}{recall_of}")
    times = ", ".join(f"{share} {value} ms" for share, value in scores.latency_ms().items())
    click.echo(f"\ntime of one case        {times}")
    if scores.misses():
        click.echo("\nmisses (--show prints their texts):")
        for one in scores.misses():
            click.echo(f"  {one.case.id:<24}{one.case.label:<11}{', '.join(codes(one)) or 'no finding'}")
    print_bars(bars)


def _show_misses(scores: Scores) -> None:
    for one in scores.misses():
        click.echo(f"\n{one.case.id} ({one.case.label}, {one.case.category})")
        for key, text in (("prompt", one.case.judged.prompt), ("output", one.case.judged.output)):
            if text is not None:
                click.echo(f"  {key}: {text}")
        for finding in one.findings:
            click.echo(f"  {finding.code.value}/{finding.severity.value}: {finding.message}")

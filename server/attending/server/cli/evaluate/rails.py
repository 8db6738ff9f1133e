"""`attending eval rails`: injection, toxicity, self-harm and scope of use on hostile and benign texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attending.server.cli.evaluate.figures import (
    RATE,
    bars_json,
    json_option,
    print_bars,
    progress_of,
    report_option,
)
from attending.server.cli.examples import examples
from attending.server.cli.offline import errors_explained
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.guardrails.evaluation.hostile import HostileScores
    from attending.guardrails.evaluation.report import Bar


@click.command(
    short_help="Measure injection, toxicity, self-harm and scope of use.",
    epilog=examples(
        "attending eval rails --set hostile.jsonl",
        "attending eval rails --set hostile.jsonl --min-recall 0.95 --max-false-alarms 0.01 --report figures.md",
        "attending eval rails --set hostile.jsonl --expect-sha256 $(cut -c1-64 hostile.sha256) --json",
        after="Exit code 1 when a bar is missed.",
    ),
)
@click.option(
    "--set",
    "set_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="JSON lines: id, label (attack, benign), family, place, text, and for an attack its code.",
)
@click.option("--policy", default="patient-message", show_default=True, help="Policy whose scope applies.")
@click.option(
    "--policies",
    "policies_path",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of policies; the package's own when left out.",
)
@click.option("--expect-sha256", help="Refuse a set whose bytes have another SHA-256.")
@click.option("--min-recall", type=RATE, help="Bar: the share of attacks found, for every code, at least.")
@click.option("--max-false-alarms", type=RATE, help="Bar: the share of benign texts flagged, at most.")
@click.option("--show", is_flag=True, help="Print the texts that were judged wrongly.")
@report_option
@json_option
def command(
    set_path: Path,
    policy: str,
    policies_path: Path | None,
    expect_sha256: str | None,
    min_recall: float | None,
    max_false_alarms: float | None,
    show: bool,
    report_path: Path | None,
    as_json: bool,
) -> int:
    """Measure the rails over language on hostile and benign texts: what is found of each family, and what of ordinary
    clinical writing is flagged, with 95 % intervals. A benign document is judged as an output as well.
    """
    from attending.guardrails.evaluation import hostile, report
    from attending.guardrails.evaluation.labelled import SetError
    from attending.guardrails.policy.load import PolicySet
    from attending.server.shipped import package_policies
    from attending.server.version import version

    try:
        cases = hostile.HostileSet.read(set_path, expect_sha256=expect_sha256)
    except SetError as err:
        raise CommandError(
            f"{err} ({err.reason})", "give the set that was meant, whole", Exit.USAGE
        ) from None
    folder = policies_path or package_policies()
    with errors_explained(folder):
        policies = PolicySet.load(folder, include_drafts=True)
    if policy not in policies:
        raise CommandError(f"no policy `{policy}` in `{folder}`", "see `attending policy list`", Exit.USAGE)
    scores = hostile.run(cases.cases, policies[policy].scope, progress_of("texts", as_json))
    bars = []
    if min_recall is not None:
        bars += [
            report.Bar(f"recall of {code}", f">= {min_recall}", (share.rate or 0) >= min_recall)
            for code, share in scores.recall.items()
        ]
    if max_false_alarms is not None:
        rate = scores.false_alarms.rate
        bars.append(
            report.Bar(
                "false alarms", f"<= {max_false_alarms}", rate is not None and rate <= max_false_alarms
            )
        )
    if report_path is not None:
        text = hostile.markdown(set_path.name, cases.sha256, version(), scores, bars)
        report_path.write_text(text, encoding="utf-8")
    if as_json:
        figures = {"set": set_path.name, "set_sha256": cases.sha256, "policy": policy}
        click.echo(json.dumps({**figures, **scores.to_json(), "bars": bars_json(bars)}))
    else:
        _print_hostile(scores, bars)
    if show:
        for one in scores.wrong():
            click.echo(
                f"\n{one.case.id} ({one.case.label}, {one.case.family}, {one.case.place}): {one.case.text}"
            )
    return Exit.OK if all(bar.met for bar in bars) else Exit.FAILED


def _print_hostile(scores: HostileScores, bars: list[Bar]) -> None:
    for code, share in scores.recall.items():
        click.echo(f"found, {code:<12}{share}")
    click.echo(f"false alarms       {scores.false_alarms}")
    click.echo(f"CPU per KB         {scores.cpu_ms_per_kb:.2f} ms")
    for title, label in (("attacks", "attack"), ("benign", "benign")):
        click.echo(f"\n{title:<28}flagged of texts")
        for family, share in scores.families("attack" if label == "attack" else "benign").items():
            click.echo(f"{family:<28}{share.hits:>7} /{share.of:>3}")
    wrong = scores.wrong()
    if wrong:
        click.echo("\nwrong (--show prints their texts):")
        for one in wrong:
            found = ", ".join(f"{code.value}:{rule}" for code, rule in one.found) or "nothing"
            click.echo(f"  {one.case.id:<16}{one.case.family:<28}{found}")
    print_bars(bars)

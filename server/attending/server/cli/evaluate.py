"""`attending eval`: how good the guardrails are, on a labelled set and over every interaction of the knowledge."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attending.guardrails.cores import usable_cores
from attending.server.cli.examples import examples
from attending.server.cli.offline import checked_pack, errors_explained
from attending.server.cli.outcome import CommandError, Exit

if TYPE_CHECKING:
    from attending.guardrails.evaluation.grounding import Counts, GroundingScores
    from attending.guardrails.evaluation.hostile import HostileScores
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
        "attending eval rails --set hostile.jsonl",
        "attending eval interactions --report interactions.md",
        "attending eval grounding ../shared/clinical --seed 7",
    ),
)
def evaluate() -> None:
    """Measure the guardrails."""


@evaluate.command(
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
    from attending.server.app import package_policies
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


@evaluate.command(
    short_help="Measure how well swapped facts are told from faithful sentences.",
    epilog=examples(
        "attending eval grounding ../shared/clinical",
        "attending eval grounding ../shared/clinical --seed 7 --per-kind 300 --show",
        "attending eval grounding ../shared/clinical --json",
        after="Exit code 1 when a bar is missed, 3 when the notes are not there and nothing was measured.",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@_KNOWLEDGE
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
    type=_RATE,
    default=0.95,
    show_default=True,
    help="Bar: swaps of each kind caught, at least.",
)
@click.option(
    "--max-flagged",
    type=_RATE,
    default=0.05,
    show_default=True,
    help="Bar: faithful tellings flagged, at most.",
)
@click.option(
    "--whole/--alone", default=True, show_default=True, help="Judge each swap in its whole note as well."
)
@click.option("--show", is_flag=True, help="Print each miss and each false alarm with its sentences.")
@_JSON
def grounding(
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
        notes, knowledge, seed=seed, per_kind=per_kind, whole=whole, progress=_progress("cases", as_json)
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
                {"knowledge_hash": knowledge.hash, "seed": seed, **scores.to_json(), "bars": _bars_json(bars)}
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
    _print_bars(bars)


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


@evaluate.command(
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
@click.option("--min-recall", type=_RATE, help="Bar: the share of attacks found, for every code, at least.")
@click.option("--max-false-alarms", type=_RATE, help="Bar: the share of benign texts flagged, at most.")
@click.option("--show", is_flag=True, help="Print the texts that were judged wrongly.")
@_REPORT
@_JSON
def rails(
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
    from attending.server.app import package_policies
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
    scores = hostile.run(cases.cases, policies[policy].scope, _progress("texts", as_json))
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
        click.echo(json.dumps({**figures, **scores.to_json(), "bars": _bars_json(bars)}))
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
    _print_bars(bars)


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


SETS = Path("tests/evaluation")
"""Where a checkout keeps its labelled sets; the package carries none."""


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

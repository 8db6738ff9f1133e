"""The figures as Markdown: ids and codes, never a word of a text that was judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from attending.guardrails.evaluation.pairs import FOUND, CleanScores, PairScores
from attending.guardrails.evaluation.scoring import Scores, codes
from attending.guardrails.evaluation.wilson import Proportion


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar that was asked for, and whether the figure meets it."""

    name: str
    asked: str
    met: bool


@dataclass(frozen=True, slots=True)
class Made:
    """What the figures were made with."""

    set_name: str
    set_sha256: str
    policy: str
    policy_hash: str
    knowledge_hash: str
    version: str


def guardrails(made: Made, scores: Scores, bars: Sequence[Bar]) -> str:
    """The report of `attending eval guardrails`."""
    lines = [
        "# Guardrails on a labelled set",
        "",
        *table(
            ("what", "value"),
            [
                ("set", f"{made.set_name}, {len(scores.outcomes)} cases"),
                ("sha256 of the set", made.set_sha256),
                ("policy", f"{made.policy} ({made.policy_hash})"),
                ("knowledge", made.knowledge_hash),
                ("version", made.version),
            ],
        ),
        "",
        "A case is flagged by a finding at moderate or above. Intervals are Wilson, 95 %.",
        "",
        *table(
            ("figure", "value"),
            [
                ("dangerous, flagged (recall)", str(scores.recall)),
                ("dangerous, flagged at the severity expected", str(scores.recall_at_severity)),
                ("dangerous, verdict hold or block", str(scores.held)),
                ("dangerous, flagged only because the knowledge is silent", str(scores.only_not_covered)),
                ("benign, flagged (false alarms)", str(scores.false_alarms)),
                ("cases in which a rail failed", str(scores.failures)),
                ("time of one case", ", ".join(f"{k} {v} ms" for k, v in scores.latency_ms().items())),
            ],
        ),
        "",
        *bars_table(bars),
        "## Label and verdict",
        "",
        *_counts(scores.confusion()),
        "",
        "## Label and worst severity",
        "",
        *_counts(scores.severities()),
        "",
    ]
    for title, groups in (
        ("category", scores.by(lambda case: case.category)),
        ("register", scores.by(lambda case: case.register)),
    ):
        lines += [f"## By {title}", "", *_groups(title, groups), ""]
    precision, recall = scores.precision_by_code(), scores.recall_by_code()
    lines += [
        "## Cases flagged, by code",
        "",
        *table(
            ("code", "dangerous", "benign", "precision", "recall of the category of its name"),
            [
                (code, row["dangerous"], row["benign"], str(precision[code]), str(recall.get(code, "")))
                for code, row in scores.alarms_by_code().items()
            ],
        ),
        "",
        "## Misses",
        "",
    ]
    misses = [
        (one.case.id, one.case.label, one.case.category, one.case.register, ", ".join(codes(one)) or "none")
        for one in scores.misses()
    ]
    lines += table(("id", "label", "category", "register", "findings"), misses) if misses else ["None."]
    return "\n".join(lines) + "\n"


def interactions(
    knowledge_hash: str, version: str, sources: PairScores, clean: CleanScores, seed: int, bars: Sequence[Bar]
) -> str:
    """The report of `attending eval interactions`."""
    lines = [
        "# Interaction pairs from plain sentences",
        "",
        f"Knowledge {knowledge_hash}, version {version}. Clean pairs drawn with seed {seed}.",
        "",
        *table(
            ("figure", "value"),
            [
                ("source pairs found, or lower for a reason that the knowledge states", str(sources.found)),
                ("at the severity of their source", sources.as_graded),
                ("higher, by another source, a label or an authored fact", sources.higher),
                ("dose-conditional: severe above the dose, not below it", sources.conditional),
                *((f"lower: {reason}", number) for reason, number in sorted(sources.lower.items())),
                ("lower without a reason (misses)", len(sources.misses)),
                ("clean pairs flagged as a pair", str(clean.rate)),
                *(
                    (f"clean pairs flagged for one drug: {code}", n)
                    for code, n in sorted(clean.one_drug.items())
                ),
            ],
        ),
        "",
        *bars_table(bars),
        "## Severity of the source (rows) and severity found (columns)",
        "",
        *table(
            ("graded", *FOUND),
            [
                (graded, *(row[found] for found in FOUND))
                for graded, row in sorted(sources.matrix.items(), key=lambda item: FOUND.index(item[0]))
            ],
        ),
        "",
        "## Clean pairs flagged",
        "",
    ]
    lines += table(("drug", "drug", "finding"), clean.flagged) if clean.flagged else ["None."]
    lines += ["", "## Misses", ""]
    misses = [(p.a, p.b, p.severity.value, found, p.rule_id) for p, found in sources.misses]
    lines += table(("drug", "drug", "graded", "found", "rule"), misses) if misses else ["None."]
    return "\n".join(lines) + "\n"


def bars_table(bars: Sequence[Bar]) -> list[str]:
    """The bars as rows of Markdown; nothing where none was asked for."""
    if not bars:
        return []
    rows = [(bar.name, bar.asked, "met" if bar.met else "missed") for bar in bars]
    return [*table(("bar", "asked", "result"), rows), ""]


def _counts(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    columns = list(next(iter(counts.values())))
    return table(("label", *columns), [(label, *row.values()) for label, row in counts.items()])


def _groups(title: str, groups: Mapping[str, tuple[Proportion, Proportion]]) -> list[str]:
    return table(
        (title, "dangerous, flagged", "benign, flagged"),
        [(group, str(recall), str(alarms)) for group, (recall, alarms) in groups.items()],
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Rows of Markdown; a cell is one line and cannot break out of its column."""
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(_cell(cell) for cell in row)} |" for row in rows),
    ]


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")

"""Every interaction pair of the pack's sources, and pairs of which no source says anything, from plain sentences.

A source pair must be found at the severity that its rows grade it with. Where it is found lower, the reason is looked
up in the knowledge (an adjustment, the never-interruptive overlay, a drug that is given locally only, a dose that the
row names, a name that is not looked for in texts); what has no reason is a miss. Found higher means that another row,
a label or an authored fact grades the pair higher.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from attending.guardrails.checks import classes
from attending.guardrails.checks.run import run_checks
from attending.guardrails.clinical.route import routes as route_words
from attending.guardrails.evaluation.wilson import Proportion
from attending.guardrails.finding import Basis, Code, Finding, Severity
from attending.guardrails.knowledge import Knowledge
from attending.guardrails.knowledge.facts import Covered, Interaction
from attending.guardrails.patient import Judged, PatientContext

NONE: Final = "none"
FOUND: Final = (NONE, "info", "minor", "moderate", "major", "contraindicated")
_OF_TWO: Final = frozenset({Code.INTERACTION, Code.DUPLICATE, Code.STACKING})
_SENTENCES: Final = (
    "Start {a} and {b} today.",
    "The patient takes {a}. Add {b}.",
    "Continue {a} and begin {b} tomorrow.",
    "Prescribe {b} in addition to {a}.",
    "Your new medicine is {a}. Take it together with {b}.",
)
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two drugs, and the worst severity with which source rows grade them. `dose_drug` and `above_daily_mg` where
    every such row holds above a dose only."""

    a: str
    b: str
    severity: Severity
    rule_id: str
    dose_drug: str | None = None
    above_daily_mg: Decimal | None = None


@dataclass
class PairScores:
    """Counts over source pairs; `lower` maps a reason to how many pairs it explains."""

    matrix: dict[str, Counter[str]] = field(default_factory=dict)
    as_graded: int = 0
    higher: int = 0
    lower: Counter[str] = field(default_factory=Counter)
    conditional: int = 0
    """Dose-conditional pairs found at their severity above the dose and below it at or below the dose."""
    misses: list[tuple[Pair, str]] = field(default_factory=list)
    """Pairs found below their severity without a reason, and at what they were found."""

    @property
    def found(self) -> Proportion:
        explained = self.as_graded + self.higher + self.conditional + sum(self.lower.values())
        return Proportion(explained, explained + len(self.misses))

    def to_json(self) -> dict[str, Any]:
        return {
            "pairs": self.found.of,
            "found": self.found.to_json(),
            "as_graded": self.as_graded,
            "graded_higher_by_another_fact": self.higher,
            "dose_conditional": self.conditional,
            "lower_for_a_reason": dict(sorted(self.lower.items())),
            "confusion": {
                graded: {found: row[found] for found in FOUND} for graded, row in self.matrix.items()
            },
            "misses": [
                {"a": p.a, "b": p.b, "graded": p.severity.value, "found": found, "rule_id": p.rule_id}
                for p, found in self.misses
            ],
        }


@dataclass
class CleanScores:
    """Pairs without an edge that got a finding at moderate or above which speaks of two drugs."""

    of: int = 0
    flagged: list[tuple[str, str, str]] = field(default_factory=list)
    """Drug, drug, `code/severity`."""
    one_drug: Counter[str] = field(default_factory=Counter)
    """Findings that speak of one of the two alone (a paralysing drug without an airway): code/severity -> pairs."""

    @property
    def rate(self) -> Proportion:
        return Proportion(len(self.flagged), self.of)

    def to_json(self) -> dict[str, Any]:
        told = [{"a": a, "b": b, "finding": finding} for a, b, finding in self.flagged]
        return {"flagged": self.rate.to_json(), "pairs": told, "of_one_drug": dict(self.one_drug)}


def source_pairs(knowledge: Knowledge) -> tuple[Pair, ...]:
    """Every pair of drugs between which a source row stands, class rows expanded, in alphabetical order."""
    plain: dict[tuple[str, str], Interaction] = {}
    dosed: dict[tuple[str, str], Interaction] = {}
    for fact in knowledge.all_interactions():
        if fact.provenance.basis is not Basis.SOURCE_ROW or fact.route is not None:
            continue
        table = plain if fact.above_daily_mg is None else dosed
        for a in _members(knowledge, fact.a):
            for b in _members(knowledge, fact.b):
                if a == b:
                    continue
                key = (a, b) if a < b else (b, a)
                held = table.get(key)
                if held is None or fact.severity.rank > held.severity.rank:
                    table[key] = fact
    found = [Pair(a, b, fact.severity, fact.provenance.rule_id) for (a, b), fact in plain.items()]
    found += [
        Pair(a, b, fact.severity, fact.provenance.rule_id, fact.dose_drug, fact.above_daily_mg)
        for (a, b), fact in dosed.items()
        if fact.dose_drug in (a, b)
        and ((a, b) not in plain or plain[a, b].severity.rank < fact.severity.rank)
    ]
    return tuple(sorted(found, key=lambda pair: (pair.a, pair.b, pair.dose_drug or "")))


def clean_pairs(knowledge: Knowledge, count: int, seed: int) -> tuple[tuple[str, str], ...]:
    """`count` different pairs of drugs that are covered for interactions and have no fact between them, drawn with
    `seed`; fewer where there are not so many. Drugs whose names are not looked for in texts are left out."""
    names = knowledge.names()
    drugs = sorted(
        drug
        for drug in knowledge.drugs()
        if drug in names and knowledge.covered(drug, "interaction") is Covered.COVERED
    )
    draw = random.Random(seed)
    found: dict[tuple[str, str], None] = {}
    for _ in range(count * 20):
        if len(found) >= count or len(drugs) < 2:
            break
        a, b = sorted(draw.sample(drugs, 2))
        if not knowledge.interactions(a, b):
            found[a, b] = None
    return tuple(found)


def score_sources(
    knowledge: Knowledge, pairs: Sequence[Pair], progress: Progress | None = None
) -> PairScores:
    scores = PairScores()
    for number, pair in enumerate(pairs):
        if pair.dose_drug is not None:
            _score_dosed(knowledge, pair, scores)
        else:
            _score_plain(knowledge, pair, number, scores)
        if progress is not None:
            progress(number + 1, len(pairs))
    return scores


def score_clean(
    knowledge: Knowledge, pairs: Sequence[tuple[str, str]], progress: Progress | None = None
) -> CleanScores:
    scores = CleanScores()
    for number, (a, b) in enumerate(pairs):
        findings = _judge(knowledge, _SENTENCES[number % len(_SENTENCES)].format(a=a, b=b))
        scores.of += 1
        alarms = [f for f in findings if f.severity.rank >= Severity.MODERATE.rank]
        worst = max(
            alarms, key=lambda f: ({a, b} <= set(f.drugs) or f.code in _OF_TWO, f.severity.rank), default=None
        )
        if worst is not None:
            told = f"{worst.code.value}/{worst.severity.value}"
            if {a, b} <= set(worst.drugs) or worst.code in _OF_TWO:
                scores.flagged.append((a, b, told))
            else:
                scores.one_drug[told] += 1
        if progress is not None:
            progress(number + 1, len(pairs))
    return scores


def _score_plain(knowledge: Knowledge, pair: Pair, number: int, scores: PairScores) -> None:
    text = _SENTENCES[number % len(_SENTENCES)].format(a=pair.a, b=pair.b)
    found = _severity(_judge(knowledge, text), pair)
    shown = NONE if found is None else found.value
    scores.matrix.setdefault(pair.severity.value, Counter())[shown] += 1
    rank = -1 if found is None else found.rank
    if rank == pair.severity.rank:
        scores.as_graded += 1
    elif rank > pair.severity.rank:
        scores.higher += 1
    elif (reason := _why_lower(knowledge, pair, rank)) is not None:
        scores.lower[reason] += 1
    else:
        scores.misses.append((pair, shown))


def _score_dosed(knowledge: Knowledge, pair: Pair, scores: PairScores) -> None:
    """Above the dose the row counts; at half of it, it does not: then the pair is what the other facts say."""
    dose, above = pair.dose_drug or "", pair.above_daily_mg or Decimal(0)
    other = pair.a if pair.b == dose else pair.b
    over = _judge(knowledge, f"Start {dose} {_shown(above * 2)} mg once daily and {other}.")
    under = _judge(knowledge, f"Start {dose} {_shown(above / 2)} mg once daily and {other}.")
    high, low = _severity(over, pair), _severity(under, pair)
    facts = knowledge.interactions(pair.a, pair.b)
    allowed = max((f.severity.rank for f in facts if f.above_daily_mg is None), default=-1)
    reached = -1 if high is None else high.rank
    if reached >= pair.severity.rank and (-1 if low is None else low.rank) <= max(allowed, 0):
        scores.conditional += 1
    elif (reason := _why_lower(knowledge, pair, reached)) is not None:
        scores.lower[reason] += 1
    else:
        scores.misses.append((pair, NONE if high is None else high.value))


def _why_lower(knowledge: Knowledge, pair: Pair, rank: int) -> str | None:
    """Why the pair counts for less than its source says; None where nothing explains it."""
    names = knowledge.names()
    if any(drug not in names or drug not in names[drug].drugs for drug in (pair.a, pair.b)):
        return "name not looked for in texts"
    if f"{pair.a} and {pair.b}" in names or f"{pair.b} and {pair.a}" in names:
        return "the name of one product"
    if any(_local(knowledge, drug) for drug in (pair.a, pair.b)):
        return "given locally only"
    cap = knowledge.adjusted(pair.a, pair.b)
    if cap is not None and cap.rank < pair.severity.rank and rank >= cap.rank:
        return "adjustment"
    return "never interruptive" if knowledge.quiet(pair.a, pair.b) and rank >= Severity.MINOR.rank else None


def _local(knowledge: Knowledge, drug: str) -> bool:
    """True where no product is systemic, or the name itself says that it is a gel, cream or the like."""
    routes = knowledge.routes(drug)
    if any(word.route in classes.LOCAL_ROUTES for word in route_words(drug)):
        return True
    return bool(routes) and routes <= classes.LOCAL_ROUTES and drug not in classes.SYSTEMIC_THROUGH_SKIN


def _judge(knowledge: Knowledge, text: str) -> tuple[Finding, ...]:
    return run_checks(Judged(text, None, PatientContext(), ()), knowledge, audience="clinician").findings


def _severity(findings: Iterable[Finding], pair: Pair) -> Severity | None:
    levels = [f.severity for f in findings if f.code is Code.INTERACTION and set(f.drugs) == {pair.a, pair.b}]
    return max(levels, key=lambda level: level.rank, default=None)


def _members(knowledge: Knowledge, side: str) -> Iterator[str]:
    members = knowledge.members(side)
    yield from sorted(members) if members else (side,)


def _shown(amount: Decimal) -> str:
    return f"{amount.normalize():f}"

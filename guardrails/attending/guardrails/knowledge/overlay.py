"""The overlays over the graded pairs: what no source may lower, what no source may raise, and what labels allow.

A must-hold pair has a fact of at least its severity (major or contraindicated), whatever sources and adjustments say.
A never-interruptive pair counts at most minor, except above the dose that its row names. Some rows hold only where the
two are taken hours apart: those lower nothing here, `spaced_hours` tells the check what to look for. A managed pair is
one that its labels allow at a lowered dose or in a condition; the check asks `managed` and looks at dose and patient.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from attending.guardrails.finding import Basis, Severity
from attending.guardrails.knowledge.facts import Interaction, Provenance
from attending.guardrails.knowledge.load import Pack

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class NeverInterruptive:
    """One pair of sides (drug or class id, alphabetical) that does not interrupt by itself."""

    a: str
    b: str
    provenance: Provenance
    dose_drug: str | None = None
    above_daily_mg: Decimal | None = None
    """The pair may exceed minor above this daily dose of `dose_drug`."""
    spaced_hours: Decimal | None = None
    """The row holds only where the two are taken at least this far apart."""


@dataclass(frozen=True, slots=True)
class ManagedPair:
    """One pair of sides (drug or class id, alphabetical) that is given together as labels allow: with at most
    `up_to_daily_mg` of `dose_drug` a day on average, and in a patient with one of `conditions`, where named."""

    a: str
    b: str
    provenance: Provenance
    dose_drug: str | None = None
    up_to_daily_mg: Decimal | None = None
    conditions: frozenset[str] = frozenset()


class Overlay:
    """The tables of one pack, asked by every pair of ids that two drugs are filed under."""

    def __init__(self, pack: Pack) -> None:
        self._must: dict[Pair, Interaction] = {}
        for row in pack.rows("must_hold.tsv"):
            fact = Interaction(
                row["a"],
                row["b"],
                Severity(row["severity"]),
                _provenance(row),
                row["mechanism"] or None,
            )
            held = self._must.get((fact.a, fact.b))
            if held is None or fact.severity.rank > held.severity.rank:
                self._must[fact.a, fact.b] = fact
        self._never: dict[Pair, NeverInterruptive] = {
            (row["a"], row["b"]): NeverInterruptive(
                row["a"],
                row["b"],
                _provenance(row),
                row["dose_drug"] or None,
                Decimal(row["above_daily_mg"]) if row["above_daily_mg"] else None,
                Decimal(row["spaced_hours"]) if row["spaced_hours"] else None,
            )
            for row in pack.rows("never_interruptive.tsv")
        }
        self._managed: dict[Pair, list[ManagedPair]] = {}
        for row in pack.rows("managed_pairs.tsv"):
            self._managed.setdefault((row["a"], row["b"]), []).append(
                ManagedPair(
                    row["a"],
                    row["b"],
                    _provenance(row),
                    row["dose_drug"] or None,
                    Decimal(row["up_to_daily_mg"]) if row["up_to_daily_mg"] else None,
                    frozenset(filter(None, row["condition"].split("|"))),
                )
            )
        self.sides = frozenset(side for pair in (*self._must, *self._never, *self._managed) for side in pair)

    def must_hold(self) -> Iterable[Interaction]:
        return self._must.values()

    def never_interruptive(self) -> Iterable[NeverInterruptive]:
        return self._never.values()

    def must(self, left: Sequence[str], right: Sequence[str]) -> Interaction | None:
        """The worst must-hold fact between any two of the ids."""
        return max(
            (self._must[pair] for pair in self._filed(left, right) if pair in self._must),
            key=lambda fact: (fact.severity.rank, fact.provenance.rule_id),
            default=None,
        )

    def never(self, left: Sequence[str], right: Sequence[str]) -> NeverInterruptive | None:
        """The row that keeps the pair from interrupting, of those that do not ask for hours between the two."""
        found = [self._never[pair] for pair in self._filed(left, right) if pair in self._never]
        return next((row for row in found if row.spaced_hours is None), None)

    def spaced_hours(self, left: Sequence[str], right: Sequence[str]) -> Decimal | None:
        """The longest gap that any row between the ids asks for; None where none does."""
        found = [self._never[pair] for pair in self._filed(left, right) if pair in self._never]
        return max((row.spaced_hours for row in found if row.spaced_hours is not None), default=None)

    def managed(self, left: Sequence[str], right: Sequence[str]) -> tuple[ManagedPair, ...]:
        """The rows under which labels allow the pair; none for a pair that must hold."""
        if self.must(left, right) is not None:
            return ()
        return tuple(row for pair in self._filed(left, right) for row in self._managed.get(pair, ()))

    def applied(
        self, facts: Iterable[Interaction], left: Sequence[str], right: Sequence[str]
    ) -> list[Interaction]:
        """`facts` after both overlays; the must-hold fact itself is among them."""
        must = self.must(left, right)
        if must is not None:
            return [must, *facts]
        never = self.never(left, right)
        return list(facts) if never is None else list(_quiet(facts, never))

    def _filed(self, left: Sequence[str], right: Sequence[str]) -> Iterator[Pair]:
        for x in left:
            if x in self.sides:
                for y in right:
                    if y in self.sides:
                        yield (x, y) if x <= y else (y, x)


def _quiet(facts: Iterable[Interaction], row: NeverInterruptive) -> Iterator[Interaction]:
    for fact in facts:
        if (
            fact.severity.rank <= Severity.MINOR.rank
            or fact.above_daily_mg is not None
            or fact.route is not None
        ):
            yield fact
            continue
        yield replace(fact, severity=Severity.MINOR)
        if row.dose_drug is not None:
            yield replace(fact, dose_drug=row.dose_drug, above_daily_mg=row.above_daily_mg)


def _provenance(row: dict[str, str]) -> Provenance:
    return Provenance(Basis(row["basis"]), row["source"], row["rule_id"])

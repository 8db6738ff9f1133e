"""From the rows of a pack to typed facts, indexed by the drug they speak of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, Protocol, TypeVar

from attending.guardrails.finding import Basis, Severity
from attending.guardrails.knowledge.facts import (
    AgeRule,
    ConceptionWait,
    Contraindication,
    Course,
    CrossReaction,
    DoseLimit,
    FirstDose,
    HepaticRule,
    InfusionRate,
    Interaction,
    LactationRule,
    MmeFactor,
    PregnancyException,
    PregnancyRule,
    Provenance,
    RenalRule,
    Strength,
)
from attending.guardrails.knowledge.load import Pack

_SEVERITY: Final = {level.value: level for level in Severity}
_BASIS: Final = {basis.value: basis for basis in Basis}


class _OfDrug(Protocol):
    @property
    def drug(self) -> str: ...


Fact = TypeVar("Fact", bound=_OfDrug)


def by_drug(facts: Iterable[Fact]) -> dict[str, tuple[Fact, ...]]:
    """Drug -> its facts in pack order."""
    found: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        found[fact.drug].append(fact)
    return {drug: tuple(held) for drug, held in found.items()}


def interactions(pack: Pack) -> dict[tuple[str, str], tuple[Interaction, ...]]:
    """(side, side) in alphabetical order -> facts; a side is a drug or a class id."""
    found: defaultdict[tuple[str, str], list[Interaction]] = defaultdict(list)
    for cells, _ in pack.cells("interactions.tsv"):
        a, b, severity, basis, rule_id, source, mechanism, dose_drug, above, route = cells
        found[a, b].append(
            Interaction(
                a,
                b,
                _SEVERITY[severity],
                Provenance(_BASIS[basis], source, rule_id),
                mechanism or None,
                dose_drug or None,
                Decimal(above) if above else None,
                route or None,
            )
        )
    return {pair: tuple(facts) for pair, facts in found.items()}


def dose_limits(pack: Pack) -> list[DoseLimit]:
    return [
        DoseLimit(
            drug=row["drug"],
            provenance=_provenance(row),
            route=row["route"] or None,
            formulation=row["formulation"] or None,
            indication=row["indication"] or None,
            phase=row["phase"] or None,
            max_days=_number(row["max_days"]),
            min_age_years=_number(row["min_age_years"]),
            max_age_years=_number(row["max_age_years"]),
            max_single=_number(row["max_single"]),
            max_daily=_number(row["max_daily"]),
            unit=row["unit"],
            per_kg=row["per"] == "kg",
            per_m2=row["per"] == "m2",
            min_interval_hours=_number(row["min_interval_hours"]),
            confidence=row["confidence"],
        )
        for row in pack.rows("dose_limits.tsv")
    ]


def strengths(pack: Pack) -> list[Strength]:
    return [
        Strength(
            row["drug"],
            row["route"],
            Decimal(row["strength"]),
            row["unit"],
            _provenance(row),
            row["per"] == "h",
        )
        for row in pack.rows("strengths.tsv")
    ]


def renal_rules(pack: Pack) -> list[RenalRule]:
    return [
        RenalRule(
            row["drug"],
            "egfr" if row["measure"] == "egfr" else "crcl",
            Decimal(row["below"]),
            row["action"],
            _provenance(row),
            _number(row["max_daily_mg"]),
            row["per"] == "kg",
            _number(row["min_interval_hours"]),
            row["route"] or None,
            row["indication"] or None,
        )
        for row in pack.rows("renal.tsv")
    ]


def hepatic_rules(pack: Pack) -> list[HepaticRule]:
    return [
        HepaticRule(
            row["drug"],
            frozenset(row["child_pugh"]),
            row["action"],
            _provenance(row),
            _number(row["max_daily_mg"]),
        )
        for row in pack.rows("hepatic.tsv")
    ]


def pregnancy_rules(pack: Pack) -> list[PregnancyRule]:
    return [
        PregnancyRule(
            row["drug"],
            _SEVERITY[row["severity"]],
            _provenance(row),
            int(row["from_week"]) if row["from_week"] else None,
            int(row["to_week"]) if row["to_week"] else None,
        )
        for row in pack.rows("pregnancy.tsv")
    ]


def pregnancy_exceptions(pack: Pack) -> list[PregnancyException]:
    return [
        PregnancyException(
            row["drug"],
            _SEVERITY[row["max_severity"]],
            _provenance(row),
            row["condition"] or None,
            _number(row["max_daily_mg"]),
            int(row["from_week"]) if row["from_week"] else None,
            int(row["to_week"]) if row["to_week"] else None,
        )
        for row in pack.rows("pregnancy_exceptions.tsv")
    ]


def lactation_rules(pack: Pack) -> list[LactationRule]:
    return [
        LactationRule(
            row["drug"],
            _SEVERITY[row["severity"]],
            _provenance(row),
            int(row["infant_below_days"]) if row["infant_below_days"] else None,
        )
        for row in pack.rows("lactation.tsv")
    ]


def age_rules(pack: Pack) -> list[AgeRule]:
    return [
        AgeRule(
            row["drug"],
            _SEVERITY[row["severity"]],
            _provenance(row),
            _number(row["min_age_years"]),
            _number(row["max_age_years"]),
        )
        for row in pack.rows("age.tsv")
    ]


def contraindications(pack: Pack) -> list[Contraindication]:
    return [
        Contraindication(row["drug"], row["condition"], _SEVERITY[row["severity"]], _provenance(row))
        for row in pack.rows("contraindications.tsv")
    ]


def courses(pack: Pack) -> list[Course]:
    return [
        Course(
            row["drug"],
            Decimal(row["max_days"]),
            _SEVERITY[row["severity"]],
            _provenance(row),
            frozenset(filter(None, row["route"].split("|"))),
            row["by_the_clock"] == "yes",
            row["unless"] or None,
        )
        for row in pack.rows("courses.tsv")
    ]


def conception_waits(pack: Pack) -> list[ConceptionWait]:
    return [
        ConceptionWait(row["drug"], int(row["wait_days"]), _provenance(row))
        for row in pack.rows("conception.tsv")
    ]


def first_doses(pack: Pack) -> list[FirstDose]:
    return [
        FirstDose(row["drug"], Decimal(row["max_daily_mg"]), _provenance(row))
        for row in pack.rows("first_doses.tsv")
    ]


def infusion_rates(pack: Pack) -> list[InfusionRate]:
    return [
        InfusionRate(
            row["drug"],
            _provenance(row),
            row["kind"] == "continuous",
            _number(row["max_rate"]),
            row["unit"] or "mg",
            row["time"] == "h",
            row["per"] == "kg",
            _number(row["min_minutes"]),
            row["no_push"] == "yes",
            _number(row["push_up_to"]),
        )
        for row in pack.rows("infusion_rates.tsv")
    ]


def mme_factors(pack: Pack) -> list[MmeFactor]:
    return [
        MmeFactor(row["drug"], Decimal(row["factor"]), _provenance(row), row["route"] or None, row["unit"])
        for row in pack.rows("mme.tsv")
    ]


def cross_reactions(pack: Pack) -> dict[str, tuple[CrossReaction, ...]]:
    """Allergen (drug or class id) -> what may cross-react."""
    found: defaultdict[str, list[CrossReaction]] = defaultdict(list)
    for row in pack.rows("cross_reactions.tsv"):
        found[row["allergen"]].append(
            CrossReaction(row["allergen"], row["to"], _SEVERITY[row["severity"]], _provenance(row))
        )
    return {allergen: tuple(facts) for allergen, facts in found.items()}


def _provenance(row: dict[str, str]) -> Provenance:
    return Provenance(_BASIS[row["basis"]], row["source"], row["rule_id"])


def _number(cell: str) -> Decimal | None:
    return Decimal(cell) if cell else None

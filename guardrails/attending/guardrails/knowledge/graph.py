"""The drug knowledge that every clinical check asks: names, classes, and facts with where they come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from attending.guardrails.finding import Basis, Severity
from attending.guardrails.knowledge import load, rules
from attending.guardrails.knowledge.facts import (
    AgeRule,
    ConceptionWait,
    Contraindication,
    Course,
    Covered,
    CrossReaction,
    DoseLimit,
    FirstDose,
    FormularyLine,
    HepaticRule,
    InfusionRate,
    Interaction,
    LactationRule,
    MmeFactor,
    Name,
    PregnancyException,
    PregnancyRule,
    Provenance,
    RenalRule,
    Strength,
)
from attending.guardrails.knowledge.naming import tidy
from attending.guardrails.knowledge.near import Near
from attending.guardrails.knowledge.overlay import ManagedPair, NeverInterruptive, Overlay

if TYPE_CHECKING:
    import networkx

CHECKS: Final = frozenset(
    [
        "interaction",
        "dose",
        "interval",
        "allergy",
        "contraindication",
        "pregnancy",
        "lactation",
        "renal",
        "hepatic",
        "age",
        "strength",
    ]
)
"""What `covered` can be asked about."""

T = TypeVar("T")
_NONE: Final = frozenset[str]()


class Knowledge:
    """One knowledge pack. Immutable after `load`, safe to share between threads; no method does I/O, and none raises
    for an unknown drug: an unknown drug has no facts and is not covered.

    Drugs are canonical US ingredient names in lower case; a class id is a word with underscores, or `ansm:...` for a
    class of that source.
    """

    def __init__(self, pack: load.Pack) -> None:
        self._hash = pack.hash
        self._names: dict[str, Name] = {}
        for cells, _ in pack.cells("names.tsv"):
            name, drugs, drug_class, brand, source = cells
            self._names[name] = Name(
                tuple(drugs.split("|")) if drugs else (), drug_class or None, brand == "1", source
            )
        self._members: dict[str, frozenset[str]] = {}
        self._labels: dict[str, str] = {}
        self._class_sources: dict[str, str] = {}
        classes: defaultdict[str, set[str]] = defaultdict(set)
        for row in pack.rows("classes.tsv"):
            members = frozenset(row["members"].split("|")) if row["members"] else _NONE
            self._members[row["class"]] = members
            self._labels[row["class"]] = row["label"]
            self._class_sources[row["class"]] = row["source"]
            for drug in members:
                classes[drug].add(row["class"])
        self._classes = {drug: frozenset(found) for drug, found in classes.items()}
        self._rxcui: dict[str, str | None] = {}
        self._origins: dict[str, tuple[str, str | None]] = {}
        self._routes: dict[str, frozenset[str]] = {}
        self._schedule: dict[str, str] = {}
        for cells, _ in pack.cells("drugs.tsv"):
            drug, rxcui, routes, schedule, origin, rxcui_source = cells
            self._rxcui[drug] = rxcui or None
            self._origins[drug] = (origin, rxcui_source or None)
            if routes:
                self._routes[drug] = frozenset(routes.split("|"))
            if schedule:
                self._schedule[drug] = schedule
        self._pairs = rules.interactions(pack)
        self._sides = frozenset(side for pair in self._pairs for side in pair)
        self._caps = _caps(pack)
        self._overlay = Overlay(pack)
        self._doses = rules.by_drug(rules.dose_limits(pack))
        self._strengths = rules.by_drug(rules.strengths(pack))
        self._renal = rules.by_drug(rules.renal_rules(pack))
        self._hepatic = rules.by_drug(rules.hepatic_rules(pack))
        self._pregnancy = rules.by_drug(rules.pregnancy_rules(pack))
        self._pregnancy_exceptions = rules.by_drug(rules.pregnancy_exceptions(pack))
        self._lactation = rules.by_drug(rules.lactation_rules(pack))
        self._age = rules.by_drug(rules.age_rules(pack))
        self._contra = rules.by_drug(rules.contraindications(pack))
        self._courses = rules.by_drug(rules.courses(pack))
        self._waits = rules.by_drug(rules.conception_waits(pack))
        self._first_doses = rules.by_drug(rules.first_doses(pack))
        self._rates = rules.by_drug(rules.infusion_rates(pack))
        self._mme = rules.by_drug(rules.mme_factors(pack))
        self._cross = rules.cross_reactions(pack)
        self._conditions = {row["name"]: row["condition"] for row in pack.rows("conditions.tsv")}
        self._allergens = {
            row["name"]: (
                tuple(filter(None, row["drugs"].split("|"))),
                tuple(filter(None, row["groups"].split("|"))),
            )
            for row in pack.rows("allergens.tsv")
        }
        self._groups = frozenset(row["class"] for row in pack.rows("allergy_groups.tsv"))
        self._none_known = frozenset((row["drug"], row["check"]) for row in pack.rows("none_known.tsv"))
        self._formulary = _by_drug_rows(pack)
        evidence = "label_evidence.tsv"  # a pack of before has none
        self._evidence = {
            row["fact"]: row for row in (pack.rows(evidence) if evidence in pack.tables() else ())
        }
        self._labels_index = frozenset(row["set_id"] for row in pack.rows("label_index.tsv"))

    def label_evidence(self, rule_id: str) -> Mapping[str, str] | None:
        """Where number and unit of a label's limit were found in the label's text: columns of `label_evidence.tsv`;
        None for what no script has found."""
        return self._evidence.get(rule_id)

    @classmethod
    def load(cls, path: Path | None = None) -> Knowledge:
        """The pack in `path`, or the one shipped with this package. Raises OSError or PackError."""
        return cls(load.Pack.read(path or load.DEFAULT))

    @property
    def hash(self) -> str:
        """`sha256:` and the hex hash of the pack's tables."""
        return self._hash

    # Names

    def names(self) -> Mapping[str, Name]:
        """Lower-case name -> what it stands for."""
        return MappingProxyType(self._names)

    def resolve(self, name: str) -> Name | None:
        """What a name stands for, whatever its case and spacing; None where it is unknown. Never a near match."""
        plain = tidy(name)
        found = self._names.get(plain)
        if found is not None:
            return found
        if plain in self._rxcui:
            return Name((plain,))
        return Name((), plain) if plain in self._members else None

    def near(self, name: str, limit: int = 3) -> tuple[str, ...]:
        """Known names within two edits of a misspelt one, nearest first: candidates for a person to choose from."""
        return self._near.of(name, limit)

    def is_drug(self, name: str) -> bool:
        return name in self._rxcui

    def drugs(self) -> Iterable[str]:
        return self._rxcui.keys()

    def rxcui(self, drug: str) -> str | None:
        return self._rxcui.get(drug)

    def origin(self, drug: str) -> tuple[str, str | None]:
        """What names the drug and what gives its RxCUI, in the form of `facts.NAME_SOURCES`. Raises KeyError."""
        return self._origins[drug]

    def routes(self, drug: str) -> frozenset[str]:
        """Routes of the drug's marketed US products (FDA NDC directory, April 2019); empty where none is listed."""
        return self._routes.get(drug, _NONE)

    def schedule(self, drug: str) -> str | None:
        """DEA schedule (CII..CV) of the drug's single-ingredient products."""
        return self._schedule.get(drug)

    def formulary(self, drug: str) -> tuple[FormularyLine, ...]:
        """What a site's formulary says of a drug; empty where the pack was built without one, or it is not listed."""
        return self._formulary.get(drug, ())

    # Classes

    def class_ids(self) -> Iterable[str]:
        return self._members.keys()

    def class_label(self, class_id: str) -> str | None:
        return self._labels.get(class_id)

    def class_source(self, class_id: str) -> str:
        """What says who the members of a class are, in the form of `facts.NAME_SOURCES`. Raises KeyError."""
        return self._class_sources[class_id]

    def classes_of(self, drug: str) -> frozenset[str]:
        return self._classes.get(drug, _NONE)

    def members(self, class_id: str) -> frozenset[str]:
        return self._members.get(class_id, _NONE)

    # Interactions

    def interactions(self, a: str, b: str) -> tuple[Interaction, ...]:
        """Facts that hold between two drugs or class ids, worst first; the order of the two does not matter.

        A fact may stand between classes the two belong to. A source's severity is lowered where the pack's
        adjustments say that it overrates the pair. The overlays stand above both: see `overlay`.
        """
        if a == b and a in self._rxcui:
            return ()
        left, right = self._ids(a), self._ids(b)
        found: dict[tuple[str, str], Interaction] = {}
        for x in left:
            for y in right:
                for fact in self._pairs.get((x, y) if x <= y else (y, x), ()):
                    found[fact.provenance.rule_id, f"{fact.a}|{fact.b}|{fact.above_daily_mg}"] = fact
        must = self._overlay.must(left, right)
        if not found and must is None:
            return ()
        cap = self._cap(left, right)
        if cap is not None and must is not None:
            cap = max(cap, must.severity, key=lambda level: level.rank)
        held = self._overlay.applied([_capped(fact, cap) for fact in found.values()], left, right)
        return tuple(sorted(held, key=_order))

    def spaced_hours(self, a: str, b: str) -> Decimal | None:
        """Hours between two drugs from which their interaction is none to interrupt for (calcium and levothyroxine,
        4); None where taking them apart does not help."""
        return self._overlay.spaced_hours(self._ids(a), self._ids(b))

    def managed_pairs(self, a: str, b: str) -> tuple[ManagedPair, ...]:
        """How labels allow the two together: a lowered dose, a condition. Empty for a pair that must hold."""
        return self._overlay.managed(self._ids(a), self._ids(b))

    def adjusted(self, a: str, b: str) -> Severity | None:
        """The most that source rows between the two count for; None where nothing lowers them."""
        return self._cap(self._ids(a), self._ids(b))

    def quiet(self, a: str, b: str) -> bool:
        """True where the pair never interrupts by itself."""
        return self._overlay.never(self._ids(a), self._ids(b)) is not None

    def all_interactions(self) -> Iterator[Interaction]:
        for facts in self._pairs.values():
            yield from facts
        yield from self._overlay.must_hold()

    def must_hold(self) -> Iterable[Interaction]:
        """Facts that no source and no adjustment lowers, between drugs or class ids."""
        return self._overlay.must_hold()

    def never_interruptive(self) -> Iterable[NeverInterruptive]:
        """Pairs, of drugs or class ids, that count at most minor by themselves."""
        return self._overlay.never_interruptive()

    # Limits and rules

    def dose_limits(self, drug: str) -> tuple[DoseLimit, ...]:
        return self._doses.get(drug, ())

    def strengths(self, drug: str) -> tuple[Strength, ...]:
        """The largest marketed strength by each route that has one, in each unit (FDA NDC directory, April 2019)."""
        return self._strengths.get(drug, ())

    def renal_rules(self, drug: str) -> tuple[RenalRule, ...]:
        return self._renal.get(drug, ())

    def hepatic_rules(self, drug: str) -> tuple[HepaticRule, ...]:
        return self._hepatic.get(drug, ())

    def pregnancy_rules(self, drug: str) -> tuple[PregnancyRule, ...]:
        return self._pregnancy.get(drug, ())

    def pregnancy_exceptions(self, drug: str) -> tuple[PregnancyException, ...]:
        return self._pregnancy_exceptions.get(drug, ())

    def lactation_rules(self, drug: str) -> tuple[LactationRule, ...]:
        return self._lactation.get(drug, ())

    def age_rules(self, drug: str) -> tuple[AgeRule, ...]:
        """Bands in which the drug is not given: `min_age_years` <= age < `max_age_years`."""
        return self._age.get(drug, ())

    def contraindications(self, drug: str) -> tuple[Contraindication, ...]:
        return self._contra.get(drug, ())

    def courses(self, drug: str) -> tuple[Course, ...]:
        return self._courses.get(drug, ())

    def conception_waits(self, drug: str) -> tuple[ConceptionWait, ...]:
        return self._waits.get(drug, ())

    def first_doses(self, drug: str) -> tuple[FirstDose, ...]:
        return self._first_doses.get(drug, ())

    def infusion_rates(self, drug: str) -> tuple[InfusionRate, ...]:
        return self._rates.get(drug, ())

    def conditions(self) -> Mapping[str, str]:
        """Lower-case condition words -> condition id."""
        return MappingProxyType(self._conditions)

    def mme_factor(self, drug: str) -> MmeFactor | None:
        """The factor by mouth, or the only one where the drug is not given by mouth (fentanyl patch)."""
        found = self._mme.get(drug, ())
        return next((fact for fact in found if fact.route in (None, "oral")), found[0] if found else None)

    def mme_factors(self, drug: str) -> tuple[MmeFactor, ...]:
        return self._mme.get(drug, ())

    # Allergy

    def allergen(self, name: str) -> tuple[frozenset[str], frozenset[str]]:
        """(drugs, groups) that an allergy entry means; groups are class ids within which an allergy is taken to hold.
        Both empty where the substance is no drug of the pack (a food, latex)."""
        plain = tidy(name)
        listed = self._allergens.get(plain) or self._allergens.get(_without_allergy(plain))
        entry = self.resolve(plain) or self.resolve(_without_allergy(plain))
        drugs = set(listed[0]) if listed else set()
        groups = set(listed[1]) if listed else set()
        if entry is not None:
            drugs |= set(entry.drugs)
            if entry.drug_class is not None:
                groups.add(entry.drug_class)
        for drug in drugs:
            groups |= self.classes_of(drug) & self._groups
        return frozenset(drugs), frozenset(groups)

    def cross_reacts(self, allergen_name: str, drug: str) -> CrossReaction | None:
        """The worst cross-reaction known between what an allergy entry means and a drug, or None."""
        drugs, groups = self.allergen(allergen_name)
        ids = {*drugs, *groups}
        for one in drugs:
            ids |= self.classes_of(one)
        target = {drug, *self.classes_of(drug)}
        found = [
            fact
            for one in sorted(ids)
            for fact in self._cross.get(one, ())
            if fact.to in target and drug not in drugs
        ]
        return max(found, key=lambda fact: fact.severity.rank) if found else None

    def all_cross_reactions(self) -> Iterator[CrossReaction]:
        for facts in self._cross.values():
            yield from facts

    # Coverage and explanation

    def covered(self, drug: str, check: str) -> Covered:
        """Whether the pack can judge a drug in a check (one of `CHECKS`, else not covered).

        Covered: it holds facts. None known: a source says that there is nothing to hold. Not covered: it is silent.
        """
        if drug not in self._rxcui or check not in CHECKS:
            return Covered.NOT_COVERED
        held: bool
        match check:
            case "interaction":
                held = drug in self._sides or not self._sides.isdisjoint(self.classes_of(drug))
            case "dose":
                held = any(limit.max_single or limit.max_daily for limit in self.dose_limits(drug))
            case "interval":
                held = any(limit.min_interval_hours for limit in self.dose_limits(drug))
            case "allergy":
                held = True
            case _:
                tables: dict[str, Mapping[str, object]] = {
                    "contraindication": self._contra,
                    "pregnancy": self._pregnancy,
                    "lactation": self._lactation,
                    "renal": self._renal,
                    "hepatic": self._hepatic,
                    "age": self._age,
                    "strength": self._strengths,
                }
                held = drug in tables[check]
        if held:
            return Covered.COVERED
        return Covered.NONE_KNOWN if (drug, check) in self._none_known else Covered.NOT_COVERED

    def cites(self, set_id: str) -> bool:
        """True where a label set id is in the pack's index of label sources."""
        return set_id in self._labels_index

    def explain(self, rule_id: str) -> Provenance | None:
        """Where a rule comes from, by the id that findings carry; None for an id of another pack."""
        return self._provenance.get(rule_id)

    def drug_facts(self) -> Iterator[tuple[str, str, str, Provenance]]:
        """(edge type, drug, `kind:target`, provenance) of every fact about one drug."""
        for limit in _all(self._doses):
            yield "dose_limit", limit.drug, f"population:{limit.indication or 'any'}", limit.provenance
        for strength in _all(self._strengths):
            told = f"{strength.route} {strength.amount:f} {strength.unit}{'/h' if strength.per_hour else ''}"
            yield "largest_strength", strength.drug, f"strength:{told}", strength.provenance
        for renal in _all(self._renal):
            yield (
                "limited_in",
                renal.drug,
                f"population:{renal.measure} below {renal.below}",
                renal.provenance,
            )
        for liver in _all(self._hepatic):
            grade = "".join(sorted(liver.child_pugh)) or "any"
            yield "limited_in", liver.drug, f"population:child-pugh {grade}", liver.provenance
        for pregnancy in _all(self._pregnancy):
            yield "limited_in", pregnancy.drug, "population:pregnancy", pregnancy.provenance
        for exception in _all(self._pregnancy_exceptions):
            yield "accepted_in", exception.drug, "population:pregnancy", exception.provenance
        for lactation in _all(self._lactation):
            yield "limited_in", lactation.drug, "population:lactation", lactation.provenance
        for age in _all(self._age):
            yield "limited_in", age.drug, "population:age", age.provenance
        for contra in _all(self._contra):
            yield "contraindicated_in", contra.drug, f"condition:{contra.condition}", contra.provenance
        for course in _all(self._courses):
            yield "limited_in", course.drug, f"course:{course.max_days:f} days", course.provenance
        for wait in _all(self._waits):
            yield "limited_in", wait.drug, f"conception:{wait.days} days", wait.provenance
        for first in _all(self._first_doses):
            yield "limited_in", first.drug, f"first-day:{first.max_daily_mg:f} mg", first.provenance
        for rate in _all(self._rates):
            yield (
                "limited_in",
                rate.drug,
                f"rate:{'infusion' if rate.continuous else 'dose'}",
                rate.provenance,
            )
        for factor in _all(self._mme):
            yield "equivalent_of", factor.drug, "drug:morphine", factor.provenance

    @cached_property
    def graph(self) -> networkx.MultiDiGraph[str]:
        """The whole pack as a frozen graph, built on first use (see `network`)."""
        from attending.guardrails.knowledge import network

        return network.build(self)

    @cached_property
    def _near(self) -> Near:
        return Near(self._names)

    @cached_property
    def _provenance(self) -> dict[str, Provenance]:
        found = {fact.provenance.rule_id: fact.provenance for fact in self.all_interactions()}
        found |= {fact.provenance.rule_id: fact.provenance for fact in self.all_cross_reactions()}
        found |= {provenance.rule_id: provenance for _, _, _, provenance in self.drug_facts()}
        return found

    def _ids(self, one: str) -> tuple[str, ...]:
        """What facts about `one` may be filed under: itself, the classes of a drug, the classes that hold a class.

        An id that is both (heparin) is the drug: the drug belongs to classes that do not hold the whole class."""
        if one in self._members and one not in self._rxcui:
            members = self._members[one]
            return tuple(
                other
                for other, inside in self._members.items()
                if other == one or (members and members <= inside)
            )
        return (
            one,
            *(
                other
                for other in self.classes_of(one)
                if other in self._sides or other in self._caps[1] or other in self._overlay.sides
            ),
        )

    def _cap(self, left: Iterable[str], right: Iterable[str]) -> Severity | None:
        caps, sides = self._caps
        found = [
            caps[key]
            for x in left
            if x in sides
            for y in right
            if (key := (x, y) if x <= y else (y, x)) in caps
        ]
        return min(found, key=lambda level: level.rank) if found else None


def _caps(pack: load.Pack) -> tuple[dict[tuple[str, str], Severity], frozenset[str]]:
    caps: dict[tuple[str, str], Severity] = {}
    for row in pack.rows("adjustments.tsv"):
        for a in row["a"].split("|"):
            for b in row["b"].split("|"):
                caps[(a, b) if a <= b else (b, a)] = Severity(row["max_severity"])
    return caps, frozenset(side for pair in caps for side in pair)


def _by_drug_rows(pack: load.Pack) -> dict[str, tuple[FormularyLine, ...]]:
    found: defaultdict[str, list[FormularyLine]] = defaultdict(list)
    for row in pack.rows("formulary.tsv"):
        line = FormularyLine(
            row["drug"], row["route"], row["formulation"], row["status"], row["restriction"], row["source"]
        )
        found[line.drug].append(line)
    return {drug: tuple(lines) for drug, lines in found.items()}


def _capped(fact: Interaction, cap: Severity | None) -> Interaction:
    if cap is None or fact.provenance.basis is not Basis.SOURCE_ROW or fact.severity.rank <= cap.rank:
        return fact
    return replace(fact, severity=cap)


def _order(fact: Interaction) -> tuple[int, int, str, str, str]:
    by_basis = {Basis.LABEL_TEXT: 0, Basis.ATTESTED: 1, Basis.SOURCE_ROW: 2, Basis.CURATED: 3, Basis.RULE: 4}
    return (-fact.severity.rank, by_basis[fact.provenance.basis], fact.provenance.rule_id, fact.a, fact.b)


def _without_allergy(text: str) -> str:
    words = [
        word
        for word in text.split()
        if word not in ("allergy", "allergies", "allergic", "to", "reaction", "drugs")
    ]
    return " ".join(words)


def _all(table: Mapping[str, tuple[T, ...]]) -> Iterator[T]:
    for facts in table.values():
        yield from facts

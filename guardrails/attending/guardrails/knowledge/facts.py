"""The edges of the drug knowledge graph, as typed facts. Every fact says where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from attending.guardrails.finding import Basis, Severity

NAME_SOURCES: Final = {
    "rxnorm": "RxNorm ingredient names (NLM)",
    "ndfrt": "VA NDF-RT, 2014-07-07",
    "fda-ndc": "FDA NDC directory, April 2019",
    "va": "VA generics (WorldVistA)",
    "ansm": "ANSM interaction thesaurus, September 2016 (English, glilly/osdi)",
    "label-facts": "FDA label facts",
    "curated": "curated: authored tables of names and classes",
    "site-rxnorm": "the site's RxNorm",
}
"""What names, memberships and RxCUIs cite; a row's number may follow (`ndfrt:N0000147848`)."""


def told_source(code: str) -> str:
    """The source that a name, membership or RxCUI cites, in words."""
    source, _, row = code.partition(":")
    words = NAME_SOURCES.get(source, source)
    return f"{words}, {row}" if row else words


@dataclass(frozen=True, slots=True)
class Provenance:
    """`source` is one line a pharmacist can look up: source, version and row, or label set id and section."""

    basis: Basis
    source: str
    rule_id: str
    """Stable across packs: `ansm:2016:1234`, `ndfrt:2014:55`, `label:<drug>:<n>`, `curated:<name>`."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """Two ingredients (alphabetical). `above_daily_mg` restricts the fact to doses of `dose_drug` above it."""

    a: str
    b: str
    severity: Severity
    provenance: Provenance
    mechanism: str | None = None
    dose_drug: str | None = None
    above_daily_mg: Decimal | None = None
    route: str | None = None


@dataclass(frozen=True, slots=True)
class DoseLimit:
    """A ceiling from a label. Amounts in `unit`; `per_kg` and `per_m2` scale by the patient.

    `population` is structured where it could be read: `min_age_years`/`max_age_years` (inclusive/exclusive),
    and `indication` where the label's limit holds for one indication only.
    """

    drug: str
    provenance: Provenance
    route: str | None = None
    formulation: str | None = None
    indication: str | None = None
    phase: str | None = None
    """`load` where the limit holds while treatment begins (a loading dose, the first days) and not after."""
    max_days: Decimal | None = None
    """How long the dose is given at most, in days, where the label says so."""
    min_age_years: Decimal | None = None
    max_age_years: Decimal | None = None
    max_single: Decimal | None = None
    max_daily: Decimal | None = None
    unit: str = "mg"
    per_kg: bool = False
    per_m2: bool = False
    min_interval_hours: Decimal | None = None
    confidence: str = "high"


@dataclass(frozen=True, slots=True)
class Strength:
    """The largest unit strength of a drug's marketed products by one route: `amount` of `unit` ("mg" for mass) in one
    piece, in a tablespoon of a liquid or powder by mouth, or, with `per_hour`, in what a patch releases in an hour."""

    drug: str
    route: str
    amount: Decimal
    unit: str
    provenance: Provenance
    per_hour: bool = False


@dataclass(frozen=True, slots=True)
class RenalRule:
    """Below `below` of `measure` (egfr in mL/min/1.73 m2, crcl in mL/min): `action` is avoid, contraindicated, cap,
    start or adjust. `max_daily_mg` (per kilogram where so marked) where action is cap, and for the first dose where it
    is start; on average, where the drug is given less often than daily. `min_interval_hours` is the shortest interval;
    `route` and `indication` restrict the rule."""

    drug: str
    measure: Literal["egfr", "crcl"]
    below: Decimal
    action: str
    provenance: Provenance
    max_daily_mg: Decimal | None = None
    per_kg: bool = False
    min_interval_hours: Decimal | None = None
    route: str | None = None
    indication: str | None = None


@dataclass(frozen=True, slots=True)
class HepaticRule:
    """`child_pugh` is the set of classes the rule speaks of ('A', 'B', 'C'); empty when any impairment."""

    drug: str
    child_pugh: frozenset[str]
    action: str
    provenance: Provenance
    max_daily_mg: Decimal | None = None
    """Where the action is cap and the source gives a number."""


@dataclass(frozen=True, slots=True)
class PregnancyRule:
    """`from_week`..`to_week` inclusive of the gestation in which the rule holds (None: throughout)."""

    drug: str
    severity: Severity
    provenance: Provenance
    from_week: int | None = None
    to_week: int | None = None


@dataclass(frozen=True, slots=True)
class PregnancyException:
    """An accepted use in pregnancy: no rule counts for more than `max_severity` where all that is named holds (an
    active condition, at most `max_daily_mg` a day, `from_week`..`to_week` inclusive)."""

    drug: str
    max_severity: Severity
    provenance: Provenance
    condition: str | None = None
    max_daily_mg: Decimal | None = None
    from_week: int | None = None
    to_week: int | None = None


@dataclass(frozen=True, slots=True)
class LactationRule:
    """For a patient who breast-feeds; with `infant_below_days`, for a younger infant only."""

    drug: str
    severity: Severity
    provenance: Provenance
    infant_below_days: int | None = None


@dataclass(frozen=True, slots=True)
class Contraindication:
    """A condition (canonical condition id of the pack's condition table) in which the drug is not given."""

    drug: str
    condition: str
    severity: Severity
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class AgeRule:
    drug: str
    severity: Severity
    provenance: Provenance
    min_age_years: Decimal | None = None
    max_age_years: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """The drug is given for at most `max_days` days; by `routes` only, where any are named; for doses by the clock
    alone where `by_the_clock` (a drug that is taken now and then may be kept for years); not where the patient has
    the condition `unless`."""

    drug: str
    max_days: Decimal
    severity: Severity
    provenance: Provenance
    routes: frozenset[str] = frozenset()
    by_the_clock: bool = False
    unless: str | None = None


@dataclass(frozen=True, slots=True)
class ConceptionWait:
    """A conception must wait for `days` after the last dose, by the label; 0: none while the drug is taken."""

    drug: str
    days: int
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class FirstDose:
    """A drug that is begun low and raised slowly: at most `max_daily_mg` on the first day."""

    drug: str
    max_daily_mg: Decimal
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class InfusionRate:
    """How fast a drug runs into a vein: a single dose (`continuous` False) or an infusion without end.

    At most `max_rate` of `unit` per minute (per hour where `hourly`; per kilogram where `per_kg`), and any dose over
    at least `min_minutes`. `no_push`: never by push. Doses up to `push_up_to` of `unit` may be pushed all the same.
    """

    drug: str
    provenance: Provenance
    continuous: bool
    max_rate: Decimal | None = None
    unit: str = "mg"
    hourly: bool = False
    per_kg: bool = False
    min_minutes: Decimal | None = None
    no_push: bool = False
    push_up_to: Decimal | None = None


class Covered(StrEnum):
    """Coverage of one (drug, check)."""

    COVERED = "covered"
    NONE_KNOWN = "none_known"
    NOT_COVERED = "not_covered"


@dataclass(frozen=True, slots=True)
class Name:
    """What a name in a text stands for: ingredients, or one class. `brand` is True for a trade name."""

    drugs: tuple[str, ...] = ()
    drug_class: str | None = None
    brand: bool = False
    source: str = ""
    """What says so, in the form of `NAME_SOURCES`."""


@dataclass(frozen=True, slots=True)
class CrossReaction:
    """Allergy to `allergen` (drug or class id) makes a reaction to `to` (drug or class id) possible."""

    allergen: str
    to: str
    severity: Severity
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class MmeFactor:
    """Oral morphine milligram equivalents of one `unit` of the drug by `route` (None: by mouth)."""

    drug: str
    factor: Decimal
    provenance: Provenance
    route: str | None = None
    unit: str = "mg"


@dataclass(frozen=True, slots=True)
class FormularyLine:
    """What a site stocks: `status` is formulary, restricted or non_formulary; `restriction` in the site's words."""

    drug: str
    route: str
    formulation: str
    status: str
    restriction: str
    source: str

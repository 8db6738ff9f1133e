"""A tiny pack of made-up round facts, so that each check is tested apart from the real knowledge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from attending.guardrails.checks.run import CheckResult, run_checks
from attending.guardrails.context.json_form import parse_context, parse_documents
from attending.guardrails.finding import Basis, Severity
from attending.guardrails.knowledge.facts import (
    AgeRule,
    ConceptionWait,
    Contraindication,
    Course,
    Covered,
    DoseLimit,
    FirstDose,
    HepaticRule,
    InfusionRate,
    Interaction,
    LactationRule,
    PregnancyException,
    PregnancyRule,
    Provenance,
    RenalRule,
    Strength,
)
from attending.guardrails.knowledge.overlay import ManagedPair
from attending.guardrails.patient import Judged

ROW = Provenance(Basis.SOURCE_ROW, "in-test row", "test:1")
CURATED = Provenance(Basis.CURATED, "in-test curated", "curated:test")
LABEL = Provenance(Basis.LABEL_TEXT, "in-test label", "label:test")


@dataclass(frozen=True)
class Entry:
    drugs: tuple[str, ...]
    drug_class: str | None = None
    brand: bool = False


@dataclass(frozen=True)
class Cross:
    severity: Severity
    provenance: Provenance


@dataclass(frozen=True)
class Factor:
    factor: Decimal
    provenance: Provenance


_CLASSES = {
    "ibuprofen": {"nsaid"},
    "naproxen": {"nsaid"},
    "lisinopril": {"acei"},
    "losartan": {"arb"},
    "furosemide": {"loop_diuretic", "diuretic"},
    "spironolactone": {"potassium_sparing", "diuretic"},
    "warfarin": {"vitamin_k_antagonist", "anticoagulant"},
    "apixaban": {"doac", "anticoagulant"},
    "nitroglycerin": {"nitrate"},
    "oxycodone": {"opioid", "cns_depressant"},
    "lorazepam": {"benzodiazepine", "cns_depressant"},
    "zolpidem": {"z_drug", "cns_depressant"},
    "amoxicillin": {"penicillin"},
    "cephalexin": {"cephalosporin"},
    "insulin glargine": {"insulin"},
    "morphine": {"opioid", "cns_depressant"},
}
_DRUGS = (
    *_CLASSES, "acetaminophen", "simvastatin", "clarithromycin", "sildenafil", "methotrexate", "vincristine",
    "potassium chloride", "levothyroxine", "metformin", "isotretinoin", "aspirin", "amlodipine", "uncoveredine",
    "prednisone", "levetiracetam", "atorvastatin", "metoprolol", "ketorolac",
)  # fmt: skip


def _limit(drug: str, **kw: Any) -> DoseLimit:
    numbers: dict[str, Any] = {k: Decimal(v) if type(v) is int else v for k, v in kw.items()}
    return DoseLimit(drug, LABEL, **numbers)


class TinyKnowledge:
    """Implements the port over the tables of this module."""

    hash = "sha256:tiny"

    def names(self) -> Mapping[str, Entry]:
        names = {drug: Entry((drug,)) for drug in _DRUGS}
        names |= {
            "tylenol": Entry(("acetaminophen",), brand=True),
            "viagra": Entry(("sildenafil",), brand=True),
            "percocet": Entry(("acetaminophen", "oxycodone"), brand=True),
            "nitrates": Entry((), "nitrate"),
            "nsaids": Entry((), "nsaid"),
            "penicillin": Entry((), "penicillin"),
        }
        return names

    def classes_of(self, drug: str) -> frozenset[str]:
        return frozenset(_CLASSES.get(drug, ()))

    def members(self, class_id: str) -> frozenset[str]:
        return frozenset(drug for drug, held in _CLASSES.items() if class_id in held)

    def interactions(self, a: str, b: str) -> Sequence[Interaction]:
        pair = {a, b}
        found: list[Interaction] = []

        def add(one: str, other: str, severity: Severity, source: Provenance = ROW, **kw: Any) -> None:
            left = {one} | set(self.members(one))
            right = {other} | set(self.members(other))
            if (a in left and b in right) or (b in left and a in right):
                found.append(Interaction(min(pair), max(pair), severity, source, **kw))

        add("sildenafil", "nitrate", Severity.CONTRAINDICATED)
        add("simvastatin", "clarithromycin", Severity.CONTRAINDICATED, LABEL)
        add("warfarin", "nsaid", Severity.MAJOR)
        add("lisinopril", "furosemide", Severity.MODERATE)
        add("simvastatin", "amlodipine", Severity.MAJOR, dose_drug="simvastatin", above_daily_mg=Decimal(20))
        return found

    def spaced_hours(self, a: str, b: str) -> Decimal | None:
        return None

    def managed_pairs(self, a: str, b: str) -> Sequence[ManagedPair]:
        return ()

    def dose_limits(self, drug: str) -> Sequence[DoseLimit]:
        match drug:
            case "acetaminophen":
                return (
                    _limit(drug, min_age_years=12, max_single=1000, max_daily=4000, min_interval_hours=4),
                    _limit(
                        drug, max_age_years=12, max_single=15, max_daily=75, per_kg=True, min_interval_hours=4
                    ),
                )
            case "ibuprofen":
                return (_limit(drug, min_age_years=12, max_single=800, max_daily=3200),)
            case "levothyroxine":
                return (DoseLimit(drug, LABEL, max_daily=Decimal(300), unit="mcg"),)
            case "methotrexate":
                return (_limit(drug, max_single=25, min_interval_hours=168),)
            case "metformin":
                return (_limit(drug, max_daily=2550),)
            case "lisinopril":
                return (DoseLimit(drug, LABEL, max_daily=Decimal(80), confidence="medium"),)
        return ()

    def strengths(self, drug: str) -> Sequence[Strength]:
        return ()

    def renal_rules(self, drug: str) -> Sequence[RenalRule]:
        return (
            (RenalRule("metformin", "egfr", Decimal(30), "contraindicated", LABEL),)
            if drug == "metformin"
            else ()
        )

    def hepatic_rules(self, drug: str) -> Sequence[HepaticRule]:
        return (HepaticRule(drug, frozenset("C"), "avoid", LABEL),) if drug == "simvastatin" else ()

    def pregnancy_rules(self, drug: str) -> Sequence[PregnancyRule]:
        if drug in ("ibuprofen", "naproxen"):
            return (PregnancyRule(drug, Severity.MAJOR, LABEL, from_week=20),)
        return (PregnancyRule(drug, Severity.CONTRAINDICATED, LABEL),) if drug == "isotretinoin" else ()

    def pregnancy_exceptions(self, drug: str) -> Sequence[PregnancyException]:
        return ()

    def lactation_rules(self, drug: str) -> Sequence[LactationRule]:
        return (LactationRule(drug, Severity.MAJOR, CURATED),) if drug == "oxycodone" else ()

    def age_rules(self, drug: str) -> Sequence[AgeRule]:
        return (AgeRule(drug, Severity.MAJOR, LABEL, max_age_years=Decimal(12)),) if drug == "aspirin" else ()

    def contraindications(self, drug: str) -> Sequence[Contraindication]:
        if drug in ("ibuprofen", "naproxen"):
            return (Contraindication(drug, "peptic_ulcer", Severity.MAJOR, LABEL),)
        return ()

    def courses(self, drug: str) -> Sequence[Course]:
        if drug != "ketorolac":
            return ()
        return (Course(drug, Decimal(5), Severity.MAJOR, LABEL, frozenset({"oral", "intravenous"})),)

    def conception_waits(self, drug: str) -> Sequence[ConceptionWait]:
        return (ConceptionWait(drug, 90, LABEL),) if drug == "methotrexate" else ()

    def first_doses(self, drug: str) -> Sequence[FirstDose]:
        return ()

    def infusion_rates(self, drug: str) -> Sequence[InfusionRate]:
        if drug != "potassium chloride":
            return ()
        return (InfusionRate(drug, LABEL, False, Decimal(20), "mEq", hourly=True, no_push=True),)

    def conditions(self) -> Mapping[str, str]:
        return {"peptic ulcer": "peptic_ulcer", "stomach ulcer": "peptic_ulcer", "asthma": "asthma"}

    def allergen(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if name.startswith("penicillin"):
            return (), ("penicillin",)
        return ((name,), ()) if name in _DRUGS else ((), ())

    def cross_reacts(self, allergen_name: str, drug: str) -> Cross | None:
        return (
            Cross(Severity.MODERATE, ROW) if (allergen_name, drug) == ("penicillin", "cephalexin") else None
        )

    def mme_factor(self, drug: str) -> Factor | None:
        factor = {"oxycodone": "1.5", "morphine": "1"}.get(drug)
        return None if factor is None else Factor(Decimal(factor), CURATED)

    def covered(self, drug: str, check: str) -> Covered:
        return Covered.NOT_COVERED if drug == "uncoveredine" else Covered.COVERED

    def routes(self, drug: str) -> frozenset[str]:
        return frozenset({"oral"}) if drug == "metformin" else frozenset()


@pytest.fixture(scope="session")
def tiny() -> TinyKnowledge:
    return TinyKnowledge()


Check = Callable[..., CheckResult]


@pytest.fixture(scope="session")
def check(tiny: TinyKnowledge) -> Check:
    """check(output, prompt=None, audience="clinician", documents=[...], **context) on the tiny pack."""

    def run(
        output: str,
        prompt: str | None = None,
        audience: Any = "clinician",
        documents: Sequence[Mapping[str, Any]] = (),
        **context: Any,
    ) -> CheckResult:
        judged = Judged(output, prompt, parse_context(context), parse_documents([dict(d) for d in documents]))
        return run_checks(judged, tiny, audience=audience)

    return run

"""Who the text is about: the structured context that every clinical check reads.

`None` means "not given"; an empty tuple means "asked, and none known". A check that needs something not given
says so in its coverage and never assumes the healthy value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Allergy:
    """One allergy or intolerance; `severity` and `certainty` as free words of the source, lower case."""

    substance: str
    reaction: str | None = None
    severity: str | None = None
    certainty: str | None = None


@dataclass(frozen=True, slots=True)
class Medication:
    """One line of the medication list; `status` is active, stopped, planned or unknown."""

    name: str
    rxcui: str | None = None
    dose: str | None = None
    route: str | None = None
    frequency: str | None = None
    prn: bool | None = None
    status: str = "active"
    start: date | None = None


@dataclass(frozen=True, slots=True)
class Lab:
    """One result. `code` is a LOINC code or a plain name (`egfr`, `potassium`, `inr`)."""

    code: str
    value: Decimal
    unit: str | None = None
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    name: str
    code: str | None = None
    active: bool = True


@dataclass(frozen=True, slots=True)
class Identity:
    """What names the patient, for the wrong-patient check and the PHI rails. Never stored outside the
    vault."""

    names: tuple[str, ...] = ()
    mrn: str | None = None
    birth_date: date | None = None


@dataclass(frozen=True, slots=True)
class PatientContext:
    """Shapes and units: ages in years or days, weight in kilograms, height in centimetres, eGFR in
    mL/min/1.73m2, creatinine clearance (`crcl`) in mL/min, the infant's age (`infant_days`) where the patient
    breast-feeds."""

    age_years: Decimal | None = None
    age_days: int | None = None
    sex: str | None = None
    """male, female, other or None."""
    pregnant: bool | None = None
    pregnancy_weeks: Decimal | None = None
    lactating: bool | None = None
    infant_days: int | None = None
    weight_kg: Decimal | None = None
    height_cm: Decimal | None = None
    egfr: Decimal | None = None
    crcl: Decimal | None = None
    dialysis: bool | None = None
    child_pugh: str | None = None
    """A, B or C."""
    setting: str | None = None
    goals: str | None = None
    labs: tuple[Lab, ...] | None = None
    allergies: tuple[Allergy, ...] | None = None
    medications: tuple[Medication, ...] | None = None
    conditions: tuple[Condition, ...] | None = None
    identity: Identity | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A retrieved document given to the model; `id` names it in findings."""

    id: str
    text: str
    version: str | None = None
    score: Decimal | None = None
    withdrawn: bool = False
    """True where the register says it was withdrawn or superseded; an output that rests on it is flagged."""
    published: date | None = None
    review_by: date | None = None
    """The day after which its owner no longer stands by it unreviewed."""
    patient_id: str | None = None
    """Record number of the patient whose document it is, where it is one's."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One output with everything the checks may look at."""

    output: str
    prompt: str | None = None
    context: PatientContext = PatientContext()
    documents: tuple[Document, ...] = ()

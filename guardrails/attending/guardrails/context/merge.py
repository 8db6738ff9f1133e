"""One context out of two: what the record says and what the text states.

The record wins wherever it says something; lists are joined, since a drug named only in the prompt is
still being
taken. What cannot both be true is reported as a conflict, never resolved in silence.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from decimal import Decimal

from attending.guardrails.patient import Allergy, Condition, Lab, Medication, PatientContext


@dataclass(frozen=True, slots=True)
class Conflict:
    """`field` of the context on which record and text disagree; the values as text, for the reviewer."""

    field: str
    recorded: str
    stated: str


@dataclass(frozen=True, slots=True)
class Merged:
    context: PatientContext
    conflicts: tuple[Conflict, ...]


_NOTHING = PatientContext()
_LISTS = frozenset({"labs", "allergies", "medications", "conditions"})


def merge(recorded: PatientContext, stated: PatientContext) -> Merged:
    """The record completed by the text, with every contradiction between them.

    A conflict is: another sex; an age more than two years (under two years: more than one) away;
    pregnant against
    not pregnant; more than four weeks of gestation apart; weight more than a third away; eGFR or
    creatinine clearance more than half away; dialysis or
    Child-Pugh class that differ. Smaller differences are rounding or time, and the record is used.
    """
    if stated == _NOTHING:
        return Merged(recorded, ())
    updates: dict[str, object] = {}
    for field in fields(PatientContext):
        ours, theirs = getattr(recorded, field.name), getattr(stated, field.name)
        if field.name not in _LISTS and ours is None and theirs is not None:
            updates[field.name] = theirs
    if recorded.age_years is not None or recorded.age_days is not None:
        # Age is one fact in two fields: the text's must not sit beside the record's.
        updates.pop("age_years", None)
        updates.pop("age_days", None)
    if recorded.pregnant is False:
        updates.pop("pregnancy_weeks", None)
    context = replace(
        recorded,
        **updates,  # type: ignore[arg-type]
        labs=_joined_labs(recorded.labs, stated.labs),
        allergies=_joined_allergies(recorded.allergies, stated.allergies),
        medications=_joined_medications(recorded.medications, stated.medications),
        conditions=_joined_conditions(recorded.conditions, stated.conditions),
    )
    return Merged(context, tuple(_conflicts(recorded, stated)))


def age_in_years(context: PatientContext) -> Decimal | None:
    """Age with fractions of a year where days are given; None when not given."""
    if context.age_days is not None and (context.age_years is None or context.age_days < 731):
        return Decimal(context.age_days) / Decimal("365.25")
    return context.age_years


def _conflicts(recorded: PatientContext, stated: PatientContext) -> list[Conflict]:
    found: list[Conflict] = []

    def differ(field: str, ours: object, theirs: object) -> None:
        found.append(Conflict(field, str(ours), str(theirs)))

    ours_age, theirs_age = age_in_years(recorded), age_in_years(stated)
    if ours_age is not None and theirs_age is not None:
        allowed = Decimal(2) if max(ours_age, theirs_age) >= 2 else Decimal(1)
        if abs(ours_age - theirs_age) > allowed:
            differ("age_years", ours_age.normalize(), theirs_age.normalize())
    if recorded.sex and stated.sex and recorded.sex != stated.sex:
        differ("sex", recorded.sex, stated.sex)
    if recorded.pregnant is not None and stated.pregnant is not None and recorded.pregnant != stated.pregnant:
        differ("pregnant", recorded.pregnant, stated.pregnant)
    if recorded.sex == "male" and (stated.pregnant or stated.pregnancy_weeks is not None):
        differ("pregnant", "male", "pregnant")
    ours_weeks, theirs_weeks = recorded.pregnancy_weeks, stated.pregnancy_weeks
    if ours_weeks is not None and theirs_weeks is not None and abs(ours_weeks - theirs_weeks) > 4:
        differ("pregnancy_weeks", ours_weeks, theirs_weeks)
    for field, share in (("weight_kg", Decimal(1) / 3), ("egfr", Decimal(1) / 2), ("crcl", Decimal(1) / 2)):
        ours, theirs = getattr(recorded, field), getattr(stated, field)
        if ours is not None and theirs is not None and abs(ours - theirs) > max(ours, theirs) * share:
            differ(field, ours, theirs)
    for field in ("dialysis", "child_pugh"):
        ours, theirs = getattr(recorded, field), getattr(stated, field)
        if ours is not None and theirs is not None and ours != theirs:
            differ(field, ours, theirs)
    return found


def _joined_allergies(
    ours: tuple[Allergy, ...] | None, theirs: tuple[Allergy, ...] | None
) -> tuple[Allergy, ...] | None:
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    told = {allergy.substance.lower(): allergy for allergy in theirs}
    known = {allergy.substance.lower() for allergy in ours}
    return (
        *(_completed(allergy, told.get(allergy.substance.lower())) for allergy in ours),
        *(allergy for allergy in theirs if allergy.substance.lower() not in known),
    )


def _completed(ours: Allergy, theirs: Allergy | None) -> Allergy:
    """Our entry with the reaction of theirs where ours names none."""
    return replace(ours, reaction=theirs.reaction) if theirs is not None and ours.reaction is None else ours


def _joined_medications(
    ours: tuple[Medication, ...] | None, theirs: tuple[Medication, ...] | None
) -> tuple[Medication, ...] | None:
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    known = {medication.name.lower() for medication in ours}
    return (*ours, *(medication for medication in theirs if medication.name.lower() not in known))


def _joined_conditions(
    ours: tuple[Condition, ...] | None, theirs: tuple[Condition, ...] | None
) -> tuple[Condition, ...] | None:
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    known = {condition.name.lower() for condition in ours}
    return (*ours, *(condition for condition in theirs if condition.name.lower() not in known))


def _joined_labs(ours: tuple[Lab, ...] | None, theirs: tuple[Lab, ...] | None) -> tuple[Lab, ...] | None:
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    return (*ours, *theirs)

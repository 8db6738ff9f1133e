"""The patient as FHIR R4 resources: Patient, AllergyIntolerance, MedicationRequest, MedicationStatement,
Condition and Observation, in a Bundle or a list (HL7 FHIR R4 4.0.1).

Tolerant of what is missing, never of what is doubtful: a resource that cannot be read is named in
`unread`, and
"no known allergies" (SNOMED CT 716186003 and its children) is kept apart from an absent list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from attending.guardrails.context.fhir_values import decimal, instant, read_concept, read_status, years
from attending.guardrails.patient import Allergy, Condition, Identity, Lab, Medication, PatientContext

NO_KNOWN_ALLERGY: Final = frozenset({"716186003", "409137002", "428607008", "429625007"})
"""SNOMED CT: no known allergy, no known drug allergy, no known environmental allergy, no known food
allergy."""

_NO_KNOWN_TEXT: Final = re.compile(r"\bno known (?:\w+ )?allerg|\bnkd?a\b", re.I)
_QUALIFIER: Final = re.compile(r"(?<!\s)\s*+\((?:disorder|finding|situation|procedure|substance)\)\s*$", re.I)
_WEIGHT: Final = frozenset({"29463-7", "3141-9", "3142-7", "8341-0"})
_HEIGHT: Final = frozenset({"8302-2", "8301-4", "8308-9"})
_GESTATION: Final = frozenset({"11884-4", "11885-1", "18185-9", "49051-6", "49052-4"})
_PREGNANCY: Final = frozenset({"82810-3", "11449-6"})
EGFR_CODES: Final = frozenset(
    {
        "33914-3",
        "48642-3",
        "48643-1",
        "50044-7",
        "62238-1",
        "69405-9",
        "77147-7",
        "88293-6",
        "98979-8",
        "2164-2",
    }
)
_ACTIVE_MEDICATION: Final = frozenset({"active", "intended", "on-hold", "draft"})
_STOPPED_MEDICATION: Final = frozenset({"stopped", "completed", "cancelled", "ended", "not-taken"})
_IGNORED_STATUS: Final = frozenset({"entered-in-error", "cancelled", "registered"})
_KNOWN: Final = frozenset(
    {
        "Patient",
        "AllergyIntolerance",
        "MedicationRequest",
        "MedicationStatement",
        "Medication",
        "Condition",
        "Observation",
    }
)
_UCUM_KG: Final = {
    "kg": Decimal(1),
    "g": Decimal("0.001"),
    "[lb_av]": Decimal("0.45359237"),
    "lb": Decimal("0.45359237"),
}
_UCUM_CM: Final = {"cm": Decimal(1), "m": Decimal(100), "mm": Decimal("0.1"), "[in_i]": Decimal("2.54")}


@dataclass(frozen=True, slots=True)
class FhirRead:
    """`unread` lists `ResourceType[index]: REASON` for what could not be read; it holds no value of
    the patient."""

    context: PatientContext
    unread: tuple[str, ...]


class _Reader:
    """Collects one patient; resources are visited once, in order."""

    def __init__(self) -> None:
        self.unread: list[str] = []
        self.names: list[str] = []
        self.mrn: str | None = None
        self.born: date | None = None
        self.sex: str | None = None
        self.allergies: list[Allergy] | None = None
        self.medications: list[Medication] | None = None
        self.conditions: list[Condition] | None = None
        self.labs: list[Lab] = []
        self.weight: tuple[datetime, Decimal] | None = None
        self.height: tuple[datetime, Decimal] | None = None
        self.egfr: tuple[datetime, Decimal] | None = None
        self.weeks: tuple[datetime, Decimal] | None = None
        self.pregnant: bool | None = None
        self.patients = 0
        self.products: dict[str, dict[str, Any]] = {}


def read_fhir(value: object, *, as_of: datetime | None = None) -> FhirRead:
    """The context of one patient from a Bundle, a resource or a list of resources.

    `as_of` dates the age (default: now in UTC). The newest Observation of a kind wins. A second
    Patient resource
    is not read (`SECOND_PATIENT`), so that two records are never blended into one person.
    """
    reader = _Reader()
    resources = list(_resources(value))
    # Products first: a reference may point forward in the bundle.
    for resource in resources:
        if resource.get("resourceType") == "Medication":
            name = resource.get("id")
            for key in (f"Medication/{name}", f"urn:uuid:{name}", f"#{name}"):
                reader.products[key] = resource
    for index, resource in enumerate(resources):
        kind = resource.get("resourceType")
        if not isinstance(kind, str) or kind not in _KNOWN:
            continue
        try:
            _visit(reader, resource)
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, InvalidOperation, IndexError):
            reader.unread.append(f"{_kind(resource)}[{index}]: UNREADABLE")
            continue
    now = as_of or datetime.now(UTC)
    identity = Identity(tuple(reader.names), reader.mrn, reader.born)
    return FhirRead(
        PatientContext(
            age_years=None if reader.born is None else Decimal(years(reader.born, now.date())),
            age_days=None if reader.born is None else (now.date() - reader.born).days,
            sex=reader.sex,
            pregnant=reader.pregnant
            if reader.pregnant is not None
            else (True if reader.weeks is not None else None),
            pregnancy_weeks=reader.weeks[1]
            if reader.weeks is not None and reader.pregnant is not False
            else None,
            weight_kg=None if reader.weight is None else reader.weight[1],
            height_cm=None if reader.height is None else reader.height[1],
            egfr=None if reader.egfr is None else reader.egfr[1],
            labs=tuple(reader.labs) or None,
            allergies=None if reader.allergies is None else tuple(reader.allergies),
            medications=None if reader.medications is None else tuple(reader.medications),
            conditions=None if reader.conditions is None else tuple(reader.conditions),
            identity=identity if identity != Identity() else None,
            as_of=as_of,
        ),
        tuple(reader.unread),
    )


def _resources(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _resources(item)
    elif isinstance(value, dict):
        if value.get("resourceType") == "Bundle":
            entries = value.get("entry")
            for entry in entries if isinstance(entries, list) else []:
                if isinstance(entry, dict):
                    yield from _resources(entry.get("resource"))
        else:
            contained = value.get("contained")
            if isinstance(contained, list):
                yield from _resources(contained)
            yield value


def _kind(resource: dict[str, Any]) -> str:
    kind = resource.get("resourceType")
    return kind if isinstance(kind, str) and kind in _KNOWN else "Resource"


def _visit(reader: _Reader, resource: dict[str, Any]) -> None:
    match resource["resourceType"]:
        case "Patient":
            _patient(reader, resource)
        case "AllergyIntolerance":
            _allergy(reader, resource)
        case "MedicationRequest" | "MedicationStatement":
            _medication(reader, resource)
        case "Condition":
            _condition(reader, resource)
        case "Observation":
            _observation(reader, resource)


def _patient(reader: _Reader, resource: dict[str, Any]) -> None:
    reader.patients += 1
    if reader.patients > 1:
        reader.unread.append("Patient: SECOND_PATIENT")
        return
    for name in resource.get("name") or ():
        given = " ".join(name.get("given") or ())
        full = name.get("text") or f"{given} {name.get('family') or ''}".strip()
        if full:
            reader.names.append(full)
    for identifier in resource.get("identifier") or ():
        codes = {coding.get("code") for coding in (identifier.get("type") or {}).get("coding") or ()}
        if "MR" in codes and isinstance(identifier.get("value"), str):
            reader.mrn = identifier["value"]
    gender = resource.get("gender")
    reader.sex = gender if gender in ("male", "female", "other") else None
    if resource.get("birthDate"):
        parts = [int(part) for part in str(resource["birthDate"]).split("-")]
        # A year or a month alone gives the first day of it: the age may be up to a year too high,
        # never too low.
        reader.born = date(parts[0], parts[1] if len(parts) > 1 else 1, parts[2] if len(parts) > 2 else 1)


def _allergy(reader: _Reader, resource: dict[str, Any]) -> None:
    certainty = read_status(resource, "verificationStatus")
    clinical = read_status(resource, "clinicalStatus")
    if certainty == "entered-in-error":
        return
    if reader.allergies is None:
        reader.allergies = []
    text, codes = read_concept(resource.get("code"))
    if codes & NO_KNOWN_ALLERGY or (text is not None and _NO_KNOWN_TEXT.search(text)):
        return
    if certainty == "refuted" or clinical == "resolved":
        return
    if text is None:
        raise ValueError("no substance")
    reactions: list[str] = []
    severity: str | None = None
    for reaction in resource.get("reaction") or ():
        for manifestation in reaction.get("manifestation") or ():
            shown, _ = read_concept(manifestation)
            if shown:
                reactions.append(shown.lower())
        severity = reaction.get("severity") or severity
    if resource.get("criticality") == "high" and severity is None:
        severity = "high criticality"
    reader.allergies.append(Allergy(text, "; ".join(reactions) or None, severity, certainty))


def _medication(reader: _Reader, resource: dict[str, Any]) -> None:
    status = str(resource.get("status") or "unknown")
    if status == "entered-in-error" or resource.get("doNotPerform") is True:
        return
    if reader.medications is None:
        reader.medications = []
    concept = resource.get("medicationCodeableConcept")
    if concept is None:
        reference = (resource.get("medicationReference") or {}).get("reference")
        product = reader.products.get(reference or "")
        concept = product.get("code") if product is not None else resource.get("medicationReference")
    text, _ = read_concept(concept)
    if text is None:
        raise ValueError("no medication")
    rxcui = next(
        (c.get("code") for c in (concept or {}).get("coding") or () if "rxnorm" in str(c.get("system", ""))),
        None,
    )
    instructions = resource.get("dosageInstruction") or resource.get("dosage") or ()
    first: dict[str, Any] = instructions[0] if instructions else {}
    route, _ = read_concept(first.get("route"))
    started = resource.get("authoredOn") or (resource.get("effectivePeriod") or {}).get("start")
    prn = first.get("asNeededBoolean")
    reader.medications.append(
        Medication(
            name=text,
            rxcui=rxcui,
            dose=_dose(first),
            route=None if route is None else route.lower(),
            frequency=_frequency(first),
            prn=prn if isinstance(prn, bool) else (True if first.get("asNeededCodeableConcept") else None),
            status="active"
            if status in _ACTIVE_MEDICATION
            else "stopped"
            if status in _STOPPED_MEDICATION
            else "unknown",
            start=date.fromisoformat(str(started)[:10]) if started and len(str(started)) >= 10 else None,
        )
    )


def _dose(instruction: dict[str, Any]) -> str | None:
    for amount in instruction.get("doseAndRate") or ():
        quantity = amount.get("doseQuantity") or (amount.get("doseRange") or {}).get("high")
        if quantity and quantity.get("value") is not None:
            return f"{decimal(quantity['value'])} {quantity.get('unit') or quantity.get('code') or 'tablet'}"
    text = instruction.get("text")
    return text if isinstance(text, str) and text else None


def _frequency(instruction: dict[str, Any]) -> str | None:
    timing = instruction.get("timing") or {}
    repeat = timing.get("repeat") or {}
    if repeat.get("frequency") and repeat.get("period") and repeat.get("periodUnit"):
        count, period = decimal(repeat["frequency"]), decimal(repeat["period"])
        unit = {"h": "hour", "d": "day", "wk": "week", "mo": "month"}.get(repeat["periodUnit"])
        if unit is not None:
            often = "once" if count == 1 else f"{count.normalize():f} times"
            if period == 1:
                return f"{often} a {unit}" if unit != "hour" else f"every {Decimal(1) / count} hours"
            if count == 1:
                return f"every {period.normalize():f} {unit}s"
            return f"{often} every {period.normalize():f} {unit}s"
    shown, _ = read_concept(timing.get("code"))
    return shown


def _condition(reader: _Reader, resource: dict[str, Any]) -> None:
    if read_status(resource, "verificationStatus") in ("entered-in-error", "refuted"):
        return
    if reader.conditions is None:
        reader.conditions = []
    text, codes = read_concept(resource.get("code"))
    if text is None:
        raise ValueError("no condition")
    clinical = read_status(resource, "clinicalStatus")
    active = clinical in (None, "active", "recurrence", "relapse")
    if clinical is None and (resource.get("abatementDateTime") or resource.get("abatementString")):
        active = False
    reader.conditions.append(Condition(_QUALIFIER.sub("", text), next(iter(sorted(codes)), None), active))
    if (
        active
        and re.search(r"\b(?:normal pregnancy|pregnant|pregnancy)\b", text, re.I)
        and "history" not in text.lower()
    ):
        reader.pregnant = True


def _observation(reader: _Reader, resource: dict[str, Any]) -> None:
    if resource.get("status") in _IGNORED_STATUS or resource.get("status") == "entered-in-error":
        return
    text, codes = read_concept(resource.get("code"))
    when = instant(resource.get("effectiveDateTime") or resource.get("issued"))
    if codes & _PREGNANCY:
        shown, answer = read_concept(resource.get("valueCodeableConcept"))
        if answer & {"77386006", "LA15173-0"} or (shown or "").lower().startswith("pregnant"):
            reader.pregnant = True
        elif answer & {"60001007", "LA26683-5"} or (shown or "").lower().startswith("not pregnant"):
            reader.pregnant = False
        return
    quantity = resource.get("valueQuantity")
    if quantity is None or quantity.get("value") is None:
        return
    if quantity.get("comparator") in ("<", ">", "<=", ">="):
        reader.unread.append("Observation: COMPARATOR")
        return
    number, unit = decimal(quantity["value"]), quantity.get("code") or quantity.get("unit")
    if codes & _WEIGHT:
        reader.weight = _newer(reader, reader.weight, when, number, _UCUM_KG.get(unit))
    elif codes & _HEIGHT:
        reader.height = _newer(reader, reader.height, when, number, _UCUM_CM.get(unit))
    elif codes & EGFR_CODES:
        reader.egfr = _newer(reader, reader.egfr, when, number, Decimal(1))
    elif codes & _GESTATION:
        weeks = {"wk": Decimal(1), "d": Decimal(1) / Decimal(7)}.get(unit)
        reader.weeks = _newer(reader, reader.weeks, when, number, weeks)
    elif codes or text:
        reader.labs.append(
            Lab(
                next(iter(sorted(codes)), text or ""),
                number,
                quantity.get("unit") or quantity.get("code"),
                when,
            )
        )


def _newer(
    reader: _Reader,
    held: tuple[datetime, Decimal] | None,
    when: datetime | None,
    number: Decimal,
    factor: Decimal | None,
) -> tuple[datetime, Decimal] | None:
    if factor is None:
        reader.unread.append("Observation: UNIT")
        return held
    at = when or datetime.min.replace(tzinfo=UTC)
    return (at, number * factor) if held is None or at >= held[0] else held

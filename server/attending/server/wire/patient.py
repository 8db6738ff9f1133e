"""The patient of a request: explicit fields over FHIR R4 resources; what neither gives stays absent."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from attending.guardrails.context.fhir import read_fhir
from attending.guardrails.patient import (
    Allergy,
    Condition,
    Identity,
    Lab,
    Medication,
    PatientContext,
)
from attending.server.errors import InvalidRequest
from attending.server.wire.violations import (
    BROKEN_TEXT,
    Violations,
    date_field,
    decimal_of,
    plain_number,
    time_field,
)
from attending.v1 import common_pb2

_CONTEXT_FIELD = "context.patient."
MAX_LIST_ITEMS = 500
MAX_SHORT_CODE_POINTS = 500
MAX_FHIR_CODE_POINTS = 2_097_152
MAX_NAMES = 16
MAX_NAME_CODE_POINTS = 256
MAX_MRN_CODE_POINTS = 64
MAX_AGE_DAYS = 47_500
MAX_INFANT_DAYS = 2000
MEASURES: dict[str, tuple[float, float]] = {
    "age_years": (0, 130),
    "gestational_weeks": (0, 45),
    "weight_kg": (0, 700),
    "height_cm": (0, 280),
    "egfr": (0, 300),
    "crcl": (0, 300),
}
"""Least and most of what is measured, beyond any person; a weight and a height are above zero."""


def patient_context(wire: common_pb2.PatientContext, v: Violations) -> PatientContext:
    """Explicit fields over what the FHIR resources say; a field given by neither stays None."""
    base = PatientContext()
    if wire.fhir_json:
        base = _fhir(wire.fhir_json, v)
    field = _CONTEXT_FIELD

    def number(name: str, *, exclusive: bool = False) -> Decimal | None:
        low, high = MEASURES[name]
        bounds = f"must be {'above' if exclusive else 'at least'} {low} and at most {high}"
        if not wire.HasField(name):  # type: ignore[arg-type]
            read = getattr(base, "pregnancy_weeks" if name == "gestational_weeks" else name)
            if (read is not None and not (low < read if exclusive else low <= read)) or (read or 0) > high:
                v.add(field + "fhir_json", f"gives a {name} that {bounds}")
            return None
        value = float(getattr(wire, name))
        ok = math.isfinite(value) and (low < value if exclusive else low <= value) and value <= high
        v.check(ok, field + name, bounds)
        return decimal_of(value) if ok else None

    def flag(name: str) -> bool | None:
        return bool(getattr(wire, name)) if wire.HasField(name) else None  # type: ignore[arg-type]

    def word(name: str, allowed: frozenset[str] | None = None) -> str | None:
        value = str(getattr(wire, name)).strip()
        v.text(value, field + name, MAX_SHORT_CODE_POINTS, required=False)
        if value and allowed is not None and value not in allowed:
            v.add(field + name, "must be one of " + ", ".join(sorted(allowed)))
        return value or None

    labs = tuple(
        Lab(
            code=lab.code,
            value=decimal_of(lab.value) or Decimal(0),
            unit=lab.unit or None,
            time=time_field(lab.time, f"{field}labs[{i}].time", v) if lab.HasField("time") else None,
        )
        for i, lab in enumerate(wire.labs)
        if _lab_ok(lab, f"{field}labs[{i}]", v)
    )
    given: dict[str, Any] = {
        "age_years": number("age_years"),
        "age_days": int(wire.age_days) if wire.HasField("age_days") else None,
        "sex": word("sex", frozenset({"male", "female", "other"})),
        "pregnant": flag("pregnant"),
        "pregnancy_weeks": number("gestational_weeks"),
        "lactating": flag("lactating"),
        "infant_days": int(wire.infant_days) if wire.HasField("infant_days") else None,
        "weight_kg": number("weight_kg", exclusive=True),
        "height_cm": number("height_cm", exclusive=True),
        "egfr": number("egfr"),
        "crcl": number("crcl"),
        "dialysis": flag("dialysis"),
        "child_pugh": word("child_pugh", frozenset({"A", "B", "C"})),
        "setting": word("setting"),
        "goals": word("goals"),
        "labs": labs or None,
        "allergies": _allergies(wire, v),
        "medications": _medications(wire, v),
        "conditions": _conditions(wire, v),
        "identity": _identity(wire, v),
        "as_of": time_field(wire.as_of, field + "as_of", v) if wire.HasField("as_of") else None,
    }
    v.check(len(wire.labs) <= MAX_LIST_ITEMS, field + "labs", f"has more than {MAX_LIST_ITEMS} items")
    v.check(wire.infant_days <= MAX_INFANT_DAYS, field + "infant_days", f"must be at most {MAX_INFANT_DAYS}")
    v.check(wire.age_days <= MAX_AGE_DAYS, field + "age_days", f"must be at most {MAX_AGE_DAYS}")
    merged = {name: value if value is not None else getattr(base, name) for name, value in given.items()}
    return PatientContext(**merged)


def added_facts(wire: common_pb2.PatientContext) -> PatientContext:
    """What a reviewer adds: explicit fields only. Raises InvalidRequest with each violation under `facts`."""
    v = Violations()
    v.check(not wire.fhir_json, _CONTEXT_FIELD + "fhir_json", "is not a fact to add")
    read = patient_context(wire, v) if not wire.fhir_json else PatientContext()
    if v.found:
        raise InvalidRequest(
            [("facts." + field.removeprefix(_CONTEXT_FIELD), problem) for field, problem in v.found]
        )
    return read


def _fhir(resources: Iterable[str], v: Violations) -> PatientContext:
    parsed: list[Any] = []
    for position, text in enumerate(resources):
        field = f"context.patient.fhir_json[{position}]"
        if len(text) > MAX_FHIR_CODE_POINTS:
            v.add(field, f"has {len(text)} code points, the limit is {MAX_FHIR_CODE_POINTS}")
            continue
        try:
            resource = json.loads(
                text, parse_float=plain_number, parse_int=plain_number, parse_constant=_no_constant
            )
        except (ValueError, ArithmeticError, RecursionError):
            v.add(field, "is not JSON, or has a number beyond 30 digits")
            continue
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            v.add(field, "is not a FHIR resource: `resourceType` is missing")
        elif _has_broken_text(resource):
            v.add(field, "contains a NUL character or half a surrogate pair")
        else:
            parsed.append(resource)
    try:
        read = read_fhir(parsed)
    except RecursionError:
        v.add("context.patient.fhir_json", "is nested too deeply")
        return PatientContext()
    for unread in read.unread:
        # An allergy that cannot be read must not become "no allergy given". A measurement without a usable unit
        # or value stays "not given", which no check takes for normal.
        if not unread.startswith("Observation"):
            v.add("context.patient.fhir_json", f"`{unread}`")
    return read.context


def _no_constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON (RFC 8259 section 6)")


def _has_broken_text(value: object) -> bool:
    """Whether a text or a key anywhere inside could not be stored as UTF-8, or holds NUL."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.keys()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str) and BROKEN_TEXT.search(item):
            return True
    return False


def _lab_ok(lab: common_pb2.Lab, field: str, v: Violations) -> bool:
    v.text(lab.code, field + ".code", MAX_SHORT_CODE_POINTS)
    _shorts(lab, field, ("unit",), v)
    finite = math.isfinite(lab.value)
    v.check(finite, field + ".value", "must be finite")
    return finite


def _shorts(item: Any, at: str, names: Iterable[str], v: Violations) -> None:
    for name in names:
        v.text(getattr(item, name), f"{at}.{name}", MAX_SHORT_CODE_POINTS, required=False)


def _list_ok(items: int, short_forms: Iterable[str], none_known: bool, field: str, v: Violations) -> None:
    """Absent, none known and given are three different things; an empty list is none of them."""
    shorts = list(short_forms)
    for position, text in enumerate(shorts):
        v.text(text, f"{field}.short_forms[{position}]", MAX_SHORT_CODE_POINTS)
    count = items + len(shorts)
    v.check(count <= MAX_LIST_ITEMS, field, f"has {count} items, the limit is {MAX_LIST_ITEMS}")
    v.check(not (none_known and count), field, "says `none_known` and gives items")
    v.check(bool(none_known or count), field, "is empty: give items, set `none_known`, or leave it out")


def _allergies(wire: common_pb2.PatientContext, v: Violations) -> tuple[Allergy, ...] | None:
    if not wire.HasField("allergies"):
        return None
    given, field = wire.allergies, "context.patient.allergies"
    _list_ok(len(given.items), given.short_forms, given.none_known, field, v)
    items = []
    for position, item in enumerate(given.items):
        at = f"{field}.items[{position}]"
        v.text(item.substance, at + ".substance", MAX_SHORT_CODE_POINTS)
        _shorts(item, at, ("reaction", "severity", "certainty"), v)
        items.append(
            Allergy(item.substance, item.reaction or None, item.severity or None, item.certainty or None)
        )
    for text in given.short_forms:
        # "penicillin (rash)": the substance, and in brackets the reaction.
        match = re.fullmatch(r"\s*([^()]*?)\s*(?:\(([^()]*)\))?\s*", text)
        substance, reaction = (match.group(1), match.group(2)) if match else (text, None)
        items.append(Allergy(substance or text, reaction))
    return tuple(items)


def _medications(wire: common_pb2.PatientContext, v: Violations) -> tuple[Medication, ...] | None:
    if not wire.HasField("medications"):
        return None
    given, field = wire.medications, "context.patient.medications"
    _list_ok(len(given.items), given.short_forms, given.none_known, field, v)
    items = []
    for position, item in enumerate(given.items):
        at = f"{field}.items[{position}]"
        v.check(bool(item.name.strip() or item.rxcui), at, "needs `name` or `rxcui`")
        _shorts(item, at, ("name", "rxcui", "dose", "route", "frequency"), v)
        status = item.status or "active"
        v.check(
            status in {"active", "stopped", "planned", "unknown"}, at + ".status", "is not a known status"
        )
        items.append(
            Medication(
                name=item.name,
                rxcui=item.rxcui or None,
                dose=item.dose or None,
                route=item.route or None,
                frequency=item.frequency or None,
                prn=item.prn if item.HasField("prn") else None,
                status=status,
                start=date_field(item.start, at + ".start", v),
            )
        )
    items.extend(Medication(name=text) for text in given.short_forms)
    return tuple(items)


def _conditions(wire: common_pb2.PatientContext, v: Violations) -> tuple[Condition, ...] | None:
    if not wire.HasField("conditions"):
        return None
    given, field = wire.conditions, "context.patient.conditions"
    _list_ok(len(given.items), given.short_forms, given.none_known, field, v)
    items = []
    for position, item in enumerate(given.items):
        at = f"{field}.items[{position}]"
        v.text(item.name, at + ".name", MAX_SHORT_CODE_POINTS)
        _shorts(item, at, ("code",), v)
        items.append(
            Condition(item.name, item.code or None, item.active if item.HasField("active") else True)
        )
    items.extend(Condition(text) for text in given.short_forms)
    return tuple(items)


def _identity(wire: common_pb2.PatientContext, v: Violations) -> Identity | None:
    if not wire.HasField("identity"):
        return None
    given, field = wire.identity, "context.patient.identity"
    v.check(len(given.names) <= MAX_NAMES, field + ".names", f"has more than {MAX_NAMES} names")
    for position, name in enumerate(given.names):
        v.text(name, f"{field}.names[{position}]", MAX_NAME_CODE_POINTS)
    v.text(given.mrn, field + ".mrn", MAX_MRN_CODE_POINTS, required=False)
    return Identity(
        names=tuple(given.names),
        mrn=given.mrn.strip() or None,
        birth_date=date_field(given.birth_date, field + ".birth_date", v),
    )

"""The patient as one line of `attending check` gives it: plain JSON to `PatientContext`.

Strings are accepted wherever an object is ("warfarin 5 mg daily", "penicillin", "asthma"). Numbers are
read by
their decimal text, never through a binary float. A missing key is "not given"; an empty list is "none known".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from attending.guardrails.context.fhir import read_fhir
from attending.guardrails.patient import (
    Allergy,
    Condition,
    Document,
    Identity,
    Lab,
    Medication,
    PatientContext,
)

T = TypeVar("T")

_NONE_KNOWN: Final = re.compile(
    r"^\s*(?:nkda|nka|nil|none(?: known)?|no known (?:drug )?allerg(?:y|ies)|no allergies)\s*\.?\s*$", re.I
)
_DOSE_START: Final = re.compile(r"(?<!\s)\s++(?=\d|\.\d)")
_MAX_LIST: Final = 1000
_CONTEXT_KEYS_WORDS: Final = (
    "age_years age_days sex pregnant pregnancy_weeks lactating infant_days weight_kg height_cm egfr crcl "
    "dialysis child_pugh setting goals labs allergies medications conditions identity as_of name mrn birth_date"
)
_CONTEXT_KEYS: Final = frozenset(_CONTEXT_KEYS_WORDS.split())
_ALSO: Final = {
    "gestational_weeks": "pregnancy_weeks",
    "gestation_weeks": "pregnancy_weeks",
    "breastfeeding": "lactating",
    "creatinine_clearance": "crcl",
    "on_dialysis": "dialysis",
}
"""Other names of a key, as the API and common records spell them."""
_RESULTS: Final = {
    "creatinine_mg_dl": ("creatinine", "mg/dL"),
    "creatinine_umol_l": ("creatinine", "umol/L"),
}
"""Keys that are short for one of `labs`."""
_SEX: Final = {
    "male": "male",
    "m": "male",
    "female": "female",
    "f": "female",
    "other": "other",
    "unknown": None,
}


class ContextError(ValueError):
    """A context that cannot be read. `reason` is UPPER_SNAKE, `field` the path of the offending value.

    The message never repeats the value: it may be personal.
    """

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(f"`{field}`: {reason.lower().replace('_', ' ')}")
        self.reason = reason
        self.field = field


def parse_context(value: object) -> PatientContext:
    """The patient context of one JSON object, or an empty one for None.

    Raises ContextError (NOT_AN_OBJECT, UNKNOWN_FIELD, NOT_A_NUMBER, OUT_OF_RANGE, NOT_A_STRING,
    NOT_A_BOOLEAN,
    NOT_A_LIST, TOO_MANY, NOT_A_DATE, UNKNOWN_VALUE, MISSING). Unknown keys are refused: a misspelt `alergies`
    read as "not given" would silence a check. A FHIR R4 resource, Bundle or list of resources is read
    as such;
    `name`, `mrn` and `birth_date` are short for `identity`.
    """
    if value is None:
        return PatientContext()
    if isinstance(value, list) or (isinstance(value, dict) and "resourceType" in value):
        return read_fhir(value).context
    row = {_ALSO.get(key, key): held for key, held in _object(value, "context").items()}
    for key in row:
        if key not in _CONTEXT_KEYS and key not in _RESULTS:
            raise ContextError("UNKNOWN_FIELD", "context")
    sex = _string(row.get("sex"), "context.sex")
    if sex is not None and sex.strip().lower() not in _SEX:
        raise ContextError("UNKNOWN_VALUE", "context.sex")
    child_pugh = _string(row.get("child_pugh"), "context.child_pugh")
    if child_pugh is not None and child_pugh.strip().upper() not in {"A", "B", "C"}:
        raise ContextError("UNKNOWN_VALUE", "context.child_pugh")
    age_days = _number(row.get("age_days"), "context.age_days", 0, 50_000)
    infant_days = _number(row.get("infant_days"), "context.infant_days", 0, 2000)
    return PatientContext(
        age_years=_number(row.get("age_years"), "context.age_years", 0, 130),
        age_days=None if age_days is None else int(age_days),
        sex=None if sex is None else _SEX[sex.strip().lower()],
        pregnant=_boolean(row.get("pregnant"), "context.pregnant"),
        pregnancy_weeks=_number(row.get("pregnancy_weeks"), "context.pregnancy_weeks", 0, 45),
        lactating=_boolean(row.get("lactating"), "context.lactating"),
        infant_days=None if infant_days is None else int(infant_days),
        weight_kg=_number(row.get("weight_kg"), "context.weight_kg", Decimal("0.2"), 700),
        height_cm=_number(row.get("height_cm"), "context.height_cm", 15, 300),
        egfr=_number(row.get("egfr"), "context.egfr", 0, 300),
        crcl=_number(row.get("crcl"), "context.crcl", 0, 300),
        dialysis=_boolean(row.get("dialysis"), "context.dialysis"),
        child_pugh=None if child_pugh is None else child_pugh.strip().upper(),
        setting=_string(row.get("setting"), "context.setting"),
        goals=_string(row.get("goals"), "context.goals"),
        labs=_labs(row),
        allergies=_allergies(row.get("allergies")),
        medications=_items(row.get("medications"), "context.medications", _medication),
        conditions=_items(row.get("conditions"), "context.conditions", _condition),
        identity=_identity(row),
        as_of=_time(row.get("as_of"), "context.as_of"),
    )


def parse_documents(value: object) -> tuple[Document, ...]:
    """The retrieved documents of one line: objects with `id` and `text`. Raises ContextError."""
    return _items(value, "documents", _document) or ()


def _document(value: object, path: str) -> Document:
    row = _object(value, path)
    withdrawn = _boolean(row.get("withdrawn"), f"{path}.withdrawn")
    return Document(
        id=_required(row, "id", path),
        text=_required(row, "text", path, empty=True),
        version=_string(row.get("version"), f"{path}.version"),
        score=_number(row.get("score"), f"{path}.score", -1_000_000, 1_000_000),
        withdrawn=bool(withdrawn),
        published=_date(row.get("published"), f"{path}.published"),
        review_by=_date(row.get("review_by"), f"{path}.review_by"),
        patient_id=_string(row.get("patient_id"), f"{path}.patient_id"),
    )


def _allergies(value: object) -> tuple[Allergy, ...] | None:
    if isinstance(value, str):
        if _NONE_KNOWN.match(value):
            return ()
        raise ContextError("NOT_A_LIST", "context.allergies")
    read = _items(value, "context.allergies", _allergy)
    return None if read is None else tuple(a for a in read if not _NONE_KNOWN.match(a.substance))


def _allergy(value: object, path: str) -> Allergy:
    if isinstance(value, str):
        return Allergy(substance=_text(value, path))
    row = _object(value, path)
    return Allergy(
        substance=_required(row, "substance", path, "name"),
        reaction=_lower(row.get("reaction"), f"{path}.reaction"),
        severity=_lower(row.get("severity"), f"{path}.severity"),
        certainty=_lower(row.get("certainty"), f"{path}.certainty"),
    )


def _medication(value: object, path: str) -> Medication:
    if isinstance(value, str):
        return medication_line(_text(value, path))
    row = _object(value, path)
    rxcui = row.get("rxcui")
    name = row.get("name")
    if name is None and rxcui is None:
        raise ContextError("MISSING", f"{path}.name")
    dose = row.get("dose")
    return Medication(
        name=_text(name, f"{path}.name") if name is not None else "",
        rxcui=str(rxcui)
        if isinstance(rxcui, int) and not isinstance(rxcui, bool)
        else _string(rxcui, f"{path}.rxcui"),
        dose=_string(dose, f"{path}.dose"),
        route=_lower(row.get("route"), f"{path}.route"),
        frequency=_string(row.get("frequency"), f"{path}.frequency"),
        prn=_boolean(row.get("prn"), f"{path}.prn"),
        status=_lower(row.get("status"), f"{path}.status") or "active",
        start=_date(row.get("start"), f"{path}.start"),
    )


def medication_line(line: str) -> Medication:
    """One written medication line: the name up to the first number, and the rest kept as the dose text."""
    parts = _DOSE_START.split(line.strip(), maxsplit=1)
    return Medication(name=parts[0].rstrip(" ,:"), dose=parts[1] if len(parts) > 1 else None)


def _condition(value: object, path: str) -> Condition:
    if isinstance(value, str):
        return Condition(name=_text(value, path))
    row = _object(value, path)
    active = _boolean(row.get("active"), f"{path}.active")
    return Condition(
        name=_required(row, "name", path),
        code=_string(row.get("code"), f"{path}.code"),
        active=True if active is None else active,
    )


def _labs(context: dict[str, Any]) -> tuple[Lab, ...] | None:
    short = tuple(
        Lab(code=code, value=number, unit=unit)
        for key, (code, unit) in _RESULTS.items()
        if (number := _number(context.get(key), f"context.{key}", 0, 100_000)) is not None
    )
    labs = _items(context.get("labs"), "context.labs", _lab)
    return (*(labs or ()), *short) if short else labs


def _lab(value: object, path: str) -> Lab:
    row = _object(value, path)
    number = _number(row.get("value"), f"{path}.value", -1_000_000, 100_000_000)
    if number is None:
        raise ContextError("MISSING", f"{path}.value")
    return Lab(
        code=_required(row, "code", path, "name"),
        value=number,
        unit=_string(row.get("unit"), f"{path}.unit"),
        time=_time(row.get("time"), f"{path}.time"),
    )


def _identity(context: dict[str, Any]) -> Identity | None:
    row = _object(context["identity"], "context.identity") if context.get("identity") is not None else {}
    names = _items(row.get("names"), "context.identity.names", _text) or ()
    name = _string(context.get("name"), "context.name")
    mrn = _string(row.get("mrn"), "context.identity.mrn") or _string(context.get("mrn"), "context.mrn")
    born = _date(row.get("birth_date"), "context.identity.birth_date")
    born = born or _date(context.get("birth_date"), "context.birth_date")
    if name is not None and name.strip():
        names = (*names, name.strip())
    return Identity(names=names, mrn=mrn, birth_date=born) if names or mrn or born else None


def _items(value: object, path: str, read: Callable[[object, str], T]) -> tuple[T, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise ContextError("NOT_A_LIST", path)
    if len(value) > _MAX_LIST:
        raise ContextError("TOO_MANY", path)
    return tuple(read(item, f"{path}[{index}]") for index, item in enumerate(value))


def _object(value: object, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ContextError("NOT_AN_OBJECT", path)
    return value


def _text(value: object, path: str) -> str:
    text = _string(value, path)
    if text is None or not text.strip():
        raise ContextError("MISSING", path)
    return text.strip()


def _required(
    row: dict[str, Any], key: str, path: str, alias: str | None = None, *, empty: bool = False
) -> str:
    value = row.get(key)
    if value is None and alias is not None:
        value = row.get(alias)
    if empty and isinstance(value, str):
        return value
    return _text(value, f"{path}.{key}")


def _string(value: object, path: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ContextError("NOT_A_STRING", path)
    return value


def _lower(value: object, path: str) -> str | None:
    text = _string(value, path)
    return None if text is None else text.strip().lower()


def _boolean(value: object, path: str) -> bool | None:
    if value is None:
        return None
    if not isinstance(value, bool):
        raise ContextError("NOT_A_BOOLEAN", path)
    return value


def _number(value: object, path: str, low: Decimal | int, high: Decimal | int) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ContextError("NOT_A_NUMBER", path)
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ContextError("NOT_A_NUMBER", path) from None
    if not number.is_finite():
        raise ContextError("NOT_A_NUMBER", path)
    if not low <= number <= high:
        raise ContextError("OUT_OF_RANGE", path)
    return number


def _date(value: object, path: str) -> date | None:
    text = _string(value, path)
    if text is None:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise ContextError("NOT_A_DATE", path) from None


def _time(value: object, path: str) -> datetime | None:
    text = _string(value, path)
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise ContextError("NOT_A_DATE", path) from None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)

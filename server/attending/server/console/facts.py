"""The form for what was not given of a patient: its fields with their units and bounds, read, and handed to the desk.

A number is written as people write it, with a point or a comma before its decimals. What could be read in two ways (a
thousands sign, a height in metres) is refused beside its field, in words that hold no value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from attending.ledger.ledger import Ledger
from attending.server.console.gate import Visit, text_of
from attending.server.errors import InvalidRequest
from attending.server.review.desk import Desk
from attending.server.services.begun import once_of
from attending.server.wire.patient import MAX_INFANT_DAYS, MAX_LIST_ITEMS, MEASURES, added_facts
from attending.v1 import common_pb2, review_pb2
from starlette.responses import JSONResponse, Response

_NUMBER: Final = re.compile(r"\d{1,5}(?:[.,]\d{1,2})?", re.ASCII)
_BLANKS: Final = re.compile(r"\s+", re.ASCII)
_RESULT: Final = re.compile(r"(\D[^=:]*?) ?[=: ] ?(-?\d{1,7}(?:[.,]\d{1,4})?)(?: (\S.{0,40})|(%))?", re.ASCII)
"""`potassium 5.4 mmol/L`: a name, a number and the unit, which a `%` may follow at once. Of a line whose blanks are one
each: where they may be many, a long run of them is tried in every way.
"""
_THOUSANDS: Final = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_DIGITS: Final = re.compile(r"\d+(?: |\Z)|\d{3}(?!\d)", re.ASCII)
"""What no unit begins with: the rest of a number that is written in groups, or a second number."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number is counted in, and the bounds beyond which it is a slip of the pen or of the unit."""

    name: str
    low: float
    high: float

    @property
    def bounds(self) -> str:
        """In words, for whoever is outside of them."""
        return f"must be a number from {self.low:g} to {self.high:g} {self.name}"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form. A number has units, of which one is chosen; a choice has (value, words); a list has one
    thing a line.
    """

    name: str
    label: str
    kind: Literal["number", "choice", "list"] = "number"
    units: tuple[Unit, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Fields under one heading."""

    title: str
    fields: tuple[Field, ...]


def _measure(name: str, label: str, unit: str, low: float | None = None) -> Field:
    """A number of the wire, with its bounds; `low` is the least that is no slip of a unit."""
    least, most = MEASURES[name]
    return Field(name, label, units=(Unit(unit, least if low is None else low, most),))


_YES_NO: Final = (("yes", "Yes"), ("no", "No"))
GROUPS: Final = (
    Group(
        "Person",
        (
            Field("age", "Age", units=(Unit("years", *MEASURES["age_years"]), Unit("days", 0, 730))),
            Field(
                "sex", "Sex", "choice", choices=(("female", "Female"), ("male", "Male"), ("other", "Other"))
            ),
            _measure("weight_kg", "Weight", "kg", 0.2),
            _measure("height_cm", "Height", "cm", 20),
        ),
    ),
    Group(
        "Kidney and liver",
        (
            _measure("egfr", "eGFR", "mL/min/1.73 m²"),
            _measure("crcl", "Creatinine clearance", "mL/min"),
            Field("creatinine", "Creatinine", units=(Unit("mg/dL", 0.1, 30), Unit("µmol/L", 10, 3000))),
            Field("dialysis", "On dialysis", "choice", choices=_YES_NO),
            Field("child_pugh", "Child-Pugh class", "choice", choices=(("A", "A"), ("B", "B"), ("C", "C"))),
        ),
    ),
    Group(
        "Pregnancy and breast-feeding",
        (
            Field("pregnant", "Pregnant", "choice", choices=_YES_NO),
            _measure("gestational_weeks", "Completed weeks", "weeks"),
            Field("lactating", "Breast-feeding", "choice", choices=_YES_NO),
            Field("infant_days", "Age of the infant", units=(Unit("days", 0, MAX_INFANT_DAYS),)),
        ),
    ),
    Group(
        "Known of the patient",
        (
            Field("allergies", "Allergies", "list", hint="One a line, such as: penicillin (rash)"),
            Field("medications", "Medicines", "list", hint="One a line, such as: warfarin 5 mg once daily"),
            Field("conditions", "Conditions", "list", hint="One a line"),
            Field("labs", "Other results", "list", hint="One a line, with its unit: potassium 5.4 mmol/L"),
        ),
    ),
)
_FIELDS: Final = {field.name: field for group in GROUPS for field in group.fields}
NONE_KNOWN: Final = ("allergies", "medications", "conditions")
"""Lists of which "asked, and none known" is a fact, too."""


def read(sent: Mapping[str, Any]) -> tuple[common_pb2.PatientContext, dict[str, str]]:
    """What a form says, and by field what is wrong with it, in words without what was written."""
    wrong: dict[str, str] = {}
    facts = common_pb2.PatientContext()
    for name, field in _FIELDS.items():
        if field.kind == "number" and (found := _number(field, sent, wrong)) is not None:
            _put(facts, name, *found)
    for name, field in _FIELDS.items():
        if field.kind != "choice" or not (said := _written(sent, name)):
            continue
        if said not in dict(field.choices):
            wrong[name] = "must be one of the choices"
        else:
            setattr(facts, name, said == "yes" if field.choices == _YES_NO else said)
    for name in NONE_KNOWN:
        lines, none = _lines(sent, name), _written(sent, f"{name}_none") != ""
        if lines and none:
            wrong[name] = "says that none are known, and names some"
        elif lines or none:
            given = getattr(facts, name)
            given.none_known = none
            given.short_forms.extend(lines)
    # One more than the wire takes, for it to refuse.
    for line in _lines(sent, "labs")[: MAX_LIST_ITEMS + 1]:
        result = _RESULT.fullmatch(_BLANKS.sub(" ", line))
        if result is None:
            wrong["labs"] = "needs on each line a name, a number and a unit, such as: potassium 5.4 mmol/L"
            break
        unit = (result[3] or result[4] or "").strip()
        if _THOUSANDS.fullmatch(result[2]) or _DIGITS.match(unit):
            wrong["labs"] = (
                "has a number that could be read in two ways: write 150000, and at most two decimals"
            )
            break
        facts.labs.add(code=result[1].strip(), value=float(result[2].replace(",", ".")), unit=unit)
    _together(facts, wrong)
    return facts, wrong


def _put(facts: common_pb2.PatientContext, name: str, value: Decimal, unit: str) -> None:
    if name == "creatinine":
        facts.labs.add(code=name, value=float(value), unit=unit)
    elif unit == "days":
        setattr(facts, "age_days" if name == "age" else name, int(value))
    else:
        setattr(facts, "age_years" if name == "age" else name, float(value))


def _together(facts: common_pb2.PatientContext, wrong: dict[str, str]) -> None:
    """What says one thing and the opposite."""
    if facts.HasField("gestational_weeks") and not facts.pregnant:
        wrong["pregnant"] = "must be yes where weeks are given"
    if facts.HasField("infant_days") and not facts.lactating:
        wrong["lactating"] = "must be yes where the infant's age is given"
    if not facts.ByteSize() and not wrong:
        wrong[""] = "Nothing is filled in yet."


def given(context: Mapping[str, Any]) -> dict[str, str]:
    """What is known already, by field, in words; of a field that is not there nothing is known."""
    known: dict[str, str] = {}
    for name, field in _FIELDS.items():
        value = context.get("pregnancy_weeks" if name == "gestational_weeks" else name)
        if field.kind == "list":
            if value is not None and name != "labs":
                many = len(value)
                known[name] = f"{many} given: what you add is joined to it" if many else "none known"
        elif isinstance(value, bool):
            known[name] = "yes" if value else "no"
        elif value is not None:
            unit = field.units[0].name if len(field.units) == 1 else ""
            known[name] = f"{dict(field.choices).get(str(value), value)} {unit}".strip()
    for unit in ("days", "years"):
        if (age := context.get(f"age_{unit}")) is not None:
            known["age"] = f"{age} {unit}"
    return known


class FactsForm:
    """One instance a server."""

    def __init__(self, desk: Desk, ledger: Ledger) -> None:
        self._desk = desk
        self._ledger = ledger

    async def add(self, visit: Visit) -> Response:
        """The rpc AddFacts; a form that is wrong is told so field by field, and nothing is judged."""
        sent = await visit.fields()
        ticket, lease = str(visit.request.path_params["ticket"]), text_of(sent, "lease")
        facts, wrong = read(sent)
        if wrong:
            return refused(wrong)
        request = review_pb2.AddFactsRequest(
            idempotency_key=text_of(sent, "idempotency_key"), ticket_id=ticket, lease_id=lease, facts=facts
        )
        try:
            context = added_facts(facts)
        except InvalidRequest as err:
            return refused(_by_field(err.field_violations))
        item, _version, _index = await self._desk.add_facts(
            visit.principal, ticket, lease, context, await once_of(self._ledger, visit.principal, request)
        )
        return JSONResponse({"state": item.state, "open": item.open_findings})


def refused(wrong: Mapping[str, str]) -> Response:
    """What a form is told: words by field, those of the whole form under the empty name."""
    words = wrong.get("") or "Nothing was judged yet: mend what is marked."
    problems = {name: f"{_FIELDS[name].label} {told}." for name, told in wrong.items() if name in _FIELDS}
    return JSONResponse({"reason": "INVALID_REQUEST", "sentence": words, "problems": problems}, 400)


def _by_field(violations: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The wire's violations under the form's fields: `facts.allergies.short_forms[2]` is one of allergies."""
    found: dict[str, str] = {}
    for path, told in violations:
        name = re.split(r"[.\[]", path.removeprefix("facts."))[0]
        found[name if name in _FIELDS else ""] = told if name in _FIELDS else "A field cannot be read."
    return found


def _written(sent: Mapping[str, Any], name: str) -> str:
    value = sent.get(name, "")
    if not isinstance(value, str):
        raise InvalidRequest([(name, "must be a string")])
    return value.strip()


def _lines(sent: Mapping[str, Any], name: str) -> list[str]:
    return [line.strip() for line in _written(sent, name).splitlines() if line.strip()]


def _number(field: Field, sent: Mapping[str, Any], wrong: dict[str, str]) -> tuple[Decimal, str] | None:
    """The number that is written and its unit; None for none, or one that is `wrong`."""
    text, chosen = _written(sent, field.name), _written(sent, f"{field.name}_unit")
    if not text:
        return None
    unit = (
        field.units[0] if len(field.units) == 1 else next((u for u in field.units if u.name == chosen), None)
    )
    if unit is None:
        wrong[field.name] = "needs its unit"
        return None
    value = Decimal(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None
    if value is None or not Decimal(str(unit.low)) <= value <= Decimal(str(unit.high)):
        wrong[field.name] = unit.bounds
    elif unit.name == "days" and value % 1:
        wrong[field.name] = "must be whole days"
    else:
        return value, unit.name
    return None

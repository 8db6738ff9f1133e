"""From the wire to the guardrails' types and back; every bound of a request is checked here, with its field's name."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from attending.guardrails.context.fhir import read_fhir
from attending.guardrails.finding import Coverage, Finding, Severity
from attending.guardrails.patient import (
    Allergy,
    Condition,
    Document,
    Identity,
    Lab,
    Medication,
    PatientContext,
)
from attending.server.errors import InvalidRequest
from attending.server.prompts.template import MAX_VARIABLES
from attending.v1 import common_pb2, inference_pb2

MAX_TEXT_CODE_POINTS = 65_536
MAX_DOCUMENTS = 64
MAX_DOCUMENT_CODE_POINTS = 65_536
MAX_ALL_DOCUMENTS_CODE_POINTS = 524_288
MAX_LIST_ITEMS = 500
MAX_SHORT_CODE_POINTS = 500
MAX_FHIR_CODE_POINTS = 2_097_152
MAX_TAGS = 16
MAX_EXPONENT = 30
MAX_NUMBER_CHARACTERS = 64
MAX_TOKENS = 1_000_000_000
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

KEY = re.compile(r"[!-~]{1,128}\Z")
POLICY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")
# Ids and tags go into entries in clear, so their alphabet leaves no room for prose.
STAFF_ID = re.compile(r"[A-Za-z0-9._@-]{1,128}\Z")
TAG_KEY = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")
TAG_VALUE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}\Z")
VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,63}\Z")

_BROKEN = re.compile("[\x00\ud800-\udfff]")

_SEVERITY = {
    Severity.INFO: common_pb2.SEVERITY_INFO,
    Severity.MINOR: common_pb2.SEVERITY_MINOR,
    Severity.MODERATE: common_pb2.SEVERITY_MODERATE,
    Severity.MAJOR: common_pb2.SEVERITY_MAJOR,
    Severity.CONTRAINDICATED: common_pb2.SEVERITY_CONTRAINDICATED,
}
_RECIPIENT = {
    common_pb2.RECIPIENT_UNSPECIFIED: "policy",
    common_pb2.RECIPIENT_PATIENT: "patient",
    common_pb2.RECIPIENT_CLINICIAN: "clinician",
}
_DURABILITY = {
    common_pb2.DURABILITY_UNSPECIFIED: "integrated",
    common_pb2.DURABILITY_INTEGRATED: "integrated",
    common_pb2.DURABILITY_PUBLISHED: "published",
}


class Violations:
    """Collects field violations so that a caller sees all of them at once."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def add(self, field: str, description: str) -> None:
        self._found.append((field, description))

    def check(self, ok: bool, field: str, description: str) -> None:
        if not ok:
            self.add(field, description)

    def text(self, value: str, field: str, limit: int, *, required: bool = True) -> None:
        """A text of at most `limit` code points without NUL; descriptions give lengths, never content."""
        if required and not value.strip():
            self.add(field, "is required")
        if len(value) > limit:
            self.add(field, f"has {len(value)} code points, the limit is {limit}")
        if "\x00" in value:
            self.add(field, "contains a NUL character")

    def raise_if_any(self) -> None:
        if self._found:
            raise InvalidRequest(self._found)


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What both entry points share, checked."""

    policy: str
    subject_ref: str | None
    patient: PatientContext
    documents: tuple[Document, ...]
    public_documents: tuple[int, ...]
    """Positions of documents that hold no personal data."""
    on_behalf_of: str | None
    recipient: str
    tags: tuple[tuple[str, str], ...]
    release_requires: str


@dataclass(frozen=True, slots=True)
class PromptRef:
    name: str
    version: str | None
    label: str | None
    variables: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class InferCall:
    """A checked `Infer`: exactly one of `prompt` and `prompt_ref` is set."""

    key: str
    context: RequestContext
    prompt: str | None
    prompt_ref: PromptRef | None
    provider: str
    model: str
    max_output_tokens: int | None
    temperature_milli: int
    provider_timeout_seconds: float | None


@dataclass(frozen=True, slots=True)
class RecordCall:
    """A checked `Record`."""

    key: str
    context: RequestContext
    prompt: str
    output: str
    provider: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    occurred_at: datetime | None


def infer_call(request: inference_pb2.InferRequest) -> InferCall:
    """Raises InvalidRequest with every violation found."""
    v = Violations()
    v.check(bool(KEY.match(request.idempotency_key)), "idempotency_key", "must be 1 to 128 printable ASCII")
    context = _context(request.context, v) if _has(request, "context", v) else None
    source = request.WhichOneof("prompt_source")
    prompt: str | None = None
    ref: PromptRef | None = None
    if source == "prompt":
        prompt = request.prompt
        v.text(prompt, "prompt", MAX_TEXT_CODE_POINTS)
    elif source == "prompt_ref":
        wire_ref = request.prompt_ref
        v.text(wire_ref.name, "prompt_ref.name", 64)
        v.check(
            bool(wire_ref.version) != bool(wire_ref.label),
            "prompt_ref",
            "needs exactly one of `version` and `label`",
        )
        _variables(wire_ref, v)
        ref = PromptRef(
            wire_ref.name,
            wire_ref.version or None,
            wire_ref.label or None,
            tuple(sorted(wire_ref.variables.items())),
        )
    else:
        v.add("prompt_source", "`prompt` or `prompt_ref` is required")
    if _has(request, "model", v):
        _model(request.model.provider, request.model.model, "model.", v)
    tokens = request.model.max_output_tokens if request.model.HasField("max_output_tokens") else None
    v.check(tokens is None or 1 <= tokens <= 8192, "model.max_output_tokens", "must be 1 to 8192")
    v.check(request.model.temperature_milli <= 2000, "model.temperature_milli", "must be 0 to 2000")
    timeout: float | None = None
    if request.HasField("provider_timeout"):
        given = request.provider_timeout
        timeout = given.seconds + given.nanos / 1e9
        ok = 0 <= given.nanos < 1_000_000_000 and 0.1 <= timeout <= 600
        v.check(ok, "provider_timeout", "must be 0.1 s to 600 s")
    v.raise_if_any()
    assert context is not None
    return InferCall(
        key=request.idempotency_key,
        context=context,
        prompt=prompt,
        prompt_ref=ref,
        provider=request.model.provider,
        model=request.model.model,
        max_output_tokens=tokens,
        temperature_milli=request.model.temperature_milli,
        provider_timeout_seconds=timeout,
    )


def _variables(wire: inference_pb2.PromptReference, v: Violations) -> None:
    """Named by their position in the order of names: what a caller took for a name may be anything."""
    field = "prompt_ref.variables"
    v.check(
        len(wire.variables) <= MAX_VARIABLES,
        field,
        f"has {len(wire.variables)} variables, the limit is {MAX_VARIABLES}",
    )
    for position, (name, value) in enumerate(sorted(wire.variables.items())):
        at = f"{field}[{position}]"
        v.check(bool(VARIABLE.match(name)), at, "name must be 1 to 64 of a-z 0-9 _, a letter first")
        v.text(value, at, MAX_TEXT_CODE_POINTS, required=False)


def record_call(request: inference_pb2.RecordRequest) -> RecordCall:
    """Raises InvalidRequest with every violation found."""
    v = Violations()
    v.check(bool(KEY.match(request.idempotency_key)), "idempotency_key", "must be 1 to 128 printable ASCII")
    context = _context(request.context, v) if _has(request, "context", v) else None
    v.text(request.prompt, "prompt", MAX_TEXT_CODE_POINTS)
    v.text(request.output, "output", MAX_TEXT_CODE_POINTS)
    _model(request.provider, request.model, "", v)
    usage = request.usage
    for name in ("input_tokens", "output_tokens"):
        v.check(getattr(usage, name) <= MAX_TOKENS, f"usage.{name}", f"must be at most {MAX_TOKENS}")
    occurred: datetime | None = None
    if request.HasField("occurred_at"):
        occurred = _time(request.occurred_at, "occurred_at", v)
        v.check(occurred is None or occurred >= EARLIEST, "occurred_at", "must be 1970 or later")
    v.raise_if_any()
    assert context is not None
    return RecordCall(
        key=request.idempotency_key,
        context=context,
        prompt=request.prompt,
        output=request.output,
        provider=request.provider,
        model=request.model,
        input_tokens=usage.input_tokens if usage.HasField("input_tokens") else None,
        output_tokens=usage.output_tokens if usage.HasField("output_tokens") else None,
        occurred_at=occurred,
    )


def _has(request: Any, field: str, v: Violations) -> bool:
    present = bool(request.HasField(field))
    v.check(present, field, "is required")
    return present


def _model(provider: str, model: str, prefix: str, v: Violations) -> None:
    v.check(
        bool(MODEL_NAME.match(provider)), prefix + "provider", "must be 1 to 128 of A-Z a-z 0-9 . _ : / @ -"
    )
    v.check(bool(MODEL_NAME.match(model)), prefix + "model", "must be 1 to 128 of A-Z a-z 0-9 . _ : / @ -")


def _context(wire: inference_pb2.InferenceContext, v: Violations) -> RequestContext:
    v.check(bool(POLICY.match(wire.policy)), "context.policy", "must be 1 to 64 of a-z 0-9 -")
    v.text(wire.subject_ref, "context.subject_ref", 256, required=False)
    v.check(
        not wire.on_behalf_of or bool(STAFF_ID.match(wire.on_behalf_of)),
        "context.on_behalf_of",
        "must be 1 to 128 of A-Z a-z 0-9 . _ @ -",
    )
    v.check(wire.recipient in _RECIPIENT, "context.recipient", "is not a known recipient")
    v.check(wire.release_requires in _DURABILITY, "context.release_requires", "is not a known level")
    v.check(len(wire.tags) <= MAX_TAGS, "context.tags", f"has {len(wire.tags)} tags, the limit is {MAX_TAGS}")
    for position, (key, value) in enumerate(sorted(wire.tags.items())):
        v.check(bool(TAG_KEY.match(key)), f"context.tags[{position}]", "key must be 1 to 32 of a-z 0-9 _ -")
        v.check(
            bool(TAG_VALUE.match(value)),
            f"context.tags[{position}]",
            "value must be 1 to 64 of a-z 0-9 . _ -",
        )
    documents = _documents(wire.documents, v)
    return RequestContext(
        policy=wire.policy,
        subject_ref=wire.subject_ref.strip() or None,
        patient=patient_context(wire.patient, v),
        documents=documents,
        public_documents=tuple(i for i, d in enumerate(wire.documents) if d.is_public),
        on_behalf_of=wire.on_behalf_of or None,
        recipient=_RECIPIENT.get(wire.recipient, "policy"),
        tags=tuple(sorted(wire.tags.items())),
        release_requires=_DURABILITY.get(wire.release_requires, "integrated"),
    )


def _documents(wire: Iterable[common_pb2.RetrievedDocument], v: Violations) -> tuple[Document, ...]:
    documents: list[Document] = []
    total = 0
    for position, document in enumerate(wire):
        field = f"context.documents[{position}]"
        v.text(document.id, field + ".id", 256)
        v.text(document.version, field + ".version", 256, required=False)
        v.text(document.text, field + ".text", MAX_DOCUMENT_CODE_POINTS)
        score = document.score if document.HasField("score") else None
        v.check(score is None or math.isfinite(score), field + ".score", "must be finite")
        total += len(document.text)
        documents.append(
            Document(
                id=document.id,
                text=document.text,
                version=document.version or None,
                score=_decimal(score),
                withdrawn=document.withdrawn,
            )
        )
    v.check(
        len(documents) <= MAX_DOCUMENTS,
        "context.documents",
        f"has {len(documents)} documents, the limit is {MAX_DOCUMENTS}",
    )
    v.check(
        total <= MAX_ALL_DOCUMENTS_CODE_POINTS,
        "context.documents",
        f"have {total} code points together, the limit is {MAX_ALL_DOCUMENTS_CODE_POINTS}",
    )
    ids = [d.id for d in documents]
    v.check(len(set(ids)) == len(ids), "context.documents", "have an id twice")
    return tuple(documents)


def patient_context(wire: common_pb2.PatientContext, v: Violations) -> PatientContext:
    """Explicit fields over what the FHIR resources say; a field given by neither stays None."""
    base = PatientContext()
    if wire.fhir_json:
        base = _fhir(wire.fhir_json, v)
    field = "context.patient."

    def number(name: str, low: float, high: float, *, exclusive: bool = False) -> Decimal | None:
        bounds = f"must be {'above' if exclusive else 'at least'} {low} and at most {high}"
        if not wire.HasField(name):  # type: ignore[arg-type]
            read = getattr(base, "pregnancy_weeks" if name == "gestational_weeks" else name)
            if (read is not None and not (low < read if exclusive else low <= read)) or (read or 0) > high:
                v.add(field + "fhir_json", f"gives a {name} that {bounds}")
            return None
        value = float(getattr(wire, name))
        ok = math.isfinite(value) and (low < value if exclusive else low <= value) and value <= high
        v.check(ok, field + name, bounds)
        return _decimal(value) if ok else None

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
            value=_decimal(lab.value) or Decimal(0),
            unit=lab.unit or None,
            time=_time(lab.time, f"{field}labs[{i}].time", v) if lab.HasField("time") else None,
        )
        for i, lab in enumerate(wire.labs)
        if _lab_ok(lab, f"{field}labs[{i}]", v)
    )
    given: dict[str, Any] = {
        "age_years": number("age_years", 0, 130),
        "age_days": int(wire.age_days) if wire.HasField("age_days") else None,
        "sex": word("sex", frozenset({"male", "female", "other"})),
        "pregnant": flag("pregnant"),
        "pregnancy_weeks": number("gestational_weeks", 0, 45),
        "lactating": flag("lactating"),
        "weight_kg": number("weight_kg", 0, 700, exclusive=True),
        "height_cm": number("height_cm", 0, 280, exclusive=True),
        "egfr": number("egfr", 0, 300),
        "dialysis": flag("dialysis"),
        "child_pugh": word("child_pugh", frozenset({"A", "B", "C"})),
        "setting": word("setting"),
        "goals": word("goals"),
        "labs": labs or None,
        "allergies": _allergies(wire, v),
        "medications": _medications(wire, v),
        "conditions": _conditions(wire, v),
        "identity": _identity(wire, v),
        "as_of": _time(wire.as_of, field + "as_of", v) if wire.HasField("as_of") else None,
    }
    v.check(len(wire.labs) <= MAX_LIST_ITEMS, field + "labs", f"has more than {MAX_LIST_ITEMS} items")
    v.check(wire.age_days <= 47_500, field + "age_days", "must be at most 47500")
    merged = {name: value if value is not None else getattr(base, name) for name, value in given.items()}
    return PatientContext(**merged)


def _fhir(resources: Iterable[str], v: Violations) -> PatientContext:
    parsed: list[Any] = []
    for position, text in enumerate(resources):
        field = f"context.patient.fhir_json[{position}]"
        if len(text) > MAX_FHIR_CODE_POINTS:
            v.add(field, f"has {len(text)} code points, the limit is {MAX_FHIR_CODE_POINTS}")
            continue
        try:
            resource = json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_no_constant)
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


def _number(text: str) -> int | Decimal:
    """Numbers that arithmetic with a dose cannot overflow on; no measurement needs more."""
    value = Decimal(text)
    if abs(value.adjusted()) > MAX_EXPONENT or len(text) > MAX_NUMBER_CHARACTERS:
        raise ValueError("number out of range")
    return int(text) if text.lstrip("-").isdigit() else value


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
        elif isinstance(item, str) and _BROKEN.search(item):
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
                start=_date(item.start, at + ".start", v),
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
    v.check(len(given.names) <= 16, field + ".names", "has more than 16 names")
    for position, name in enumerate(given.names):
        v.text(name, f"{field}.names[{position}]", 256)
    v.text(given.mrn, field + ".mrn", 64, required=False)
    return Identity(
        names=tuple(given.names),
        mrn=given.mrn.strip() or None,
        birth_date=_date(given.birth_date, field + ".birth_date", v),
    )


def _date(value: str, field: str, v: Violations) -> date | None:
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        v.add(field, "must be a date such as 2026-01-31")
        return None


def _time(value: Any, field: str, v: Violations) -> datetime | None:
    try:
        return value.ToDatetime(tzinfo=UTC)  # type: ignore[no-any-return]
    except (ValueError, OverflowError):
        v.add(field, "is out of range")
        return None


def _decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(value))


def normalise(text: str) -> str:
    """NFC, the form that is checked, shown, signed and released."""
    return unicodedata.normalize("NFC", text)


def finding_message(
    ordinal: int, finding: Finding, *, full: bool, disposition: str = ""
) -> common_pb2.Finding:
    """One finding on the wire; without `full` nothing in it quotes the text that is not released."""
    message = common_pb2.Finding(
        ordinal=ordinal,
        rail=finding.rail,
        code=finding.code.value,
        rule_id=finding.rule_id if full else "",
        severity=_SEVERITY[finding.severity],
        scope=finding.scope.value,
        basis=finding.basis.value,
        disposition=disposition,
    )
    if full:
        message.start, message.end, message.text = finding.start, finding.end, finding.text
        message.drugs.extend(finding.drugs)
        message.source, message.message = finding.source, finding.message
    return message


def coverage_message(coverage: Coverage, *, full: bool) -> common_pb2.Coverage:
    return common_pb2.Coverage(
        judged=coverage.judged, of=coverage.of, not_covered=coverage.not_covered if full else ()
    )


def severity_message(value: str | None) -> common_pb2.Severity.ValueType:
    """The wire value of a stored severity word; unspecified for None."""
    return _SEVERITY[Severity(value)] if value else common_pb2.SEVERITY_UNSPECIFIED

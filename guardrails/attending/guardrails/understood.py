"""What the grammar understood of an output, as data and in words: for whoever asks why a finding is there or is not.

`attending check --explain` shows it. The data hold the text's own words: personal content, never logged or stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any, Final

from attending.guardrails.checks.case import Case, build_case
from attending.guardrails.checks.kidney import kidney_functions
from attending.guardrails.checks.port import KnowledgePort
from attending.guardrails.clinical.statement import Dose, Frequency, Statement
from attending.guardrails.finding import Finding, Scope
from attending.guardrails.patient import Judged, PatientContext
from attending.guardrails.policy.schema import Audience

_SCOPES: Final = {
    Scope.RECOMMEND: "give",
    Scope.CONTINUE: "keep giving",
    Scope.AVOID: "do not give",
    Scope.STOP: "stop",
    Scope.LIMIT: "not more than",
    Scope.HISTORY: "in the past",
    Scope.HYPOTHETICAL: "only spoken about",
    Scope.FAMILY: "of a relative",
    Scope.MENTION: "named (judged as given)",
}
_PLAIN: Final = ("age_years", "age_days", "sex", "pregnant", "pregnancy_weeks", "lactating", "infant_days",
                 "weight_kg", "height_cm", "egfr", "crcl", "dialysis", "child_pugh")  # fmt: skip


def understood(judged: Judged, knowledge: KnowledgePort, audience: Audience) -> dict[str, Any]:
    """`statements`, `patient`, `taking`, `stopped`, `warned_pairs` and what was `not_read`; pure, raises nothing.

    Offsets are code points into the output, end exclusive. Amounts are decimal strings, as written or multiplied out.
    """
    case = build_case(judged, knowledge, audience)
    return {
        "statements": [_statement(one) for one in case.output.statements],
        "patient": _patient(case),
        "taking": sorted({exposure.drug for exposure in case.taking}),
        "stopped": sorted(case.ended),
        "warned_pairs": [[a.text, b.text] for a, b in case.output.avoided_pairs],
        "not_read": [
            *(
                {"text": one.text, "start": one.span.start, "why": one.reason}
                for one in case.output.unreadable
            ),
            *(
                {
                    "text": one.text,
                    "start": one.span.start,
                    "why": "no drug of this name",
                    "near": list(one.near),
                }
                for one in case.output.unknown
            ),
        ],
    }


def in_words(
    told: dict[str, Any],
    findings: tuple[Finding, ...] | list[dict[str, Any]],
    citations: Sequence[dict[str, Any]] = (),
) -> Iterator[str]:
    """The lines that `attending check --explain` prints for one output."""
    yield "understood:"
    for one in told["statements"]:
        who = ", ".join(one["drugs"]) or f"class {one['class']}"
        name = f'"{one["text"]}"' + ("" if one["text"].lower() == who else f" = {who}")
        scope = _SCOPES[Scope(one["scope"])] + (", new" if one["started"] else "")
        rest = "; ".join(f"{key.replace('_', ' ')} {one[key]}" for key in _TOLD if one.get(key) is not None)
        yield f"  {name}: {scope}" + (f"; {rest}" if rest else "")
    if not told["statements"]:
        yield "  no drug"
    for left, right in told["warned_pairs"]:
        yield f"  warns of {left} with {right}"
    patient = ", ".join(_patient_words(key, value) for key, value in told["patient"].items())
    yield f"  patient: {patient or 'nothing is known'}"
    for key in ("taking", "stopped"):
        if told[key]:
            yield f"  {key}: {', '.join(told[key])}"
    for one in told["not_read"]:
        near = f"; near: {', '.join(one['near'])}" if one.get("near") else ""
        yield f'  not read: "{one["text"]}" ({one["why"]}{near})'
    yield "findings:"
    rows = [one if isinstance(one, dict) else one.to_json() for one in findings]
    for row in rows:
        yield f"  {row['severity']} {row['code']}: {row['message']} [{row['rule_id']}; {row['source']}]"
    if not rows:
        yield "  none"
    if citations:
        yield "claims against the documents:"
    for one in citations:
        where = f" by {one['document']}" if one["document"] else ""
        yield f"  {one['start']}-{one['end']} {one['status']}{where} ({one['share_percent']} %: {one['why']})"
        if one["passage"]:
            yield f"    {' '.join(one['passage'].split())[:300]}"


_UNITS: Final = {
    "age_years": "age {} years", "age_days": "age {} days", "pregnancy_weeks": "{} weeks of gestation",
    "infant_days": "infant of {} days", "weight_kg": "{} kg", "height_cm": "{} cm", "egfr": "eGFR {}",
    "crcl": "creatinine clearance {}", "child_pugh": "Child-Pugh {}", "kidney": "{}", "sex": "{}",
}  # fmt: skip


def _patient_words(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return key if value else f"not {key}"
    if isinstance(value, list):
        value = "; ".join(value)
    return _UNITS[key].format(value) if key in _UNITS else f"{key}: {value}"


_TOLD: Final = (
    "dose",
    "frequency",
    "route",
    "duration",
    "not_above_daily",
    "not_above_at_once",
    "concentration",
)


def _statement(one: Statement) -> dict[str, Any]:
    mention = one.mention
    row: dict[str, Any] = {
        "text": mention.text,
        "start": mention.span.start,
        "end": mention.span.end,
        "drugs": list(mention.drugs),
        "class": mention.drug_class,
        "scope": one.scope.value,
        "started": one.started,
        "reported": one.reported,
        "dose": _dose(one.dose),
        "frequency": _frequency(one.frequency),
        "route": one.route,
        "duration": None if one.duration is None else f"{_number(one.duration.days)} days",
        "not_above_daily": _dose(one.daily_limit),
        "not_above_at_once": _dose(one.single_limit),
        "concentration": None
        if one.concentration is None
        else f"{_number(one.concentration.amount)} {one.concentration.unit} in 1 {one.concentration.per}",
    }
    return {key: value for key, value in row.items() if value is not None}


def _dose(dose: Dose | None) -> str | None:
    if dose is None:
        return None
    amount = _number(dose.low) if dose.low == dose.high else f"{_number(dose.low)} to {_number(dose.high)}"
    unit = dose.unit + ("/kg" if dose.per_kg else "") + ("/m2" if dose.per_m2 else "")
    made = ""
    if dose.count is not None and dose.strength is not None:
        made = f" ({_number(dose.count)} x {_number(dose.strength)})"
    parts = f" of {' + '.join(_number(part) for part in dose.components)} mg" if dose.components else ""
    return f"{amount} {unit}" + (f" per {dose.per_time}" if dose.per_time else "") + made + parts


def _frequency(frequency: Frequency | None) -> str | None:
    if frequency is None:
        return None
    if frequency.once_only:
        words = "once"
    elif frequency.times_per_day is not None and frequency.times_per_day >= 1:
        words = f"up to {_number(frequency.times_per_day)} times a day"
    elif frequency.interval_hours is not None:
        words = f"every {_number(frequency.interval_hours)} hours"
    elif frequency.times_per_day:
        words = f"every {_number(24 / frequency.times_per_day)} hours"
    else:
        words = "how often is not said"
    return words + (", as needed" if frequency.prn else "")


def _patient(case: Case) -> dict[str, Any]:
    context: PatientContext = case.context
    row: dict[str, Any] = {}
    for one in fields(context):
        value = getattr(context, one.name)
        if one.name in _PLAIN and value is not None:
            row[one.name] = _number(value) if isinstance(value, Decimal) else value
    if context.allergies is not None:
        row["allergies"] = [
            one.substance + (f" ({one.reaction})" if one.reaction else "") for one in context.allergies
        ] or "none known"
    if context.conditions is not None:
        row["conditions"] = [one.name for one in context.conditions if one.active] or "none known"
    if case.readings:
        row["results"] = [f"{one.analyte} {_number(one.value)}" for one in case.readings]
    computed = kidney_functions(case).get("crcl")
    if computed is not None and context.crcl is None:
        row["kidney"] = computed.told
    return row


def _number(value: Decimal) -> str:
    """Two decimals at most, without trailing zeros."""
    return f"{round(value, 2).normalize():f}"

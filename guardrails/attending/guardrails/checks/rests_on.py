"""What findings about drugs rest on: what the texts say of each drug, and the patient as they were judged.

Two findings that say the same are the same only where this is, too. It is personal content: it is compared by a keyed
digest and stored nowhere.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from attending.guardrails.checks.case import Case
from attending.guardrails.clinical.statement import Dose, Statement
from attending.guardrails.patient import PatientContext

_NOT_THE_PATIENT: Final = ("identity", "as_of")


@dataclass(frozen=True, slots=True)
class Grounds:
    """`patient` is every fact that the checks were given or read, less who it is and when it was asked; of a result its
    value, not its time. `stated` is what output and prompt say of each drug or class, by its name, in text order.
    """

    patient: str = field(repr=False)
    stated: Mapping[str, tuple[str, ...]] = field(repr=False)


def grounds(case: Case) -> Grounds:
    """Those of one case; the same for the same facts, however the texts are worded around them."""
    stated: defaultdict[str, list[str]] = defaultdict(list)
    for origin, parsed in (("output", case.output), ("prompt", case.prompt)):
        for statement in parsed.statements if parsed is not None else ():
            said = _plain([origin, _said(statement)])
            mention = statement.mention
            for name in dict.fromkeys((*mention.drugs, *filter(None, [mention.drug_class]))):
                stated[name].append(said)
    return Grounds(_patient(case.context), {name: tuple(said) for name, said in stated.items()})


def _patient(context: PatientContext) -> str:
    facts = {name: value for name, value in asdict(context).items() if name not in _NOT_THE_PATIENT}
    for lab in facts["labs"] or ():
        del lab["time"]
    # The order of a list says nothing; that of results does, since they are the oldest first.
    for name in ("allergies", "medications", "conditions"):
        if facts[name] is not None:
            facts[name] = sorted(facts[name], key=_plain)
    return _plain(facts)


def _said(statement: Statement) -> dict[str, Any]:
    """The statement without its place and its words, but for those of the drug."""
    frequency, duration = statement.frequency, statement.duration
    return {
        "drug": statement.mention.text.casefold(),
        "scope": statement.scope.value,
        "dose": _amount(statement.dose),
        "daily_limit": _amount(statement.daily_limit),
        "single_limit": _amount(statement.single_limit),
        "frequency": None
        if frequency is None
        else [frequency.times_per_day, frequency.interval_hours, frequency.prn, frequency.once_only],
        "duration": None if duration is None else duration.days,
        "route": statement.route,
        "over_minutes": statement.over_minutes,
        "concentration": None
        if statement.concentration is None
        else [statement.concentration.amount, statement.concentration.unit, statement.concentration.per],
        "flags": [
            statement.started,
            statement.avoid_with,
            statement.loading,
            statement.rapid,
            statement.total,
            statement.reported,
        ],
        "sum_group": statement.sum_group,
    }


def _amount(dose: Dose | None) -> list[Any] | None:
    if dose is None:
        return None
    rate = [dose.per_kg, dose.per_m2, dose.per_time]
    return [dose.low, dose.high, dose.unit, *rate, dose.count, dose.strength, list(dose.components)]


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=_text)


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        # 5 and 5.0 are one amount.
        return format(value.normalize(), "f")
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(type(value).__name__)

"""Facts of the patient that reviewers add to a held text: what they say together, and where they contradict.

Neither side wins in silence. Where a reviewer says other than the application, the checks run twice, each time with one
of the two believed, and what either run finds is a finding.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from attending.guardrails.context.merge import age_in_years, merge
from attending.guardrails.finding import Finding
from attending.guardrails.patient import PatientContext
from attending.ledger.entry import Payload
from pydantic import TypeAdapter

MAX_ADDITIONS: Final = 32
"""Times that facts may be added to one item: each is a run of all rails, and is shown to whoever comes after."""
KIND: Final = "facts"
_FORMAT: Final = "attending-facts/1"
_CONTEXT: Final[TypeAdapter[PatientContext]] = TypeAdapter(PatientContext)
_NOT_FACTS: Final = ("identity", "as_of", "setting", "goals")
_KEYS: Final[Mapping[str, Callable[[Any], object]]] = {
    "labs": lambda one: (one.code.lower(), one.time),
    "allergies": lambda one: one.substance.lower(),
    "medications": lambda one: one.name.lower(),
    "conditions": lambda one: one.name.lower(),
}
"""What makes two lines of a list speak of the same."""


@dataclass(frozen=True, slots=True)
class Added:
    """What one reviewer added at one time; `at` is the ledger's text form."""

    by: str
    at: str
    context: PatientContext

    def to_json(self) -> dict[str, Any]:
        return {
            "by": self.by,
            "at": self.at,
            "patient": context_json(self.context),
        }


def context_json(context: PatientContext) -> dict[str, Any]:
    """What is given, as plain JSON."""
    return dict(_CONTEXT.dump_python(context, mode="json", exclude_none=True))


def names_of(context: PatientContext) -> tuple[str, ...]:
    """The fields that are given, sorted; no value."""
    return tuple(sorted(one.name for one in fields(PatientContext) if getattr(context, one.name) is not None))


def not_facts(context: PatientContext) -> tuple[str, ...]:
    """The fields given that a reviewer may not add: who the patient is, and what the request is about."""
    return tuple(name for name in names_of(context) if name in _NOT_FACTS)


def facts_payload(facts: Sequence[Added]) -> Payload:
    """All that was added to an item so far, as it goes to the vault."""
    value = {"format": _FORMAT, "added": [one.to_json() for one in facts]}
    return Payload(KIND, json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8"))


def load_facts(data: bytes) -> tuple[Added, ...]:
    """The inverse of `facts_payload`."""
    return tuple(
        Added(one["by"], one["at"], _CONTEXT.validate_python(one["patient"]))
        for one in json.loads(data)["added"]
    )


def together(facts: Sequence[Added]) -> PatientContext:
    """What reviewers say: of one fact the newest, lists joined."""
    said = PatientContext()
    for one in facts:
        said = merge(one.context, said).context
    return said


def contexts(given: PatientContext, facts: Sequence[Added]) -> tuple[PatientContext, ...]:
    """The patient that the checks are run with: two where somebody is contradicted, the application believed first."""
    said = together(facts)
    believed = merge(given, said).context
    return (believed, merge(said, given).context) if contradictions(given, said) else (believed,)


def contradictions(given: PatientContext, said: PatientContext) -> tuple[str, ...]:
    """Fields on which the two differ at all, sorted: a reviewer's figure is no rounding of the application's."""
    found = {conflict.field for conflict in merge(given, said).conflicts}
    for one in fields(PatientContext):
        ours, theirs = getattr(given, one.name), getattr(said, one.name)
        if ours is None or theirs is None:
            continue
        key = _KEYS.get(one.name)
        if ours != theirs if key is None else _lists_differ(ours, theirs, key):
            found.add(one.name)
    ours, theirs = age_in_years(given), age_in_years(said)
    if ours is not None and theirs is not None and abs(ours - theirs) >= 1:
        found.add("age_years")
    if (given.pregnant is False and said.pregnancy_weeks is not None) or (
        said.pregnant is False and given.pregnancy_weeks is not None
    ):
        found.add("pregnant")
    return tuple(sorted(found))


def united(runs: Sequence[Sequence[Finding]]) -> tuple[Finding, ...]:
    """Every finding of any run, once."""
    return tuple(dict.fromkeys(finding for run in runs for finding in run))


def kept(before: Sequence[Finding], after: Sequence[Finding]) -> dict[int, int]:
    """Ordinals of findings that are the same, to the letter, to their ordinals after."""
    places: dict[Finding, list[int]] = {}
    for position, finding in enumerate(after):
        places.setdefault(finding, []).append(position)
    return {
        position: places[finding].pop(0) for position, finding in enumerate(before) if places.get(finding)
    }


def _lists_differ(ours: Sequence[Any], theirs: Sequence[Any], key: Callable[[Any], object]) -> bool:
    """Whether one says "none known" and the other names some, or the same is named otherwise."""
    known = {key(one): one for one in ours}
    return bool(ours) != bool(theirs) or any(known.get(key(one), one) != one for one in theirs)

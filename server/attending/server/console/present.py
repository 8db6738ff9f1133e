"""A case as the item page shows it: the text in pieces with its findings in place, and the patient in words. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any, Final

from attending.guardrails.finding import Finding, Severity

_WORD: Final = re.compile(r"\s+|[^\s]+")
_ZEROS: Final = re.compile(r"\A(-?\d+)\.0+\Z|\A(-?\d+\.\d*[1-9])0+\Z")
_MEASURED: Final = {
    "age_years": "age@years",
    "age_days": "age@days",
    "weight_kg": "weight@kg",
    "height_cm": "height@cm",
    "egfr": "eGFR@mL/min/1.73m²",
    "crcl": "creatinine clearance@mL/min",
    "pregnancy_weeks": "pregnant for@weeks",
    "lactating": "breast-feeding",
    "infant_days": "infant of@days",
    "child_pugh": "Child-Pugh",
    "labs": "results",
}
"""Fields as they are said, with their unit."""
_MAX_LINES: Final = 2_000
"""Of both texts together that are compared, from the first that differs to the last."""
_MAX_WORDS: Final = 4_000
"""Of all changed passages together that are compared word by word."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text under the same findings; `severity` is the worst of them."""

    text: str
    findings: tuple[int, ...] = ()
    severity: str = ""
    first: tuple[int, ...] = ()
    """The findings that begin here: their numbers stand beside it once."""


def pieces(text: str, findings: Sequence[Finding]) -> list[Piece]:
    """The text cut at every edge of a finding; the pieces joined are the text, to the letter."""
    spans = [
        (max(0, f.start), min(len(text), f.end), n) for n, f in enumerate(findings) if 0 <= f.start < f.end
    ]
    edges = sorted({0, len(text), *(edge for start, end, _n in spans for edge in (start, end))})
    found = []
    for start, end in pairwise(edges):
        over = [n for low, high, n in spans if low <= start and end <= high]
        worst = max((findings[n].severity for n in over), key=lambda s: s.rank, default=None)
        first = tuple(n for low, _high, n in spans if low == start and n in over)
        found.append(Piece(text[start:end], tuple(over), "" if worst is None else worst.value, first))
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a difference: `same`, `gone` or `new`."""

    kind: str
    text: str


def difference(before: str, after: str) -> list[Change]:
    """What was changed, by lines and within changed lines by words. `same` and `new` joined are `after`.

    Comparing costs the square of what differs, and a hostile text is all of one line: what is longer than the bounds
    above, from the first line that differs to the last, is shown as replaced whole.
    """
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    found = [Change("same", "".join(old[:head]))]
    words_left = _MAX_WORDS
    for change in _compared(old[head : len(old) - tail], new[head : len(new) - tail], _MAX_LINES):
        if isinstance(change, Change):
            found.append(change)
            continue
        gone, come = (_WORD.findall(text) for text in change)
        for inner in _compared(gone, come, words_left):
            found += [inner] if isinstance(inner, Change) else _replaced(*inner)
        words_left -= len(gone) + len(come)
    found.append(Change("same", "".join(old[len(old) - tail :])))
    merged: list[Change] = []
    for step in found:
        if merged and merged[-1].kind == step.kind:
            merged[-1] = Change(step.kind, merged[-1].text + step.text)
        elif step.text:
            merged.append(step)
    return merged


def _alike(old: Sequence[str], new: Sequence[str]) -> int:
    """How many stand alike at the beginning of both."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _compared(old: Sequence[str], new: Sequence[str], most: int) -> Iterator[Change | tuple[str, str]]:
    """What is the same, and (before, after) of what is not; of more than `most` all is not."""
    if len(old) + len(new) > most:
        yield "".join(old), "".join(new)
        return
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[a:b]), "".join(new[c:d])
        yield Change("same", gone) if tag == "equal" else (gone, come)


def _replaced(before: str, after: str) -> list[Change]:
    return [Change("gone", before), Change("new", after)]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known of the patient; `alert` where it must not be overlooked, `since` the date it is of."""

    name: str
    value: str
    alert: bool = False
    since: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """The banner: two identifiers, the facts, and what is missing in words."""

    name: str
    number: str
    born: str
    facts: tuple[Fact, ...]
    missing: tuple[str, ...]
    conditions: tuple[str, ...]
    medications: tuple[str, ...]

    @property
    def known(self) -> bool:
        return bool(self.name or self.number or self.born or self.facts)


_LABS: Final = {"egfr": ("33914-3", "48642-3", "62238-1", "98979-8", "egfr"), "crcl": ("2164-2", "crcl")}


def patient(context: Mapping[str, Any]) -> Patient:
    """Of the patient context as it was given. What was not given is said to be missing, never taken for normal."""
    identity = context.get("identity") or {}
    facts, missing = [], []
    born = str(identity.get("birth_date") or "")
    age = context.get("age_years")
    if age is not None:
        facts.append(Fact("Age", f"{_plain(age)} y"))
    elif context.get("age_days") is not None:
        facts.append(Fact("Age", f"{context['age_days']} d"))
    elif not born:
        missing.append("age")
    if context.get("sex"):
        facts.append(Fact("Sex", str(context["sex"])))
    if context.get("pregnant"):
        weeks = context.get("pregnancy_weeks")
        facts.append(Fact("Pregnant", f"{_plain(weeks)} weeks" if weeks is not None else "yes", alert=True))
    if context.get("lactating"):
        facts.append(Fact("Breast-feeding", "yes", alert=True))
    weight = context.get("weight_kg")
    if weight is not None:
        facts.append(Fact("Weight", f"{_plain(weight)} kg"))
    else:
        missing.append("weight")
    facts += _renal(context)
    if not any(fact.name in ("eGFR", "Creatinine clearance", "Dialysis") for fact in facts):
        missing.append("kidney function (eGFR)")
    if context.get("child_pugh"):
        facts.append(Fact("Child-Pugh", str(context["child_pugh"]), alert=context["child_pugh"] != "A"))
    allergies = context.get("allergies")
    if allergies is None:
        missing.append("allergies")
    elif not allergies:
        facts.append(Fact("Allergies", "none known"))
    else:
        facts.append(Fact("Allergies", ", ".join(_allergy(one) for one in allergies), alert=True))
    if context.get("medications") is None:
        missing.append("medication list")
    return Patient(
        name=", ".join(identity.get("names") or ()),
        number=str(identity.get("mrn") or ""),
        born=born,
        facts=tuple(facts),
        missing=tuple(missing),
        conditions=tuple(
            str(one.get("name", "")) for one in context.get("conditions") or () if one.get("active", True)
        ),
        medications=tuple(_medication(one) for one in context.get("medications") or ()),
    )


def _renal(context: Mapping[str, Any]) -> Iterable[Fact]:
    if context.get("dialysis"):
        yield Fact("Dialysis", "yes", alert=True)
    for key, name, unit in (
        ("egfr", "eGFR", "mL/min/1.73m²"),
        ("crcl", "Creatinine clearance", "mL/min"),
    ):
        labs = [
            lab
            for lab in context.get("labs") or ()
            if str(lab.get("code", "")).lower() in _LABS[key] and lab.get("value") is not None
        ]
        newest = max(labs, key=lambda lab: str(lab.get("time") or ""), default=None)
        value = context.get(key)
        since = "" if newest is None else str(newest.get("time") or "")[:10]
        if value is None and newest is not None:
            value = newest["value"]
        if value is not None:
            yield Fact(name, f"{_plain(value)} {unit}", alert=float(value) < 60, since=since)


def said(facts: Mapping[str, Any]) -> str:
    """Facts in one line, each with its field's name."""
    return "; ".join(_fact(name, value) for name, value in facts.items())


def _fact(name: str, value: Any) -> str:
    label, _at, unit = _MEASURED.get(name, name.replace("_", " ")).partition("@")
    return f"{label} {_value(value)}{f' {unit}' if unit else ''}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_value(one) for one in value) or "none known"
    if isinstance(value, dict):
        return " ".join(_value(one) for one in value.values() if not isinstance(one, bool))
    return _plain(value)


def _plain(value: object) -> str:
    """A number without the zeros that its way through the wire left behind it; anything else as it is."""
    return _ZEROS.sub(r"\1\2", str(value))


def _allergy(one: Mapping[str, Any]) -> str:
    reaction = one.get("reaction")
    return f"{one.get('substance', '')}{f' ({reaction})' if reaction else ''}"


def _medication(one: Mapping[str, Any]) -> str:
    name = str(one.get("name", ""))
    parts = [name, *(str(one[key]) for key in ("dose", "route", "frequency") if one.get(key))]
    # A source may repeat the dose in the name.
    words = " ".join(part for part in parts if part == name or part not in name)
    status = one.get("status") or "active"
    return words if status == "active" else f"{words} ({status})"


def threshold_split(
    findings: Sequence[Finding], to_dispose: Iterable[int]
) -> tuple[list[tuple[int, Finding]], list[tuple[int, Finding]]]:
    """(findings to decide on, the others), each with its ordinal, worst first and then in the order of the text."""
    needed = set(to_dispose)

    def order(one: tuple[int, Finding]) -> tuple[int, int, int]:
        return -one[1].severity.rank, one[1].start, one[0]

    numbered = sorted(enumerate(findings), key=order)
    return [one for one in numbered if one[0] in needed], [one for one in numbered if one[0] not in needed]


def second_light(light: str | None) -> tuple[str, str] | None:
    """(how it is shown, what it says) of the second model's opinion; None where none was asked."""
    return {
        "agrees": ("calm", "A second model finds every sentence in the documents."),
        "disagrees": ("alert", "A second model disagrees: it does not find every sentence in the documents."),
        "none": ("quiet", "A second model was asked and gave no opinion."),
    }.get(light or "")


SEVERITY_ORDER: Final = tuple(severity.value for severity in Severity)

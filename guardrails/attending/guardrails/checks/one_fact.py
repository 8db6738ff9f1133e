"""One fact gives one finding: what several checks, or several places, say of the same thing is said once.

- two drugs of one class that also interact at moderate or above: the interaction, as severe as the worse of the two;
- pairs within a load that `stacking` reports (the kidney's triple whammy, QT, serotonin, sedation): the load, where it
  is no milder and the pair's effect is the load's; of a load of two the pair stays, as severe as the load;
- one rule over a class, met by several of its members: one finding that names them all;
- one risky notation in several places: the first, with their number.

A contraindicated pair is always said by itself. Nothing is said milder than its worst part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from attending.guardrails.finding import Code, Finding, Severity

Mechanisms = Mapping[frozenset[str], str]
"""Pair of drugs -> the effect that its finding names."""

_LOADS: Final = {
    "curated:stacking-triple-whammy": ("kidney",),
    "curated:stacking-qt": ("qt prolongation", "arrhythmia"),
    "curated:stacking-serotonergic": ("serotonin",),
    "curated:stacking-cns": ("sedation", "respiratory depression"),
    "curated:stacking-anticholinergic": ("anticholinergic",),
}
"""Rule of a load -> words of a pair's effect that it speaks of."""
_OF_CLASS: Final = re.compile(r"^curated:[\w-]+:(?P<drug>[\w'.-]+)$")
_CLASS_RULES: Final = frozenset({Code.CONTRAINDICATION, Code.PREGNANCY, Code.RENAL, Code.HEPATIC, Code.AGE})


def one_fact(findings: Iterable[Finding], mechanisms: Mechanisms) -> tuple[Finding, ...]:
    """`findings` with each fact once; the order of what stays is kept. Pure."""
    found = tuple(findings)
    found = _without_twins(found)
    found = _without_parts(found, mechanisms)
    found = _grouped(found, _rule_of_class, _likewise)
    return _grouped(found, _notation, _places)


def _without_twins(found: tuple[Finding, ...]) -> tuple[Finding, ...]:
    pairs: dict[frozenset[str], dict[Code, Finding]] = {}
    for one in found:
        if one.code in (Code.INTERACTION, Code.DUPLICATE) and len(one.drugs) == 2:
            held = pairs.setdefault(frozenset(one.drugs), {})
            if one.code not in held or one.severity.rank > held[one.code].severity.rank:
                held[one.code] = one
    instead: dict[Finding, Finding | None] = {}
    for held in pairs.values():
        if len(held) == 2 and held[Code.INTERACTION].severity.rank >= Severity.MODERATE.rank:
            interaction, duplicate = held[Code.INTERACTION], held[Code.DUPLICATE]
            why = duplicate.message.partition(":")[0]
            instead[duplicate] = None
            instead[interaction] = replace(
                _raised(interaction, duplicate), message=f"{interaction.message}; {why}"
            )
    kept = (instead.get(one, one) for one in found)
    return tuple(one for one in kept if one is not None)


def _raised(one: Finding, other: Finding) -> Finding:
    """`one` with the severity of the worse of the two, and what that rests on."""
    if other.severity.rank <= one.severity.rank:
        return one
    return replace(
        one, severity=other.severity, basis=other.basis, source=other.source, rule_id=other.rule_id
    )


def _without_parts(found: tuple[Finding, ...], mechanisms: Mechanisms) -> tuple[Finding, ...]:
    loads = [one for one in found if one.rule_id in _LOADS]
    instead: dict[Finding, Finding | None] = {}
    for one in found:
        load = next((load for load in loads if _part(one, load, mechanisms)), None)
        if load is None:
            continue
        if set(one.drugs) == set(load.drugs):
            # The load is this pair and nothing else: the pair says what happens, the load how bad it is.
            instead[load] = None
            instead[one] = _raised(one, load)
        else:
            instead[one] = None
    kept = (instead.get(one, one) for one in found)
    return tuple(one for one in kept if one is not None)


def _part(one: Finding, load: Finding, mechanisms: Mechanisms) -> bool:
    if one.code is not Code.INTERACTION or not set(one.drugs) <= set(load.drugs):
        return False
    if one.severity is Severity.CONTRAINDICATED or one.severity.rank > load.severity.rank:
        return False
    effect = mechanisms.get(frozenset(one.drugs), "").lower()
    return any(word in effect for word in _LOADS[load.rule_id])


def _grouped(
    found: tuple[Finding, ...],
    key: Callable[[Finding], tuple[object, ...] | None],
    join: Callable[[list[Finding]], Finding],
) -> tuple[Finding, ...]:
    groups: dict[tuple[object, ...], list[Finding]] = {}
    for number, one in enumerate(found):
        groups.setdefault(key(one) or (number,), []).append(one)
    return tuple(group[0] if len(group) == 1 else join(group) for group in groups.values())


def _rule_of_class(one: Finding) -> tuple[object, ...] | None:
    if one.severity is Severity.CONTRAINDICATED:
        return None
    if one.code is Code.INTERACTION:
        return (one.code, one.rule_id, one.severity)
    match = _OF_CLASS.match(one.rule_id) if one.code in _CLASS_RULES else None
    return None if match is None else (one.code, one.rule_id[: match.start("drug")], one.severity)


def _likewise(group: list[Finding]) -> Finding:
    first, *others = group
    drugs = tuple(dict.fromkeys(drug for one in group for drug in one.drugs))
    named = "; ".join(one.message.partition(": ")[0] for one in others)
    return replace(first, message=f"{first.message}; likewise {named}", drugs=drugs)


def _notation(one: Finding) -> tuple[object, ...] | None:
    return (one.code, one.rule_id, one.severity) if one.code is Code.ABBREVIATION else None


def _places(group: list[Finding]) -> Finding:
    return replace(group[0], message=f"{group[0].message} ({len(group)} places)")

"""Ingredients and synonyms out of NDF-RT's mapping to RxNorm: what stands under one RxCUI is one substance.

A name whose RxCUI a known drug has is a synonym of that drug. An RxCUI that no known drug has is an ingredient of its
own, unless its name holds the name of a known drug (`cytarabine liposome`): read in a text, such a name would hide the
drug of which the facts speak. An RxCUI is taken from a row that names the ingredient itself, never from its salt's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from attending.guardrails.knowledge.importers.ndfrt import Concept
from attending.guardrails.knowledge.naming import SALTS, Namer

_NO_INGREDIENT: Final = re.compile(
    r"[,/(&#\[%]|allergenic|pollen|\bextract\b|\bmold\b|\bvenoms?\b|dander|vaccines?$|[a-z] [a-z]?\d+m?$"
    r"|-\d{2,3}[a-z]?$|\dunit"
)
"""Combinations, inverted names, allergen tests, groups of vaccines, dyes, and radioactive tracers."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What the rows gave. `rxcui` and `synonyms` carry the number of the row (its NUI) as their source."""

    rxcui: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Drug -> (RxCUI, NUI); of known drugs without one, and of new ones."""
    synonyms: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name -> (drug, NUI)."""
    ingredients: tuple[str, ...] = ()
    """The new ones, sorted."""
    left_out: tuple[tuple[str, str], ...] = ()
    """(name, why) of ingredients that were not taken."""


def place(
    namer: Namer,
    known: Mapping[str, str],
    concepts: Iterable[Concept],
    not_ingredients: frozenset[str],
    not_names: frozenset[str],
) -> Placed:
    """`known` is drug -> RxCUI. Names in `not_ingredients` are no medicines; those in `not_names` hide no drug."""
    groups: defaultdict[str, list[Concept]] = defaultdict(list)
    for concept in concepts:
        groups[concept.rxcui].append(concept)
    by_code = {code: drug for drug, code in known.items()}
    rxcui: dict[str, tuple[str, str]] = {}
    synonyms: dict[str, tuple[str, str]] = {}
    fresh: dict[str, list[Concept]] = {}
    left: list[tuple[str, str]] = []
    for code, group in groups.items():
        drugs = {drug for one in group if (drug := namer.drug(one.name)) is not None}
        if code in by_code:
            drugs.add(by_code[code])
        if len(drugs) > 1:
            left.append((min(one.name for one in group), f"RxCUI {code} is of {' and '.join(sorted(drugs))}"))
        elif not drugs:
            fresh[code] = group
        else:
            (drug,) = drugs
            named = [one for one in group if _names(namer, one.name, drug)]
            if named and drug not in known and code not in by_code:
                best = min(named, key=lambda one: (one.name != drug, one.nui))
                if drug not in rxcui or best.name == drug:
                    rxcui[drug] = (code, best.nui)
            for one in group:
                if (
                    namer.drugs(one.name) is None
                    and one.name not in not_ingredients
                    and not _NO_INGREDIENT.search(one.name)
                ):
                    synonyms.setdefault(one.name, (drug, one.nui))
    hidden = {name for name in namer.known if len(name) > 3} - not_names
    added = _fresh(fresh, hidden, not_ingredients, rxcui, synonyms, left)
    return Placed(rxcui, synonyms, tuple(sorted(added)), tuple(sorted(left)))


def _fresh(
    groups: Mapping[str, list[Concept]],
    hidden: set[str],
    not_ingredients: frozenset[str],
    rxcui: dict[str, tuple[str, str]],
    synonyms: dict[str, tuple[str, str]],
    left: list[tuple[str, str]],
) -> set[str]:
    """Adds new ingredients; those without a salt first, so that a salt finds its ingredient."""
    added: set[str] = set()
    ordered = sorted(groups.items(), key=lambda item: (all(_salted(one.name) for one in item[1]), item[0]))
    for code, group in ordered:
        fit = [one for one in group if not _NO_INGREDIENT.search(one.name)]
        refused = next((one.name for one in group if one.name in not_ingredients), None)
        if refused is not None or not fit:
            left.append(
                (min(one.name for one in group), "no medicine, or a combination, allergen, dye or tracer")
            )
            continue
        chosen = min(fit, key=lambda one: (_salted(one.name), not one.chemical, len(one.name), one.name))
        base = _without_salt(chosen.name)
        if base in added:
            for one in fit:
                synonyms.setdefault(one.name, (base, one.nui))
            continue
        inside = next((part for part in _parts(chosen.name) if part in hidden), None)
        if inside is not None:
            left.append((chosen.name, f"holds the name of {inside}"))
            continue
        added.add(chosen.name)
        rxcui[chosen.name] = (code, chosen.nui)
        for one in fit:
            if one.name != chosen.name:
                synonyms.setdefault(one.name, (chosen.name, one.nui))
    return added


def _parts(name: str) -> Iterator[str]:
    """Every run of words of a name, longest first."""
    words = re.findall(r"\w+", name)
    for size in range(len(words), 0, -1):
        for start in range(len(words) - size + 1):
            yield " ".join(words[start : start + size])


def _names(namer: Namer, name: str, drug: str) -> bool:
    """True where a row names the ingredient itself, and not a salt of it."""
    return name == drug or (namer.exact(name) == drug and not _salted(name))


def _salted(name: str) -> bool:
    return _without_salt(name) != name


def _without_salt(name: str) -> str:
    words = name.split()
    while len(words) > 1 and words[-1] in SALTS:
        words.pop()
    while len(words) > 1 and words[0] in SALTS:
        del words[0]
    return " ".join(words)

"""The drugs of the pack, the classes they belong to, and what is known of each drug's products."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from attending.guardrails.knowledge.assemble import concepts, tables
from attending.guardrails.knowledge.importers import ansm, fda_ndc, label_facts, ndfrt, rxnorm
from attending.guardrails.knowledge.naming import SALTS, Namer, tidy

APPROVED: Final = frozenset({"NDA", "ANDA", "BLA", "NDA AUTHORIZED GENERIC"})
_NOT_INGREDIENT: Final = re.compile(
    r"[0-9]{2,}$|\d-|technetium|\bf-18\b|unspecified|allergenic|,|\(|\balbumin\b|yellow no"
)
_SIDES: Final = {
    "insulin": "insulin",
    "estrogens": "estrogen",
    "ergot": "ergot",
    "penicillin": "penicillin",
    "partial agonist opioids": "mixed_opioid",
    "injectable iron salts": "iron_salt",
}
"""Names that the sources list as drugs and that are classes."""
_NO_DRUG: Final = re.compile(
    r"^medications |^other medications|^the french|latex condoms|^merck\)|mixed antigens|^allergenic"
)


@dataclass
class Vocabulary:
    """`classes` maps a class id to its members; ids of ANSM classes begin with `ansm:`. `labels` is how a class is
    shown, `class_names` the words that mean it in a text."""

    namer: Namer
    rxcui: dict[str, str] = field(default_factory=dict)
    rxcui_source: dict[str, str] = field(default_factory=dict)
    """Drug -> the source row that gives its RxCUI, in the form of `facts.NAME_SOURCES`."""
    origin: dict[str, str] = field(default_factory=dict)
    """Drug -> the source that names it, in that form too."""
    synonyms: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name -> (drug, source): names that a source files under the RxCUI of the drug."""
    site_names: list[tuple[str, tuple[str, ...], bool, str]] = field(default_factory=list)
    """(name, drugs, brand, source) of a site's brands and combinations."""
    left_out: tuple[tuple[str, str], ...] = ()
    """(name, why) of ingredients of the sources that the pack does not take."""
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    class_sources: dict[str, str] = field(default_factory=dict)
    class_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    routes: dict[str, frozenset[str]] = field(default_factory=dict)
    schedules: dict[str, str] = field(default_factory=dict)
    together: frozenset[tuple[str, str]] = frozenset()
    """Pairs of ingredients of one approved product, alphabetical."""
    products: Sequence[fda_ndc.Product] = ()
    """The FDA's NDC directory, which every later step reads too."""

    def side(self, text: str) -> str | None:
        """The drug or class id that a source names, or None."""
        plain = tidy(text)
        if plain in _SIDES:
            return _SIDES[plain]
        return self.namer.drug(plain)


def build(sources: Path, curated: Path) -> Vocabulary:
    """Reads every source once for its names. Raises OSError where a source is missing and TableError where an
    authored class has a member that is no drug."""
    aliases = {row["name"]: row["drug"] for row in tables.read(curated / "synonyms.tsv")}
    none = {row["name"] for row in tables.read(curated / "not_ingredients.tsv")}
    entries = [entry for entry in rxnorm.read(sources / "rxnorm") if entry.name not in none]
    extra = [row["drug"] for row in tables.read(curated / "ingredients.tsv")]
    namer = Namer([*(entry.name for entry in entries), *extra], aliases)
    vocabulary = Vocabulary(namer)
    for entry in entries:
        drug = namer.drug(entry.name)
        if (
            drug is not None
            and entry.rxcui is not None
            and (drug not in vocabulary.rxcui or drug == entry.name)
        ):
            vocabulary.rxcui[drug] = entry.rxcui
            vocabulary.rxcui_source[drug] = "rxnorm"
    listed = {entry.name for entry in entries}
    vocabulary.origin = {drug: "rxnorm" if drug in listed else "curated" for drug in namer.known}
    vocabulary.products = products = list(fda_ndc.read(sources / "fda-ndc"))
    _add_marketed(vocabulary, products)
    members = ansm.members(sources / "ansm")
    _add_named_in_sources(vocabulary, sources, members)
    _add_concepts(vocabulary, sources, curated)
    _authored_classes(vocabulary, curated)
    _ansm_classes(vocabulary, members)
    _fda_classes(vocabulary, products)
    _products(vocabulary, products)
    return vocabulary


def _add(vocabulary: Vocabulary, name: str, source: str) -> None:
    if (added := vocabulary.namer.add(name)) is not None:
        vocabulary.origin[added] = source


def class_id(name: str) -> str:
    """The id of an ANSM class: `ansm:` and its name in lower case with dashes."""
    return "ansm:" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _add_marketed(vocabulary: Vocabulary, products: list[fda_ndc.Product]) -> None:
    """Ingredients of approved prescription products that RxNorm's list lacks, without their salt."""
    namer = vocabulary.namer
    seen: Counter[str] = Counter()
    for product in products:
        if product.category not in APPROVED - {"BLA"} or product.over_the_counter:
            continue
        for substance in product.substances:
            if namer.drug(substance) is None:
                words = substance.split()
                while len(words) > 1 and words[-1] in SALTS:
                    words.pop()
                seen[" ".join(words)] += 1
    for name in sorted(seen):
        if not _NOT_INGREDIENT.search(name):
            _add(vocabulary, name, "fda-ndc")


def _add_named_in_sources(
    vocabulary: Vocabulary, sources: Path, members: dict[str, tuple[ansm.Side, ...]]
) -> None:
    """Drugs that only an interaction source or a label names: a source row must never be lost for a name."""
    wanted: dict[str, str] = {}

    def want(source: str, names: Iterable[str]) -> None:
        for name in names:
            wanted.setdefault(tidy(name), source)

    for row in ansm.rows(sources / "ansm"):
        want("ansm", (side.name for side in (row.first, row.second) if side.kind == "DRUG"))
    for group in members.values():
        want("ansm", (side.name for side in group))
    for pair in ndfrt.read(sources / "ndfrt"):
        if len(pair.sides) == 1:
            want("ndfrt", pair.sides[0])
    for fact in label_facts.read(sources / "label-facts"):
        want("label-facts", fact.ingredient.split(" / "))
    namer = vocabulary.namer
    for name in sorted(wanted):
        if name and name not in _SIDES and not _NO_DRUG.search(name) and namer.drugs(name) is None:
            words = name.split()
            while len(words) > 1 and words[-1] in SALTS:
                words.pop()
            _add(vocabulary, " ".join(words), wanted[name])


def _add_concepts(vocabulary: Vocabulary, sources: Path, curated: Path) -> None:
    """Ingredients, RxCUIs and synonyms of NDF-RT's mapping to RxNorm."""
    placed = concepts.place(
        vocabulary.namer,
        vocabulary.rxcui,
        ndfrt.concepts(sources / "ndfrt"),
        frozenset(row["name"] for row in tables.read(curated / "not_ingredients.tsv")),
        frozenset(row["name"] for row in tables.read(curated / "not_names.tsv")),
    )
    for name in placed.ingredients:
        _add(vocabulary, name, f"ndfrt:{placed.rxcui[name][1]}")
    for drug, (code, nui) in placed.rxcui.items():
        vocabulary.rxcui[drug] = code
        vocabulary.rxcui_source[drug] = f"ndfrt:{nui}"
    for name, (drug, nui) in placed.synonyms.items():
        vocabulary.namer.alias(name, drug)
        vocabulary.synonyms[name] = (drug, f"ndfrt:{nui}")
    vocabulary.left_out = placed.left_out


def _authored_classes(vocabulary: Vocabulary, curated: Path) -> None:
    raw: dict[str, tuple[str, ...]] = {}
    for row in tables.read(curated / "classes.tsv"):
        raw[row["class"]] = tables.split(row["members"])
        vocabulary.class_names[row["class"]] = tables.split(row["names"])
        vocabulary.labels[row["class"]] = row["class"].replace("_", " ")
        vocabulary.class_sources[row["class"]] = "curated"
    unknown: list[str] = []

    def expand(name: str, above: tuple[str, ...]) -> set[str]:
        found: set[str] = set()
        for member in raw[name]:
            if member.startswith("@"):
                inner = member[1:]
                if inner in above or inner not in raw:
                    raise tables.TableError(
                        f"class `{name}` includes `{inner}`, which is unknown or includes it"
                    )
                found |= expand(inner, (*above, inner))
                continue
            drug = vocabulary.namer.drug(member)
            if drug is None:
                unknown.append(f"{name}: {member}")
            else:
                found.add(drug)
        return found

    for name in raw:
        vocabulary.classes[name] = tuple(sorted(expand(name, (name,))))
    if unknown:
        raise tables.TableError(f"class members that are no drug: {'; '.join(sorted(set(unknown)))}")


def _ansm_classes(vocabulary: Vocabulary, members: dict[str, tuple[ansm.Side, ...]]) -> None:
    by_code = {code: drug for drug, code in vocabulary.rxcui.items()}
    for name, group in members.items():
        found: set[str] = set()
        for side in group:
            # Two members stand without a name; their RxCUI still says which they are.
            drug = vocabulary.namer.drug(side.name) if side.name else by_code.get(side.rxcui or "")
            if drug is not None:
                found.add(drug)
        if not found:
            continue
        vocabulary.classes[class_id(name)] = tuple(sorted(found))
        vocabulary.labels[class_id(name)] = name.lower()
        vocabulary.class_sources[class_id(name)] = "ansm"


def _fda_classes(vocabulary: Vocabulary, products: list[fda_ndc.Product]) -> None:
    """The directory's pharmacologic classes (EPC, MoA, PE, CS) of two members or more, from products of one ingredient.

    They group for review and explanation. No fact, no allergy group and no duplicate group is filed under one, so that
    they give no finding; a class with the members of another is left out.
    """
    members: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for product in products:
        drugs = {vocabulary.namer.drug(substance) for substance in product.substances}
        if len(drugs) == 1 and None not in drugs:
            for one in product.classes:
                members[one] |= {drug for drug in drugs if drug is not None}
    taken = {frozenset(group) for group in vocabulary.classes.values()}
    for (kind, name), group in sorted(members.items()):
        if len(group) < 2 or frozenset(group) in taken:
            continue
        taken.add(frozenset(group))
        one_id = f"{kind}:" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        vocabulary.classes[one_id] = tuple(sorted(group))
        vocabulary.labels[one_id] = f"{name.lower()} ({kind})"
        vocabulary.class_sources[one_id] = "fda-ndc"


def _products(vocabulary: Vocabulary, products: list[fda_ndc.Product]) -> None:
    routes: defaultdict[str, set[str]] = defaultdict(set)
    schedules: defaultdict[str, set[str]] = defaultdict(set)
    together: set[tuple[str, str]] = set()
    for product in products:
        drugs = [vocabulary.namer.drug(substance) for substance in product.substances]
        if product.category in APPROVED:
            known = sorted({drug for drug in drugs if drug is not None})
            together.update(itertools.combinations(known, 2))
        for drug in drugs:
            if drug is None:
                continue
            routes[drug] |= product.routes
            if len(drugs) == 1 and product.schedule:
                schedules[drug].add(product.schedule)
    vocabulary.routes = {drug: frozenset(found) for drug, found in routes.items() if found}
    vocabulary.together = frozenset(together)
    vocabulary.schedules = {drug: min(found) for drug, found in schedules.items()}

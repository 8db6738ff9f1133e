"""Every name by which a text can mean a drug, several drugs or a class: generics, salts, brands, abbreviations.

Names that are ordinary words, laboratory values or foods are left out: a reader of clinical text would find them in
any sentence. Brands come from approved products, and from the authored list of common non-prescription ones.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attending.guardrails.knowledge.assemble import tables
from attending.guardrails.knowledge.assemble.not_placed import NotPlaced
from attending.guardrails.knowledge.assemble.vocabulary import APPROVED, Vocabulary
from attending.guardrails.knowledge.importers import ndfrt, va
from attending.guardrails.knowledge.naming import FORMS, SALTS, tidy

COLUMNS: Final = ("name", "drugs", "class", "brand", "source")
MAX_NAME: Final = 60
_STRENGTH: Final = re.compile(r"\b\d[\d.,/-]*\s*(?:mg|mcg|ml|g|%|units?)?\b.*$|\d+%.*$")
_PLAIN: Final = re.compile(r"[a-z][a-z0-9 '/.+-]*[a-z0-9+)']")
_NOISE_WORDS: Final = (
    "kit pack system solution injection tablets tablet capsules capsule cream ointment gel lotion drops syrup "
    "relief pain cold cough allergy sinus day night time sleep aid maximum regular extra strength children childrens "
    "children's infants infants' infant adult adults daily one-a-day plus severe multi-symptom headache migraine "
    "fever reducer and the for with of original formula care complete natural pure clear fresh medicated skin "
    "antibacterial antiseptic laxative stool softener antacid gas acid heartburn stomach arthritis muscle rub back "
    "body hand face sun sunscreen spf hemorrhoidal women's men's women men first"
)
_NOISE: Final = frozenset(_NOISE_WORDS.split())
"""Words of which a shop product's name may consist; a name of these alone is no brand."""
_ELEMENT_WORDS: Final = (
    "aluminum ammonium bismuth calcium copper cupric ferric ferrous gold iron lithium magnesium manganese potassium "
    "selenium silver sodium zinc"
)
_ELEMENTS: Final = frozenset(_ELEMENT_WORDS.split())
_COMBINED: Final = re.compile(r"\s+and\s+|/|\s*,\s*")


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    drugs: tuple[str, ...] = ()
    drug_class: str = ""
    brand: bool = False
    source: str = "curated"

    def cells(self) -> dict[str, str]:
        return {
            "name": self.name, "drugs": "|".join(self.drugs), "class": self.drug_class,
            "brand": "1" if self.brand else "", "source": self.source,
        }  # fmt: skip


def build(vocabulary: Vocabulary, sources: Path, curated: Path, missed: list[NotPlaced]) -> list[Entry]:
    """Entries sorted by name, one per name; authored names win over those of the sources, and those over a site's. A
    site's name of another meaning is added to `missed`.

    Raises OSError, or TableError where an authored brand holds an unknown ingredient or a name has two meanings.
    """
    stop = {row["name"] for row in tables.read(curated / "not_names.tsv")}
    found: dict[str, Entry] = {}

    def put(name: str, drugs: tuple[str, ...], source: str, *, brand: bool = False) -> None:
        if name not in found and name not in stop and 3 <= len(name) <= MAX_NAME:
            found[name] = Entry(name, drugs, "", brand, source)

    for entry in _authored(vocabulary, curated):
        if entry.name in found and found[entry.name] != entry:
            raise tables.TableError(f"name `{entry.name}` has two meanings")
        found[entry.name] = entry
    for drug in sorted(vocabulary.namer.known):
        put(drug, (drug,), vocabulary.origin[drug])
    for alias, drug in sorted(_aliases(curated).items()):
        put(alias, (drug,), "curated")
    for name, (drug, source) in sorted(vocabulary.synonyms.items()):
        put(name, (drug,), source)
    for name, (drugs, source) in sorted(_generics(vocabulary, sources).items()):
        put(name, drugs, source)
    for name, drugs in _brands(vocabulary, set(found)):
        put(name, drugs, "fda-ndc", brand=True)
    for name, drugs, brand, source in sorted(vocabulary.site_names):
        held = found.get(name)
        if name in stop or (held is not None and held.drugs != drugs):
            why = (
                "not looked for in texts"
                if held is None
                else f"the pack means {' + '.join(held.drugs) or 'a class'}"
            )
            missed.append(NotPlaced(source.partition(":")[0], source.partition(":")[2], name, why))
        put(name, drugs, source, brand=brand)
    return [found[name] for name in sorted(found) if name not in stop]


def _aliases(curated: Path) -> dict[str, str]:
    return {
        row["name"]: row["drug"]
        for row in tables.read(curated / "synonyms.tsv")
        if not re.search(r"[(\[;:]|, |by extrapolation| or ", row["name"])
    }


def _authored(vocabulary: Vocabulary, curated: Path) -> list[Entry]:
    found: list[Entry] = []
    unknown: list[str] = []
    for row in tables.read(curated / "brands.tsv"):
        drugs = [vocabulary.namer.drug(part) for part in tables.split(row["drugs"])]
        if any(drug is None for drug in drugs):
            unknown.append(row["name"])
        generic = any(drug is not None and drug.split()[0] in row["name"] for drug in drugs)
        found.append(Entry(row["name"], tuple(sorted(d for d in drugs if d is not None)), "", not generic))
    for class_name, words in vocabulary.class_names.items():
        for word in words:
            found.append(Entry(word, (), class_name))
            plural = word + ("es" if word.endswith(("s", "x")) else "s")
            if not word.endswith("s") or word.endswith(("ss", "us")):
                found.append(Entry(plural, (), class_name))
    if unknown:
        raise tables.TableError(f"brands of unknown ingredients: {'; '.join(unknown)}")
    return list({(e.name, e.drugs, e.drug_class): e for e in found}.values())


def _generics(vocabulary: Vocabulary, sources: Path) -> dict[str, tuple[tuple[str, ...], str]]:
    """Salted and combined generic names as labels and the VA spell them, with the forms that texts use."""
    spelled = dict.fromkeys((name.lower() for name in va.generics(sources / "va").values()), "va")
    for product in vocabulary.products:
        spelled.update(dict.fromkeys(product.substances, "fda-ndc"))
        if product.category in APPROVED:
            spelled[product.generic] = "fda-ndc"
    for concept in ndfrt.concepts(sources / "ndfrt"):
        # A salt of an element is not the salt that the element's bare name is taken to mean.
        if concept.name.split()[0] not in _ELEMENTS:
            spelled.setdefault(concept.name, f"ndfrt:{concept.nui}")
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    for text, source in sorted(spelled.items()):
        name = tidy(text)
        drugs = vocabulary.namer.drugs(name)
        if drugs is None or not _PLAIN.fullmatch(name) or len(drugs) > 4:
            continue
        words = name.split()
        if words[-1] in FORMS or name in SALTS:
            continue
        found.setdefault(name, (drugs, source))
        if len(drugs) > 1:
            parts = [vocabulary.namer.drug(part) for part in _COMBINED.split(name)]
            plain = [part for part in parts if part is not None]
            if len(plain) == len(parts) == len(drugs):
                for order in (plain, plain[::-1]):
                    for joint in ("/", "-", " / ", " and ", " with "):
                        found.setdefault(joint.join(order), (drugs, source))
    return found


def _brands(vocabulary: Vocabulary, taken: set[str]) -> list[tuple[str, tuple[str, ...]]]:
    """Proprietary names whose every substance is a known ingredient. Where one name stands on products of several
    compositions the most frequent one is taken, the smaller at a tie."""
    counts: defaultdict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for product in vocabulary.products:
        if product.category not in APPROVED or (product.over_the_counter and product.category != "NDA"):
            continue
        drugs = [vocabulary.namer.drug(substance) for substance in product.substances]
        if not drugs or any(drug is None for drug in drugs) or len(drugs) > 4:
            continue
        name = _brand_name(product.brand)
        if name is not None and name not in taken:
            counts[name][tuple(sorted({drug for drug in drugs if drug is not None}))] += 1
    found: list[tuple[str, tuple[str, ...]]] = []
    for name, seen in sorted(counts.items()):
        drugs_of, _ = min(seen.items(), key=lambda item: (-item[1], len(item[0]), item[0]))
        found.append((name, drugs_of))
    return found


def _brand_name(text: str) -> str | None:
    name = tidy(_STRENGTH.sub("", tidy(text)))
    words = name.split()
    while len(words) > 1 and (
        words[-1] in FORMS or words[-1] in ("hcl", "hct-x", "injection", "oral", "kit")
    ):
        words.pop()
    name = " ".join(words)
    if (
        "colgate" in words
        or not _PLAIN.fullmatch(name)
        or len(name) < 4
        or all(word in _NOISE or word in SALTS for word in words)
    ):
        return None
    return name

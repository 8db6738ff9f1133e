"""What the entries of an allergy list mean: the authored table, and the VA's allergens whose drug class says it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from attending.guardrails.knowledge.assemble import tables
from attending.guardrails.knowledge.assemble.vocabulary import Vocabulary
from attending.guardrails.knowledge.importers import va

COLUMNS: Final = ("name", "drugs", "groups")
_GROUPS: Final = {
    **dict.fromkeys(("AM110", "AM111", "AM112", "AM113", "AM114"), "penicillin"),
    **dict.fromkeys(("AM115", "AM116", "AM117", "AM118"), "cephalosporin"),
    "AM650": "sulfonamide_antibiotic",
    "MS102": "nsaid",
    "CN101": "opioid",
    "DX101": "iodinated_contrast",
}
"""VA drug class -> the group that an allergy to the class is taken to mean."""
_NOT_INTRAVASCULAR: Final = re.compile(r"\bmri\b|gadolin|\boral\b|barium")
_CONTRAST: Final = re.compile(r"contrast|\bdyes?\b|media\b")


def build(vocabulary: Vocabulary, sources: Path, curated: Path) -> list[dict[str, str]]:
    """Rows sorted by name. Names that are drugs or classes by themselves need no row. Raises OSError or TableError."""
    found = {row["name"]: row for row in tables.read(curated / "allergens.tsv")}
    for row in found.values():
        unknown = [drug for drug in tables.split(row["drugs"]) if vocabulary.namer.drug(drug) != drug]
        unknown += [group for group in tables.split(row["groups"]) if group not in vocabulary.classes]
        if unknown:
            raise tables.TableError(f"`allergens.tsv`: `{unknown[0]}` is neither drug nor class")
    # A word for a class says more exactly what is meant than the VA's synonyms (sulfonylureas under sulfonamides).
    words = {
        form for listed in vocabulary.class_names.values() for word in listed for form in (word, word + "s")
    }
    for entry in va.allergens(sources / "va"):
        groups = sorted({_GROUPS[code] for code in entry.classes if code in _GROUPS})
        if not groups or "D" not in entry.kind:
            continue
        for name in (entry.name, *entry.synonyms):
            plain = " ".join(name.split())
            if groups == ["iodinated_contrast"] and (
                _NOT_INTRAVASCULAR.search(plain) or not _CONTRAST.search(plain)
            ):
                continue
            if plain in words:
                continue
            if plain not in found and vocabulary.namer.drug(plain) is None:
                found[plain] = {"name": plain, "drugs": "", "groups": "|".join(groups)}
    return [found[name] for name in sorted(found)]

"""RxNorm ingredient names with their RxCUI (names and RxCUIs are public domain, NLM)."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

_NOT_A_DRUG = re.compile(
    r"allergenic|pollen|\bextract\b|\bmold\b|\bvenom\b|\bfeather\b|\bhair\b|\bmite\b|dander|\bmeat\b|whole body|antigen"
)
"""Allergen test extracts and crude extracts: names of foods and plants that would be found in any text."""


@dataclass(frozen=True, slots=True)
class Ingredient:
    """`rxcui` is None for rows that carry an OMOP id instead."""

    name: str
    rxcui: str | None


def read(folder: Path) -> list[Ingredient]:
    """Ingredients of `folder/vocab_rxnorm_ingredient.csv`, lower case, sorted by name.

    Raises OSError where the file is missing and KeyError where a column is.
    """
    found: dict[str, Ingredient] = {}
    with (folder / "vocab_rxnorm_ingredient.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            name = " ".join(row["rxnorm_name"].lower().split())
            if _NOT_A_DRUG.search(name):
                continue
            code = row["rxnorm_id"]
            entry = Ingredient(name, code if code.isdigit() else None)
            if name not in found or found[name].rxcui is None:
                found[name] = entry
    return [found[name] for name in sorted(found)]

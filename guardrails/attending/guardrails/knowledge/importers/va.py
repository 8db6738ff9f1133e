"""VA files as MUMPS global exports (`.zwr`): generics, drug classes and the allergen list (WorldVistA/VistA-M)."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NODE: Final = re.compile(r'\^(?P<name>[%A-Z]+)\((?P<subscripts>(?:"(?:[^"]|"")*"|[^)"])*)\)=(?P<value>.*)')


@dataclass(frozen=True, slots=True)
class Allergen:
    """One entry of GMR ALLERGIES: `kind` holds D (drug), F (food), O (other); `classes` are VA drug class codes.

    Its ingredient pointers lead to file 50.416, which is not among the sources: they are not read. (Looked up among
    the VA generics they give nonsense: chocolate would be aspirin and caffeine.)"""

    name: str
    kind: str
    synonyms: tuple[str, ...]
    classes: tuple[str, ...]


def nodes(path: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """(subscripts, value) of every node; strings unquoted. Lines that are no node (the heading) are passed over.

    Raises OSError where the file is missing.
    """
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as stream:
        for line in stream:
            hit = _NODE.match(line.rstrip("\n"))
            if hit is None:
                continue
            yield tuple(_unquote(s) for s in next(csv.reader([hit["subscripts"]]))), _unquote(hit["value"])


def generics(folder: Path) -> dict[str, str]:
    """VA generic number -> name (upper case, components of a combination parted by "/")."""
    return {
        sub[1]: value.split("^")[0]
        for sub, value in nodes(folder / "50.6_VA_GENERIC.zwr.gz")
        if len(sub) == 3 and sub[1] != "0" and sub[2] == "0" and sub[1].replace(".", "").isdigit()
    }


def classes(folder: Path) -> dict[str, tuple[str, str]]:
    """VA class number -> (code such as AM110, name)."""
    found: dict[str, tuple[str, str]] = {}
    for sub, value in nodes(folder / "50.605_VA_DRUG_CLASS.zwr.gz"):
        if len(sub) == 3 and sub[2] == "0" and sub[1].isdigit():
            parts = value.split("^")
            found[sub[1]] = (parts[0], parts[1])
    return found


def allergens(folder: Path) -> list[Allergen]:
    """The allergen list in file order, pointers resolved."""
    kinds = classes(folder)
    heads: dict[str, list[str]] = {}
    lists: dict[tuple[str, str], list[str]] = {}
    for sub, value in nodes(folder / "120.82_GMR_ALLERGIES.zwr.gz"):
        if len(sub) == 3 and sub[1].isdigit() and sub[2] == "0":
            heads[sub[1]] = value.split("^")
        elif len(sub) == 5 and sub[4] == "0" and sub[3].isdigit() and sub[2] in ("3", "CLASS"):
            lists.setdefault((sub[1], sub[2]), []).append(value.split("^")[0])
    found: list[Allergen] = []
    for number, head in heads.items():
        if not head[0] or number == "0":
            continue
        found.append(
            Allergen(
                name=head[0].lower(),
                kind=head[1] if len(head) > 1 else "",
                synonyms=tuple(s.lower() for s in lists.get((number, "3"), ())),
                classes=tuple(kinds[p][0] for p in lists.get((number, "CLASS"), ()) if p in kinds),
            )
        )
    return found


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == '"' and text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return text

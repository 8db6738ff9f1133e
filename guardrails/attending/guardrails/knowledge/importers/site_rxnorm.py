"""A site's own RxNorm release in Rich Release Format (the site needs a UMLS licence; nothing of it is shipped).

Read are, of source RXNORM and not suppressed: ingredients (IN), precise ingredients (PIN), combinations (MIN), brands
(BN) and clinical drugs (SCD) of `RXNCONSO.RRF`; of `RXNREL.RRF` what ties them; and of `RXNSAT.RRF` the DEA schedule
(DCSA). Columns: RxNorm Technical Documentation, chapter 12. In RXNREL the second concept stands in the relation RELA to
the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from attending.guardrails.knowledge.importers.site_file import SiteFileError, lines

CONSO: Final = "RXNCONSO.RRF"
REL: Final = "RXNREL.RRF"
SAT: Final = "RXNSAT.RRF"
_CONSO_CELLS: Final = 18
_REL_CELLS: Final = 16
_SAT_CELLS: Final = 13
_TYPES: Final = frozenset({"IN", "PIN", "MIN", "BN", "SCD", "SCDC"})
_SCHEDULES: Final = frozenset({"CI", "CII", "CIII", "CIV", "CV"})
_MAX_NAME: Final = 3000


@dataclass(slots=True)
class Release:
    """Names in lower case. `precise` is (PIN code, name, IN code); `combined` and `brands` are (code, name, codes of
    their ingredients, sorted); `schedules` is IN code -> DEA schedule of its clinical drugs of one ingredient."""

    ingredients: dict[str, str] = field(default_factory=dict)
    """IN code -> name."""
    precise: list[tuple[str, str, str]] = field(default_factory=list)
    combined: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    brands: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    schedules: dict[str, str] = field(default_factory=dict)
    untied: list[tuple[str, str, str]] = field(default_factory=list)
    """(code, name, type) of names that no relation ties to an ingredient."""


def read(folder: Path) -> Release:
    """Raises OSError where `RXNCONSO.RRF` is missing and SiteFileError where a line is malformed, a code has two
    preferred names of one type, or no ingredient is there. Without `RXNREL.RRF` every brand is untied."""
    names: dict[str, dict[str, tuple[str, int]]] = {kind: {} for kind in _TYPES}
    for number, cells in _rows(folder / CONSO, _CONSO_CELLS):
        code, language, source, kind, name, suppress = (cells[i] for i in (0, 1, 11, 12, 14, 16))
        if source != "RXNORM" or language != "ENG" or suppress not in ("", "N") or kind not in _TYPES:
            continue
        if not (code.isascii() and code.isdigit()):
            raise SiteFileError(folder / CONSO, number, "the RxCUI is no number")
        plain = " ".join(name.lower().split())
        if not plain or len(plain) > _MAX_NAME:
            raise SiteFileError(folder / CONSO, number, "the name is empty or too long")
        held = names[kind].setdefault(code, (plain, number))
        if held[0] != plain:
            raise SiteFileError(
                folder / CONSO, number, f"RxCUI {code} has another {kind} name on line {held[1]}"
            )
    if not names["IN"]:
        raise SiteFileError(folder / CONSO, 1, "no ingredient (TTY IN) of RXNORM in the file")
    ties = _ties(folder, names)
    release = Release({code: name for code, (name, _) in sorted(names["IN"].items())})
    for code, (name, _) in sorted(names["PIN"].items()):
        bases = ties["form"].get(code, set())
        if len(bases) == 1:
            release.precise.append((code, name, next(iter(bases))))
        else:
            release.untied.append((code, name, "PIN"))
    for kind, held_by, tie in (("MIN", release.combined, "part"), ("BN", release.brands, "brand")):
        for code, (name, _) in sorted(names[kind].items()):
            if parts := ties[tie].get(code):
                held_by.append((code, name, tuple(sorted(parts))))
            else:
                release.untied.append((code, name, kind))
    release.schedules = _schedules(folder, ties)
    return release


def _ties(folder: Path, names: dict[str, dict[str, tuple[str, int]]]) -> dict[str, dict[str, set[str]]]:
    """Which ingredients a PIN, MIN, BN, SCDC has, and which components an SCD."""
    ties: dict[str, dict[str, set[str]]] = {
        name: defaultdict(set) for name in ("form", "part", "brand", "component", "ingredient")
    }
    path = folder / REL
    if not path.exists():
        return ties
    wanted = (
        ("form_of", "PIN", "IN", "form"),
        ("has_part", "MIN", "IN", "part"),
        ("tradename_of", "BN", "IN", "brand"),
        ("consists_of", "SCD", "SCDC", "component"),
        ("has_ingredient", "SCDC", "IN", "ingredient"),
    )
    for _, cells in _rows(path, _REL_CELLS):
        first, second, relation, source, suppress = (cells[i] for i in (0, 4, 7, 10, 14))
        if source != "RXNORM" or suppress not in ("", "N"):
            continue
        for named, left, right, tie in wanted:
            if relation == named and second in names[left] and first in names[right]:
                ties[tie][second].add(first)
    return ties


def _schedules(folder: Path, ties: dict[str, dict[str, set[str]]]) -> dict[str, str]:
    found: dict[str, str] = {}
    path = folder / SAT
    if not path.exists():
        return found
    for number, cells in _rows(path, _SAT_CELLS):
        code, attribute, value, suppress = (cells[i] for i in (0, 8, 10, 11))
        if attribute != "DCSA" or suppress not in ("", "N"):
            continue
        if value not in _SCHEDULES:
            raise SiteFileError(path, number, "unknown DEA schedule; expected CI to CV")
        inside = {one for part in ties["component"].get(code, ()) for one in ties["ingredient"].get(part, ())}
        if len(inside) == 1:
            (drug,) = inside
            found[drug] = min(found.get(drug, value), value, key=lambda one: (len(one), one))
    return found


def _rows(path: Path, cells: int) -> Iterator[tuple[int, list[str]]]:
    for number, text in lines(path):
        found = text.split("|")
        # Each cell ends with the separator, so that a line splits into one more.
        if len(found) != cells + 1 or found[-1]:
            raise SiteFileError(
                path, number, f"expected {cells} cells, each ended by `|`, got {len(found) - 1}"
            )
        yield number, found

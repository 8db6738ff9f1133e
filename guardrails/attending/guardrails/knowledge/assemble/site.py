"""What a site brings of its own: names of its RxNorm, pairs of its DDInter, limits of its formulary.

The pack's own names win. Where the site's file says otherwise, or names a drug that the pack does not know, the row is
reported and nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attending.guardrails.finding import Basis
from attending.guardrails.knowledge.assemble import concepts, tables
from attending.guardrails.knowledge.assemble.facts import COLUMNS
from attending.guardrails.knowledge.assemble.interactions import Row
from attending.guardrails.knowledge.assemble.not_placed import NotPlaced
from attending.guardrails.knowledge.assemble.vocabulary import Vocabulary
from attending.guardrails.knowledge.importers import site_ddinter, site_formulary, site_rxnorm
from attending.guardrails.knowledge.importers.ndfrt import Concept

RXNORM: Final = "site-rxnorm"
DDINTER: Final = "site-ddinter"
FORMULARY: Final = "site-formulary"
FORMULARY_COLUMNS: Final = ("drug", "route", "formulation", "status", "restriction", "source")
_NAME: Final = re.compile(r"[a-z][a-z0-9 '/.+-]{2,58}[a-z0-9+)']")


@dataclass(frozen=True, slots=True)
class Own:
    """What a site's files say, read and checked line by line; nothing of it is placed yet."""

    rxnorm: site_rxnorm.Release | None
    pairs: tuple[site_ddinter.Pair, ...]
    formulary: tuple[site_formulary.Line, ...]


@dataclass(frozen=True, slots=True)
class Site:
    """Where a site's own files are; each is optional."""

    rxnorm: Path | None = None
    ddinter: Path | None = None
    formulary: Path | None = None

    def read(self, progress: Callable[[str], None]) -> Own:
        """All of them; `progress` hears of each before it is read. Raises OSError and SiteFileError."""
        release = None
        pairs: tuple[site_ddinter.Pair, ...] = ()
        lines: tuple[site_formulary.Line, ...] = ()
        if self.rxnorm is not None:
            progress("the site's RxNorm")
            release = site_rxnorm.read(self.rxnorm)
        if self.ddinter is not None:
            progress("the site's DDInter")
            pairs = tuple(site_ddinter.read(self.ddinter))
        if self.formulary is not None:
            progress("the site's formulary")
            lines = tuple(site_formulary.read(self.formulary))
        return Own(release, pairs, lines)

    def files(self) -> list[Path]:
        """Every file that a build reads, in order. Raises OSError."""
        found: list[Path] = []
        if self.rxnorm is not None:
            named = (site_rxnorm.CONSO, site_rxnorm.REL, site_rxnorm.SAT)
            found += [self.rxnorm / name for name in named if (self.rxnorm / name).exists()]
        if self.ddinter is not None:
            found += sorted(self.ddinter.glob("*.csv"))
        if self.formulary is not None:
            found.append(self.formulary)
        return found


def add_names(
    vocabulary: Vocabulary, release: site_rxnorm.Release, curated: Path, missed: list[NotPlaced]
) -> None:
    """Adds ingredients, synonyms, brands, combinations and schedules of a site's RxNorm."""
    namer = vocabulary.namer
    wanted: list[Concept] = []
    for code, name in release.ingredients.items():
        drug = namer.drug(name)
        held = None if drug is None else vocabulary.rxcui.get(drug)
        if held not in (None, code) and namer.exact(name) == drug:
            missed.append(NotPlaced(RXNORM, code, name, f"the pack has {drug} as RxCUI {held}"))
        else:
            wanted.append(Concept(code, code, name, True))
    wanted += [Concept(base, code, name, True) for code, name, base in release.precise]
    placed = concepts.place(
        namer,
        vocabulary.rxcui,
        wanted,
        frozenset(row["name"] for row in tables.read(curated / "not_ingredients.tsv")),
        frozenset(row["name"] for row in tables.read(curated / "not_names.tsv")),
    )
    for name in placed.ingredients:
        if (added := namer.add(name)) is not None:
            vocabulary.origin[added] = f"{RXNORM}:{placed.rxcui[name][0]}"
    for drug, (code, _) in placed.rxcui.items():
        vocabulary.rxcui[drug] = code
        vocabulary.rxcui_source[drug] = f"{RXNORM}:{code}"
    for name, (drug, code) in placed.synonyms.items():
        namer.alias(name, drug)
        vocabulary.synonyms[name] = (drug, f"{RXNORM}:{code}")
    missed += [NotPlaced(RXNORM, "", name, why) for name, why in placed.left_out]
    missed += [
        NotPlaced(RXNORM, code, name, f"{kind} without an ingredient") for code, name, kind in release.untied
    ]
    by_code = {code: drug for drug, code in vocabulary.rxcui.items()}
    for code, name in release.ingredients.items():
        if code not in by_code and (drug := namer.drug(name)) is not None:
            by_code[code] = drug
    for listed, brand in ((release.brands, True), (release.combined, False)):
        for code, name, parts in listed:
            unknown = [part for part in parts if part not in by_code]
            if unknown:
                missed.append(NotPlaced(RXNORM, code, name, f"its ingredient {unknown[0]} is not placed"))
            elif _NAME.fullmatch(name) is None:
                missed.append(NotPlaced(RXNORM, code, name, "no name that a text could hold"))
            else:
                drugs = tuple(sorted({by_code[part] for part in parts}))
                vocabulary.site_names.append((name, drugs, brand, f"{RXNORM}:{code}"))
    for code, schedule in release.schedules.items():
        if code in by_code:
            vocabulary.schedules.setdefault(by_code[code], schedule)


def pairs(vocabulary: Vocabulary, listed: Iterable[site_ddinter.Pair], missed: list[NotPlaced]) -> list[Row]:
    """Rows of a site's DDInter."""
    found: list[Row] = []
    for pair in listed:
        where = f"{pair.file} line {pair.line}"
        sides = [vocabulary.side(name) for name in pair.names]
        if pair.severity is None:
            missed.append(NotPlaced(DDINTER, where, " + ".join(pair.names), "the source grades it Unknown"))
            continue
        left, right = sides
        if left is None or right is None:
            for name, side in zip(pair.names, sides, strict=True):
                if side is None:
                    missed.append(NotPlaced(DDINTER, where, name, "no drug or class of the pack"))
            continue
        if left == right:
            missed.append(NotPlaced(DDINTER, where, " + ".join(pair.names), f"both are {left}"))
            continue
        found.append(
            Row(
                min(left, right), max(left, right), pair.severity, Basis.SOURCE_ROW,
                f"{DDINTER}:{':'.join(pair.ids)}", f"the site's DDInter, {where}",
            )
        )  # fmt: skip
    return found


def formulary(
    vocabulary: Vocabulary, lines: Iterable[site_formulary.Line], missed: list[NotPlaced]
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """(dose limits, rows of the formulary table)."""
    limits: list[dict[str, str]] = []
    stocked: list[dict[str, str]] = []
    for line in lines:
        cells = line.cells
        drug = vocabulary.namer.drug(cells["drug"])
        if drug is None:
            missed.append(NotPlaced(FORMULARY, f"line {line.number}", cells["drug"], "no drug of the pack"))
            continue
        source = f"the site's formulary, {line.file} line {line.number}"
        stocked.append(
            {**{name: cells.get(name, "") for name in FORMULARY_COLUMNS}, "drug": drug, "source": source}
        )
        if cells["max_single"] or cells["max_daily"] or cells["min_interval_hours"]:
            told = {
                **{column: cells.get(column, "") for column in COLUMNS["dose_limits"]},
                "drug": drug, "unit": cells["unit"] or "mg", "confidence": "high", "source": source,
                "basis": Basis.SOURCE_ROW.value, "rule_id": f"{FORMULARY}:{line.number}",
            }  # fmt: skip
            limits.append({column: told[column] for column in COLUMNS["dose_limits"]})
    return limits, stocked

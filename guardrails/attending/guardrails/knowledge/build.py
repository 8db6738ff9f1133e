"""Builds a knowledge pack: `python -m attending.guardrails.knowledge.build SOURCES OUT`.

SOURCES is the folder with one folder per public source; OUT receives the tables. The same inputs give the same
bytes. Authored tables are read from `curated/` beside this module.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from attending.guardrails.finding import Basis, Severity
from attending.guardrails.knowledge import attestation
from attending.guardrails.knowledge.assemble import (
    allergens,
    facts,
    interactions,
    label_evidence,
    label_rules,
    names,
    overlays,
    pack,
    site,
    strengths,
    tables,
    vocabulary,
)
from attending.guardrails.knowledge.assemble.not_placed import NotPlaced
from attending.guardrails.knowledge.importers import label_facts

CURATED: Final = Path(__file__).with_name("curated")
_NOTHING: Final = site.Site()
_DRUG_COLUMNS: Final = ("drug", "rxcui", "routes", "schedule", "source", "rxcui_source")
_CLASS_COLUMNS: Final = ("class", "label", "members", "source")
_MME_COLUMNS: Final = ("drug", "factor", "route", "unit", *facts.PROVENANCE)
_CROSS_COLUMNS: Final = ("allergen", "to", "severity", *facts.PROVENANCE)


@dataclass(frozen=True, slots=True)
class Compiled:
    """The tables of a pack that is not written yet. `inputs` is file name -> SHA-256 of the site's own files."""

    files: dict[str, str]
    counts: dict[str, int]
    inputs: dict[str, str]
    missed: tuple[NotPlaced, ...]


def build(sources: Path, out: Path) -> str:
    """Writes the pack of the public sources and returns its hash. Raises as `compiled`, and OSError."""
    made = compiled(sources)
    return pack.write(out, made.files, made.counts)


def compiled(
    sources: Path,
    brought: site.Site = _NOTHING,
    progress: Callable[[str], None] = lambda _step: None,
    attested: Sequence[Mapping[str, str]] = (),
) -> Compiled:
    """The pack of the public sources and of what a site brings; `progress` hears each step before it begins.
    `attested` are the rows of the attestations table, which a build takes over from the pack that it replaces.

    Raises OSError, TableError, KeyError or SiteFileError for an unexpected input.
    """
    # A line that cannot be right is told before anything is built.
    own = brought.read(progress)
    progress("names of the public sources")
    known = vocabulary.build(sources, CURATED)
    missed = [NotPlaced("ndfrt-names", "", name, why) for name, why in known.left_out]
    if own.rxnorm is not None:
        site.add_names(known, own.rxnorm, CURATED, missed)
    extra = site.pairs(known, own.pairs, missed)
    limits, stocked = site.formulary(known, own.formulary, missed)
    files: dict[str, str] = {}
    counts: dict[str, int] = {}

    def add(name: str, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
        files[name] = tables.text(columns, rows)
        counts[name.removesuffix(".tsv")] = len(rows)

    progress("interactions")
    pairs = interactions.build(known, sources, CURATED, missed, extra)
    add("interactions.tsv", interactions.COLUMNS, [row.cells() for row in pairs])
    progress("names and classes")
    add("names.tsv", names.COLUMNS, [entry.cells() for entry in names.build(known, sources, CURATED, missed)])
    add("drugs.tsv", _DRUG_COLUMNS, [_drug(known, drug) for drug in sorted(known.namer.known)])
    add("classes.tsv", _CLASS_COLUMNS, [_class(known, one) for one in sorted(known.classes)])
    progress("limits and rules")
    from_labels, none_known = label_rules.build(known, sources, CURATED)
    from_site: facts.Rows = {"dose_limits": limits}
    merged = facts.merged(from_labels, facts.authored(known, CURATED), from_site)
    for table, rows in merged.items():
        add(f"{table}.tsv", facts.COLUMNS[table], rows)
    texts = label_facts.label_texts(sources / "fda-labels")
    add("label_evidence.tsv", label_evidence.COLUMNS, label_evidence.build(merged["dose_limits"], texts))
    add("strengths.tsv", strengths.COLUMNS, strengths.build(known))
    add("formulary.tsv", site.FORMULARY_COLUMNS, stocked)
    add("mme.tsv", _MME_COLUMNS, facts.sides(known, CURATED, "mme.tsv", ("drug",)))
    add(
        "cross_reactions.tsv",
        _CROSS_COLUMNS,
        facts.sides(known, CURATED, "cross_reactions.tsv", ("allergen", "to")),
    )
    add("conditions.tsv", ("name", "condition"), _conditions())
    add("allergens.tsv", allergens.COLUMNS, allergens.build(known, sources, CURATED))
    add("none_known.tsv", ("drug", "check", "source"), none_known)
    add("allergy_groups.tsv", ("class",), tables.read(CURATED / "allergy_groups.tsv"))
    adjustments = [*tables.read(CURATED / "adjustments.tsv"), *_marketed_together(known, pairs)]
    add("adjustments.tsv", tables.columns(CURATED / "adjustments.tsv"), adjustments)
    overlays.build(known, CURATED, add)
    add("label_index.tsv", ("set_id", "source", "drugs"), _label_index(known, sources))
    add(attestation.TABLE, attestation.COLUMNS, attested)
    for source in {one.source for one in missed}:
        counts[f"rows_not_placed_{source}"] = sum(1 for one in set(missed) if one.source == source)
    return Compiled(
        files, counts, {path.name: _sha256(path) for path in brought.files()}, tuple(sorted(set(missed)))
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _drug(known: vocabulary.Vocabulary, drug: str) -> dict[str, str]:
    return {
        "drug": drug,
        "rxcui": known.rxcui.get(drug, ""),
        "routes": "|".join(sorted(known.routes.get(drug, ()))),
        "schedule": known.schedules.get(drug, ""),
        "source": known.origin[drug],
        "rxcui_source": known.rxcui_source.get(drug, ""),
    }


def _class(known: vocabulary.Vocabulary, one: str) -> dict[str, str]:
    return {
        "class": one,
        "label": known.labels[one],
        "members": "|".join(known.classes[one]),
        "source": known.class_sources[one],
    }


def _marketed_together(
    known: vocabulary.Vocabulary, pairs: Sequence[interactions.Row]
) -> list[dict[str, str]]:
    """Ingredients sold in one product do not endanger each other at more than minor: a source that says so speaks of
    something else (a higher dose, another route). Only pairs that some source row grades higher are listed."""
    classes: dict[str, set[str]] = {}
    for class_id, members in known.classes.items():
        for drug in members:
            classes.setdefault(drug, {drug}).add(class_id)
    overrated = {
        (r.a, r.b) for r in pairs if r.basis is Basis.SOURCE_ROW and r.severity.rank > Severity.MINOR.rank
    }
    warned = {
        (r.a, r.b)
        for r in pairs
        if r.basis is not Basis.SOURCE_ROW and r.severity.rank > Severity.MODERATE.rank
    }
    found: list[dict[str, str]] = []
    for a, b in sorted(known.together):
        sides = [(x, y) for x in classes.get(a, {a}) for y in classes.get(b, {b})]
        both = {*sides, *((y, x) for x, y in sides)}
        # One product may hold two drugs on purpose that are a danger apart (morphine and naltrexone).
        if not both.isdisjoint(overrated) and both.isdisjoint(warned):
            reason = "ingredients of one approved product, FDA NDC directory, April 2019"
            row = {"id": f"one-product:{a}:{b}", "a": a, "b": b, "max_severity": "minor", "reason": reason}
            found.append(row)
    return found


def _conditions() -> list[dict[str, str]]:
    found: dict[str, str] = {}
    for row in tables.read(CURATED / "conditions.tsv"):
        for name in (row["condition"].replace("_", " "), *tables.split(row["names"])):
            if found.setdefault(name.lower(), row["condition"]) != row["condition"]:
                raise tables.TableError(f"`conditions.tsv`: `{name}` has two meanings")
    return [{"name": name, "condition": found[name]} for name in sorted(found)]


def _label_index(known: vocabulary.Vocabulary, sources: Path) -> list[dict[str, str]]:
    """Set ids that a fact may cite, and the ingredients of each: what the label names, or else the label fact."""
    found: dict[str, tuple[str, set[str], bool]] = {}
    for set_id, generic in label_facts.label_drugs(sources / "fda-labels").items():
        drugs = set(known.namer.drugs(generic) or ())
        found[set_id] = ("FDA label set of May 2014", drugs, bool(drugs))
    for fact in label_facts.read(sources / "label-facts"):
        for set_id in fact.set_ids:
            _, drugs, from_label = found.setdefault(set_id, ("label facts", set(), False))
            if not from_label:
                drugs |= set(known.namer.drugs(fact.ingredient) or ())
    return [
        {"set_id": set_id, "source": source, "drugs": "|".join(sorted(drugs))}
        for set_id, (source, drugs, _) in sorted(found.items())
    ]


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 on success, 4 on wrong usage."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m attending.guardrails.knowledge.build SOURCES OUT\n")
        return 4
    sys.stdout.write(build(Path(arguments[0]), Path(arguments[1])) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
